"""The search over branches: which piece of its cost curve each name takes.

First the dual over every branch is climbed; its minimisers are the first choice. Then, with the
choice fixed, the convex problem is solved exactly. What a flip of one group from piece c to
piece a would bring is known to second order without solving again: φ_a − φ_c + ½‖L⁻¹E Δw‖²,
L the Cholesky factor of the Hessian; several flips together cost Σ (φ_a − φ_c) + ½‖Σ L⁻¹E Δw‖².
A local search over single flips and pairs on this model proposes, an exact solve disposes.

A branch whose φ exceeds the group's best by more than the gap is in no better answer, so it is
no candidate: D + (φ_a − φ_best) bounds every answer that takes it.
"""

from __future__ import annotations

from typing import NamedTuple

from allotment.compiled import inner
from allotment.optimize.curves import BUY, EITHER, SELL, piece_minimum
from allotment.optimize.dual import maximise, multiplier_terms
from allotment.optimize.flips import best_flips
from allotment.optimize.linear import factorise, solve_lower
from allotment.optimize.minima import all_minima, chosen_minima, group_minimum, name_minimum
from allotment.optimize.problem import SolveOptions
from allotment.optimize.workspace import (
    CANDIDATES_MAX,
    Account,
    Answer,
    Candidates,
    Curves,
    Entries,
    Multipliers,
    Names,
    State,
)
from allotment.units import Floats, Index

_RELAXED_STEPS = 8
_FIXED_STEPS = 25
_RELAXED_TOLERANCE = 1e-9
_FIXED_TOLERANCE = 1e-16
_FIRST_THRESHOLD = 1e-5  # excess of candidates before a gap is known
_WORTH = 1e-9  # a smaller improvement is not worth another solve


class Found(NamedTuple):
    """What the search ended with, as fractions of account value."""

    cost: float
    bound: float
    n_solves: int


@inner
def answer_cost(account: Account, names: Names, state: State, multipliers: Multipliers) -> float:
    """Cost of the current minimisers on the chosen pieces, leaving rows priced."""
    total = 0.0
    for i in range(account.n):
        total += state.phi[i] - (state.q[i] + names.utility[i]) * state.weight[i]
    for f in range(account.k):
        total += 0.5 * account.risk_price * multipliers.value[f] * multipliers.value[f]
    for r in range(account.k, multipliers.theta.shape[0]):
        value = multipliers.value[r]
        excess = max(value - multipliers.upper[r], multipliers.lower[r] - value)
        if excess > 0.0:
            total += multipliers.price[r] * excess
    return total


@inner
def _add(candidates: Candidates, count: int, name: int, cost: float, piece: int) -> int:
    """Append a flip; when the list is full, it takes the dearest one's place or none."""
    place = count
    if count == CANDIDATES_MAX:
        place = 0
        for c in range(1, count):
            if candidates.cost[c] > candidates.cost[place]:
                place = c
        if cost >= candidates.cost[place]:
            return count
    candidates.name[place] = name
    candidates.cost[place] = cost
    candidates.piece[place] = piece
    return max(count, place + 1)


@inner
def _collect(
    account: Account,
    names: Names,
    curves: Curves,
    state: State,
    candidates: Candidates,
    threshold: float,
) -> int:
    """List the flips within `threshold` of their group's best branch, the nearest ones if too many."""
    count = 0
    for i in range(account.n):
        if names.in_group[i] or curves.start[i + 1] - curves.start[i] < 2:
            continue
        best = 1e300
        other = -1
        for piece in range(curves.start[i], curves.start[i + 1]):
            if piece == state.chosen[i]:
                continue
            phi, weight = piece_minimum(names, curves, i, piece, state.q[i])
            if phi < best and weight != candidates.weight[i]:
                best = phi
                other = piece
        now = candidates.phi[i]
        if other < 0 or best - min(best, now) > threshold:
            continue
        count = _add(candidates, count, i, best - now, other)
    for g in range(account.n_groups):
        count = _collect_group(names, curves, state, candidates, names.group_head[g], threshold, count)
    return count


@inner
def _collect_group(
    names: Names,
    curves: Curves,
    state: State,
    candidates: Candidates,
    head: int,
    threshold: float,
    count: int,
) -> int:
    """The flip of a group: to its other mode, or to better pieces in its own."""
    now = 0.0
    mode = EITHER
    i = head
    while i >= 0:
        now += candidates.phi[i]
        if curves.mode[state.chosen[i]] != EITHER:
            mode = curves.mode[state.chosen[i]]
        i = names.group_next[i]
    sell = group_minimum(names, curves, state, head, state.q, BUY)
    buy = group_minimum(names, curves, state, head, state.q, SELL)
    wanted = BUY if mode == SELL else SELL
    best = buy if mode == SELL else sell
    own = sell if mode == SELL else buy
    if own < now and own <= best:
        wanted = SELL if mode == SELL else BUY
        best = own
    if best - min(best, now) > threshold:
        return count
    return _add(candidates, count, head, best - now, -1 - wanted)


