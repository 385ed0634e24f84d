"""The convex core by a general solver (cvxpy with Clarabel): the same problem, sides fixed.

Slow and independent: it knows lots and purchases as variables, not cost curves. It serves tests,
benchmarks and audits; cvxpy and Clarabel come with the extra `bench` and are imported when used.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.backend import Proposed
from allotment.optimize.certify import Trades
from allotment.optimize.claims import dearest, is_barred
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions
from allotment.optimize.snap import snap
from allotment.optimize.solution import Solutions
from allotment.units import Codes, Floats


class Side(IntEnum):
    """What a name may do. A smallest trade or a ticket makes HOLD a side of its own."""

    HOLD = 0
    SELL = 1  # any sellable lot, no purchase
    BUY = 2  # purchases, and sales of lots at a gain when trading has no fixed charge
    BOTH = 3  # any sale and any purchase at once, which the law forbids: for a first look


class Reference(NamedTuple):
    """The general solver's answer for one account."""

    objective: float  # infinite when the sides allow no trade at all
    weight: Floats  # (n,)
    sold: Floats  # (L,)
    bought: Floats  # (n,)


_QUICK = 1e-9  # tolerance of the backend


def sides_of(problem: Problems, solution: Solutions) -> Codes:
    """The sides that the answer of a batch of one takes, per name."""
    sold = solution.sold_by_name(problem.lots_from)
    sides = np.where(sold > 0.0, Side.SELL, np.where(solution.bought > 0.0, Side.BUY, Side.HOLD))
    return sides.astype(np.int8)


def solve_reference(
    market: Market,
    problem: Problems,
    sides: Codes,
    options: SolveOptions | None = None,
    tolerance: float = 1e-11,
) -> Reference:
    """The best trades of a batch of one on the given sides (n,), in fractions of account value.

    Name limits must be met by the weights held; every share bought of a name with
    claims washes the dearest; share steps are ignored and closed lots are charged by their share.
    """
    import cvxpy

    cp: Any = cvxpy  # its functions carry no types

    assert problem.n_accounts == 1
    options = SolveOptions() if options is None else options
    n, n_lots = len(problem.held), len(problem.lot_weight)
    name_of_lot = owners(problem.lots_from)
    by_name = np.zeros((n, n_lots))
    by_name[name_of_lot, np.arange(n_lots)] = 1.0
    least, ticket = float(problem.trade_min[0]), float(problem.ticket_charge[0])
    fixed = least > 0.0 or ticket > 0.0
    barred = problem.lot_is_loss & (problem.young > 0.0)[name_of_lot]
    usable = problem.lot_sellable & problem.may_sell[name_of_lot] & ~barred
    side = sides[name_of_lot]
    usable &= (
        (side == Side.SELL) | (side == Side.BOTH) | ((side == Side.BUY) & ~problem.lot_is_loss & (not fixed))
    )
    sold, bought = cp.Variable(n_lots), cp.Variable(n)
    weight = problem.held - by_name @ sold + bought
    cash = problem.cash[0] + cp.sum(sold) - cp.sum(bought)
    active = weight - problem.benchmark
    loadings = market.loadings[problem.asset_ix]
    specific = np.sqrt(market.specific_variance[problem.asset_ix])
    buying = (sides >= Side.BUY) & problem.may_buy & ~is_barred(problem)
    wash = np.where(buying, dearest(problem), 0.0)
    rate = problem.lot_tax + problem.half_spread[name_of_lot]
    rate = rate + problem.lot_charge[0] / np.maximum(problem.lot_weight, 1e-12)
    band = cp.pos(problem.cash_min[0] - cash) + cp.pos(cash - problem.cash_max[0])
    objective = problem.risk_price[0] / 2 * cp.sum_squares(loadings.T @ active)
    objective += problem.risk_price[0] / 2 * cp.sum_squares(cp.multiply(specific, active))
    objective += rate @ sold + (problem.half_spread + wash) @ bought - problem.utility @ weight
    objective += options.cash_price * band
    objective += ticket * float(np.sum(sides != Side.HOLD)) if fixed else 0.0
    objective += cp.sum_squares(cp.multiply(np.sqrt(problem.impact), weight - problem.held))
    if np.isfinite(problem.te_max[0]):
        te = cp.norm(cp.hstack([loadings.T @ active, cp.multiply(specific, active)]))
        counted = problem.te_max[0] + cp.pos(te - problem.te_max[0])
        objective += options.te_price / 2 * (cp.square(counted) - problem.te_max[0] ** 2)
    constraints: list[Any] = [sold >= 0, sold <= np.where(usable, problem.lot_weight, 0.0)]
    constraints += [bought >= 0, bought <= np.where(buying, 10.0, 0.0)]
    constraints += [weight >= problem.weight_min, weight <= problem.weight_max]
    if least > 0.0:
        constraints += [(by_name @ sold)[sides == Side.SELL] >= least, bought[sides == Side.BUY] >= least]
    objective += sum(_row_costs(cp, problem, weight, sold, bought))
    task = cp.Problem(cp.Minimize(objective), constraints)
    task.solve(solver=cp.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=tolerance)
    if task.status not in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}:
        return Reference(float("inf"), problem.held, np.zeros(n_lots), np.zeros(n))
    return Reference(float(task.value), *(np.asarray(x.value) for x in (weight, sold, bought)))


