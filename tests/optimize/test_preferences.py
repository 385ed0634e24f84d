"""Prices of wishes: against solving cold, against cvxpy on convex cases, and none below zero."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import SolveOptions, Status, solve_one
from allotment.optimize.preferences import Preference, Wish, preferences_of, price_preferences
from allotment.optimize.problem import Market, Problems
from allotment.optimize.reference import Side, solve_reference
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.tangled import random_problem

EXACT = SolveOptions(gap_bps=0.0, solves_max=20)


def convex(seed: int = 8) -> tuple[Market, Problems]:
    """Forty names without losses or charges, with tilts, sectors, exclusions and a ban: convex."""
    rng = np.random.default_rng(seed)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_A._replace(
        n_names=40, n_lots=80, n_factors=3, trade_bps_min=0.0, share_step=0.0, sector_band=0.003
    )
    problem = synthetic_problems(world, profile, 1, rng)
    gain = np.abs(problem.lot_gain)
    n = len(problem.held)
    return world.market, problem._replace(
        lot_gain=gain,
        lot_tax=0.25 * gain,
        lot_is_loss=np.zeros(len(gain), np.bool_),
        utility=np.where(np.arange(n) % 7 == 0, 0.004, 0.0),
        weight_max=np.where(np.arange(n) < 38, 1.0, np.maximum(problem.held, problem.benchmark) / 2),
        may_buy=np.arange(n) % 5 != 1,
    )


def without(problem: Problems, wish: Wish) -> Problems:
    """By hand, and not as the code does it: a row is taken away by bounds that never bind."""
    n = len(problem.held)
    match wish:
        case Wish.TILT:
            return problem._replace(utility=np.zeros(n))
        case Wish.WEIGHT_LIMIT:
            return problem._replace(weight_max=np.ones(n))
        case Wish.NO_PURCHASE:
            return problem._replace(may_buy=np.ones(n, np.bool_))
    assert wish == Wish.ROW
    return problem._replace(row_lower=np.full(11, -1e3), row_upper=np.full(11, 1e3))


def reference_cost(market: Market, problem: Problems) -> float:
    return solve_reference(market, problem, np.full(len(problem.held), Side.BUY, np.int8)).objective


@pytest.mark.parametrize("wish", [Wish.TILT, Wish.NO_PURCHASE, Wish.ROW])
def test_prices_are_those_of_cvxpy_where_the_problem_is_convex(wish: Wish) -> None:
    market, problem = convex()
    problem = problem._replace(weight_max=np.ones(len(problem.held)))  # the reference keeps limits hard
    answer = solve_one(market, problem, options=EXACT)
    priced = price_preferences(market, problem, answer, [Preference(wish)], EXACT)
    loss_of_tilt = float(answer.utility[0]) if wish == Wish.TILT else 0.0
    here = reference_cost(market, problem) + loss_of_tilt
    assert priced.price[0] == pytest.approx(here - reference_cost(market, without(problem, wish)), abs=2e-8)
    assert priced.price[0] > 1e-6


@pytest.mark.parametrize("wish", [Wish.TILT, Wish.WEIGHT_LIMIT, Wish.NO_PURCHASE, Wish.ROW])
def test_warm_prices_are_those_of_cold_solves(wish: Wish) -> None:
    market, problem = convex()
    answer = solve_one(market, problem, options=EXACT)
    priced = price_preferences(market, problem, answer, [Preference(wish)], EXACT)
    cold = solve_one(market, without(problem, wish), options=EXACT)
    utility = float(answer.utility[0]) if wish == Wish.TILT else 0.0
    assert priced.price[0] == pytest.approx(
        float(answer.objective[0] + utility - cold.objective[0]), abs=1e-8
    )
    assert priced.tracking_error[0] == pytest.approx(float(cold.tracking_error[0]), rel=1e-4)
    parts = priced.risk + priced.tax + priced.cost + priced.utility + priced.relaxation
    assert parts == pytest.approx(priced.price, abs=1e-15)


def test_all_together_is_priced_once_and_the_overlap_is_named() -> None:
    market, problem = convex()
    answer = solve_one(market, problem, options=EXACT)
    priced = price_preferences(market, problem, answer, options=EXACT)
    assert {Wish.TILT, Wish.WEIGHT_LIMIT, Wish.NO_PURCHASE, Wish.CASH_BAND, Wish.ROW} < set(priced.wish)
    assert priced.wish[-1] == Wish.ALL
    assert (priced.price[-1] >= priced.price[:-1] - priced.uncertain[:-1]).all()
    assert priced.interaction == pytest.approx(priced.price[-1] - priced.price[:-1].sum(), abs=1e-15)


@pytest.mark.parametrize("seed", range(10))
def test_no_wish_pays_and_none_is_dearer_than_its_proof_allows(seed: int) -> None:
    """Against the bound of the problem without the wish, on random problems with everything in them."""
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, 8, n_accounts=1 + seed % 2)
    answer = solve_one(market, problem)
    if not np.isin(answer.status, (Status.SOLVED, Status.RELAXED)).all():
        pytest.skip("no answer to price")
    wanted = preferences_of(problem)
    priced = price_preferences(market, problem, answer, wanted)
    assert (priced.price >= 0.0).all()
    assert len(priced.price) == len(wanted)
    assert (priced.uncertain >= 0.0).all()


def test_an_account_without_wishes_has_no_prices() -> None:
    market, problem = convex()
    n = len(problem.held)
    free = problem.account(0)._replace(
        utility=np.zeros(n), weight_max=np.ones(n), may_buy=np.ones(n, np.bool_), cash_max=np.ones(1),
        rows_from=np.zeros(2, np.int64), entries_from=np.zeros(1, np.int64), row_kind=np.zeros(0, np.int8),
        row_joint=np.zeros(0, np.bool_), row_lower=np.zeros(0), row_upper=np.zeros(0), row_price=np.zeros(0),
        entry_name=np.zeros(0, np.int32), entry_coefficient=np.zeros(0),
    )  # fmt: skip
    assert len(price_preferences(market, free, solve_one(market, free)).price) == 0
