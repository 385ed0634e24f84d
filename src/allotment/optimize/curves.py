"""The cost of one name as a function of its weight, cut into convex pieces.

A piece is an interval [low, high] of weights with a convex, piecewise linear cost; its segments
go from the high end down, each with its low end and its slope dc/dw. Selling lot j of price
τ_j = tax + half-spread + charge per weight gives the slope −τ_j, lots by rising τ, so there is
one convex curve per name however many lots. Where the venue sets the order of the lots, each lot
is a piece, or a run of lots whose τ rises. A piece belongs to a mode of its group: SELL pieces
sell loss lots, BUY pieces buy, EITHER pieces do neither; the pieces that a group chooses must
agree, which is the rule that no loss lot is sold in a group that is bought.

Rows of other kinds than linear (turnover, gains, counts) enter with their multipliers as prices
of lots, of purchases, of pieces. Which pieces there are does not depend on multipliers, only
their costs do.

The minimum over a piece of κd/2 (w−b)² + q w + c(w) is found exactly by walking the segments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from allotment.compiled import hidden, inner
from allotment.optimize.load import BIG, HOLDINGS, TRADES, TURNOVER
from allotment.optimize.relief import leaving
from allotment.optimize.workspace import Accounts, Curves, Leaving, Lots, Names, Plan, Shape
from allotment.units import Floats

EITHER, SELL, BUY = 0, 1, 2
DUST = 1e-12  # weights closer than this are the same
TINY_STEP = 1e-7  # of weight; rounding by less changes no cost worth looking at
STEP_DUST = 1e-7  # steps; closer than this to a whole number is whole
ANY = 1e300  # no limit to the losses that a piece sells


class _Name(NamedTuple):
    """The facts of one name that shape its pieces. Numbers only: they travel fast."""

    held: float
    weight_min: float
    weight_max: float
    low: float  # weight when every sellable lot is sold
    low_gains: float  # weight when every lot at a gain that can be sold without a loss is sold
    losses: float  # weight of sellable loss lots
    buys: bool
    paired: bool  # its group has another member
    exposed: float  # weight bought that would wash, at a cost
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


@inner
def _facts(accounts: Accounts, names: Names, lots: Lots, i: int, has_kinds: bool) -> _Name:
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
    return _Name(
        held,
        names.weight_min[i],
        names.weight_max[i],
        0.0 if low < DUST else low,
        0.0 if low_gains < DUST else low_gains,
        losses,
        names.may_buy[i],
        names.in_group[i],
        names.wash_exposed[i] if names.wash_cost[i] > 0.0 else 0.0,
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
    plan.big[count] = 0.0
    return count + 1


@hidden
def _add_big(
    plan: Plan,
    count: int,
    name: _Name,
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
    name: _Name,
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
def _plan_hold(plan: Plan, count: int, name: _Name, fixed: float) -> int:
    held = name.held
    price = name.holding_price if held > 0.0 else 0.0
    return _add_big(plan, count, name, held, held, EITHER, fixed + price, 0.0, 0.0)


@hidden
def _plan_purchases(plan: Plan, count: int, name: _Name, low: float, least: float, fixed: float) -> int:
    """The pieces that buy at least `least`; the first begins at `low`, maybe below what is held.

    The first weight bought may wash and what follows not: convex only on either side of that.
    """
    top = max(name.weight_max, name.held)
    if name.exposed > 0.0 and name.held + name.exposed < top:
        if name.exposed > least:
            count = _plan(plan, count, name, low, name.held + name.exposed, BUY, fixed, 0.0, 0.0)
        low = max(low, name.held + max(name.exposed, least))
    return _plan(plan, count, name, low, top, BUY, fixed, 0.0, 0.0)


@hidden
def _plan_sale(
    plan: Plan,
    count: int,
    name: _Name,
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
def _plan_free_sales(plan: Plan, count: int, name: _Name, top: float, fixed: float) -> int:
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
    lots: Lots, plan: Plan, count: int, name: _Name, i: int, has_kinds: bool, fixed: float
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
    plan: Plan, count: int, name: _Name, low: float, top: float, mode: int, fixed: float, washed: float
) -> int:
    """The part of a run of lots that the smallest trade allows."""
    high = min(top, name.held - name.least)
    if low <= high:
        return _plan(plan, count, name, low, high, mode, fixed, ANY, washed)
    if low == 0.0 and name.held > 0.0:
        return _plan(plan, count, name, 0.0, 0.0, mode, fixed, ANY, washed)
    return count


@hidden
def _plan_branches(lots: Lots, plan: Plan, name: _Name, i: int, in_order: bool, has_kinds: bool) -> int:
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
    if name.buys and not name.charged:
        count = _plan_purchases(plan, count, name, held if name.apart else name.low_gains, 0.0, 0.0)
    elif name.buys and held + name.least <= name.weight_max:
        count = _plan_purchases(plan, count, name, held + name.least, name.least, ticket)
    return count


@hidden
def _plan_relaxed(plan: Plan, count: int, name: _Name, limit_price: float) -> int:
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
        fixed = name.ticket + limit_price * excess + min(name.young, name.losses) * name.young_cost
        if low > 0.0:
            if low < name.holding_min:
                return count
            fixed += name.holding_price
        mode = SELL if name.losses > 0.0 else EITHER
        count = _add_big(plan, count, name, low, low, mode, fixed, ANY, 0.0)
    return count


@hidden
def build_pieces(
    shape: Shape,
    accounts: Accounts,
    names: Names,
    lots: Lots,
    leave: Leaving,
    curves: Curves,
    plan: Plan,
) -> None:
    """All pieces of the names and their segments; every name gets at least one piece."""
    piece = 0
    segment = 0
    curves.first[0] = 0
    for i in range(shape.n):
        curves.start[i] = piece
        a = names.account[i]
        name = _facts(accounts, names, lots, i, shape.has_kinds)
        in_order = accounts.in_order[a]
        count = _plan_branches(lots, plan, name, i, in_order, shape.has_kinds)
        count = _plan_relaxed(plan, count, name, accounts.limit_price[a])
        buying = names.half_spread[i] + 0.5 * accounts.kind_price[a, TURNOVER]
        for planned in range(count):
            segment = _write(
                names, lots, leave, curves, plan, name, i, planned, piece, segment, buying, in_order
            )
            piece += 1
            curves.first[piece] = segment
    curves.start[shape.n] = piece


@hidden
def _write(
    names: Names,
    lots: Lots,
    leave: Leaving,
    curves: Curves,
    plan: Plan,
    name: _Name,
    i: int,
    planned: int,
    piece: int,
    segment: int,
    buying: float,
    in_order: bool,
) -> int:
    """Write one planned piece and its segments; returns the next segment."""
    low, high, held = plan.low[planned], plan.high[planned], name.held
    big = plan.big[planned]
    cost = plan.fixed[planned] + big * high
    if high > held:
        slope = buying
        cost += slope * (high - held)
        if name.exposed > 0.0:
            cost += names.wash_cost[i] * min(name.exposed, high - held)
            slope += names.wash_cost[i] if high - held <= name.exposed + DUST else 0.0
        if high > low:
            curves.segment_low[segment] = max(held, low)
            curves.segment_slope[segment] = slope + big
            segment += 1
    position = held
    losses = plan.losses[planned] if plan.mode[planned] == SELL else 0.0
    for x in range(leaving(lots, leave, i, losses, plan.washed[planned], in_order)):
        if position <= low + DUST:
            break
        rate = leave.price[x]
        end = position - leave.weight[x]
        # What lies above the high end is sold in the whole piece: part of its cost.
        cost += rate * max(0.0, position - max(end, high))
        if end < high and low < high:
            curves.segment_low[segment] = max(end, low)
            curves.segment_slope[segment] = big - rate
            segment += 1
        position = end
    curves.low[piece] = low
    curves.high[piece] = high
    curves.cost[piece] = cost
    curves.mode[piece] = plan.mode[planned]
    curves.losses[piece] = losses
    curves.washed[piece] = plan.washed[planned]
    return segment


@inner
def walk(
    segment_low: Floats,
    segment_slope: Floats,
    first: int,
    last: int,
    high: float,
    cost: float,
    pull: float,
    slack: float,
) -> tuple[float, float, float]:
    """Minimiser over a piece whose segments are first to last−1: (w, c(w), slack if w is free).

    pull = center − slack × q is where w would be without costs.
    """
    for segment in range(first, last):
        slope = segment_slope[segment]
        wanted = pull - slope * slack
        if wanted >= high:
            return high, cost, 0.0
        low = segment_low[segment]
        if wanted > low:
            return wanted, cost - slope * (high - wanted), slack
        cost -= slope * (high - low)
        high = low
    return high, cost, 0.0


@inner
def piece_minimum(names: Names, curves: Curves, i: int, piece: int, q: float) -> tuple[float, float]:
    """Minimum over a piece of curvature/2 (w−center)² + q w + c(w), and its w."""
    center = names.center[i]
    slack = names.slack[i]
    weight, cost, _ = walk(
        curves.segment_low,
        curves.segment_slope,
        curves.first[piece],
        curves.first[piece + 1],
        curves.high[piece],
        curves.cost[piece],
        center - q * slack,
        slack,
    )
    apart = weight - center
    return 0.5 * names.curvature[i] * apart * apart + q * weight + cost, weight


@inner
def piece_cost(curves: Curves, piece: int, weight: float) -> float:
    """c(w) on a piece that holds `weight`."""
    top: float = curves.high[piece]
    cost: float = curves.cost[piece]
    for segment in range(curves.first[piece], curves.first[piece + 1]):
        low: float = curves.segment_low[segment]
        slope: float = curves.segment_slope[segment]
        if weight >= low:
            return cost - slope * (top - weight)
        cost -= slope * (top - low)
        top = low
    return cost
