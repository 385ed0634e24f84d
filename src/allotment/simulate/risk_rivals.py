"""Two plain risk models to measure ours against: principal components alone, sectors alone."""

from __future__ import annotations

import numpy as np

from allotment.risk.covariance import triangular_root
from allotment.risk.factors import decay
from allotment.risk.model import FactorModel, fingerprint
from allotment.risk.window import SESSIONS_PER_YEAR, ReturnWindow
from allotment.units import Floats

_HALF_LIFE = 252.0
_FLOOR_SHARE = 0.05  # of the median variance


def components_only(window: ReturnWindow, *, k: int = 20) -> FactorModel:
    """The first `k` principal components of the correlations; the rest is specific."""
    weight, filled, variance = _moments(window)
    deviation = np.sqrt(variance)
    scaled = np.sqrt(weight)[:, None] * filled / deviation
    _, vectors = np.linalg.eigh(scaled @ scaled.T)
    loadings = scaled.T @ vectors[:, -k:]
    rest = np.maximum(1.0 - (loadings * loadings).sum(axis=1), _FLOOR_SHARE)
    names = tuple(f"component {i + 1}" for i in range(loadings.shape[1]))
    return _annual(window, names, loadings * deviation[:, None], rest * variance)


def sectors_only(window: ReturnWindow) -> FactorModel:
    """The market and the sectors' excess over it, every member loading one; the rest is specific."""
    weight, filled, variance = _moments(window)
    known = np.isfinite(window.returns)
    size = np.sqrt(window.size())
    sectors = [s for s in range(len(window.sector_names)) if (window.sector_ix == s).any()]
    belongs = np.column_stack([window.sector_ix == s for s in sectors]).astype(np.float64)
    market = (filled @ size) / np.maximum(known @ size, np.finfo(np.float64).tiny)
    inside = belongs * size[:, None]
    excess = (filled @ inside) / np.maximum(known @ inside, np.finfo(np.float64).tiny) - market[:, None]
    factors = np.column_stack([market, excess])
    loadings = np.column_stack([np.ones(filled.shape[1]), belongs])
    covariance = (factors * weight[:, None]).T @ factors
    left = np.where(known, filled - factors @ loadings.T, 0.0)
    total = np.maximum(weight @ known, np.finfo(np.float64).tiny)
    specific = np.maximum((weight @ (left * left)) / total, _FLOOR_SHARE * np.median(variance))
    names = ("market", *(f"sector {window.sector_names[s]}" for s in sectors))
    return _annual(window, names, loadings @ triangular_root(covariance), specific)


def _moments(window: ReturnWindow) -> tuple[Floats, Floats, Floats]:
    """Session weights (T,), returns with 0 for missing (T, N), variances above a floor (N,)."""
    weight = decay(window.returns.shape[0], _HALF_LIFE)
    known = np.isfinite(window.returns)
    filled = np.where(known, window.returns, 0.0)
    variance = (weight @ (filled * filled)) / np.maximum(weight @ known, np.finfo(np.float64).tiny)
    return weight, filled, np.maximum(variance, _FLOOR_SHARE * np.median(variance))


def _annual(window: ReturnWindow, names: tuple[str, ...], loadings: Floats, specific: Floats) -> FactorModel:
    loadings, specific = loadings * np.sqrt(SESSIONS_PER_YEAR), specific * SESSIONS_PER_YEAR
    return FactorModel(
        asof=window.asof,
        version=fingerprint(window.security_ids, names, loadings, specific),
        security_ids=window.security_ids,
        factor_names=names,
        loadings=loadings,
        specific_variance=specific,
    )
