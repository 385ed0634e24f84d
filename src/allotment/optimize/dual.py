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

from allotment.compiled import inner
from allotment.optimize.linear import factorise, solve_lower, solve_upper
from allotment.optimize.minima import all_minima, chosen_minima
from allotment.optimize.workspace import Account, Curves, Entries, Multipliers, Names, State
from allotment.units import Floats, Index

_ROW_DAMPING = 1e-3  # a row without a free name has no curvature, and rows may add up to Σw
_ASCENT = 1e-4  # share of the promised increase that a step must bring
_HALVINGS = 12


@inner
def prices(n: int, asset: Index, entries: Entries, table: Floats, theta: Floats, q: Floats) -> None:
    """q ← E θ, without the utility."""
    k = table.shape[1]
    for i in range(n):
        row = asset[i]
        total = theta[k]
        for f in range(k):
            total += table[row, f] * theta[f]
        for entry in range(entries.start[i], entries.start[i + 1]):
            total += entries.coefficient[entry] * theta[entries.row[entry]]
        q[i] = total


@inner
def values(
    n: int,
    asset: Index,
    entries: Entries,
    table: Floats,
    benchmark_value: Floats,
    weight: Floats,
    value: Floats,
) -> None:
    """value ← Eᵀ w less the benchmark's factor exposures."""
    k = table.shape[1]
    for r in range(value.shape[0]):
        value[r] = -benchmark_value[r]
    total = 0.0
    for i in range(n):
        row = asset[i]
        w = weight[i]
        total += w
        for f in range(k):
            value[f] += w * table[row, f]
        for entry in range(entries.start[i], entries.start[i + 1]):
            value[entries.row[entry]] += w * entries.coefficient[entry]
    value[k] += total


@inner
def multiplier_terms(account: Account, multipliers: Multipliers, theta: Floats) -> float:
    """The part of D that does not concern single names."""
    total = 0.0
    for f in range(account.k):
        total -= theta[f] * (multipliers.benchmark_value[f] + theta[f] / (2.0 * account.risk_price))
    for r in range(account.k, theta.shape[0]):
        if theta[r] > 0.0:
            total -= multipliers.upper[r] * theta[r]
        elif theta[r] < 0.0:
            total -= multipliers.lower[r] * theta[r]
    return total


@inner
def _slopes(account: Account, multipliers: Multipliers) -> None:
    """gradient ← that of D at (theta, value); `fixed` where a row's multiplier may not move."""
    k = account.k
    for f in range(k):
        multipliers.gradient[f] = multipliers.value[f] - multipliers.theta[f] / account.risk_price
        multipliers.fixed[f] = False
    for r in range(k, multipliers.theta.shape[0]):
        above = multipliers.value[r] - multipliers.upper[r]
        below = multipliers.value[r] - multipliers.lower[r]
        theta = multipliers.theta[r]
        price = multipliers.price[r]
        slope = 0.0
        if theta > 0.0 or (theta == 0.0 and above > 0.0):
            slope = above
        elif theta < 0.0 or below < 0.0:
            slope = below
        outward = (theta >= price and slope > 0.0) or (theta <= -price and slope < 0.0)
        fixed = outward or (slope == 0.0 and theta == 0.0)
        multipliers.fixed[r] = fixed
        multipliers.gradient[r] = 0.0 if fixed else slope


@inner
def count_free(n: int, asset: Index, state: State, entries: Entries, table: Floats, hessian: Floats) -> None:
    """Bring the Hessian up to date with the names that became free or ceased to be."""
    k = table.shape[1]
    for i in range(n):
        change = state.free[i] - state.free_counted[i]
        if change == 0.0:
            continue
        state.free_counted[i] = state.free[i]
        row = asset[i]
        for f in range(k):
            scaled = change * table[row, f]
            for g in range(k):
                hessian[f, g] += scaled * table[row, g]
            hessian[k, f] += scaled
        hessian[k, k] += change
        for entry in range(entries.start[i], entries.start[i + 1]):
            r = entries.row[entry]
            scaled = change * entries.coefficient[entry]
            for f in range(k):
                hessian[r, f] += scaled * table[row, f]
            hessian[r, k] += scaled
            for other in range(entries.start[i], entries.start[i + 1]):
                hessian[r, entries.row[other]] += scaled * entries.coefficient[other]


@inner
def start_hessian(account: Account, free_counted: Floats, hessian: Floats) -> None:
    """Forget the names counted; what is left is the curvature of the multipliers themselves."""
    hessian[:, :] = 0.0
    for f in range(account.k):
        hessian[f, f] = 1.0 / account.risk_price
    for r in range(account.k, hessian.shape[0]):
        hessian[r, r] = _ROW_DAMPING
    free_counted[: account.n] = 0.0


