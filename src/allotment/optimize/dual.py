"""The dual function of one problem, its gradient, and its maximum by semismooth Newton.

The multipliers θ are, for each account, the k factor prices π, the price of the budget Σw, and one
per row. With E = [B, 1, rows] and q = E θ − u, the dual function is

    D(θ) = Σ over groups of the least Σ κd/2 (w−b)² + c(w; θ) + q w
           − bᵀBπ − ‖π‖²/(2κ) − Σ_r ( upper_r θ_r⁺ − lower_r θ_r⁻ ),   |θ_r| ≤ price_r,

concave in θ, with gradient Eᵀw less the benchmark's and the bounds' part. Rows that are linear in
w enter q; the others enter the cost curves c(w; θ), see `measures`. With the minimum over every
branch it bounds the problem's cost from below at any θ; with the branches fixed it is piecewise
quadratic, its maximum is the optimum of these branches, and Newton finds it in a few steps. The
matrix adds up only names whose minimiser moves with q (`free`). Rows that jump (counts) take no
part in Newton's step; `balance` finds their prices.

`every` says which of the two: the minimum over every branch, or the chosen pieces.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from allotment.compiled import hidden, inner, part
from allotment.optimize.hessian import count_free
from allotment.optimize.linear import factorise, solve_lower, solve_upper
from allotment.optimize.load import TRADES
from allotment.optimize.measures import measure_all, price_kinds, slope_all
from allotment.optimize.minima import all_minima, chosen_minima
from allotment.optimize.workspace import (
    Accounts,
    Entries,
    Multipliers,
    Names,
    Shape,
    Workspace,
)
from allotment.units import Floats

_ASCENT = 1e-4  # share of the promised increase that a step must bring
_HALVINGS = 12
_CHOSEN_STEPS = 25
_CHOSEN_TOLERANCE = 1e-16


class Effort(NamedTuple):
    """When a climb of D may end."""

    steps: int  # after so many Newton steps
    tolerance: float  # when a step promises less
    enough: float  # as soon as D is as high


@inner
def copy_to(target: Floats, source: Floats, size: int) -> None:
    """target[:size] ← source[:size]; slices would need an array in between."""
    for x in range(size):
        target[x] = source[x]


@inner
def prices(
    shape: Shape, accounts: Accounts, names: Names, entries: Entries, table: Floats, theta: Floats, q: Floats
) -> None:
    """q ← E θ over linear rows, without the utility."""
    k = shape.k
    for a in range(shape.n_accounts):
        offset = accounts.offset[a]
        for i in range(accounts.start[a], accounts.start[a + 1]):
            row = names.asset[i]
            total = theta[offset + k]
            for f in range(k):
                total += table[row, f] * theta[offset + f]
            for entry in range(entries.start[i], entries.start[i + 1]):
                total += entries.coefficient[entry] * theta[entries.row[entry]]
            q[i] = total


@inner
def values(
    shape: Shape,
    accounts: Accounts,
    names: Names,
    entries: Entries,
    table: Floats,
    m: Multipliers,
    weight: Floats,
) -> None:
    """value ← Eᵀ w less the benchmark's factor exposures; rows of other kinds are left at 0."""
    k = shape.k
    value = m.value
    for r in range(shape.size):
        value[r] = -m.benchmark_value[r]
    for a in range(shape.n_accounts):
        offset = accounts.offset[a]
        total = 0.0
        for i in range(accounts.start[a], accounts.start[a + 1]):
            row = names.asset[i]
            w = weight[i]
            total += w
            for f in range(k):
                value[offset + f] += w * table[row, f]
            for entry in range(entries.start[i], entries.start[i + 1]):
                value[entries.row[entry]] += w * entries.coefficient[entry]
        value[offset + k] += total


@inner
def multiplier_terms(shape: Shape, m: Multipliers, theta: Floats) -> float:
    """The part of D that does not concern single names."""
    total = shape.constant
    for r in range(shape.size):
        if m.risk_price[r] > 0.0:
            total -= theta[r] * (m.benchmark_value[r] + theta[r] / (2.0 * m.risk_price[r]))
        elif theta[r] > 0.0:
            total -= m.upper[r] * theta[r]
        elif theta[r] < 0.0:
            total -= m.lower[r] * theta[r]
    return total


@inner
def _slopes(shape: Shape, m: Multipliers) -> None:
    """gradient ← that of D at (theta, value); `fixed` where a row's multiplier may not move."""
    for r in range(shape.size):
        theta = m.theta[r]
        if m.risk_price[r] > 0.0:
            m.gradient[r] = m.value[r] - theta / m.risk_price[r]
            m.fixed[r] = False
            continue
        above = m.value[r] - m.upper[r]
        below = m.value[r] - m.lower[r]
        price = m.price[r]
        slope = 0.0
        if theta > 0.0 or (theta == 0.0 and above > 0.0):
            slope = above
        elif theta < 0.0 or below < 0.0:
            slope = below
        outward = (theta >= price and slope > 0.0) or (theta <= -price and slope < 0.0)
        fixed = outward or (slope == 0.0 and theta == 0.0) or m.kind[r] >= TRADES
        m.fixed[r] = fixed
        m.gradient[r] = 0.0 if fixed else slope


