"""What leaves an account in kind: planned on its books, booked when it has left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind
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
from allotment.rebalance.in_kind import (
    Holding,
    InKindPlan,
    Leaving,
    Place,
    booked,
    donate,
    give,
    transfer_out,
)
from allotment.store import market_tables
from allotment.store.session import FirmStore
from allotment.units import Bools, Ints

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class InKindQuestion:
    """What should leave, as a person asks for it, by codes."""

    how: Leaving  # TRANSFER, DONATION or GIFT
    account: str
    securities: tuple[str, ...] = ()  # of a transfer; () for all
    value_cents_max: int = 0  # of a donation or a gift
    asof: date | None = None  # the day on which it leaves; default: the last session with prices
    proceeds_cents: Mapping[str, int] = field(default_factory=dict)  # what sales of residues brought
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInKind:
    """A plan that can be booked, and on which books it was made."""

    how: Leaving
    account: Account
    day: date
    plan: InKindPlan
    place: Place
    proceeds_cents: dict[int, int]  # by security
    security_codes: dict[int, str]
    unpriced: tuple[str, ...]  # securities of the plan whose price nobody gave
    reason: str
    read_at: int

    @property
    def waiting(self) -> tuple[str, ...]:
        """Securities whose residue is to be sold and whose proceeds are not told yet."""
        sold = {lot.security_id for lot in self.plan.of(Leaving.SALE)}
        return tuple(self.security_codes[one] for one in sorted(sold - self.proceeds_cents.keys()))


def plan_in_kind(firm: FirmStore, question: InKindQuestion) -> PlannedInKind:
    """Which lots would leave; nothing is written.

    Raises UsageError for unknown names, for proceeds of what is not sold, and for a donation or a gift
    from a retirement account; DataError for an amount that is not positive.
    """
    day = question.asof or latest_session(firm, None)
    books = read_account(firm, question.account, day)
    account = books.around.account
    if question.how is not Leaving.TRANSFER:
        _refuse_retirement(account, question.how)
    prices = lot_prices(firm, books, day)
    plan = _planned(firm, books, prices, question, day)
    unpriced = set(books.lots.security_id[prices == 0].tolist())
    codes = {one.security_id: one.code for one in market_tables.load_securities(firm)}
    return PlannedInKind(
        how=question.how,
        account=account,
        day=day,
        plan=plan,
        place=Place(
            household_id=account.household_id,
            account_id=account.account_id,
            sleeve_ids=tuple(sleeve.sleeve_id for sleeve in books.sleeves),
            day=day,
            day_seq=books.next_of_the_day(day),
        ),
        proceeds_cents=_brought(firm, question, plan, day),
        security_codes=codes,
        unpriced=tuple(codes[one] for one in sorted({lot.security_id for lot in plan.lots} & unpriced)),
        reason=question.reason,
        read_at=books.version,
    )


def book_in_kind(firm: FirmStore, planned: PlannedInKind, advance: Advance) -> Posted:
    """Book what has left, and the sales whose proceeds are told.

    Raises StaleBooksError when the books have moved on since the plan, DataError when there is nothing
    to book.
    """
    events = booked(planned.plan, planned.place, planned.proceeds_cents)
    if not len(events):
        raise DataError("there is nothing to book: no whole share leaves, and no sale was told.")
    digest = hashlib.sha256(f"{planned.read_at} {planned.plan} {planned.place}".encode()).hexdigest()
    why = f": {planned.reason}" if planned.reason else ""
    return post(
        firm,
        events,
        source=f"{planned.how.value} in kind {digest}{why}",
        advance=advance,
        read_at={planned.account.household_id: planned.read_at},
    )


def _planned(
    firm: FirmStore, books: AccountBooks, prices: Ints, question: InKindQuestion, day: date
) -> InKindPlan:
    carried = [one.security_id for one in market_tables.load_securities(firm) if one.is_carried]
    is_traded = ~np.isin(books.lots.security_id, carried)
    if question.how is Leaving.TRANSFER:
        holding = Holding(lots=books.lots, price_micros=prices, is_traded=is_traded)
        wanted = [_held(firm, books, name, day) for name in question.securities] or None
        return transfer_out(holding, day, relief_order(firm, books, prices, day), wanted)
    free = ~_kept(books)
    holding = Holding(lots=books.lots.take(free), price_micros=prices[free], is_traded=is_traded[free])
    if question.how is Leaving.DONATION:
        return donate(holding, day, question.value_cents_max)
    return give(holding, day, question.value_cents_max)


def _kept(books: AccountBooks) -> Bools:
    """True for each lot that the client keeps, by the mandate in force."""
    lots, own = books.lots, books.around.account.account_id
    kept = np.zeros(len(lots), np.bool_)
    for mandate in books.around.mandates:
        for event, line in mandate.kept_lots if mandate.account_id == own else ():
            kept |= (lots.origin_event == event) & (lots.origin_line == line)
    return kept


def _held(firm: FirmStore, books: AccountBooks, name: str, day: date) -> int:
    security = find_security(firm, name, day)
    if security not in books.lots.security_id:
        raise UsageError(f"account {books.around.account.code} holds no {name} on {day}.")
    return security


def _brought(firm: FirmStore, question: InKindQuestion, plan: InKindPlan, day: date) -> dict[int, int]:
    """What the plan's sales brought, by security."""
    sold = {lot.security_id for lot in plan.of(Leaving.SALE)}
    found = {}
    for name, cents in question.proceeds_cents.items():
        security = find_security(firm, name, day)
        if security not in sold:
            raise UsageError(f"no fraction of {name} is sold by this plan; leave its proceeds out.")
        found[security] = cents
    return found


def _refuse_retirement(account: Account, how: Leaving) -> None:
    if account.kind is not AccountKind.TAXABLE:
        raise UsageError(
            f"account {account.code} is a retirement account: shares that leave it for anybody are a "
            f"distribution, taxed at their value, before they are a {how.value}. Choose a taxable account."
        )
