"""Recorded corporate actions, replayed on lots: do cash and market value follow the adjusted close?

The adjusted close of a price file is made to tell what a holder earned. For a symbol with closes P,
adjusted closes A and, on day t, cash c and value v handed out per new share and r new shares for one,

    A(t) / A(t-1) = (P(t) + c(t) + v(t)) · r(t) / P(t-1).

So if shares are bought at the close of t-1 and the actions of t are booked by plan and fold,

    (value of all shares at t + cash received at t) / cost = A(t) / A(t-1)            (each ex-day)

and if everything received is put back into the shares at that day's close,

    value at the end / cost = A(end) / A(beginning)                                   (each symbol)

The ledger counts cents and billionths of a share; the rest of a difference is in the file's figures,
which is told apart: `rounding` compares the ledger with the right side of the first line worked out
in floating point, `file` that right side with the adjusted closes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from math import prod

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.action_plan import CENTS_DIVISOR, ActionPlan, Held, nano_of, plan, write_plan
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, fold
from allotment.ledger.write import EventWriter
from allotment.market.corporate_action import ActionKind, CorporateAction, exact_ratio
from allotment.tax.identical import IdenticalGroups
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Floats, Ints, mul_div

_NO_CLOSE = "no close on the ex-date"
_GAP_DAYS = 14
_SHARES = 1_000_000  # bought, so that a cent is nothing beside them
_STAND_INS = 10_000_000  # from here on, numbers of securities that the file does not price


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSymbol:
    """One symbol of a price file: its days, ascending, and its actions."""

    code: str
    security_id: int
    days: Ints  # (T,) since 1970
    close_usd: Floats
    adjusted_usd: Floats
    actions: tuple[CorporateAction, ...]  # ascending by ex-date; value per share held before the day


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative differences of growth factors, the largest and where."""

    rounding: float = 0.0
    file: float = 0.0
    both: float = 0.0  # the ledger against the adjusted close
    worst: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReplay:
    """What was replayed, and how far it is off."""

    n_symbols: int
    n_symbols_with_actions: int
    n_held: int  # stretches that were bought and held: a symbol's days without a gap
    n_gaps: int  # breaks of more than two weeks in a symbol's closes; no file tells what was paid in them
    n_left_out: int  # stretches with an ex-date without close: what it paid is in the adjusted close alone
    n_ex_days: int
    n_actions: int
    by_kind: dict[str, int]
    excluded: dict[str, int]  # actions, by why
    stand_ins: int  # actions whose child or successor the file does not price: valued as the file states
    ex_days: Errors
    symbols: Errors
    n_events: int
    n_problems: int  # contradictions that the fold found


@dataclass(slots=True)
class _Case:
    """One account: what was bought, what was booked, and the growth that should come of it."""

    name: str
    cost_cents: int
    close_usd: float  # of the last day
    security_id: int
    children: dict[int, float] = field(default_factory=dict)  # value of a share of each
    formula: float = 1.0
    adjusted: float = 1.0


class _Bench:
    """Accounts that hold one symbol each, and their events."""

    def __init__(self) -> None:
        self.writer = EventWriter()
        self.cases: list[_Case] = []
        self.kinds: Counter[str] = Counter()
        self.excluded: Counter[str] = Counter()
        self.stand_ins = 0

    def open(self, name: str, security_id: int, day: int, close_usd: float) -> _Case:
        cost = round(_SHARES * close_usd * CENTS_PER_USD)
        case = _Case(name=name, cost_cents=cost, close_usd=close_usd, security_id=security_id)
        self.cases.append(case)
        number = len(self.cases)
        self.writer.write(
            EventKind.BUY,
            number,
            number,
            _date(day),
            security_id=security_id,
            quantity_nano=_SHARES * NANO_PER_SHARE,
            amount_cents=cost,
        )
        return case

    def act(self, held_nano: int, actions: Sequence[CorporateAction]) -> list[ActionPlan]:
        """Book the day's actions of an account; the plans that were booked."""
        made = []
        number = len(self.cases)
        for action in actions:
            held = Held(
                household_id=number,
                account_id=number,
                security_id=action.security_id,
                quantity_nano=held_nano,
            )
            planned = plan(action, held)
            write_plan(self.writer, planned)
            if planned.events:
                made.append(planned)
        return made

    def fold(self) -> BookState:
        accounts = [
            Account(
                account_id=number,
                code=str(number),
                household_id=number,
                taxpayer_id=number,
                kind=AccountKind.TAXABLE,
                venue_code="",
                opened=date(1990, 1, 1),
            )
            for number in range(1, len(self.cases) + 1)
        ]
        groups = IdenticalGroups.alone(np.zeros(0, np.int64))
        return fold(self.writer.events(), AccountTable.of_accounts(accounts), groups)


