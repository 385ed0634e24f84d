"""The sleeves of an account as they stand, and swaps between them: planned, then booked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.book.household import Account, Sleeve
from allotment.book.lots import Lots
from allotment.book.venue import Venue
from allotment.errors import DataError, UsageError
from allotment.feeds.references import SecurityLookup, did_you_mean
from allotment.jobs.market_day import latest_session
from allotment.jobs.posting import Books, Posted, post
from allotment.ledger.corrections import in_force
from allotment.ledger.events import EventKind, Events
from allotment.ledger.fold import BookState
from allotment.ledger.lot_choice import least_tax_first
from allotment.ledger.swap import (
    PlannedSwap,
    SleevedAccount,
    SwapKind,
    SwapPrice,
    SwapRequest,
    cross,
    substitute,
    swap_price,
)
from allotment.rebalance.lot_rules import chooses_lots, closing_order
from allotment.store import arrival_tables, book_tables, event_tables, market_tables, sleeve_tables
from allotment.store.session import FirmStore
from allotment.tax.holding_period import is_long_term
from allotment.units import Ints, as_day, value_cents

Advance = Callable[[str, int, int], None]
_PRICE_DAYS = 14  # how old an official close may be


@dataclass(frozen=True, slots=True, kw_only=True)
class SleeveState:
    """One sleeve: its lots in the taxpayer's view with their values, and its cash."""

    sleeve: Sleeve
    lots: Lots
    value_cents: Ints  # (n_lots,)
    cash_cents: int

    @property
    def total_cents(self) -> int:
        """Lots and cash."""
        return int(self.value_cents.sum()) + self.cash_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSleeves:
    """An account by its sleeves; together they are the account."""

    account: Account
    asof: date
    sleeves: tuple[SleeveState, ...]
    security_codes: dict[int, str]
    unpriced: tuple[str, ...]  # securities that count nothing: nobody gave a price


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapQuestion:
    """A swap as a person asks for it, by codes."""

    kind: SwapKind
    account: str
    seller: str
    buyer: str = ""  # of a crossing
    security: str
    quantity_nano: int
    asof: date | None = None  # default: the last session with prices
    block_micros: int = 0  # average price of the block that traded it that day; 0: the official close
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A swap that can be booked, and on which books it was planned."""

    account: Account
    day: date
    security: str
    swap: PlannedSwap
    read_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """An account with its books up to a day."""

    around: book_tables.Around
    events: Events  # of the household, in force until the day
    state: BookState
    lots: Lots
    version: int

    @property
    def sleeves(self) -> tuple[Sleeve, ...]:
        """The account's own, in order."""
        own = self.around.account.account_id
        return tuple(sleeve for sleeve in self.around.sleeves if sleeve.account_id == own)


def account_sleeves(firm: FirmStore, code: str, asof: date | None = None) -> AccountSleeves:
    """The account's sleeves on a day (default: the last session with prices). Raises UsageError for an
    unknown account."""
    day = asof or latest_session(firm, None)
    read = _read(firm, code, day)
    price, account = _prices(firm, read, day), read.around.account
    cash, row = read.state.cash, _row(read)
    states = []
    for at, sleeve in enumerate(read.sleeves):
        rows = np.flatnonzero(read.lots.sleeve_ix == at)
        lots = read.lots.take(rows)
        mine = (cash.account_ix == row) & (cash.sleeve_ix == at)
        states.append(
            SleeveState(
                sleeve=sleeve,
                lots=lots,
                value_cents=lots.side * value_cents(lots.quantity_nano, price[rows]),
                cash_cents=int(cash.balance_cents[mine].sum()),
            )
        )
    codes = {one.security_id: one.code for one in market_tables.load_securities(firm)}
    unpriced = np.unique(read.lots.security_id[price == 0]).tolist()
    return AccountSleeves(
        account=account,
        asof=day,
        sleeves=tuple(states),
        security_codes=codes,
        unpriced=tuple(codes[one] for one in unpriced),
    )


def plan_swap(firm: FirmStore, question: SwapQuestion) -> Proposed:
    """What a swap would do; nothing is written.

    The order in which lots go is that of the account's venue; where orders name lots, that of the tax.
    Raises UsageError for unknown names, DataError when there is no price or too few shares.
    """
    day = question.asof or latest_session(firm, None)
    read = _read(firm, question.account, day)
    security = _security(firm, question.security, day)
    seller = _place(read.sleeves, question.seller)
    price = _swap_price(firm, question, security, day)
    request = SwapRequest(
        day=day,
        security_id=security,
        quantity_nano=question.quantity_nano,
        price=price,
        order=_order(firm, read, security, price, day),
        day_seq=_next_of_the_day(read.events, day),
        reason=question.reason,
    )
    account = SleevedAccount(
        household_id=read.around.account.household_id,
        account_id=read.around.account.account_id,
        sleeves=read.sleeves,
        lots=read.lots,
    )
    if question.kind is SwapKind.CROSSING:
        buyer = _place(read.sleeves, question.buyer)
        if buyer == seller:
            raise UsageError("a sleeve cannot buy from itself; name another buyer.")
        swap = cross(account, seller, buyer, request)
    else:
        swap = substitute(account, seller, request)
    return Proposed(
        account=read.around.account, day=day, security=question.security, swap=swap, read_at=read.version
    )


