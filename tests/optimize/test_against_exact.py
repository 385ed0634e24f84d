"""Our bound ≤ the true optimum ≤ our answer, on random small problems with all features at once."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from allotment.optimize import SolveOptions, solve_batch
from allotment.optimize.exact import solve_exact
from allotment.optimize.tangled import Feature, random_problem

pytest.importorskip("pyscipopt")

_spec = importlib.util.spec_from_file_location("exact_cost", Path(__file__).with_name("exact_cost.py"))
assert _spec is not None
assert _spec.loader is not None
exact_cost = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exact_cost)

FEATURES = tuple(Feature)
N_ACCOUNTS = (1, 1, 2, 3)


def check_bracket(seed: int, names_max: int, seconds_max: float) -> None:
    """SCIP's own bound takes the place of the optimum where its time ran out."""
    rng = np.random.default_rng(seed)
    n_accounts = int(rng.choice(N_ACCOUNTS))
    n_names = int(rng.integers(8, names_max + 1)) if n_accounts == 1 else int(rng.integers(5, 11))
    market, problem = random_problem(rng, n_names, n_accounts=n_accounts, features=FEATURES)
    answer = solve_batch(market, problem)
    options = SolveOptions()
    assert exact_cost.broken_rules(market, problem, answer.sold, answer.bought) == []
    cost = exact_cost.cost_of(market, problem, answer.sold, answer.bought, options, dust=1e-12)
    share = problem.value_usd / problem.value_usd.sum()
    assert share @ answer.objective == pytest.approx(cost, rel=1e-8, abs=1e-8)
    exact = solve_exact(market, problem, options=options, seconds_max=seconds_max)
    least = exact_cost.cost_of(market, problem, exact.sold, exact.bought, options)
    slack = 1e-7 * (1.0 + abs(least))
    assert share @ answer.lower_bound <= least + slack
    assert exact.bound <= cost + slack


@pytest.mark.parametrize("seed", range(12))
def test_the_certificate_brackets_the_optimum(seed: int) -> None:
    check_bracket(seed, names_max=12, seconds_max=5.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_the_certificate_brackets_the_optimum_of_200_problems(seed: int) -> None:
    check_bracket(seed, names_max=30, seconds_max=10.0)
