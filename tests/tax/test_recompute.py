"""Folding again what changed gives what folding everything gives, and says what is different."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.feeds.ledger_json import Ledger, read_ledger
from allotment.tax.correction import Rule, corrections
from allotment.tax.fold import fold_transactions
from allotment.tax.folded import Folded
from allotment.tax.recompute import Book, refold, some_rows
from allotment.tax.transactions import NamedLots, Transactions

_spec = importlib.util.spec_from_file_location(
    "ledger_strategy", Path(__file__).with_name("test_against_statute.py")
)
ledger_strategy = importlib.util.module_from_spec(_spec)
sys.modules["ledger_strategy"] = ledger_strategy
_spec.loader.exec_module(ledger_strategy)


def same(one: Folded, other: Folded) -> None:
    for part in fields(Folded):
        left, right = getattr(one, part.name), getattr(other, part.name)
        for column in fields(left):
            a, b = getattr(left, column.name), getattr(right, column.name)
            assert a.dtype == b.dtype, (part.name, column.name)
            np.testing.assert_array_equal(a, b, err_msg=f"{part.name}.{column.name}")


def twice(t: Transactions) -> Transactions:
    """The same transactions in a second household, its accounts behind those of the first."""
    n_accounts = 4
    columns = {}
    for part in fields(Transactions):
        if part.metadata.get("column", True):
            column = getattr(t, part.name)
            second = column.copy()
            if part.name == "household_ix":
                second = second + np.int32(1)
            elif part.name == "order_id":
                second = second - 1_000
            elif part.name in ("account_ix", "to_ix"):
                second = np.where(second >= 0, second + n_accounts, second).astype(np.int32)
            columns[part.name] = np.concatenate([column, second])
    named = NamedLots(
        start=np.concatenate([t.named.start, t.named.start[1:] + t.named.start[-1]]),
        row=np.concatenate([t.named.row, t.named.row + len(t)]),
        quantity_nano=np.tile(t.named.quantity_nano, 2),
    )
    return Transactions(**columns, named=named, terms=t.terms, brought=t.brought)


def two_accounts(ledger: Ledger):
    a = ledger.accounts
    columns = {part.name: np.tile(getattr(a, part.name), 2) for part in fields(a)}
    columns["household_ix"] = np.repeat(np.arange(2), len(a)).astype(np.int32)
    return replace(a, **columns)


@settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(ledger_strategy.ledgers(), st.data())
def test_only_what_changed_is_folded_again_and_all_is_as_if_afresh(document, data) -> None:
    ledger = read_ledger(json.dumps(document), "l.json")
    whole, accounts = twice(ledger.transactions), two_accounts(ledger)
    ids = np.arange(len(whole)) * 7 + 3
    row = data.draw(st.integers(0, len(whole) // 2 - 1))
    rest = np.delete(np.arange(len(whole)), row)

    def folded(t: Transactions) -> Folded:
        return fold_transactions(t, accounts, ledger.groups, ledger.policy.fold)

    def again(before: Transactions, before_ids, t: Transactions, t_ids):
        book = Book(transactions=before, ids=before_ids, folded=folded(before))
        return refold(book, t, t_ids, accounts, ledger.groups, ledger.policy.fold)

    without = some_rows(whole, rest)
    late = again(without, ids[rest], whole, ids)
    same(late.book.folded, folded(whole))
    # Who named the late lot could not, and can now: such a row has changed with it.
    assert ids[row] in late.changed_ids
    assert late.n_rows_folded <= len(whole) // 2
    reversed_ = again(whole, ids, without, ids[rest])
    same(reversed_.book.folded, folded(without))
    dearer = replace(whole, amount_cents=whole.amount_cents + (np.arange(len(whole)) == row))
    changed = again(whole, ids, dearer, ids)
    same(changed.book.folded, folded(dearer))
    assert changed.changed_ids.tolist() == [ids[row]]
    unchanged = again(whole, ids, whole, ids)
    assert (unchanged.n_rows_folded, len(unchanged.changed_ids)) == (0, 0)
    same(unchanged.book.folded, folded(whole))


def test_a_line_that_moves_inside_a_day_is_a_change() -> None:
    document = {
        "transactions": [
            {"id": "a", "date": "2024-01-02", "type": "buy", "symbol": "X", "qty": "1", "amount": "10"},
            {"id": "b", "date": "2024-01-02", "type": "buy", "symbol": "X", "qty": "1", "amount": "20"},
            {"id": "c", "date": "2024-01-03", "type": "sell", "symbol": "X", "qty": "1", "amount": "15"},
        ]
    }
    ledger = read_ledger(json.dumps(document), "l.json")
    arguments = (ledger.accounts, ledger.groups, ledger.policy.fold)
    swapped = some_rows(ledger.transactions, np.array([1, 0, 2]))
    book = Book(
        transactions=ledger.transactions,
        ids=np.array([1, 2, 3]),
        folded=fold_transactions(ledger.transactions, *arguments),
    )
    made = refold(book, swapped, np.array([2, 1, 3]), *arguments)
    same(made.book.folded, fold_transactions(swapped, *arguments))
    assert made.changed_ids.tolist() == [1]


def entry(key: str, day: str, kind: str, qty: int, amount: int, account: str = "A", symbol: str = "X"):
    facts = {"symbol": symbol, "qty": str(qty), "amount": str(amount), "account": account}
    return {"id": key, "date": day, "type": kind, **facts}


LOSS = [
    entry("b", "2024-01-02", "buy", 10, 1_000),
    entry("s", "2024-12-20", "sell", 10, 400),
    entry("other", "2024-12-20", "buy", 5, 50, symbol="Z"),
]
LATE = entry("late", "2025-01-10", "buy", 4, 200, account="I")
ACCOUNTS = {"A": {}, "I": {"type": "ira"}}


def books(old: list[dict[str, str]], new: list[dict[str, str]]) -> tuple[Book, Book]:
    """Both read as one list of names, so that numbers mean the same."""
    whole = read_ledger(json.dumps({"accounts": ACCOUNTS, "transactions": new}), "l.json")
    kept = [i for i, key in enumerate(whole.ids) if key in {e["id"] for e in old}]
    arguments = (whole.accounts, whole.groups, whole.policy.fold)
    ids = np.arange(1, len(new) + 1)
    part = some_rows(whole.transactions, np.array(kept))
    before = Book(transactions=part, ids=ids[kept], folded=fold_transactions(part, *arguments))
    return before, refold(before, whole.transactions, ids, *arguments).book


def test_a_late_ira_purchase_destroys_a_filed_loss() -> None:
    """Rev. Rul. 2008-5: 4 of 10 shares replaced, $240 of $600 lost for good; the return is filed."""
    before, after = books(LOSS, [*LOSS, LATE])
    found = corrections(before, after, causes=[4], filed=[2024])
    disposal, lot = sorted(found, key=lambda c: -c.year)
    assert (disposal.sale, disposal.lot, disposal.year, disposal.is_filed) == (2, 1, 2024, True)
    assert disposal.rules == (Rule.WASH_SALE,)
    assert disposal.causes == (4,)
    assert disposal.before.gain_cents == -600_00
    assert disposal.after.gain_cents == -360_00
    assert disposal.after.permanent_cents == 240_00
    assert (lot.lot, lot.before, lot.rules, lot.is_filed) == (4, None, (Rule.LOT,), False)


def test_nothing_changed_is_nothing_to_correct() -> None:
    before, after = books(LOSS, LOSS)
    assert corrections(before, after) == ()


def test_a_basis_and_a_term_that_change_are_told_apart() -> None:
    """A purchase in the taxable account defers the loss: its lot's basis and date are new."""
    old = [*LOSS, entry("r", "2025-01-05", "buy", 10, 500), entry("out", "2025-12-30", "sell", 10, 900)]
    before, after = books([e for e in old if e["id"] != "s"], old)
    (sale,) = [c for c in corrections(before, after) if c.sale == 5 and c.lot == 4]
    assert sale.before is None  # first in first out sold the older lot before
    assert sale.after.basis_cents == 1_100_00
    assert sale.after.long_nano == 10 * 10**9
