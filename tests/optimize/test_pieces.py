"""Gains realised by selling lots and buying them back at once."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import SolveOptions, Status, solve_one
from allotment.optimize.claims import one_claim
from allotment.optimize.judge import judge
from allotment.optimize.problem import Market, Problems, RowKind, make_problems

MARKET = Market(np.zeros((2, 1)), np.array([0.04, 0.04]), np.arange(2, dtype=np.int32))
SPREAD = 1e-4


def account(**columns: object) -> Problems:
    """Two names at their benchmark weights; each has a lot at a gain of 40 % and one of 10 %."""
    given = {
        "names_from": np.array([0, 2]),
        "value_usd": np.array([1e6]),
        "risk_price": np.array([100.0]),
        "cash": np.zeros(1),
        "cash_min": np.zeros(1),
        "cash_max": np.zeros(1),
        "lots_from": np.array([0, 2, 4]),
        "asset_ix": np.arange(2, dtype=np.int32),
        "benchmark": np.array([0.5, 0.5]),
        "held": np.array([0.5, 0.5]),
        "half_spread": np.full(2, SPREAD),
        "lot_weight": np.full(4, 0.25),
        "lot_gain": np.array([0.4, 0.1, 0.4, 0.1]),
        "lot_tax": np.array([0.4, 0.1, 0.4, 0.1]) * 0.2,
        "lot_is_long": np.ones(4, np.bool_),
        "lot_is_loss": np.zeros(4, np.bool_),
        "may_rebuy": np.ones(2, np.bool_),
    }
    return make_problems(**(given | columns))


def wanting(gain: float, **columns: object) -> Problems:
    """The account with a price on realising less than this."""
    return account(
        rows_from=np.array([0, 1]),
        entries_from=np.zeros(2, np.int64),
        row_kind=np.array([RowKind.GAIN], np.int8),
        row_joint=np.zeros(1, np.bool_),
        row_lower=np.array([gain]),
        row_upper=np.array([np.inf]),
        row_price=np.array([5.0]),
        **columns,
    )


def test_gains_worth_taking_are_taken_and_the_holding_stays() -> None:
    """A basis that saves 30 % later for 20 % now: every lot is sold and bought back."""
    problem = account(lot_tax=np.array([0.4, 0.1, 0.4, 0.1]) * -0.1)
    answer = solve_one(MARKET, problem)
    assert answer.sold == pytest.approx(problem.lot_weight)
    assert answer.weight == pytest.approx(problem.held)
    assert answer.objective[0] == pytest.approx(-0.1 * 0.25 + 2 * SPREAD)
    assert answer.gap[0] < 1e-9


def test_gains_not_worth_two_spreads_are_left() -> None:
    problem = account(lot_tax=np.array([0.4, 0.1, 0.4, 0.1]) * -0.1, half_spread=np.full(2, 0.021))
    answer = solve_one(MARKET, problem)
    assert not answer.sold.any()
    assert answer.objective[0] == 0.0


def test_a_wanted_gain_is_realised_from_the_lots_that_need_least_trading() -> None:
    """6 % of gain: 15 % of the account in the lots with 40 %, at two spreads."""
    answer = solve_one(MARKET, wanting(0.06))
    assert answer.status[0] == Status.SOLVED
    assert answer.sold[[0, 2]].sum() == pytest.approx(0.15, abs=1e-6)
    assert answer.sold[[1, 3]].sum() == pytest.approx(0.0, abs=1e-6)
    assert answer.weight == pytest.approx([0.5, 0.5], abs=1e-6)
    assert answer.objective[0] == pytest.approx(0.2 * 0.06 + 2 * SPREAD * 0.15, abs=1e-7)
    assert answer.gap[0] < 1e-5  # a tenth of a basis point
    verdict = judge(MARKET, wanting(0.06), answer, 0, SolveOptions())
    assert verdict.broken == ()


@pytest.mark.parametrize(
    "columns",
    [
        {"may_rebuy": np.zeros(2, np.bool_)},
        {"in_order": np.ones(1, np.bool_)},
        one_claim(np.full(2, 0.01), np.full(2, 0.05)),
        {"may_buy": np.zeros(2, np.bool_)},
        {"step": np.full(2, 0.02)},  # a lot of 0.25 is no whole number of steps
    ],
    ids=["no leave", "the venue's order", "an open claim", "no purchase", "odd lots"],
)
def test_nothing_is_bought_back_where_it_may_not_be(columns: dict[str, object]) -> None:
    problem = wanting(0.06, **columns)
    answer = solve_one(MARKET, problem)
    sold = answer.sold_by_name(problem.lots_from)
    assert not ((sold > 0.0) & (answer.bought > 0.0)).any()
    assert judge(MARKET, problem, answer, 0, SolveOptions()).broken == ()


def test_whole_steps_and_the_smallest_trade_are_kept() -> None:
    columns = {"step": np.full(2, 0.01), "trade_min": np.array([0.035]), "ticket_charge": np.array([1e-5])}
    problem = wanting(0.002, may_rebuy=np.array([False, True]), **columns)
    answer = solve_one(MARKET, problem)
    sold = answer.sold_by_name(problem.lots_from)
    back = (sold > 0.0) & (answer.bought > 0.0)
    assert back.sum() == 1
    assert sold[back] == pytest.approx(0.04)  # the smallest trade in whole steps
    verdict = judge(MARKET, problem, answer, 0, SolveOptions())
    assert verdict.broken == ()
    assert verdict.objective == pytest.approx(answer.objective[0], abs=1e-12)
    assert verdict.lower_bound >= answer.lower_bound[0]


def test_a_purchase_of_what_is_sold_without_leave_is_seen() -> None:
    problem = account()
    answer = solve_one(MARKET, problem)
    sold, bought = answer.sold.copy(), answer.bought.copy()
    sold[0], bought[0] = 0.1, 0.1
    answer = answer._replace(sold=sold, bought=bought)
    assert judge(MARKET, problem, answer, 0, SolveOptions()).broken == ()
    barred = problem._replace(may_rebuy=np.zeros(2, np.bool_))
    assert "sells what it buys" in judge(MARKET, barred, answer, 0, SolveOptions()).broken
    small = problem._replace(trade_min=np.array([0.2]))
    assert "sells what it buys" in judge(MARKET, small, answer, 0, SolveOptions()).broken
