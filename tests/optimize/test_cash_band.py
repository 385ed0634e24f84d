"""Cash bands of accounts in whole shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.optimize import Status, solve_one
from allotment.optimize.cash_band import with_room_for_a_step
from allotment.optimize.problem import Problems
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world


def account(low: float, high: float, *, share_step: float = 1.0) -> tuple[object, Problems]:
    rng = np.random.default_rng(5)
    world = synthetic_world(12, 2, rng)
    profile = PROFILE_A._replace(
        n_names=12, n_lots=20, n_factors=2, trade_bps_min=0.0, share_step=share_step, value_usd=(25e3, 25.1e3)
    )
    problem = synthetic_problems(world, profile, 1, rng)
    return world.market, problem._replace(cash_min=np.array([low]), cash_max=np.array([high]))


@given(st.floats(-0.01, 0.02), st.floats(0.0, 0.01))
@settings(max_examples=50, deadline=None)
def test_a_band_becomes_as_wide_as_the_cheapest_share(low: float, width: float) -> None:
    _, problem = account(low, low + width)
    wide = with_room_for_a_step(problem)
    cheapest = problem.step.min()
    assert wide.cash_max[0] - wide.cash_min[0] == pytest.approx(max(cheapest, width), abs=1e-12)
    assert wide.cash_min[0] <= low
    assert wide.cash_max[0] >= low + width
    assert wide.cash_min[0] >= min(low, 0.0) - (0.5 * cheapest if low < 0.0 else 0.0)


def test_a_name_that_cannot_be_traded_does_not_count() -> None:
    _, problem = account(0.0, 0.0)
    cheapest = int(np.argmin(problem.step))
    may_buy, may_sell = problem.may_buy.copy(), problem.may_sell.copy()
    may_buy[cheapest] = may_sell[cheapest] = False
    wide = with_room_for_a_step(problem._replace(may_buy=may_buy, may_sell=may_sell))
    assert wide.cash_max[0] == pytest.approx(np.sort(problem.step)[1], abs=1e-12)


def test_fractional_accounts_keep_their_band() -> None:
    _, problem = account(0.0, 0.0, share_step=1e-6)
    assert with_room_for_a_step(problem) is problem


def test_whole_shares_leave_no_price_for_cash_that_no_trade_could_meet() -> None:
    market, problem = account(0.001, 0.001)
    tight, wide = solve_one(market, problem), solve_one(market, with_room_for_a_step(problem))
    assert tight.status[0] == Status.RELAXED
    assert wide.status[0] == Status.SOLVED
    assert wide.gap[0] < tight.gap[0]
