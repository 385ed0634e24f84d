"""What an estimate may know: the returns of one window that ends on the day it is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.errors import DataError
from allotment.market.history import MarketHistory
from allotment.units import Floats, Ints, as_day

SESSIONS_PER_YEAR = 252


class WindowEmptyError(DataError):
    """There are no returns on or before the day asked for."""

    def __init__(self, asof: date, first: date | None) -> None:
        self.asof, self.first = asof, first
        known = f"the first price is of {first}" if first else "there are no prices at all"
        super().__init__(
            f"no returns on or before {asof}; {known}. "
            "Import earlier prices, or ask for a day at least two sessions later."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnWindow:
    """Daily total returns of N securities over T sessions, the last one on or before `asof`.

    A security without sector has -1 in `sector_ix`; one without a known size has NaN.
    """

    asof: date
    security_ids: Ints  # (N,) ascending
    returns: Floats  # (T, N), NaN where a price is missing
    sector_ix: Ints  # (N,) position in `sector_names`, -1 when unknown
    sector_names: tuple[str, ...]
    market_cap_usd: Floats  # (N,), NaN when unknown

    def __post_init__(self) -> None:
        n = self.security_ids.shape[0]
        assert self.returns.ndim == 2
        assert self.returns.shape[1] == n
        assert self.sector_ix.shape == self.market_cap_usd.shape == (n,)
        assert n == 0 or int(self.sector_ix.max()) < len(self.sector_names)

    def size(self) -> Floats:
        """Market values, shape (N,), all positive: the median where unknown, 1 when all are."""
        known = np.isfinite(self.market_cap_usd) & (self.market_cap_usd > 0)
        middle = float(np.median(self.market_cap_usd[known])) if known.any() else 1.0
        return np.where(known, self.market_cap_usd, middle)


def window(
    history: MarketHistory, asof: date, *, sessions: int = 750, security_ids: Ints | None = None
) -> ReturnWindow:
    """The last `sessions` returns on or before `asof`; nothing later is looked at.

    `security_ids` picks securities (ascending); None takes all of the history, also those
    without a price in the window, which an estimate then places among their peers.
    Raises WindowEmptyError when not even one return is known by `asof`.
    """
    prices = history.prices
    end = int(np.searchsorted(prices.sessions, as_day(asof), side="right"))
    if end < 2:
        raise WindowEmptyError(asof, prices.sessions[0].item() if prices.sessions.shape[0] else None)
    chosen = _positions(prices.security_ids, security_ids)
    adjusted = prices.adjusted_usd[max(end - sessions - 1, 0) : end, chosen]
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = adjusted[1:] / adjusted[:-1] - 1.0
    sectors = [history.securities[i].sector for i in chosen]
    names = tuple(sorted({sector for sector in sectors if sector}))
    place = {name: i for i, name in enumerate(names)}
    return ReturnWindow(
        asof=asof,
        security_ids=prices.security_ids[chosen],
        returns=returns,
        sector_ix=np.array([place.get(sector, -1) for sector in sectors], np.int64),
        sector_names=names,
        market_cap_usd=last_known(history.market_cap_usd[max(end - sessions - 1, 0) : end, chosen]),
    )


def _positions(known: Ints, wanted: Ints | None) -> Ints:
    if wanted is None:
        return np.arange(known.shape[0], dtype=np.int64)
    chosen = np.searchsorted(known, wanted).astype(np.int64)
    inside = chosen < known.shape[0]
    missing = wanted[~inside | (known[np.minimum(chosen, known.shape[0] - 1)] != wanted)]
    if missing.shape[0]:
        raise DataError(
            f"{missing.shape[0]} securities have no place in the price history, the first is "
            f"{int(missing[0])}. Import them, or leave them out."
        )
    return chosen


def last_known(values: Floats) -> Floats:
    """Last number of each column of a (T, N) matrix that is not NaN."""
    known = np.isfinite(values)
    last = values.shape[0] - 1 - np.argmax(known[::-1], axis=0)
    found: Floats = np.where(known.any(axis=0), values[last, np.arange(values.shape[1])], np.nan)
    return found
