"""The audit's arrays: the answer lies within its own choices, costs what it says, and is their best."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.feeds.audit_script import price, solve
from allotment.optimize import SolveOptions, Status, solve_one
from allotment.optimize.audit import audit_arrays
from allotment.optimize.synthetic import PROFILE_A, PROFILE_B, synthetic_problems, synthetic_world
from allotment.optimize.tangled import Feature, random_problem

pytest.importorskip("cvxpy")
OPTIONS = SolveOptions()


def assert_within_choices(c: dict[str, np.ndarray]) -> None:
    sold, bought, n = c["our_sold"], c["our_bought"], len(c["held"])
    out = np.bincount(c["lot_name"], sold, minlength=n)
    lost = np.bincount(c["lot_name"], sold * c["lot_is_loss"], minlength=n)
    weight = c["held"] - out + bought
    for value, low, high in (
        (sold, "sold_min", "sold_max"),
        (bought, "bought_min", "bought_max"),
        (lost, "lost_min", "lost_max"),
        (weight, "weight_least", "weight_most"),
    ):
        assert (value >= c[low] - 1e-10).all(), low
        assert (value <= c[high] + 1e-10).all(), high
    assert (out >= c["name_sold_min"] - 1e-10).all()


@pytest.mark.parametrize("seed", range(24))
def test_small_accounts_with_every_feature(seed: int) -> None:
    """Priced by the script to 1e-8, inside its own choices, and never below the core's least cost."""
    features = sorted(Feature) if seed % 2 else [f for f in sorted(Feature) if f != Feature.WHOLE_SHARES]
    market, problem = random_problem(np.random.default_rng([seed, 4]), 7, features=features)
    answer = solve_one(market, problem)
    assert answer.status[0] in {Status.SOLVED, Status.RELAXED}
    c = audit_arrays(market, problem, answer, OPTIONS)
    assert price(c) == pytest.approx(answer.objective[0], abs=1e-8)
    assert_within_choices(c)
    assert solve(c) <= answer.objective[0] + 1e-7


@pytest.mark.parametrize("profile", [PROFILE_A, PROFILE_B])
def test_the_core_of_a_large_account_costs_what_its_answer_costs(profile) -> None:
    """With shares of any fraction the answer is the core's optimum, to 1e-7 of account value."""
    rng = np.random.default_rng(9)
    world = synthetic_world(80, 6, rng)
    sizes = profile._replace(n_names=80, n_lots=240, n_factors=6, share_step=0.0)
    problem = synthetic_problems(world, sizes, 1, rng)
    answer = solve_one(world.market, problem)
    c = audit_arrays(world.market, problem, answer, OPTIONS)
    assert solve(c) == pytest.approx(answer.objective[0], abs=1e-7)
