"""Daily total returns of the sample market, before prices are rounded to cents.

    log return of name i on day t = beta_i·m_t + sector + industry + Σ styles + specific

m is the index; its path is drawn once, with a crash of the depth and length asked for, and the
names are made to average to it exactly (`world.exchange`). Specific returns have Student tails,
volatility that wanders with the market's, and a jump each quarter (earnings).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.units import Floats, Ints

_YEAR = 252.0
_INDEX_VOLATILITY = 0.15
_SECTOR_VOLATILITY = 0.09
_INDUSTRY_VOLATILITY = 0.07
_STYLE_VOLATILITY = 0.035
_N_STYLES = 4
_SPECIFIC_VOLATILITY = 0.20  # the median company
_RECOVERED = 0.75  # of the crash, in logarithms, within the recovery
_RECOVERY_SESSIONS = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """T sessions, N names. The first row of each is zero."""

    index_log: Floats  # (T,) total return of the index, to be hit exactly
    names_log: Floats  # (T, N) up to one shift a day, common to all names


def draw_index(
    n_sessions: int, peak: int, crash_sessions: int, depth: float, annual: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Log total return of the index by session, and its volatility relative to a calm day.

    The level at `peak` is the highest so far, the level `crash_sessions` later is `depth`
    below it and the lowest after it; no other fall is as deep. Shapes (n_sessions,).
    """
    trough = peak + crash_sessions
    assert peak >= 2
    assert trough + 10 < n_sessions
    calm = np.exp(_wander(n_sessions, 0.97, 0.08, rng))
    since = np.arange(n_sessions) - peak
    calm[since > 0] *= 1.0 + 2.5 * 0.5 ** (np.maximum(since - crash_sessions, 0)[since > 0] / 40.0)
    noise = _INDEX_VOLATILITY / np.sqrt(_YEAR) * calm * _student(5.0, n_sessions, rng)
    log = np.zeros(n_sessions)
    years_before = peak / _YEAR
    fall = float(np.log1p(-depth))
    opening = noise[1 : peak + 1]
    log[1 : peak + 1] = _bridge(opening, annual * years_before)
    while _deepest_after(log[: peak + 1], 0) < 0.6 * fall:
        opening = 0.9 * opening
        log[1 : peak + 1] = _bridge(opening, annual * years_before)
    _end_on_top(log[1 : peak + 1])
    log[peak + 1 : trough + 1] = _between(noise[peak + 1 : trough + 1], fall)
    healed = min(n_sessions - 1, trough + min(_RECOVERY_SESSIONS, (n_sessions - trough) // 2))
    log[trough + 1 : healed + 1] = _between(noise[trough + 1 : healed + 1], -_RECOVERED * fall)
    rest = slice(healed + 1, n_sessions)
    years_after = (n_sessions - 1 - healed) / _YEAR
    quiet = noise[rest]
    log[rest] = _bridge(quiet, (annual + 0.02) * years_after)
    while np.any(np.abs(quiet) > 1e-9) and _deepest_after(log, healed) < 0.85 * fall:
        quiet = 0.9 * quiet
        log[rest] = _bridge(quiet, (annual + 0.02) * years_after)
    return log, calm


def draw_names(
    index_log: Floats, calm: Floats, sector_ix: Ints, industry_ix: Ints, rng: np.random.Generator
) -> Returns:
    """Returns of N names around an index. sector_ix, industry_ix: shape (N,)."""
    n_sessions, n_names = index_log.shape[0], sector_ix.shape[0]
    daily = 1.0 / float(np.sqrt(_YEAR))
    stress: Floats = np.sqrt(np.expand_dims(calm, 1))
    beta: Floats = 1.0 + 0.25 * rng.standard_normal((n_names,))
    log = index_log[:, None] * beta[None, :]
    for membership, volatility in ((sector_ix, _SECTOR_VOLATILITY), (industry_ix, _INDUSTRY_VOLATILITY)):
        factor = stress * volatility * daily * _student(6.0, (n_sessions, int(membership.max()) + 1), rng)
        log += factor[:, membership]
    styles = stress * _STYLE_VOLATILITY * daily * _student(6.0, (n_sessions, _N_STYLES), rng)
    log += styles @ rng.standard_normal((_N_STYLES, n_names))
    own = _SPECIFIC_VOLATILITY * np.exp(0.35 * rng.standard_normal(n_names) + 0.25 * (beta - 1.0))
    log += own * daily * stress * _student(4.0, (n_sessions, n_names), rng)
    log += _earnings(n_sessions, own, rng)
    log -= 0.5 * (own**2 + _SECTOR_VOLATILITY**2) / _YEAR  # so that no name drifts up for being wild
    log[0] = 0.0
    return Returns(index_log=index_log, names_log=log)


def _earnings(n_sessions: int, own: Floats, rng: np.random.Generator) -> Floats:
    """One jump in each 63 sessions and name, on a day of the name's own."""
    jumps = np.zeros((n_sessions, own.shape[0]))
    day: Ints = rng.integers(0, 63, own.shape)
    for start in range(0, n_sessions, 63):
        when = start + day
        reported = np.flatnonzero(when < n_sessions)
        size = 0.22 * own * _student(4.0, own.shape[0], rng)
        jumps[when[reported], reported] = size[reported]
    return jumps


def _student(freedom: float, shape: int | tuple[int, int], rng: np.random.Generator) -> Floats:
    """Student noise of variance one; cut at eight deviations, since prices must stay positive."""
    draws = rng.standard_t(freedom, shape) * np.sqrt((freedom - 2.0) / freedom)
    noise: Floats = np.clip(draws, -8.0, 8.0)
    return noise


def _wander(n: int, memory: float, step: float, rng: np.random.Generator) -> Floats:
    """A first-order autoregression around zero, started at zero."""
    path = np.zeros(n)
    for t, shock in enumerate(step * rng.standard_normal(n - 1), start=1):
        path[t] = memory * path[t - 1] + shock
    return path


def _bridge(noise: Floats, total: float) -> Floats:
    """The noise, shifted evenly so that it sums to `total`."""
    if not noise.size:
        return noise
    return noise + (total - float(noise.sum())) / noise.size


def _between(noise: Floats, total: float) -> Floats:
    """A bridge whose level stays strictly between its two ends, with the noise it allows."""
    low, high = min(0.0, total), max(0.0, total)
    while True:
        path = _bridge(noise, total)
        inside = np.cumsum(path)[:-1]
        if not inside.size or (inside.min() > low and inside.max() < high):
            return path
        noise = 0.85 * noise


def _end_on_top(log: Floats) -> None:
    """Lift the last sessions until the final level is the highest, the start included."""
    level = np.cumsum(log)
    missing = max(float(level[:-1].max(initial=0.0)), 0.0) + 0.002 - float(level[-1])
    tail = min(15, log.size)
    if missing > 0.0:
        log[-tail:] += missing / tail
        # The lift may have raised a level just before the end above the end itself.
        while np.cumsum(log)[:-1].max(initial=0.0) >= np.cumsum(log)[-1]:
            log[-tail:] += 0.0005


def _deepest_after(log: Floats, start: int) -> float:
    """The deepest fall below an earlier height at any session after `start` (negative)."""
    level = np.cumsum(log)
    falls = (level - np.maximum.accumulate(level))[start + 1 :]
    return float(falls.min(initial=0.0))
