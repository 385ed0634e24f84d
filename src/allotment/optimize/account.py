"""One account from its columns to its answer: check, load, search, round, settle by lot."""

from __future__ import annotations

import math

from allotment.compiled import inner, kernel
from allotment.optimize.branches import Found, search
from allotment.optimize.check import find_fault
from allotment.optimize.curves import build_pieces
from allotment.optimize.dual import start_hessian
from allotment.optimize.lattice import lattice_bound
from allotment.optimize.load import load
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.rounding import round_answer, rounded_cost
from allotment.optimize.settle import Terms, report, sell_lots, terms_of, total
from allotment.optimize.solution import Solutions
from allotment.optimize.steps import has_steps, round_large_steps
from allotment.optimize.workspace import Account, Workspace
from allotment.units import Floats, Ints

_BOUND_MARGIN = 1e-11  # for the float error of the bound: sums of some thousand terms below 1
# The values of `Status`: kernels do not read enumerations.
_SOLVED, _RELAXED, _EMPTY, _INVALID, _FAILED = 0, 1, 2, 3, 4


@kernel
def solve_accounts(
    market: Market,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    start: Floats,
    accounts: Ints,
) -> None:
    """Answer the accounts at these positions, one after another; all have the same row count."""
    for a in accounts:
        hold(problem, solution, a)
        if problem.names_from[a + 1] == problem.names_from[a] or problem.value_usd[a] <= 0.0:
            solution.status[a] = _EMPTY
            continue
        fault = find_fault(market, problem, work.asset_seen, a)
        solution.fault[a] = fault
        if fault > 0:
            solution.status[a] = _INVALID
            continue
        account = load(market, problem, work, options, a)
        found = _search(account, work, market.loadings, options, start)
        _answer(market, problem, solution, work, account, found, a)


@inner
def hold(problem: Problems, solution: Solutions, a: int) -> None:
    """The answer of doing nothing: weights as held, no trade."""
    for i in range(problem.names_from[a], problem.names_from[a + 1]):
        solution.weight[i] = problem.held[i]
        solution.bought[i] = 0.0
        for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
            solution.sold[lot] = 0.0
    solution.cash_after[a] = problem.cash[a]


@inner
def _search(account: Account, work: Workspace, table: Floats, options: SolveOptions, start: Floats) -> Found:
    """Search and round; the answer is left in work.answer."""
    multipliers = work.multipliers
    build_pieces(account, work.names, work.lots, work.curves, work.plan)
    start_hessian(account, work.state.free_counted, multipliers.hessian)
    multipliers.theta[:] = 0.0
    for x in range(account.k + 1):
        multipliers.theta[x] = start[x]
    found = search(
        account,
        work.names,
        work.entries,
        work.curves,
        work.state,
        multipliers,
        work.answer,
        work.candidates,
        table,
        options,
    )
    if not (math.isfinite(found.cost) and math.isfinite(found.bound)):
        return found
    _round(account, work, table)
    if not has_steps(account, work.names):
        return found
    bound = found.bound
    best = work.answer.bound_theta
    for theta in (work.answer.theta, work.answer.bound_theta):
        trial = lattice_bound(
            account, work.names, work.entries, work.curves, multipliers, table, theta, work.state.q
        )
        if trial > bound:
            bound = trial
            best = theta
    for x in range(work.answer.bound_theta.shape[0]):
        work.answer.bound_theta[x] = best[x]
    return Found(found.cost, bound, found.n_solves)


@inner
def _round(account: Account, work: Workspace, table: Floats) -> None:
    """Round work.answer; with large steps, the better of two ways."""
    names, curves, multipliers, answer = work.names, work.curves, work.multipliers, work.answer
    n = account.n
    weight = work.candidates.weight
    piece = work.state.preferred
    for x in range(n):
        weight[x] = answer.weight[x]
    for x in range(n):
        piece[x] = answer.piece[x]
    round_answer(account, names, work.entries, curves, multipliers, answer, table)
    if not has_steps(account, names):
        return
    cost = rounded_cost(account, names, curves, multipliers, answer)
    for i in range(n):
        weight[i], answer.weight[i] = answer.weight[i], weight[i]
        piece[i], answer.piece[i] = answer.piece[i], piece[i]
    round_large_steps(
        account, names, work.entries, curves, work.state, multipliers, answer, work.candidates, table
    )
    round_answer(account, names, work.entries, curves, multipliers, answer, table)
    if cost < rounded_cost(account, names, curves, multipliers, answer):
        for x in range(n):
            answer.weight[x] = weight[x]
        for x in range(n):
            answer.piece[x] = piece[x]


@inner
def _answer(
    market: Market,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    account: Account,
    found: Found,
    a: int,
) -> None:
    """Settle by lot, keep whichever of trading and holding costs less, and report."""
    held = terms_of(work, account, market, problem, solution, a)
    solution.n_solves[a] = found.n_solves
    solution.hold_objective[a] = total(held)
    solution.hold_risk[a] = held.risk
    solution.hold_feasible[a] = held.within
    terms: Terms = held
    solved = math.isfinite(found.cost) and math.isfinite(found.bound)
    if solved:
        sell_lots(work, account, problem, solution, a)
        terms = terms_of(work, account, market, problem, solution, a)
        if not total(terms) < total(held):
            hold(problem, solution, a)
            terms = terms_of(work, account, market, problem, solution, a)
    report(work.multipliers, problem, solution, terms, a, account.k)
    if not solved:
        solution.status[a] = _FAILED
        return
    solution.status[a] = _SOLVED if terms.within else _RELAXED
    theta = work.answer.bound_theta
    for x in range(account.k):
        solution.factor_price[a, x] = theta[x]
    solution.cash_price[a] = theta[account.k]
    first = problem.rows_from[a]
    for r in range(first, problem.rows_from[a + 1]):
        solution.row_multiplier[r] = theta[account.k + 1 + r - first]
    bound = found.bound - _BOUND_MARGIN * (1.0 + abs(found.bound))
    # The answer itself proves that the optimum is not above it.
    solution.lower_bound[a] = min(bound, total(terms))
    solution.gap[a] = total(terms) - solution.lower_bound[a]
