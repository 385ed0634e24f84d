"""Into which convex pieces the cost curve of one name falls.

A piece is an interval of weights on which the name's cost is convex. Where lots leave in any
order there is one convex curve of sales however many lots; where the venue sets the order, each lot
is a piece, or a run of lots whose price rises. A piece belongs to a mode of its group: SELL pieces
sell loss lots, BUY pieces buy, EITHER pieces do neither; the pieces that a group chooses must agree,
which is the rule that no loss lot is sold in a group that is bought.

Which pieces there are does not depend on multipliers, only their costs do (`curves`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from allotment.compiled import hidden, inner, part
from allotment.optimize.load import BIG, HOLDINGS, STEP_DUST, TINY_STEP, TRADES
from allotment.optimize.workspace import Accounts, Claims, Lots, Names, Plan

EITHER, SELL, BUY = 0, 1, 2
DUST = 1e-12  # weights closer than this are the same
ANY = 1e300  # no limit to the losses that a piece sells


class NameFacts(NamedTuple):
    """The facts of one name that shape its pieces. Numbers only: they travel fast."""

    held: float
    weight_min: float
    weight_max: float
    low: float  # weight when every sellable lot is sold
    low_gains: float  # weight when every lot at a gain that can be sold without a loss is sold
    losses: float  # weight of sellable loss lots
    buys: bool
    rebuys: bool  # lots at a gain may be sold and bought back
    paired: bool  # its group has another member
    young: float  # weight of losses sold that would be washed, at a cost
    young_cost: float
    charged: bool
    apart: bool  # sales at a gain and purchases need pieces of their own
    least: float  # smallest trade
    ticket: float
    parts_holdings: bool
    holding_min: float
    holding_price: float
    big_from: float  # infinite when it does not matter
    big_price: float
    step: float


@inner
def limit_excess(weight: float, weight_min: float, weight_max: float) -> float:
    """How far a weight lies outside a name's limits."""
    excess = max(weight_min - weight, weight - weight_max)
    return excess if excess > DUST else 0.0


@part
def name_facts(accounts: Accounts, names: Names, lots: Lots, i: int, has_kinds: bool) -> NameFacts:
    """What name i holds, may do and must keep to, at the prices of counts in force."""
    a = names.account[i]
    held = names.held[i]
    losses, gains, leading = 0.0, 0.0, 0.0
    least_rate = 0.0
    for place in range(lots.start[i], lots.start[i + 1]):
        least_rate = min(least_rate, lots.rate[place])
        if lots.is_loss[place]:
            losses += lots.weight[place]
        else:
            gains += lots.weight[place]
            leading += lots.weight[place] if losses == 0.0 else 0.0
    low = held - (losses + gains)
    low_gains = held - (leading if accounts.in_order[a] else gains)
    charged = accounts.charged[a]
    kind = accounts.kind_price[a]
    return NameFacts(
        held,
        names.weight_min[i],
        names.weight_max[i],
        0.0 if low < DUST else low,
        0.0 if low_gains < DUST else low_gains,
        losses,
        names.may_buy[i],
        names.may_rebuy[i] and low_gains < held - DUST,
        names.in_group[i],
        names.young[i],
        names.young_cost[i],
        charged,
        charged or has_kinds or accounts.in_order[a] or least_rate < -names.half_spread[i],
        accounts.trade_min[a],
        accounts.ticket_charge[a] + kind[TRADES],
        accounts.parts_holdings[a],
        accounts.holding_min[a],
        kind[HOLDINGS],
        accounts.big_from[a] if accounts.parts_big[a] else ANY,
        kind[BIG],
        names.step[i],
    )


@hidden
def _add(
    plan: Plan, count: int, low: float, high: float, mode: int, fixed: float, losses: float, washed: float
) -> int:
    plan.low[count] = low
    plan.high[count] = max(low, high)
    plan.mode[count] = mode
    plan.fixed[count] = fixed
    plan.losses[count] = losses
    plan.washed[count] = washed
    plan.least[count] = -1.0
    plan.big[count] = 0.0
    return count + 1


@hidden
def _add_big(
    plan: Plan,
    count: int,
    name: NameFacts,
    low: float,
    high: float,
    mode: int,
    fixed: float,
    losses: float,
    washed: float,
) -> int:
    """Add a piece, in two parts when only one of them counts as big."""
    if low < name.big_from < high:
        count = _add(plan, count, low, name.big_from, mode, fixed, losses, washed)
        low = name.big_from
    count = _add(plan, count, low, high, mode, fixed, losses, washed)
    if high > name.big_from:
        plan.big[count - 1] = name.big_price
    return count


