"""The dual bound over tradable weights only: whole steps from what is held, or closing out.

On a convex piece the best tradable weight stands next to the best weight, so its two neighbours
and the closed-out name are all there is to look at. Any multipliers give a bound; those of the
search, which knows no steps, serve well.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner
from allotment.optimize.curves import piece_cost, piece_minimum
from allotment.optimize.dual import multiplier_terms, prices
from allotment.optimize.load import STEP_DUST, TINY_STEP
from allotment.optimize.measures import price_kinds
from allotment.optimize.pieces import BUY, DUST, SELL
from allotment.optimize.workspace import Curves, Names, Shape, Workspace
from allotment.units import Floats


@inner
def _at(names: Names, curves: Curves, i: int, piece: int, q: float, weight: float) -> float:
    """Cost of a weight on a piece at price q; a large number where the piece does not reach."""
    if weight < curves.low[piece] - DUST or weight > curves.high[piece] + DUST:
        return 1e300
    weight = min(max(weight, curves.low[piece]), curves.high[piece])
    apart = weight - names.center[i]
    held_cost: float = 0.5 * names.curvature[i] * apart * apart + q * weight
    return held_cost + piece_cost(curves, piece, weight)


@inner
def _name_minimum(names: Names, curves: Curves, i: int, q: float, barred: int) -> float:
    """Least over the tradable weights on the pieces of name i whose mode is not `barred`."""
    best = 1e300
    step = names.step[i]
    held = names.held[i]
    for piece in range(curves.start[i], curves.start[i + 1]):
        if curves.mode[piece] == barred:
            continue
        phi, weight = piece_minimum(names, curves, i, piece, q)
        if step < TINY_STEP or curves.low[piece] == curves.high[piece]:
            best = min(best, phi)
            continue
        below = held + math.floor((weight - held) / step + STEP_DUST) * step
        best = min(best, _at(names, curves, i, piece, q, below))
        best = min(best, _at(names, curves, i, piece, q, below + step))
        if curves.low[piece] == 0.0:
            best = min(best, _at(names, curves, i, piece, q, 0.0))
    return best


@hidden
def lattice_bound(shape: Shape, work: Workspace, table: Floats, theta: Floats, q: Floats) -> float:
    """D(theta) over tradable weights; overwrites q."""
    names, curves = work.names, work.curves
    price_kinds(shape, work, theta)
    prices(shape, work.accounts, names, work.entries, table, theta, q)
    total = multiplier_terms(shape, work.multipliers, theta)
    for i in range(shape.n):
        q[i] -= names.utility[i]
        if not names.in_group[i]:
            total += _name_minimum(names, curves, i, q[i], -1)
    for g in range(shape.n_groups):
        sell = 0.0
        buy = 0.0
        i = names.group_head[g]
        while i >= 0:
            sell += _name_minimum(names, curves, i, q[i], BUY)
            buy += _name_minimum(names, curves, i, q[i], SELL)
            i = names.group_next[i]
        total += min(sell, buy)
    return total
