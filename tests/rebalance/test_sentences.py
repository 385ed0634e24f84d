"""One sentence for every code that can be recorded: none is left without words."""

from __future__ import annotations

from datetime import date

import pytest

from allotment.optimize.alternatives import Other
from allotment.optimize.preferences import Wish
from allotment.optimize.reasons import Reason
from allotment.optimize.why_not import Question, Rule
from allotment.rebalance.sentences import WHY, because, instead, price_of_wish, usd, why_not


def test_every_reason_has_words() -> None:
    assert set(WHY) == set(Reason)


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("question", Question)
def test_every_rule_answers_every_question(rule: Rule, question: Question) -> None:
    told = why_not(
        question=question, rule=rule, weight=0.05, brings_usd=1234.5, against_usd=77.0, until=date(2025, 1, 2)
    )
    assert told.endswith(".")
    assert "5.00%" in told
    assert "$1,234" in told
    assert ("$77" in told) == (rule >= Rule.TAX)
    assert ("2025-01-02" in told) == (rule < Rule.TAX)


def test_a_limit_with_a_name_is_named() -> None:
    told = why_not(
        question=Question.INCREASE, rule=Rule.ROW, weight=0.01, brings_usd=0.0, against_usd=9.0, until=None,
        row="groups.sector.Energy",
    )  # fmt: skip
    asked = "It stays 1.00% of the account below the index"
    assert told == f"{asked}: the trade would cost $9.00, most of it for the limit groups.sector.Energy."


def test_a_trade_that_only_balances_the_others_says_so() -> None:
    told = instead(worth_usd=-3.0, other=Other.HOLD, other_usd=-3.0, at_least_usd=-50.0)
    assert told == "It balances the other trades; alone it brings nothing."
    assert instead(worth_usd=float("nan"), other=Other.NONE, other_usd=0.0, at_least_usd=0.0) == ""


def test_a_trade_back_to_a_limit_has_no_price_that_nobody_pays() -> None:
    told = instead(worth_usd=9e5, other=Other.HOLD, other_usd=9e5, at_least_usd=9e5, limit_usd=-8e5)
    assert told == "Without it the name would be outside its limits."


def test_what_hardly_changes_anything_says_so() -> None:
    nothing = {"tax_usd": 0.0, "cost_usd": 0.0, "wash_usd": 0.0, "tilt_usd": 0.0, "risk_usd": 0.0}
    assert because(**nothing, factor="market") == "Hardly changes anything."
    told = because(**(nothing | {"tilt_usd": -5.0, "wash_usd": 3.0, "risk_usd": 2.0}), factor="market")
    assert told == "Risk rises by $2.00, the mandate's tilts gain $5.00, $3.00 of losses are washed."


@pytest.mark.parametrize("wish", Wish)
def test_every_wish_has_a_price_in_words(wish: Wish) -> None:
    told = price_of_wish(
        wish=wish, named="", price_usd=120.0, parts=[("risk", 150.0), ("tax", -30.0), ("cost", 0.0)]
    )
    assert told.endswith(": $120 (risk $150, tax -$30).")
    assert price_of_wish(wish=wish, named="x", price_usd=0.0, parts=[]).endswith("no cost today.")


def test_cents_are_told_where_they_matter() -> None:
    assert [usd(amount) for amount in (1234567.8, 9.999, -3.5, -12.0)] == [
        "$1,234,568",
        "$10.00",
        "-$3.50",
        "-$12",
    ]
