"""What actions imply for an index, and its weights afterwards."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.index_consequence import IndexChange, index_consequences, pro_forma

DAY = date(2024, 4, 2)
A, B, C, NEW = 1, 2, 3, 9
WEIGHTS = IndexWeights(
    index_code="I",
    session=date(2024, 3, 28),
    kind=WeightKind.CLOSE,
    version=1,
    security_ids=np.array([A, B, C]),
    weight=np.array([0.5, 0.3, 0.2]),
)


def act(kind: ActionKind, security: int = A, **terms: Any) -> CorporateAction:
    return CorporateAction(security_id=security, ex_date=DAY, kind=kind, **terms)


def after(*actions: CorporateAction) -> dict[int, float]:
    made = pro_forma(WEIGHTS, index_consequences(actions, [WEIGHTS]), DAY)
    assert made.weight.sum() == pytest.approx(1.0)
    assert made.kind is WeightKind.PRO_FORMA
    return dict(zip(made.security_ids.tolist(), made.weight.tolist(), strict=True))


@pytest.mark.parametrize(
    ("action", "change", "weights"),
    [
        (act(ActionKind.CASH_MERGER, amount_usd=5), IndexChange.LEAVES, {B: 0.6, C: 0.4}),
        (act(ActionKind.STOCK_MERGER, other_security_id=B), IndexChange.JOINED, {B: 0.8, C: 0.2}),
        (
            act(ActionKind.SYMBOL_CHANGE, other_security_id=NEW),
            IndexChange.REPLACED,
            {B: 0.3, C: 0.2, NEW: 0.5},
        ),
        (
            act(ActionKind.SPIN_OFF, other_security_id=NEW, ratio=0.25, price_usd=90, other_price_usd=40),
            IndexChange.CHILD_ENTERS,
            {A: 0.45, B: 0.3, C: 0.2, NEW: 0.05},
        ),
        (  # half in stock: a quarter of the index moves, a quarter is shared by all that stay
            act(ActionKind.MIXED_MERGER, other_security_id=B, ratio=0.5, other_price_usd=20, amount_usd=10),
            IndexChange.JOINED,
            {B: 0.55 / 0.75, C: 0.2 / 0.75},
        ),
    ],
)  # fmt: skip
def test_each_kind(action: CorporateAction, change: IndexChange, weights: dict[int, float]) -> None:
    (one,) = index_consequences([action], [WEIGHTS])
    assert one.change is change
    assert after(action) == pytest.approx(weights)


def test_some_indexes_leave_children_out() -> None:
    spin = act(ActionKind.SPIN_OFF, other_security_id=NEW, ratio=1.0, price_usd=90, other_price_usd=10)
    (one,) = index_consequences([spin], [WEIGHTS], frozenset({"I"}))
    assert (one.change, one.weight_moved) == (IndexChange.CHILD_LEFT_OUT, pytest.approx(0.05))
    made = pro_forma(WEIGHTS, [one], DAY)
    assert made.security_ids.tolist() == [A, B, C]
    assert made.weight.tolist() == pytest.approx([0.45 / 0.95, 0.3 / 0.95, 0.2 / 0.95])


def test_what_implies_nothing() -> None:
    others = [
        act(ActionKind.SPLIT, ratio=2.0),
        act(ActionKind.CASH_DIVIDEND, amount_usd=1.0),
        act(ActionKind.SYMBOL_CHANGE),  # the same security by another ticker
        act(ActionKind.CASH_MERGER, security=8),  # no member
        act(ActionKind.CASH_MERGER, amount_usd=1.0, option="cash"),  # a choice that is not the default
    ]
    assert index_consequences(others, [WEIGHTS]) == ()
    later = index_consequences([act(ActionKind.CASH_MERGER)], [WEIGHTS])
    assert pro_forma(WEIGHTS, later, date(2024, 4, 1)).weight.tolist() == WEIGHTS.weight.tolist()


def test_an_index_without_members_is_refused() -> None:
    every = [act(ActionKind.CASH_MERGER, security=number) for number in (A, B, C)]
    with pytest.raises(DataError, match="no member"):
        after(*every)
