"""One problem from its columns to its answer: check, load, search, round, settle by lot."""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, kernel, part
from allotment.optimize.check import find_fault, regimes_are_sound
from allotment.optimize.dual import Effort, copy_to
from allotment.optimize.exchange import exchange_lots, sell_lots, spare_gains
from allotment.optimize.load import load, set_regime
from allotment.optimize.one_case import climb_case, decide_case
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.risk_limit import with_constants
from allotment.optimize.settle import evaluate, write_trades
from allotment.optimize.solution import Solutions
from allotment.optimize.workspace import Shape, Workspace
from allotment.units import Floats, Ints

_BOUND_MARGIN = 1e-11  # for the float error of the bound: sums of some thousand terms below 1
_BPS = 1e-4
_GLANCE_STEPS, _GLANCE_TOLERANCE = 3, 1e-6  # enough of a regime's bound to see where to search first
# The values of `Status` and `Fault`: kernels do not read enumerations.
_SOLVED, _RELAXED, _EMPTY, _INVALID, _FAILED = 0, 1, 2, 3, 4
_REGIME_FAULT = 8


@kernel
def solve_problems(
    market: Market,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    start: Floats,
    joints: Ints,
) -> None:
    """Answer the problems at these positions, one after another; all have equally many multipliers."""
    for j in joints:
        hold(problem, solution, j)
        if _is_empty(problem, solution, j) or _is_invalid(market, problem, solution, work, j):
            continue
        shape = load(market, problem, work, options, j)
        _solve(shape, market, problem, solution, work, options, start, j)


@hidden
def hold(problem: Problems, solution: Solutions, j: int) -> None:
    """The answer of doing nothing: weights as held, no trade."""
    for a in range(problem.joint_from[j], problem.joint_from[j + 1]):
        for i in range(problem.names_from[a], problem.names_from[a + 1]):
            solution.weight[i] = problem.held[i]
            solution.bought[i] = 0.0
            for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
                solution.sold[lot] = 0.0
        solution.cash_after[a] = problem.cash[a]


@hidden
def _is_empty(problem: Problems, solution: Solutions, j: int) -> bool:
    """No names, or an account without value: nothing to decide."""
    first, last = problem.joint_from[j], problem.joint_from[j + 1]
    empty: bool = problem.names_from[last] == problem.names_from[first]
    for a in range(first, last):
        empty = empty or problem.value_usd[a] <= 0.0
    if empty:
        for a in range(first, last):
            solution.status[a] = _EMPTY
    return empty


@hidden
def _is_invalid(market: Market, problem: Problems, solution: Solutions, work: Workspace, j: int) -> bool:
    """An input that cannot be worked with, in any account of the problem."""
    first, last = problem.joint_from[j], problem.joint_from[j + 1]
    invalid = False
    for a in range(first, last):
        fault = find_fault(market, problem, work.asset_seen, a)
        if fault == 0 and not regimes_are_sound(
            problem, problem.regimes_from[j], problem.regimes_from[j + 1]
        ):
            fault = _REGIME_FAULT
        solution.fault[a] = fault
        invalid = invalid or fault > 0
    if invalid:
        for a in range(first, last):
            solution.status[a] = _INVALID
    return invalid


@part
def _solve(
    shape: Shape,
    market: Market,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    start: Floats,
    j: int,
) -> None:
    """Every regime of the year, or the one case there is; the cheapest answer, the least bound."""
    first, last = problem.joint_from[j], problem.joint_from[j + 1]
    held, feasible = evaluate(shape, market, problem, work, solution, options, j)
    for a in range(first, last):
        solution.hold_objective[a] = solution.objective[a]
        solution.hold_risk[a] = solution.risk[a]
        solution.hold_feasible[a] = feasible
    best, bound, traded, solves = held, math.inf, False, 0
    n_cases, cases, lowest = max(1, shape.n_regimes), solution.cases_from[j], 0
    # Of several regimes the one with the lowest bound is searched first, and after it only those that
    # could save more than the gap at which a search stops.
    choose = n_cases > 1
    if choose:
        _glance(shape, market.loadings, problem, solution, work, options, start, cases)
        lowest = _lowest(solution, cases, n_cases)
    for turn in range(n_cases):
        case, enough = _after(lowest, turn), math.inf
        if choose:
            enough = best - options.gap_bps * _BPS if traded else best
            if solution.case_bound[cases + case] >= enough:
                continue
        shape = _enter(shape, problem, work, start, case)
        if choose:
            _go_on(shape, work, solution, cases + case)
        found = decide_case(shape, work, market.loadings, options, enough)
        solves += found.n_solves
        if not choose or found.bound > solution.case_bound[cases + case]:
            _certify(shape, work, solution, cases + case, found.bound)
        if not math.isfinite(found.cost):
            continue
        total = _settle(shape, market, problem, work, solution, options, j)
        if total < best:
            best, traded = total, True
            _keep_best(shape, work)
    for case in range(n_cases):
        bound = min(bound, solution.case_bound[cases + case])
    hold(problem, solution, j)
    if traded:
        copy_to(work.sold, work.best_sold, work.lots.start[shape.n])
        write_trades(shape, work, problem, solution, j, work.best.weight)
    copy_to(work.multipliers.theta, work.best.theta if traded else work.answer.theta, shape.size)
    total, within = evaluate(shape, market, problem, work, solution, options, j)
    _report(shape, problem, work, solution, j, total, bound, within, solves, traded)