@inner
def _direction(k: int, multipliers: Multipliers) -> bool:
    """step ← maximiser of the quadratic model, rows kept on this side of their kinks and caps.

    An active-set walk from 0: each leg goes to the model's maximum over the rows still free, or
    to the first kink or cap on the way, which is then fixed. The model never falls, so the step
    climbs D at first. False when the Hessian cannot be factorised.
    """
    step = multipliers.step
    fixed = multipliers.fixed
    leg = multipliers.theta_trial
    size = step.shape[0]
    step[:] = 0.0
    for _ in range(size - k + 1):
        if not factorise(multipliers.hessian, fixed, multipliers.factor):
            return False
        for r in range(size):
            leg[r] = 0.0 if fixed[r] else multipliers.gradient[r] - _model_slope(multipliers, r)
        solve_lower(multipliers.factor, leg)
        solve_upper(multipliers.factor, leg)
        share = 1.0
        blocking = -1
        for r in range(k, size):
            if fixed[r] or leg[r] == 0.0:
                continue
            room = _room_to_stop(multipliers, r, leg[r]) - step[r]
            if room / leg[r] < share:
                share = max(0.0, room / leg[r])
                blocking = r
        for r in range(size):
            if not fixed[r]:
                step[r] += share * leg[r]
        if blocking < 0:
            return True
        step[blocking] = _room_to_stop(multipliers, blocking, leg[blocking])
        fixed[blocking] = True
    return True


@inner
def _model_slope(multipliers: Multipliers, r: int) -> float:
    """(Hessian × step) at r, from the Hessian's lower triangle."""
    total = 0.0
    for other in range(multipliers.step.shape[0]):
        total += multipliers.hessian[max(r, other), min(r, other)] * multipliers.step[other]
    return total


@inner
def _room_to_stop(multipliers: Multipliers, r: int, direction: float) -> float:
    """Step at which row r meets its kink at 0 or its cap, going in `direction`."""
    theta: float = multipliers.theta[r]
    price: float = multipliers.price[r]
    kinked = multipliers.upper[r] > multipliers.lower[r]
    if direction > 0.0:
        below = theta < 0.0 or (theta == 0.0 and multipliers.gradient[r] < 0.0)
        return -theta if kinked and below else price - theta
    above = theta > 0.0 or (theta == 0.0 and multipliers.gradient[r] > 0.0)
    return -theta if kinked and above else -price - theta


@inner
def _minima(account: Account, names: Names, curves: Curves, state: State, q: Floats, every: bool) -> float:
    if every:
        return all_minima(account, names, curves, state, q)
    return chosen_minima(account.n, names, curves, state, q)


@inner
def maximise(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    state: State,
    multipliers: Multipliers,
    table: Floats,
    every: bool,
    steps_max: int,
    tolerance: float,
) -> float:
    """Climb D from `theta`; returns D there. Leaves theta, q, the minimisers, value, gradient.

    Ends when a Newton step promises less than `tolerance`, or when no step climbs.
    """
    n = account.n
    theta = multipliers.theta
    prices(n, names.asset, entries, table, theta, state.q)
    for i in range(n):
        state.q[i] -= names.utility[i]
    height = _minima(account, names, curves, state, state.q, every)
    height += multiplier_terms(account, multipliers, theta)
    for done in range(steps_max + 1):
        values(n, names.asset, entries, table, multipliers.benchmark_value, state.weight, multipliers.value)
        _slopes(account, multipliers)
        count_free(n, names.asset, state, entries, table, multipliers.hessian)
        if done == steps_max or not _direction(account.k, multipliers):
            break
        promised = 0.0
        for r in range(theta.shape[0]):
            promised += multipliers.gradient[r] * multipliers.step[r]
        if promised <= tolerance:
            break
        prices(n, names.asset, entries, table, multipliers.step, state.q_step)
        climbed = _climb(account, names, curves, state, multipliers, every, height, promised)
        if climbed <= height:
            # Nothing found: restore the minimisers at theta.
            _minima(account, names, curves, state, state.q, every)
            break
        height = climbed
    return height


@inner
def _climb(
    account: Account,
    names: Names,
    curves: Curves,
    state: State,
    multipliers: Multipliers,
    every: bool,
    height: float,
    promised: float,
) -> float:
    """Line search along `step`; moves theta and q when D rises, else returns `height`."""
    n = account.n
    share = 1.0
    for _ in range(_HALVINGS):
        for i in range(n):
            state.q_trial[i] = state.q[i] + share * state.q_step[i]
        for r in range(multipliers.theta.shape[0]):
            multipliers.theta_trial[r] = multipliers.theta[r] + share * multipliers.step[r]
        trial = _minima(account, names, curves, state, state.q_trial, every)
        trial += multiplier_terms(account, multipliers, multipliers.theta_trial)
        if trial >= height + _ASCENT * share * promised:
            for x in range(n):
                state.q[x] = state.q_trial[x]
            for x in range(multipliers.theta.shape[0]):
                multipliers.theta[x] = multipliers.theta_trial[x]
            return trial
        # Concave along the line: the parabola through value, slope and value has its top here.
        fall = height + share * promised - trial
        share *= min(0.5, max(0.1, 0.5 * share * promised / fall))
    return height
