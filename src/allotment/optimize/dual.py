"""The dual function of one account, its gradient, and its maximum by semismooth Newton.

The multipliers θ are the k factor prices π, the price of the budget Σw, and one per row. With
E = [B, 1, rows] and q = E θ − u, the dual function is

    D(θ) = Σ over groups of the least Σ κd/2 (w−b)² + c(w) + q w
           − bᵀBπ − ‖π‖²/(2κ) − Σ_r ( upper_r θ_r⁺ − lower_r θ_r⁻ ),   |θ_r| ≤ price_r,

concave in θ, with gradient Eᵀw less the benchmark's and the bounds' part. With the minimum over
every branch it bounds the account's cost from below at any θ; with the branches fixed it is
piecewise quadratic, its maximum is the optimum of these branches, and Newton finds it in a few
steps. The matrix adds up only names whose minimiser moves with q (`free`).

`every` says which of the two: the minimum over every branch, or the chosen pieces.
"""

from __future__ import annotations

from allotment.compiled import kernel
from allotment.optimize.curves import BUY, SELL, piece_minimum
from allotment.optimize.linear import factorise, solve_lower, solve_upper
from allotment.optimize.workspace import Workspace
from allotment.units import Floats

_ROW_DAMPING = 1e-3  # a row without a free name has no curvature, and rows may add up to Σw
_ASCENT = 1e-4  # share of the promised increase that a step must bring
_HALVINGS = 12


@kernel
def prices(work: Workspace, table: Floats, n: int, theta: Floats, q: Floats) -> None:
    """q ← E θ, without the utility."""
    k = table.shape[1]
    for i in range(n):
        asset = work.asset[i]
        total = theta[k]
        for f in range(k):
            total += table[asset, f] * theta[f]
        for entry in range(work.entry_from[i], work.entry_from[i + 1]):
            total += work.entry_coefficient[entry] * theta[work.entry_row[entry]]
        q[i] = total


@kernel
def values(work: Workspace, table: Floats, n: int, weight: Floats, value: Floats) -> None:
    """value ← Eᵀ w less the benchmark's factor exposures."""
    k = table.shape[1]
    for r in range(value.shape[0]):
        value[r] = -work.benchmark_value[r]
    total = 0.0
    for i in range(n):
        asset = work.asset[i]
        w = weight[i]
        total += w
        for f in range(k):
            value[f] += w * table[asset, f]
        for entry in range(work.entry_from[i], work.entry_from[i + 1]):
            value[work.entry_row[entry]] += w * work.entry_coefficient[entry]
    value[k] += total


@kernel
def multiplier_terms(work: Workspace, theta: Floats, k: int, risk_price: float) -> float:
    """The part of D that does not concern single names."""
    total = 0.0
    for f in range(k):
        total -= theta[f] * (work.benchmark_value[f] + theta[f] / (2.0 * risk_price))
    for r in range(k, theta.shape[0]):
        if theta[r] > 0.0:
            total -= work.upper[r] * theta[r]
        elif theta[r] < 0.0:
            total -= work.lower[r] * theta[r]
    return total


@kernel
def chosen_minima(work: Workspace, n: int, q: Floats) -> float:
    """Σ of the minima over the chosen pieces; fills weight, free and phi."""
    total = 0.0
    for i in range(n):
        phi, weight, free = piece_minimum(
            work, work.chosen[i], work.benchmark[i], work.curvature[i], work.slack[i], q[i]
        )
        work.phi[i] = phi
        work.weight[i] = weight
        work.free[i] = free
        total += phi
    return total


@kernel
def name_minimum(work: Workspace, i: int, q: float, barred: int) -> float:
    """Least over the pieces of name i whose mode is not `barred`; fills the name's minimiser."""
    best = 1e300
    for piece in range(work.piece_from[i], work.piece_from[i + 1]):
        if work.piece_mode[piece] == barred:
            continue
        phi, weight, free = piece_minimum(work, piece, work.benchmark[i], work.curvature[i], work.slack[i], q)
        if phi < best:
            best = phi
            work.weight[i] = weight
            work.free[i] = free
            work.preferred[i] = piece
    work.phi[i] = best
    return best


