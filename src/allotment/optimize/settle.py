"""From weights to lots sold, and the exact cost of an answer with every charge in it."""

from __future__ import annotations

import math

from allotment.compiled import hidden
from allotment.optimize.dual import values
from allotment.optimize.load import (
    BIG,
    GAIN,
    GAIN_LONG,
    GAIN_SHORT,
    HOLDINGS,
    TAX,
    TRADES,
    TURNOVER,
)
from allotment.optimize.measures import sum_rows
from allotment.optimize.pieces import DUST, limit_excess
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.shifts import row_excess
from allotment.optimize.solution import Solutions
from allotment.optimize.workspace import Multipliers, Shape, Workspace
from allotment.units import Floats

_EXCESS_MIN = 1e-9  # a smaller excess is rounding of floats
_ROW_EXCESS_MIN = 1e-7  # a smaller one is rounding of shares: priced and shown, but no relaxation


@hidden
def write_trades(
    shape: Shape, work: Workspace, problem: Problems, solution: Solutions, j: int, weight: Floats
) -> None:
    """Fill weight, bought and sold of problem j from `weight` and work.sold."""
    first = problem.names_from[problem.joint_from[j]]
    for i in range(shape.n):
        solution.weight[first + i] = weight[i]
        sold = 0.0
        for place in range(work.lots.start[i], work.lots.start[i + 1]):
            solution.sold[work.lots.row[place]] = work.sold[place]
            sold += work.sold[place]
        bought = weight[i] - work.names.held[i]
        if work.names.may_rebuy[i] and bought + sold > DUST:
            bought += sold
        solution.bought[first + i] = max(0.0, bought)


@hidden
def _measure_trades(problem: Problems, solution: Solutions, a: int, out: Floats) -> None:
    """What rows of other kinds count for account a, from its trades."""
    out[:] = 0.0
    for i in range(problem.names_from[a], problem.names_from[a + 1]):
        traded = solution.bought[i]
        for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
            sold = solution.sold[lot]
            if sold > 0.0:
                traded += sold
                out[GAIN_LONG if problem.lot_is_long[lot] else GAIN_SHORT] += problem.lot_gain[lot] * sold
                out[TAX] += problem.lot_tax[lot] * sold
        out[TURNOVER] += 0.5 * traded
        if traded > 0.0:
            out[TRADES] += 1.0
        if solution.weight[i] > 0.0:
            out[HOLDINGS] += 1.0
        if solution.weight[i] > problem.big_from[a] + DUST:  # a name brought to its edge is not above it
            out[BIG] += solution.weight[i]
    out[GAIN] = out[GAIN_LONG] + out[GAIN_SHORT]


@hidden
def evaluate(
    shape: Shape,
    market: Market,
    problem: Problems,
    work: Workspace,
    solution: Solutions,
    options: SolveOptions,
    j: int,
) -> tuple[float, bool]:
    """Write every term of what `solution` holds for problem j; returns its objective as a fraction of
    the value of all accounts, and whether everything elastic is kept."""
    accounts, m = work.accounts, work.multipliers
    first_account = problem.joint_from[j]
    first = problem.names_from[first_account]
    weight = solution.weight[first : first + shape.n]
    values(shape, accounts, work.names, work.entries, market.loadings, m, weight)
    for at in range(shape.n_accounts):
        _measure_trades(problem, solution, first_account + at, accounts.measured[at])
    sum_rows(shape, accounts, m)
    own, within = 0.0, True
    for at in range(shape.n_accounts):
        a = first_account + at
        _evaluate_account(shape, market, problem, work, solution, a, at)
        within = _relax(shape, problem, work, solution, options, a, at) and within
        own += accounts.share[at] * solution.objective[a]
    together = 0.0
    for r in range(shape.size - (3 if shape.n_regimes else 0)):
        if m.account[r] < 0:
            excess = row_excess(m, r, m.value[r])
            if excess > _EXCESS_MIN:
                together += m.price[r] * excess
                within = within and excess <= _ROW_EXCESS_MIN
    year = _year_tax(shape, problem, m) if shape.n_regimes else 0.0
    for a in range(first_account, first_account + shape.n_accounts):
        solution.year_tax[a] = year
        solution.relaxation[a] += together
        solution.objective[a] += year + together
    _write_rows(shape, problem, work, solution, j)
    return own + year + together, within


