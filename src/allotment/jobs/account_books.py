"""One account as its household's books show it on a day: what swaps and plans in kind start from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.book.household import Sleeve, Taxpayer
from allotment.book.lots import Lots
from allotment.book.venue import Venue
from allotment.errors import DataError, UsageError
from allotment.feeds.references import SecurityLookup, did_you_mean
from allotment.jobs.posting import Books
from allotment.ledger.corrections import in_force
from allotment.ledger.events import Events
from allotment.ledger.fold import BookState
from allotment.ledger.lot_choice import least_tax_first
from allotment.rebalance.lot_rules import chooses_lots, closing_order
from allotment.store import arrival_tables, book_tables, event_tables, market_tables
from allotment.store.session import FirmStore
from allotment.tax.holding_period import is_long_term
from allotment.units import Ints, as_day, value_cents

_PRICE_DAYS = 14  # how old an official close may be


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBooks:
    """An account with its household's books up to a day."""

    around: book_tables.Around
    events: Events  # of the household, in force until the day
    state: BookState
    lots: Lots  # the account's, in the taxpayer's view
    version: int  # that the household stood on when it was read

    @property
    def sleeves(self) -> tuple[Sleeve, ...]:
        """The account's own, in order."""
        own = self.around.account.account_id
        return tuple(sleeve for sleeve in self.around.sleeves if sleeve.account_id == own)

    @property
    def owner(self) -> Taxpayer:
        """Whose account it is."""
        owner = self.around.account.taxpayer_id
        return next(one for one in self.around.taxpayers if one.taxpayer_id == owner)

    def cash_cents(self, sleeve_ix: int) -> int:
        """Cash of one of the account's sleeves, by trade date."""
        cash = self.state.cash
        row = np.searchsorted(self.state.accounts.account_ids, self.around.account.account_id)
        mine = (cash.account_ix == row) & (cash.sleeve_ix == sleeve_ix)
        return int(cash.balance_cents[mine].sum())

    def next_of_the_day(self, day: date) -> int:
        """A place after everything that the household has booked of the day."""
        of_day = self.events.day_seq[self.events.effective == as_day(day)]
        return int(of_day.max(initial=-1)) + 1


def read_account(firm: FirmStore, code: str, day: date) -> AccountBooks:
    """The account of a code on a day.

    Raises UsageError when there is none, DataError when its books do not add up.
    """
    around = book_tables.load_around(firm, code, day)
    household = around.account.household_id
    version = book_tables.household_version(firm, household)
    events = in_force(event_tables.load_events(firm, [household])).until(day)
    state = Books(firm).fold_events(events, [household])
    if state.problems:
        raise DataError(f"the books of account {code} do not add up: {state.problems[0]}")
    row = int(np.searchsorted(state.accounts.account_ids, around.account.account_id))
    lots = state.taxpayer.lots
    return AccountBooks(
        around=around,
        events=events,
        state=state,
        lots=lots.take(np.flatnonzero(lots.account_ix == row)),
        version=version,
    )


def lot_prices(firm: FirmStore, books: AccountBooks, day: date) -> Ints:
    """Price of each lot's security: the custodian's where it is carried, else the last close; 0 if none."""
    ids = np.unique(books.lots.security_id)
    account = books.around.account.account_id
    known = dict(zip(ids.tolist(), _closes(firm, ids, day).tolist(), strict=True))
    known |= {
        security: micros
        for (_, security), micros in arrival_tables.carried_micros(firm, day, [account]).items()
    }
    return np.array([known[security] for security in books.lots.security_id.tolist()], np.int64)


def relief_order(firm: FirmStore, books: AccountBooks, price_micros: Ints, day: date) -> Ints:
    """Positions of the account's lots by security, each security's as a sale should close them.

    Where the account's orders name lots that is by the tax, else by its venue's own method.
    price_micros: of each lot's security, (n_lots,).
    """
    lots, account = books.lots, books.around.account
    venue = book_tables.load_venues(firm).get(account.venue_code, Venue(code=account.venue_code))
    asof = np.full(len(lots), as_day(day))
    if chooses_lots(venue):
        rates = {"short_rate": books.owner.short_rate, "long_rate": books.owner.long_rate}
        return least_tax_first(lots, price_micros, asof, **rates)
    per_nano = value_cents(lots.quantity_nano, price_micros) / np.maximum(lots.quantity_nano, 1)
    return closing_order(lots, per_nano, is_long_term(lots.holding_from, asof), venue)


def find_security(firm: FirmStore, name: str, day: date) -> int:
    """The security of a code, or of an identifier on a day. Raises UsageError when there is none."""
    lookup = SecurityLookup(market_tables.load_securities(firm), market_tables.load_identifiers(firm))
    found = lookup.find(name, day)
    if not found:
        raise UsageError(f"there is no security {name!r}{did_you_mean(name, lookup.codes)}.")
    return found


def _closes(firm: FirmStore, security_ids: Ints, day: date) -> Ints:
    """The last close of each security on or before the day, 0 where there is none."""
    prices = market_tables.load_prices(firm, day - timedelta(days=_PRICE_DAYS), day, security_ids)
    found = np.zeros(len(security_ids), np.int64)
    for closes in prices.close_micros:
        found = np.where(closes > 0, closes, found)
    return found
