"""One account from its columns to its answer: check, set up, search, round, settle by lot."""

from __future__ import annotations

import math

from allotment.compiled import kernel
from allotment.optimize.branches import search
from allotment.optimize.curves import build_pieces, sort_lots
from allotment.optimize.dual import start_hessian
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.rounding import round_answer
from allotment.optimize.settle import report, sell_lots, terms_of, total
from allotment.optimize.solution import Solutions
from allotment.optimize.workspace import Workspace
from allotment.units import Floats, Ints

_BOUND_MARGIN = 1e-11  # for the float error of the bound: sums of some thousand terms below 1
# Statuses and faults as integers: kernels do not read enumerations.
_SOLVED, _RELAXED, _EMPTY, _INVALID, _FAILED = 0, 1, 2, 3, 4
_ACCOUNT, _NAME, _RISK, _LOT, _LIMITS, _ROW, _DUPLICATE = 1, 2, 3, 4, 5, 6, 7


@kernel
def solve_accounts(
    market: Market,
    table: Floats,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    start: Floats,
    accounts: Ints,
) -> None:
    """Answer the accounts at these positions, one after another; all have the same row count."""
    for a in accounts:
        solution.fault[a] = 0
        _hold(problem, solution, a)
        n = problem.names_from[a + 1] - problem.names_from[a]
        if n == 0 or problem.value_usd[a] <= 0.0:
            solution.status[a] = _EMPTY
            continue
        fault = _fault(market, problem, work, a)
        if fault > 0:
            solution.fault[a] = fault
            solution.status[a] = _INVALID
            continue
        _solve_account(market, table, problem, solution, work, options, start, a)


@kernel
def _hold(problem: Problems, solution: Solutions, a: int) -> None:
    """The answer of doing nothing: weights as held, no trade."""
    for i in range(problem.names_from[a], problem.names_from[a + 1]):
        solution.weight[i] = problem.held[i]
        solution.bought[i] = 0.0
        for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
            solution.sold[lot] = 0.0
    solution.cash_after[a] = problem.cash[a]


@kernel
def _fault(market: Market, problem: Problems, work: Workspace, a: int) -> int:
    """Which input cannot be worked with, as a Fault; 0 when all can."""
    terms = problem.risk_price[a] + problem.cash[a] + problem.cash_min[a] + problem.cash_max[a]
    terms += problem.value_usd[a]
    charges = problem.trade_min[a] + problem.ticket_charge[a] + problem.lot_charge[a]
    if not math.isfinite(terms + charges) or problem.risk_price[a] <= 0.0:
        return _ACCOUNT
    if problem.cash_min[a] > problem.cash_max[a] or problem.trade_min[a] < 0.0:
        return _ACCOUNT
    if problem.ticket_charge[a] < 0.0 or problem.lot_charge[a] < 0.0:
        return _ACCOUNT
    for i in range(problem.names_from[a], problem.names_from[a + 1]):
        fault = _name_fault(market, problem, i)
        if fault > 0:
            return fault
    for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
        lower = problem.row_lower[r]
        upper = problem.row_upper[r]
        if not lower <= upper or not 0.0 <= problem.row_price[r] < math.inf or lower == math.inf:
            return _ROW
        if upper == -math.inf:
            return _ROW
        n = problem.names_from[a + 1] - problem.names_from[a]
        for entry in range(problem.entries_from[r], problem.entries_from[r + 1]):
            inside = 0 <= problem.entry_name[entry] < n
            if not inside or not math.isfinite(problem.entry_coefficient[entry]):
                return _ROW
    return _duplicate(problem, work, a)


@kernel
def _name_fault(market: Market, problem: Problems, i: int) -> int:
    asset = problem.asset_ix[i]
    risk = market.specific_variance[asset]
    for f in range(market.loadings.shape[1]):
        risk += abs(market.loadings[asset, f])
    if not math.isfinite(risk) or market.specific_variance[asset] <= 0.0:
        return _RISK
    numbers = problem.benchmark[i] + problem.held[i] + problem.utility[i] + problem.half_spread[i]
    numbers += problem.wash_exposed[i] + problem.young[i] + problem.step[i]
    if not math.isfinite(numbers) or problem.held[i] < 0.0 or problem.half_spread[i] < 0.0:
        return _NAME
    if problem.step[i] < 0.0 or problem.wash_exposed[i] < 0.0 or not problem.wash_cost[i] >= 0.0:
        return _NAME
    if not problem.weight_min[i] <= problem.weight_max[i] or problem.weight_max[i] < 0.0:
        return _LIMITS
    if not math.isfinite(problem.weight_min[i] + problem.weight_max[i]):
        return _LIMITS
    total = 0.0
    for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
        weight = problem.lot_weight[lot]
        if not math.isfinite(weight + problem.lot_tax[lot]) or weight < 0.0:
            return _LOT
        total += weight
    if total > problem.held[i] + 1e-9 * (1.0 + problem.held[i]):
        return _LOT
    return 0


@kernel
def _duplicate(problem: Problems, work: Workspace, a: int) -> int:
    """_DUPLICATE when an asset stands twice in the account; uses no memory but `asset_seen`."""
    found = 0
    first = problem.names_from[a]
    end = problem.names_from[a + 1]
    for i in range(first, end):
        asset = problem.asset_ix[i]
        if work.asset_seen[asset]:
            found = _DUPLICATE
        work.asset_seen[asset] = True
    for i in range(first, end):
        work.asset_seen[problem.asset_ix[i]] = False
    return found


