from __future__ import annotations

import numpy as np
import pytest

from allotment.charts.frontier import frontier_figure
from allotment.optimize.frontier import Frontier


def drawn(*, hold_feasible: bool) -> Frontier:
    kappa = np.array([10.0, 50.0, 250.0])
    te, price = np.array([0.03, 0.015, 0.008]), np.array([-0.002, 0.0005, 0.004])
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
        hold_tracking_error=0.02,
        hold_price=0.0,
        hold_feasible=hold_feasible,
    )


def test_the_line_the_choice_and_today_are_marked() -> None:
    figure = frontier_figure(drawn(hold_feasible=True), title="A-1", value_usd=1e6)
    line, chosen, today = (trace for trace in figure.data if trace.name and "proven" not in trace.name)
    np.testing.assert_allclose(line.x, [3.0, 1.5, 0.8])
    np.testing.assert_allclose(line.y, [-20.0, 5.0, 40.0])
    np.testing.assert_allclose(line.customdata[1], [400.0, 100.0, 0.1, 50.0])
    assert (chosen.x, chosen.y) == ((1.5,), (5.0,))
    assert (today.x, today.y) == ((2.0,), (0.0,))
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
    assert today.x == (2.0, 2.0)
    assert today.y == tuple(figure.layout.yaxis.range)
