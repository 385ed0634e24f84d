"""From weights to lots sold, and the exact cost of an answer with every charge in it."""

from __future__ import annotations

from typing import NamedTuple

from allotment.compiled import kernel
from allotment.optimize.curves import DUST, SELL, limit_excess
from allotment.optimize.dual import values
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.rounding import row_excess
from allotment.optimize.solution import Solutions
from allotment.optimize.workspace import Workspace
from allotment.units import Floats

_EXCESS_MIN = 1e-9  # a smaller excess is rounding of floats


class Terms(NamedTuple):
    """The objective's parts, as in `Solutions`."""

    risk: float
    tax: float
    cost: float
    wash: float
    utility: float
    relaxation: float
    cash_relaxation: float
    limit_relaxation: float
    within: bool  # cash band, rows and limits all kept


@kernel
def total(terms: Terms) -> float:
    """The objective."""
    paid = terms.risk + terms.tax + terms.cost + terms.wash
    return paid - terms.utility + terms.relaxation


@kernel
def sell_lots(work: Workspace, problem: Problems, solution: Solutions, a: int) -> None:
    """Fill sold and bought for the workspace's weights and chosen pieces, cheapest lots first."""
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    for i in range(n):
        name = first + i
        solution.weight[name] = work.weight[i]
        solution.bought[name] = max(0.0, work.weight[i] - work.held[i])
        for lot in range(problem.lots_from[name], problem.lots_from[name + 1]):
            solution.sold[lot] = 0.0
        left = work.held[i] - work.weight[i]
        sells_losses = work.piece_mode[work.chosen[i]] == SELL
        for place in range(work.lot_order_from[i], work.lot_order_from[i + 1]):
            if left <= 0.0:
                break
            lot = work.lot_order[place]
            if problem.lot_is_loss[lot] and not sells_losses:
                continue
            sold = min(left, problem.lot_weight[lot])
            if problem.lot_weight[lot] - sold < DUST:
                sold = problem.lot_weight[lot]
            solution.sold[lot] = sold
            left -= sold


@kernel
def terms_of(
    work: Workspace,
    market: Market,
    table: Floats,
    problem: Problems,
    solution: Solutions,
    options: SolveOptions,
    a: int,
) -> Terms:
    """The cost of what `solution` holds for account a. Leaves the exposures in work.value."""
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    k = table.shape[1]
    tax, cost, wash, utility, limit = 0.0, 0.0, 0.0, 0.0, 0.0
    variance = 0.0
    for i in range(n):
        name = first + i
        weight = solution.weight[name]
        active = weight - problem.benchmark[name]
        variance += market.specific_variance[problem.asset_ix[name]] * active * active
        utility += problem.utility[name] * weight
        limit += limit_excess(problem, name, weight)
        sold = 0.0
        for lot in range(problem.lots_from[name], problem.lots_from[name + 1]):
            if solution.sold[lot] > 0.0:
                sold += solution.sold[lot]
                tax += problem.lot_tax[lot] * solution.sold[lot]
                cost += problem.lot_charge[a]
        bought = solution.bought[name]
        cost += problem.half_spread[name] * (sold + bought)
        if sold > 0.0 or bought > 0.0:
            cost += problem.ticket_charge[a]
        washed = min(bought, problem.wash_exposed[name])
        if washed > 0.0:
            wash += problem.wash_cost[name] * washed
    values(work, table, n, solution.weight[first : first + n], work.value)
    for f in range(k):
        variance += work.value[f] * work.value[f]
    high = work.value[k] - work.upper[k]
    low = work.value[k] - work.lower[k]
    # More invested than allowed is too little cash: the sign is that of cash.
    cash = -high if high > _EXCESS_MIN else -low if low < -_EXCESS_MIN else 0.0
    relaxation = options.cash_price * abs(cash) + options.limit_price * limit
    within = cash == 0.0 and limit == 0.0
    for r in range(k + 1, work.value.shape[0]):
        excess = row_excess(work, r, work.value[r])
        if excess > _EXCESS_MIN:
            relaxation += work.price[r] * excess
            within = False
    risk = 0.5 * problem.risk_price[a] * variance
    return Terms(risk, tax, cost, wash, utility, relaxation, cash, limit, within)


@kernel
def report(work: Workspace, problem: Problems, solution: Solutions, terms: Terms, a: int, k: int) -> None:
    """Write the answer's terms, cash and rows; work.value holds its exposures."""
    solution.objective[a] = total(terms)
    solution.risk[a] = terms.risk
    solution.tax[a] = terms.tax
    solution.cost[a] = terms.cost
    solution.wash[a] = terms.wash
    solution.utility[a] = terms.utility
    solution.relaxation[a] = terms.relaxation
    solution.cash_relaxation[a] = terms.cash_relaxation
    solution.limit_relaxation[a] = terms.limit_relaxation
    solution.cash_after[a] = work.upper[k] + problem.cash_min[a] - work.value[k]
    first = problem.rows_from[a]
    for r in range(first, problem.rows_from[a + 1]):
        value = work.value[k + 1 + r - first]
        excess = row_excess(work, k + 1 + r - first, value)
        solution.row_value[r] = value
        signed = excess if value > problem.row_upper[r] else -excess
        solution.row_relaxation[r] = signed if excess > _EXCESS_MIN else 0.0
