"""Whole steps for names whose step is large, chosen while the others can still make up for them.

Names go from the largest step to the smallest. Each takes the tradable weight that costs least in
the model of the branch search, φ + ½‖L⁻¹(residual + E Δw)‖², where the residual is what the names
before it left over and the Hessian L Lᵀ counts only names that still move freely. So an expensive
share is judged by what small ones can absorb, and the last names by what they cannot.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, part
from allotment.optimize.curves import piece_cost, piece_minimum
from allotment.optimize.dual import Effort, copy_to, maximise
from allotment.optimize.hessian import count_free
from allotment.optimize.linear import factorise, solve_lower
from allotment.optimize.load import STEP_DUST, TINY_STEP
from allotment.optimize.pieces import DUST, EITHER
from allotment.optimize.workspace import Answer, Curves, Names, Shape, Workspace
from allotment.units import Floats

_LEVELS = 24  # each half the step of the one before


@inner
def has_steps(n: int, names: Names) -> bool:
    """True when some name's step is large enough to matter."""
    found = False
    for i in range(n):
        found = found or names.step[i] >= TINY_STEP
    return found


@hidden
def _image(shape: Shape, work: Workspace, table: Floats, i: int, image: Floats) -> None:
    """image ← L⁻¹ E of one unit of name i, linear rows only."""
    m = work.multipliers
    image[:] = 0.0
    offset = work.accounts.offset[work.names.account[i]]
    for f in range(shape.k):
        image[offset + f] = table[work.names.asset[i], f]
    image[offset + shape.k] = 1.0
    for entry in range(work.entries.start[i], work.entries.start[i + 1]):
        image[work.entries.row[entry]] += work.entries.coefficient[entry]
    for r in range(shape.size):
        if m.fixed[r]:
            image[r] = 0.0
    solve_lower(m.factor, m.first, image)


@inner
def _choose(
    names: Names, curves: Curves, answer: Answer, i: int, q: float, pull: float, stiffness: float
) -> None:
    """Give name i the tradable weight of least φ + pull Δw + ½ stiffness Δw²."""
    step = names.step[i]
    held = names.held[i]
    now = answer.weight[i]
    own = answer.piece[i]
    best = 1e300
    best_weight = now
    best_piece = own
    # The model shifts the price of the name; neighbours are looked for at the shifted price.
    shift = pull - stiffness * (now - names.center[i])
    relief = names.curvature[i] / (names.curvature[i] + stiffness)
    for piece in range(curves.start[i], curves.start[i + 1]):
        agrees = curves.mode[piece] == curves.mode[own] or curves.mode[piece] == EITHER
        if names.in_group[i] and not agrees:
            continue
        _, wanted = piece_minimum(names, curves, i, piece, (q + shift) * relief)
        below = held + math.floor((wanted - held) / step + STEP_DUST) * step
        for kind in range(5):
            # The neighbours and one beyond each side, for slopes feel the shift less than curvature.
            weight = below + (kind - 1) * step
            if kind == 4:
                weight = 0.0 if curves.low[piece] == 0.0 else held
            if weight < curves.low[piece] - DUST or weight > curves.high[piece] + DUST:
                continue
            weight = min(max(weight, curves.low[piece]), curves.high[piece])
            apart = weight - names.center[i]
            change = weight - now
            cost = 0.5 * names.curvature[i] * apart * apart + q * weight
            cost += piece_cost(curves, piece, weight) + pull * change + 0.5 * stiffness * change * change
            if cost < best:
                best = cost
                best_weight = weight
                best_piece = piece
    answer.weight[i] = best_weight
    answer.piece[i] = best_piece


@part
def round_large_steps(shape: Shape, work: Workspace, table: Floats) -> None:
    """Bring the answer's names with large steps to tradable weights."""
    accounts, names, entries = work.accounts, work.names, work.entries
    state, m, answer, candidates = work.state, work.multipliers, work.answer, work.candidates
    copy_to(m.theta, answer.theta, shape.size)
    for i in range(shape.n):
        state.chosen[i] = answer.piece[i]
    maximise(shape, work, table, False, Effort(0, 0.0, math.inf))
    largest = 0.0
    for i in range(shape.n):
        largest = max(largest, names.step[i])
    gap = m.gradient  # what is left over, by multiplier
    image = candidates.image[0]
    high = 2.0 * largest
    for _ in range(_LEVELS):
        count_free(shape, work, table)
        if not factorise(m.hessian, m.first, m.fixed, m.factor):
            return
        copy_to(candidates.residual, gap, shape.size)
        solve_lower(m.factor, m.first, candidates.residual)
        for i in range(shape.n):
            step = names.step[i]
            if step < TINY_STEP or not 0.5 * high <= step < high:
                continue
            _image(shape, work, table, i, image)
            pull = 0.0
            stiffness = 0.0
            for r in range(shape.size):
                pull += image[r] * candidates.residual[r]
                stiffness += image[r] * image[r]
            now = answer.weight[i]
            _choose(names, work.curves, answer, i, state.q[i], pull, stiffness)
            change = answer.weight[i] - now
            state.free[i] = 0.0
            for r in range(shape.size):
                candidates.residual[r] += change * image[r]
            offset = accounts.offset[names.account[i]]
            for f in range(shape.k):
                gap[offset + f] += change * table[names.asset[i], f]
            gap[offset + shape.k] += change
            for entry in range(entries.start[i], entries.start[i + 1]):
                gap[entries.row[entry]] += change * entries.coefficient[entry]
        high *= 0.5
        if high < TINY_STEP:
            return
