"""The peer that forbids and solves again: lawful, above our bound, and dearer where sides must be weighed."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import Market, Problems, SolveOptions
from allotment.optimize.certify import certify
from allotment.optimize.forbidding import compare, forbid_and_resolve
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.variants import rebalanced

pytest.importorskip("cvxpy")


def accounts(risk_price: float) -> tuple[Market, Problems]:
    rng = np.random.default_rng(4)
    world = synthetic_world(60, 4, rng)
    profile = PROFILE_A._replace(n_names=60, n_lots=180, n_factors=4, trade_bps_min=0.0)
    return world.market, rebalanced(risk_price)(synthetic_problems(world, profile, 4, rng))


@pytest.mark.parametrize("risk_price", [0.0, 100.0])
def test_its_trades_keep_the_law_and_never_beat_the_bound(risk_price: float) -> None:
    market, problems = accounts(risk_price)
    for a in range(problems.n_accounts):
        problem = problems.account(a)
        made = certify(market, problem, forbid_and_resolve(market, problem, SolveOptions()))
        assert made.broken == ((),)
        assert made.solutions.objective[0] >= made.own.lower_bound[0] - 1e-9
        assert made.solutions.tracking_error[0] <= 0.02 * (1 + 1e-5)
        assert made.solutions.row_value[0] <= 0.35 + 1e-6


def test_it_costs_basis_points_where_risk_has_a_price() -> None:
    market, problems = accounts(100.0)
    found = compare(iter(range(100)).__next__, market, problems)
    assert found["accounts"] == 4
    assert found["costlier_bps_min"] >= -1e-3
    assert found["costlier_bps_mean"] > 1.0
    assert found["lower_bound_bps_mean"] <= found["objective_bps_mean"]
    assert found["milliseconds"] == found["forbidding_milliseconds"] == 1000.0  # this clock's second
