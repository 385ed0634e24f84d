"""Named exposures: beta, size, momentum, volatility, dividend yield, and imported scores.

They are for tilts, bounds and explanations: what a security stands for in words. The factors of
the risk model are estimated separately and need no names.

=============== =====================================================================
beta            slope of its daily returns on the market's, last 252 sessions
size            logarithm of the last known market value
momentum        total return from 252 to 21 sessions ago
volatility      annual standard deviation of its daily returns, last 252 sessions
dividend_yield  ordinary cash dividends with an ex-date in the last 365 days, in terms
                of today's shares, over the last close
=============== =====================================================================

The market's return is the mean over securities, weighted by market value. A security needs
returns on at least 60 of the 252 sessions for beta and volatility, and prices at both ends for
momentum; otherwise its exposure is unknown and set to 0, the market's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.market.corporate_action import ActionKind
from allotment.market.history import MarketHistory
from allotment.risk.window import SESSIONS_PER_YEAR, WindowEmptyError, last_known
from allotment.units import MICROS_PER_USD, Floats, Ints, as_day

NAMES = ("beta", "size", "momentum", "volatility", "dividend_yield")
_MOMENTUM_SKIPPED = 21
_SESSIONS_MIN = 60
_STANDARD_MAX = 3.0
_ALIKE = 1e-9  # of the largest distance: rounding, not a difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """What each security stands for, in comparable units: mean 0 over the market (weighted by
    size), standard deviation 1 over the securities, cut at ±3; 0 where unknown."""

    names: tuple[str, ...]  # E
    security_ids: Ints  # (N,) ascending
    values: Floats  # (N, E)

    def __post_init__(self) -> None:
        assert self.values.shape == (self.security_ids.shape[0], len(self.names))

    def column(self, name: str) -> Floats:
        """The exposures of one name, shape (N,). Raises KeyError for an unknown name."""
        if name not in self.names:
            raise KeyError(f"no exposure {name!r}; known are {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]


def exposures(history: MarketHistory, asof: date, *, scores: Mapping[str, Floats] | None = None) -> Exposures:
    """The five named exposures as known on `asof`, then `scores` (name -> (N,)) in their order.

    Only prices, dividends and sizes up to `asof` are used. A score is standardised like the
    rest, NaN means unknown. Raises WindowEmptyError when `asof` lies before the second session.
    """
    prices = history.prices
    end = int(np.searchsorted(prices.sessions, as_day(asof), side="right"))
    if end < 2:
        raise WindowEmptyError(asof, prices.sessions[0].item() if prices.sessions.shape[0] else None)
    market_value = last_known(history.market_cap_usd[:end])
    adjusted = prices.adjusted_usd[max(end - SESSIONS_PER_YEAR - 1, 0) : end]
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = adjusted[1:] / adjusted[:-1] - 1.0
        size = np.log(np.where(market_value > 0, market_value, np.nan))
    raw = {
        "beta": beta(returns, market_value),
        "size": size,
        "momentum": momentum(adjusted),
        "volatility": volatility(returns),
        "dividend_yield": dividend_yield(history, asof, end),
        **(scores or {}),
    }
    return Exposures(
        names=tuple(raw),
        security_ids=prices.security_ids,
        values=np.column_stack([standardise(column, market_value) for column in raw.values()]),
    )


def beta(returns: Floats, market_value_usd: Floats) -> Floats:
    """Slope of each column of `returns` (T, N) on the market's return; NaN when too few are known."""
    known = np.isfinite(returns)
    weight = known * np.where(market_value_usd > 0, market_value_usd, 0.0)
    if not weight.any():  # sizes unknown: all alike
        weight = known.astype(np.float64)
    total = weight.sum(axis=1)
    filled = np.where(known, returns, 0.0)
    market = np.divide((filled * weight).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    n = np.maximum(known.sum(axis=0), 1)
    market_mean = market @ known / n
    covariance = market @ filled / n - market_mean * filled.sum(axis=0) / n
    variance = (market * market) @ known / n - market_mean**2
    enough = (known.sum(axis=0) >= _SESSIONS_MIN) & (variance > 0)
    slope: Floats = np.divide(covariance, variance, out=np.full(n.shape, np.nan), where=enough)
    return slope


def momentum(adjusted_usd: Floats) -> Floats:
    """Total return from the first row of (T+1, N) adjusted closes to the 21st before the last."""
    if adjusted_usd.shape[0] <= SESSIONS_PER_YEAR:
        return np.full(adjusted_usd.shape[1], np.nan)
    return np.asarray(adjusted_usd[-1 - _MOMENTUM_SKIPPED] / adjusted_usd[-1 - SESSIONS_PER_YEAR] - 1.0)


def volatility(returns: Floats) -> Floats:
    """Annual standard deviation of each column of `returns` (T, N); NaN when too few are known."""
    known = np.isfinite(returns)
    n = known.sum(axis=0)
    enough = n >= _SESSIONS_MIN
    deviation = np.where(known, returns - np.where(known, returns, 0.0).sum(axis=0) / np.maximum(n, 1), 0.0)
    annual = np.sqrt((deviation**2).sum(axis=0) / np.maximum(n - 1, 1) * SESSIONS_PER_YEAR)
    return np.where(enough, annual, np.nan)


def dividend_yield(history: MarketHistory, asof: date, end: int) -> Floats:
    """Ordinary cash dividends of the year to `asof` over the last close before row `end`, shape (N,).

    A dividend of before a split is counted per share of after it.
    """
    ids = history.prices.security_ids
    close = last_known(
        np.where(history.prices.close_micros[:end] > 0, history.prices.close_micros[:end], np.nan)
    )
    paid = np.zeros(ids.shape[0])
    first = asof - timedelta(days=365)
    for action in history.actions:  # ascending by ex-date: a split divides what was paid before it
        if not first < action.ex_date <= asof:
            continue
        at = int(np.searchsorted(ids, action.security_id))
        if at == ids.shape[0] or ids[at] != action.security_id:
            continue
        if action.kind is ActionKind.SPLIT:
            paid[at] /= action.ratio
        elif action.kind is ActionKind.CASH_DIVIDEND:
            paid[at] += action.amount_usd
    return np.asarray(paid / (close / MICROS_PER_USD))


def standardise(raw: Floats, market_value_usd: Floats) -> Floats:
    """`raw` (N,) in comparable units: see `Exposures`. A column without spread becomes 0."""
    known = np.isfinite(raw)
    if not known.any():
        return np.zeros_like(raw)
    # Cut wild values first (5 robust deviations), so that they do not set the scale of all others.
    middle = np.median(raw[known])
    distance = np.abs(raw[known] - middle)
    robust = 1.4826 * float(np.median(distance))
    # More than half alike, as with flags: nothing is wild, the others are what it is about.
    alike = robust <= _ALIKE * float(distance.max())
    cut = raw if alike else np.clip(raw, middle - 5 * robust, middle + 5 * robust)
    weight = np.where(known & (market_value_usd > 0), market_value_usd, 0.0)
    if not weight.any():
        weight = known.astype(np.float64)
    mean = float(np.average(cut[known], weights=weight[known]))
    spread = float(cut[known].std())
    if spread <= _ALIKE * max(float(np.abs(cut[known]).max()), np.finfo(np.float64).tiny):
        return np.zeros_like(raw)
    return np.where(known, np.clip((cut - mean) / spread, -_STANDARD_MAX, _STANDARD_MAX), 0.0)
