"""A household on a day: who belongs to it, what it expects, what is locked, what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.book.expected import YearPage
from allotment.book.household import Account, Household, Management, Taxpayer
from allotment.jobs.posting import Books
from allotment.ledger.corrections import in_force
from allotment.ledger.discretion import Period, periods
from allotment.ledger.expected import ComingPurchases, coming_purchases, in_year, silent_accounts
from allotment.ledger.fold import BookState
from allotment.ledger.permanent import PermanentLosses, permanent_losses
from allotment.ledger.wash_locks import WashLocks, wash_locks
from allotment.store import book_tables, event_tables, expected_tables, market_tables
from allotment.store.session import FirmStore
from allotment.units import Index, as_day

_PRICE_DAYS = 10  # how old a price may be that turns an amount into shares


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdView:
    """Everything on one day; accounts and taxpayers by id."""

    asof: date
    household: Household
    accounts: tuple[Account, ...]
    taxpayers: tuple[Taxpayer, ...]  # with the year that the page tells
    pages: tuple[YearPage, ...]  # of the year and its neighbours
    state: BookState
    coming: ComingPurchases  # that decisions count
    possible: ComingPurchases  # with those that are only possible
    locks: WashLocks
    silent: Index  # by row of `locks`: attested accounts of which nothing is known around the day
    permanent: PermanentLosses
    discretion: dict[int, list[Period]]  # by account id, as far as it is recorded
    codes: dict[int, str]  # of securities

    def account_code(self, account_id: int) -> str:
        """The code of an account; "" for 0 or one that is not the household's."""
        return next((one.code for one in self.accounts if one.account_id == account_id), "")


def view_household(firm: FirmStore, code: str, asof: date) -> HouseholdView:
    """The household of a code (its own or an account's) at the start of `asof`, by what is known now.

    Raises UsageError when there is none.
    """
    household = book_tables.find_household(firm, code)
    home = household.household_id
    accounts, taxpayers = book_tables.load_household(firm, home)
    pages = expected_tables.load_pages(firm, asof, [home]).get(home, ())
    events = in_force(event_tables.load_events(firm, [home])).until(asof)
    state = Books(firm).fold_events(events, [home])
    by_id = {one.account_id: one for one in accounts}
    prices = _prices(firm, pages, asof)
    coming, possible = (
        coming_purchases(pages, by_id, prices, events, asof, with_possible=every) for every in (False, True)
    )
    yearly = tuple(in_year(one, pages, asof.year) for one in taxpayers)
    locks = wash_locks(state, coming, {one.taxpayer_id: one for one in yearly}, np.asarray(as_day(asof)))
    return HouseholdView(
        asof=asof,
        household=household,
        accounts=accounts,
        taxpayers=yearly,
        pages=pages,
        state=state,
        coming=coming,
        possible=possible,
        locks=locks,
        silent=_silent(locks, state, pages, by_id, asof),
        permanent=permanent_losses(state),
        discretion=periods(events),
        codes={one.security_id: one.code for one in market_tables.load_securities(firm)},
    )


def _silent(
    locks: WashLocks,
    state: BookState,
    pages: tuple[YearPage, ...],
    accounts: dict[int, Account],
    asof: date,
) -> Index:
    belongs = state.members.on(np.asarray(as_day(asof)))
    attested = [
        account
        for account in state.accounts.account_ids[belongs].tolist()
        if accounts[account].management is Management.ATTESTED
    ]
    count = silent_accounts(pages, attested, locks.security_id, asof)
    return np.where(locks.account_id == 0, count, 0).astype(np.int32)


def _prices(firm: FirmStore, pages: tuple[YearPage, ...], asof: date) -> dict[int, int]:
    """The last price of each security that a page tells dollars of."""
    wanted = {
        line.security_id
        for page in pages
        for line in page.lines
        if line.what.is_purchase and not line.quantity_nano
    }
    if not wanted:
        return {}
    ids = np.array(sorted(wanted), np.int64)
    history = market_tables.load_prices(firm, asof - timedelta(_PRICE_DAYS), asof, ids)
    return {
        security: int(column[column > 0][-1])
        for security, column in zip(history.security_ids.tolist(), history.close_micros.T, strict=True)
        if (column > 0).any()
    }
