"""The judge finds what is wrong with an answer that somebody has tampered with."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import solve_one
from allotment.optimize.checker import judge
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world


@pytest.fixture(scope="module")
def solved():
    rng = np.random.default_rng(3)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_A._replace(n_names=40, n_lots=80, n_factors=3)
    problem = synthetic_problems(world, profile, 1, rng)
    return world.market, problem, solve_one(world.market, problem)


def test_an_honest_answer_passes(solved) -> None:
    market, problem, answer = solved
    assert judge(market, problem, answer, 0).broken == ()


def test_a_purchase_from_nowhere_is_seen(solved) -> None:
    market, problem, answer = solved
    bought = answer.bought.copy()
    bought[0] += 0.01
    broken = judge(market, problem, answer._replace(bought=bought), 0).broken
    assert "weights do not follow from the trades" in broken
    assert "hides a relaxation of cash" in broken


def test_a_loss_sold_and_bought_back_is_seen(solved) -> None:
    market, problem, answer = solved
    lot = int(np.flatnonzero(problem.lot_is_loss & (answer.sold > 0.0))[0])
    name = int(np.searchsorted(problem.lots_from, lot, side="right")) - 1
    bought = answer.bought.copy()
    bought[name] += 0.01
    broken = judge(market, problem, answer._replace(bought=bought), 0).broken
    assert "sells a loss and buys its group" in broken


def test_multipliers_beyond_their_price_prove_nothing(solved) -> None:
    market, problem, answer = solved
    verdict = judge(market, problem, answer._replace(cash_price=np.array([11.0])), 0)
    assert verdict.lower_bound == -np.inf


def test_any_other_multipliers_prove_less_than_the_cost(solved) -> None:
    market, problem, answer = solved
    rng = np.random.default_rng(0)
    for _ in range(5):
        other = answer._replace(factor_price=answer.factor_price + rng.normal(0, 0.01, (1, 3)))
        verdict = judge(market, problem, other, 0)
        assert verdict.lower_bound <= verdict.objective
