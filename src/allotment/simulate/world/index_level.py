"""The level of an index, rebuilt from its weight files and the names' total returns."""

from __future__ import annotations

import numpy as np

from allotment.market.history import MarketHistory
from allotment.units import Floats


def index_level(market: MarketHistory, index_code: str) -> Floats:
    """Total-return level by session, shape (T,); 1 at the first file, NaN before it.

    The weights of each file are bought at its close and held until the next one; a name that
    stops trading in between stays at its last value, one without a price on the file's day is
    left out.
    """
    prices = market.prices
    level = np.full(prices.sessions.shape[0], np.nan)
    files = [w for w in market.index_weights if w.index_code == index_code]
    rows = np.searchsorted(prices.sessions, np.array([w.session for w in files], "M8[D]"))
    ends = np.append(rows[1:], prices.sessions.shape[0] - 1)
    reached = 1.0
    for weights, start, end in zip(files, rows, ends, strict=True):
        columns = np.searchsorted(prices.security_ids, weights.security_ids)
        held = prices.adjusted_usd[start : end + 1, columns]
        priced = ~np.isnan(held[0])
        growth = _carried_forward(held[:, priced]) / held[0, priced]
        path = growth @ weights.weight[priced]
        level[start : end + 1] = reached * path / path[0]
        reached = float(level[end])
    return level


def _carried_forward(values: Floats) -> Floats:
    """Each missing value replaced by the last one above it, shape (T, N)."""
    rows = np.where(np.isnan(values), 0, np.arange(values.shape[0])[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    carried: Floats = np.take_along_axis(values, rows, axis=0)
    return carried
