"""The dual method against a general conic solver, and against every choice of sides."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from allotment.optimize import SolveOptions, solve_batch, solve_one
from allotment.optimize.backend import Reply, consider
from allotment.optimize.reference import Side, backend, sides_of, solve_reference
from allotment.optimize.synthetic import PROFILE_A, PROFILE_B, synthetic_problems, synthetic_world

pytest.importorskip("cvxpy")


def test_twenty_accounts_cost_what_clarabel_finds_on_their_sides() -> None:
    """Agreement to 1e-6 of account value, on the convex problem of the sides that we chose."""
    for profile in (PROFILE_A, PROFILE_B._replace(washes=0.0, lot_usd=0.0)):
        rng = np.random.default_rng(20)
        sizes = profile._replace(n_names=80, n_lots=240, n_factors=8)
        world = synthetic_world(80, 8, rng)
        problems = synthetic_problems(world, sizes, 10, rng)
        answers = solve_batch(world.market, problems)
        for a in range(10):
            problem = problems.account(a)
            sides = sides_of(problem, solve_one(world.market, problem))
            reference = solve_reference(world.market, problem, sides)
            assert answers.objective[a] == pytest.approx(reference.objective, abs=1e-7)


def test_accounts_without_losses_are_convex_and_solved_exactly() -> None:
    rng = np.random.default_rng(21)
    profile = PROFILE_A._replace(n_names=50, n_lots=150, n_factors=5, trade_bps_min=0.0, share_step=0.0)
    world = synthetic_world(50, 5, rng)
    problems = synthetic_problems(world, profile, 4, rng)
    problems = problems._replace(
        lot_tax=np.abs(problems.lot_tax), lot_is_loss=np.zeros(len(problems.lot_tax), np.bool_)
    )
    answers = solve_batch(world.market, problems)
    for a in range(4):
        everything = np.full(50, Side.BUY, np.int8)
        reference = solve_reference(world.market, problems.account(a), everything)
        assert answers.objective[a] == pytest.approx(reference.objective, abs=1e-8)
        assert answers.gap[a] < 1e-9


def test_the_certificate_brackets_the_best_of_all_sides() -> None:
    """Four names, three sides each: 81 convex problems, solved one by one."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        world = synthetic_world(4, 2, rng)
        profile = PROFILE_A._replace(
            n_names=4, n_lots=8, n_factors=2, trade_bps_min=100.0, share_step=0.0, cash_band=(0.0, 0.02)
        )
        problem = synthetic_problems(world, profile, 1, rng)
        best = min(
            solve_reference(world.market, problem, np.array(sides, np.int8)).objective
            for sides in product((Side.HOLD, Side.SELL, Side.BUY), repeat=4)
        )
        answer = solve_one(world.market, problem, options=SolveOptions(gap_bps=0.0, solves_max=30))
        assert answer.lower_bound[0] <= best + 1e-8
        assert best <= answer.objective[0] + 1e-8
        assert answer.objective[0] <= best + answer.gap[0] + 1e-8


def test_as_a_backend_its_answers_stand_and_are_worth_what_a_choice_without_search_is() -> None:
    rng = np.random.default_rng(22)
    for profile in (PROFILE_A, PROFILE_B):
        sizes = profile._replace(n_names=60, n_lots=180, n_factors=6)
        world = synthetic_world(60, 6, rng)
        problems = synthetic_problems(world, sizes, 3, rng)
        made = consider(world.market, problems, backend)
        assert made.replies == (Reply.TAKEN,) * 3, made.certified
        assert (made.stands.objective < made.own.hold_objective).all()
        assert (made.stands.gap >= made.own.gap - 1e-7).all()
