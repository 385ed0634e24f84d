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

from allotment.compiled import kernel
from allotment.optimize.workspace import Account, Curves, Lots, Names
from allotment.units import Floats

EITHER, SELL, BUY = 0, 1, 2
DUST = 1e-12  # weights closer than this are the same


@kernel
def sellable_weight(lots: Lots, i: int, gains_only: bool) -> float:
    """Weight of name i in lots that may be sold."""
    total = 0.0
    for place in range(lots.start[i], lots.start[i + 1]):
        if not (gains_only and lots.is_loss[place]):
            total += lots.weight[place]
    return total


@kernel
def limit_excess(weight: float, weight_min: float, weight_max: float) -> float:
    """How far a weight lies outside a name's limits."""
    excess = max(weight_min - weight, weight - weight_max)
    return excess if excess > DUST else 0.0


@kernel
def _add_piece(
    names: Names,
    lots: Lots,
    curves: Curves,
    i: int,
    piece: int,
    low: float,
    high: float,
    mode: int,
    fixed: float,
) -> int:
    """Write the piece [low, high] of name i and its segments; returns the next piece's number.

    A `high` above what is held buys, a `low` below it sells, loss lots only in mode SELL. The
    name's limits cut both; when nothing is left, no piece is written. A purchase beyond
    `wash_exposed` costs its full wash; callers cut pieces there, for the cost is not convex.
    """
    held = names.held[i]
    low = max(low, names.weight_min[i])
    high = min(high, names.weight_max[i])
    if low > high + DUST:
        return piece
    high = max(low, high)
    segment = curves.first[piece]
    cost = fixed
    if high > held:
        bought = high - held
        exposed = names.wash_exposed[i]
        slope = names.half_spread[i]
        cost += slope * bought
        if exposed > 0.0:
            cost += names.wash_cost[i] * min(exposed, bought)
            slope += names.wash_cost[i] if bought <= exposed + DUST else 0.0
        curves.segment_low[segment] = max(held, low)
        curves.segment_slope[segment] = slope
        segment += 1
    position = held
    for place in range(lots.start[i], lots.start[i + 1]):
        if position <= low + DUST:
            break
        if lots.is_loss[place] and mode != SELL:
            continue
        end = position - lots.weight[place]
        # What lies above the high end is sold in the whole piece and is part of its cost.
        cost += lots.rate[place] * max(0.0, position - max(end, high))
        if end < high:
            curves.segment_low[segment] = max(end, low)
            curves.segment_slope[segment] = -lots.rate[place]
            segment += 1
        position = end
    curves.low[piece] = low
    curves.high[piece] = high
    curves.cost[piece] = cost
    curves.mode[piece] = mode
    curves.first[piece + 1] = segment
    return piece + 1


@kernel
def _add_point(curves: Curves, piece: int, weight: float, mode: int, cost: float) -> int:
    """Write a piece of a single weight."""
    curves.low[piece] = weight
    curves.high[piece] = weight
    curves.cost[piece] = cost
    curves.mode[piece] = mode
    curves.first[piece + 1] = curves.first[piece]
    return piece + 1


@kernel
def _add_purchases(
    names: Names, lots: Lots, curves: Curves, i: int, piece: int, low: float, least: float, fixed: float
) -> int:
    """The pieces that buy at least `least`; the first begins at `low`, maybe below what is held."""
    held = names.held[i]
    exposed = names.wash_exposed[i]
    top = max(names.weight_max[i], held)
    if exposed > 0.0 and names.wash_cost[i] > 0.0 and held + exposed < top:
        if exposed > least:
            piece = _add_piece(names, lots, curves, i, piece, low, held + exposed, BUY, fixed)
        low = max(low, held + max(exposed, least))
    return _add_piece(names, lots, curves, i, piece, low, top, BUY, fixed)


@kernel
def _add_branches(
    account: Account, names: Names, lots: Lots, curves: Curves, i: int, piece: int, has_loss: bool
) -> int:
    """The pieces of a name inside its limits. Without fixed charges they share the point held."""
    held = names.held[i]
    least = account.trade_min
    ticket = account.ticket_charge
    buys = names.may_buy[i]
    low = held - sellable_weight(lots, i, False)
    low = 0.0 if low < DUST else low
    low_gains = held - sellable_weight(lots, i, True) if has_loss else low
    mode = SELL if has_loss else EITHER
    paired = names.in_group[i]
    if least <= 0.0 and ticket <= 0.0:
        if has_loss or paired or not buys:
            piece = _add_piece(names, lots, curves, i, piece, low, held, mode, 0.0)
        if has_loss and paired:
            piece = _add_piece(names, lots, curves, i, piece, low_gains, held, EITHER, 0.0)
        if buys:
            piece = _add_purchases(names, lots, curves, i, piece, low_gains, 0.0, 0.0)
        return piece
    if limit_excess(held, names.weight_min[i], names.weight_max[i]) == 0.0:
        piece = _add_point(curves, piece, held, EITHER, 0.0)
    top = held - least
    if low <= top and low < held:
        piece = _add_piece(names, lots, curves, i, piece, low, top, mode, ticket)
    elif low == 0.0 and held > 0.0:
        piece = _add_piece(names, lots, curves, i, piece, 0.0, 0.0, mode, ticket)
    if has_loss and paired and low_gains <= top and low_gains < held:
        piece = _add_piece(names, lots, curves, i, piece, low_gains, top, EITHER, ticket)
    if buys and held + least <= names.weight_max[i]:
        piece = _add_purchases(names, lots, curves, i, piece, held + least, least, ticket)
    return piece


@kernel
def build_pieces(account: Account, names: Names, lots: Lots, curves: Curves) -> None:
    """All pieces of the account's names; every name gets at least one, every group a mode."""
    piece = 0
    curves.first[0] = 0
    for i in range(account.n):
        start = piece
        curves.start[i] = start
        has_loss = False
        for place in range(lots.start[i], lots.start[i + 1]):
            has_loss = has_loss or lots.is_loss[place]
        piece = _add_branches(account, names, lots, curves, i, piece, has_loss)
        held = names.held[i]
        excess = limit_excess(held, names.weight_min[i], names.weight_max[i])
        if piece > start and not (names.in_group[i] and excess > 0.0):
            continue
        # The limits cannot be met, or not in every mode of the group: go as far as one can.
        piece = _add_point(curves, piece, held, EITHER, account.limit_price * excess)
        low = held - sellable_weight(lots, i, False)
        if low > names.weight_max[i] and held - low >= max(account.trade_min, DUST):
            cost = account.ticket_charge + account.limit_price * (low - names.weight_max[i])
            for place in range(lots.start[i], lots.start[i + 1]):
                cost += lots.rate[place] * lots.weight[place]
            piece = _add_point(curves, piece, low, SELL if has_loss else EITHER, cost)
    curves.start[account.n] = piece


@kernel
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


@kernel
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


@kernel
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
