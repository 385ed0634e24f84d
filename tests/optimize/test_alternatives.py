"""What doing without a trade costs: the bound holds against solving again, the prices against the curves."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import SolveOptions, Status, solve_one
from allotment.optimize.alternatives import Other, alternatives_of, fewer_lots, own_terms, pushes_of
from allotment.optimize.decision import Decision, decision_of
from allotment.optimize.moves import best_moves
from allotment.optimize.problem import Problems
from allotment.optimize.solution import Solutions
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.tangled import Feature, random_problem
from allotment.optimize.terms import terms_of

OPTIONS = SolveOptions()


def cost(answer: Solutions) -> float:
    """Of all accounts: the least bound plus the gap."""
    return float(answer.case_bound.min() + answer.gap[0])


def forbidden(problem: Problems, i: int, *, sale: bool) -> Problems:
    column = "may_sell" if sale else "may_buy"
    allowed = getattr(problem, column).copy()
    allowed[i] = False
    return problem._replace(**{column: allowed})


def worth(decision: Decision) -> np.ndarray:
    """What the trades bring at the answer's prices."""
    names, pushes = terms_of(decision, OPTIONS).names, pushes_of(decision)
    pushed = pushes.factors.sum(axis=1) + pushes.specific + pushes.cash + pushes.row + pushes.year
    return -(own_terms(names) + pushed)


@pytest.mark.parametrize("seed", range(12))
def test_no_plan_without_the_trade_costs_less_than_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, int(rng.integers(4, 12)), n_accounts=int(rng.integers(1, 4)))
    answer = solve_one(market, problem)
    decision = decision_of(market, problem, answer, 0)
    if decision is None:
        pytest.skip("no answer to explain")
    names = terms_of(decision, OPTIONS).names
    others = alternatives_of(decision, answer, 0, names, pushes_of(decision), OPTIONS)
    for i in np.flatnonzero(decision.traded):
        sale = bool(decision.sold_of_name[i] > decision.bought[i])
        without = solve_one(market, forbidden(problem, int(i), sale=sale))
        if np.isin(without.status, (Status.SOLVED, Status.RELAXED)).all():
            share = decision.share[decision.account[i]]
            assert others.at_least[i] * share <= cost(without) - cost(answer) + 1e-9


@pytest.fixture(scope="module")
def plain() -> tuple[Solutions, Decision]:
    """Fifty names without charges or steps, all but convex: every name is at its best."""
    rng = np.random.default_rng(4)
    world = synthetic_world(50, 4, rng)
    profile = PROFILE_A._replace(
        n_names=50, n_lots=150, n_factors=4, trade_bps_min=0.0, share_step=0.0, sector_band=0.01
    )
    problem = synthetic_problems(world, profile, 1, rng)
    answer = solve_one(world.market, problem, options=SolveOptions(gap_bps=0.0, solves_max=30))
    decision = decision_of(world.market, problem, answer, 0)
    assert decision is not None
    return answer, decision


def test_terms_and_pushes_are_those_of_the_cost_curves(plain) -> None:
    _, d = plain
    moves = best_moves(d.market, d.problem, d.prices, OPTIONS)
    slack = d.gap + 1e-9
    traded = d.traded > 0.0
    best = np.where(d.sold_of_name > 0.0, moves.sell, moves.buy)
    gap_of_names = worth(d)[traded] - (moves.hold - best)[traded]
    assert np.abs(gap_of_names).max() < slack
    assert (np.minimum(moves.sell, moves.buy) >= moves.hold - slack)[~traded].all()


def test_the_bound_is_close_where_the_gap_is_small(plain) -> None:
    answer, d = plain
    others = alternatives_of(d, answer, 0, terms_of(d, OPTIONS).names, pushes_of(d), OPTIONS)
    largest = np.argsort(-np.nan_to_num(others.hold))[:5]
    for i in largest:
        sale = bool(d.sold_of_name[i] > 0.0)
        without = solve_one(d.market, forbidden(d.problem, int(i), sale=sale))
        true = cost(without) - cost(answer)
        assert others.at_least[i] <= true + 1e-9
        assert true <= others.hold[i] * 1.6 + 1e-6  # others answer, and lessen what is lost
        assert true >= 0.2 * others.at_least[i]
    assert set(others.best[d.traded > 0.0].tolist()) <= {Other.HOLD, Other.FEWER_LOTS, Other.OTHER_SIDE}
    assert np.isnan(others.extra[d.traded == 0.0]).all()


@pytest.mark.parametrize("seed", range(8))
def test_keeping_the_dearest_lot_is_the_trade_without_it(seed: int) -> None:
    """Taking the lot out of the trade and adding everything up again gives the same difference."""
    rng = np.random.default_rng(100 + seed)
    features = set(Feature) - {Feature.IN_ORDER, Feature.COUNTS, Feature.BIG, Feature.YEAR}
    market, problem = random_problem(rng, 12, features=features)
    decision = decision_of(market, problem, solve_one(market, problem), 0)
    assert decision is not None
    extra = fewer_lots(decision)
    for i in np.flatnonzero(np.isfinite(extra)):
        differences = []
        for lot in np.flatnonzero((decision.lot_name == i) & (decision.sold > 0.0)):
            kept = decision.sold[lot]
            sold, sold_of_name = decision.sold.copy(), decision.sold_of_name.copy()
            weight = decision.weight.copy()
            sold[lot], sold_of_name[i], weight[i] = 0.0, sold_of_name[i] - kept, weight[i] + kept
            less = decision._replace(sold=sold, sold_of_name=sold_of_name, weight=weight)
            differences.append((worth(decision) - worth(less))[i])
        assert np.isclose(differences, extra[i], atol=1e-12).any()