def book_swap(firm: FirmStore, proposed: Proposed, advance: Advance) -> Posted:
    """Book a planned swap with its record. Raises StaleBooksError when the books have moved on."""
    events = proposed.swap.events
    digest = hashlib.sha256(f"{proposed.read_at} {proposed.swap.legs}".encode()).hexdigest()
    source, household = f"swap {digest}", proposed.account.household_id
    with firm.transaction():
        posted = post(firm, events, source=source, advance=advance, read_at={household: proposed.read_at})
        booked = sorted(event_tables.sequences_of(firm, source).values())  # in the order of the events
        paid = np.flatnonzero(events.kind == EventKind.SLEEVE_CASH)
        sleeve_tables.save_swaps(firm, proposed.swap.legs, [booked[row] for row in paid.tolist()])
    return posted


def _read(firm: FirmStore, code: str, day: date) -> _Read:
    around = book_tables.load_around(firm, code, day)
    household = around.account.household_id
    version = book_tables.household_version(firm, household)
    events = in_force(event_tables.load_events(firm, [household])).until(day)
    state = Books(firm).fold_events(events, [household])
    if state.problems:
        raise DataError(f"the books of account {code} do not add up: {state.problems[0]}")
    row = int(np.searchsorted(state.accounts.account_ids, around.account.account_id))
    lots = state.taxpayer.lots
    return _Read(
        around=around,
        events=events,
        state=state,
        lots=lots.take(np.flatnonzero(lots.account_ix == row)),
        version=version,
    )


def _row(read: _Read) -> int:
    return int(np.searchsorted(read.state.accounts.account_ids, read.around.account.account_id))


def _prices(firm: FirmStore, read: _Read, day: date) -> Ints:
    """Price of each lot's security: the custodian's where it is carried, else the last close; 0 if none."""
    ids = np.unique(read.lots.security_id)
    account = read.around.account.account_id
    known = dict(zip(ids.tolist(), _closes(firm, ids, day).tolist(), strict=True))
    known |= {
        security: micros
        for (_, security), micros in arrival_tables.carried_micros(firm, day, [account]).items()
    }
    return np.array([known[security] for security in read.lots.security_id.tolist()], np.int64)


def _closes(firm: FirmStore, security_ids: Ints, day: date) -> Ints:
    """The last close of each security on or before the day, 0 where there is none."""
    prices = market_tables.load_prices(firm, day - timedelta(days=_PRICE_DAYS), day, security_ids)
    found = np.zeros(len(security_ids), np.int64)
    for closes in prices.close_micros:
        found = np.where(closes > 0, closes, found)
    return found


def _swap_price(firm: FirmStore, question: SwapQuestion, security: int, day: date) -> SwapPrice:
    """The block's average, else the close of that very day."""
    closes = market_tables.load_prices(firm, day, day, np.array([security])).close_micros
    return swap_price(question.block_micros, int(closes[0, 0]) if len(closes) else 0)


def _order(firm: FirmStore, read: _Read, security: int, price: SwapPrice, day: date) -> Ints:
    """The account's lots of the security as a sale should close them, the best first."""
    rows = np.flatnonzero(read.lots.security_id == security)
    lots, account = read.lots.take(rows), read.around.account
    venue = book_tables.load_venues(firm).get(account.venue_code, Venue(code=account.venue_code))
    micros = np.full(len(rows), price.price_micros)
    asof = np.full(len(rows), as_day(day))
    if not chooses_lots(venue):
        per_nano = value_cents(lots.quantity_nano, micros) / np.maximum(lots.quantity_nano, 1)
        return rows[closing_order(lots, per_nano, is_long_term(lots.holding_from, asof), venue)]
    owner = next(one for one in read.around.taxpayers if one.taxpayer_id == account.taxpayer_id)
    return rows[least_tax_first(lots, micros, asof, short_rate=owner.short_rate, long_rate=owner.long_rate)]


def _next_of_the_day(events: Events, day: date) -> int:
    """A place after everything that the household has booked of the day."""
    of_day = events.day_seq[events.effective == as_day(day)]
    return int(of_day.max(initial=-1)) + 1


def _security(firm: FirmStore, name: str, day: date) -> int:
    lookup = SecurityLookup(market_tables.load_securities(firm), market_tables.load_identifiers(firm))
    found = lookup.find(name, day)
    if not found:
        raise UsageError(f"there is no security {name!r}{did_you_mean(name, lookup.codes)}.")
    return found


def _place(sleeves: tuple[Sleeve, ...], code: str) -> int:
    codes = [sleeve.code for sleeve in sleeves]
    if code not in codes:
        raise UsageError(f"the account has no sleeve {code!r}; its sleeves are {', '.join(codes)}.")
    return codes.index(code)
