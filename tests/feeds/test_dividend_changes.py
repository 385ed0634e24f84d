"""What a late fact does to dividends: §246(c)."""

from __future__ import annotations

import json
from typing import Any

from allotment.feeds.dividend_changes import HOLDING_TEST, PAID
from allotment.feeds.ledger_changes import LedgerChanges, changes
from allotment.feeds.ledger_dividends import DividendSums
from allotment.feeds.ledger_json import Ledger, read_ledger

SHARE = 10**9
Entry = dict[str, Any]


def entry(key: str, day: str, kind: str, symbol: str = "X", **fields: Any) -> Entry:
    return {"id": key, "date": day, "type": kind, "symbol": symbol, **fields}


BOOK = [
    entry("b", "2024-07-11", "buy", qty="10", amount="1000"),
    entry("d", "2024-08-01", "dividend", ex_date="2024-07-12", per_share="1"),
    entry("z", "2024-12-30", "buy", "Z", qty="1", amount="10"),
]
SALE = entry("s", "2024-09-09", "sell", qty="4", amount="400")


def ledger(entries: list[Entry]) -> Ledger:
    in_order = sorted(entries, key=lambda one: str(one["date"]))
    return read_ledger(json.dumps({"transactions": in_order}), "l.json")


def changed(old: list[Entry], new: list[Entry], *filed: int) -> LedgerChanges:
    return changes(ledger(old), ledger(new), filed)


def test_a_late_sale_turns_part_of_a_qualified_dividend_ordinary() -> None:
    """Q-4: four of ten shares were held 60 days in the window, one too few; the year is filed."""
    late = entry("w", "2024-12-30", "buy", "Z", qty="1", amount="10")
    (one,) = changed(BOOK, [*BOOK, SALE, late], 2024).dividends
    assert (one.dividend, one.lot, one.account, one.year, one.is_filed) == ("d", "b", "A", 2024, True)
    assert (one.rules, one.causes) == ((HOLDING_TEST,), ("s",))
    assert one.before.sums == DividendSums(qualified=1000)
    assert one.after.sums == DividendSums(qualified=600, ordinary=400)
    assert one.before.quantity_nano == one.after.quantity_nano == 10 * SHARE


def test_a_late_purchase_is_paid_and_its_neighbour_is_not_told() -> None:
    late = entry("a", "2024-01-02", "buy", qty="5", amount="500")
    (one,) = changed(BOOK, [*BOOK, late]).dividends
    assert (one.lot, one.rules, one.causes, one.before, one.is_filed) == ("a", (PAID,), ("a",), None, False)
    assert one.after.sums == DividendSums(qualified=500)


def test_a_sale_before_the_ex_date_takes_shares_and_their_dividend() -> None:
    early = {**SALE, "date": "2024-07-11"}
    (one,) = changed(BOOK, [*BOOK, early]).dividends
    assert (one.rules, one.causes) == ((PAID,), ("s",))
    assert one.after.sums == DividendSums(qualified=600)


def test_a_dividend_that_comes_or_is_altered_is_its_own_cause() -> None:
    told = changed([BOOK[0], BOOK[2]], BOOK)
    assert (told.added, told.removed, told.corrections) == (("d",), (), ())
    assert [(one.rules, one.causes) for one in told.dividends] == [((PAID,), ("d",))]
    reclassified = {**BOOK[1], "kind": "in_lieu"}
    told = changed(BOOK, [BOOK[0], reclassified, BOOK[2]])
    assert told.altered == ("d",)
    (one,) = told.dividends
    assert (one.rules, one.causes) == ((PAID,), ("d",))
    assert one.after.sums == DividendSums(received_in_lieu=1000)
    (gone,) = changed(BOOK, [BOOK[0], BOOK[2]]).dividends
    assert gone.after is None


def test_time_that_passes_closes_what_was_open() -> None:
    """Nothing of the security changed: what was added is what there is to name."""
    (one,) = changed(BOOK[:2], BOOK).dividends
    assert (one.rules, one.causes) == ((HOLDING_TEST,), ("z",))
    assert one.before.sums == DividendSums(open=1000)
    assert one.after.sums == DividendSums(qualified=1000)


def test_a_cause_under_another_symbol_of_the_lot_is_named() -> None:
    """The lot was bought as X, and sold as Y before the test was passed."""
    renamed = [*BOOK, entry("n", "2024-08-05", "symbol_change", to="Y")]
    late = {**SALE, "symbol": "Y"}
    (one,) = changed(renamed, [*renamed, late]).dividends
    assert one.rules == (HOLDING_TEST,)
    assert one.causes == ("s",)


def test_nothing_changed() -> None:
    assert changed(BOOK, BOOK).dividends == ()
