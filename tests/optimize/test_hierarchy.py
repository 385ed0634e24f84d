"""What gives way to what: the prices stand in the order of the levels, and the optimiser takes them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from allotment.optimize import Market, SolveOptions, Status, solve_one
from allotment.optimize.hierarchy import HIERARCHY
from allotment.optimize.problem import make_problems


def test_the_optimiser_takes_its_prices_from_the_hierarchy() -> None:
    options = SolveOptions()
    assert options.limit_price == HIERARCHY.restrictions.price
    assert options.cash_price == HIERARCHY.cash.price
    assert options.te_price == HIERARCHY.tracking_error.price


def test_per_unit_of_weight_the_law_comes_first_then_restrictions_cash_and_rows() -> None:
    prices = [HIERARCHY.law, HIERARCHY.restrictions, HIERARCHY.cash, HIERARCHY.rows]
    assert [level.price for level in prices] == sorted((level.price for level in prices), reverse=True)
    assert math.isinf(HIERARCHY.law.price)


@pytest.mark.parametrize(("cash_price", "sold"), [(10.0, 0.3), (30.0, 0.0)])
def test_an_excluded_name_is_sold_into_cash_unless_cash_is_dearer(cash_price: float, sold: float) -> None:
    """Nothing may be bought: either the excluded name stays, or its proceeds stay in cash."""
    market = Market(np.zeros((2, 0)), np.full(2, 0.04), np.arange(2, dtype=np.int32))
    problem = make_problems(
        names_from=np.array([0, 2]),
        value_usd=np.array([1000.0]),
        risk_price=np.array([1.0]),
        cash=np.zeros(1),
        cash_min=np.zeros(1),
        cash_max=np.zeros(1),
        lots_from=np.arange(3),
        asset_ix=np.arange(2, dtype=np.int32),
        benchmark=np.array([0.3, 0.7]),
        held=np.array([0.3, 0.7]),
        weight_max=np.array([0.0, 1.0]),
        may_buy=np.zeros(2, np.bool_),
        half_spread=np.zeros(2),
        lot_weight=np.array([0.3, 0.7]),
        lot_tax=np.zeros(2),
        lot_is_loss=np.zeros(2, np.bool_),
    )
    answer = solve_one(market, problem, options=SolveOptions(cash_price=cash_price))
    assert answer.status[0] == Status.RELAXED
    assert answer.sold[0] == pytest.approx(sold)
    assert answer.gap[0] < 1e-9
