"""The search alone, from cost curves in place to weights and their proof: what peers are timed against."""

from __future__ import annotations

from allotment.compiled import kernel
from allotment.optimize.branches import search
from allotment.optimize.counts import THOROUGH, climb
from allotment.optimize.load import load
from allotment.optimize.measures import rebuild
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.risk_limit import priced
from allotment.optimize.workspace import Workspace
from allotment.units import Floats

_BPS = 1e-4


@kernel
def search_again(
    market: Market, problem: Problems, work: Workspace, options: SolveOptions, times: int, costs: Floats
) -> None:
    """Solve each problem `times` times from multipliers of zero; costs[j] ← what its weights cost.

    Problems of one account without rows, regimes or a limit of tracking error, and sound in all they
    hold: columns are read and curves written once, trades by lot are not made.
    """
    for j in range(len(problem.joint_from) - 1):
        shape = load(market, problem, work, options, j)
        rebuild(shape, work)
        for _ in range(times):
            work.multipliers.theta[:] = 0.0
            now = priced(shape, work)
            bound = climb(now, work, market.loadings, -1e300, THOROUGH)
            found = search(now, work, market.loadings, options, bound, options.gap_bps * _BPS)
            costs[j] = found.cost