def replay(symbols: Iterable[PricedSymbol]) -> PriceReplay:
    """Replay every action of every symbol, each ex-day alone and each symbol as a whole."""
    listed = list(symbols)
    alone, whole = _Bench(), _Bench()
    n_days = n_gaps = left_out = 0
    for symbol in listed:
        stretches = _stretches(symbol)
        n_gaps += len(stretches) - 1
        for stretch in stretches:
            unplaced = alone.excluded[_NO_CLOSE]
            groups = _ex_days(stretch, alone)
            for at, actions in groups:
                _one_day(alone, stretch, at, actions)
            n_days += len(groups)
            if alone.excluded[_NO_CLOSE] > unplaced:
                left_out += 1
            elif len(stretch.days) > 1:
                _hold(whole, stretch, groups)
    states = alone.fold(), whole.fold()
    return PriceReplay(
        n_symbols=len(listed),
        n_symbols_with_actions=sum(bool(symbol.actions) for symbol in listed),
        n_held=len(whole.cases),
        n_gaps=n_gaps,
        n_left_out=left_out,
        n_ex_days=n_days,
        n_actions=sum(alone.kinds.values()),
        by_kind=dict(sorted(alone.kinds.items())),
        excluded=dict(sorted(alone.excluded.items())),
        stand_ins=alone.stand_ins,
        ex_days=_errors(alone, states[0]),
        symbols=_errors(whole, states[1]),
        n_events=len(alone.writer.events()) + len(whole.writer.events()),
        n_problems=sum(len(state.problems) for state in states),
    )


def _stretches(symbol: PricedSymbol) -> list[PricedSymbol]:
    """The symbol's days without a gap, each with the actions from its first day to the next stretch."""
    starts = np.flatnonzero(np.diff(symbol.days, prepend=-_GAP_DAYS * 100_000) > _GAP_DAYS).tolist()
    made = []
    for start, end in zip(starts, [*starts[1:], len(symbol.days)], strict=True):
        first = date.min if start == 0 else _date(int(symbol.days[start]))
        until = date.max if end == len(symbol.days) else _date(int(symbol.days[end]))
        made.append(
            replace(
                symbol,
                days=symbol.days[start:end],
                close_usd=symbol.close_usd[start:end],
                adjusted_usd=symbol.adjusted_usd[start:end],
                actions=tuple(one for one in symbol.actions if first <= one.ex_date < until),
            )
        )
    return made


def _ex_days(symbol: PricedSymbol, bench: _Bench) -> list[tuple[int, list[CorporateAction]]]:
    """Rows of the ex-days that can be replayed, with their actions; the others are counted out."""
    found = []
    for day, group in groupby(symbol.actions, lambda one: one.ex_date):
        actions = list(group)
        at = int(np.searchsorted(symbol.days, np.datetime64(day, "D").astype(np.int64)))
        if at >= len(symbol.days) or _date(int(symbol.days[at])) != day:
            bench.excluded[_NO_CLOSE] += len(actions)
        elif at == 0:
            bench.excluded["no close before the ex-date"] += len(actions)
        else:
            kept = [one for one in actions if one.kind is not ActionKind.DELISTING]
            bench.excluded["a delisting does nothing to lots"] += len(actions) - len(kept)
            if kept:
                found.append((at, [_bookable(one, symbol, at, actions, bench) for one in kept]))
            bench.kinds.update(one.kind.value for one in kept)
    return found


def _bookable(
    action: CorporateAction,
    symbol: PricedSymbol,
    at: int,
    todays: Sequence[CorporateAction],
    bench: _Bench,
) -> CorporateAction:
    """The action with the day's values, and a stand-in for a security that the file does not price."""
    after = float(symbol.close_usd[at]) * _ratio(todays)  # of a share held before
    if action.kind is ActionKind.SPIN_OFF:
        action = replace(action, price_usd=after)
    if action.kind in (ActionKind.SPIN_OFF, ActionKind.SYMBOL_CHANGE) and not action.other_security_id:
        bench.stand_ins += 1
        action = replace(action, other_security_id=_STAND_INS + bench.stand_ins)
    return action


def _ratio(actions: Iterable[CorporateAction]) -> float:
    return prod(float(exact_ratio(one.ratio)) for one in actions if one.kind is ActionKind.SPLIT)


def _formula(symbol: PricedSymbol, at: int, actions: Sequence[CorporateAction]) -> float:
    """Growth from t-1 to t; amounts of our records are per share held before the day."""
    paid = sum(one.amount_usd + one.value_usd for one in actions)
    return float((symbol.close_usd[at] * _ratio(actions) + paid) / symbol.close_usd[at - 1])


