"""Statuses of a joint answer, account by account."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize.problem import RowKind
from allotment.optimize.solution import Status
from allotment.optimize.solve import solve_batch
from allotment.optimize.tangled import random_problem
from allotment.rebalance.outcomes import each_alone


@pytest.mark.parametrize("seed", range(12))
def test_an_account_that_stands_alone_is_what_the_optimiser_says(seed) -> None:
    market, problem = random_problem(np.random.default_rng(seed), 6)
    answer = solve_batch(market, problem)
    alone = each_alone(problem, answer)
    assert alone.status.tolist() == answer.status.tolist()
    if not len(problem.regime_constant):
        assert alone.hold_feasible.tolist() == answer.hold_feasible.tolist()


def test_a_row_over_all_accounts_is_relaxed_by_each() -> None:
    """A turnover of nothing asked of two accounts that hold too much cash."""
    market, problem = random_problem(np.random.default_rng(3), 6, n_accounts=2, features=())
    problem = problem._replace(
        cash_max=np.zeros(2),
        rows_from=np.array([0, 1, 1]),
        entries_from=np.zeros(2, np.int64),
        row_kind=np.array([RowKind.TURNOVER], np.int8),
        row_joint=np.ones(1, np.bool_),
        row_lower=np.array([-np.inf]),
        row_upper=np.zeros(1),
        row_price=np.array([0.01]),
    )
    alone = each_alone(problem, solve_batch(market, problem))
    assert alone.status.tolist() == [Status.RELAXED, Status.RELAXED]
