"""The convex core by a general solver (cvxpy with Clarabel): the same problem, sides fixed.

Slow and independent: it knows lots and purchases as variables, not cost curves. It serves tests,
benchmarks and audits; cvxpy and Clarabel come with the extra `bench` and are imported when used.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.units import Codes, Floats


class Side(IntEnum):
    """What a name may do. A smallest trade or a ticket makes HOLD a side of its own."""

    HOLD = 0
    SELL = 1  # any sellable lot, no purchase
    BUY = 2  # purchases, and sales of lots at a gain when trading has no fixed charge


class Reference(NamedTuple):
    """The general solver's answer for one account."""

    objective: float  # infinite when the sides allow no trade at all
    weight: Floats  # (n,)


def sides_of(problem: Problems, solution: Solutions) -> Codes:
    """The sides that the answer of a batch of one takes, per name."""
    sold = solution.sold_by_name(problem.lots_from)
    sides = np.where(sold > 0.0, Side.SELL, np.where(solution.bought > 0.0, Side.BUY, Side.HOLD))
    return sides.astype(np.int8)


def solve_reference(
    market: Market, problem: Problems, sides: Codes, options: SolveOptions | None = None
) -> Reference:
    """The best trades of a batch of one on the given sides (n,), in fractions of account value.

    Name limits must be met by the weights held; washes are taken at their full price from the
    first share; share steps are ignored and closed lots are charged by their share.
    """
    import cvxpy

    cp: Any = cvxpy  # its functions carry no types

    assert problem.n_accounts == 1
    options = SolveOptions() if options is None else options
    n, n_lots = len(problem.held), len(problem.lot_weight)
    name_of_lot = np.repeat(np.arange(n), np.diff(problem.lots_from))
    by_name = np.zeros((n, n_lots))
    by_name[name_of_lot, np.arange(n_lots)] = 1.0
    least, ticket = float(problem.trade_min[0]), float(problem.ticket_charge[0])
    fixed = least > 0.0 or ticket > 0.0
    barred = problem.lot_is_loss & (problem.young > 0.0)[name_of_lot]
    usable = problem.lot_sellable & problem.may_sell[name_of_lot] & ~barred
    side = sides[name_of_lot]
    usable &= (side == Side.SELL) | ((side == Side.BUY) & ~problem.lot_is_loss & (not fixed))
    sold, bought = cp.Variable(n_lots), cp.Variable(n)
    weight = problem.held - by_name @ sold + bought
    cash = problem.cash[0] + cp.sum(sold) - cp.sum(bought)
    active = weight - problem.benchmark
    loadings = market.loadings[problem.asset_ix]
    specific = np.sqrt(market.specific_variance[problem.asset_ix])
    buying = (sides == Side.BUY) & problem.may_buy & ~np.isinf(problem.wash_cost)
    wash = np.where(buying & (problem.wash_exposed > 0.0), problem.wash_cost, 0.0)
    rate = problem.lot_tax + problem.half_spread[name_of_lot]
    rate = rate + problem.lot_charge[0] / np.maximum(problem.lot_weight, 1e-12)
    band = cp.pos(problem.cash_min[0] - cash) + cp.pos(cash - problem.cash_max[0])
    objective = problem.risk_price[0] / 2 * cp.sum_squares(loadings.T @ active)
    objective += problem.risk_price[0] / 2 * cp.sum_squares(cp.multiply(specific, active))
    objective += rate @ sold + (problem.half_spread + wash) @ bought - problem.utility @ weight
    objective += options.cash_price * band
    objective += ticket * float(np.sum(sides != Side.HOLD)) if fixed else 0.0
    constraints: list[Any] = [sold >= 0, sold <= np.where(usable, problem.lot_weight, 0.0)]
    constraints += [bought >= 0, bought <= np.where(buying, 10.0, 0.0)]
    constraints += [weight >= problem.weight_min, weight <= problem.weight_max]
    if least > 0.0:
        constraints += [(by_name @ sold)[sides == Side.SELL] >= least, bought[sides == Side.BUY] >= least]
    for r in range(len(problem.row_lower)):
        entries = slice(int(problem.entries_from[r]), int(problem.entries_from[r + 1]))
        value = problem.entry_coefficient[entries] @ weight[problem.entry_name[entries]]
        if np.isfinite(problem.row_upper[r]):
            objective += problem.row_price[r] * cp.pos(value - problem.row_upper[r])
        if np.isfinite(problem.row_lower[r]):
            objective += problem.row_price[r] * cp.pos(problem.row_lower[r] - value)
    task = cp.Problem(cp.Minimize(objective), constraints)
    task.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    if task.status not in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}:
        return Reference(float("inf"), problem.held)
    return Reference(float(task.value), np.asarray(weight.value))