@kernel
def group_minimum(work: Workspace, head: int, q: Floats) -> float:
    """Least over the modes of the group that starts at `head`; fills its members' minimisers."""
    total_sell = 0.0
    total_buy = 0.0
    i = head
    while i >= 0:
        total_sell += name_minimum(work, i, q[i], BUY)
        i = work.group_next[i]
    i = head
    while i >= 0:
        total_buy += name_minimum(work, i, q[i], SELL)
        i = work.group_next[i]
    if total_sell < total_buy:
        i = head
        while i >= 0:
            name_minimum(work, i, q[i], BUY)
            i = work.group_next[i]
    return min(total_sell, total_buy)


@kernel
def all_minima(work: Workspace, n: int, n_groups: int, q: Floats) -> float:
    """Σ over groups of the minimum over every branch; fills weight, free, phi and preferred."""
    total = 0.0
    for i in range(n):
        if not work.in_group[i]:
            total += name_minimum(work, i, q[i], -1)
    for g in range(n_groups):
        total += group_minimum(work, work.group_head[g], q)
    return total


@kernel
def _gradient(work: Workspace, table: Floats, n: int, risk_price: float) -> None:
    """gradient ← that of D at (theta, weight); `fixed` where a row's multiplier may not move."""
    k = table.shape[1]
    values(work, table, n, work.weight, work.value)
    for f in range(k):
        work.gradient[f] = work.value[f] - work.theta[f] / risk_price
        work.fixed[f] = False
    for r in range(k, work.theta.shape[0]):
        above = work.value[r] - work.upper[r]
        below = work.value[r] - work.lower[r]
        theta = work.theta[r]
        slope = 0.0
        if theta > 0.0 or (theta == 0.0 and above > 0.0):
            slope = above
        elif theta < 0.0 or below < 0.0:
            slope = below
        outward = (theta >= work.price[r] and slope > 0.0) or (theta <= -work.price[r] and slope < 0.0)
        work.fixed[r] = outward or (slope == 0.0 and theta == 0.0)
        work.gradient[r] = 0.0 if work.fixed[r] else slope


@kernel
def _count_free(work: Workspace, table: Floats, n: int) -> None:
    """Bring the Hessian up to date with the names that became free or ceased to be."""
    k = table.shape[1]
    for i in range(n):
        change = work.free[i] - work.free_counted[i]
        if change == 0.0:
            continue
        work.free_counted[i] = work.free[i]
        asset = work.asset[i]
        for f in range(k):
            scaled = change * table[asset, f]
            for g in range(k):
                work.hessian[f, g] += scaled * table[asset, g]
            work.hessian[k, f] += scaled
        work.hessian[k, k] += change
        for entry in range(work.entry_from[i], work.entry_from[i + 1]):
            r = work.entry_row[entry]
            scaled = change * work.entry_coefficient[entry]
            for f in range(k):
                work.hessian[r, f] += scaled * table[asset, f]
            work.hessian[r, k] += scaled
            for other in range(work.entry_from[i], work.entry_from[i + 1]):
                work.hessian[r, work.entry_row[other]] += scaled * work.entry_coefficient[other]


@kernel
def start_hessian(work: Workspace, n: int, k: int, risk_price: float) -> None:
    """Forget the names counted; what is left is the curvature of the multipliers themselves."""
    work.hessian[:, :] = 0.0
    for f in range(k):
        work.hessian[f, f] = 1.0 / risk_price
    for r in range(k, work.hessian.shape[0]):
        work.hessian[r, r] = _ROW_DAMPING
    work.free_counted[:n] = 0.0


