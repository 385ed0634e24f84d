"""The life of a lot, told: dividends among its steps. The other steps: tests/cli/test_tax.py."""

from __future__ import annotations

import json

import pytest

from allotment.feeds.ledger_explain import explain_lot
from allotment.feeds.ledger_json import read_ledger, replay

BUY = {"id": "b", "date": "2024-07-11", "type": "buy", "symbol": "X", "qty": "10", "amount": "1000"}
PAID = {"id": "d", "date": "2024-08-01", "type": "dividend", "symbol": "X", "per_share": "0.333"}
LATER = {"id": "y", "date": "2025-12-31", "type": "roc", "symbol": "Y", "per_share": "1"}


def steps(lot: str, *entries: dict[str, object]) -> list[str]:
    in_order = sorted(entries, key=lambda one: str(one["date"]))
    ledger = read_ledger(json.dumps({"transactions": in_order}), "l.json")
    return [step for step in explain_lot(ledger, replay(ledger), lot) if "dividend" in step or "paid" in step]


def paid(**fields: object) -> dict[str, object]:
    return {**PAID, "ex_date": "2024-07-12", **fields}


def sold(day: str, qty: str = "10") -> dict[str, object]:
    return {"id": "s", "date": day, "type": "sell", "symbol": "X", "qty": qty, "amount": "900"}


def test_each_part_of_a_lot_tells_its_test_on_the_ex_date() -> None:
    """Q-1, Q-4: sold on 9 September 60 days are in the window; what is kept has 61."""
    gone, kept = steps("b", BUY, paid(), sold("2024-09-09", "4"), LATER)
    assert gone == (
        "2024-07-12  d: dividend of $1.33 on 4 in account A, ordinary: held 60 days around the ex-date, "
        "not more than 60 (Q-1: §1(h)(11)(B)(iii), §246(c)(1))"
    )
    assert kept == (
        "2024-07-12  d: dividend of $2.00 on 6 in account A, qualified: held 61 days around the ex-date, "
        "more than 60 (Q-1: §1(h)(11)(B)(iii), §246(c)(1))"
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "in_lieu"}, "ordinary: a payment in lieu of one (Q-5: §1(h)(11)(B)(iii)(II))"),
        ({"kind": "reit"}, "section 199A: a REIT's (Q-8: §199A)"),
        ({"hedged_days": "1"}, "ordinary: held 60 days around the ex-date, not more than 60 (Q-1"),
        ({"hedged_days": "1"}, "Q-3, days of diminished risk taken off: §246(c)(4)"),
        ({"preferred": True}, "qualified: held 91 days around the ex-date, more than 90"),
    ],
)
def test_each_kind_of_payment_has_its_rule(fields: dict[str, object], says: str) -> None:
    (step,) = steps("b", BUY, paid(**fields), LATER)
    assert says in step


def test_what_the_days_to_come_decide_is_told_as_open() -> None:
    (step,) = steps("b", BUY, paid())
    assert "open: held 21 days so far, the days to come decide (Q-1" in step


def test_a_replacement_is_told_that_tacking_does_not_count() -> None:
    """Q-2; the lot that it replaces is told of no such rule."""
    old = {**BUY, "id": "a", "date": "2024-01-02", "amount": "2000"}
    loss = sold("2024-07-20") | {"lots": [["a", "10"]]}
    entries = (old, BUY, paid(), loss, LATER)
    (replacement,) = steps("b", *entries)
    assert "Q-2, the days of shares that it replaced do not count: §246(c)(3)(B)" in replacement
    (replaced,) = steps("a", *entries)
    assert "Q-2" not in replaced


def test_a_january_dividend_of_a_fund_tells_its_year() -> None:
    """D-7."""
    days = {"ex_date": "2024-12-27", "declared": "2024-12-10", "record": "2024-12-27", "is_fund": True}
    (step,) = steps("b", BUY, paid(date="2025-01-10", **days), LATER)
    assert step.endswith("; of 2024, though paid on 2025-01-10 (D-7: §852(b)(7), §857(b)(9))")
