"""Engines of others inside our process: taken when good, harmless when not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from allotment.optimize import Solutions, Status, solve_batch
from allotment.optimize.backend import Proposed, Reply, consider
from allotment.optimize.certify import Trades, trades_of
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world


@pytest.fixture(scope="module")
def solved():
    rng = np.random.default_rng(3)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_A._replace(n_names=40, n_lots=80, n_factors=3, share_step=0.0)
    problems = synthetic_problems(world, profile, 3, rng)
    return world.market, problems, solve_batch(world.market, problems)


def answering(proposed: object) -> Callable[..., object]:
    return lambda market, problems, options: proposed


def assert_ours(stands: Solutions, own: Solutions) -> None:
    for column in Solutions._fields:
        np.testing.assert_array_equal(getattr(stands, column), getattr(own, column), column)


def test_good_trades_are_taken_with_our_certificate(solved) -> None:
    market, problems, own = solved
    theirs = Proposed(Trades(own.sold * 0.9, own.bought * 0.9))
    made = consider(market, problems, answering(theirs), own=own)
    assert set(made.replies) <= {Reply.TAKEN, Reply.BREAKS_RULES}  # nine tenths of a smallest trade
    taken = [reply == Reply.TAKEN for reply in made.replies]
    assert any(taken)
    for a, is_theirs in enumerate(taken):
        lots = slice(*problems.lots_from[problems.names_from[a : a + 2]])
        expected = theirs.trades.sold if is_theirs else own.sold
        np.testing.assert_array_equal(made.stands.sold[lots], expected[lots])
        assert (made.stands.gap[a] > own.gap[a]) == is_theirs


def test_one_bad_answer_of_a_batch_leaves_the_others_standing(solved) -> None:
    market, problems, own = solved
    bought = own.bought.copy()
    bought[0] = np.nan
    made = consider(market, problems, answering(Proposed(Trades(own.sold, bought))), own=own)
    assert made.replies == (Reply.BREAKS_RULES, Reply.TAKEN, Reply.TAKEN)
    assert_ours(made.stands, own._replace(weight=made.stands.weight))
    assert made.stands.weight == pytest.approx(own.weight, abs=1e-15)


def test_lawful_trades_that_cost_more_than_holding_do_not_stand(solved) -> None:
    market, problems, own = solved
    everything = Proposed(Trades(problems.lot_weight, np.zeros_like(own.bought)))
    made = consider(market, problems, answering(everything), own=own)
    assert made.replies == (Reply.DEARER,) * 3
    assert_ours(made.stands, own)


@pytest.mark.parametrize(
    ("shape", "reply"),
    [
        ("short", Reply.GARBAGE),
        ("square", Reply.GARBAGE),
        ("words", Reply.GARBAGE),
        ("none", Reply.GARBAGE),
        ("nan", Reply.BREAKS_RULES),
        ("bound", Reply.GARBAGE),
    ],
)
def test_nonsense_is_told_and_our_own_answer_stands(solved, shape: str, reply: Reply) -> None:
    market, problems, own = solved
    nonsense = {
        "short": Proposed(Trades(own.sold[:-1], own.bought)),
        "square": Proposed(Trades(own.sold.reshape(2, -1), own.bought)),
        "words": Proposed(Trades(np.full(len(own.sold), "much"), own.bought)),
        "none": None,
        "nan": Proposed(Trades(own.sold * np.nan, own.bought)),
        "bound": Proposed(trades_of(own), np.zeros(1)),
    }[shape]
    made = consider(market, problems, answering(nonsense), own=own)
    assert set(made.replies) == {reply}
    assert (made.found != "") == (reply == Reply.GARBAGE)
    assert_ours(made.stands, own)


def test_an_engine_that_raises_is_a_reply(solved) -> None:
    market, problems, own = solved

    def broken(*_given: object) -> Proposed:
        raise ZeroDivisionError("no luck")

    made = consider(market, problems, broken, own=own)
    assert set(made.replies) == {Reply.FAILED}
    assert made.found == "ZeroDivisionError: no luck"
    assert_ours(made.stands, own)


def test_a_bound_above_what_trades_cost_is_called_false_and_ours_is_used(solved) -> None:
    market, problems, own = solved
    claims = own.objective + np.array([1e-4, -1e-4, np.nan])
    made = consider(market, problems, answering(Proposed(trades_of(own), claims)), own=own)
    assert made.claims_false_bound.tolist() == [True, False, True]
    assert made.stands.lower_bound == pytest.approx(own.lower_bound, abs=1e-15)
    assert set(made.stands.status.tolist()) == {Status.SOLVED}
