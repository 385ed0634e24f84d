"""Reasons of whole batches: every trade has one, whatever is asked of the account."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import Status, join, solve_batch, solve_one
from allotment.optimize.problem import Problems
from allotment.optimize.reasons import Reason, reasons_of
from allotment.optimize.synthetic import PROFILE_B, synthetic_problems, synthetic_world
from allotment.optimize.tangled import random_problem

SALES = {
    Reason.HARVEST_LOSS, Reason.EXCLUDED, Reason.OVER_LIMIT, Reason.REDUCE_OVERWEIGHT, Reason.RAISE_CASH,
    Reason.TILT, Reason.REALISE_GAIN, Reason.KEEP_ROW,
}  # fmt: skip
PURCHASES = {Reason.REDUCE_UNDERWEIGHT, Reason.INVEST_CASH, Reason.TILT, Reason.UNDER_LIMIT, Reason.KEEP_ROW}


@pytest.mark.parametrize("seed", range(20))
def test_every_trade_has_a_reason_and_every_question_an_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, 10, n_accounts=1 + seed % 3)
    told = reasons_of(market, problem, solve_one(market, problem), 0)
    assert told is not None
    d = told.decision
    assert ((told.of_sale > 0) == (d.sold > 0.0)).all()
    assert ((told.of_purchase > 0) == (d.bought > 0.0)).all()
    assert set(told.of_sale[d.sold > 0.0].tolist()) <= SALES
    assert set(told.of_purchase[d.bought > 0.0].tolist()) <= PURCHASES
    assert (d.traded[told.why_not.name] == 0.0).all()
    assert (told.why_not.brings >= 0.0).all()
    assert (told.why_not.size > 0.0).all()


def test_a_batch_gives_each_account_what_it_gets_alone() -> None:
    rng = np.random.default_rng(5)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_B._replace(n_names=40, n_lots=120, n_factors=3)
    problems = synthetic_problems(world, profile, 3, rng)
    answers = solve_batch(world.market, problems)
    for j in range(3):
        here = reasons_of(world.market, problems, answers, j)
        alone = problems.account(j)
        there = reasons_of(world.market, alone, solve_one(world.market, alone), 0)
        assert here is not None
        assert there is not None
        for part in ("terms", "pushes", "alternatives", "why_not"):
            for x, y in zip(_columns(getattr(here, part)), _columns(getattr(there, part)), strict=True):
                np.testing.assert_array_equal(x, y)


def _columns(record: object) -> list[object]:
    if isinstance(record, tuple):
        return [column for part in record for column in _columns(part)]
    return [record]


def test_what_was_not_decided_has_no_reasons() -> None:
    rng = np.random.default_rng(5)
    market, problem = random_problem(rng, 6, features=())
    other = random_problem(rng, 6, features=())[1]
    empty: Problems = problem._replace(value_usd=np.zeros(1))
    broken = problem._replace(held=np.full(6, np.nan))
    batch = join([empty, other, broken])
    answers = solve_batch(market, batch)
    assert answers.status.tolist() == [Status.EMPTY, Status.SOLVED, Status.INVALID]
    assert reasons_of(market, batch, answers, 0) is None
    assert reasons_of(market, batch, answers, 1) is not None
    assert reasons_of(market, batch, answers, 2) is None
