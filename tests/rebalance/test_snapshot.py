"""The market of one day: index weights carried by returns, spreads, groups."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import SecurityKind
from allotment.rebalance.snapshot import carried, take_snapshot

SESSIONS = np.array(["2025-06-26", "2025-06-27", "2025-06-30"], "M8[D]")


def history(adjusted: list[list[float]]) -> PriceHistory:
    prices = np.array(adjusted)
    return PriceHistory(
        sessions=SESSIONS,
        security_ids=np.array([1, 2, 3]),
        close_micros=np.nan_to_num(prices * 1e6).astype(np.int64),
        adjusted_usd=prices,
        volume=np.full(prices.shape, 1e6),
    )


def index(session: date, weights: list[float], ids: tuple[int, ...] = (1, 2, 3)) -> IndexWeights:
    return IndexWeights(
        index_code="IDX",
        session=session,
        kind=WeightKind.CLOSE,
        version=1,
        security_ids=np.array(ids),
        weight=np.array(weights),
    )


def test_weights_are_carried_by_total_returns() -> None:
    """50/30/20 with returns of +20 %, 0 and -50 % become 60/30/10 of 100."""
    prices = history([[10, 20, 40], [11, 20, 30], [12, 20, 20]])
    assert carried(index(date(2025, 6, 26), [0.5, 0.3, 0.2]), prices, 2) == pytest.approx([0.6, 0.3, 0.1])


def test_a_member_that_did_not_trade_on_the_first_day_keeps_its_last_price() -> None:
    prices = history([[10, 20, 40], [np.nan, 20, 40], [12, 20, 40]])
    assert carried(index(date(2025, 6, 27), [0.5, 0.3, 0.2]), prices, 2) == pytest.approx(
        np.array([0.6, 0.3, 0.2]) / 1.1
    )


def test_members_without_a_price_or_unknown_are_left_out() -> None:
    prices = history([[10, 20, 40], [10, 20, 40], [10, 20, np.nan]])
    weights = index(date(2025, 6, 27), [0.4, 0.2, 0.2, 0.2], ids=(1, 2, 3, 9))
    assert carried(weights, prices, 2) == pytest.approx([2 / 3, 1 / 3, 0.0])


def act(kind: ActionKind, day: str, security: int = 3, **terms: Any) -> CorporateAction:
    return CorporateAction(security_id=security, ex_date=date.fromisoformat(day), kind=kind, **terms)


def test_a_successor_takes_its_predecessors_place_until_the_index_is_published_anew() -> None:
    """Without the merger a fifth of the index would be spread over the members that are left."""
    prices = history([[10, 20, 40], [10, 20, 50], [10, 20, np.nan]])
    weights = index(date(2025, 6, 26), [0.8, 0.2], ids=(1, 3))
    merger = act(ActionKind.STOCK_MERGER, "2025-06-30", other_security_id=2, ratio=2.5)
    assert carried(weights, prices, 2, [merger]) == pytest.approx([0.8 / 1.05, 0.25 / 1.05, 0.0])
    assert carried(weights, prices, 2) == pytest.approx([1.0, 0.0, 0.0])


def test_a_successor_that_is_merged_in_turn_hands_the_place_on() -> None:
    prices = history([[10, 20, 40], [10, 20, np.nan], [10, np.nan, np.nan]])
    renamed = act(ActionKind.SYMBOL_CHANGE, "2025-06-27", other_security_id=2)
    merged = act(ActionKind.STOCK_MERGER, "2025-06-30", security=2, other_security_id=1, ratio=2.0)
    weights = index(date(2025, 6, 26), [0.7, 0.3], ids=(1, 3))
    assert carried(weights, prices, 2, [merged, renamed]) == pytest.approx([1.0, 0.0, 0.0])
    # A day before it is the renamed one that has the place.
    assert carried(weights, prices, 1, [merged, renamed]) == pytest.approx([0.7, 0.3, 0.0])


def test_a_child_enters_with_its_share_of_the_value() -> None:
    """Of 40 a share, 10 are spun off: a quarter of the weight is the child's."""
    prices = history([[10, np.nan, 40], [10, np.nan, 40], [10, 5, 40]])
    prices = replace(prices, close_micros=np.array([[10, 0, 40], [10, 0, 40], [10, 5, 30]]) * 1_000_000)
    weights = index(date(2025, 6, 26), [0.6, 0.4], ids=(1, 3))
    spin = act(ActionKind.SPIN_OFF, "2025-06-30", other_security_id=2, ratio=2.0)
    assert carried(weights, prices, 2, [spin]) == pytest.approx([0.6, 0.1, 0.3])