@inner
def _direction(shape: Shape, m: Multipliers) -> bool:
    """step ← maximiser of the quadratic model, rows kept on this side of their kinks and caps.

    An active-set walk from 0: each leg goes to the model's maximum over the rows still free, or
    to the first kink or cap on the way, which is then fixed. The model never falls, so the step
    climbs D at first. False when the Hessian cannot be factorised.
    """
    step, fixed, leg = m.step, m.fixed, m.theta_trial
    size = shape.size
    step[:] = 0.0
    for _ in range(size - shape.k * shape.n_accounts + 1):
        if not factorise(m.hessian, m.first, fixed, m.factor):
            return False
        _model_slopes(size, m, leg)
        for r in range(size):
            leg[r] = 0.0 if fixed[r] else m.gradient[r] - leg[r]
        solve_lower(m.factor, m.first, leg)
        solve_upper(m.factor, m.first, leg)
        share = 1.0
        blocking = -1
        for r in range(size):
            if m.risk_price[r] > 0.0 or fixed[r] or leg[r] == 0.0:
                continue
            room = _room_to_stop(m, r, leg[r]) - step[r]
            if room / leg[r] < share:
                share = max(0.0, room / leg[r])
                blocking = r
        for r in range(size):
            if not fixed[r]:
                step[r] += share * leg[r]
        if blocking < 0:
            return True
        step[blocking] = _room_to_stop(m, blocking, leg[blocking])
        fixed[blocking] = True
    return True


@inner
def _model_slopes(size: int, m: Multipliers, out: Floats) -> None:
    """out ← Hessian × step, from the Hessian's lower triangle."""
    out[:] = 0.0
    for r in range(size):
        total = m.hessian[r, r] * m.step[r]
        for other in range(m.first[r], r):
            total += m.hessian[r, other] * m.step[other]
            out[other] += m.hessian[r, other] * m.step[r]
        out[r] += total


@inner
def _room_to_stop(m: Multipliers, r: int, direction: float) -> float:
    """Step at which row r meets its kink at 0 or its cap, going in `direction`."""
    theta: float = m.theta[r]
    price: float = m.price[r]
    kinked = m.upper[r] > m.lower[r]
    if direction > 0.0:
        below = theta < 0.0 or (theta == 0.0 and m.gradient[r] < 0.0)
        return -theta if kinked and below else price - theta
    above = theta > 0.0 or (theta == 0.0 and m.gradient[r] > 0.0)
    return -theta if kinked and above else -price - theta


@hidden
def minima(shape: Shape, work: Workspace, theta: Floats, q: Floats, every: bool) -> float:
    """D at theta, whose prices of linear rows are q; fills the minimisers."""
    price_kinds(shape, work, theta)
    if every:
        total = all_minima(shape, work.names, work.curves, work.state, q)
    else:
        total = chosen_minima(shape.n, work.names, work.curves, work.state, q)
    return total + multiplier_terms(shape, work.multipliers, theta)


@hidden
def take_values(shape: Shape, work: Workspace, table: Floats) -> None:
    """value ← what the minimisers sum to, rows of every kind."""
    state = work.state
    values(shape, work.accounts, work.names, work.entries, table, work.multipliers, state.weight)
    if shape.has_kinds:
        measure_all(shape, work, state.weight, state.piece)


@hidden
def maximise(shape: Shape, work: Workspace, table: Floats, every: bool, effort: Effort) -> float:
    """Climb D from `theta`; returns D there. Leaves theta, q, the minimisers, value, gradient.

    Ends as `effort` says, or when no step climbs.
    """
    names, state, m = work.names, work.state, work.multipliers
    theta = m.theta
    prices(shape, work.accounts, names, work.entries, table, theta, state.q)
    for i in range(shape.n):
        state.q[i] -= names.utility[i]
    height = minima(shape, work, theta, state.q, every)
    for done in range(effort.steps + 1):
        take_values(shape, work, table)
        _slopes(shape, m)
        if shape.has_kinds:
            slope_all(shape, work)
        count_free(shape, work, table)
        if done == effort.steps or height >= effort.enough or not _direction(shape, m):
            break
        promised = 0.0
        for r in range(shape.size):
            promised += m.gradient[r] * m.step[r]
        if promised <= effort.tolerance:
            break
        prices(shape, work.accounts, names, work.entries, table, m.step, state.q_step)
        climbed = _climb(shape, work, every, height, promised)
        if climbed <= height:
            # Nothing found: restore the minimisers at theta.
            minima(shape, work, theta, state.q, every)
            break
        height = climbed
    return height


@hidden
def solve_chosen(shape: Shape, work: Workspace, table: Floats) -> None:
    """The optimum over the chosen pieces, as far as floats go."""
    maximise(shape, work, table, False, Effort(_CHOSEN_STEPS, _CHOSEN_TOLERANCE, math.inf))


@part
def _climb(shape: Shape, work: Workspace, every: bool, height: float, promised: float) -> float:
    """Line search along `step`; moves theta and q when D rises, else returns `height`."""
    state, m = work.state, work.multipliers
    share = 1.0
    for _ in range(_HALVINGS):
        for i in range(shape.n):
            state.q_trial[i] = state.q[i] + share * state.q_step[i]
        for r in range(shape.size):
            m.theta_trial[r] = m.theta[r] + share * m.step[r]
        trial = minima(shape, work, m.theta_trial, state.q_trial, every)
        if trial >= height + _ASCENT * share * promised:
            copy_to(state.q, state.q_trial, shape.n)
            copy_to(m.theta, m.theta_trial, shape.size)
            return trial
        # Concave along the line: the parabola through value, slope and value has its top here.
        fall = height + share * promised - trial
        share *= min(0.5, max(0.1, 0.5 * share * promised / fall))
    return height
