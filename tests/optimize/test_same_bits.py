"""The same input gives the same bits: any number of threads, any order, any neighbours, alone."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import Market, Problems, Solutions, join, solve_batch, solve_one
from allotment.optimize.problem import RowKind
from allotment.optimize.tangled import random_problem

N_PROBLEMS = 150
_FACTORS = 3  # the most that a random problem has


def everything() -> tuple[Market, Problems]:
    """Problems of one to three accounts with every feature, each on its own part of one market."""
    markets, parts = [], []
    for seed in range(N_PROBLEMS):
        rng = np.random.default_rng([seed, 7])
        market, problem = random_problem(rng, int(rng.integers(2, 10)), n_accounts=int(rng.integers(1, 4)))
        n_before = sum(len(one.group_ix) for one in markets)
        padded = np.zeros((len(market.group_ix), _FACTORS))
        padded[:, : market.loadings.shape[1]] = market.loadings
        markets.append(market._replace(loadings=padded, group_ix=market.group_ix + np.int32(n_before)))
        parts.append(problem._replace(asset_ix=problem.asset_ix + np.int32(n_before)))
    stacked = Market(
        np.ascontiguousarray(np.concatenate([market.loadings for market in markets])),
        np.concatenate([market.specific_variance for market in markets]),
        np.concatenate([market.group_ix for market in markets]),
    )
    return stacked, join(parts)


@pytest.fixture(scope="module")
def solved() -> tuple[Market, Problems, list[bytes]]:
    market, problems = everything()
    return market, problems, bits(problems, solve_batch(market, problems))


def bits(problems: Problems, answers: Solutions) -> list[bytes]:
    """Every byte of the answer to each problem."""
    accounts = problems.joint_from
    names = problems.names_from[accounts]
    rows = problems.rows_from[accounts]
    cases = answers.cases_from
    offsets = {
        "weight": names,
        "bought": names,
        "sold": problems.lots_from[names],
        "row_value": rows,
        "row_relaxation": rows,
        "row_multiplier": rows,
        "case_bound": cases,
        "theta": answers.theta_from[cases],
    }
    columns = [column for column in Solutions._fields if not column.endswith("_from")]
    return [
        b"".join(
            np.ascontiguousarray(getattr(answers, column)[at[j] : at[j + 1]]).tobytes()
            for column, at in ((column, offsets.get(column, accounts)) for column in columns)
        )
        for j in range(problems.n_joint)
    ]


def test_the_batch_holds_every_kind_of_row_and_year(solved) -> None:
    _, problems, found = solved
    assert set(problems.row_kind.tolist()) == set(RowKind)
    assert problems.row_joint.any()
    assert (np.diff(problems.regimes_from) > 0).any()
    assert problems.in_order.any()
    assert np.isfinite(problems.te_max).any()
    assert len(set(found)) == N_PROBLEMS


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_change_no_bit(solved, threads: int) -> None:
    market, problems, found = solved
    assert bits(problems, solve_batch(market, problems, threads=threads)) == found


def test_the_order_of_the_batch_changes_no_bit(solved) -> None:
    market, problems, found = solved
    order = np.random.default_rng(1).permutation(N_PROBLEMS)
    shuffled = join([problems.problems(j, j + 1) for j in order])
    assert bits(shuffled, solve_batch(market, shuffled, threads=2)) == [found[j] for j in order]


def test_a_problem_alone_has_the_bits_that_it_has_in_the_batch(solved) -> None:
    market, problems, found = solved
    for j in range(N_PROBLEMS):
        alone = problems.problems(j, j + 1)
        assert bits(alone, solve_one(market, alone)) == [found[j]], j
