"""Ledger files: every mistake is one error with file, transaction and remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from allotment.errors import BadFileError, BadRow
from allotment.feeds.ledger_json import read_ledger, replay


def mistakes(*transactions: Any, **document: Any) -> list[BadRow]:
    text = json.dumps({"transactions": list(transactions), **document})
    with pytest.raises(BadFileError) as caught:
        replay(read_ledger(text, "ledger.json"))
    return list(caught.value.rows)


def bought(**changes: Any) -> dict[str, Any]:
    facts = {"id": "b", "date": "2024-01-10", "type": "buy", "symbol": "X", "qty": "10", "amount": "100"}
    return {name: value for name, value in {**facts, **changes}.items() if value is not None}


def then(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": "s", "date": "2024-02-10", "type": kind, "symbol": "X", **fields}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"qty": "ten"}, "is not a number"),
        ({"qty": "-1"}, "negative"),
        ({"qty": "0"}, "zero"),
        ({"qty": "0.0000000001"}, "more than 9 decimals"),
        ({"qty": "9223372037"}, "too large"),
        ({"amount": "1.005"}, "more than 2 decimals"),
        ({"amount": "92233720368547758.07"}, "too large"),
        ({"amount": None}, "amount is missing"),
        ({"amount": True}, "True"),
        ({"amount": "NaN"}, "not a finite number"),
        ({"date": "2024-02-30"}, "2024-02-30"),
        ({"date": "10.1.2024"}, "10.1.2024"),
        ({"type": "purchase"}, "unknown type"),
        ({"type": ["buy"]}, "unknown type"),
        ({"symbol": ""}, "symbol"),
        ({"account": "B"}, "unknown account"),
        ({"price": "3"}, "unknown field"),
    ],
)
def test_a_field_that_cannot_be_used_is_told_with_its_transaction(changes: dict[str, Any], says: str) -> None:
    found = mistakes(bought(**changes))
    assert len(found) == 1
    assert found[0].file == "ledger.json"
    assert found[0].column == "transaction b"
    assert says in found[0].found
    assert found[0].remedy


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (then("sell", qty="11", amount="50"), "11 shares leave, 10 are held"),
        (then("sell", qty="5", amount="50", lots=[["nothing", "5"]]), "does not exist"),
        (then("sell", qty="5", amount="50", lots=[["b", "4"]]), "add up to 4"),
        (then("sell", qty="5", amount="50", lots=[["b", "11"]]), "10 are held"),
        (then("sell", qty="5", amount="50", lots=[["b"]]), "among the lots"),
        (then("sell", qty="5", amount="50", method="best"), "best"),
        (then("split", ratio="0:1"), "0:1"),
        (then("split", ratio="2:0"), "2:0"),
        (then("split", ratio="2:1:1"), "2:1:1"),
        (then("split", ratio="1000000000:0.000000001"), "64 bits"),
        (then("spinoff", child="Y", ratio="1e9", parent_fmv="1e8", child_fmv="1e9"), "64 bits"),
        (then("stock_merger", to="X", ratio="1:1"), "itself"),
        (then("spinoff", child="Y", ratio="1", parent_fmv="0", child_fmv="0"), "zero"),
        ({**then("sell", qty="5", amount="50"), "date": "2024-01-09"}, "is before"),
        ({**then("sell", qty="5", amount="50"), "id": "b"}, "used before"),
        ("sell everything", "sell everything"),
    ],
)
def test_a_transaction_that_contradicts_the_others_is_told(entry: Any, says: str) -> None:
    found = mistakes(bought(), entry)
    assert len(found) == 1
    assert says in found[0].found


def test_every_mistake_is_collected() -> None:
    found = mistakes(bought(qty="x", amount="y"), then("sell", qty="-5", amount="1"), {"id": 7})
    assert {row.column for row in found} == {"transaction b", "transaction s", "transaction 7"}
    assert len(found) >= 4


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"policy": {"hp_method": "guess"}}, "hp_method"),
        ({"policy": {"mood": "good"}}, "unknown key"),
        ({"policy": {"si_groups": [["X", "Y"], ["Y", "Z"]]}}, "two groups"),
        ({"policy": {"si_groups": [{"X": "0"}]}}, "units"),
        ({"policy": {"si_groups": [[]]}}, "si_groups has"),
        ({"policy": {"si_groups": "X"}}, "si_groups is"),
        ({"policy": []}, "[]"),
        ({"accounts": []}, "[]"),
        ({"accounts": {"A": {"owner": "aunt"}}}, "aunt"),
        ({"accounts": {"A": {"type": "hsa"}}}, "hsa"),
        ({"acounts": {}}, "unknown key"),
    ],
)
def test_accounts_and_policy_are_checked(document: dict[str, Any], says: str) -> None:
    assert any(says in row.found for row in mistakes(bought(), **document))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"transactions": 3}', '"x"'])
def test_text_that_is_no_ledger_is_refused(text: str) -> None:
    with pytest.raises(BadFileError):
        read_ledger(text, "ledger.json")


def test_numbers_may_be_written_without_quotes_and_stay_exact() -> None:
    entry = json.dumps(bought(qty=0.1, amount=0.07))
    text = f'{{"transactions": [{entry}]}}'
    folded = replay(read_ledger(text, "ledger.json"))
    assert folded.lots.quantity_nano.tolist() == [100_000_000]
    assert folded.lots.basis_cents.tolist() == [7]


def test_sums_at_the_edge_of_64_bits_are_refused_one_by_one() -> None:
    """Each amount fits; together they would wrap."""
    much = "11000000000000000"  # dollars
    found = mistakes(*(bought(id=f"b{i}", amount=much) for i in range(6)))
    assert [row.column for row in found] == ["transaction b4", "transaction b5"]


def test_an_empty_ledger_is_a_ledger() -> None:
    folded = replay(read_ledger('{"transactions": []}', "ledger.json"))
    assert len(folded.lots.origin_row) == 0
