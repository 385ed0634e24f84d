"""The benchmarks' harder accounts: rules kept, limits met, cost and bound found again by the judge."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import SolveOptions, Status, solve_batch
from allotment.optimize.bench import PROFILES
from allotment.optimize.judge import judge
from allotment.optimize.problem import RowKind
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.variants import counted, households_of_four, tracking_within, turned_over

HARDER = [name for name, asked in PROFILES.items() if asked.variant is not None]


@pytest.mark.parametrize("name", [name for name in HARDER if name != "100_trades_250_names"])
def test_the_judge_agrees_on_the_benchmarks_harder_accounts(name: str) -> None:
    rng = np.random.default_rng(5)
    world = synthetic_world(60, 4, rng)
    asked = PROFILES[name]
    assert asked.variant is not None
    profile = asked.profile._replace(n_names=60, n_lots=150, n_factors=4)
    problems = asked.variant(synthetic_problems(world, profile, 8, rng))
    answers = solve_batch(world.market, problems)
    assert set(answers.status.tolist()) <= {Status.SOLVED, Status.RELAXED}
    for j in range(problems.n_joint):
        mine = slice(int(problems.joint_from[j]), int(problems.joint_from[j + 1]))
        share = problems.value_usd[mine] / problems.value_usd[mine].sum()
        verdict = judge(world.market, problems, answers, j, SolveOptions())
        assert verdict.broken == ()
        assert verdict.objective == pytest.approx(share @ answers.objective[mine], abs=1e-9)
        assert verdict.lower_bound >= share @ answers.lower_bound[mine] - 1e-12


def test_limits_of_risk_and_turnover_are_met_and_used() -> None:
    rng = np.random.default_rng(6)
    world = synthetic_world(80, 4, rng)
    profile = PROFILE_A._replace(n_names=80, n_lots=200, n_factors=4, cash_band=(0.0, 0.01))
    problems = synthetic_problems(world, profile, 5, rng)
    free = solve_batch(world.market, tracking_within(0.01)(problems))
    bound = solve_batch(world.market, tracking_within(0.01)(turned_over(0.05)(problems)))
    assert (free.tracking_error <= 0.01 * (1 + 1e-9)).all()
    assert free.tracking_error.max() > 0.00999
    met = bound.status == Status.SOLVED
    assert (bound.row_value[met] <= 0.05 + 1e-7).all()
    assert (bound.objective >= free.objective - 1e-9).all()


def test_counts_are_kept() -> None:
    rng = np.random.default_rng(7)
    world = synthetic_world(80, 4, rng)
    profile = PROFILE_A._replace(n_names=80, n_lots=200, n_factors=4, cash_band=(0.0, 0.01))
    problems = counted(12, 50)(synthetic_problems(world, profile, 5, rng))
    answers = solve_batch(world.market, problems)
    of_kind = dict(zip(problems.row_kind.tolist(), answers.row_value, strict=False))
    assert set(of_kind) == {RowKind.TRADES, RowKind.HOLDINGS}
    assert (answers.status == Status.SOLVED).all()
    assert (answers.row_value <= problems.row_upper).all()
    names = np.split(answers.weight, problems.names_from[1:-1])
    assert [int((weight > 0).sum()) for weight in names] == answers.row_value[1::2].tolist()


def test_nobody_in_a_household_buys_what_another_sells_at_a_loss() -> None:
    """§1091 over the household, the IRA included."""
    rng = np.random.default_rng(8)
    world = synthetic_world(60, 4, rng)
    profile = PROFILE_A._replace(n_names=60, n_lots=150, n_factors=4, cash_band=(0.0, 0.01))
    problems = households_of_four(synthetic_problems(world, profile, 12, rng))
    answers = solve_batch(world.market, problems)
    name_of_lot = np.repeat(np.arange(len(problems.held)), np.diff(problems.lots_from))
    harvested = 0
    for j in range(3):
        first, last = (int(problems.names_from[problems.joint_from[j + x]]) for x in (0, 1))
        lost = name_of_lot[(answers.sold > 0) & problems.lot_is_loss]
        lost = lost[(lost >= first) & (lost < last)]
        bought = first + np.flatnonzero(answers.bought[first:last])
        harvested += len(lost)
        assert not set(problems.asset_ix[lost]) & set(problems.asset_ix[bought])
    assert harvested > 20
