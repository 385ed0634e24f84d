"""The cost of one name as a function of its weight, cut into convex pieces.

A piece (`pieces`) is an interval [low, high] of weights with a convex, piecewise linear cost; its
segments go from the high end down, each with its low end and its slope dc/dw. Selling lot j of
price τ_j = tax + half-spread + charge per weight gives the slope −τ_j, lots by rising τ.

Rows of other kinds than linear (turnover, gains, counts) enter with their multipliers as prices
of lots, of purchases, of pieces.

The minimum over a piece of κd/2 (w−b)² + q w + c(w) is found exactly by walking the segments.
"""

from __future__ import annotations

from allotment.compiled import hidden, inner, part
from allotment.optimize.load import TURNOVER
from allotment.optimize.pieces import DUST, SELL, name_facts, plan_branches, plan_relaxed
from allotment.optimize.relief import leaving
from allotment.optimize.workspace import Accounts, Claims, Curves, Leaving, Lots, Names, Plan, Shape
from allotment.units import Floats


@hidden
def build_pieces(
    shape: Shape,
    accounts: Accounts,
    names: Names,
    lots: Lots,
    claims: Claims,
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
        name = name_facts(accounts, names, lots, i, shape.has_kinds)
        in_order = accounts.in_order[a]
        count = plan_branches(lots, claims, plan, name, i, in_order, shape.has_kinds)
        count = plan_relaxed(plan, count, name, accounts.limit_price[a])
        buying = _buying(accounts, names, i)
        for planned in range(count):
            _take(curves, plan, planned, piece)
            segment = _write(names, lots, claims, leave, curves, i, piece, segment, buying, in_order)
            piece += 1
            curves.first[piece] = segment
    curves.start[shape.n] = piece


@hidden
def price_pieces(
    shape: Shape,
    accounts: Accounts,
    names: Names,
    lots: Lots,
    claims: Claims,
    leave: Leaving,
    curves: Curves,
    bought: bool,
) -> None:
    """The segments of the same pieces anew, after prices of lots changed; bought: those of purchases, too."""
    segment, moved = 0, False
    for i in range(shape.n):
        first, last = curves.start[i], curves.start[i + 1]
        before = curves.first[last]
        if not (moved or bought) and lots.start[i] == lots.start[i + 1]:
            segment = before
            continue
        in_order = accounts.in_order[names.account[i]]
        buying = _buying(accounts, names, i)
        for piece in range(first, last):
            segment = _write(names, lots, claims, leave, curves, i, piece, segment, buying, in_order)
            curves.first[piece + 1] = segment
        moved = segment != before


@inner
def _buying(accounts: Accounts, names: Names, i: int) -> float:
    """Price of a unit of weight bought of name i."""
    price: float = names.half_spread[i] + 0.5 * accounts.kind_price[names.account[i], TURNOVER]
    return price


@inner
def _take(curves: Curves, plan: Plan, planned: int, piece: int) -> None:
    """Write one planned piece, its segments still missing."""
    curves.low[piece], curves.high[piece] = plan.low[planned], plan.high[planned]
    curves.mode[piece] = plan.mode[planned]
    curves.losses[piece] = plan.losses[planned] if plan.mode[planned] == SELL else 0.0
    curves.washed[piece] = plan.washed[planned]
    curves.fixed[piece] = plan.fixed[planned]
    curves.big[piece] = plan.big[planned]
    curves.least[piece] = plan.least[planned]


@part
def _write(
    names: Names,
    lots: Lots,
    claims: Claims,
    leave: Leaving,
    curves: Curves,
    i: int,
    piece: int,
    segment: int,
    buying: float,
    in_order: bool,
) -> int:
    """Write a piece's cost and segments; returns the next segment."""
    low, high, held, big = curves.low[piece], curves.high[piece], names.held[i], curves.big[piece]
    cost = curves.fixed[piece] + big * high
    again = -1.0
    if curves.least[piece] >= 0.0:
        again, proceeds = _sold_again(lots, leave, i, curves.least[piece], buying)
        cost += proceeds
    bottom = held - max(again, 0.0)  # purchases begin here
    if high > bottom:
        slope = buying
        cost += slope * (high - bottom)
        # The piece lies on one claim, or beyond all of them: its middle tells.
        middle, older = 0.5 * (max(low, held) + high) - held, 0.0
        for claim in range(claims.start[i], claims.start[i + 1]):
            dear, newer = claims.cost[claim], older + claims.weight[claim]
            cost += dear * max(0.0, min(newer, high - held) - older)
            slope += dear if older < middle <= newer else 0.0
            older = newer
        if high > low:
            curves.segment_low[segment] = max(bottom, low)
            curves.segment_slope[segment] = slope + big
            segment += 1
    position = held
    for x in range(leaving(lots, leave, i, curves.losses[piece], curves.washed[piece], in_order)):
        if position <= low + DUST:
            break
        rate = leave.price[x]
        end = position - leave.weight[x]
        # What lies above the high end is sold in the whole piece: part of its cost.
        cost += rate * max(0.0, min(position, bottom) - max(end, high))
        if end < min(high, bottom) and low < high:
            curves.segment_low[segment] = max(end, low)
            curves.segment_slope[segment] = big - rate
            segment += 1
        position = end
    curves.cost[piece] = cost
    curves.again[piece] = again
    return segment


@hidden
def _sold_again(lots: Lots, leave: Leaving, i: int, least: float, buying: float) -> tuple[float, float]:
    """Weight of lots at a gain that are worth selling to buy them back, or `least`; and their price."""
    sold, cost = 0.0, 0.0
    for x in range(leaving(lots, leave, i, 0.0, 0.0, False)):
        price, weight = leave.price[x], leave.weight[x]
        if price + buying >= 0.0:
            weight = min(weight, least - sold)
            if weight <= 0.0:
                break
        sold += weight
        cost += price * weight
    return sold, cost


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
