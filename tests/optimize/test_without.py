"""Doing without a trade, solved again: never below what is proven, and the same as a cold solve."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import SolveOptions, Status, solve_one
from allotment.optimize.reasons import reasons_of
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.tangled import random_problem
from allotment.optimize.without import cost_without


def test_the_largest_trades_cost_what_a_cold_solve_says() -> None:
    rng = np.random.default_rng(6)
    world = synthetic_world(50, 4, rng)
    profile = PROFILE_A._replace(n_names=50, n_lots=150, n_factors=4, share_step=0.0)
    problem = synthetic_problems(world, profile, 1, rng)
    options = SolveOptions(gap_bps=0.0, solves_max=20)
    answer = solve_one(world.market, problem, options=options)
    told = reasons_of(world.market, problem, answer, 0, options)
    names = np.argsort(-np.nan_to_num(told.alternatives.hold))[:4].astype(np.int32)
    found = cost_without(world.market, problem, answer, names, options)
    for i, extra, uncertain in zip(names.tolist(), found.extra, found.uncertain, strict=True):
        column = "may_sell" if told.decision.sold_of_name[i] > 0.0 else "may_buy"
        allowed = getattr(problem, column).copy()
        allowed[i] = False
        cold = solve_one(world.market, problem._replace(**{column: allowed}), options=options)
        slack = uncertain + float(cold.gap[0]) + 1e-9
        assert extra == pytest.approx(float(cold.objective[0] - answer.objective[0]), abs=slack)
        assert told.alternatives.at_least[i] - 1e-9 <= extra <= told.alternatives.hold[i] * 1.6


@pytest.mark.parametrize("seed", range(6))
def test_it_is_never_below_what_is_proven(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, 9, n_accounts=1 + seed % 3)
    answer = solve_one(market, problem)
    told = reasons_of(market, problem, answer, 0)
    names = np.flatnonzero(told.decision.traded).astype(np.int32)
    found = cost_without(market, problem, answer, names)
    assert np.isin(answer.status, (Status.SOLVED, Status.RELAXED)).all()
    proven = (told.alternatives.at_least * told.decision.share[told.decision.account])[names]
    known = np.isfinite(found.extra)
    assert (found.extra[known] >= proven[known] - 1e-9).all()


def test_nothing_asked_is_nothing_solved() -> None:
    rng = np.random.default_rng(0)
    market, problem = random_problem(rng, 6)
    assert len(cost_without(market, problem, solve_one(market, problem), np.zeros(0, np.int32)).extra) == 0
