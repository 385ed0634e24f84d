"""Trades that somebody else made: held to our rules, priced as ours, measured against our bound."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import Problems, Solutions, SolveOptions, Status, join, solve_batch, solve_one
from allotment.optimize.certify import Trades, certify, trades_of
from allotment.optimize.judge import judge
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.tangled import Feature, random_problem


@pytest.fixture(scope="module")
def solved():
    rng = np.random.default_rng(3)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_A._replace(n_names=40, n_lots=80, n_factors=3, share_step=0.0)
    problems = synthetic_problems(world, profile, 3, rng)
    return world.market, problems, solve_batch(world.market, problems)


@pytest.mark.parametrize("n_accounts", [1, 3])
def test_our_own_trades_cost_the_same_through_the_door(n_accounts: int) -> None:
    """Every term and the gap, on small problems with every feature."""
    for seed in range(8):
        rng = np.random.default_rng([seed, n_accounts])
        market, problem = random_problem(rng, 8, n_accounts=n_accounts, features=sorted(Feature))
        own = solve_one(market, problem)
        made = certify(market, problem, trades_of(own), own=own)
        assert made.broken == ((),)
        for column in Solutions._fields:
            same = np.allclose(
                getattr(made.solutions, column), getattr(own, column), rtol=0, atol=1e-12, equal_nan=True
            )
            assert same, column


def test_random_trades_are_judged_and_priced_as_the_checker_does() -> None:
    """Half of these break rules; the checker shares no code with the price."""
    rng = np.random.default_rng(5)
    n_broken = 0
    for seed in range(12):
        market, problem = random_problem(
            np.random.default_rng(seed), 6, n_accounts=2, features=sorted(Feature)
        )
        own = solve_one(market, problem)
        keeps = rng.random(len(problem.lot_weight)) < (0.1 if seed % 2 else 0.02)
        trades = Trades(
            np.where(keeps, problem.lot_weight, 0.0),
            np.where(rng.random(len(problem.held)) < 0.05 * seed, 0.01, 0.0),
        )
        made = certify(market, problem, trades, own=own)
        verdict = judge(market, problem, made.solutions, 0, SolveOptions())
        share = problem.value_usd / problem.value_usd.sum()
        assert made.broken[0] == verdict.broken
        assert share @ made.solutions.objective == pytest.approx(verdict.objective, abs=1e-9)
        assert np.isnan(made.solutions.gap).all() == (not made.keeps_rules[0])
        n_broken += len(made.broken[0]) > 0
    assert 2 <= n_broken <= 10


def test_doing_nothing_costs_what_holding_costs(solved) -> None:
    market, problems, own = solved
    nothing = Trades(np.zeros_like(own.sold), np.zeros_like(own.bought))
    made = certify(market, problems, nothing, own=own)
    assert made.keeps_rules.all()
    assert made.solutions.objective == pytest.approx(own.hold_objective, abs=1e-12)
    assert made.solutions.gap == pytest.approx(own.hold_objective - own.lower_bound, abs=1e-12)


def test_worse_trades_have_a_larger_gap_against_the_same_bound(solved) -> None:
    market, problems, own = solved
    made = certify(market, problems, Trades(own.sold * 0.5, own.bought * 0.5), own=own)
    sound = made.keeps_rules
    assert sound.any()
    assert (made.solutions.gap[sound] > own.gap[sound] + 1e-5).all()
    assert made.solutions.lower_bound[sound] == pytest.approx(own.lower_bound[sound], abs=1e-12)


def some_loss(problems: Problems, own: Solutions) -> tuple[int, int]:
    """A loss lot of the first account that we sell, and its name."""
    lot = int(np.flatnonzero(problems.lot_is_loss & (own.sold > 0.0))[0])
    return lot, int(np.searchsorted(problems.lots_from, lot, side="right")) - 1


def test_each_broken_rule_is_told_and_the_neighbours_do_not_mind(solved) -> None:
    market, problems, own = solved
    lot, name = some_loss(problems, own)

    def broken(change: str, at: int, weight: float, given: Problems = problems) -> tuple[str, ...]:
        trades = {"sold": own.sold.copy(), "bought": own.bought.copy()}
        trades[change][at] = weight
        made = certify(market, given, Trades(**trades), own=own)
        assert made.broken[1:] == ((), ())
        assert made.solutions.objective[1:] == pytest.approx(own.objective[1:], abs=1e-12)
        assert np.isnan(made.solutions.gap[0])
        assert np.isnan(made.solutions.lower_bound[0])
        return made.broken[0]

    assert "sells more than a lot holds" in broken("sold", lot, problems.lot_weight[lot] * 1.01)
    assert "sells more than a lot holds" in broken("sold", lot, -0.01)
    assert "buys less than nothing" in broken("bought", name, -0.01)
    assert "sells a loss and buys its group" in broken("bought", name, 0.01)
    least = problems._replace(trade_min=problems.trade_min * [1.5, 1.0, 1.0])
    small = int(np.flatnonzero(own.bought > 0.0)[0])
    assert "trades less than the smallest trade" in broken("bought", small, problems.trade_min[0], least)
    for nonsense in (np.nan, np.inf, -np.inf, 1e300):
        (told,) = broken("sold", lot, nonsense)
        assert told.startswith("trades what is no number")
    unsellable = problems.lot_sellable.copy()
    unsellable[lot] = False
    banned = problems._replace(lot_sellable=unsellable)
    assert "sells a lot that may not be sold" in broken("sold", lot, problems.lot_weight[lot], banned)


def test_an_account_that_has_nothing_to_decide_may_not_be_traded(solved) -> None:
    market, problems, _ = solved
    empty = problems.account(0)._replace(value_usd=np.zeros(1))
    wrong = problems.account(1)._replace(cash=np.array([np.nan]))
    batch = join([empty, wrong, problems.account(2)])
    own = solve_batch(market, batch)
    assert own.status.tolist() == [Status.EMPTY, Status.INVALID, Status.SOLVED]
    made = certify(market, batch, Trades(batch.lot_weight * 1.0, np.zeros(len(batch.held))), own=own)
    assert made.broken[0] == made.broken[1] == ("trades an account that has nothing to decide",)
    assert made.solutions.status[:2].tolist() == [Status.EMPTY, Status.INVALID]
    assert np.isnan(made.solutions.objective[:2]).all()
    assert (made.solutions.weight[: len(empty.held)] == empty.held).all()
    assert np.isfinite(made.solutions.objective[2])


def test_the_exact_solvers_trades_lie_between_our_bound_and_our_answer() -> None:
    pytest.importorskip("pyscipopt")
    from allotment.optimize.exact import solve_exact

    features = [Feature.GROUPS, Feature.TICKETS, Feature.TRADE_MIN, Feature.SECTORS]
    market, problem = random_problem(np.random.default_rng(8), 6, features=features)
    exact = solve_exact(market, problem)
    made = certify(market, problem, Trades(exact.sold, exact.bought))
    assert made.keeps_rules.all()
    assert made.solutions.objective[0] == pytest.approx(exact.objective, abs=2e-7)
    assert -1e-9 <= made.solutions.gap[0] <= made.own.gap[0] + 2e-7
