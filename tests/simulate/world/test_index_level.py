"""An index of two names, by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Security
from allotment.simulate.world.index_level import index_level


def test_weights_are_bought_at_each_file_and_held() -> None:
    """Half and half from day 2: +10 % and −10 % leave 1; then all in the second name, which
    stops trading after +20 % and stays where it was."""
    adjusted = np.array([[9.0, 9.0], [10.0, 20.0], [11.0, 18.0], [50.0, 21.6], [1.0, np.nan]])
    market = _market(adjusted, {1: [0.5, 0.5], 2: [0.0, 1.0]})
    level = index_level(market, "TWO")
    assert np.isnan(level[0])
    assert level[1:].tolist() == pytest.approx([1.0, 1.0, 1.2, 1.2])


def test_a_name_without_a_price_is_left_out() -> None:
    adjusted = np.array([[10.0, np.nan], [11.0, np.nan], [12.0, 5.0], [12.0, 5.0], [12.0, 5.0]])
    level = index_level(_market(adjusted, {0: [0.5, 0.5]}), "TWO")
    assert level.tolist() == pytest.approx([1.0, 1.1, 1.2, 1.2, 1.2])


def _market(adjusted: np.ndarray, files: dict[int, list[float]]) -> MarketHistory:
    days = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"], "M8[D]")
    prices = PriceHistory(
        sessions=days,
        security_ids=np.array([1, 2]),
        close_micros=np.nan_to_num(adjusted * 1e6).astype(np.int64),
        adjusted_usd=adjusted,
        volume=np.ones_like(adjusted),
    )
    weights = tuple(
        IndexWeights(
            index_code="TWO",
            session=date.fromisoformat(str(days[row])),
            kind=WeightKind.CLOSE,
            version=1,
            security_ids=np.array([1, 2]),
            weight=np.array(weight),
        )
        for row, weight in files.items()
    )
    return MarketHistory(
        securities=(Security(security_id=1, code="A", name="A"), Security(security_id=2, code="B", name="B")),
        identifiers=(),
        prices=prices,
        market_cap_usd=adjusted,
        actions=(),
        index_weights=weights,
        scores={},
    )
