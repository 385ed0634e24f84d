from __future__ import annotations

import numpy as np
import pytest

from allotment.charts.frontier import frontier_figure
from allotment.optimize.frontier import Frontier


def drawn(*, hold_feasible: bool) -> Frontier:
    """Points of price = 0.00016 / TE − 0.01, each at the κ that makes it the best."""
    te = np.array([0.04, 0.02, 0.01])
    kappa, price = 0.00016 / te**3, 0.00016 / te - 0.01
    objective = price + 0.5 * kappa * te**2
    return Frontier(
        risk_price=kappa,
        tracking_error=te,
        price=price,
        tax=price - 0.0001,
        trading_cost=np.full(3, 0.0001),
        turnover=np.full(3, 0.1),
        objective=objective,
        lower_bound=objective - 1e-5,
        status=np.zeros(3, np.int8),
        answers=(),
        taken=np.arange(3),
        chosen=1,
        hold_tracking_error=0.025,
        hold_price=0.0,
        hold_feasible=hold_feasible,
    )


def test_the_line_the_choice_and_today_are_marked() -> None:
    figure = frontier_figure(drawn(hold_feasible=True), title="A-1", value_usd=1e6)
    line, chosen, today = (trace for trace in figure.data if trace.name and "proven" not in trace.name)
    np.testing.assert_allclose(line.x, [4.0, 2.0, 1.0])
    np.testing.assert_allclose(line.y, [-60.0, -20.0, 60.0])
    np.testing.assert_allclose(line.customdata[1], [-2100.0, 100.0, 0.1, 20.0])
    assert (chosen.x, chosen.y) == (pytest.approx((2.0,)), pytest.approx((-20.0,)))
    assert (today.x, today.y) == ((2.5,), (0.0,))
    assert figure.layout.title.text == "A-1"


def test_the_shade_is_below_every_plan() -> None:
    found = drawn(hold_feasible=True)
    figure = frontier_figure(found, title="A-1", value_usd=1e6)
    (floor,) = (trace for trace in figure.data if trace.name == "no plan lies here (proven)")
    at_points = np.interp(100 * found.tracking_error, floor.x, floor.y)
    assert (at_points <= 1e4 * found.price + 0.05).all()
    assert floor.y == pytest.approx(
        np.clip(1e4 * found.floor(np.array(floor.x) / 100), *figure.layout.yaxis.range)
    )


def test_an_account_that_breaks_a_limit_today_has_no_cost_of_doing_nothing() -> None:
    figure = frontier_figure(drawn(hold_feasible=False), title="A-1", value_usd=1e6)
    today = figure.data[-1]
    assert today.name == "today, with a limit broken"
    assert today.x == (2.5, 2.5)
    assert today.y == tuple(figure.layout.yaxis.range)
