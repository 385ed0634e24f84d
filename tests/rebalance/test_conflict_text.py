"""Conflicts in words, from their records."""

from __future__ import annotations

import math

import numpy as np
import pytest

from allotment.optimize.conflict import Conflict, Member
from allotment.optimize.problem import Problems, RowKind, make_problems
from allotment.optimize.wish import Wish, WishKind
from allotment.rebalance.conflict_text import tell_conflict

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")
ROWS = ("sector Energy", "number of trades")


@pytest.fixture
def problem() -> Problems:
    return make_problems(
        names_from=np.array([0, 5]),
        rows_from=np.array([0, 2]),
        entries_from=np.zeros(3, np.int64),
        value_usd=np.ones(1),
        risk_price=np.ones(1),
        te_max=np.array([0.03]),
        cash=np.zeros(1),
        cash_min=np.zeros(1),
        cash_max=np.array([0.01]),
        lots_from=np.zeros(6, np.int64),
        asset_ix=np.arange(5, dtype=np.int32),
        benchmark=np.zeros(5),
        held=np.zeros(5),
        half_spread=np.zeros(5),
        lot_weight=np.zeros(0),
        lot_tax=np.zeros(0),
        lot_is_loss=np.zeros(0, np.bool_),
        row_kind=np.array([RowKind.LINEAR, RowKind.TRADES], np.int8),
        row_lower=np.array([0.2, -math.inf]),
        row_upper=np.array([math.inf, 12.0]),
    )


def conflict(*members: tuple[WishKind, int, float], **facts: bool) -> Conflict:
    known = {"can_be_kept": False, "is_smallest": True, "is_proven": True} | facts
    made = [Member(wish=Wish(kind, at), needed=needed, saved=0.0, price=1.0) for kind, at, needed in members]
    return Conflict(members=tuple(made), **known)


def test_each_wish_and_what_it_would_have_to_give(problem: Problems) -> None:
    told = tell_conflict(
        problem,
        conflict((WishKind.NO_BUY, 1, 0.023), (WishKind.CASH_MAX, 0, 0.023), (WishKind.TE_MAX, 0, 0.00035)),
        NAMES,
        ROWS,
    )
    assert told == (
        (
            "No trades can keep all of these together: the ban on buying BBB, cash of at most 1.00% and "
            "a tracking error of at most 3.00%."
        ),
        "The others can be kept if the ban on buying BBB gives way by 2.30%.",
        "The others can be kept if cash of at most 1.00% gives way by 2.30%.",
        "The others can be kept if a tracking error of at most 3.00% gives way by 1.00%.",
    )


def test_many_names_that_wish_the_same_share_a_phrase(problem: Problems) -> None:
    every = [(WishKind.WEIGHT_MAX, i, 0.1) for i in range(5)]
    told = tell_conflict(
        problem, conflict(*every, (WishKind.ROW_MIN, 0, 0.1), (WishKind.ROW_MAX, 1, 3.0)), NAMES, ROWS
    )
    assert told[0].endswith(
        ": the most weight of AAA, BBB, CCC and 2 more, sector Energy of at least 20.00% and "
        "number of trades of at most 12."
    )
    assert len(told) == 1  # amounts of so many are left to the record


def test_what_is_not_known_is_not_claimed(problem: Problems) -> None:
    told = tell_conflict(
        problem,
        conflict((WishKind.TRADE_MIN, 0, math.nan), is_proven=False, is_smallest=False),
        NAMES,
        ROWS,
    )
    assert told == (
        "No trades were found that keep the smallest trade.",
        "The search was cut short: fewer of them may be enough.",
    )


def test_a_wish_that_was_sold_is_told_as_such(problem: Problems) -> None:
    told = tell_conflict(problem, conflict((WishKind.ROW_MAX, 1, 2.0), can_be_kept=True), NAMES, ROWS)
    assert told == (
        "Not kept, because keeping costs more than the price of breaking: number of trades of at most 12.",
    )
