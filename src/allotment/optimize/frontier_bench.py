"""Seconds that a frontier takes on synthetic accounts, and how tight its points are.

The caller brings the clock: the core reads none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from allotment.optimize.frontier import POINTS, Frontier, frontier
from allotment.optimize.judge import judge
from allotment.optimize.problem import Problems, SolveOptions
from allotment.optimize.synthetic import PROFILE_A, PROFILE_B, World, synthetic_problems, synthetic_world

_SEED = 2026
_PROFILES = {"A": PROFILE_A, "B": PROFILE_B}


def bench(clock: Callable[[], float], *, accounts: int = 20, judged: int = 1) -> dict[str, Any]:
    """One block per profile of `optimize.synthetic`, 500 names each, one core, compilation excluded.

    judged: accounts per profile whose every point is recomputed by `judge`; a difference raises
    AssertionError.
    """
    blocks = {}
    for name, profile in _PROFILES.items():
        rng = np.random.default_rng(_SEED)
        world = synthetic_world(profile.n_names, profile.n_factors, rng)
        problems = synthetic_problems(world, profile, accounts, rng)
        frontier(world.market, problems.account(0), points=3)  # compiled before the clock starts
        seconds, drawn = [], []
        for a in range(accounts):
            account = problems.account(a)
            started = clock()
            found = frontier(world.market, account)
            seconds.append(clock() - started)
            assert found is not None
            drawn.append(found)
            if a < judged:
                _check(world, account, found)
        gaps = np.concatenate([one.gap_bps for one in drawn])
        spans = [float(one.tracking_error[0] / one.tracking_error[-1]) for one in drawn]
        blocks[name] = {
            "accounts": accounts,
            "names": profile.n_names,
            "lots": profile.n_lots,
            "points": POINTS,
            "milliseconds_median": round(1e3 * float(np.median(seconds)), 2),
            "milliseconds_p95": round(1e3 * float(np.percentile(seconds, 95)), 2),
            "gap_bps_median": round(float(np.median(gaps)), 4),
            "gap_bps_p99": round(float(np.percentile(gaps, 99)), 4),
            "tracking_error_span_median": round(float(np.median(spans)), 1),
        }
    return {"seed": _SEED, **blocks}


def _check(world: World, account: Problems, found: Frontier) -> None:
    for at, answer in enumerate(found.answers):
        asked = account._replace(risk_price=found.risk_price[at : at + 1])
        verdict = judge(world.market, asked, answer, 0, SolveOptions())
        assert verdict.broken == (), verdict
        assert abs(verdict.objective - answer.objective[0]) < 1e-8, verdict
        assert verdict.lower_bound >= found.lower_bound[at] - 1e-12, verdict
