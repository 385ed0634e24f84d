"""Whole steps for names whose step is large, chosen while the others can still make up for them.

Names go from the largest step to the smallest. Each takes the tradable weight that costs least in
the model of the branch search, φ + ½‖L⁻¹(residual + E Δw)‖², where the residual is what the names
before it left over and the Hessian L Lᵀ counts only names that still move freely. So an expensive
share is judged by what small ones can absorb, and the last names by what they cannot.
"""

from __future__ import annotations

import math

from allotment.compiled import inner
from allotment.optimize.curves import DUST, EITHER, piece_cost, piece_minimum
from allotment.optimize.dual import count_free, maximise
from allotment.optimize.linear import factorise, solve_lower
from allotment.optimize.workspace import (
    Account,
    Answer,
    Candidates,
    Curves,
    Entries,
    Multipliers,
    Names,
    State,
)
from allotment.units import Floats

TINY_STEP = 1e-7  # of weight; rounding by less changes no cost worth looking at
STEP_DUST = 1e-7  # steps; closer than this to a whole number is whole
_LEVELS = 24  # each half the step of the one before


@inner
def has_steps(account: Account, names: Names) -> bool:
    """True when some name's step is large enough to matter."""
    found = False
    for i in range(account.n):
        found = found or names.step[i] >= TINY_STEP
    return found


@inner
def _image(
    names: Names, entries: Entries, multipliers: Multipliers, table: Floats, i: int, image: Floats
) -> None:
    """image ← L⁻¹ E of one unit of name i."""
    k = table.shape[1]
    image[:] = 0.0
    for f in range(k):
        image[f] = table[names.asset[i], f]
    image[k] = 1.0
    for entry in range(entries.start[i], entries.start[i + 1]):
        image[entries.row[entry]] += entries.coefficient[entry]
    for r in range(k, image.shape[0]):
        if multipliers.fixed[r]:
            image[r] = 0.0
    solve_lower(multipliers.factor, image)


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
    shift = pull - stiffness * (now - names.benchmark[i])
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
            active = weight - names.benchmark[i]
            change = weight - now
            cost = 0.5 * names.curvature[i] * active * active + q * weight
            cost += piece_cost(curves, piece, weight) + pull * change + 0.5 * stiffness * change * change
            if cost < best:
                best = cost
                best_weight = weight
                best_piece = piece
    answer.weight[i] = best_weight
    answer.piece[i] = best_piece


@inner
def round_large_steps(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    state: State,
    multipliers: Multipliers,
    answer: Answer,
    candidates: Candidates,
    table: Floats,
) -> None:
    """Bring the answer's names with large steps to tradable weights."""
    n = account.n
    for x in range(multipliers.theta.shape[0]):
        multipliers.theta[x] = answer.theta[x]
    for x in range(n):
        state.chosen[x] = answer.piece[x]
    maximise(account, names, entries, curves, state, multipliers, table, False, 0, 0.0)
    largest = 0.0
    for i in range(n):
        largest = max(largest, names.step[i])
    gap = multipliers.gradient  # what is left over, by multiplier
    image = candidates.image[0]
    high = 2.0 * largest
    for _ in range(_LEVELS):
        count_free(n, names.asset, state, entries, table, multipliers.hessian)
        if not factorise(multipliers.hessian, multipliers.fixed, multipliers.factor):
            return
        for x in range(candidates.residual.shape[0]):
            candidates.residual[x] = gap[x]
        solve_lower(multipliers.factor, candidates.residual)
        for i in range(n):
            step = names.step[i]
            if step < TINY_STEP or not 0.5 * high <= step < high:
                continue
            _image(names, entries, multipliers, table, i, image)
            pull = 0.0
            stiffness = 0.0
            for r in range(image.shape[0]):
                pull += image[r] * candidates.residual[r]
                stiffness += image[r] * image[r]
            now = answer.weight[i]
            _choose(names, curves, answer, i, state.q[i], pull, stiffness)
            change = answer.weight[i] - now
            state.free[i] = 0.0
            for r in range(image.shape[0]):
                candidates.residual[r] += change * image[r]
            for f in range(account.k):
                gap[f] += change * table[names.asset[i], f]
            gap[account.k] += change
            for entry in range(entries.start[i], entries.start[i + 1]):
                gap[entries.row[entry]] += change * entries.coefficient[entry]
        high *= 0.5
        if high < TINY_STEP:
            return
