"""What an announced action will do to an account: the events that book it, before they are booked.

Who holds when the ex-day begins is entitled. An action stands before the trades of its day, cash
that is paid per old share before what changes the number of shares. Fractions are paid out where
the custodian holds whole shares only; elsewhere they are kept. What each event then does to lots
is the law's business (`tax`); the fold of the plan beside the books is the preview
(`ledger.preview`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from allotment.ledger.events import PROVISIONAL, EventKind, Events
from allotment.ledger.fold import BookState
from allotment.ledger.write import EventWriter
from allotment.market.corporate_action import ActionKind, CorporateAction, exact_ratio
from allotment.units import NANO_PER_SHARE, mul_div

CENTS_DIVISOR = 10**16  # billionths of a share × billionths of a dollar → cents
_FIRST_OF_DAY = -1000  # trades of the day count from 0

EVENT_KINDS: dict[ActionKind, EventKind] = {
    ActionKind.CASH_DIVIDEND: EventKind.DIVIDEND,
    ActionKind.SPECIAL_DIVIDEND: EventKind.DIVIDEND,
    ActionKind.STOCK_DIVIDEND: EventKind.REINVEST,
    ActionKind.RETURN_OF_CAPITAL: EventKind.RETURN_OF_CAPITAL,
    ActionKind.LIQUIDATION: EventKind.RETURN_OF_CAPITAL,
    ActionKind.RIGHTS: EventKind.RIGHTS,
    ActionKind.SPIN_OFF: EventKind.SPIN_OFF,
    ActionKind.TAXABLE_SPIN_OFF: EventKind.TAXABLE_SPIN_OFF,
    ActionKind.SPLIT: EventKind.SPLIT,
    ActionKind.EXERCISE: EventKind.EXERCISE_RIGHTS,
    ActionKind.TENDER: EventKind.SELL,
    ActionKind.SPLIT_OFF: EventKind.SPLIT_OFF,
    ActionKind.STOCK_MERGER: EventKind.STOCK_MERGER,
    ActionKind.MIXED_MERGER: EventKind.MIXED_MERGER,
    ActionKind.TAXABLE_MERGER: EventKind.TAXABLE_MERGER,
    ActionKind.CASH_MERGER: EventKind.CASH_MERGER,
    ActionKind.FINAL_LIQUIDATION: EventKind.CASH_MERGER,  # what is left of basis is gain or loss now
    ActionKind.CANCELLATION: EventKind.CASH_MERGER,  # for nothing: a loss of its own day
    ActionKind.WORTHLESS: EventKind.WORTHLESS,
    ActionKind.SYMBOL_CHANGE: EventKind.SYMBOL_CHANGE,
}
_ORDER = {kind: place for place, kind in enumerate(EVENT_KINDS)}
# Terms that the issuer, or the year's reclassification, may still change.
PROVISIONAL_KINDS = frozenset(
    {ActionKind.SPIN_OFF, ActionKind.RIGHTS, ActionKind.MIXED_MERGER, ActionKind.TAXABLE_MERGER}
    | {ActionKind.TAXABLE_SPIN_OFF, ActionKind.RETURN_OF_CAPITAL, ActionKind.LIQUIDATION}
)
_VALUED = PROVISIONAL_KINDS - {ActionKind.RETURN_OF_CAPITAL, ActionKind.LIQUIDATION}
_CHOSEN = frozenset({ActionKind.EXERCISE, ActionKind.TENDER, ActionKind.SPLIT_OFF})
_RECEIVING = frozenset(
    {ActionKind.SPIN_OFF, ActionKind.RIGHTS, ActionKind.TAXABLE_SPIN_OFF, ActionKind.SPLIT_OFF}
    | {ActionKind.STOCK_MERGER, ActionKind.MIXED_MERGER, ActionKind.TAXABLE_MERGER}
    | {ActionKind.SYMBOL_CHANGE, ActionKind.EXERCISE}
)
_PAYS_FRACTIONS = frozenset(
    {ActionKind.SPLIT, ActionKind.SPIN_OFF, ActionKind.RIGHTS, ActionKind.STOCK_MERGER}
    | {ActionKind.MIXED_MERGER}
)
_CASH_BY_TERMS = frozenset(
    {ActionKind.CASH_MERGER, ActionKind.FINAL_LIQUIDATION, ActionKind.MIXED_MERGER, ActionKind.TAXABLE_MERGER}
    | {ActionKind.RETURN_OF_CAPITAL, ActionKind.LIQUIDATION, ActionKind.CANCELLATION}
)
_DIVIDENDS = frozenset({ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Shares of a security in one account when a day begins."""

    household_id: int
    account_id: int
    security_id: int
    quantity_nano: int
    by_sleeve: tuple[tuple[int, int], ...] = ()  # (sleeve id, billionths), the largest first
    is_short: bool = False
    whole_shares: bool = False  # the custodian pays fractions out


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent:
    """One event that is to be booked for the account of a plan."""

    kind: EventKind
    security_id: int
    effective: date
    day_seq: int
    sleeve_id: int = 0
    quantity_nano: int = 0
    amount_cents: int = 0
    settles: date | None = None
    detail: int = 0
    terms: dict[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlan:
    """What one action, or the option in force, does to one account."""

    household_id: int
    account_id: int
    action: CorporateAction
    held_nano: int
    shares_nano: int = 0  # received; of a split the change of the account's shares
    fraction_nano: int = 0  # of a share, paid out in cash
    cash_cents: int = 0  # received, paid when negative; without cash in lieu
    lieu_cents: int = 0
    obstacle: str = ""  # why it cannot be booked as announced, with what to do
    events: tuple[PlannedEvent, ...] = field(default=(), repr=False)

    @property
    def is_provisional(self) -> bool:
        """True when basis waits for the issuer's final terms."""
        return any(event.detail == PROVISIONAL for event in self.events)


def holdings(
    state: BookState,
    security_ids: Iterable[int],
    sleeves: Sequence[tuple[int, int]] = (),
    whole_share_accounts: frozenset[int] = frozenset(),
) -> list[Held]:
    """Who holds the securities, by security and account; shorts stand for themselves.

    sleeves: (sleeve_id, account_id) in the order in which they stand inside their account.
    """
    inside: dict[int, list[int]] = {}
    for sleeve_id, account_id in sleeves:
        inside.setdefault(account_id, []).append(sleeve_id)
    lots = state.broker.lots
    lots = lots.take(np.isin(lots.security_id, np.array(sorted(set(security_ids)), np.int64)))
    columns = (lots.account_ix, lots.security_id, lots.side, lots.sleeve_ix, lots.quantity_nano)
    found: dict[tuple[int, int, int], dict[int, int]] = {}
    for account_ix, security_id, side, place, quantity in zip(*(c.tolist() for c in columns), strict=True):
        by_place = found.setdefault((security_id, account_ix, side), {})
        by_place[place] = by_place.get(place, 0) + quantity
    made = []
    for (security_id, account_ix, side), by_place in sorted(found.items()):
        account_id = int(state.accounts.account_ids[account_ix])
        ids = inside.get(account_id, [])
        by_sleeve = [(ids[place] if place < len(ids) else 0, part) for place, part in by_place.items()]
        made.append(
            Held(
                household_id=int(state.accounts.household_ids[account_ix]),
                account_id=account_id,
                security_id=security_id,
                quantity_nano=sum(by_place.values()),
                by_sleeve=tuple(sorted(by_sleeve, key=lambda one: (-one[1], one[0]))),
                is_short=side < 0,
                whole_shares=account_id in whole_share_accounts,
            )
        )
    return made


def plan(action: CorporateAction, held: Held, chosen_nano: int = 0) -> ActionPlan:
    """The events of an action in an account that holds its security.

    chosen_nano: shares that an election gives up (tender, split-off, exercise); 0: all that are held.
    """
    made = ActionPlan(
        household_id=held.household_id,
        account_id=held.account_id,
        action=action,
        held_nano=held.quantity_nano,
        obstacle=_obstacle(action, held, chosen_nano),
    )
    if made.obstacle or action.kind not in EVENT_KINDS:
        return made
    if action.kind is ActionKind.SYMBOL_CHANGE and not action.other_security_id:
        return made  # the security keeps its number; only its identifiers change
    if action.kind in _DIVIDENDS:
        return _dividend(made, held)
    if action.kind is ActionKind.STOCK_DIVIDEND:
        return _stock_dividend(made, held)
    return _by_terms(made, held, chosen_nano or held.quantity_nano)


def _obstacle(action: CorporateAction, held: Held, chosen_nano: int) -> str:
    kind = action.kind
    if held.is_short:
        return "the account is short of the shares; book what the custodian charges by hand"
    if kind in _RECEIVING and kind is not ActionKind.SYMBOL_CHANGE and not action.other_security_id:
        return "the security received is not named; state `other` in the file of corporate actions"
    if kind in (ActionKind.SPIN_OFF, ActionKind.RIGHTS) and not action.price_usd:
        return "the value of a share held is not known; state `price`, or load the ex-date's closes"
    if (
        kind in (ActionKind.SPIN_OFF, ActionKind.MIXED_MERGER, ActionKind.TAXABLE_MERGER)
        or kind in (ActionKind.TAXABLE_SPIN_OFF, ActionKind.STOCK_DIVIDEND)
    ) and not action.received_price_usd:
        return "the value of a share received is not known; state `other_price`, or load the ex-date's closes"
    if chosen_nano > held.quantity_nano:
        return "the election is for more shares than are held; change it"
    return ""


def place_in_day(action: CorporateAction) -> int:
    """Where an action stands among those of its day, before every trade."""
    return _FIRST_OF_DAY + _ORDER[action.kind]


def _event(made: ActionPlan, kind: EventKind, **facts: Any) -> PlannedEvent:
    action = made.action
    defaults: dict[str, Any] = {
        "security_id": action.security_id,
        "effective": action.ex_date,
        "day_seq": place_in_day(action),
        "settles": action.pay_date,
    }
    return PlannedEvent(kind=kind, **(defaults | facts))


def _dividend(made: ActionPlan, held: Held) -> ActionPlan:
    """Cash on every share, to the sleeves that hold them; the residue stays with the last."""
    total = mul_div(held.quantity_nano, nano_of(made.action.amount_usd), CENTS_DIVISOR)
    events, cash, shares = [], total, held.quantity_nano
    for sleeve_id, part in held.by_sleeve or ((0, held.quantity_nano),):
        amount = mul_div(cash, part, shares)
        cash, shares = cash - amount, shares - part
        if amount:
            events.append(_event(made, EventKind.DIVIDEND, sleeve_id=sleeve_id, amount_cents=amount))
    return replace(made, cash_cents=total, events=tuple(events))


def _stock_dividend(made: ActionPlan, held: Held) -> ActionPlan:
    """§305(b)(1): a dividend at market value that buys the shares, on the day of payment."""
    action = made.action
    received = _parts(action, held.quantity_nano)
    if held.whole_shares:
        received -= received % NANO_PER_SHARE
    value = mul_div(received, nano_of(action.received_price_usd), CENTS_DIVISOR)
    day = action.pay_date or action.ex_date
    sleeve_id = held.by_sleeve[0][0] if held.by_sleeve else 0
    shared = {"effective": day, "settles": None, "sleeve_id": sleeve_id, "amount_cents": value}
    events = (
        _event(made, EventKind.DIVIDEND, **shared),
        _event(made, EventKind.REINVEST, quantity_nano=received, **shared),
    )
    return replace(made, shares_nano=received, events=events if received else ())


def _by_terms(made: ActionPlan, held: Held, quantity: int) -> ActionPlan:
    action, kind = made.action, made.action.kind
    price = action.price_usd if kind is ActionKind.SPLIT else action.received_price_usd
    after = _parts(action, quantity)
    stated = nano_of(action.lieu_usd or price)
    lieu = stated if held.whole_shares and kind in _PAYS_FRACTIONS and after % NANO_PER_SHARE else 0
    fraction = after % NANO_PER_SHARE if lieu else 0
    cash_nano = nano_of(action.amount_usd)
    cash = mul_div(quantity, cash_nano, CENTS_DIVISOR)
    received = after - fraction if kind in _RECEIVING else 0
    if kind is ActionKind.SPLIT:
        received = after - fraction - quantity
    elif kind is ActionKind.EXERCISE:
        received = quantity
    terms = None
    if kind not in (ActionKind.TENDER, ActionKind.WORTHLESS):
        ratio = exact_ratio(action.ratio)
        terms = {
            "other_security_id": (action.other_security_id or 0) if kind in _RECEIVING else 0,
            "new_parts": ratio.numerator,
            "old_parts": ratio.denominator,
            "cash_nano": cash_nano if kind in _CASH_BY_TERMS else 0,
            "lieu_nano": lieu,
            "old_price_nano": nano_of(action.price_usd) if kind in _VALUED else 0,
            "new_price_nano": nano_of(action.received_price_usd) if kind in _VALUED else 0,
            "allocate": int(action.option == "allocate"),
        }
    has_amount = kind in (
        ActionKind.RETURN_OF_CAPITAL,
        ActionKind.LIQUIDATION,
        ActionKind.TAXABLE_MERGER,
        ActionKind.TENDER,
        ActionKind.EXERCISE,
    )
    event = _event(
        made,
        EVENT_KINDS[kind],
        sleeve_id=held.by_sleeve[0][0] if held.by_sleeve else 0,
        quantity_nano=quantity if kind in _CHOSEN else 0,
        amount_cents=cash if has_amount else 0,
        detail=PROVISIONAL if kind in PROVISIONAL_KINDS and not action.is_final else 0,
        terms=terms,
    )
    brings_cash = kind in _CASH_BY_TERMS or kind is ActionKind.TENDER
    return replace(
        made,
        shares_nano=received,
        fraction_nano=fraction,
        cash_cents=cash if brings_cash else -cash if kind is ActionKind.EXERCISE else 0,
        lieu_cents=mul_div(fraction, lieu, CENTS_DIVISOR),
        events=(event,),
    )


def _parts(action: CorporateAction, quantity: int) -> int:
    ratio = exact_ratio(action.ratio)
    return mul_div(quantity, ratio.numerator, ratio.denominator)


def nano_of(usd: float) -> int:
    """Dollars as billionths, exactly as the number is written."""
    return int((Decimal(repr(float(usd))) * 10**9).to_integral_value(ROUND_HALF_UP))


def write_plan(writer: EventWriter, made: ActionPlan, reverses: Sequence[int] = ()) -> list[int]:
    """Write a plan's events; `reverses` has, for the first of them, the events they put right."""
    owner = (made.household_id, made.account_id)
    return [
        write_planned(writer, owner, event, reverses[at] if at < len(reverses) else 0)
        for at, event in enumerate(made.events)
    ]


def write_planned(writer: EventWriter, owner: tuple[int, int], event: PlannedEvent, reverses: int) -> int:
    """Write one event of (household_id, account_id), putting right event `reverses` (0: none); its id."""
    return writer.write(
        event.kind,
        *owner,
        event.effective,
        security_id=event.security_id,
        quantity_nano=event.quantity_nano,
        amount_cents=event.amount_cents,
        sleeve_id=event.sleeve_id,
        settles=event.settles,
        detail=event.detail,
        day_seq=event.day_seq,
        terms=event.terms,
        reverses=reverses,
    )


def planned_events(plans: Iterable[ActionPlan], first_seq: int) -> Events:
    """The events of plans, numbered from `first_seq` on."""
    writer = EventWriter(first_seq=first_seq)
    for made in plans:
        write_plan(writer, made)
    return writer.events()
