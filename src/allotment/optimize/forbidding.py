"""What a public lot-level rebalancer does about wash sales, by a general solver (cvxpy with Clarabel).

Solve with every sale and purchase open; forbid buying what is sold at a loss, and selling a loss in
what is bought; solve again. Both times the problem is convex, with its limits of tracking error and
turnover; which side a name takes is never searched. A peer of the benchmarks, from the extra `bench`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from allotment.optimize.certify import Trades, certify
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.reference import Side, solve_reference
from allotment.optimize.snap import snap
from allotment.optimize.solve import solve_batch

_BPS = 1e4
_DUST = 1e-6  # of account value: less is no sale at a loss
_TOLERANCE = 1e-9


def forbid_and_resolve(market: Market, problem: Problems, options: SolveOptions) -> Trades:
    """Its trades of a batch of one account without charges, smallest trade or counts, in whole steps."""
    every = np.full(len(problem.held), Side.BOTH, np.int8)
    first = solve_reference(market, problem, every, options, tolerance=_TOLERANCE)
    name_of_lot = owners(problem.lots_from)
    lost = np.bincount(name_of_lot, first.sold * problem.lot_is_loss, minlength=len(every))
    sides = np.where(lost > _DUST, Side.SELL, Side.BUY).astype(np.int8)
    second = solve_reference(market, problem, sides, options, tolerance=_TOLERANCE)
    return snap(problem, Trades(second.sold, second.bought))


def compare(clock: Callable[[], float], market: Market, problems: Problems) -> dict[str, Any]:
    """Cost of each account by both, priced by the same kernel, in basis points of its value.

    `costlier` is theirs less ours. Empty where cvxpy is not installed.
    """
    if find_spec("cvxpy") is None:
        return {}
    options = SolveOptions()
    n_accounts = problems.n_accounts
    ours, theirs, bounds, seconds, own_seconds = [], [], [], 0.0, 0.0
    for a in range(n_accounts):
        problem = problems.account(a)
        started = clock()
        own = solve_batch(market, problem, options=options)
        middle = clock()
        trades = forbid_and_resolve(market, problem, options)
        seconds += clock() - middle
        own_seconds += middle - started
        made = certify(market, problem, trades, options=options, own=own)
        ours.append(float(own.objective[0]) * _BPS)
        bounds.append(float(own.lower_bound[0]) * _BPS)
        theirs.append(float(made.solutions.objective[0]) * _BPS if made.keeps_rules[0] else np.inf)
    costlier = np.array(theirs) - np.array(ours)
    return {
        "accounts": n_accounts,
        "objective_bps_mean": round(float(np.mean(ours)), 4),
        "lower_bound_bps_mean": round(float(np.mean(bounds)), 4),
        "forbidding_objective_bps_mean": round(float(np.mean(theirs)), 4),
        "costlier_bps_mean": round(float(costlier.mean()), 4),
        "costlier_bps_min": round(float(costlier.min()), 4),
        "milliseconds": round(1e3 * own_seconds / n_accounts, 3),
        "forbidding_milliseconds": round(1e3 * seconds / n_accounts, 1),
    }
