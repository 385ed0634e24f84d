"""The judge finds what is wrong with an answer that somebody has tampered with."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from allotment.optimize import SolveOptions, Status, checker, hard_rules, solve_one
from allotment.optimize.judge import judge
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.tangled import Feature, random_problem


@pytest.mark.parametrize("module", [checker, hard_rules])
def test_the_judge_shares_no_code_with_what_it_judges(module: ModuleType) -> None:
    imported = {
        name
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert imported == {"__future__", "numpy", "typing"}


def test_the_checker_stays_small_enough_to_be_read_in_one_sitting() -> None:
    """Under 150 lines, of which no docstring, comment or empty line counts as one."""
    source = Path(checker.__file__).read_text()
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = enumerate(source.splitlines(), 1)
    code = [line for at, line in lines if at not in docstrings and not line.strip().startswith("#")]
    assert len([line for line in code if line.strip()]) < 150


@pytest.fixture(scope="module")
def solved():
    rng = np.random.default_rng(3)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_A._replace(n_names=40, n_lots=80, n_factors=3)
    problem = synthetic_problems(world, profile, 1, rng)
    return world.market, problem, solve_one(world.market, problem)


def test_an_honest_answer_passes(solved) -> None:
    market, problem, answer = solved
    assert judge(market, problem, answer, 0, SolveOptions()).broken == ()


def test_a_purchase_from_nowhere_is_seen(solved) -> None:
    market, problem, answer = solved
    bought = answer.bought.copy()
    bought[0] += 0.01
    broken = judge(market, problem, answer._replace(bought=bought), 0, SolveOptions()).broken
    assert "weights do not follow from the trades" in broken


def test_a_loss_sold_and_bought_back_is_seen(solved) -> None:
    market, problem, answer = solved
    lot = int(np.flatnonzero(problem.lot_is_loss & (answer.sold > 0.0))[0])
    name = int(np.searchsorted(problem.lots_from, lot, side="right")) - 1
    bought = answer.bought.copy()
    bought[name] += 0.01
    broken = judge(market, problem, answer._replace(bought=bought), 0, SolveOptions()).broken
    assert "sells a loss and buys its group" in broken


def test_multipliers_beyond_their_price_prove_nothing(solved) -> None:
    market, problem, answer = solved
    theta = answer.theta.copy()
    theta[3] = 11.0  # three factors, then the price of cash
    verdict = judge(market, problem, answer._replace(theta=theta), 0, SolveOptions())
    assert verdict.lower_bound == -np.inf


def test_without_multipliers_nothing_is_proven(solved) -> None:
    market, problem, answer = solved
    nothing = answer._replace(cases_from=np.zeros_like(answer.cases_from))
    assert judge(market, problem, nothing, 0, SolveOptions()).lower_bound == -np.inf


def test_any_other_multipliers_prove_less_than_the_cost(solved) -> None:
    market, problem, answer = solved
    rng = np.random.default_rng(0)
    for _ in range(5):
        theta = answer.theta + np.r_[rng.normal(0, 0.01, 4), 0.0]
        verdict = judge(market, problem, answer._replace(theta=theta), 0, SolveOptions())
        assert verdict.lower_bound <= verdict.objective


@pytest.mark.parametrize("n_accounts", [1, 2, 3])
@pytest.mark.parametrize("feature", [*Feature, None])
def test_every_answer_keeps_the_rules_and_its_cost_and_bound_are_found_again(
    feature: Feature | None, n_accounts: int
) -> None:
    """Each feature beside the simpler ones, then everything at once."""
    simple = {
        Feature.GROUPS, Feature.LIMITS, Feature.BANS, Feature.EXPOSED, Feature.TICKETS,
        Feature.LOT_CHARGES, Feature.TRADE_MIN, Feature.WHOLE_SHARES, Feature.UTILITY, Feature.SECTORS,
    }  # fmt: skip
    features = set(Feature) if feature is None else simple | {feature}
    for seed in range(8):
        rng = np.random.default_rng([seed, n_accounts])
        market, problem = random_problem(
            rng, int(rng.integers(3, 12)), n_accounts=n_accounts, features=sorted(features)
        )
        answer = solve_one(market, problem)
        assert set(answer.status.tolist()) <= {Status.SOLVED, Status.RELAXED}
        verdict = judge(market, problem, answer, 0, SolveOptions())
        share = problem.value_usd / problem.value_usd.sum()
        assert verdict.broken == ()
        assert verdict.objective == pytest.approx(share @ answer.objective, rel=1e-8, abs=1e-8)
        assert verdict.lower_bound >= share @ answer.lower_bound - 1e-9
        if len(problem.regime_constant) == 0:  # of several regimes, not all are bounded over whole steps
            assert verdict.lower_bound == pytest.approx(share @ answer.lower_bound, rel=1e-8, abs=1e-8)
        assert (answer.gap >= 0.0).all()
