"""Less tracking error costs more, every point is proven, and nothing lies below the floor."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import Problems, SolveOptions, Status, solve_batch, solve_one
from allotment.optimize.frontier import Frontier, frontier
from allotment.optimize.judge import judge
from allotment.optimize.synthetic import PROFILE_B, World, synthetic_problems, synthetic_world

PROFILE = PROFILE_B._replace(n_names=60, n_lots=150, n_factors=4, cash_band=(0.0, 0.01))
N_ACCOUNTS = 3


@pytest.fixture(scope="module")
def world() -> World:
    return synthetic_world(60, 4, np.random.default_rng(21))


@pytest.fixture(scope="module")
def problems(world: World) -> Problems:
    return synthetic_problems(world, PROFILE, N_ACCOUNTS, np.random.default_rng(22))


@pytest.fixture(scope="module")
def drawn(world: World, problems: Problems) -> list[Frontier]:
    found = [frontier(world.market, problems.account(a)) for a in range(N_ACCOUNTS)]
    return [one for one in found if one is not None]


def test_less_tracking_error_costs_more(drawn: list[Frontier]) -> None:
    assert len(drawn) == N_ACCOUNTS
    for one in drawn:
        assert len(one.risk_price) == 21
        assert (np.diff(one.risk_price) > 0).all()
        assert (np.diff(one.tracking_error) <= 1e-15).all()
        assert (np.diff(one.price) >= -1e-15).all()
        same = one.taken[1:] == one.taken[:-1]
        assert (np.diff(one.tracking_error)[~same] < 0).all()  # no two points are one and the same
        assert one.tracking_error[0] > 2 * one.tracking_error[-1]


def test_every_answer_and_bound_stands_before_the_judge(
    world: World, problems: Problems, drawn: list[Frontier]
) -> None:
    for a, one in enumerate(drawn):
        for at, answer in enumerate(one.answers):
            asked = problems.account(a)._replace(risk_price=one.risk_price[at : at + 1])
            verdict = judge(world.market, asked, answer, 0, SolveOptions())
            assert verdict.broken == ()
            assert verdict.objective == pytest.approx(answer.objective[0], abs=1e-8)
            assert one.objective[at] <= verdict.objective + 1e-8
            assert one.lower_bound[at] <= verdict.lower_bound + 1e-12
        parts = one.price + 0.5 * one.risk_price * one.tracking_error**2
        assert one.objective == pytest.approx(parts, abs=1e-12)
        assert (one.lower_bound <= one.objective).all()


def test_no_plan_lies_below_the_floor(world: World, problems: Problems, drawn: list[Frontier]) -> None:
    """Plans of prices of risk that were not asked, of limits of tracking error, and doing nothing."""
    for a, one in enumerate(drawn):
        assert (one.floor(one.tracking_error) <= one.price + 1e-12).all()
        account = problems.account(a)
        for risk_price in (3.3, 41.0, 777.0):
            plan = solve_one(world.market, account._replace(risk_price=np.full(1, risk_price)))
            price = plan.objective - plan.risk
            assert (one.floor(plan.tracking_error) <= price + 1e-12).all()
            # The floor is near: within the gaps, and the chords between neighbouring points.
            assert (price - one.floor(plan.tracking_error) < 10e-4).all()
        limit = float(one.tracking_error[8])
        plan = solve_one(
            world.market, account._replace(te_max=np.full(1, limit), risk_price=np.full(1, 1e-3))
        )
        assert (one.floor(plan.tracking_error) <= plan.objective - plan.risk + 1e-12).all()
        assert one.floor(np.array(one.hold_tracking_error)) <= one.hold_price + 1e-12


def test_the_middle_is_the_account_as_it_is_asked(
    world: World, problems: Problems, drawn: list[Frontier]
) -> None:
    plain = solve_batch(world.market, problems)
    for a, one in enumerate(drawn):
        assert one.chosen == 10
        assert one.risk_price[10] == problems.risk_price[a]
        assert one.objective[10] <= plain.objective[a] + 1e-12
        held = problems.account(a)
        active = held.held - held.benchmark
        variance = np.sum((world.market.loadings.T @ active) ** 2)
        variance += np.sum(world.market.specific_variance * active**2)
        assert one.hold_tracking_error == pytest.approx(np.sqrt(variance))


def test_a_limit_of_tracking_error_becomes_the_middle(world: World, problems: Problems) -> None:
    limited = problems.account(0)._replace(te_max=np.full(1, 0.01), risk_price=np.zeros(1))
    found = frontier(world.market, limited)
    assert found is not None
    assert found.tracking_error[10] == pytest.approx(0.01, rel=0.02)


def test_what_cannot_be_solved_has_no_frontier(world: World, problems: Problems) -> None:
    account = problems.account(0)
    assert frontier(world.market, account._replace(value_usd=np.zeros(1))) is None
    assert frontier(world.market, account._replace(cash=np.full(1, np.nan))) is None
    nothing = account._replace(te_max=np.full(1, 0.01), risk_price=np.zeros(1), value_usd=np.zeros(1))
    assert frontier(world.market, nothing) is None


def test_fewer_points_are_quicker_and_still_proven(world: World, problems: Problems) -> None:
    found = frontier(world.market, problems.account(1), points=5)
    assert found is not None
    assert len(found.risk_price) == len(found.answers) == 5
    assert set(found.status.tolist()) <= {Status.SOLVED, Status.RELAXED}
    assert (found.gap_bps >= 0.0).all()