@kernel
def _direction(work: Workspace, k: int) -> bool:
    """step ← Newton direction; rows that would cross a kink or a cap stop there."""
    size = work.theta.shape[0]
    for _ in range(size - k + 1):
        if not factorise(work.hessian, work.fixed, work.factor):
            return False
        for r in range(size):
            total = 0.0 if work.fixed[r] else work.gradient[r]
            if not work.fixed[r]:
                for s in range(k, size):
                    if work.fixed[s] and work.step[s] != 0.0:
                        coupling = work.hessian[max(r, s), min(r, s)]
                        total -= coupling * work.step[s]
            work.theta_trial[r] = total
        solve_lower(work.factor, work.theta_trial)
        solve_upper(work.factor, work.theta_trial)
        crossed = False
        for r in range(size):
            if work.fixed[r]:
                continue
            work.step[r] = work.theta_trial[r]
            if r >= k:
                crossed = _stop_at_kink(work, r) or crossed
        if not crossed:
            return True
    return True


@kernel
def _stop_at_kink(work: Workspace, r: int) -> bool:
    """Cut the step of row r at 0 or at its cap and fix it there; False when it passes neither."""
    theta = work.theta[r]
    end = theta + work.step[r]
    kinked = work.upper[r] > work.lower[r]
    stop = end
    if end > work.price[r]:
        stop = work.price[r]
    elif end < -work.price[r]:
        stop = -work.price[r]
    if kinked and theta * end < 0.0:
        stop = 0.0
    one_sided = (theta == 0.0 and kinked) and (end * work.gradient[r] < 0.0)
    if one_sided:
        stop = 0.0
    if stop == end:
        return False
    work.step[r] = stop - theta
    work.fixed[r] = True
    return True


@kernel
def _minima(work: Workspace, n: int, n_groups: int, q: Floats, every: bool) -> float:
    if every:
        return all_minima(work, n, n_groups, q)
    return chosen_minima(work, n, q)


@kernel
def maximise(
    work: Workspace,
    table: Floats,
    n: int,
    n_groups: int,
    risk_price: float,
    every: bool,
    steps_max: int,
    tolerance: float,
) -> float:
    """Climb D from `theta`; returns D there. Leaves theta, q, weight, phi, value and gradient.

    Ends when a Newton step promises less than `tolerance`, or when no step climbs.
    """
    k = table.shape[1]
    prices(work, table, n, work.theta, work.q)
    for i in range(n):
        work.q[i] -= work.utility[i]
    height = _minima(work, n, n_groups, work.q, every)
    height += multiplier_terms(work, work.theta, k, risk_price)
    for _ in range(steps_max):
        _gradient(work, table, n, risk_price)
        _count_free(work, table, n)
        work.step[:] = 0.0
        if not _direction(work, k):
            return height
        promised = 0.0
        for r in range(work.theta.shape[0]):
            promised += work.gradient[r] * work.step[r]
        if promised <= tolerance:
            return height
        prices(work, table, n, work.step, work.q_step)
        climbed = _climb(work, n, n_groups, k, risk_price, every, height, promised)
        if climbed <= height:
            # Nothing found: restore the minimisers at theta.
            _minima(work, n, n_groups, work.q, every)
            return height
        height = climbed
    _gradient(work, table, n, risk_price)
    return height


@kernel
def _climb(
    work: Workspace,
    n: int,
    n_groups: int,
    k: int,
    risk_price: float,
    every: bool,
    height: float,
    promised: float,
) -> float:
    """Line search along `step`; moves theta and q when D rises, else returns `height`."""
    share = 1.0
    for _ in range(_HALVINGS):
        for i in range(n):
            work.q_trial[i] = work.q[i] + share * work.q_step[i]
        for r in range(work.theta.shape[0]):
            work.theta_trial[r] = work.theta[r] + share * work.step[r]
        trial = _minima(work, n, n_groups, work.q_trial, every)
        trial += multiplier_terms(work, work.theta_trial, k, risk_price)
        if trial >= height + _ASCENT * share * promised:
            work.q[:n] = work.q_trial[:n]
            work.theta[:] = work.theta_trial
            return trial
        # Concave along the line: the parabola through value, slope and value has its top here.
        fall = height + share * promised - trial
        share *= min(0.5, max(0.1, 0.5 * share * promised / fall))
    return height