def _row_costs(cp: Any, problem: Problems, weight: Any, sold: Any, bought: Any) -> Iterator[Any]:
    """What it costs to leave each end of each row; counts are not convex and left to the judge."""
    for r in range(len(problem.row_lower)):
        entries = slice(int(problem.entries_from[r]), int(problem.entries_from[r + 1]))
        kind = RowKind(int(problem.row_kind[r]))
        if kind >= RowKind.TRADES:
            continue
        value = problem.entry_coefficient[entries] @ weight[problem.entry_name[entries]]
        if kind != RowKind.LINEAR:
            value = _measured(problem, kind) @ sold
            value = value + 0.5 * cp.sum(bought) if kind == RowKind.TURNOVER else value
        if np.isfinite(problem.row_upper[r]):
            yield problem.row_price[r] * cp.pos(value - problem.row_upper[r])
        if np.isfinite(problem.row_lower[r]):
            yield problem.row_price[r] * cp.pos(problem.row_lower[r] - value)


def _measured(problem: Problems, kind: RowKind) -> Floats:
    """What a row of this kind counts per unit sold of each lot."""
    by_kind = {
        RowKind.TURNOVER: np.full(len(problem.lot_weight), 0.5),
        RowKind.GAIN_SHORT: problem.lot_gain * ~problem.lot_is_long,
        RowKind.GAIN_LONG: problem.lot_gain * problem.lot_is_long,
        RowKind.GAIN: problem.lot_gain,
        RowKind.TAX: problem.lot_tax,
    }
    return by_kind[kind]


def backend(market: Market, problems: Problems, options: SolveOptions) -> Proposed:
    """The backend `cvxpy`: solve with every side open, keep the side that each name took, solve again.

    It chooses sides as a convex solver can, without a search. Accounts of a household are taken one
    by one; counts, share steps beyond the nearest, and lots that leave in order it does not know.
    """
    parts = []
    for a in range(problems.n_accounts):
        problem = _alone(problems, a)
        every = np.full(len(problem.held), Side.BOTH, np.int8)
        no_size = problem._replace(trade_min=np.zeros(1), ticket_charge=np.zeros(1))
        first = solve_reference(market, no_size, every, options, tolerance=_QUICK)
        change = first.weight - problem.held
        least = np.maximum(problem.trade_min[0], 2 * problem.step)
        small = np.abs(change) < np.maximum(least, _QUICK)
        sides = np.where(small, Side.HOLD, np.where(change < 0.0, Side.SELL, Side.BUY)).astype(np.int8)
        second = solve_reference(market, problem, sides, options, tolerance=_QUICK)
        parts.append(snap(problem, Trades(second.sold, second.bought)))
    sold, bought = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Proposed(Trades(sold, bought))


def _alone(problems: Problems, a: int) -> Problems:
    """Account a by itself, without the year and rows of its household."""
    n = problems.n_accounts
    none = np.zeros(n + 1, np.int64)
    apart = problems._replace(joint_from=np.arange(n + 1, dtype=np.int64), regimes_from=none)
    return apart._replace(row_joint=np.zeros(len(problems.row_joint), np.bool_)).account(a)
