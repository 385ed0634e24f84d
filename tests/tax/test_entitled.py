"""Who held what on an ex-date: §246(c), beside whatever befalls the shares."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.tax.entitled import EVERY_ACCOUNT, NOT_GONE, Entitled, ExDate, entitled
from allotment.tax.fold import fold_transactions
from allotment.tax.recompute import first_rows

_spec = importlib.util.spec_from_file_location(
    "against_statute_too", Path(__file__).with_name("test_against_statute.py")
)
assert _spec
assert _spec.loader
against = importlib.util.module_from_spec(_spec)
sys.modules["against_statute_too"] = against
_spec.loader.exec_module(against)


def days(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def asked_of(ledger: Ledger, asked: list[ExDate]) -> list[Entitled]:
    known = ledger.transactions, replay(ledger), ledger.accounts, ledger.groups, ledger.policy.fold
    return entitled(*known, asked)


@settings(max_examples=100, **against.COMMON)
@given(against.ledgers(), st.data())
def test_entitled_is_what_a_fold_of_the_days_before_holds(
    document: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever befalls them: by account, security and lot, on any day and after the last."""
    ledger = read_ledger(json.dumps(document), "l.json")
    t = ledger.transactions
    known = [date.fromisoformat(entry["date"]) for entry in document["transactions"]]
    on = [
        known[-1] + timedelta(days=400),
        data.draw(st.sampled_from(known)),
        data.draw(st.sampled_from(known)),
    ]
    asked = [
        ExDate(security_ix=security, account_ix=EVERY_ACCOUNT, day=days(day))
        for day in on
        for security in range(len(ledger.symbols))
    ]
    found: dict[Any, int] = defaultdict(int)
    for part in asked_of(ledger, asked):
        assert part.quantity_nano > 0
        assert part.left_row == NOT_GONE or t.day[part.left_row].astype(int) == part.left
        assert part.left_row == NOT_GONE or part.left >= asked[part.ex_date].day > part.acquired
        found[part.ex_date, part.account_ix, part.origin_row] += part.quantity_nano
    expected: dict[Any, int] = defaultdict(int)
    for number, one in enumerate(asked):
        before = first_rows(t, int(np.searchsorted(t.day, np.datetime64(one.day, "D"))))
        lots = fold_transactions(before, ledger.accounts, ledger.groups, ledger.policy.fold).lots
        for i in np.flatnonzero(lots.security_ix == one.security_ix):
            expected[number, int(lots.account_ix[i]), int(lots.origin_row[i])] += int(lots.quantity_nano[i])
    assert found == expected


def fates(*entries: tuple[Any, ...]) -> list[tuple[str, str, float]]:
    """(lot, what ended it, shares) of the first day of 2024, of X."""
    transactions = [
        {"id": f"t{i}", "date": day, "type": kind, "symbol": "X", **facts}
        for i, (day, kind, facts) in enumerate(entries, start=1)
    ]
    ledger = read_ledger(json.dumps({"transactions": transactions}), "l.json")
    asked = ExDate(
        security_ix=ledger.symbols.index("X"), account_ix=EVERY_ACCOUNT, day=days(date(2024, 1, 1))
    )
    return [
        (
            ledger.ids[part.origin_row],
            "held" if part.left_row == NOT_GONE else ledger.ids[part.left_row],
            part.quantity_nano / 10**9,
        )
        for part in asked_of(ledger, [asked])
    ]


BUY = ("2023-01-02", "buy", {"qty": "10", "amount": "1000"})


def test_a_merger_with_cash_is_no_disposal_and_a_taxable_one_is() -> None:
    terms = {"to": "Y", "ratio": "1:2", "to_fmv": "250"}
    assert fates(BUY, ("2024-01-10", "mixed_merger", {**terms, "cash": "1"})) == [("t1", "held", 10)]
    assert fates(BUY, ("2024-01-10", "taxable_merger", terms)) == [("t1", "t2", 10)]
    assert fates(BUY, ("2024-01-10", "cash_merger", {"cash": "120"})) == [("t1", "t2", 10)]


def test_shares_of_a_subsidiary_leave_the_parents_alone() -> None:
    child = {"child": "C", "ratio": "0.25", "parent_fmv": "80", "child_fmv": "80", "cil_price": "80"}
    sold = ("2024-01-11", "sell", {"qty": "4", "amount": "400"})
    assert fates(BUY, ("2024-01-10", "spinoff", child), sold) == [("t1", "t3", 4), ("t1", "held", 6)]
    given_up = {"to": "C", "ratio": "1:1", "qty": "3"}
    assert fates(BUY, ("2024-01-10", "split_off", given_up)) == [("t1", "t2", 3), ("t1", "held", 7)]


def test_what_happened_more_than_a_year_later_is_not_told() -> None:
    """A test of a dividend looks sixty days ahead, that of a loss a year."""
    ledger_end = ("2025-12-01", "sell", {"qty": "10", "amount": "1"})
    assert fates(BUY, ledger_end) == [("t1", "t2", 10)]
    transactions = [
        {"id": "b", "date": "2023-01-02", "type": "buy", "symbol": "X", "qty": "10", "amount": "1000"},
        {"id": "s", "date": "2025-12-01", "type": "sell", "symbol": "X", "qty": "10", "amount": "1"},
    ]
    ledger = read_ledger(json.dumps({"transactions": transactions}), "l.json")
    asked = [
        ExDate(security_ix=0, account_ix=EVERY_ACCOUNT, day=days(date(year, 6, 1))) for year in (2023, 2025)
    ]
    assert [part.left_row for part in asked_of(ledger, asked)] == [NOT_GONE, 1]
