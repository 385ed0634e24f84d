"""What a corporate action means for the indexes that hold its security.

Nobody announces these before the publisher does, so they are what follows from the usual
practice: a successor takes its predecessor's place, what is spun off comes in on the ex-date
with its share of the value and is looked at later, what is paid out in cash leaves and its
weight goes to the others. The publisher's own pro-forma file has the last word: it replaces
these weights when it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.units import MICROS_PER_USD, as_day


class IndexChange(StrEnum):
    """What becomes of a member."""

    LEAVES = "leaves"  # weight goes to the other members
    REPLACED = "replaced"  # by `other_security_id`, with its weight
    JOINED = "joined"  # its weight joins that of `other_security_id`, a member already
    CHILD_ENTERS = "child_enters"  # `other_security_id` comes in with its share of the value
    CHILD_LEFT_OUT = "child_left_out"  # it is sold by who tracks the index


_EXITS = frozenset(
    {ActionKind.CASH_MERGER, ActionKind.DELISTING, ActionKind.WORTHLESS, ActionKind.CANCELLATION}
    | {ActionKind.FINAL_LIQUIDATION}
)
_SUCCESSIONS = frozenset(
    {ActionKind.SYMBOL_CHANGE, ActionKind.STOCK_MERGER, ActionKind.MIXED_MERGER, ActionKind.TAXABLE_MERGER}
)
_CHILDREN = frozenset({ActionKind.SPIN_OFF, ActionKind.TAXABLE_SPIN_OFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConsequence:
    """One change that an action implies for one index."""

    index_code: str
    effective: date
    security_id: int  # the member that the action concerns
    change: IndexChange
    other_security_id: int = 0  # the successor, or the child
    weight_moved: float = 0.0  # of the index: what leaves, or goes over to the other security
    is_certain: bool = False  # the publisher has no choice: the member is gone, or is named otherwise
    because: str = ""


def index_consequences(
    actions: Iterable[CorporateAction],
    weights: Sequence[IndexWeights],
    left_out: frozenset[str] = frozenset(),
) -> tuple[IndexConsequence, ...]:
    """The changes that actions imply, ascending by day, index and security.

    weights: the newest weights of each index. left_out: indexes whose rules leave out what a
    member spins off. Of an action with options the default counts.
    """
    found = []
    for action in actions:
        if action.option and not action.is_default:
            continue
        for held in weights:
            at = np.searchsorted(held.security_ids, action.security_id)
            if at < len(held.security_ids) and held.security_ids[at] == action.security_id:
                found += _of_member(action, held, float(held.weight[at]), held.index_code in left_out)
    return tuple(sorted(found, key=lambda one: (one.effective, one.index_code, one.security_id)))


def at_closes(actions: Iterable[CorporateAction], prices: PriceHistory) -> list[CorporateAction]:
    """Actions whose market values are not stated, with the closes of their ex-date where there are any."""
    made = []
    for action in actions:
        day = np.searchsorted(prices.sessions, as_day(action.ex_date))
        if day < len(prices.sessions) and prices.sessions[day] == as_day(action.ex_date):
            other = action.other_security_id or action.security_id
            rows, known = prices.rows_of(np.array([action.security_id, other]))
            closes = np.where(known, prices.close_micros[day, rows], 0) / MICROS_PER_USD
            action = replace(
                action,
                price_usd=action.price_usd or float(closes[0]),
                other_price_usd=action.received_price_usd or float(closes[1]),
            )
        made.append(action)
    return made


def _of_member(
    action: CorporateAction, held: IndexWeights, weight: float, leaves_children_out: bool
) -> list[IndexConsequence]:
    other = action.other_security_id or 0
    kind, moved, is_certain = None, weight, True
    if action.kind in _EXITS:
        kind, because = IndexChange.LEAVES, f"{action.kind.value.replace('_', ' ')}: the member is no more"
    elif action.kind in _SUCCESSIONS and other:
        is_member = other in held.security_ids
        kind = IndexChange.JOINED if is_member else IndexChange.REPLACED
        moved = weight * _stock_part(action)
        is_certain = is_member or action.kind is ActionKind.SYMBOL_CHANGE
        because = "the shares become the successor's" + ("" if is_certain else ", if it is eligible")
    elif action.kind in _CHILDREN and other:
        kind = IndexChange.CHILD_LEFT_OUT if leaves_children_out else IndexChange.CHILD_ENTERS
        moved, is_certain = weight * _child_part(action), False
        because = "the child comes with its share of the value"
        if leaves_children_out:
            because = "the index leaves out what members spin off"
    if kind is None:
        return []
    return [
        IndexConsequence(
            index_code=held.index_code,
            effective=action.ex_date,
            security_id=action.security_id,
            change=kind,
            other_security_id=other,
            weight_moved=moved,
            is_certain=is_certain,
            because=because,
        )
    ]


def _stock_part(action: CorporateAction) -> float:
    """The part of the value that comes as stock; the rest is cash and leaves the index."""
    stock = action.ratio * action.received_price_usd
    return stock / (stock + action.amount_usd) if stock and action.amount_usd else 1.0


def _child_part(action: CorporateAction) -> float:
    """The child's part of what parent and child are worth together; 0 while prices are not known."""
    child = action.ratio * action.received_price_usd
    return child / (child + action.price_usd) if child and action.price_usd else 0.0


def pro_forma(
    weights: IndexWeights, consequences: Iterable[IndexConsequence], effective: date
) -> IndexWeights:
    """The weights after the consequences for this index that take effect on or before `effective`.

    What leaves is shared by the others in proportion. Raises DataError when nobody is left.
    """
    left = dict(zip(weights.security_ids.tolist(), weights.weight.tolist(), strict=True))
    for one in consequences:
        if one.index_code != weights.index_code or one.effective > effective:
            continue
        member = left.get(one.security_id, 0.0)
        moved = min(one.weight_moved, member)
        if one.change in (IndexChange.REPLACED, IndexChange.JOINED, IndexChange.CHILD_ENTERS):
            left[one.other_security_id] = left.get(one.other_security_id, 0.0) + moved
        if one.change in (IndexChange.LEAVES, IndexChange.REPLACED, IndexChange.JOINED):
            left.pop(one.security_id, None)
        else:
            left[one.security_id] = member - moved
    total = sum(left.values())
    if total <= 0.0:
        raise DataError(f"index {weights.index_code} would have no member on {effective}; check the actions.")
    ids = sorted(left)
    return IndexWeights(
        index_code=weights.index_code,
        session=effective,
        kind=WeightKind.PRO_FORMA,
        version=weights.version,
        security_ids=np.array(ids, np.int64),
        weight=np.array([left[number] / total for number in ids]),
    )