def _one_day(bench: _Bench, symbol: PricedSymbol, at: int, actions: Sequence[CorporateAction]) -> None:
    day = _date(int(symbol.days[at]))
    case = bench.open(
        f"{symbol.code} {day}", symbol.security_id, int(symbol.days[at - 1]), float(symbol.close_usd[at - 1])
    )
    for made in bench.act(_SHARES * NANO_PER_SHARE, actions):
        _value_children(case, made.action)
        if made.action.kind is ActionKind.SYMBOL_CHANGE:
            case.security_id = made.action.other_security_id or case.security_id
    case.close_usd = float(symbol.close_usd[at])
    case.formula = _formula(symbol, at, actions)
    case.adjusted = float(symbol.adjusted_usd[at]) / float(symbol.adjusted_usd[at - 1])


def _value_children(case: _Case, action: CorporateAction) -> None:
    if action.kind is ActionKind.SPIN_OFF and action.other_security_id:
        case.children[action.other_security_id] = action.received_price_usd


def _hold(
    bench: _Bench, symbol: PricedSymbol, ex_days: Sequence[tuple[int, Sequence[CorporateAction]]]
) -> None:
    """Buy on the first day, keep to the last, put all that comes back into the shares."""
    case = bench.open(symbol.code, symbol.security_id, int(symbol.days[0]), float(symbol.close_usd[0]))
    held, before = _SHARES * NANO_PER_SHARE, 0
    for at, actions in ex_days:
        close = float(symbol.close_usd[at])
        case.formula *= float(symbol.close_usd[at - 1]) / float(symbol.close_usd[before])
        case.formula *= _formula(symbol, at, actions)
        cash, day = 0, int(symbol.days[at])
        renamed = [replace(one, security_id=case.security_id) for one in actions]
        for made in bench.act(held, renamed):
            cash += made.cash_cents
            if made.action.kind is ActionKind.SPLIT:
                held += made.shares_nano
            elif made.action.kind is ActionKind.SPIN_OFF:
                cash += _sell_child(bench, made, day)
            elif made.action.kind is ActionKind.SYMBOL_CHANGE:
                case.security_id = made.action.other_security_id or case.security_id
        held += _reinvest(bench, case, cash, close, day)
        before = at
    case.formula *= float(symbol.close_usd[-1]) / float(symbol.close_usd[before])
    case.close_usd = float(symbol.close_usd[-1])
    case.adjusted = float(symbol.adjusted_usd[-1]) / float(symbol.adjusted_usd[0])


def _sell_child(bench: _Bench, made: ActionPlan, day: int) -> int:
    """Sell what was spun off at the value that the file states; the cash."""
    value = mul_div(made.shares_nano, nano_of(made.action.received_price_usd), CENTS_DIVISOR)
    bench.writer.write(
        EventKind.SELL,
        made.household_id,
        made.account_id,
        _date(day),
        security_id=made.action.other_security_id or 0,
        quantity_nano=made.shares_nano,
        amount_cents=value,
    )
    return value


def _reinvest(bench: _Bench, case: _Case, cash_cents: int, close_usd: float, day: int) -> int:
    bought = mul_div(cash_cents, CENTS_DIVISOR, nano_of(close_usd)) if cash_cents else 0
    if bought:
        number = len(bench.cases)
        bench.writer.write(
            EventKind.REINVEST,
            number,
            number,
            _date(day),
            security_id=case.security_id,
            quantity_nano=bought,
            amount_cents=cash_cents,
        )
    return bought


def _errors(bench: _Bench, state: BookState) -> Errors:
    lots = state.taxpayer.lots
    value: list[dict[int, int]] = [{} for _ in bench.cases]
    for account, security, quantity in zip(
        lots.account_ix.tolist(), lots.security_id.tolist(), lots.quantity_nano.tolist(), strict=True
    ):
        value[account][security] = value[account].get(security, 0) + quantity
    worst, rounding, in_file, name = 0.0, 0.0, 0.0, ""
    for at, (case, cash) in enumerate(zip(bench.cases, state.cash_cents.tolist(), strict=True)):
        prices = {case.security_id: case.close_usd} | case.children
        usd = sum(quantity / NANO_PER_SHARE * prices[security] for security, quantity in value[at].items())
        growth = (usd * CENTS_PER_USD + cash + case.cost_cents) / case.cost_cents
        rounding = max(rounding, abs(growth / case.formula - 1.0))
        in_file = max(in_file, abs(case.formula / case.adjusted - 1.0))
        off = abs(growth / case.adjusted - 1.0)
        if off > worst:
            worst, name = off, case.name
    return Errors(rounding=rounding, file=in_file, both=worst, worst=name)


def _date(day: int) -> date:
    found: date = np.datetime64(day, "D").item()
    return found
