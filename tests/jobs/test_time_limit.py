"""A time limit buys a longer search, never a worse or an unproven answer."""

from __future__ import annotations

import numpy as np

from allotment.jobs.time_limit import solve_within
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.optimize.solve import solve_one
from allotment.optimize.tangled import random_problem

SHORT = SolveOptions(gap_bps=0.0, solves_max=1)


def gap(problem: Problems, answer: Solutions) -> float:
    value = problem.value_usd / problem.value_usd.sum()
    return float(value @ (answer.objective - answer.lower_bound))


def tangled(seed: int) -> tuple[Market, Problems]:
    return random_problem(np.random.default_rng([seed, 3]), 8)


def test_no_time_is_one_round() -> None:
    for seed in range(10):
        market, problem = tangled(seed)
        one, other = solve_within(market, problem, SHORT, 0.0), solve_one(market, problem, options=SHORT)
        assert one.objective.tolist() == other.objective.tolist()
        assert one.n_solves.tolist() == other.n_solves.tolist()


def test_time_finds_what_a_larger_count_finds() -> None:
    """Of thirty problems some have a gap after one choice; with time they end as with the larger count."""
    closed = 0
    for seed in range(30):
        market, problem = tangled(seed)
        first = solve_one(market, problem, options=SHORT)
        timed = solve_within(market, problem, SHORT, 30.0)
        longest = solve_one(market, problem, options=SHORT._replace(solves_max=1 << 20))
        assert gap(problem, timed) <= gap(problem, first) + 1e-12
        assert np.allclose(timed.objective, longest.objective, atol=1e-9)
        closed += gap(problem, timed) < gap(problem, first) - 1e-9
    assert closed > 0


def test_a_tolerance_that_is_met_ends_the_search() -> None:
    market, problem = tangled(1)
    loose = SHORT._replace(gap_bps=1e9)
    found = solve_within(market, problem, loose, 30.0)
    assert found.n_solves.tolist() == solve_one(market, problem, options=loose).n_solves.tolist()
