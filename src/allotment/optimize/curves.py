"""The cost of one name as a function of its weight, cut into convex pieces.

A piece is an interval [low, high] of weights with a convex, piecewise linear cost; its segments
go from the high end down, each with its low end and its slope dc/dw. Selling lot j of rate
τ_j = tax + half-spread + charge per weight gives the slope −τ_j, lots by rising τ, so there is
one convex curve per name however many lots. A piece belongs to a mode of its group: SELL pieces
sell loss lots, BUY pieces buy, EITHER pieces do neither; the pieces that a group chooses must
agree, which is the rule that no loss lot is sold in a group that is bought.

The minimum over a piece of κd/2 (w−b)² + q w + c(w) is found exactly by walking the segments.
"""

from __future__ import annotations

from typing import NamedTuple

from allotment.compiled import inner
from allotment.optimize.workspace import Account, Curves, Lots, Names, Plan
from allotment.units import Floats

EITHER, SELL, BUY = 0, 1, 2
DUST = 1e-12  # weights closer than this are the same


class _Name(NamedTuple):
    """The facts of one name that shape its pieces. Numbers only: they travel fast."""

    held: float
    weight_min: float
    weight_max: float
    low: float  # weight when every sellable lot is sold
    low_gains: float  # weight when every sellable lot at a gain is sold
    has_loss: bool  # a sellable lot is at a loss
    buys: bool
    paired: bool  # its group has another member
    exposed: float  # weight bought that would wash, at a cost


@inner
def limit_excess(weight: float, weight_min: float, weight_max: float) -> float:
    """How far a weight lies outside a name's limits."""
    excess = max(weight_min - weight, weight - weight_max)
    return excess if excess > DUST else 0.0


@inner
def _facts(names: Names, lots: Lots, i: int) -> _Name:
    held = names.held[i]
    losses = 0.0
    gains = 0.0
    for place in range(lots.start[i], lots.start[i + 1]):
        if lots.is_loss[place]:
            losses += lots.weight[place]
        else:
            gains += lots.weight[place]
    low = held - (losses + gains)
    low_gains = held - gains
    exposed = names.wash_exposed[i] if names.wash_cost[i] > 0.0 else 0.0
    return _Name(
        held,
        names.weight_min[i],
        names.weight_max[i],
        0.0 if low < DUST else low,
        0.0 if low_gains < DUST else low_gains,
        losses > 0.0,
        names.may_buy[i],
        names.in_group[i],
        exposed,
    )


@inner
def _plan(plan: Plan, count: int, name: _Name, low: float, high: float, mode: int, fixed: float) -> int:
    """Add the piece [low, high], cut at the name's limits, unless nothing is left of it."""
    low = max(low, name.weight_min)
    high = min(high, name.weight_max)
    if low > high + DUST:
        return count
    plan.low[count] = low
    plan.high[count] = max(low, high)
    plan.mode[count] = mode
    plan.fixed[count] = fixed
    return count + 1


@inner
def _plan_purchases(plan: Plan, count: int, name: _Name, low: float, least: float, fixed: float) -> int:
    """The pieces that buy at least `least`; the first begins at `low`, maybe below what is held.

    The first weight bought may wash and what follows not: convex only on either side of that.
    """
    top = max(name.weight_max, name.held)
    if name.exposed > 0.0 and name.held + name.exposed < top:
        if name.exposed > least:
            count = _plan(plan, count, name, low, name.held + name.exposed, BUY, fixed)
        low = max(low, name.held + max(name.exposed, least))
    return _plan(plan, count, name, low, top, BUY, fixed)


