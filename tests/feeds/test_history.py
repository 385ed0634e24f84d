from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from allotment.errors import DataError
from allotment.feeds.history import read_history
from allotment.market.corporate_action import ActionKind
from allotment.market.history import MarketHistory

D = date
DAYS = [D(2020, 1, 30), D(2020, 1, 31), D(2020, 2, 3), D(2020, 2, 4), D(2020, 2, 5)]
_ACTIONS = {
    "symbol": pl.String,
    "ex_date": pl.Date,
    "action": pl.String,
    "ratio": pl.Float64,
    "amount": pl.Float64,
    "value_per_share": pl.Float64,
    "old_symbol": pl.String,
    "new_symbol": pl.String,
    "new_ratio": pl.Float64,
    "note": pl.String,
    "dataset": pl.String,
}


class Folder:
    """Writes a small folder of market history; every test changes what it is about."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.prices("2020_2020", {"A": [10, 11, 12, 13, 14], "B": [20, 20, 20, 20, 20]})
        self.weights({D(2020, 1, 31): {"A": 0.25, "B": 0.75}}, "2020_2020")
        self.actions([])
        self.write("share_classes", issuer=["X"], symbol_a=["A.A"], symbol_b=["A"], note=["1 A = 1,500 B"])
        self.securities(["A", "B"])

    def write(self, name: str, /, **columns: Any) -> None:
        pl.DataFrame(columns).write_parquet(self.path / f"{name}.parquet")

    def prices(
        self, label: str, closes: dict[str, list[Any]], days: list[date] = DAYS, **more: dict[str, list[Any]]
    ) -> None:
        rows = [(day, symbol, at) for symbol in closes for at, day in enumerate(days)]
        frame = pl.DataFrame(
            {
                "date": [day for day, _, _ in rows],
                "symbol": [symbol for _, symbol, _ in rows],
                "close": [closes[symbol][at] for _, symbol, at in rows],
                "adj_close": [more.get("adj_close", closes)[symbol][at] for _, symbol, at in rows],
                "volume": [more.get("volume", {}).get(symbol, [1] * 9)[at] for _, symbol, at in rows],
                "ticker": [more.get("ticker", {}).get(symbol, [symbol] * 9)[at] for _, symbol, at in rows],
                "market_cap_musd": [
                    more.get("market_cap_musd", {}).get(symbol, [None] * 9)[at] for _, symbol, at in rows
                ],
            },
            schema_overrides={"close": pl.Float64, "adj_close": pl.Float64, "market_cap_musd": pl.Float64},
            strict=False,
        )
        frame.filter(pl.col("close").is_not_null()).write_parquet(self.path / f"prices_{label}.parquet")

    def weights(self, sets: dict[date, dict[str, float]], label: str, *, add: bool = False) -> None:
        rows = [(day, symbol, weight, label) for day, by in sets.items() for symbol, weight in by.items()]
        frame = pl.DataFrame(rows, ["date", "symbol", "weight", "dataset"], orient="row").with_columns(
            cap_musd=pl.col("weight") * 1000
        )
        file = self.path / "weights.parquet"
        (pl.concat([pl.read_parquet(file), frame]) if add else frame).write_parquet(file)

    def actions(self, rows: list[dict[str, Any]]) -> None:
        pl.DataFrame([{"dataset": "2020_2020"} | row for row in rows], _ACTIONS).write_parquet(
            self.path / "corporate_actions.parquet"
        )

    def securities(self, symbols: list[str], **more: list[Any]) -> None:
        columns = {
            "symbol": symbols,
            "name": [f"{s} Inc" for s in symbols],
            "sector": ["Energy"] * len(symbols),
            "gics_sub_industry": [None] * len(symbols),
            "nasdaq_industry": ["Oil"] * len(symbols),
            "cik": [1] * len(symbols),
            "flag_tobacco": [s == "B" for s in symbols],
        }
        self.write("securities", **(columns | more))

    def read(self, first: date | None = None, last: date | None = None) -> MarketHistory:
        return read_history(self.path, first, last)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_prices_weights_and_flags(folder: Folder) -> None:
    found = folder.read()
    assert [s.code for s in found.securities] == ["A", "B"]
    assert found.prices.sessions.tolist() == DAYS
    assert found.prices.close_micros[:, 0].tolist() == [
        10_000_000,
        11_000_000,
        12_000_000,
        13_000_000,
        14_000_000,
    ]
    (weights,) = found.index_weights
    assert (weights.index_code, weights.session, weights.weight.tolist()) == (
        "SP500",
        D(2020, 1, 31),
        [0.25, 0.75],
    )
    assert found.scores["tobacco"].tolist() == [0.0, 1.0]
    assert (found.securities[0].industry, found.securities[0].sector) == ("Oil", "Energy")


def test_a_window_opens_with_weights_moved_by_prices(folder: Folder) -> None:
    found = folder.read(D(2020, 2, 4))
    assert found.prices.sessions.tolist() == DAYS[3:]
    (weights,) = found.index_weights
    grown = np.array([0.25 * 13 / 11, 0.75])
    assert weights.session == D(2020, 2, 4)
    np.testing.assert_allclose(weights.weight, grown / grown.sum())


def test_rows_without_a_price_are_missing_prices(folder: Folder) -> None:
    folder.prices(
        "2020_2020", {"A": [10, None, 0, float("nan"), -1], "B": [20] * 5}, volume={"B": [None] * 5}
    )
    found = folder.read()
    assert (found.prices.close_micros[:, 0] > 0).tolist() == [True, False, False, False, False]
    assert np.isnan(found.prices.adjusted_usd[1:, 0]).all()
    assert np.isnan(found.prices.volume[:, 1]).all()


@pytest.mark.parametrize("name", ["weights", "corporate_actions", "securities", "share_classes"])
def test_a_missing_file_is_named(folder: Folder, name: str) -> None:
    (folder.path / f"{name}.parquet").unlink()
    with pytest.raises(DataError, match=f"{name}.parquet is missing"):
        folder.read()


def test_missing_columns_and_unreadable_files_are_named(folder: Folder) -> None:
    folder.write("weights", date=[D(2020, 1, 31)], symbol=["A"])
    with pytest.raises(DataError, match=r"weights\.parquet has no column weight"):
        folder.read()
    (folder.path / "weights.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match=r"weights.parquet is not a readable Parquet file"):
        folder.read()


def test_windows_without_prices_or_weights(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prices from 2021-01-01"):
        folder.read(D(2021, 1, 1))
    folder.weights({D(2020, 6, 30): {"A": 1.0}}, "2020_2020")
    with pytest.raises(DataError, match="no index weights"):
        folder.read()
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no prices_"):
        read_history(empty)


def test_files_that_name_companies_differently_are_never_mixed(folder: Folder) -> None:
    later = [day.replace(year=2022) for day in DAYS]
    folder.prices("2022_2022", {"A": [1, 2, 3, 4, 5]}, later)
    folder.weights({D(2022, 1, 31): {"A": 1.0}}, "2022_2022", add=True)
    assert folder.read().prices.sessions.tolist() == later
    assert folder.read(None, D(2020, 2, 3)).prices.sessions.tolist() == DAYS[:3]
    assert folder.read(D(2020, 1, 31)).prices.sessions.tolist() == DAYS[1:]
    assert [s.code for s in folder.read(D(2021, 1, 1)).securities] == ["A"]
    with pytest.raises(DataError, match="do not belong together"):
        folder.read(D(2020, 1, 31), D(2022, 2, 1))


def test_adjoining_files_of_one_dataset_are_joined_by_returns(folder: Folder) -> None:
    """Each file anchors its adjusted closes at its own end; a split and a dividend lie on the seam."""
    folder.prices(
        "2020_a", {"A": [10, 11], "B": [20, 20]}, DAYS[:2], adj_close={"A": [1, 1.1], "B": [20, 20]}
    )
    folder.prices(
        "2020_b",
        {"A": [6, 7, 7], "B": [18, 20, 20]},
        DAYS[2:],
        adj_close={"A": [60, 70, 70], "B": [9, 10, 10]},
    )
    (folder.path / "prices_2020_2020.parquet").unlink()
    seam = {"ex_date": DAYS[2]}
    folder.actions(
        [
            {"symbol": "A", "action": "split", "ratio": 2.0} | seam,
            {"symbol": "B", "action": "cash_dividend", "amount": 1.0} | seam,
        ]
    )
    returns = folder.read().prices.returns()
    np.testing.assert_allclose(returns[:, 0], [0.1, 12 / 11 - 1, 7 / 6 - 1, 0])
    np.testing.assert_allclose(returns[:, 1], [0, 19 / 20 - 1, 20 / 18 - 1, 0])


def test_actions_are_per_share_held_before_them(folder: Folder) -> None:
    folder.securities(["A", "B", "C"])
    folder.prices("2020_2020", {s: [10] * 5 for s in "ABC"})
    rows = [
        {"symbol": "A", "action": "split", "ratio": 2.0},
        {"symbol": "A", "action": "cash_dividend", "amount": 0.5},
        {"symbol": "A", "action": "spin_off", "value_per_share": 3.0, "new_symbol": "C", "new_ratio": 0.25},
        {"symbol": "B", "action": "merger_exchange", "ratio": 1.25},
        {"symbol": "B", "action": "spin_off", "value_per_share": 1.0, "new_symbol": "ZZZ"},
        {"symbol": "B", "action": "delisting", "amount": 9.0, "note": "acquired"},
        {"symbol": "B", "action": "stock_distribution_new_class", "new_symbol": "B", "new_ratio": 1.0},
    ]
    folder.actions([row | {"ex_date": DAYS[2]} for row in rows])
    found = folder.read()
    assert [s.code for s in found.securities] == ["A", "B", "C"]  # the child comes with its parent
    by_kind = {(a.security_id, a.kind, a.note): a for a in found.actions}
    assert by_kind[1, ActionKind.CASH_DIVIDEND, ""].amount_usd == 1.0
    spin = by_kind[1, ActionKind.SPIN_OFF, ""]
    assert (spin.ratio, spin.value_usd, spin.other_security_id) == (0.5, 6.0, 3)
    assert by_kind[2, ActionKind.SPLIT, "merger exchange"].ratio == 1.25
    assert by_kind[2, ActionKind.SPLIT, "stock distribution new class"].ratio == 2.0
    unknown_child = by_kind[2, ActionKind.SPIN_OFF, ""]
    assert (unknown_child.ratio, unknown_child.other_security_id) == (1.25, None)
    assert by_kind[2, ActionKind.DELISTING, "acquired"].amount_usd == 9.0


def test_an_unknown_action_is_an_error(folder: Folder) -> None:
    folder.actions([{"symbol": "A", "ex_date": DAYS[2], "action": "tender"}])
    with pytest.raises(DataError, match=r"unknown action.*tender"):
        folder.read()


def test_share_classes_and_their_units(folder: Folder) -> None:
    folder.securities(["A", "A.A", "B"])
    folder.prices("2020_2020", {"A": [10] * 5, "A.A": [15_000] * 5, "B": [20] * 5})
    found = {s.code: (s.group_code, s.group_units) for s in folder.read().securities}
    assert found == {"A": ("A", 1.0), "A.A": ("A", 1500.0), "B": ("", 1.0)}


def test_the_tail_that_a_rename_leaves_is_dropped(folder: Folder) -> None:
    """B trades under the ticker OLD; a symbol OLD with one row of that day is the same line twice."""
    folder.securities(["A", "B", "OLD"])
    folder.prices(
        "2020_2020",
        {"A": [10] * 5, "B": [20] * 5, "OLD": [None, 20, None, None, None]},
        ticker={"B": ["OLD", "OLD", "OLD", "B", "B"]},
    )
    folder.weights({D(2020, 1, 31): {"A": 0.2, "B": 0.7, "OLD": 0.1}}, "2020_2020")
    found = folder.read()
    assert [s.code for s in found.securities] == ["A", "B"]
    tickers = [(i.value, i.start, i.end) for i in found.identifiers if i.security_id == 2]
    assert tickers == [("OLD", DAYS[0], DAYS[2]), ("B", DAYS[3], None)]


def test_caps_are_stated_or_carried_by_prices(folder: Folder) -> None:
    folder.prices(
        "2020_2020",
        {"A": [10, 11, 12, 13, 14], "B": [20, 20, 40, 40, 20]},
        market_cap_musd={"A": [100, None, 120, None, 140]},
    )
    caps = folder.read().market_cap_usd / 1e6
    np.testing.assert_allclose(caps[:, 0], [100, 110, 120, 130, 140])
    np.testing.assert_allclose(caps[:, 1], [750, 750, 1500, 1500, 750])  # from the weights of day two


def test_sectors_are_those_of_the_day(folder: Folder) -> None:
    folder.write(
        "gics_history",
        symbol=["A", "A", "A", "B"],
        as_of=[D(2019, 1, 1), D(2020, 1, 1), D(2021, 1, 1), D(2021, 1, 1)],
        gics_sector=["Utilities", "Regional Banks", "Financials", "Telecommunications Services"],
    )
    assert [s.sector for s in folder.read().securities] == ["Utilities", "Telecommunication Services"]


def test_securities_that_are_not_described(folder: Folder) -> None:
    folder.securities(["A"])
    with pytest.raises(DataError, match="does not describe B"):
        folder.read()


# ── the real thing ──────────────────────────────────────────────────────────────────────────


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("first", "last"), [(None, None), (D(2013, 3, 14), D(2018, 6, 15))], ids=["2021-2023", "2013-2018"]
)
def test_actions_explain_every_adjusted_return(
    real_data: Path, first: date | None, last: date | None
) -> None:
    """close x ratio + cash + value over the last close is the adjusted return, to 2e-5."""
    found = read_history(real_data, first, last)
    prices = found.prices
    close = np.where(prices.close_micros > 0, prices.close_micros / 1e6, np.nan)
    ratio, paid = np.ones_like(close), np.zeros_like(close)
    for action in found.actions:
        t = int(np.searchsorted(prices.sessions, np.datetime64(action.ex_date)))
        n = int(np.searchsorted(prices.security_ids, action.security_id))
        if action.kind is ActionKind.SPLIT:
            ratio[t, n] *= action.ratio
        elif action.kind is not ActionKind.DELISTING:
            paid[t, n] += action.amount_usd + action.value_usd
    explained = (close[1:] * ratio[1:] + paid[1:]) / close[:-1] - 1.0
    difference = np.abs(explained - prices.returns())
    assert np.isfinite(difference).mean() > 0.85
    assert np.nanmax(difference) < 2e-5


@pytest.mark.real_data
def test_real_history_is_whole(real_data: Path) -> None:
    found = read_history(real_data)
    members = [weights.security_ids.size for weights in found.index_weights]
    assert min(members) > 480
    assert all(abs(weights.weight.sum() - 1) < 1e-12 for weights in found.index_weights)
    assert found.index_weights[0].session == found.prices.sessions[0]
    codes = {s.code: s for s in found.securities}
    assert codes["BRK.A"].group_code == codes["BRK.B"].group_code != ""
    assert codes["BRK.A"].group_units == 1500 * codes["BRK.B"].group_units
    meta = [(i.value, i.end) for i in found.identifiers if i.security_id == codes["META"].security_id]
    assert meta == [("FB", D(2022, 6, 8)), ("META", None)]
    by_ticker: dict[str, list[tuple[date, date]]] = {}
    for i in found.identifiers:
        by_ticker.setdefault(i.value, []).append((i.start, i.end or D.max))
    for spans in by_ticker.values():
        spans.sort()
        assert all(a[1] < b[0] for a, b in pairwise(spans))


@pytest.mark.real_data
def test_ids_do_not_depend_on_the_window(real_data: Path) -> None:
    whole = {s.code: s.security_id for s in read_history(real_data).securities}
    part = read_history(real_data, D(2022, 5, 10), D(2022, 5, 10) + timedelta(days=90))
    assert all(whole[s.code] == s.security_id for s in part.securities)
    assert part.index_weights[0].session == D(2022, 5, 10)