@hidden
def _plan(
    plan: Plan,
    count: int,
    name: NameFacts,
    low: float,
    high: float,
    mode: int,
    fixed: float,
    losses: float,
    washed: float,
) -> int:
    """Add the piece [low, high], cut at the name's limits and at the smallest holding, unless
    nothing is left of it."""
    low = max(low, name.weight_min)
    high = min(high, name.weight_max)
    if low > high + DUST:
        return count
    if name.parts_holdings:
        if low <= 0.0:
            count = _add(plan, count, 0.0, 0.0, mode, fixed, losses, washed)
            if high <= 0.0:
                return count
        low = max(low, name.holding_min)
        fixed += name.holding_price
        if low > high:
            return count
    return _add_big(plan, count, name, low, high, mode, fixed, losses, washed)


@hidden
def _plan_hold(plan: Plan, count: int, name: NameFacts, fixed: float) -> int:
    held = name.held
    price = name.holding_price if held > 0.0 else 0.0
    return _add_big(plan, count, name, held, held, EITHER, fixed + price, 0.0, 0.0)


@hidden
def _plan_purchases(
    claims: Claims, plan: Plan, count: int, name: NameFacts, i: int, low: float, least: float, fixed: float
) -> int:
    """The pieces that buy at least `least`; the first begins at `low`, maybe below what is held.

    What the next share washes changes from claim to claim: a piece for each, and one for what follows.
    """
    top = max(name.weight_max, name.held)
    washed = 0.0
    for claim in range(claims.start[i], claims.start[i + 1]):
        washed += claims.weight[claim]
        if name.held + washed >= top:
            break
        if washed > least:
            count = _plan(plan, count, name, low, name.held + washed, BUY, fixed, 0.0, 0.0)
        low = max(low, name.held + max(washed, least))
    return _plan(plan, count, name, low, top, BUY, fixed, 0.0, 0.0)


@hidden
def _plan_rebuys(plan: Plan, count: int, name: NameFacts, fixed: float) -> int:
    """The pieces that sell lots at a gain, at least the smallest trade, and may buy them back."""
    least = name.least
    if name.step >= TINY_STEP:
        least = math.ceil(least / name.step - STEP_DUST) * name.step
    if name.held - name.low_gains < least - DUST:
        return count
    first = count
    count = _plan(plan, count, name, name.low_gains, max(name.weight_max, name.held), BUY, fixed, 0.0, 0.0)
    for planned in range(first, count):
        plan.least[planned] = least
    return count


@hidden
def _plan_sale(
    plan: Plan,
    count: int,
    name: NameFacts,
    low: float,
    top: float,
    closing: bool,
    mode: int,
    fixed: float,
    losses: float,
    washed: float,
) -> int:
    """A sale to between `low` and `top`; closing out needs no smallest trade."""
    if low <= top and low < name.held:
        return _plan(plan, count, name, low, top, mode, fixed, losses, washed)
    if closing and low == 0.0 and name.held > 0.0:
        return _plan(plan, count, name, 0.0, 0.0, mode, fixed, losses, washed)
    return count


@hidden
def _plan_free_sales(plan: Plan, count: int, name: NameFacts, top: float, fixed: float) -> int:
    """Sales of lots in any order."""
    has_loss = name.losses > 0.0
    mode = SELL if has_loss else EITHER
    if has_loss and name.young > 0.0:
        # The first losses are washed; a fee for all that are lets the piece sell any.
        part = min(name.young, name.losses)
        low = name.low if part == name.losses else max(name.low, name.low_gains - part)
        count = _plan_sale(plan, count, name, low, top, True, mode, fixed, part, name.young_cost)
        if name.young < name.losses:
            fee = fixed + name.young * name.young_cost
            count = _plan_sale(plan, count, name, name.low, top, True, mode, fee, ANY, 0.0)
    else:
        count = _plan_sale(plan, count, name, name.low, top, True, mode, fixed, ANY, 0.0)
    if has_loss and name.paired:
        count = _plan_sale(plan, count, name, name.low_gains, top, False, EITHER, fixed, 0.0, 0.0)
    return count