@inner
def _plan_branches(account: Account, name: _Name, plan: Plan) -> int:
    """The pieces of a name inside its limits. Without fixed charges they share the point held."""
    held = name.held
    mode = SELL if name.has_loss else EITHER
    least = account.trade_min
    ticket = account.ticket_charge
    gains_apart = name.has_loss and name.paired
    count = 0
    if least <= 0.0 and ticket <= 0.0:
        if name.has_loss or name.paired or not name.buys:
            count = _plan(plan, count, name, name.low, held, mode, 0.0)
        if gains_apart:
            count = _plan(plan, count, name, name.low_gains, held, EITHER, 0.0)
        if name.buys:
            count = _plan_purchases(plan, count, name, name.low_gains, 0.0, 0.0)
        return count
    if limit_excess(held, name.weight_min, name.weight_max) == 0.0:
        count = _plan(plan, count, name, held, held, EITHER, 0.0)
    top = held - least
    if name.low <= top and name.low < held:
        count = _plan(plan, count, name, name.low, top, mode, ticket)
    elif name.low == 0.0 and held > 0.0:
        count = _plan(plan, count, name, 0.0, 0.0, mode, ticket)
    if gains_apart and name.low_gains <= top and name.low_gains < held:
        count = _plan(plan, count, name, name.low_gains, top, EITHER, ticket)
    if name.buys and held + least <= name.weight_max:
        count = _plan_purchases(plan, count, name, held + least, least, ticket)
    return count


@inner
def _plan_relaxed(account: Account, name: _Name, plan: Plan, count: int) -> int:
    """Limits that are broken today may stay so at a price: hold, or sell all that can be sold."""
    excess = limit_excess(name.held, name.weight_min, name.weight_max)
    if excess == 0.0:
        return count
    plan.low[count] = name.held
    plan.high[count] = name.held
    plan.mode[count] = EITHER
    plan.fixed[count] = account.limit_price * excess
    count += 1
    if name.held - name.low >= max(account.trade_min, DUST):
        plan.low[count] = name.low
        plan.high[count] = name.low
        plan.mode[count] = SELL if name.has_loss else EITHER
        excess = limit_excess(name.low, name.weight_min, name.weight_max)
        plan.fixed[count] = account.ticket_charge + account.limit_price * excess
        count += 1
    return count


@inner
def build_pieces(account: Account, names: Names, lots: Lots, curves: Curves, plan: Plan) -> None:
    """All pieces of the account's names and their segments; every name gets at least one piece."""
    piece = 0
    segment = 0
    curves.first[0] = 0
    for i in range(account.n):
        curves.start[i] = piece
        name = _facts(names, lots, i)
        count = _plan_branches(account, name, plan)
        count = _plan_relaxed(account, name, plan, count)
        for planned in range(count):
            low = plan.low[planned]
            high = plan.high[planned]
            cost = plan.fixed[planned]
            held = name.held
            if high > held:
                slope = names.half_spread[i]
                cost += slope * (high - held)
                if name.exposed > 0.0:
                    cost += names.wash_cost[i] * min(name.exposed, high - held)
                    slope += names.wash_cost[i] if high - held <= name.exposed + DUST else 0.0
                if high > low:
                    curves.segment_low[segment] = max(held, low)
                    curves.segment_slope[segment] = slope
                    segment += 1
            position = held
            for place in range(lots.start[i], lots.start[i + 1]):
                if position <= low + DUST:
                    break
                if lots.is_loss[place] and plan.mode[planned] != SELL:
                    continue
                end = position - lots.weight[place]
                # What lies above the high end is sold in the whole piece: part of its cost.
                cost += lots.rate[place] * max(0.0, position - max(end, high))
                if end < high and low < high:
                    curves.segment_low[segment] = max(end, low)
                    curves.segment_slope[segment] = -lots.rate[place]
                    segment += 1
                position = end
            curves.low[piece] = low
            curves.high[piece] = high
            curves.cost[piece] = cost
            curves.mode[piece] = plan.mode[planned]
            piece += 1
            curves.first[piece] = segment
    curves.start[account.n] = piece


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

    pull = b − slack × q is where w would be without costs.
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
    """Minimum over a piece of κd/2 (w−b)² + q w + c(w), and its w."""
    benchmark = names.benchmark[i]
    slack = names.slack[i]
    weight, cost, _ = walk(
        curves.segment_low,
        curves.segment_slope,
        curves.first[piece],
        curves.first[piece + 1],
        curves.high[piece],
        curves.cost[piece],
        benchmark - q * slack,
        slack,
    )
    active = weight - benchmark
    return 0.5 * names.curvature[i] * active * active + q * weight + cost, weight


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
