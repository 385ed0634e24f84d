"""What the custodian says an action brought, beside what it should have brought.

Nothing is booked silently. Cash and shares that agree are booked by the announced terms. Cash
that differs by rounding is booked as it came, so that the account's cash is the custodian's, and
cash in lieu of a fraction is booked at the price that was paid. Everything else is a difference
with a remedy; the action is booked by its announced terms, for those are what the law works on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum, StrEnum

from allotment.ledger.action_plan import CENTS_DIVISOR, ActionPlan, PlannedEvent
from allotment.ledger.events import EventKind
from allotment.market.corporate_action import ActionKind
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, format_scaled, mul_div

_DIVIDENDS = (ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND)
_CASH_EVENTS = (EventKind.DIVIDEND, EventKind.RETURN_OF_CAPITAL, EventKind.TAXABLE_MERGER, EventKind.SELL)
_CASH_BY_LOT = (EventKind.CASH_MERGER, EventKind.MIXED_MERGER, EventKind.RETURN_OF_CAPITAL)


_Differ = Callable[["Item", object, object, "Severity", str], None]


class Severity(IntEnum):
    """How much a difference matters."""

    NOTE = 0  # booked as it came; kept for the record
    LOOK = 1  # booked, but a person should say which side is right
    STOP = 2  # not booked, or lots and cash are not the custodian's: do not trade on it


class Item(StrEnum):
    """What differs."""

    SHARES = "shares"
    CASH = "cash"
    LIEU = "cash in lieu"
    SECURITY = "security received"
    PAY_DATE = "pay date"
    OPTION = "option"
    MISSING = "nothing came"  # though we expected something
    UNEXPECTED = "not expected"  # it came for an action, or a holding, that we do not know
    OBSTACLE = "cannot be booked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """One row of a custodian's file. Shares as in `ActionPlan.shares_nano`."""

    account_id: int
    security_id: int
    ex_date: date
    kind: ActionKind
    option: str = ""
    other_security_id: int = 0
    shares_nano: int = 0
    cash_cents: int = 0
    lieu_cents: int = 0
    pay_date: date | None = None
    line: int = 0  # of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What we expected, what came, and what to do."""

    account_id: int
    security_id: int
    ex_date: date
    kind: ActionKind
    item: Item
    expected: str
    came: str
    severity: Severity
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePolicy:
    """What still counts as rounding, in an account and action."""

    cash_cents_max: int = 5
    shares_nano_max: int = 1_000_000  # a thousandth of a share: some custodians send three decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A plan put in terms of what came, and the differences that remain."""

    plan: ActionPlan
    differences: tuple[Difference, ...]

    @property
    def may_be_booked(self) -> bool:
        """False when the plan has an obstacle, nothing came, or something else than was planned."""
        return bool(self.plan.events) and not any(
            one.item in (Item.OBSTACLE, Item.OPTION, Item.SECURITY, Item.MISSING) for one in self.differences
        )


def compare(made: ActionPlan, came: Entitlement, policy: ComparePolicy | None = None) -> Compared:
    """Judge one row of the file against the plan of the same account and action."""
    policy = policy or ComparePolicy()
    raised: list[Difference] = []

    def differ(item: Item, expected: object, got: object, severity: Severity, remedy: str) -> None:
        raised.append(
            Difference(
                account_id=came.account_id,
                security_id=came.security_id,
                ex_date=came.ex_date,
                kind=came.kind,
                item=item,
                expected=str(expected),
                came=str(got),
                severity=severity,
                remedy=remedy,
            )
        )

    action = made.action
    if made.obstacle:
        differ(Item.OBSTACLE, made.obstacle, _received(came), Severity.STOP, "mend it and post again")
    if came.option != action.option:
        remedy = "ask the custodian which option it carried out, and elect it here"
        differ(Item.OPTION, action.option or "none", came.option or "none", Severity.STOP, remedy)
    if came.other_security_id not in (0, action.security_id, action.other_security_id or 0):
        remedy = "correct `other` in the file of corporate actions, or the custodian's security"
        differ(
            Item.SECURITY, action.other_security_id or "none", came.other_security_id, Severity.STOP, remedy
        )
    if action.pay_date and came.pay_date and came.pay_date != action.pay_date:
        differ(Item.PAY_DATE, action.pay_date, came.pay_date, Severity.NOTE, "booked as it came")
    if not (came.shares_nano or came.cash_cents or came.lieu_cents) and _brings_something(made):
        expected = _wanted(made)
        differ(Item.MISSING, expected, "zeros", Severity.LOOK, "ask the custodian when it will come")
        return Compared(plan=made, differences=tuple(raised))
    _compare_shares(made, came, policy, differ)
    _compare_cash(made, came, policy, differ)
    _compare_lieu(made, came, differ)
    return Compared(plan=_as_it_came(made, came, policy), differences=tuple(raised))


def nothing_came(made: ActionPlan) -> Difference:
    """The difference of an account that should stand in the custodian's file and does not."""
    return Difference(
        account_id=made.account_id,
        security_id=made.action.security_id,
        ex_date=made.action.ex_date,
        kind=made.action.kind,
        item=Item.MISSING,
        expected=_wanted(made),
        came="no row",
        severity=Severity.LOOK,
        remedy="ask the custodian, or reconcile the account's lots: it may not have held the shares",
    )


def not_expected(came: Entitlement, why: str, remedy: str) -> Difference:
    """The difference of a row that no plan stands for."""
    return Difference(
        account_id=came.account_id,
        security_id=came.security_id,
        ex_date=came.ex_date,
        kind=came.kind,
        item=Item.UNEXPECTED,
        expected=why,
        came=_received(came),
        severity=Severity.STOP,
        remedy=remedy,
    )


