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

from allotment.compiled import kernel
from allotment.optimize.curves import BUY, SELL, piece_minimum
from allotment.optimize.dual import (
    all_minima,
    chosen_minima,
    maximise,
    multiplier_terms,
    name_minimum,
)
from allotment.optimize.linear import factorise, solve_lower
from allotment.optimize.problem import SolveOptions
from allotment.optimize.workspace import CANDIDATES_MAX, Workspace
from allotment.units import Floats

_RELAXED_STEPS = 8
_FIXED_STEPS = 25
_RELAXED_TOLERANCE = 1e-9
_FIXED_TOLERANCE = 1e-16
_WORTH = 1e-9  # improvement of the model below which a flip is not tried
_MOVES_MAX = 200


@kernel
def answer_cost(work: Workspace, n: int, k: int, risk_price: float) -> float:
    """Cost of the current weights on the chosen pieces, leaving rows priced."""
    total = 0.0
    for i in range(n):
        total += work.phi[i] - (work.q[i] + work.utility[i]) * work.weight[i]
    for f in range(k):
        total += 0.5 * risk_price * work.value[f] * work.value[f]
    for r in range(k, work.theta.shape[0]):
        excess = max(work.value[r] - work.upper[r], work.lower[r] - work.value[r])
        if excess > 0.0:
            total += work.price[r] * excess
    return total


@kernel
def _collect(work: Workspace, n: int, n_groups: int, threshold: float) -> int:
    """Candidates within `threshold` of their group's best branch at q; −1 when they are too many."""
    count = 0
    for i in range(n):
        if work.in_group[i] or work.piece_from[i + 1] - work.piece_from[i] < 2:
            continue
        chosen = work.chosen[i]
        best = 1e300
        second = -1
        for piece in range(work.piece_from[i], work.piece_from[i + 1]):
            if piece == chosen:
                continue
            phi, weight, _ = piece_minimum(
                work, piece, work.benchmark[i], work.curvature[i], work.slack[i], work.q[i]
            )
            if phi < best and weight != work.weight_chosen[i]:
                best = phi
                second = piece
        if second >= 0 and best - min(best, work.phi_chosen[i]) <= threshold:
            if count == CANDIDATES_MAX:
                return -1
            work.candidate[count] = i
            work.candidate_cost[count] = best - work.phi_chosen[i]
            work.candidate_piece[count] = second
            count += 1
    for g in range(n_groups):
        added = _collect_group(work, work.group_head[g], threshold, count)
        if added < 0:
            return -1
        count = added
    return count


@kernel
def _collect_group(work: Workspace, head: int, threshold: float, count: int) -> int:
    current = 0.0
    mode = 0
    sell = 0.0
    buy = 0.0
    i = head
    while i >= 0:
        current += work.phi_chosen[i]
        if work.piece_mode[work.chosen[i]] != 0:
            mode = work.piece_mode[work.chosen[i]]
        sell += name_minimum(work, i, work.q[i], BUY)
        buy += name_minimum(work, i, work.q[i], SELL)
        i = work.group_next[i]
    # In its own mode the group changes only if another piece became better.
    own = sell if mode == SELL else buy
    other = buy if mode == SELL else sell
    wanted = BUY if mode == SELL else SELL
    if own < current - 1e-15 and own <= other:
        other = own
        wanted = mode if mode != 0 else BUY
    if other - min(other, current) > threshold:
        return count
    if count == CANDIDATES_MAX:
        return -1
    work.candidate[count] = head
    work.candidate_cost[count] = other - current
    work.candidate_piece[count] = -1 - wanted
    return count + 1


@kernel
def _image(work: Workspace, table: Floats, c: int) -> None:
    """candidate_image[c] ← L⁻¹ E Δw."""
    k = table.shape[1]
    image = work.candidate_image[c]
    image[:] = 0.0
    i = work.candidate[c]
    piece = work.candidate_piece[c]
    while i >= 0:
        if piece >= 0:
            _, weight, _ = piece_minimum(
                work, piece, work.benchmark[i], work.curvature[i], work.slack[i], work.q[i]
            )
        else:
            name_minimum(work, i, work.q[i], BUY if piece == -1 - SELL else SELL)
            weight = work.weight[i]
        change = weight - work.weight_chosen[i]
        asset = work.asset[i]
        for f in range(k):
            image[f] += change * table[asset, f]
        image[k] += change
        for entry in range(work.entry_from[i], work.entry_from[i + 1]):
            image[work.entry_row[entry]] += change * work.entry_coefficient[entry]
        i = work.group_next[i] if piece < 0 else -1
    for r in range(k, image.shape[0]):
        if work.fixed[r]:
            image[r] = 0.0
    solve_lower(work.factor, image)


