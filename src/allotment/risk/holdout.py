"""How much more an optimised portfolio varies than its own model says.

An optimiser prefers the portfolios whose risk the model understates: loadings have errors, and
residuals of similar firms move together a little. The excess is measured inside the window and
added to the specific variances, because a portfolio that hedges all factors has little else.

For each fold, a stretch of sessions is left out and the model is fitted to the rest. Random
baskets of the market are forbidden; the rest of the market is held (a) in its market weights,
(b) hedged with the smallest predicted variance. Both are looked at on the stretch left out.
Realised over predicted variance of (b) over that of (a) is the excess; the level of volatility,
which changes from stretch to stretch for both, cancels. A model of all sessions errs less than
one of the folds, in proportion to their lengths, and is charged that much less.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from allotment.units import Bools, Floats

_FOLD_SESSIONS_MIN = 20
_NAMES_MIN = 20
_BASKETS = 48
_FORBIDDEN_SHARE = (0.5, 0.8)
_SCALE_MAX = 1.6
_COVERAGE_MIN = 0.8

Fit = Callable[[Floats], tuple[Floats, Floats]]  # returns (T, N) -> scaled loadings, specific variance


def hedging_excess(returns: Floats, size: Floats, fit: Fit, *, folds: int, rng: np.random.Generator) -> float:
    """The factor, 1 to 1.6, by which specific variances should grow; 1 when there is too little to tell.

    returns: (T, N), NaN where missing; size: (N,) positive. `fit` is called once a fold.
    """
    n_sessions = returns.shape[0]
    used = np.isfinite(returns).mean(axis=0) >= _COVERAGE_MIN if n_sessions else np.zeros(0, np.bool_)
    if folds < 2 or n_sessions < folds * _FOLD_SESSIONS_MIN or used.sum() < _NAMES_MIN:
        return 1.0
    # Largest first, so that the draw does not depend on the order of the securities.
    names = np.flatnonzero(used)[np.argsort(-size[used], kind="stable")]
    market = size[names] / size[names].sum()
    logs = []
    edges = np.linspace(0, n_sessions, folds + 1).astype(np.int64)
    for start, end in pairwise(edges):
        loadings, specific = fit(np.delete(returns, np.s_[start:end], axis=0))
        later = np.nan_to_num(returns[start:end, names])
        hedged, plain = _baskets(loadings[names], specific[names], market, rng)
        logs.append(
            _median_log_ratio(loadings[names], specific[names], hedged, later)
            - _median_log_ratio(loadings[names], specific[names], plain, later)
        )
    excess = (1.0 - 1.0 / folds) * float(np.mean(logs))
    return float(np.clip(np.exp(excess), 1.0, _SCALE_MAX))


def _baskets(
    loadings: Floats, specific: Floats, market: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Active weights (baskets, N) without the forbidden names: hedged, and in market weights."""
    hedged, plain = [], []
    for _ in range(_BASKETS):
        share = rng.uniform(*_FORBIDDEN_SHARE)
        forbidden: Bools = np.less(rng.random(market.shape[0]), share)
        if forbidden.all() or not forbidden.any():
            continue
        hedged.append(_hedge(loadings, specific, market, forbidden))
        kept = np.where(forbidden, 0.0, market)
        plain.append(kept / kept.sum() - market)
    return np.array(hedged), np.array(plain)


def _hedge(loadings: Floats, specific: Floats, market: Floats, forbidden: Bools) -> Floats:
    """Active weights of least variance that sum to zero and hold none of the forbidden.

    With a the free weights, y the exposure of the forbidden and d their specific variances:
    min |y + Bᵀa|² + Σ d a² is a = −D⁻¹B (I + Bᵀ D⁻¹ B)⁻¹ y; being fully invested is one more
    factor of very great variance.
    """
    # Size the extra factor by the others, so that the answer does not depend on the scale of returns.
    invested = 1e3 * np.sqrt((loadings * loadings).sum(axis=1).mean() + specific.mean())
    wide = np.column_stack([loadings, np.full(market.shape[0], invested)])
    active = np.where(forbidden, -market, 0.0)
    free = ~forbidden
    gain = wide[free] / specific[free, None]
    exposure = wide[forbidden].T @ active[forbidden]
    active[free] = -gain @ np.linalg.solve(np.eye(wide.shape[1]) + wide[free].T @ gain, exposure)
    return active


def _median_log_ratio(loadings: Floats, specific: Floats, active: Floats, later: Floats) -> float:
    predicted = ((active @ loadings) ** 2).sum(axis=1) + (active * active) @ specific
    realised = ((later @ active.T) ** 2).mean(axis=0)
    tiny = np.finfo(np.float64).tiny
    return float(np.median(np.log(np.maximum(realised, tiny) / np.maximum(predicted, tiny))))