def _compare_shares(made: ActionPlan, came: Entitlement, policy: ComparePolicy, differ: _Differ) -> None:
    off = came.shares_nano - made.shares_nano
    if made.obstacle or off == 0:
        return
    expected = format_scaled(made.shares_nano, NANO_PER_SHARE)
    got = format_scaled(came.shares_nano, NANO_PER_SHARE)
    if abs(off) <= policy.shares_nano_max:
        differ(Item.SHARES, expected, got, Severity.NOTE, "rounding; booked by the announced ratio")
    elif came.lieu_cents and not made.lieu_cents and 0 < -off < NANO_PER_SHARE:
        return  # the fraction was paid out: told with the cash in lieu
    elif abs(off) < NANO_PER_SHARE:
        remedy = "the custodian treats the fraction otherwise: correct `lieu`, or the venue's share step"
        differ(Item.SHARES, expected, got, Severity.LOOK, remedy)
    else:
        remedy = "reconcile the lots held before the ex-date; else correct the ratio and post again"
        differ(Item.SHARES, expected, got, Severity.STOP, remedy)


def _compare_cash(made: ActionPlan, came: Entitlement, policy: ComparePolicy, differ: _Differ) -> None:
    off = came.cash_cents - max(made.cash_cents, 0)
    if made.obstacle or off == 0:
        return
    expected, got = f"${_usd(max(made.cash_cents, 0))}", f"${_usd(came.cash_cents)}"
    if abs(off) <= policy.cash_cents_max:
        differ(Item.CASH, expected, got, Severity.NOTE, "rounding; booked as it came")
    elif made.action.kind in _DIVIDENDS:
        remedy = "booked as it came; reconcile the lots held before the ex-date, or correct the amount"
        differ(Item.CASH, expected, got, Severity.LOOK, remedy)
    else:
        remedy = "reconcile the lots held before the ex-date, or correct the amount per share and post again"
        differ(Item.CASH, expected, got, Severity.STOP, remedy)


def _compare_lieu(made: ActionPlan, came: Entitlement, differ: _Differ) -> None:
    if made.obstacle or came.lieu_cents == made.lieu_cents:
        return
    expected, got = f"${_usd(made.lieu_cents)}", f"${_usd(came.lieu_cents)}"
    if came.lieu_cents and _fraction(made, came):
        stated = bool(made.action.lieu_usd)
        remedy = "booked at the price that was paid"
        differ(Item.LIEU, expected, got, Severity.LOOK if stated else Severity.NOTE, remedy)
    else:
        remedy = "ask whether the fraction was kept, rounded or paid out; correct `lieu` and post again"
        differ(Item.LIEU, expected, got, Severity.LOOK, remedy)


def _fraction(made: ActionPlan, came: Entitlement) -> int:
    """The fraction of a share that was paid out, in billionths; 0 when there was none."""
    if made.fraction_nano:
        return made.fraction_nano
    after = made.shares_nano + (made.held_nano if made.action.kind is ActionKind.SPLIT else 0)
    return after % NANO_PER_SHARE if came.lieu_cents else 0


def _as_it_came(made: ActionPlan, came: Entitlement, policy: ComparePolicy) -> ActionPlan:
    events: list[PlannedEvent] = list(made.events)
    if came.pay_date:
        events = [replace(event, settles=came.pay_date) if event.settles else event for event in events]
    if came.lieu_cents and (fraction := _fraction(made, came)):
        # A price per share fine enough that the fraction times it is the cash, to the cent.
        lieu = mul_div(came.lieu_cents, CENTS_DIVISOR, fraction)
        events = [
            replace(event, terms=event.terms | {"lieu_nano": lieu}) if event.terms else event
            for event in events
        ]
    off = abs(came.cash_cents - made.cash_cents)
    as_it_came = off <= policy.cash_cents_max or made.action.kind in _DIVIDENDS
    if off and as_it_came and came.cash_cents > 0:
        events = _with_cash(events, came.cash_cents, made)
    return replace(made, events=tuple(events))


def _with_cash(events: Sequence[PlannedEvent], cash_cents: int, made: ActionPlan) -> list[PlannedEvent]:
    """The events with the cash that came, which differs from the plan's by rounding alone."""
    out, left = [], cash_cents
    for at, event in enumerate(events):
        if event.kind in _CASH_EVENTS:
            amount = left if at == len(events) - 1 else min(event.amount_cents, left)
            left -= amount
            event = replace(event, amount_cents=amount)
        if event.kind in _CASH_BY_LOT and event.terms:
            per_share = mul_div(cash_cents, CENTS_DIVISOR, made.held_nano)
            event = replace(event, terms=event.terms | {"cash_nano": per_share})
        out.append(event)
    return out


def _brings_something(made: ActionPlan) -> bool:
    return bool(made.shares_nano or made.cash_cents > 0 or made.lieu_cents) and not made.obstacle


def _wanted(made: ActionPlan) -> str:
    return f"{format_scaled(made.shares_nano, NANO_PER_SHARE)} shares, ${_usd(made.cash_cents)}"


def _received(came: Entitlement) -> str:
    shares = format_scaled(came.shares_nano, NANO_PER_SHARE)
    return f"{shares} shares, ${_usd(came.cash_cents + came.lieu_cents)}"


def _usd(cents: int) -> str:
    return format_scaled(cents, CENTS_PER_USD)
