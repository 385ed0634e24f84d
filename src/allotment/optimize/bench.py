"""Rates and gaps on synthetic accounts, one core, every answer certified after rounding.

The caller brings the clock: the core reads none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from allotment.optimize.checker import judge
from allotment.optimize.problem import SolveOptions
from allotment.optimize.solution import Status
from allotment.optimize.solve import solve_batch
from allotment.optimize.synthetic import PROFILE_A, PROFILE_B, Profile, synthetic_problems, synthetic_world

_SEED = 2026
_BPS = 1e4
_SMALL_A = PROFILE_A._replace(trade_bps_min=0.0, trade_usd_min=100.0, cash_band=(0.0, 0.01))

PROFILES: Mapping[str, tuple[Profile, int]] = {
    "A": (PROFILE_A, 400),
    "B": (PROFILE_B, 400),
    "usd_25k_fractional": (_SMALL_A._replace(value_usd=(25e3, 25.01e3)), 100),
    "usd_100k_fractional": (_SMALL_A._replace(value_usd=(100e3, 100.1e3)), 100),
    "usd_100k_whole_shares": (_SMALL_A._replace(value_usd=(100e3, 100.1e3), share_step=1.0), 100),
    "usd_1m_whole_shares": (_SMALL_A._replace(value_usd=(1e6, 1.001e6), share_step=1.0), 100),
    "names_1000": (PROFILE_A._replace(n_names=1000, n_lots=3000), 60),
    "names_3000_k60": (PROFILE_A._replace(n_names=3000, n_lots=10_000, n_factors=60), 20),
}


def bench(
    clock: Callable[[], float], *, profiles: Mapping[str, tuple[Profile, int]] = PROFILES, judged: int = 10
) -> dict[str, Any]:
    """One block per profile; the figures of profile A also stand at the top.

    clock: seconds that only grow. judged: answers per profile whose rules, cost and bound are
    recomputed by `checker`; a difference raises AssertionError.
    """
    blocks = {name: _block(clock, profile, n, judged) for name, (profile, n) in profiles.items()}
    head = dict(blocks.get("A", {}))
    return head | {"threads": 1, "seed": _SEED, "profiles": blocks}


def _block(clock: Callable[[], float], profile: Profile, n_accounts: int, judged: int) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    world = synthetic_world(profile.n_names, profile.n_factors, rng)
    problems = synthetic_problems(world, profile, n_accounts, rng)
    solve_batch(world.market, problems.account(0))  # compiled before the clock starts
    started = clock()
    answers = solve_batch(world.market, problems)
    seconds = clock() - started
    certified = int(np.sum(np.isfinite(answers.gap)))
    gap = answers.gap[np.isfinite(answers.gap)] * _BPS
    options = SolveOptions()
    for a in range(min(judged, n_accounts)):
        verdict = judge(world.market, problems, answers, a, options)
        assert verdict.broken == (), verdict
        assert abs(verdict.objective - answers.objective[a]) < 1e-8, verdict
        assert verdict.lower_bound >= answers.lower_bound[a], verdict
    traded = answers.weight != problems.held
    return {
        "accounts": n_accounts,
        "names": profile.n_names,
        "lots": profile.n_lots,
        "factors": profile.n_factors,
        "certified_accounts_per_second_per_core": round(certified / seconds, 1),
        "milliseconds_per_account": round(1e3 * seconds / n_accounts, 3),
        "gap_bps_median": round(float(np.median(gap)), 4),
        "gap_bps_p99": round(float(np.percentile(gap, 99)), 4),
        "gap_bps_max": round(float(gap.max()), 4),
        "relaxed": int(np.sum(answers.status == Status.RELAXED)),
        "trades_mean": round(float(traded.sum()) / n_accounts, 1),
        "solves_mean": round(float(answers.n_solves.mean()), 2),
    }
