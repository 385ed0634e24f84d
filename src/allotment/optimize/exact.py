"""Small problems exactly, by a general solver of mixed-integer quadratic programs (PySCIPOpt).

Slow and independent: it states the rules of `problem` with lots and purchases as variables and a
binary for every choice, knows no cost curves, pieces or multipliers, and proves its answer by branch
and bound. It judges the kernels on problems of some thirty names; PySCIPOpt comes with the extra
`bench` and is imported when used.

SCIP works in percent of weight and of value, to a tolerance of 1e-7: 1e-9 of either. It runs
without presolving, perspective cuts and dual reductions: with them SCIP 10.0 proved bounds above
trades that it found itself under other settings (by up to 1 % of value), or crashed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.backend import Proposed
from allotment.optimize.certify import Trades
from allotment.optimize.exact_costs import household_costs
from allotment.optimize.exact_trades import PERCENT, declare_trades
from allotment.optimize.exact_trades import Trades as TradeVariables
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.snap import snap
from allotment.units import Floats

_SETTINGS = {
    "numerics/feastol": 1e-7,
    "numerics/dualfeastol": 1e-7,
    "presolving/maxrounds": 0,
    "misc/allowstrongdualreds": False,
    "misc/allowweakdualreds": False,
    "nlhdlr/perspective/enabled": False,
}
_DUST = 5e-9  # of weight; the solver's zero
_CLAIM_MARGIN = 1e-6  # of value; by so much its bound may be wrong


class Exact(NamedTuple):
    """The exact solver's answer for one joint problem (n names, L lots). Units as in `Problems`."""

    status: str  # SCIP's word: "optimal" or "gaplimit" when proven, "timelimit" when it ran out
    objective: float  # of the trades below, by SCIP; a fraction of the value of all accounts
    bound: float  # no trades cost less, by SCIP, to its tolerance
    weight: Floats  # (n,) after trading
    sold: Floats  # (L,)
    bought: Floats  # (n,)


def solve_exact(
    market: Market,
    problem: Problems,
    *,
    options: SolveOptions | None = None,
    seconds_max: float = 60.0,
    gap: float = 1e-7,
) -> Exact:
    """The best trades of a batch of one joint problem, of one or several accounts.

    gap: stop when objective − bound is below it, a fraction of value. Of `options` only the prices
    are read. Steps below 1e-7 of weight are taken as continuous. Doing nothing is always allowed,
    so there is always an answer; after seconds_max it is the best one found.

    A limit that is broken before trading may stay so at its price: the name is held, or all of it
    that can be sold in whole steps is sold. Under `in_order`, a lot that may not be sold bars those
    after it. A count, or the sum of names above a size, is reached from below in the limit.
    """
    import pyscipopt

    assert problem.n_joint == 1
    options = SolveOptions() if options is None else options
    scip: Any = pyscipopt.Model()
    scip.hideOutput()
    scip.setParams(_SETTINGS | {"limits/time": seconds_max, "limits/absgap": gap * PERCENT})
    trades = declare_trades(scip, market, problem)
    costs = household_costs(scip, market, problem, trades, options)
    scip.setObjective(pyscipopt.quicksum(costs), "minimize")
    scip.optimize()
    return _read(scip, problem, trades)


def _read(scip: Any, problem: Problems, trades: TradeVariables) -> Exact:
    """The best trades found, freed of the solver's dust."""
    n, n_lots = len(problem.held), len(problem.lot_weight)
    name_of_lot = owners(problem.lots_from)
    sells = np.array([scip.getVal(side) > 0.5 for side in trades.sells])
    buys = np.array([scip.getVal(side) > 0.5 for side in trades.buys])
    sold = np.array([scip.getVal(lot) for lot in trades.sold]).reshape(n_lots) / PERCENT
    sold = np.where(sells[name_of_lot] & (sold > _DUST), sold, 0.0)
    sold = np.where(sold > problem.lot_weight - _DUST, problem.lot_weight * (sold > 0.0), sold)
    bought = np.array([scip.getVal(name) for name in trades.bought]) / PERCENT
    bought = np.where(buys & (bought > _DUST), bought, 0.0)
    weight = problem.held + bought - np.bincount(name_of_lot, sold, minlength=n)
    weight[np.abs(weight) < _DUST] = 0.0
    return Exact(
        str(scip.getStatus()), scip.getObjVal() / PERCENT, scip.getDualbound() / PERCENT, weight, sold, bought
    )


def backend(market: Market, problems: Problems, options: SolveOptions) -> Proposed:
    """The backend `scip`: each problem exactly, within a minute, with the bound that SCIP proves."""
    each = [problems.problems(j, j + 1) for j in range(problems.n_joint)]
    found = [solve_exact(market, one, options=options) for one in each]
    sold = np.concatenate([one.sold for one in found])
    bought = np.concatenate([one.bought for one in found])
    # Its tolerance is 1e-9 of weight; a price of 10 per unit makes 1e-8 of that.
    bound = np.array([one.bound for one in found]) - _CLAIM_MARGIN
    return Proposed(snap(problems, Trades(sold, bought)), bound)