@pytest.mark.parametrize("day", ["2025-06-26", "2025-07-01"])
def test_what_the_weights_know_already_or_is_still_to_come_changes_nothing(day: str) -> None:
    prices = history([[10, 20, 40]] * 3)
    gone = act(ActionKind.CASH_MERGER, day, amount_usd=40)
    weights = index(date(2025, 6, 26), [0.5, 0.3, 0.2])
    assert carried(weights, prices, 2, [gone]) == pytest.approx([0.5, 0.3, 0.2])
    inside = replace(gone, ex_date=date(2025, 6, 27))
    assert carried(weights, prices, 2, [inside]) == pytest.approx([0.625, 0.375, 0.0])


def test_weights_older_than_the_prices_are_refused() -> None:
    with pytest.raises(DataError, match="before the first price"):
        carried(index(date(2025, 6, 1), [0.5, 0.3, 0.2]), history([[1, 1, 1]] * 3), 2)


def test_an_index_without_a_priced_member_is_refused() -> None:
    prices = history([[10, 20, 40], [10, 20, 40], [np.nan, 20, 40]])
    with pytest.raises(DataError, match="no member"):
        carried(index(date(2025, 6, 27), [1.0], ids=(1,)), prices, 2)


def test_a_day_before_the_first_price_is_refused(market) -> None:
    prices = history([[1, 1, 1]] * 3)
    small = replace(
        market.model,
        security_ids=prices.security_ids,
        loadings=market.model.loadings[:3],
        specific_variance=market.model.specific_variance[:3],
    )
    exposed = replace(market.exposures, security_ids=prices.security_ids, values=market.exposures.values[:3])
    with pytest.raises(DataError, match="Import earlier prices"):
        take_snapshot(date(2025, 6, 1), market.securities[:3], prices, [], small, exposed, {})
    taken = take_snapshot(
        date(2025, 7, 4),
        market.securities[:3],
        prices,
        [index(date(2025, 6, 27), [0.5, 0.3, 0.2])],
        small,
        exposed,
        {},
    )
    assert taken.asof == date(2025, 6, 30)
    assert taken.group_ix[0] == taken.group_ix[1] != taken.group_ix[2]
    assert taken.row_of(np.array([3, 99, 1])).tolist() == [2, -1, 0]
    same = take_snapshot(
        date(2025, 7, 4),
        market.securities[:3],
        prices,
        [index(date(2025, 6, 27), [0.5, 0.31, 0.19])],
        small,
        exposed,
        {},
    )
    assert same.digest != taken.digest


def test_bonds_move_with_no_factor(market) -> None:
    """6 % a year of their own; the rest of the market's risk stays as it was estimated."""
    prices = history([[10, 20, 40], [10, 20, 40], [10, 20, 40]])
    bond = replace(market.securities[1], kind=SecurityKind.BOND)
    securities = (market.securities[0], bond, market.securities[2])
    model = replace(
        market.model,
        security_ids=np.array([1, 2, 3]),
        loadings=market.model.loadings[:3],
        specific_variance=market.model.specific_variance[:3],
    )
    exposures = replace(
        market.exposures, security_ids=np.array([1, 2, 3]), values=market.exposures.values[:3]
    )
    taken = take_snapshot(date(2025, 6, 30), securities, prices, [], model, exposures, {})
    assert taken.is_carried.tolist() == [False, True, False]
    assert taken.model.loadings[1].tolist() == [0.0, 0.0]
    assert taken.model.specific_variance[1] == pytest.approx(0.0036)
    assert np.array_equal(taken.model.loadings[[0, 2]], model.loadings[[0, 2]])
