"""Cash by account and sleeve, and what has not settled.

Balances count everything by trade date (ex-date of a dividend). What settles after the newest day
that the household has an event on is listed: sales and purchases on their way, dividends accrued.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.compiled import kernel
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.translate import Translated, positions, sleeve_places
from allotment.tax.fold import Folded
from allotment.units import Codes, Dates, Index, Ints

_SIGN = np.zeros(128, np.int64)
for _kind in (
    EventKind.SELL,
    EventKind.SHORT_SELL,
    EventKind.RETURN_OF_CAPITAL,
    EventKind.TAXABLE_MERGER,
    EventKind.DEPOSIT,
    EventKind.DIVIDEND,
    EventKind.INTEREST,
    EventKind.PAYMENT_IN_LIEU,
    EventKind.CASH_ADJUSTMENT_IN,
    EventKind.OPENING_CASH,
):
    _SIGN[_kind] = 1
for _kind in (
    EventKind.BUY,
    EventKind.REINVEST,
    EventKind.COVER,
    EventKind.OPTION_BUY,
    EventKind.OPTION_EXERCISE,
    EventKind.EXERCISE_RIGHTS,
    EventKind.WITHDRAWAL,
    EventKind.FEE,
    EventKind.WITHHOLDING,
    EventKind.CASH_ADJUSTMENT_OUT,
    EventKind.CASH_TRANSFER,
    EventKind.SLEEVE_CASH,
):
    _SIGN[_kind] = -1
# Actions whose cash follows from the lots: boot, the price of a cash merger, fractions paid out.
_PAYS_BY_LOT = np.array(
    [
        EventKind.SPLIT,
        EventKind.SPIN_OFF,
        EventKind.STOCK_MERGER,
        EventKind.MIXED_MERGER,
        EventKind.CASH_MERGER,
        EventKind.RIGHTS,
        EventKind.SYMBOL_CHANGE,
    ],
    np.int8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cash:
    """Balances, one row an account and sleeve that cash ever moved in, ascending. Shape (n,)."""

    account_ix: Index
    sleeve_ix: Index
    balance_cents: Ints

    def __len__(self) -> int:
        return int(self.account_ix.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """Movements counted in the balances whose cash has not come or gone, ascending by account,
    settlement, event. Shape (n,)."""

    account_ix: Index
    sleeve_ix: Index
    event: Ints
    kind: Codes
    settles: Dates
    amount_cents: Ints  # signed

    def __len__(self) -> int:
        return int(self.account_ix.shape[0])


@dataclass(frozen=True, slots=True)
class _Movements:
    """Every movement of cash. Shape (n,)."""

    account: Ints
    sleeve: Ints
    event: Ints
    kind: Codes
    settles: Dates
    amount: Ints


def cash_of(told: Translated, broker: Folded, accounts: AccountTable) -> tuple[Cash, Unsettled]:
    """Cash that follows from events, and from what corporate actions paid for the broker's shares."""
    moved = _all_movements(told, broker, accounts)
    n_sleeves = 1 + int(moved.sleeve.max(initial=0))
    key = moved.account * n_sleeves + moved.sleeve
    size = len(accounts) * n_sleeves
    total = sum_by(key, moved.amount, size)
    there = np.flatnonzero(sum_by(key, np.ones(len(key), np.int64), size) > 0)
    newest = _newest_day(told, accounts)[moved.account]
    late = np.flatnonzero(moved.settles > newest)
    late = late[np.lexsort((moved.event[late], moved.settles[late], moved.account[late]))]
    return (
        Cash(
            account_ix=(there // n_sleeves).astype(np.int32),
            sleeve_ix=(there % n_sleeves).astype(np.int32),
            balance_cents=total[there],
        ),
        Unsettled(
            account_ix=moved.account[late].astype(np.int32),
            sleeve_ix=moved.sleeve[late].astype(np.int32),
            event=moved.event[late],
            kind=moved.kind[late],
            settles=moved.settles[late],
            amount_cents=moved.amount[late],
        ),
    )


def _all_movements(told: Translated, broker: Folded, accounts: AccountTable) -> _Movements:
    events, sold = told.events, broker.disposals
    sign = _SIGN[events.kind]
    if len(broker.problems.row):
        sign = np.where(np.isin(events.ledger_seq, told.event[broker.problems.row]), 0, sign)
    own = np.flatnonzero((sign != 0) & (events.amount_cents != 0))
    settles = np.where(np.isnat(events.settles), events.effective, events.settles)
    account = told.account_ix.astype(np.int64)
    sleeve = sleeve_places(accounts, events.sleeve_id)
    to_account = own[events.kind[own] == EventKind.CASH_TRANSFER]
    to_sleeve = own[events.kind[own] == EventKind.SLEEVE_CASH]
    paid = np.flatnonzero(np.isin(told.transactions.kind[sold.sale_row], _PAYS_BY_LOT))
    source = sold.sale_row[paid]
    rows = [own, to_account, to_sleeve]
    return _Movements(
        account=np.concatenate(
            [
                account[own],
                positions(accounts.account_ids, events.other_account_id[to_account]),
                account[to_sleeve],
                sold.account_ix[paid].astype(np.int64),
            ]
        ),
        sleeve=np.concatenate(
            [
                sleeve[own],
                np.zeros(len(to_account), np.int64),
                sleeve_places(accounts, events.other_account_id[to_sleeve]),
                sold.sleeve_ix[paid].astype(np.int64),
            ]
        ),
        event=np.concatenate([*(events.ledger_seq[r] for r in rows), told.event[source]]),
        kind=np.concatenate([*(events.kind[r] for r in rows), told.transactions.kind[source]]),
        settles=np.concatenate([*(settles[r] for r in rows), _paid_on(told, source)]),
        amount=np.concatenate(
            [
                (sign * events.amount_cents)[own],
                events.amount_cents[to_account],
                events.amount_cents[to_sleeve],
                sold.proceeds_cents[paid],
            ]
        ),
    )


def _paid_on(told: Translated, source: Ints) -> Dates:
    settles = told.transactions.settles[source]
    return np.where(np.isnat(settles), told.transactions.day[source], settles)


def _newest_day(told: Translated, accounts: AccountTable) -> Dates:
    """The newest day of an event of each account's household, (n_accounts,)."""
    events = told.events
    newest = np.full(len(accounts), np.datetime64("NaT", "D"))
    if len(events):
        # In fold order the last event of a household is its newest.
        last = np.flatnonzero(np.append(events.household_id[1:] != events.household_id[:-1], True))
        at = np.searchsorted(events.household_id[last], accounts.household_ids)
        at = np.minimum(at, len(last) - 1)
        known = events.household_id[last][at] == accounts.household_ids
        newest[known] = events.effective[last][at][known]
    return newest


@kernel
def _add_by(at: Ints, amount: Ints, out: Ints) -> None:
    for i in range(at.shape[0]):
        out[at[i]] += amount[i]


def sum_by(at: Ints | Index, amount: Ints, n: int) -> Ints:
    """Exact sums of `amount` by position, shape (n,)."""
    out = np.zeros(n, np.int64)
    _add_by(np.ascontiguousarray(at, np.int64), np.ascontiguousarray(amount, np.int64), out)
    return out
