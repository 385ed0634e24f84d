from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.feeds import market_files
from allotment.feeds.checks import check_table
from allotment.feeds.export import Format, decimals, write_folder
from allotment.feeds.references import SecurityLookup
from allotment.feeds.schemas import SCHEMAS
from allotment.feeds.table import Table, read_table
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, IdentifierKind, Security
from allotment.units import format_scaled

ASOF = date(2024, 1, 5)


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), max_size=20), st.sampled_from([2, 6, 9]))
@settings(max_examples=100, deadline=None)
def test_decimals_are_exact(values: list[int], places: int) -> None:
    made = decimals(np.array(values, np.int64), places).to_list()
    if places == 2:
        assert [format_scaled(v, 100).rstrip("0").rstrip(".") for v in values] == made
    else:
        assert [format_scaled(v, 10**places) for v in values] == made


@pytest.fixture
def history() -> MarketHistory:
    """Two share classes over three sessions, one of them without a price on the second."""
    rng = np.random.default_rng(3)
    close = rng.integers(1, 10**9, (3, 2))
    close[1, 0] = 0
    adjusted = np.where(close > 0, rng.uniform(1, 9, (3, 2)), np.nan)
    return MarketHistory(
        securities=(
            Security(security_id=4, code="X,Y", name='The "X" Company', group_code="X", group_units=1500.0),
            Security(security_id=9, code="Z", name="Z", sector="Energy", group_code="X"),
        ),
        identifiers=(
            Identifier(security_id=9, kind=IdentifierKind.TICKER, value="ZED", start=date(2020, 1, 2)),
        ),
        prices=PriceHistory(
            sessions=np.array(["2024-01-03", "2024-01-04", "2024-01-05"], "M8[D]"),
            security_ids=np.array([4, 9]),
            close_micros=close,
            adjusted_usd=adjusted,
            volume=np.where(close > 0, rng.uniform(0, 1e9, (3, 2)), np.nan),
        ),
        market_cap_usd=np.array([[np.nan, 1e12], [np.nan, np.nan], [2.5e9, 1.1e12]]),
        actions=(
            CorporateAction(
                security_id=9,
                ex_date=date(2024, 1, 4),
                kind=ActionKind.SPIN_OFF,
                ratio=1 / 3,
                other_security_id=4,
                value_usd=0.1 + 0.2,
                pay_date=date(2024, 2, 1),
                price_usd=1 / 7,
                other_price_usd=0.9,
                lieu_usd=0.3,
                is_final=True,
                option="shares",
                is_default=True,
                deadline=date(2023, 12, 20),
            ),
        ),
        index_weights=(
            IndexWeights(
                index_code="I",
                session=date(2024, 1, 3),
                kind=WeightKind.CLOSE,
                version=1,
                security_ids=np.array([4, 9]),
                weight=np.array([1 / 3, 2 / 3]),
            ),
        ),
        scores={"tobacco": np.array([0.0, 1.0])},
    )


@pytest.mark.parametrize("file_format", Format)
def test_a_market_comes_back_bit_for_bit(tmp_path: Path, history: MarketHistory, file_format: Format) -> None:
    tables: dict[str, Table] = {}
    for path in write_folder(tmp_path / "made", history, file_format=file_format):
        tables[path.stem] = read_table(path, SCHEMAS[path.stem], ASOF)
        check_table(tables[path.stem], ASOF)
        tables[path.stem].check()
    known = {security.code: security.security_id for security in history.securities}
    lookup = SecurityLookup(history.securities)
    assert tuple(market_files.securities(tables["securities"], known)) == history.securities
    assert tuple(market_files.identifiers(tables["identifiers"], lookup)) == history.identifiers
    (block,) = market_files.price_blocks(tables["prices"], lookup)
    for name in ("sessions", "security_ids", "close_micros", "adjusted_usd", "volume"):
        np.testing.assert_array_equal(getattr(block.prices, name), getattr(history.prices, name))
    np.testing.assert_array_equal(block.market_cap_usd, np.where(
        history.prices.close_micros > 0, history.market_cap_usd, np.nan
    ))  # fmt: skip
    assert tuple(market_files.corporate_actions(tables["corporate_actions"], lookup)) == history.actions
    (weights,) = market_files.index_weights(tables["index_weights"], lookup)
    np.testing.assert_array_equal(weights.weight, history.index_weights[0].weight)
    (scores,) = market_files.scores(tables["scores"], lookup)
    np.testing.assert_array_equal(scores.values, history.scores["tobacco"])
