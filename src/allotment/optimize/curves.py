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

import math

from allotment.compiled import kernel
from allotment.optimize.problem import Problems, SolveOptions
from allotment.optimize.workspace import Workspace

EITHER, SELL, BUY = 0, 1, 2
DUST = 1e-12  # weights closer than this are the same


@kernel
def sort_lots(work: Workspace, problem: Problems, a: int) -> None:
    """Fill `lot_order` with each name's sellable lots (positions in the batch) by rising rate."""
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    end = 0
    for i in range(n):
        name = first + i
        start = end
        work.lot_order_from[i] = start
        if not problem.may_sell[name]:
            continue
        for lot in range(problem.lots_from[name], problem.lots_from[name + 1]):
            barred = problem.lot_is_loss[lot] and problem.young[name] > 0.0
            if barred or not problem.lot_sellable[lot] or problem.lot_weight[lot] <= 0.0:
                continue
            rate = problem.lot_tax[lot] + problem.half_spread[name]
            rate += problem.lot_charge[a] / problem.lot_weight[lot]
            place = end
            while place > start and work.lot_rate[place - 1] > rate:
                work.lot_rate[place] = work.lot_rate[place - 1]
                work.lot_order[place] = work.lot_order[place - 1]
                place -= 1
            work.lot_rate[place] = rate
            work.lot_order[place] = lot
            end += 1
    work.lot_order_from[n] = end


@kernel
def sellable_weight(work: Workspace, problem: Problems, i: int, gains_only: bool) -> float:
    """Weight of name i (position in the account) in lots that may be sold."""
    total = 0.0
    for place in range(work.lot_order_from[i], work.lot_order_from[i + 1]):
        lot = work.lot_order[place]
        if not (gains_only and problem.lot_is_loss[lot]):
            total += problem.lot_weight[lot]
    return total


@kernel
def _add_piece(
    work: Workspace,
    problem: Problems,
    a: int,
    i: int,
    piece: int,
    low: float,
    high: float,
    gains_only: bool,
    mode: int,
    fixed: float,
) -> int:
    """Write the piece [low, high] of name i and its segments; returns the next piece's number.

    A `high` above what is held buys, a `low` below it sells. The name's limits cut both; when
    nothing is left, no piece is written. On purchases beyond `wash_exposed` only the part above
    it is convex: callers cut there.
    """
    name = problem.names_from[a] + i
    held = work.held[i]
    low = max(low, problem.weight_min[name])
    high = min(high, problem.weight_max[name])
    if low > high + DUST:
        return piece
    high = max(low, high)
    spread = problem.half_spread[name]
    segment = work.segment_from[piece]
    cost = fixed
    top = high
    if top > held:
        exposed = min(problem.wash_exposed[name], top - held)
        inside = exposed > 0.0 and top <= held + problem.wash_exposed[name] + DUST
        cost += spread * (top - held)
        if exposed > 0.0:
            cost += problem.wash_cost[name] * exposed
        work.segment_low[segment] = max(held, low)
        work.segment_slope[segment] = spread + (problem.wash_cost[name] if inside else 0.0)
        segment += 1
        top = held
    position = held
    for place in range(work.lot_order_from[i], work.lot_order_from[i + 1]):
        if position <= low + DUST:
            break
        lot = work.lot_order[place]
        if gains_only and problem.lot_is_loss[lot]:
            continue
        end = position - problem.lot_weight[lot]
        rate = work.lot_rate[place]
        if end >= high:
            cost += rate * problem.lot_weight[lot]
        else:
            if position > high:
                cost += rate * (position - high)
            work.segment_low[segment] = max(end, low)
            work.segment_slope[segment] = -rate
            segment += 1
        position = end
    work.piece_low[piece] = low
    work.piece_high[piece] = high
    work.piece_cost[piece] = cost
    work.piece_mode[piece] = mode
    work.segment_from[piece + 1] = segment
    return piece + 1


@kernel
def _add_point(work: Workspace, piece: int, weight: float, mode: int, cost: float) -> int:
    """Write a piece of a single weight."""
    work.piece_low[piece] = weight
    work.piece_high[piece] = weight
    work.piece_cost[piece] = cost
    work.piece_mode[piece] = mode
    work.segment_from[piece + 1] = work.segment_from[piece]
    return piece + 1


@kernel
def limit_excess(problem: Problems, name: int, weight: float) -> float:
    """How far a weight lies outside the name's limits; name is a position in the batch."""
    below = problem.weight_min[name] - weight
    above = weight - problem.weight_max[name]
    excess = max(below, above)
    return excess if excess > DUST else 0.0


@kernel
def may_buy(problem: Problems, name: int) -> bool:
    """False for a name that is barred or blocked; name is a position in the batch."""
    blocked = problem.wash_exposed[name] > 0.0 and math.isinf(problem.wash_cost[name])
    return bool(problem.may_buy[name] and not blocked)


