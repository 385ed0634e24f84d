"""The convex core: the same optimum by ours and by each peer, so that their times compare."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from allotment.optimize import solve_batch
from allotment.optimize.peers import PEERS, compare, convex_core, core_matrices
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world

for library in ("cvxpy", "clarabel", "piqp"):
    pytest.importorskip(library)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(6)
    world = synthetic_world(60, 4, rng)
    problems = synthetic_problems(world, PROFILE_A._replace(n_names=60, n_lots=180, n_factors=4), 3, rng)
    return world.market, problems


def test_every_peer_finds_our_cost_of_the_core(drawn) -> None:
    """To the 1e-6 of account value that the comparison asks; our gap there is none."""
    market, problems = drawn
    ticks = count()
    made = compare(lambda: float(next(ticks)), market, problems)
    assert set(made["objective_apart_max"]) == set(PEERS)
    assert max(made["objective_apart_max"].values()) < 1e-6
    assert made["own_gap_bps_max"] < 1e-5
    # A clock that ticks once a question: ours takes a tick for three accounts ten times, a peer one for each.
    assert made["ratio_piqp"] == made["ratio_cvxpy"] == 30.0


def test_the_core_is_the_answer_without_its_smallest_trade(drawn) -> None:
    """Dropping smallest trades and steps can only lower the cost, and not by much."""
    market, problems = drawn
    answers = solve_batch(market, problems)
    core = convex_core(problems, answers)
    own = solve_batch(market, core)
    assert (own.objective <= answers.objective + 1e-9).all()
    assert (own.objective >= answers.objective - 1e-3).all()
    matrices = core_matrices(market, core.account(0))
    assert matrices.P.shape == (len(matrices.q),) * 2
    assert matrices.A.shape == (len(matrices.b), len(matrices.q))
    moved = core.may_buy[:60] | core.may_sell[:60]
    assert len(matrices.loadings) == moved.sum()
