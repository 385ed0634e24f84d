"""Specific variances: a security's own, blended with what securities like it have.

The own estimate is the mean of a recent and a slow exponentially weighted variance of the
residuals, corrected for the parameters that were fitted. What is typical for its size and sector
is a regression of its logarithm over all securities that have a history. A security with n
(weighted) sessions keeps n / (n + prior) of its own; nothing falls below a floor.
"""

from __future__ import annotations

import numpy as np

from allotment.risk.factors import FactorFit, decay, effective_sessions
from allotment.units import Bools, Floats, Ints

_SECTOR_RIDGE = 5.0  # a sector's own level counts as if this many average names stood beside its members
_RATIO_MAX = 10.0  # of a security's own variance over what is typical for it
_FLOOR_SHARE = 0.05  # of the median specific variance


def specific_variance(
    fit: FactorFit,
    sector_ix: Ints,
    size: Floats,
    *,
    recent_half_life: float,
    slow_half_life: float,
    prior_sessions: float,
) -> Floats:
    """Daily specific variance of each security, shape (N,), positive."""
    known = np.isfinite(fit.residuals)
    squares = np.where(known, fit.residuals, 0.0) ** 2
    n_sessions = squares.shape[0]
    recent = decay(n_sessions, recent_half_life)
    slow = decay(n_sessions, slow_half_life)
    sessions = effective_sessions(slow, known)
    own = 0.5 * (_mean(recent, known, squares) + _mean(slow, known, squares))
    own *= np.where(sessions > 2 * fit.parameters, sessions / np.maximum(sessions - fit.parameters, 1.0), 2.0)
    typical = _typical(own, sector_ix, np.log(size), fit.shapes_factors)
    keep = sessions / (sessions + prior_sessions)
    blended = keep * own + (1.0 - keep) * typical
    floor = _FLOOR_SHARE * float(np.median(blended[fit.shapes_factors])) if fit.shapes_factors.any() else 0.0
    return np.maximum(blended, max(floor, float(np.finfo(np.float64).tiny)))


def _mean(weight: Floats, known: Bools, squares: Floats) -> Floats:
    total = weight @ known
    return np.asarray(np.divide(weight @ squares, total, out=np.zeros_like(total), where=total > 0))


def _typical(own: Floats, sector_ix: Ints, log_size: Floats, shapes: Bools) -> Floats:
    """What size and sector say: a ridge regression of log variance, made right on average."""
    used = shapes & (own > 0)
    if not used.any():
        return np.full_like(own, own.max(initial=0.0))
    sectors = np.arange(int(sector_ix.max(initial=-1)) + 1)
    belongs = (sector_ix[:, None] == sectors).astype(np.float64)
    design = np.column_stack([np.ones_like(own), log_size - log_size[used].mean(), belongs])
    ridge = np.diag([0.0, 1.0] + [_SECTOR_RIDGE] * sectors.shape[0])
    rows = design[used]
    coefficients = np.linalg.solve(rows.T @ rows + ridge, rows.T @ np.log(own[used]))
    shape = np.exp(design @ coefficients)
    # The mean of logarithms understates the mean; one wild name must not raise everybody's level.
    ratio = np.minimum(own[used] / shape[used], _RATIO_MAX)
    return np.asarray(shape * ratio.mean())
