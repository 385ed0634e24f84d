"""Symbols with their actions out of a folder, and the replay of all that is recorded."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from allotment.errors import DataError
from allotment.feeds.action_history import priced_symbols
from allotment.ledger.price_replay import replay
from allotment.market.corporate_action import ActionKind

DATA = Path(os.environ.get("ALLOTMENT_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))


def test_every_symbol_comes_with_its_own_actions(tmp_path: Path) -> None:
    days = [date(2024, 1, 2), date(2024, 1, 3)]
    pl.DataFrame(
        {
            "date": [*days, *days],
            "symbol": ["B", "B", "A", "A"],
            "close": [10.0, 9.0, 5.0, 5.5],
            "adj_close": [9.0, 9.0, 5.0, 5.5],
        }
    ).write_parquet(tmp_path / "prices_2024.parquet")
    pl.DataFrame(
        {
            "symbol": ["B"],
            "ex_date": [days[1]],
            "action": ["spin_off"],
            "ratio": [None],
            "amount": [None],
            "value_per_share": [1.0],
            "new_symbol": ["A"],
            "new_ratio": [0.2],
            "dataset": ["2024"],
        },
        schema_overrides={"ratio": pl.Float64, "amount": pl.Float64},
    ).write_parquet(tmp_path / "corporate_actions.parquet")
    (a, b) = priced_symbols(tmp_path)["2024"]
    assert ([a.code, b.code], a.actions) == (["A", "B"], ())
    (spun,) = b.actions
    assert (spun.kind, spun.other_security_id, spun.ratio) == (ActionKind.SPIN_OFF, a.security_id, 0.2)
    assert replay([a, b]).symbols.both < 1e-9


def test_a_folder_without_prices(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="price files"):
        priced_symbols(tmp_path)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("dataset", ["1999_2018", "2021_2023"])
def test_cash_and_value_follow_every_recorded_adjusted_close(dataset: str) -> None:
    """The file's own error is 1.2e-5 at most; `allotment bench actions` prints the figures."""
    if not (DATA / "corporate_actions.parquet").exists():
        pytest.skip(f"no market history in {DATA}; set ALLOTMENT_TEST_DATA")
    made = replay(priced_symbols(DATA)[dataset])
    assert made.n_problems == 0
    assert made.n_actions > 10_000
    assert made.n_actions > 100 * (
        sum(made.excluded.values()) - made.excluded["a delisting does nothing to lots"]
    )
    assert made.ex_days.rounding < 1e-9
    assert made.ex_days.both < 1.2e-5
    assert made.symbols.rounding < 1e-7
    assert made.symbols.both < 1.2e-5
