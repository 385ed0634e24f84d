"""The sleeves of an account as they stand, and swaps between them: planned, then booked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.book.household import Account, Sleeve
from allotment.book.lots import Lots
from allotment.errors import DataError, UsageError
from allotment.jobs.account_books import (
    AccountBooks,
    find_security,
    lot_prices,
    read_account,
    relief_order,
)
from allotment.jobs.market_day import latest_session
from allotment.jobs.posting import Posted, post
from allotment.ledger.events import EventKind
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
from allotment.ledger.write import UNBOOKED, EventWriter
from allotment.store import event_tables, market_tables, sleeve_tables
from allotment.store.session import FirmStore
from allotment.units import CENTS_PER_USD, Ints, format_scaled, value_cents

Advance = Callable[[str, int, int], None]


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


def account_sleeves(firm: FirmStore, code: str, asof: date | None = None) -> AccountSleeves:
    """The account's sleeves on a day (default: the last session with prices). Raises UsageError for an
    unknown account."""
    day = asof or latest_session(firm, None)
    read = read_account(firm, code, day)
    price, account = lot_prices(firm, read, day), read.around.account
    states = []
    for at, sleeve in enumerate(read.sleeves):
        rows = np.flatnonzero(read.lots.sleeve_ix == at)
        lots = read.lots.take(rows)
        states.append(
            SleeveState(
                sleeve=sleeve,
                lots=lots,
                value_cents=lots.side * value_cents(lots.quantity_nano, price[rows]),
                cash_cents=read.cash_cents(at),
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
    Raises UsageError for unknown names, DataError when there is no price, too few shares, or too little cash
    in the sleeve that buys.
    """
    day = question.asof or latest_session(firm, None)
    read = read_account(firm, question.account, day)
    security = find_security(firm, question.security, day)
    seller = _place(read.sleeves, question.seller)
    price = _swap_price(firm, question, security, day)
    request = SwapRequest(
        day=day,
        security_id=security,
        quantity_nano=question.quantity_nano,
        price=price,
        order=_order(firm, read, security, price, day),
        day_seq=read.next_of_the_day(day),
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
        swap = cross(account, seller, buyer, request, read.cash_cents(buyer))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CashQuestion:
    """Cash that one sleeve passes to another, by codes."""

    account: str
    giver: str
    taker: str
    amount_cents: int
    asof: date | None = None  # default: the last session with prices
    reason: str = ""


def move_cash(firm: FirmStore, question: CashQuestion, advance: Advance) -> Posted:
    """Book cash from one sleeve to another of the account: nothing is bought, nothing is taxed.

    Raises UsageError for unknown names, DataError when the giver has too little.
    """
    day = question.asof or latest_session(firm, None)
    read = read_account(firm, question.account, day)
    giver, taker = _place(read.sleeves, question.giver), _place(read.sleeves, question.taker)
    if giver == taker:
        raise UsageError("a sleeve cannot pay itself; name two sleeves.")
    has = read.cash_cents(giver)
    if question.amount_cents > has:
        raise DataError(
            f"sleeve {question.giver} has {format_scaled(has, CENTS_PER_USD)} in cash; it cannot pass on "
            f"{format_scaled(question.amount_cents, CENTS_PER_USD)}."
        )
    account = read.around.account
    writer = EventWriter(first_seq=UNBOOKED)
    writer.write(
        EventKind.SLEEVE_CASH,
        account.household_id,
        account.account_id,
        day,
        amount_cents=question.amount_cents,
        sleeve_id=read.sleeves[giver].sleeve_id,
        other_account_id=read.sleeves[taker].sleeve_id,
        day_seq=read.next_of_the_day(day),
    )
    digest = hashlib.sha256(f"{read.version} {question}".encode()).hexdigest()
    why = f": {question.reason}" if question.reason else ""
    read_at = {account.household_id: read.version}
    return post(firm, writer.events(), source=f"sleeve cash {digest}{why}", advance=advance, read_at=read_at)


def _swap_price(firm: FirmStore, question: SwapQuestion, security: int, day: date) -> SwapPrice:
    """The block's average, else the close of that very day."""
    closes = market_tables.load_prices(firm, day, day, np.array([security])).close_micros
    return swap_price(question.block_micros, int(closes[0, 0]) if len(closes) else 0)


def _order(firm: FirmStore, read: AccountBooks, security: int, price: SwapPrice, day: date) -> Ints:
    """The account's lots of the security as a sale should close them, the best first."""
    order = relief_order(firm, read, np.full(len(read.lots), price.price_micros), day)
    chosen: Ints = order[read.lots.security_id[order] == security]
    return chosen


def _place(sleeves: tuple[Sleeve, ...], code: str) -> int:
    codes = [sleeve.code for sleeve in sleeves]
    if code not in codes:
        raise UsageError(f"the account has no sleeve {code!r}; its sleeves are {', '.join(codes)}.")
    return codes.index(code)