@hidden
def _plan_ordered_sales(
    lots: Lots, plan: Plan, count: int, name: NameFacts, i: int, has_kinds: bool, fixed: float
) -> int:
    """Sales of lots in the order given: a piece for each run of lots whose price rises."""
    position = name.held
    lost = 0.0
    place = lots.start[i]
    last = lots.start[i + 1]
    fee = fixed + name.young * name.young_cost
    while place < last:
        top = position
        rate = lots.rate[place]
        mode = SELL if lots.is_loss[place] or lost > 0.0 else EITHER
        before = lost
        while True:
            position -= lots.weight[place]
            lost += lots.weight[place] if lots.is_loss[place] else 0.0
            place += 1
            runs_on = place < last and not has_kinds and name.young == 0.0 and lots.rate[place] >= rate
            if not (runs_on and (lots.is_loss[place] or lost > 0.0) == (mode == SELL)):
                break
            rate = lots.rate[place]
        if position < DUST:
            position = 0.0
        if before < name.young < lost:
            # The wash of young shares ends inside this loss lot: it is two pieces.
            edge = top - (name.young - before)
            count = _plan_run(plan, count, name, edge, top, mode, fixed, name.young_cost)
            top = edge
        if lost <= name.young:
            count = _plan_run(plan, count, name, position, top, mode, fixed, name.young_cost)
        else:
            count = _plan_run(plan, count, name, position, top, mode, fee, 0.0)
    return count


@hidden
def _plan_run(
    plan: Plan, count: int, name: NameFacts, low: float, top: float, mode: int, fixed: float, washed: float
) -> int:
    """The part of a run of lots that the smallest trade allows."""
    high = min(top, name.held - name.least)
    if low <= high:
        return _plan(plan, count, name, low, high, mode, fixed, ANY, washed)
    if low == 0.0 and name.held > 0.0:
        return _plan(plan, count, name, 0.0, 0.0, mode, fixed, ANY, washed)
    return count


@hidden
def plan_branches(
    lots: Lots, claims: Claims, plan: Plan, name: NameFacts, i: int, in_order: bool, has_kinds: bool
) -> int:
    """The pieces of a name inside its limits. Without fixed charges they share the point held."""
    held = name.held
    count = 0
    sells = name.low < held
    inside = limit_excess(held, name.weight_min, name.weight_max) == 0.0
    if inside and (name.charged or name.paired or not (sells or name.buys)):
        count = _plan_hold(plan, count, name, 0.0)
    ticket = name.ticket if name.charged else 0.0
    if sells and in_order:
        count = _plan_ordered_sales(lots, plan, count, name, i, has_kinds, ticket)
    elif sells and (name.apart or name.losses > 0.0 or name.paired or not name.buys):
        count = _plan_free_sales(plan, count, name, held - name.least, ticket)
    if name.rebuys:
        count = _plan_rebuys(plan, count, name, ticket)
    if name.rebuys and not name.charged:
        return count  # which holds every purchase too
    if name.buys and not name.charged:
        low = held if name.apart else name.low_gains
        count = _plan_purchases(claims, plan, count, name, i, low, 0.0, 0.0)
    elif name.buys and held + name.least <= name.weight_max:
        count = _plan_purchases(claims, plan, count, name, i, held + name.least, name.least, ticket)
    return count


@hidden
def plan_relaxed(plan: Plan, count: int, name: NameFacts, limit_price: float) -> int:
    """Limits that are broken today may stay so at a price: hold, or sell all that can be sold."""
    excess = limit_excess(name.held, name.weight_min, name.weight_max)
    if excess == 0.0:
        return count
    count = _plan_hold(plan, count, name, limit_price * excess)
    low = name.low
    if low > 0.0 and name.step >= TINY_STEP:
        low = name.held - math.floor((name.held - low) / name.step + STEP_DUST) * name.step
    if name.held - low >= max(name.least, DUST):
        excess = limit_excess(low, name.weight_min, name.weight_max)
        lost = max(0.0, name.losses - (low - name.low))  # what is left may all be at a loss
        fixed = name.ticket + limit_price * excess + min(name.young, lost) * name.young_cost
        if low > 0.0:
            if low < name.holding_min:
                return count
            fixed += name.holding_price
        mode = SELL if name.losses > 0.0 else EITHER
        count = _add_big(plan, count, name, low, low, mode, fixed, ANY, 0.0)
    return count