@kernel
def _set_up(market: Market, problem: Problems, work: Workspace, options: SolveOptions, a: int) -> int:
    """Fill the workspace for one account; returns how many groups have more than one name."""
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    k = market.loadings.shape[1]
    whole = problem.cash[a]
    work.benchmark_value[:] = 0.0
    for i in range(n):
        name = first + i
        asset = problem.asset_ix[name]
        work.asset[i] = asset
        work.benchmark[i] = problem.benchmark[name]
        work.held[i] = problem.held[name]
        work.utility[i] = problem.utility[name]
        work.curvature[i] = problem.risk_price[a] * market.specific_variance[asset]
        work.slack[i] = 1.0 / work.curvature[i]
        whole += problem.held[name]
        for f in range(k):
            work.benchmark_value[f] += problem.benchmark[name] * market.loadings[asset, f]
    work.lower[k] = whole - problem.cash_max[a]
    work.upper[k] = whole - problem.cash_min[a]
    work.price[k] = options.cash_price
    for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
        row = k + 1 + r - problem.rows_from[a]
        work.lower[row] = problem.row_lower[r]
        work.upper[row] = problem.row_upper[r]
        work.price[row] = problem.row_price[r]
    _index_entries(problem, work, a, k)
    n_groups = _index_groups(market, work, n)
    sort_lots(work, problem, a)
    build_pieces(work, problem, a, options)
    return n_groups


@kernel
def _index_entries(problem: Problems, work: Workspace, a: int, k: int) -> None:
    """Turn the rows' entries round: by name instead of by row."""
    n = problem.names_from[a + 1] - problem.names_from[a]
    work.entry_from[: n + 1] = 0
    first_row = problem.rows_from[a]
    last_row = problem.rows_from[a + 1]
    start = problem.entries_from[first_row]
    for entry in range(start, problem.entries_from[last_row]):
        work.entry_from[problem.entry_name[entry] + 1] += 1
    for i in range(n):
        work.entry_from[i + 1] += work.entry_from[i]
    for r in range(first_row, last_row):
        for entry in range(problem.entries_from[r], problem.entries_from[r + 1]):
            i = problem.entry_name[entry]
            place = work.entry_from[i]
            work.entry_row[place] = k + 1 + r - first_row
            work.entry_coefficient[place] = problem.entry_coefficient[entry]
            work.entry_from[i] += 1
    for i in range(n, 0, -1):
        work.entry_from[i] = work.entry_from[i - 1]
    work.entry_from[0] = 0


@kernel
def _index_groups(market: Market, work: Workspace, n: int) -> int:
    """Link the names of each substantially identical group; returns how many have several."""
    n_groups = 0
    for i in range(n):
        work.in_group[i] = False
        work.group_next[i] = -1
        group = market.group_ix[work.asset[i]]
        last = work.group_last[group]
        work.group_last[group] = i
        if last < 0:
            continue
        if not work.in_group[last]:
            work.group_head[n_groups] = last
            n_groups += 1
        work.in_group[last] = True
        work.in_group[i] = True
        work.group_next[last] = i
    for i in range(n):
        work.group_last[market.group_ix[work.asset[i]]] = -1
    return n_groups


@kernel
def _solve_account(
    market: Market,
    table: Floats,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    start: Floats,
    a: int,
) -> None:
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    k = market.loadings.shape[1]
    n_groups = _set_up(market, problem, work, options, a)
    risk_price = problem.risk_price[a]
    start_hessian(work, n, k, risk_price)
    work.theta[:] = 0.0
    work.theta[: k + 1] = start
    cost, bound, solves = search(work, table, n, n_groups, risk_price, options)
    solution.n_solves[a] = solves
    hold = terms_of(work, market, table, problem, solution, options, a)
    solution.hold_objective[a] = total(hold)
    solution.hold_risk[a] = hold.risk
    solution.hold_feasible[a] = hold.within
    terms = hold
    found = math.isfinite(cost) and math.isfinite(bound)
    if found:
        round_answer(work, problem, table, a, n)
        work.weight[:n] = work.answer_weight[:n]
        work.chosen[:n] = work.answer_piece[:n]
        sell_lots(work, problem, solution, a)
        terms = terms_of(work, market, table, problem, solution, options, a)
    if not total(terms) < total(hold):
        _hold(problem, solution, a)
        terms = terms_of(work, market, table, problem, solution, options, a)
    report(work, problem, solution, terms, a, k)
    if not found:
        solution.status[a] = _FAILED
        return
    solution.status[a] = _SOLVED if terms.within else _RELAXED
    for f in range(k):
        solution.factor_price[a, f] = work.bound_theta[f]
    solution.cash_price[a] = work.bound_theta[k]
    for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
        solution.row_multiplier[r] = work.bound_theta[k + 1 + r - problem.rows_from[a]]
    bound -= _BOUND_MARGIN * (1.0 + abs(bound))
    # The answer itself proves that no bound lies above it.
    solution.lower_bound[a] = min(bound, total(terms))
    solution.gap[a] = total(terms) - solution.lower_bound[a]
