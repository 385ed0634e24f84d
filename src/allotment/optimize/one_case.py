"""One case of an account's year, or the only one there is: its bound, its search, its answer rounded."""

from __future__ import annotations

import math

from allotment.compiled import hidden, part
from allotment.optimize.branches import Found, search
from allotment.optimize.counts import THOROUGH, climb, undo_counts
from allotment.optimize.dual import Effort, copy_to
from allotment.optimize.lattice import lattice_bound
from allotment.optimize.measures import price_kinds, rebuild
from allotment.optimize.problem import SolveOptions
from allotment.optimize.risk_limit import (
    climb_limits,
    meet_limits,
    priced,
    start_limits,
    te_square,
)
from allotment.optimize.rounding import round_answer, rounded_cost, take_answer
from allotment.optimize.steps import has_steps, round_large_steps
from allotment.optimize.workspace import Shape, Workspace
from allotment.units import Floats

_BPS = 1e-4
_ROOM = 1e-6  # share of a tracking-error limit left for the rounding of shares
_LIMIT_TRIALS = 3


@part
def decide_case(shape: Shape, work: Workspace, table: Floats, options: SolveOptions, enough: float) -> Found:
    """The bound from the multipliers at work and, unless it is high enough, the best answer found, rounded:
    it is left in work.answer."""
    shape, bound = climb_case(shape, work, table, options, Effort(THOROUGH.steps, THOROUGH.tolerance, enough))
    if not math.isfinite(bound) or bound >= enough:
        return Found(math.inf, bound, 0)
    found = search(shape, work, table, options, bound, options.gap_bps * _BPS)
    if not (math.isfinite(found.cost) and math.isfinite(found.bound)):
        return Found(math.inf, found.bound, found.n_solves)
    if shape.has_counts:
        found = undo_counts(shape, work, table, found)
    if shape.has_limit:
        _meet_and_round(shape, work, table, options.te_price)
    else:
        price_kinds(shape, work, work.answer.theta)
        _round(shape, work, table)
    if not has_steps(shape.n, work.names):
        return found
    return Found(found.cost, _whole_step_bound(shape, work, table, found.bound), found.n_solves)


@part
def climb_case(
    shape: Shape, work: Workspace, table: Floats, options: SolveOptions, effort: Effort
) -> tuple[Shape, float]:
    """The shape at work's prices of risk, and the bound from the multipliers at work, which an account
    without a search ends with."""
    accounts, m, answer = work.accounts, work.multipliers, work.answer
    rebuild(shape, work)
    start_limits(shape, work)
    copy_to(answer.bound_theta, m.theta, shape.size)
    copy_to(answer.bound_risk_price, accounts.risk_price, shape.n_accounts)
    if shape.has_limit:
        shape, bound = climb_limits(shape, work, table, options.te_price, -math.inf, effort)
    else:
        shape = priced(shape, work)
        bound = climb(shape, work, table, -math.inf, effort)
    copy_to(answer.theta, answer.bound_theta, shape.size)
    copy_to(answer.risk_price, answer.bound_risk_price, shape.n_accounts)
    return shape, bound


@part
def _meet_and_round(shape: Shape, work: Workspace, table: Floats, te_price: float) -> None:
    """Bring the answer onto its limits and round it, leaving more room if rounding leaves them."""
    room = _ROOM
    accounts, answer = work.accounts, work.answer
    for _ in range(_LIMIT_TRIALS):
        shape = meet_limits(shape, work, table, te_price, room)
        price_kinds(shape, work, answer.theta)
        _round(shape, work, table)
        take_answer(shape, work, table)
        over = 0.0
        for a in range(shape.n_accounts):
            if accounts.te_max[a] < math.inf:
                te = math.sqrt(te_square(shape, work, answer.weight, a))
                over = max(over, te / accounts.te_max[a] - 1.0)
        if over <= 0.0 or over > 0.1:
            return
        room += 1.5 * over


@part
def _whole_step_bound(shape: Shape, work: Workspace, table: Floats, bound: float) -> float:
    """The better of the bound and those over tradable weights alone."""
    answer, accounts = work.answer, work.accounts
    for trial in range(2):
        theta = answer.theta if trial == 0 else answer.bound_theta
        risk_price = answer.risk_price if trial == 0 else answer.bound_risk_price
        if shape.has_limit:
            copy_to(accounts.risk_price, risk_price, shape.n_accounts)
            shape = priced(shape, work)
        here = lattice_bound(shape, work, table, theta, work.state.q)
        if here > bound:
            bound = here
            copy_to(answer.bound_theta, theta, shape.size)
            copy_to(answer.bound_risk_price, risk_price, shape.n_accounts)
    price_kinds(shape, work, answer.theta)
    return bound


@hidden
def _round(shape: Shape, work: Workspace, table: Floats) -> None:
    """Round work.answer; with large steps, the better of two ways."""
    answer = work.answer
    weight, piece = work.candidates.weight, work.candidates.place
    for i in range(shape.n):
        weight[i], piece[i] = answer.weight[i], answer.piece[i]
    round_answer(shape, work, table)
    if not has_steps(shape.n, work.names):
        return
    take_answer(shape, work, table)
    cost = rounded_cost(shape, work)
    for i in range(shape.n):
        weight[i], answer.weight[i] = answer.weight[i], weight[i]
        piece[i], answer.piece[i] = answer.piece[i], piece[i]
    round_large_steps(shape, work, table)
    round_answer(shape, work, table)
    take_answer(shape, work, table)
    if cost < rounded_cost(shape, work):
        for i in range(shape.n):
            answer.weight[i], answer.piece[i] = weight[i], piece[i]
        take_answer(shape, work, table)
