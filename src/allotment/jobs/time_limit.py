"""Going on with one problem until it is proven well enough, or time is up.

The search of branches ends by a count, so that answers replay on any machine. A time limit therefore
raises the count: four times as many choices in each round, as long as the round is expected to end in
time. The answer is that of the last round; its gap tells how far it came.
"""

from __future__ import annotations

from time import perf_counter

from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions, Status
from allotment.optimize.solve import solve_one

_TIMES = 4
_SOLVES_MAX = 1 << 20


def solve_within(market: Market, problem: Problems, options: SolveOptions, seconds: float) -> Solutions:
    """One problem's answer with a gap of at most `options.gap_bps`, or the best that time allows.

    The first round is always made whole. seconds: wall time, 0 for one round.
    """
    deadline = perf_counter() + seconds
    while True:
        started = perf_counter()
        found = solve_one(market, problem, options=options)
        took = perf_counter() - started
        share = problem.value_usd / max(float(problem.value_usd.sum()), 1.0)
        gap_bps = 1e4 * float(share @ (found.objective - found.lower_bound))
        is_done = found.status[0] == Status.INVALID or gap_bps <= options.gap_bps
        searched_all = int(found.n_solves.max()) < options.solves_max
        too_late = perf_counter() + _TIMES * took > deadline
        if is_done or searched_all or too_late or options.solves_max * _TIMES > _SOLVES_MAX:
            return found
        options = options._replace(solves_max=options.solves_max * _TIMES)
