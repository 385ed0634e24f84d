"""How fast the fold is: a book of random weekly trading, folded in both views.

The core reads no clock, so the caller passes one (`time.perf_counter`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotment.compiled import kernel
from allotment.ledger.events import AccountTable, EventKind, Events, EventTerms, LotsPayload, no_dates
from allotment.ledger.fold import fold
from allotment.ledger.translate import translate
from allotment.tax.fold import fold_transactions
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import BroughtLots, FoldPolicy
from allotment.units import Codes, Floats, Ints

_FIRST_DAY = np.datetime64("2015-01-02", "D")
_SHARE = 1_000_000_000
_BUY, _SELL = int(EventKind.BUY), int(EventKind.SELL)


@kernel
def _trade(
    account: Ints, security: Ints, chance: Floats, price: Floats, held: Ints, kind: Codes, quantity: Ints
) -> None:
    for i in range(account.shape[0]):
        there = held[account[i], security[i]]
        if there > 5 * _SHARE and chance[i] < 0.45:
            kind[i] = _SELL
            quantity[i] = min(there, int(there * (0.1 + chance[i])))
            held[account[i], security[i]] -= quantity[i]
        else:
            kind[i] = _BUY
            quantity[i] = int((1.0 + 10.0 * price[i]) * _SHARE)
            held[account[i], security[i]] += quantity[i]


def random_book(
    n_households: int, rng: np.random.Generator, n_accounts: int = 5, n_names: int = 500, n_weeks: int = 520
) -> tuple[Events, AccountTable, IdenticalGroups]:
    """Households of `n_accounts` accounts (the last an IRA) that trade 8 % of their names a
    week for `n_weeks`: about 100,000 events each by default, half of the sales at a loss."""
    per_week = max(1, n_names * 8 // 100)
    shape = (n_households, n_weeks, n_accounts, per_week)
    n = int(np.prod(shape))
    household, week, account, place = (axis.ravel() for axis in np.indices(shape, sparse=False))
    security = rng.integers(0, n_names, n)
    kind, quantity = np.empty(n, np.int8), np.empty(n, np.int64)
    held = np.zeros((n_households * n_accounts, n_names), np.int64)
    owner = household * n_accounts + account
    _trade(owner, security, rng.random(n), rng.random(n), held, kind, quantity)
    drift = np.exp(rng.normal(0.001, 0.03, (n_weeks, n_names)).cumsum(axis=0)) * 50.0
    amount = np.maximum(1, np.round(quantity / 1e9 * drift[week, security] * 100)).astype(np.int64)
    zeros = np.zeros(n, np.int64)
    nothing = np.zeros(0, np.int64)
    day = _FIRST_DAY + (week * 7 + rng.integers(0, 5, shape[:2])[household, week]).astype("m8[D]")
    account_ids = np.arange(n_households * n_accounts)
    events = Events(
        ledger_seq=np.arange(1, n + 1),
        household_id=household + 1,
        account_id=owner + 1,
        sleeve_id=zeros,
        effective=day,
        day_seq=account * per_week + place,
        kind=kind,
        security_id=security + 1,
        quantity_nano=quantity,
        amount_cents=amount,
        settles=no_dates(n),
        order_id=zeros,
        other_account_id=zeros,
        detail=np.zeros(n, np.int8),
        reverses=zeros,
        terms_ix=np.full(n, -1, np.int32),
        lots_start=np.zeros(n + 1, np.int64),
        lots=_no_lots(),
        named_start=np.zeros(n + 1, np.int64),
        named_event=nothing,
        named_line=nothing.astype(np.int32),
        named_quantity_nano=nothing,
        terms=_no_terms(),
    )
    accounts = AccountTable(
        account_ids=account_ids + 1,
        household_ids=account_ids // n_accounts + 1,
        taxpayer_ids=account_ids // n_accounts + 1,
        taxable=(account_ids % n_accounts != n_accounts - 1).astype(np.int8),
        method=np.zeros(len(account_ids), np.int8),
        fifo_by_holding=np.zeros(len(account_ids), np.int8),
        sleeve_ids=nothing,
        sleeve_ix=nothing.astype(np.int32),
    )
    return events, accounts, IdenticalGroups.alone(np.arange(1, n_names + 1))


def _no_lots() -> LotsPayload:
    brought = BroughtLots.none()
    nothing = np.zeros(0, np.int64)
    return LotsPayload(
        security_id=nothing,
        sleeve_id=nothing,
        side=np.zeros(0, np.int8),
        quantity_nano=nothing,
        basis_cents=nothing,
        loss_basis_cents=nothing,
        acquired=brought.acquired,
        holding_from=brought.holding_from,
        purchased=brought.purchased,
        order_id=nothing,
        absorbed=brought.absorbed,
        covered=brought.covered,
        basis_state=brought.basis_state,
    )


def _no_terms() -> EventTerms:
    nothing = np.zeros(0, np.int64)
    return EventTerms(
        other_security_id=nothing,
        new_parts=nothing,
        old_parts=nothing,
        cash_nano=nothing,
        lieu_nano=nothing,
        old_price_nano=nothing,
        new_price_nano=nothing,
        allocate=np.zeros(0, np.int8),
    )


def bench(
    clock: Callable[[], float], households: tuple[int, ...] = (1, 3, 10, 30, 100)
) -> list[dict[str, float]]:
    """`measure` on books of random trading of several sizes: one row each, with the households."""
    fold(*random_book(1, np.random.default_rng(0), n_names=20, n_weeks=20))
    return [
        {"households": n} | measure(random_book(n, np.random.default_rng(n)), clock, 3 if n <= 10 else 1)
        for n in households
    ]


def measure(
    book: tuple[Events, AccountTable, IdenticalGroups], clock: Callable[[], float], times: int = 3
) -> dict[str, float]:
    """Events per second of the law's fold (columns in, columns out) and of the ledger's fold
    (translation, both views, cash): the best of several times. Both have folded before."""
    events, accounts, groups = book
    told = translate(events, accounts, groups)
    n_rows = len(told.transactions)
    law, both = np.inf, np.inf
    for _ in range(times):
        started = clock()
        folded = fold_transactions(told.transactions, told.accounts, told.groups, FoldPolicy())
        law = min(law, clock() - started)
        started = clock()
        state = fold(events, accounts, groups, FoldPolicy())
        both = min(both, clock() - started)
        assert not state.problems
    return {
        "events": len(events),
        "transactions": n_rows,  # an opening event brings one for every lot
        "tax_seconds": round(law, 4),
        "tax_transactions_per_second": round(n_rows / law),
        "ledger_seconds": round(both, 4),
        "ledger_transactions_per_second": round(n_rows / both),
        "lots": len(folded.lots.account_ix),
        "disposals": len(folded.disposals.account_ix),
        "wash_links": len(folded.links.account_ix),
    }
