"""Whatever stands in a ledger file, it is replayed or refused with what to do; never a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.errors import BadFileError, BadRow
from allotment.feeds.ledger_dividends import dividend_parts
from allotment.feeds.ledger_fields import FACTS, FIELDS, PARSE
from allotment.feeds.ledger_flags import flags
from allotment.feeds.ledger_json import read_ledger, replay

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.sampled_from([
        "0", "-1", "1e9", "NaN", "9" * 40, "1.0000000001", "1:0", "0:1", "2:1", "A", "B", "X", "t0",
        "2024-02-30", "2024-02-29", "0001-01-01", "9999-12-31", "9223372036854775807",
    ]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
NAMES = sorted({*PARSE, "id", "date", "type", "symbol", "account", "colour"})
SENSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(0, 5).map(lambda i: f"t{i}"),
    "date": st.sampled_from(["2024-01-02", "2024-01-03", "2024-12-31"]),
    "type": st.sampled_from(sorted(FIELDS | FACTS)),
    "symbol": st.sampled_from(["X", "Y"]),
    "account": st.sampled_from(["A", "B"]),
    "qty": st.sampled_from(["1", "10", "0.5", "1000000000"]),
    "amount": st.sampled_from(["1", "100", "10000000000000000"]),
    "to": st.sampled_from(["X", "Y", "Z", "A", "B"]),
    "from": st.sampled_from(["A", "B"]),
    "lots": st.lists(st.tuples(st.sampled_from(["t0", "t1", "t9"]), st.just("1")).map(list), max_size=2),
    "ratio": st.sampled_from(["2:1", "1:3", "1000000000:1", "0.000000001"]),
}


@st.composite
def entries(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 30)) == 0:
        return draw(ANYTHING)
    kind = draw(SENSIBLE["type"])
    fields = [name.rstrip("?") for name in (FACTS.get(kind) or FIELDS[kind][1]).split()]
    made: dict[str, Any] = {"type": kind}
    for name in ("id", "date", "symbol", "account", *fields):
        if draw(st.integers(0, 12)) == 0:
            continue
        sensible = SENSIBLE.get(name, st.sampled_from(["1", "10", "2:1", "2024-01-02", "X", "Z", True]))
        made[name] = draw(ANYTHING if draw(st.integers(0, 9)) == 0 else sensible)
    if draw(st.integers(0, 9)) == 0:
        made[draw(st.sampled_from(NAMES))] = draw(ANYTHING)
    return made


@st.composite
def documents(draw: st.DrawFn) -> Any:
    document: dict[str, Any] = {"transactions": draw(st.lists(entries(), max_size=6))}
    if draw(st.booleans()):
        document["accounts"] = draw(st.just({"A": {}, "B": {"type": "ira"}}) | ANYTHING)
    if draw(st.integers(0, 3)) == 0:
        document["policy"] = draw(
            st.dictionaries(st.sampled_from(["scope", "lot_method", "si_groups", "hp_method"]), ANYTHING)
        )
    return document


def mistakes(text: str) -> tuple[BadRow, ...]:
    """What is refused; nothing when the ledger is replayed."""
    try:
        ledger = read_ledger(text, "ledger.json")
        folded = replay(ledger)
        flags(ledger, folded, dividend_parts(ledger, folded))
    except BadFileError as refused:
        return refused.rows
    return ()


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_no_document_ends_in_a_traceback(document: Any) -> None:
    for row in mistakes(json.dumps(document)):
        assert row.file == "ledger.json"
        assert row.found
        assert row.remedy


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_ends_in_a_traceback(text: str) -> None:
    assert all(row.remedy for row in mistakes(text))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, '{"transactions": [' + "9" * 5_000 + "]}"],
    ids=["lists", "objects", "digits"],
)
def test_a_file_made_to_exhaust_the_reader_is_refused(text: str) -> None:
    with pytest.raises(BadFileError):
        read_ledger(text, "ledger.json")
