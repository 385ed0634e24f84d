"""Cash by account and sleeve, and what has not settled."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.events import AccountTable, EventKind, FeeKind
from allotment.ledger.fold import fold
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups

OWN, OTHER = (1, 10), (1, 11)
CORE, SATELLITE = 100, 101  # sleeves of account 10
STOCK, CHILD = 7, 8
SHARE = 10**9
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=account_id,
            code=str(account_id),
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 1),
        )
        for _, account_id in (OWN, OTHER)
    ],
    sleeves=[(CORE, 10), (SATELLITE, 10)],
)
GROUPS = IdenticalGroups.alone(np.array([STOCK, CHILD]))


def balances(book: EventWriter) -> dict[tuple[int, int], int]:
    state = fold(book.events(), ACCOUNTS, GROUPS)
    assert state.problems == ()
    cash = state.cash
    keys = zip(cash.account_ix.tolist(), cash.sleeve_ix.tolist(), strict=True)
    return dict(zip(keys, cash.balance_cents.tolist(), strict=True))


def test_cash_moves_between_sleeves_and_accounts() -> None:
    book = EventWriter()
    book.write(EventKind.DEPOSIT, *OWN, date(2024, 1, 2), amount_cents=100_000)
    book.write(EventKind.SLEEVE_CASH, *OWN, date(2024, 1, 3), amount_cents=30_000, other_account_id=SATELLITE)
    book.write(EventKind.CASH_TRANSFER, *OWN, date(2024, 1, 4), amount_cents=20_000, other_account_id=11)
    book.write(
        EventKind.FEE,
        *OWN,
        date(2024, 1, 5),
        amount_cents=700,
        sleeve_id=SATELLITE,
        detail=FeeKind.MANAGEMENT,
    )
    assert balances(book) == {(0, 0): 50_000, (0, 1): 29_300, (1, 0): 20_000}


def test_a_corporate_action_pays_the_sleeve_that_held_the_shares() -> None:
    """100 shares of the core and 50 of the satellite are bought out for $12 a share."""
    book = EventWriter()
    for sleeve, shares in ((CORE, 100), (SATELLITE, 50)):
        book.write(
            EventKind.BUY,
            *OWN,
            date(2024, 1, 2),
            security_id=STOCK,
            quantity_nano=shares * SHARE,
            amount_cents=shares * 1000,
            sleeve_id=sleeve,
        )
    book.write(
        EventKind.CASH_MERGER, *OWN, date(2024, 3, 1), security_id=STOCK, terms={"cash_nano": 12 * SHARE}
    )
    assert balances(book) == {(0, 0): 100 * 200, (0, 1): 50 * 200}


def test_what_settles_after_the_newest_day_is_listed() -> None:
    """A dividend of the ex-date counts at once and is paid later; a sale settles the day after."""
    book = EventWriter()
    book.write(
        EventKind.BUY,
        *OWN,
        date(2024, 6, 3),
        security_id=STOCK,
        quantity_nano=100 * SHARE,
        amount_cents=100_000,
        settles=date(2024, 6, 4),
    )
    dividend = book.write(
        EventKind.DIVIDEND,
        *OWN,
        date(2024, 6, 10),
        security_id=STOCK,
        amount_cents=2_500,
        settles=date(2024, 6, 28),
    )
    sale = book.write(
        EventKind.SELL,
        *OWN,
        date(2024, 6, 14),
        security_id=STOCK,
        quantity_nano=10 * SHARE,
        amount_cents=11_000,
        settles=date(2024, 6, 17),
    )
    state = fold(book.events(), ACCOUNTS, GROUPS)
    assert state.cash_cents.tolist() == [-86_500, 0]
    open_ = state.unsettled
    assert open_.event.tolist() == [sale, dividend]
    assert open_.settles.astype(str).tolist() == ["2024-06-17", "2024-06-28"]
    assert open_.amount_cents.tolist() == [11_000, 2_500]


def test_flows_from_outside_are_marked() -> None:
    book = EventWriter()
    book.write(EventKind.DEPOSIT, *OWN, date(2024, 1, 2), amount_cents=1)
    book.write(EventKind.FEE, *OWN, date(2024, 1, 2), amount_cents=1)
    book.write(EventKind.SLEEVE_CASH, *OWN, date(2024, 1, 2), amount_cents=1, other_account_id=SATELLITE)
    book.write(EventKind.CASH_TRANSFER, *OWN, date(2024, 1, 2), amount_cents=1, other_account_id=11)
    assert book.events().is_external_flow.tolist() == [True, False, False, True]
