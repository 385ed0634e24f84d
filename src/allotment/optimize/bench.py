"""Rates and gaps on synthetic accounts, one core, every answer certified after rounding.

The caller brings the clock: the core reads none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize import forbidding
from allotment.optimize.judge import judge
from allotment.optimize.peers import PEERS, compare
from allotment.optimize.problem import SolveOptions
from allotment.optimize.solution import Status
from allotment.optimize.solve import solve_batch
from allotment.optimize.synthetic import PROFILE_A, PROFILE_B, Profile, synthetic_problems, synthetic_world
from allotment.optimize.variants import (
    Variant,
    counted,
    first_in_first_out,
    gains_of,
    gains_up_to,
    households_of_four,
    netted,
    rebalanced,
    tracking_within,
)

_SEED = 2026
_BPS = 1e4
_QUANTILES = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)  # percent, of the gaps of a profile
_PEER_ACCOUNTS = 12
_FORBIDDING = {"turnover_35pc_te_2pc": 0.0, "turnover_35pc_te_2pc_priced": 100.0}  # prices of risk
_FORBIDDING_ACCOUNTS = 3  # nearly a second each
_SMALL_A = PROFILE_A._replace(trade_bps_min=0.0, trade_usd_min=100.0, cash_band=(0.0, 0.01))

_HOUSEHOLD = PROFILE_A._replace(cash_band=(0.0, 0.001))
_PUBLIC = PROFILE_A._replace(trade_bps_min=0.0, cash_band=(0.0, 0.0))


class Bench(NamedTuple):
    """Accounts of a profile, and what is asked of them besides."""

    profile: Profile
    n_accounts: int
    variant: Variant | None = None


PROFILES: Mapping[str, Bench] = {
    "A": Bench(PROFILE_A, 400),
    "B": Bench(PROFILE_B, 400),
    "usd_25k_fractional": Bench(_SMALL_A._replace(value_usd=(25e3, 25.01e3)), 100),
    "usd_100k_fractional": Bench(_SMALL_A._replace(value_usd=(100e3, 100.1e3)), 100),
    "usd_100k_whole_shares": Bench(_SMALL_A._replace(value_usd=(100e3, 100.1e3), share_step=1.0), 100),
    "usd_1m_whole_shares": Bench(_SMALL_A._replace(value_usd=(1e6, 1.001e6), share_step=1.0), 100),
    "household_of_four": Bench(_HOUSEHOLD, 160, households_of_four),
    "netting": Bench(PROFILE_A, 100, netted),
    "gain_budget": Bench(PROFILE_A, 100, gains_up_to(0.0)),
    "gains_realised": Bench(PROFILE_A, 100, gains_of(0.01)),
    "100_trades_250_names": Bench(PROFILE_A, 100, counted(100, 250)),
    "tracking_error_1pc": Bench(PROFILE_A, 100, tracking_within(0.01)),
    "turnover_35pc_te_2pc": Bench(_PUBLIC, 100, rebalanced(0.0)),
    "turnover_35pc_te_2pc_priced": Bench(_PUBLIC, 100, rebalanced(100.0)),
    "first_in_first_out": Bench(PROFILE_A, 100, first_in_first_out),
    "names_1000": Bench(PROFILE_A._replace(n_names=1000, n_lots=3000), 60),
    "names_3000_k60": Bench(PROFILE_A._replace(n_names=3000, n_lots=10_000, n_factors=60), 20),
}


def bench(
    clock: Callable[[], float],
    *,
    profiles: Mapping[str, Bench] = PROFILES,
    judged: int | None = None,
    peer_accounts: int = _PEER_ACCOUNTS,
) -> dict[str, Any]:
    """One block per profile; the figures of profile A and the ratios to peers also stand at the top.

    clock: seconds that only grow. judged: answers per profile whose rules, cost and bound are
    recomputed by `judge`, all without; a difference raises AssertionError.
    """
    blocks = {name: _block(clock, *asked, judged) for name, asked in profiles.items()}
    rng = np.random.default_rng(_SEED)
    world = synthetic_world(PROFILE_A.n_names, PROFILE_A.n_factors, rng)
    problems = synthetic_problems(world, PROFILE_A, peer_accounts, rng)
    peers = compare(clock, world.market, problems)
    blocked = {
        name: _forbidding(clock, risk_price, min(peer_accounts, _FORBIDDING_ACCOUNTS))
        for name, risk_price in _FORBIDDING.items()
        if name in profiles
    }
    head = dict(blocks.get("A", {})) | {f"ratio_{name}": peers.get(f"ratio_{name}") for name in PEERS}
    return head | {"threads": 1, "seed": _SEED, "profiles": blocks, "peers": peers, "forbidding": blocked}


def _forbidding(clock: Callable[[], float], risk_price: float, n_accounts: int) -> dict[str, Any]:
    """Ours beside "solve, forbid buying what is sold at a loss, solve again"."""
    rng = np.random.default_rng(_SEED)
    world = synthetic_world(_PUBLIC.n_names, _PUBLIC.n_factors, rng)
    problems = rebalanced(risk_price)(synthetic_problems(world, _PUBLIC, n_accounts, rng))
    return forbidding.compare(clock, world.market, problems)


def _block(
    clock: Callable[[], float], profile: Profile, n_accounts: int, variant: Variant | None, judged: int | None
) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    world = synthetic_world(profile.n_names, profile.n_factors, rng)
    problems = synthetic_problems(world, profile, n_accounts, rng)
    if variant is not None:
        problems = variant(problems)
    solve_batch(world.market, problems.problems(0, 1))  # compiled before the clock starts
    started = clock()
    answers = solve_batch(world.market, problems)
    seconds = clock() - started
    gap = answers.gap[problems.joint_from[:-1]]  # accounts of one problem share it
    certified = int(np.sum(np.isfinite(gap)))
    gap = gap[np.isfinite(gap)] * _BPS
    options = SolveOptions()
    judged = problems.n_joint if judged is None else min(judged, problems.n_joint)
    for j in range(judged):
        mine = slice(int(problems.joint_from[j]), int(problems.joint_from[j + 1]))
        share = problems.value_usd[mine] / problems.value_usd[mine].sum()
        verdict = judge(world.market, problems, answers, j, options)
        assert verdict.broken == (), verdict
        assert abs(verdict.objective - share @ answers.objective[mine]) < 1e-8, verdict
        assert verdict.lower_bound >= share @ answers.lower_bound[mine] - 1e-12, verdict
    traded = answers.weight != problems.held
    return {
        "accounts": n_accounts,
        "problems": problems.n_joint,
        "names": profile.n_names,
        "lots": profile.n_lots,
        "factors": profile.n_factors,
        "certified_accounts_per_second_per_core": round(
            certified * n_accounts / problems.n_joint / seconds, 1
        ),
        "milliseconds_per_problem": round(1e3 * seconds / problems.n_joint, 3),
        "gap_bps_median": round(float(np.median(gap)), 4),
        "gap_bps_p99": round(float(np.percentile(gap, 99)), 4),
        "gap_bps_quantiles": {str(q): round(float(np.percentile(gap, q)), 5) for q in _QUANTILES},
        "judged": judged,
        "gap_bps_max": round(float(gap.max()), 4),
        "relaxed": int(np.sum(answers.status == Status.RELAXED)),
        "trades_mean": round(float(traded.sum()) / n_accounts, 1),
        "solves_mean": round(float(answers.n_solves.mean()), 2),
    }
