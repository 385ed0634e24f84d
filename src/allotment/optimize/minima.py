"""The names' exact minima at given prices: over the chosen pieces, or over every branch."""

from __future__ import annotations

from allotment.compiled import inner
from allotment.optimize.curves import walk
from allotment.optimize.pieces import BUY, SELL
from allotment.optimize.workspace import Curves, Names, Shape, State
from allotment.units import Floats


@inner
def chosen_minima(n: int, names: Names, curves: Curves, state: State, q: Floats) -> float:
    """Σ of the minima over the chosen pieces; fills weight, free, phi and piece."""
    total = 0.0
    for i in range(n):
        piece = state.chosen[i]
        center = names.center[i]
        slack = names.slack[i]
        weight, cost, free = walk(
            curves.segment_low,
            curves.segment_slope,
            curves.first[piece],
            curves.first[piece + 1],
            curves.high[piece],
            curves.cost[piece],
            center - q[i] * slack,
            slack,
        )
        apart = weight - center
        phi = 0.5 * names.curvature[i] * apart * apart + q[i] * weight + cost
        state.phi[i] = phi
        state.weight[i] = weight
        state.free[i] = free
        state.piece[i] = piece
        total += phi
    return total


@inner
def name_minimum(names: Names, curves: Curves, state: State, i: int, q: float, barred: int) -> float:
    """Least over the pieces of name i whose mode is not `barred`; fills the name's minimiser."""
    best = 1e300
    center = names.center[i]
    curvature = names.curvature[i]
    slack = names.slack[i]
    pull = center - q * slack
    for piece in range(curves.start[i], curves.start[i + 1]):
        if curves.mode[piece] == barred:
            continue
        weight, cost, free = walk(
            curves.segment_low,
            curves.segment_slope,
            curves.first[piece],
            curves.first[piece + 1],
            curves.high[piece],
            curves.cost[piece],
            pull,
            slack,
        )
        apart = weight - center
        phi = 0.5 * curvature * apart * apart + q * weight + cost
        if phi < best:
            best = phi
            state.weight[i] = weight
            state.free[i] = free
            state.piece[i] = piece
    state.phi[i] = best
    return best


@inner
def group_minimum(names: Names, curves: Curves, state: State, head: int, q: Floats, barred: int) -> float:
    """Σ over the group that starts at `head` of its members' minima without the mode `barred`."""
    total = 0.0
    i = head
    while i >= 0:
        total += name_minimum(names, curves, state, i, q[i], barred)
        i = names.group_next[i]
    return total


@inner
def all_minima(shape: Shape, names: Names, curves: Curves, state: State, q: Floats) -> float:
    """Σ over groups of the minimum over every branch; fills weight, free, phi, piece and barred."""
    total = 0.0
    for i in range(shape.n):
        if not names.in_group[i]:
            total += name_minimum(names, curves, state, i, q[i], -1)
    for g in range(shape.n_groups):
        head = names.group_head[g]
        sell = group_minimum(names, curves, state, head, q, BUY)
        buy = group_minimum(names, curves, state, head, q, SELL)
        total += min(buy, sell)
        state.barred[head] = SELL
        if sell < buy:
            group_minimum(names, curves, state, head, q, BUY)
            state.barred[head] = BUY
    return total