@kernel
def _add_purchases(
    work: Workspace, problem: Problems, a: int, i: int, piece: int, low: float, least: float, fixed: float
) -> int:
    """The pieces that buy at least `least`; the first begins at `low`, below what is held or not."""
    name = problem.names_from[a] + i
    held = work.held[i]
    exposed = problem.wash_exposed[name]
    top = max(problem.weight_max[name], held)
    if exposed > 0.0 and problem.wash_cost[name] != 0.0 and held + exposed < top:
        if exposed > least:
            piece = _add_piece(work, problem, a, i, piece, low, held + exposed, True, BUY, fixed)
        low = max(low, held + max(exposed, least))
    return _add_piece(work, problem, a, i, piece, low, top, True, BUY, fixed)


@kernel
def _add_branches(work: Workspace, problem: Problems, a: int, i: int, piece: int, has_loss: bool) -> int:
    """The pieces of a name inside its limits. Without fixed charges they share the point held."""
    name = problem.names_from[a] + i
    held = work.held[i]
    least = problem.trade_min[a]
    ticket = problem.ticket_charge[a]
    buys = may_buy(problem, name)
    low = held - sellable_weight(work, problem, i, False)
    low = 0.0 if low < DUST else low
    low_gains = low
    if has_loss:
        low_gains = max(0.0, held - sellable_weight(work, problem, i, True))
    mode = SELL if has_loss else EITHER
    paired = work.in_group[i]
    if least <= 0.0 and ticket <= 0.0:
        if has_loss or paired or not buys:
            piece = _add_piece(work, problem, a, i, piece, low, held, False, mode, 0.0)
        if has_loss and paired:
            piece = _add_piece(work, problem, a, i, piece, low_gains, held, True, EITHER, 0.0)
        if buys:
            piece = _add_purchases(work, problem, a, i, piece, low_gains, 0.0, 0.0)
        return piece
    if limit_excess(problem, name, held) == 0.0:
        piece = _add_point(work, piece, held, EITHER, 0.0)
    if low <= held - least and low < held:
        piece = _add_piece(work, problem, a, i, piece, low, held - least, False, mode, ticket)
    elif low == 0.0 and held > 0.0:
        piece = _add_piece(work, problem, a, i, piece, 0.0, 0.0, False, mode, ticket)
    if has_loss and paired and low_gains <= held - least and low_gains < held:
        piece = _add_piece(work, problem, a, i, piece, low_gains, held - least, True, EITHER, ticket)
    if buys and held + least <= problem.weight_max[name]:
        piece = _add_purchases(work, problem, a, i, piece, held + least, least, ticket)
    return piece


@kernel
def build_pieces(work: Workspace, problem: Problems, a: int, options: SolveOptions) -> None:
    """All pieces of the account's names; every name gets at least one, every group a mode."""
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    piece = 0
    work.segment_from[0] = 0
    for i in range(n):
        name = first + i
        start = piece
        work.piece_from[i] = start
        held = work.held[i]
        has_loss = False
        for place in range(work.lot_order_from[i], work.lot_order_from[i + 1]):
            has_loss = has_loss or problem.lot_is_loss[work.lot_order[place]]
        piece = _add_branches(work, problem, a, i, piece, has_loss)
        excess = limit_excess(problem, name, held)
        if piece > start and not (work.in_group[i] and excess > 0.0):
            continue
        # The limits cannot be met, or not in every mode of the group: go as far as one can.
        piece = _add_point(work, piece, held, EITHER, options.limit_price * excess)
        low = held - sellable_weight(work, problem, i, False)
        if low > problem.weight_max[name] and held - low >= max(problem.trade_min[a], DUST):
            cost = problem.ticket_charge[a] + options.limit_price * limit_excess(problem, name, low)
            for place in range(work.lot_order_from[i], work.lot_order_from[i + 1]):
                cost += work.lot_rate[place] * problem.lot_weight[work.lot_order[place]]
            piece = _add_point(work, piece, low, SELL if has_loss else EITHER, cost)
    work.piece_from[n] = piece


@kernel
def piece_minimum(
    work: Workspace, piece: int, benchmark: float, curvature: float, slack: float, q: float
) -> tuple[float, float, float]:
    """Minimum of curvature/2 (w−benchmark)² + q w + c(w) over a piece.

    Returns (minimum, w, slack where w moves with q else 0).
    """
    top = work.piece_high[piece]
    cost = work.piece_cost[piece]
    free = 0.0
    weight = top
    pull = benchmark - q * slack
    for segment in range(work.segment_from[piece], work.segment_from[piece + 1]):
        slope = work.segment_slope[segment]
        low = work.segment_low[segment]
        wanted = pull - slope * slack
        if wanted >= top:
            break
        if wanted > low:
            cost -= slope * (top - wanted)
            weight = wanted
            free = slack
            break
        cost -= slope * (top - low)
        top = low
        weight = low
    active = weight - benchmark
    return 0.5 * curvature * active * active + q * weight + cost, weight, free
