"""Why a name was not traded: an account made for each answer, which trades it when the rule is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from allotment.optimize import SolveOptions, solve_one
from allotment.optimize.claims import one_claim
from allotment.optimize.decision import Decision, decision_of
from allotment.optimize.problem import Market, Problems, RowKind, make_problems
from allotment.optimize.why_not import Question, Rule, WhyNot, why_not

N, ASKED, OTHER = 20, 0, 1
OPTIONS = SolveOptions(gap_bps=0.0, solves_max=20)


def account(**changes: Any) -> tuple[Market, Problems]:
    """Twenty names of 5 %, all held as in the index, one lot each without gain, but for the changes.

    A change is a column, or for `lots`: {name: [(weight, tax, is_loss), …]}.
    """
    rng = np.random.default_rng(11)
    lots = {i: [(0.05, 0.0, False)] for i in range(N)} | changes.pop("lots", {})
    rows = [(i, *lot) for i in range(N) for lot in lots[i]]
    held = np.array([sum(lot[0] for lot in lots[i]) for i in range(N)])
    market = Market(
        np.ascontiguousarray(rng.normal(0.2, 0.02, (N, 1))), np.full(N, 0.06),
        np.asarray(changes.pop("group", np.arange(N)), np.int32),
    )  # fmt: skip
    columns: dict[str, Any] = {
        "names_from": np.array([0, N]), "value_usd": np.array([1e6]), "risk_price": np.array([20.0]),
        "cash": np.array([1.0 - held.sum()]), "cash_min": np.zeros(1), "cash_max": np.array([0.2]),
        "lots_from": np.concatenate([[0], np.cumsum([len(lots[i]) for i in range(N)])]),
        "asset_ix": np.arange(N, dtype=np.int32), "benchmark": np.full(N, 0.05), "held": held,
        "half_spread": np.full(N, 3e-4),
        "lot_weight": np.array([row[1] for row in rows]), "lot_tax": np.array([row[2] for row in rows]),
        "lot_is_loss": np.array([row[3] for row in rows]),
    }  # fmt: skip
    return market, make_problems(**(columns | changes))


def at(value: float | bool, rest: float | bool, *names: int) -> np.ndarray:
    """A column with `value` for some names, the first without, and `rest` for the others."""
    return np.where(np.isin(np.arange(N), names or (ASKED,)), value, rest)


def asked(market: Market, problem: Problems) -> tuple[Decision, WhyNot]:
    decision = decision_of(market, problem, solve_one(market, problem, options=OPTIONS), 0)
    assert decision is not None
    return decision, why_not(decision, OPTIONS)


def answer_about(told: WhyNot) -> tuple[Question, Rule, float, float, int]:
    rows = np.flatnonzero(told.name == ASKED)
    assert len(rows) == 1
    x = int(rows[0])
    return (
        Question(int(told.question[x])), Rule(int(told.rule[x])), float(told.brings[x]),
        float(told.against[x]), int(told.row[x]),
    )  # fmt: skip


LOSS = {"lots": {ASKED: [(0.05, -0.08, True)]}}
PART = {"lots": {ASKED: [(0.045, 0.3, False), (0.005, -0.08, True)]}}  # closing the name out is dear
RULES = {
    Rule.NO_SALE: LOSS | {"may_sell": at(False, True)},
    Rule.LOCKED_LOTS: LOSS | {"lot_sellable": at(False, True)},
    Rule.YOUNG_SHARES: LOSS | {"young": at(0.05, 0.0), "young_cost": at(np.inf, 0.0)},
    Rule.WEIGHT_LIMIT: LOSS | {"weight_min": at(0.05, 0.0)},
    Rule.LOT_ORDER: PART | {"in_order": np.ones(1, np.bool_)},
    Rule.TRADE_MIN: PART | {"trade_min": np.array([0.02])},
    Rule.HOLDING_MIN: PART | {"holding_min": np.array([0.0501])},
    Rule.SHARE_STEP: PART | {"step": at(0.01, 1e-6)},
    Rule.CHARGES: PART | {"ticket_charge": np.array([1e-3])},
}


@pytest.mark.parametrize("rule", RULES)
def test_a_loss_that_a_rule_forbids_to_take(rule: Rule) -> None:
    market, problem = account(**RULES[rule])
    decision, told = asked(market, problem)
    assert decision.traded[ASKED] == 0.0
    question, found, brings, against, _ = answer_about(told)
    assert (question, found) == (Question.HARVEST, rule)
    assert np.isnan(against)
    # Without the rule it is taken, and is worth about what was said: the other names stay in place.
    plain = PART if "lots" in RULES[rule] and RULES[rule]["lots"] is PART["lots"] else LOSS
    market, free = account(**plain)
    taken, _ = asked(market, free)
    assert taken.traded[ASKED] > 0.0
    saved = float(decision.objective[0] - taken.objective[0])
    assert brings == pytest.approx(saved, rel=0.5)
    assert 0.0 < saved <= brings + decision.gap + 1e-9  # the dual function without the rule says so


def test_a_loss_that_shares_bought_lately_would_wash_at_a_price() -> None:
    decision, told = asked(*account(**LOSS, young=at(0.05, 0.0), young_cost=at(0.09, 0.0)))
    assert decision.traded[ASKED] == 0.0
    assert answer_about(told)[:2] == (Question.HARVEST, Rule.YOUNG_SHARES)


def test_a_loss_whose_group_is_bought() -> None:
    group = np.arange(N)
    group[OTHER] = ASKED
    lots = {ASKED: [(0.05, -0.004, True)], OTHER: []}
    decision, told = asked(*account(lots=lots, group=group))
    assert decision.bought[OTHER] > 0.0
    assert answer_about(told)[:2] == (Question.HARVEST, Rule.GROUP)


SHORT = {"lots": {ASKED: []}}
BARS = {
    Rule.NO_PURCHASE: SHORT | {"may_buy": at(False, True)},
    Rule.OPEN_CLAIM: SHORT | one_claim(at(1.0, 0.0), at(np.inf, 0.0)),
    Rule.WEIGHT_LIMIT: SHORT | {"weight_max": at(0.0, 1.0)},
}


@pytest.mark.parametrize("rule", BARS)
def test_a_missing_name_that_a_rule_forbids_to_buy(rule: Rule) -> None:
    decision, told = asked(*account(**BARS[rule]))
    assert decision.traded[ASKED] == 0.0
    question, found, brings, _, _ = answer_about(told)
    assert (question, found) == (Question.INCREASE, rule)
    assert brings > 1e-4


def row_over(*names: int, upper: float) -> dict[str, Any]:
    return {
        "rows_from": np.array([0, 1]), "entries_from": np.array([0, len(names)]),
        "row_kind": np.array([RowKind.LINEAR], np.int8), "row_lower": np.array([-np.inf]),
        "row_upper": np.array([upper]), "row_price": np.array([1.0]),
        "entry_name": np.array(names, np.int32), "entry_coefficient": np.ones(len(names)),
    }  # fmt: skip


GAINS = {i: [(0.05, 0.2, False)] for i in range(2, N)}
TRADE_OFFS = {
    Rule.TAX: (Question.REDUCE, {"lots": {ASKED: [(0.06, 0.2, False)]}}),
    Rule.RISK: (
        Question.HARVEST,
        {"lots": {ASKED: [(0.04, -0.001, True)]}, "may_buy": at(False, True), "cash_max": np.ones(1)},
    ),
    Rule.TRADING_COST: (Question.HARVEST, LOSS | {"half_spread": at(0.2, 3e-4)}),
    Rule.CASH: (
        Question.INCREASE,
        {"lots": GAINS | {ASKED: [(0.048, 0.0, False)], OTHER: [(0.052, 0.2, False)]},
         "cash_max": np.zeros(1)},
    ),
    Rule.TILT: (Question.INCREASE, SHORT | {"utility": at(-0.1, 0.0)}),
}  # fmt: skip


@pytest.mark.parametrize("rule", TRADE_OFFS)
def test_a_trade_that_is_not_worth_it(rule: Rule) -> None:
    question, changes = TRADE_OFFS[rule]
    decision, told = asked(*account(**changes))
    assert decision.traded[ASKED] == 0.0
    found = answer_about(told)
    assert found[:2] == (question, rule)
    assert found[3] >= found[2] >= 0.0  # it costs more than it brings


def test_a_missing_name_in_a_full_sector() -> None:
    decision, told = asked(
        *account(**SHORT, **row_over(ASKED, OTHER, upper=0.049), may_sell=at(False, True, OTHER))
    )
    assert decision.traded[ASKED] == 0.0
    question, rule, _, against, row = answer_about(told)
    assert (question, rule, row) == (Question.INCREASE, Rule.ROW, 0)
    assert against > 0.0


def test_a_trade_that_was_left_out_for_the_balance_of_the_others() -> None:
    """An answer that leaves a loss untaken against its own prices."""
    market, problem = account(**LOSS)
    decision, _ = asked(market, problem)
    untouched = decision._replace(
        weight=problem.held, sold=np.zeros(N), sold_of_name=np.zeros(N), bought=np.zeros(N)
    )
    assert answer_about(why_not(untouched, OPTIONS))[:2] == (Question.HARVEST, Rule.BALANCE)


def test_an_account_that_holds_its_index_has_nothing_to_ask() -> None:
    _, told = asked(*account())
    assert len(told.name) == 0
