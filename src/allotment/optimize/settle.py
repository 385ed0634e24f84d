"""From weights to lots sold, and the exact cost of an answer with every charge in it."""

from __future__ import annotations

from typing import NamedTuple

from allotment.compiled import inner
from allotment.optimize.curves import DUST, SELL, limit_excess
from allotment.optimize.dual import values
from allotment.optimize.problem import Market, Problems
from allotment.optimize.rounding import row_excess
from allotment.optimize.solution import Solutions
from allotment.optimize.workspace import Account, Multipliers, Workspace

_EXCESS_MIN = 1e-9  # a smaller excess is rounding of floats
_ROW_EXCESS_MIN = 1e-7  # a smaller one is rounding of shares: priced and shown, but no relaxation


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


@inner
def total(terms: Terms) -> float:
    """The objective."""
    paid = terms.risk + terms.tax + terms.cost + terms.wash
    return paid - terms.utility + terms.relaxation


@inner
def sell_lots(work: Workspace, account: Account, problem: Problems, solution: Solutions, a: int) -> None:
    """Fill weight, bought and sold from work.answer, cheapest lots first."""
    first = problem.names_from[a]
    lots = work.lots
    for i in range(account.n):
        weight = work.answer.weight[i]
        held = work.names.held[i]
        solution.weight[first + i] = weight
        solution.bought[first + i] = max(0.0, weight - held)
        left = held - weight
        sells_losses = work.curves.mode[work.answer.piece[i]] == SELL
        for place in range(lots.start[i], lots.start[i + 1]):
            if left <= 0.0:
                break
            if lots.is_loss[place] and not sells_losses:
                continue
            sold = lots.weight[place] if lots.weight[place] - left < DUST else left
            solution.sold[lots.row[place]] = sold
            left -= sold


@inner
def terms_of(
    work: Workspace, account: Account, market: Market, problem: Problems, solution: Solutions, a: int
) -> Terms:
    """The cost of what `solution` holds for account a. Leaves the exposures in `value`."""
    first = problem.names_from[a]
    names = work.names
    tax, cost, wash, utility, limit, variance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(account.n):
        weight = solution.weight[first + i]
        active = weight - names.benchmark[i]
        variance += market.specific_variance[names.asset[i]] * active * active
        utility += names.utility[i] * weight
        limit += limit_excess(weight, names.weight_min[i], names.weight_max[i])
        traded = solution.bought[first + i]
        washed = min(traded, names.wash_exposed[i])
        if washed > 0.0:
            wash += names.wash_cost[i] * washed
        for lot in range(problem.lots_from[first + i], problem.lots_from[first + i + 1]):
            if solution.sold[lot] > 0.0:
                traded += solution.sold[lot]
                tax += problem.lot_tax[lot] * solution.sold[lot]
                cost += account.lot_charge
        cost += names.half_spread[i] * traded
        if traded > 0.0:
            cost += account.ticket_charge
    multipliers = work.multipliers
    value = multipliers.value
    values(
        account.n,
        names.asset,
        work.entries,
        market.loadings,
        multipliers.benchmark_value,
        solution.weight[first : first + account.n],
        value,
    )
    k = account.k
    for f in range(k):
        variance += value[f] * value[f]
    # More invested than allowed is too little cash: the sign is that of cash.
    cash = multipliers.upper[k] - value[k]
    if cash >= 0.0:
        cash = max(multipliers.lower[k] - value[k], 0.0)
    if abs(cash) <= _EXCESS_MIN:
        cash = 0.0
    relaxation = account.cash_price * abs(cash) + account.limit_price * limit
    within = cash == 0.0 and limit == 0.0
    for r in range(k + 1, value.shape[0]):
        excess = row_excess(multipliers, r, value[r])
        if excess > _EXCESS_MIN:
            relaxation += multipliers.price[r] * excess
            within = within and excess <= _ROW_EXCESS_MIN
    risk = 0.5 * account.risk_price * variance
    return Terms(risk, tax, cost, wash, utility, relaxation, cash, limit, within)


@inner
def report(
    multipliers: Multipliers, problem: Problems, solution: Solutions, terms: Terms, a: int, k: int
) -> None:
    """Write the answer's terms, cash and rows; multipliers.value holds its exposures."""
    solution.objective[a] = total(terms)
    solution.risk[a] = terms.risk
    solution.tax[a] = terms.tax
    solution.cost[a] = terms.cost
    solution.wash[a] = terms.wash
    solution.utility[a] = terms.utility
    solution.relaxation[a] = terms.relaxation
    solution.cash_relaxation[a] = terms.cash_relaxation
    solution.limit_relaxation[a] = terms.limit_relaxation
    solution.cash_after[a] = multipliers.upper[k] + problem.cash_min[a] - multipliers.value[k]
    first = problem.rows_from[a]
    for r in range(first, problem.rows_from[a + 1]):
        value = multipliers.value[k + 1 + r - first]
        excess = row_excess(multipliers, k + 1 + r - first, value)
        solution.row_value[r] = value
        signed = excess if value > problem.row_upper[r] else -excess
        solution.row_relaxation[r] = signed if excess > _EXCESS_MIN else 0.0
