"""reasons.json of the example: its figures add up, and the restricted and washed names say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allotment.feeds.problem_answer import FILE, Answer, Door, answer
from allotment.feeds.problem_columns import OPTIONS, problem_columns
from allotment.feeds.problem_folder import read_problem
from allotment.feeds.problem_reasons import largest, reasons
from allotment.optimize.solve import solve_one

EXAMPLE = Path(__file__).parents[2] / "docs" / "reference" / "files" / "optimize-example"


@pytest.fixture(scope="module")
def found() -> Answer:
    given = read_problem(EXAMPLE)
    columns = problem_columns(given)
    solution = solve_one(columns.market, columns.problem, options=OPTIONS)
    return answer(given, columns, solution, 0.0)


@pytest.fixture(scope="module")
def told(found: Answer) -> dict[str, Any]:
    return reasons(found)


def total(terms: dict[str, Any]) -> float:
    return sum(sum(term.values()) if isinstance(term, dict) else term for term in terms.values())


def test_terms_add_up_to_what_is_saved(found: Answer, told: dict[str, Any]) -> None:
    changed = sum(total(trade["terms_usd"]) for trade in told["trades"]) + total(told["shared_usd"])
    solution, value = found.solution, float(found.columns.value_usd)
    saved = float(solution.objective[0] - solution.hold_objective[0]) * value
    assert changed == pytest.approx(saved, abs=1e-6)


def test_pushes_and_own_terms_are_what_the_trade_is_worth(told: dict[str, Any]) -> None:
    for trade in told["trades"]:
        terms = trade["terms_usd"]
        own = total(terms) - terms["specific"] - sum(terms["factors"].values())
        assert own + total(trade["pushes_usd"]) == pytest.approx(-trade["instead_usd"]["hold"], abs=1e-6)
        assert trade["because"].endswith(".")
        assert trade["side"] in {"sell", "buy"}


def test_the_trades_worth_most_are_solved_again(told: dict[str, Any]) -> None:
    again = [one["instead_usd"] for one in told["trades"] if "solved_again" in one["instead_usd"]]
    assert len(again) == 5
    assert all(one["solved_again"] >= one["at_least"] - 1e-6 for one in again)


def test_names_that_were_left_say_why(told: dict[str, Any]) -> None:
    rules = {one["symbol"]: one["rule"] for one in told["untraded"]}
    traded = {trade["symbol"] for trade in told["trades"]}
    assert not traded & set(rules)
    assert rules  # the example has names that a person would ask about
    assert all(one["why_not"].endswith(".") for one in told["untraded"])
    assert all(np.isfinite(one["brings_usd"]) and one["brings_usd"] >= 0 for one in told["untraded"])


def test_each_wish_has_a_price_and_all_together_theirs(found: Answer, told: dict[str, Any]) -> None:
    wishes = told["preferences"]
    assert wishes[-1]["wish"] == "all"
    rows = {one["row"] for one in wishes if one["wish"] == "row"}
    assert rows == set(found.columns.row_names)
    apart = sum(one["price_usd"] for one in wishes[:-1])
    assert wishes[-1]["price_usd"] - apart == pytest.approx(wishes[-1]["interaction_usd"], abs=1e-6)
    prices = [one["price_usd"] for one in wishes[:-1]]
    assert prices == sorted(prices, reverse=True)
    assert min(prices) >= 0.0


def test_the_largest_are_told_in_a_sentence_each(found: Answer) -> None:
    assert len(largest(found)) == 3


def test_wishes_are_not_priced_for_the_trades_of_others(found: Answer) -> None:
    door = Door(made_by=FILE, reply="taken", broken=(), own_objective=0.0)
    others = answer(found.given, found.columns, found.solution, 0.0, door=door)
    assert reasons(others)["preferences"] == []


def test_an_account_that_has_nothing_to_decide_has_no_reasons(found: Answer) -> None:
    problem = found.columns.problem
    empty = solve_one(found.columns.market, problem._replace(value_usd=np.zeros(1)))
    nothing = answer(found.given, found.columns, empty, 0.0)
    assert reasons(nothing) == {"schema_version": 1}
    assert largest(nothing) == []