@hidden
def _evaluate_account(
    shape: Shape, market: Market, problem: Problems, work: Workspace, solution: Solutions, a: int, at: int
) -> None:
    """Risk, tax, cost, wash and utility of one account."""
    tax, cost, wash, utility, limit, variance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(problem.names_from[a], problem.names_from[a + 1]):
        weight = solution.weight[i]
        active = weight - problem.benchmark[i]
        variance += market.specific_variance[problem.asset_ix[i]] * active * active
        utility += problem.utility[i] * weight
        limit += limit_excess(weight, problem.weight_min[i], problem.weight_max[i])
        traded = solution.bought[i]
        left = solution.bought[i]
        for claim in range(problem.claims_from[i], problem.claims_from[i + 1]):
            washed = min(left, problem.claim_weight[claim])
            if washed > 0.0:
                wash += problem.claim_cost[claim] * washed
                left -= washed
        lost = 0.0
        for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
            sold = solution.sold[lot]
            if sold > 0.0:
                traded += sold
                lost += sold if problem.lot_is_loss[lot] else 0.0
                tax += problem.lot_tax[lot] * sold
                cost += problem.lot_charge[a]
        if lost > 0.0 and problem.young[i] > 0.0:
            wash += problem.young_cost[i] * min(lost, problem.young[i])
        cost += problem.half_spread[i] * traded
        if traded > 0.0:
            change = weight - problem.held[i]
            cost += problem.ticket_charge[a] + problem.impact[i] * change * change
    offset = work.accounts.offset[at]
    for f in range(offset, offset + shape.k):
        variance += work.multipliers.value[f] * work.multipliers.value[f]
    solution.risk[a] = 0.5 * problem.risk_price[a] * variance
    solution.tracking_error[a] = math.sqrt(variance)
    solution.tax[a], solution.cost[a], solution.wash[a] = tax, cost, wash
    solution.utility[a], solution.limit_relaxation[a] = utility, limit
    paid = solution.risk[a] + tax + cost + wash
    solution.objective[a] = paid - utility


@hidden
def _relax(
    shape: Shape,
    problem: Problems,
    work: Workspace,
    solution: Solutions,
    options: SolveOptions,
    a: int,
    at: int,
) -> bool:
    """Price what account a relaxes, and say so; True when it relaxes nothing."""
    m, accounts = work.multipliers, work.accounts
    budget = accounts.offset[at] + shape.k
    # More invested than allowed is too little cash: the sign is that of cash.
    cash = m.upper[budget] - m.value[budget]
    if cash >= 0.0:
        cash = max(m.lower[budget] - m.value[budget], 0.0)
    if abs(cash) <= _EXCESS_MIN:
        cash = 0.0
    solution.cash_relaxation[a] = cash
    solution.cash_after[a] = m.upper[budget] + problem.cash_min[a] - m.value[budget]
    limit = solution.limit_relaxation[a]
    relaxation = options.cash_price * abs(cash) + options.limit_price * limit
    within = cash == 0.0 and limit == 0.0
    te, te_max = solution.tracking_error[a], problem.te_max[a]
    over = 0.5 * (te * te - te_max * te_max) if te > te_max * (1.0 + _EXCESS_MIN) else 0.0
    solution.te_relaxation[a] = over
    relaxation += options.te_price * over
    within = within and over == 0.0
    share = accounts.share[at]
    for r in range(budget + 1, shape.size):
        if m.account[r] != at:
            continue
        excess = row_excess(m, r, m.value[r])
        if excess > _EXCESS_MIN:
            relaxation += m.price[r] / share * excess
            within = within and excess <= _ROW_EXCESS_MIN
    solution.relaxation[a] = relaxation
    solution.objective[a] += relaxation
    return within


@hidden
def _year_tax(shape: Shape, problem: Problems, m: Multipliers) -> float:
    """The tax of the regime that the realised gains lie in, or lie nearest to."""
    row = shape.size - 3
    best, tax = math.inf, 0.0
    for g in range(shape.first_regime, shape.first_regime + shape.n_regimes):
        outside = 0.0
        for x in range(3):
            value = m.value[row + x]
            outside = max(outside, problem.regime_lower[g, x] - value, value - problem.regime_upper[g, x])
        if outside < best:
            best = outside
            tax = problem.regime_constant[g] + problem.regime_short_rate[g] * m.value[row]
            tax += problem.regime_long_rate[g] * m.value[row + 1]
    return tax


@hidden
def _write_rows(shape: Shape, problem: Problems, work: Workspace, solution: Solutions, j: int) -> None:
    """Values and relaxations of the rows, which stand account by account in the problem's columns."""
    m, accounts = work.multipliers, work.accounts
    shared = accounts.offset[shape.n_accounts - 1] + shape.k + 1
    for r in range(shared, shape.size):
        if m.account[r] < 0:
            shared = r
            break
        shared = r + 1
    for a in range(problem.joint_from[j], problem.joint_from[j + 1]):
        own = accounts.offset[a - problem.joint_from[j]] + shape.k + 1
        for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
            row = shared if problem.row_joint[r] else own
            if problem.row_joint[r]:
                shared += 1
            else:
                own += 1
            excess = row_excess(m, row, m.value[row])
            solution.row_value[r] = m.value[row]
            signed = excess if m.value[row] > problem.row_upper[r] else -excess
            solution.row_relaxation[r] = signed if excess > _EXCESS_MIN else 0.0
            share = 1.0 if problem.row_joint[r] else accounts.share[a - problem.joint_from[j]]
            solution.row_multiplier[r] = m.theta[row] / share
