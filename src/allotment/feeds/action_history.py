"""Every symbol of a folder of market history with its actions, for the replay on lots.

Unlike `feeds.history` it keeps all symbols, members of an index or not, and each price file alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from allotment.errors import DataError
from allotment.feeds import history_facts as facts
from allotment.ledger.price_replay import PricedSymbol
from allotment.market.corporate_action import CorporateAction


def priced_symbols(folder: Path) -> dict[str, list[PricedSymbol]]:
    """The symbols of each price file with their actions, by the file's dataset, ascending by code.

    Raises DataError when the folder has no price files.
    """
    files = sorted(folder.glob("prices_*.parquet"))
    if not files:
        raise DataError(f"{folder} has no prices_*.parquet; give a folder with price files.")
    return {file.stem.removeprefix("prices_"): _of_file(folder, file) for file in files}


def _of_file(folder: Path, file: Path) -> list[PricedSymbol]:
    frame = (
        facts.read(file, ("date", "symbol", "close", "adj_close"))
        .filter(pl.col("close").is_finite() & (pl.col("close") > 0) & (pl.col("adj_close") > 0))
        .unique(["date", "symbol"], keep="last", maintain_order=True)
        .sort("symbol", "date")
    )
    symbols = frame["symbol"].unique().sort().to_list()
    ids = np.arange(1, len(symbols) + 1)
    dataset = file.stem.removeprefix("prices_")
    days = frame["date"].to_list()
    first, last = min(days), max(days)
    by_id: dict[int, list[CorporateAction]] = {}
    for action in facts.actions(folder, dataset, ids, symbols, first, last):
        by_id.setdefault(action.security_id, []).append(action)
    made = []
    for number, ((symbol,), part) in enumerate(frame.group_by(["symbol"], maintain_order=True), start=1):
        made.append(
            PricedSymbol(
                code=str(symbol),
                security_id=number,
                days=part["date"].to_numpy().astype("M8[D]").astype(np.int64),
                close_usd=part["close"].to_numpy().astype(np.float64),
                adjusted_usd=part["adj_close"].to_numpy().astype(np.float64),
                actions=tuple(by_id.get(number, ())),
            )
        )
    return made