@kernel
def _dot(x: Floats, y: Floats) -> float:
    total = 0.0
    for f in range(x.shape[0]):
        total += x[f] * y[f]
    return total


@kernel
def _best_flips(work: Workspace, count: int) -> float:
    """Local search on the model; sets candidate_in, returns the promised change (≤ 0)."""
    images = work.candidate_image
    residual = work.residual
    work.candidate_in[:count] = False
    for c in range(count):
        work.candidate_norm[c] = 0.5 * _dot(images[c], images[c])
    change = 0.0
    for _ in range(_MOVES_MAX):
        best = -_WORTH
        first = -1
        second = -1
        for c in range(count):
            sign = -1.0 if work.candidate_in[c] else 1.0
            delta = sign * (work.candidate_cost[c] + _dot(residual, images[c])) + work.candidate_norm[c]
            work.candidate_delta[c] = delta
            if delta < best:
                best, first = delta, c
        if first < 0:
            for c in range(count):
                for other in range(c):
                    same = work.candidate_in[c] == work.candidate_in[other]
                    product = _dot(images[c], images[other])
                    delta = work.candidate_delta[c] + work.candidate_delta[other]
                    delta += product if same else -product
                    if delta < best:
                        best, first, second = delta, c, other
        if first < 0:
            break
        change += best
        _toggle(work, first)
        if second >= 0:
            _toggle(work, second)
    return change


@kernel
def _toggle(work: Workspace, c: int) -> None:
    sign = -1.0 if work.candidate_in[c] else 1.0
    work.candidate_in[c] = not work.candidate_in[c]
    for f in range(work.residual.shape[0]):
        work.residual[f] += sign * work.candidate_image[c, f]


@kernel
def _apply_flips(work: Workspace, count: int) -> None:
    for c in range(count):
        if not work.candidate_in[c]:
            continue
        i = work.candidate[c]
        piece = work.candidate_piece[c]
        if piece >= 0:
            work.chosen[i] = piece
            continue
        while i >= 0:
            name_minimum(work, i, work.q[i], BUY if piece == -1 - SELL else SELL)
            work.chosen[i] = work.preferred[i]
            i = work.group_next[i]


@kernel
def _propose(work: Workspace, table: Floats, n: int, n_groups: int, threshold: float) -> bool:
    """Flip `chosen` where the model promises most; False when it promises nothing.

    Needs q, gradient and Hessian at the chosen minimisers, which it leaves overwritten.
    """
    work.weight_chosen[:n] = work.weight[:n]
    work.phi_chosen[:n] = work.phi[:n]
    count = _collect(work, n, n_groups, threshold)
    while count < 0:
        threshold *= 0.5
        count = _collect(work, n, n_groups, threshold)
    if count == 0 or not factorise(work.hessian, work.fixed, work.factor):
        return False
    for c in range(count):
        _image(work, table, c)
    work.residual[:] = work.gradient
    solve_lower(work.factor, work.residual)
    if _best_flips(work, count) > -_WORTH:
        return False
    _apply_flips(work, count)
    return True


@kernel
def search(
    work: Workspace, table: Floats, n: int, n_groups: int, risk_price: float, options: SolveOptions
) -> tuple[float, float, int]:
    """Best answer found and best bound: (cost, bound, branch choices tried).

    Leaves answer_piece, answer_weight, answer_theta and bound_theta.
    """
    k = table.shape[1]
    tolerance = options.gap_bps * 1e-4
    bound = maximise(work, table, n, n_groups, risk_price, True, _RELAXED_STEPS, _RELAXED_TOLERANCE)
    work.bound_theta[:] = work.theta
    work.chosen[:n] = work.preferred[:n]
    cost = 1e300
    threshold = 1e-5
    solves = 0
    # The relaxed maximum often sits on a kink, so its minimisers are mended before the first solve.
    _propose(work, table, n, n_groups, threshold)
    while solves < options.solves_max:
        maximise(work, table, n, n_groups, risk_price, False, _FIXED_STEPS, _FIXED_TOLERANCE)
        solves += 1
        trial = answer_cost(work, n, k, risk_price)
        improved = trial < cost - _WORTH
        if trial < cost:
            cost = trial
            work.answer_piece[:n] = work.chosen[:n]
            work.answer_weight[:n] = work.weight[:n]
            work.answer_theta[:] = work.theta
        terms = multiplier_terms(work, work.theta, k, risk_price)
        here = all_minima(work, n, n_groups, work.q) + terms
        if here > bound:
            bound = here
            work.bound_theta[:] = work.theta
        if cost - bound <= tolerance or not improved:
            break
        chosen_minima(work, n, work.q)
        if not _propose(work, table, n, n_groups, cost - here):
            break
    return cost, bound, solves
