"""The market of one day, read from the database, with its risk model."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from allotment.errors import DataError
from allotment.market.history import MarketHistory
from allotment.rebalance.snapshot import MarketSnapshot, take_snapshot
from allotment.risk.estimate import EstimationPolicy, estimate
from allotment.risk.exposures import exposures
from allotment.risk.window import window
from allotment.store import market_tables, model_tables
from allotment.store.session import FirmStore

_HISTORY_DAYS = 3 * 366  # calendar days of prices that the risk model looks at


def latest_session(firm: FirmStore, asof: date | None) -> date:
    """The last session with prices on or before `asof` (default: of all). Raises DataError if none."""
    past = [day for day in market_tables.sessions(firm) if asof is None or day <= asof]
    if not past:
        until = f" on or before {asof}" if asof else ""
        raise DataError(f"the market has no prices{until}. Import prices first: `allotment import --help`.")
    return past[-1]


def read_snapshot(firm: FirmStore, asof: date, policy: EstimationPolicy | None = None) -> MarketSnapshot:
    """Prices, benchmarks, exposures and risk of `asof`; the model is estimated and kept if it is new."""
    snapshot = look_at(firm, asof, policy)
    model_tables.save_model(firm, snapshot.model)
    return snapshot


def look_at(firm: FirmStore, asof: date, policy: EstimationPolicy | None = None) -> MarketSnapshot:
    """The same, keeping nothing."""
    history = market_tables.load_history(firm, asof - timedelta(days=_HISTORY_DAYS), asof)
    return snapshot_of(history, asof, policy)


def snapshot_of(history: MarketHistory, asof: date, policy: EstimationPolicy | None = None) -> MarketSnapshot:
    """The same from a market in memory."""
    model = estimate(window(history, asof), policy or EstimationPolicy())
    latest = {weights.index_code: weights for weights in history.index_weights if weights.session <= asof}
    flags = {name: values == 1.0 for name, values in history.scores.items() if _is_flag(values)}
    return take_snapshot(
        asof,
        history.securities,
        history.prices,
        list(latest.values()),
        model,
        exposures(history, asof, scores=history.scores),
        flags,
        history.actions,
    )


def _is_flag(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    known = values[np.isfinite(values)]
    return bool(np.isin(known, (0.0, 1.0)).all())
