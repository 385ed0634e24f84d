"""Purchases into several open claims: each is paid for in its turn, the oldest first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.optimize import SolveOptions, Status, solve_one
from allotment.optimize.claims import (
    claims_of,
    dearest,
    is_barred,
    is_claimed,
    name_of_claim,
    one_claim,
    wash_cost,
    washed_by,
    without_claims,
)
from allotment.optimize.judge import judge
from allotment.optimize.problem import Market, Problems, make_problems

MARKET = Market(np.zeros((2, 1)), np.array([0.04, 0.04]), np.arange(2, dtype=np.int32))
KAPPA = 10.0


def account(**columns: object) -> Problems:
    """Half of it in a name at its weight; the first name is not held and wants to be. Cash may stay."""
    neutral: dict[str, object] = {
        "names_from": np.array([0, 2]),
        "value_usd": np.array([1e6]),
        "risk_price": np.array([KAPPA]),
        "cash": np.array([0.5]),
        "cash_min": np.zeros(1),
        "cash_max": np.ones(1),
        "lots_from": np.array([0, 0, 1]),
        "asset_ix": np.arange(2, dtype=np.int32),
        "benchmark": np.array([0.5, 0.5]),
        "held": np.array([0.0, 0.5]),
        "half_spread": np.zeros(2),
        "lot_weight": np.array([0.5]),
        "lot_tax": np.array([0.2]),
        "lot_is_loss": np.zeros(1, np.bool_),
    }
    return make_problems(**(neutral | columns))


def on_first(*claims: tuple[float, float]) -> dict[str, object]:
    """Columns of claims (weight, cost) on the first name."""
    weight, cost = np.array(claims, np.float64).T
    return {
        "claims_from": np.array([0, len(claims), len(claims)]),
        "claim_weight": weight,
        "claim_cost": cost,
    }


def bought(problem: Problems) -> float:
    answer = solve_one(MARKET, problem)
    assert answer.status[0] == Status.SOLVED
    assert judge(MARKET, problem, answer, 0, SolveOptions()).broken == ()
    assert answer.gap[0] < 1e-9
    assert answer.wash[0] == pytest.approx(float(wash_cost(problem, answer.bought).sum()), abs=1e-12)
    return float(answer.bought[0])


def pull(weight: float) -> float:
    """What a unit of weight more of the first name is worth at this weight."""
    return KAPPA * 0.04 * (0.5 - weight)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        # The older claim is worth its price as far as it goes, the next is not.
        ([(0.1, 0.01), (0.2, 0.18)], 0.1),
        # Both are, and what follows is free.
        ([(0.1, 0.01), (0.2, 0.05)], 0.5),
        # The dearer claim is the older: all of it is paid for the sake of what follows, or nothing is.
        ([(0.02, 0.3), (0.2, 0.0)], 0.5),
        ([(0.3, 0.3), (0.02, 0.0)], 0.0),
        # Inside the second claim: 0.4 (0.5 − w) = 0.1.
        ([(0.1, 0.02), (0.4, 0.1)], 0.25),
        # Claims of one price, and one of no weight, which costs nothing.
        ([(0.1, 0.1), (0.0, 9.0), (0.4, 0.1)], 0.25),
    ],
)
def test_a_purchase_goes_as_far_as_the_claims_in_its_way_are_worth_it(claims, expected) -> None:
    problem = account(**on_first(*claims))
    assert bought(problem) == pytest.approx(expected, abs=1e-6)
    weights = np.linspace(0.0, 0.5, 5_001)
    paid = [float(wash_cost(problem, np.array([weight, 0.0])).sum()) for weight in weights]
    least = weights[np.argmin(KAPPA / 2 * 0.04 * (weights - 0.5) ** 2 + paid)]
    assert least == pytest.approx(expected, abs=1e-4)


def test_the_order_of_claims_matters() -> None:
    cheap, dear = (0.1, 0.001), (0.3, pull(0.1) + 0.05)
    assert bought(account(**on_first(cheap, dear))) == pytest.approx(0.1, abs=1e-6)
    assert bought(account(**on_first(dear, cheap))) == 0.0


@pytest.mark.parametrize("barring", [0, 1])
def test_one_claim_that_bars_bars_the_name(barring: int) -> None:
    claims = [(0.1, 0.001), (0.1, 0.001)]
    claims[barring] = (0.1, np.inf)
    problem = account(**on_first(*claims))
    assert is_barred(problem).tolist() == [True, False]
    assert bought(problem) == 0.0


def test_a_lot_of_nothing_stands_in_no_ones_way() -> None:
    """Lots leave in order; one that may not be sold would end the queue, if there were any of it."""
    problem = account(
        benchmark=np.zeros(2),
        lots_from=np.array([0, 0, 2]),
        lot_weight=np.array([0.0, 0.5]),
        lot_tax=np.zeros(2),
        lot_is_loss=np.zeros(2, np.bool_),
        lot_sellable=np.array([False, True]),
        in_order=np.ones(1, np.bool_),
    )
    answer = solve_one(MARKET, problem)
    assert answer.sold.tolist() == pytest.approx([0.0, 0.5])
    assert answer.lower_bound[0] <= judge(MARKET, problem, answer, 0, SolveOptions()).lower_bound + 1e-9


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=4), min_size=1, max_size=6),
    st.data(),
)
def test_what_is_washed_is_counted_share_for_share(claims, data) -> None:
    n = len(claims)
    rows = [row for own in claims for row in own]
    problem = make_problems(
        names_from=np.array([0, n]),
        lots_from=np.zeros(n + 1, np.int64),
        asset_ix=np.arange(n, dtype=np.int32),
        benchmark=np.zeros(n),
        held=np.zeros(n),
        half_spread=np.zeros(n),
        lot_weight=np.zeros(0),
        lot_tax=np.zeros(0),
        lot_is_loss=np.zeros(0, np.bool_),
        claims_from=np.cumsum([0, *map(len, claims)]),
        claim_weight=np.array([weight for weight, _ in rows]),
        claim_cost=np.array([cost for _, cost in rows]),
        **{name: np.ones(1) for name in ("value_usd", "risk_price", "cash", "cash_min", "cash_max")},
    )
    purchases = np.array(data.draw(st.lists(st.floats(0, 3), min_size=n, max_size=n)))
    washed, cost = [], []
    for own, amount in zip(claims, purchases, strict=True):
        left, paid = amount, 0.0
        for weight, price in own:
            washed.append(min(left, weight))
            left, paid = left - washed[-1], paid + washed[-1] * price
        cost.append(paid)
    assert washed_by(problem, purchases) == pytest.approx(np.array(washed), abs=1e-12)
    assert wash_cost(problem, purchases) == pytest.approx(np.array(cost), abs=1e-12)
    assert is_claimed(problem).tolist() == [bool(own) for own in claims]
    assert dearest(problem).tolist() == [max([0.0, *(price for _, price in own)]) for own in claims]
    turned = problem._replace(**claims_of(problem, np.arange(n)[::-1]))
    assert wash_cost(turned, purchases[::-1]) == pytest.approx(np.array(cost)[::-1], abs=1e-12)
    freed = purchases > 1.0
    assert not np.isin(
        name_of_claim(problem._replace(**without_claims(problem, freed))), np.flatnonzero(freed)
    ).any()


def test_one_claim_a_name() -> None:
    columns = one_claim(np.array([0.1, 0.0, 0.2]), np.array([1.0, 2.0, 3.0]))
    assert columns["claims_from"].tolist() == [0, 1, 1, 2]
    assert columns["claim_weight"].tolist() == [0.1, 0.2]
    assert columns["claim_cost"].tolist() == [1.0, 3.0]