@part
def _glance(
    shape: Shape,
    table: Floats,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    start: Floats,
    cases: int,
) -> None:
    """The bound of every regime, roughly, from the multipliers of its neighbour; `cases`: the first's. One
    that is seen not to be the lowest is left there."""
    lowest = math.inf
    for case in range(shape.n_regimes):
        shape = _enter(shape, problem, work, start, case)
        if case > 0:
            _go_on(shape, work, solution, cases + case - 1)
        effort = Effort(_GLANCE_STEPS, _GLANCE_TOLERANCE, lowest)
        _, bound = climb_case(shape, work, table, options, effort)
        _certify(shape, work, solution, cases + case, bound)
        lowest = min(lowest, bound)


@inner
def _lowest(solution: Solutions, cases: int, n_cases: int) -> int:
    """The case with the lowest bound."""
    lowest = 0
    for case in range(n_cases):
        if solution.case_bound[cases + case] < solution.case_bound[cases + lowest]:
            lowest = case
    return lowest


@inner
def _after(first: int, place: int) -> int:
    """The case at a place of the order that has one case first and the others as they stand."""
    if place == 0:
        return first
    return place - 1 if place <= first else place


@hidden
def _enter(shape: Shape, problem: Problems, work: Workspace, start: Floats, case: int) -> Shape:
    """Put a case to work: its regime, if the year has any, and multipliers to begin with."""
    if shape.n_regimes:
        regime = shape.first_regime + case
        set_regime(shape, problem, work, regime)
        constant = problem.regime_constant[regime]
        shape = with_constants(shape, constant, constant)
    _start(shape, work, start)
    return shape


@hidden
def _start(shape: Shape, work: Workspace, start: Floats) -> None:
    """Multipliers to begin with: prices of factors and cash, the same for every account."""
    accounts, m = work.accounts, work.multipliers
    m.theta[:] = 0.0
    for a in range(shape.n_accounts):
        accounts.risk_price[a] = accounts.own_risk_price[a]
        for f in range(shape.k + 1):
            m.theta[accounts.offset[a] + f] = accounts.share[a] * start[f]
        accounts.kind_price[a, :] = 0.0


@hidden
def _go_on(shape: Shape, work: Workspace, solution: Solutions, case: int) -> None:
    """The multipliers that proved a case's bound; 0 at an end that the regime at work leaves open."""
    first, m = solution.theta_from[case], work.multipliers
    for r in range(shape.size):
        theta = solution.theta[first + r]
        end = m.upper[r] if theta > 0.0 else m.lower[r]
        m.theta[r] = theta if m.risk_price[r] > 0.0 or math.isfinite(end) else 0.0


@part
def _settle(
    shape: Shape,
    market: Market,
    problem: Problems,
    work: Workspace,
    solution: Solutions,
    options: SolveOptions,
    j: int,
) -> float:
    """What the answer at work costs once lots are chosen for its sales."""
    sell_lots(shape, work)
    if shape.has_kinds:
        exchange_lots(shape, work)
        spare_gains(shape, work)
    write_trades(shape, work, problem, solution, j, work.answer.weight)
    total, _ = evaluate(shape, market, problem, work, solution, options, j)
    return total


@hidden
def _keep_best(shape: Shape, work: Workspace) -> None:
    copy_to(work.best.weight, work.answer.weight, shape.n)
    copy_to(work.best.theta, work.answer.theta, shape.size)
    copy_to(work.best.risk_price, work.answer.risk_price, shape.n_accounts)
    copy_to(work.best_sold, work.sold, work.lots.start[shape.n])


@hidden
def _certify(shape: Shape, work: Workspace, solution: Solutions, case: int, bound: float) -> None:
    """Write a case's bound and the multipliers that prove it."""
    first = solution.theta_from[case]
    solution.case_bound[case] = bound - _BOUND_MARGIN * (1.0 + abs(bound))
    for r in range(shape.size):
        solution.theta[first + r] = work.answer.bound_theta[r]
    for a in range(shape.n_accounts):
        solution.theta[first + shape.size + a] = work.answer.bound_risk_price[a] / work.accounts.share[a]


@hidden
def _report(
    shape: Shape,
    problem: Problems,
    work: Workspace,
    solution: Solutions,
    j: int,
    total: float,
    bound: float,
    within: bool,
    solves: int,
    traded: bool,
) -> None:
    """Status, bound and the answer's multipliers. bound: with its margin."""
    accounts, m = work.accounts, work.multipliers
    answer = work.best if traded else work.answer
    first = problem.joint_from[j]
    for at in range(shape.n_accounts):
        a = first + at
        solution.n_solves[a] = solves
        if not math.isfinite(bound):
            solution.status[a] = _FAILED
            continue
        solution.status[a] = _SOLVED if within else _RELAXED
        share, offset = accounts.share[at], accounts.offset[at]
        solution.risk_multiplier[a] = answer.risk_price[at] / share
        for f in range(shape.k):
            solution.factor_price[a, f] = m.theta[offset + f] / share
        solution.cash_price[a] = m.theta[offset + shape.k] / share
        # The answer itself proves that the optimum is not above it.
        gap = max(0.0, total - bound)
        solution.gap[a] = gap
        solution.lower_bound[a] = solution.objective[a] - gap