@inner
def _image(
    names: Names,
    entries: Entries,
    curves: Curves,
    state: State,
    multipliers: Multipliers,
    candidates: Candidates,
    table: Floats,
    c: int,
) -> None:
    """image[c] ← L⁻¹ E Δw. Overwrites the minimisers of a group's names."""
    k = table.shape[1]
    image = candidates.image[c]
    image[:] = 0.0
    i = candidates.name[c]
    piece = candidates.piece[c]
    while i >= 0:
        if piece >= 0:
            _, weight = piece_minimum(names, curves, i, piece, state.q[i])
        else:
            name_minimum(names, curves, state, i, state.q[i], BUY if piece == -1 - SELL else SELL)
            weight = state.weight[i]
        change = weight - candidates.weight[i]
        row = names.asset[i]
        for f in range(k):
            image[f] += change * table[row, f]
        image[k] += change
        for entry in range(entries.start[i], entries.start[i + 1]):
            image[entries.row[entry]] += change * entries.coefficient[entry]
        i = names.group_next[i] if piece < 0 else -1
    for r in range(k, image.shape[0]):
        if multipliers.fixed[r]:
            image[r] = 0.0
    solve_lower(multipliers.factor, image)


@inner
def _apply_flips(
    names: Names, curves: Curves, state: State, candidates: Candidates, chosen: Index, count: int
) -> None:
    for c in range(count):
        if not candidates.taken[c]:
            continue
        i = candidates.name[c]
        piece = candidates.piece[c]
        if piece >= 0:
            chosen[i] = piece
            continue
        while i >= 0:
            name_minimum(names, curves, state, i, state.q[i], BUY if piece == -1 - SELL else SELL)
            chosen[i] = state.preferred[i]
            i = names.group_next[i]


@inner
def _propose(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    state: State,
    multipliers: Multipliers,
    candidates: Candidates,
    table: Floats,
    threshold: float,
) -> bool:
    """Flip `chosen` where the model promises most; False when it promises nothing.

    Needs q, the minimisers of the chosen pieces, gradient and Hessian; overwrites minimisers.
    """
    for x in range(account.n):
        candidates.weight[x] = state.weight[x]
    for x in range(account.n):
        candidates.phi[x] = state.phi[x]
    count = _collect(account, names, curves, state, candidates, threshold)
    if count == 0 or not factorise(multipliers.hessian, multipliers.fixed, multipliers.factor):
        return False
    for c in range(count):
        _image(names, entries, curves, state, multipliers, candidates, table, c)
    for x in range(candidates.residual.shape[0]):
        candidates.residual[x] = multipliers.gradient[x]
    solve_lower(multipliers.factor, candidates.residual)
    if best_flips(candidates, count) > -_WORTH:
        return False
    _apply_flips(names, curves, state, candidates, state.chosen, count)
    return True


@inner
def search(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    state: State,
    multipliers: Multipliers,
    answer: Answer,
    candidates: Candidates,
    table: Floats,
    options: SolveOptions,
) -> Found:
    """Fill `answer` with the best choice of branches found and the best bound's multipliers."""
    n = account.n
    theta = multipliers.theta
    bound = maximise(
        account, names, entries, curves, state, multipliers, table, True, _RELAXED_STEPS, _RELAXED_TOLERANCE
    )
    for x in range(answer.bound_theta.shape[0]):
        answer.bound_theta[x] = theta[x]
    for x in range(n):
        state.chosen[x] = state.preferred[x]
    cost = 1e300
    solves = 0
    # The relaxed maximum often sits on a kink, so its minimisers are mended before the first solve.
    _propose(account, names, entries, curves, state, multipliers, candidates, table, _FIRST_THRESHOLD)
    while solves < options.solves_max:
        maximise(
            account, names, entries, curves, state, multipliers, table, False, _FIXED_STEPS, _FIXED_TOLERANCE
        )
        solves += 1
        trial = answer_cost(account, names, state, multipliers)
        improved = trial < cost - _WORTH
        if trial < cost:
            cost = trial
            for x in range(n):
                answer.piece[x] = state.chosen[x]
            for x in range(n):
                answer.weight[x] = state.weight[x]
            for x in range(answer.theta.shape[0]):
                answer.theta[x] = theta[x]
        here = all_minima(account, names, curves, state, state.q)
        here += multiplier_terms(account, multipliers, theta)
        if here > bound:
            bound = here
            for x in range(answer.bound_theta.shape[0]):
                answer.bound_theta[x] = theta[x]
        if cost - bound <= options.gap_bps * 1e-4 or not improved:
            break
        chosen_minima(n, names, curves, state, state.q)
        flipped = _propose(
            account, names, entries, curves, state, multipliers, candidates, table, cost - here
        )
        if not flipped:
            break
    return Found(cost, bound, solves)
