"""The covariance of factors, and a root of it."""

from __future__ import annotations

import numpy as np

from allotment.risk.factors import decay
from allotment.units import Floats

_PIVOT_TOLERANCE = 1e-12  # of the largest variance: below it a factor repeats earlier ones


def factor_covariance(
    factor_returns: Floats,
    *,
    volatility_half_life: float,
    correlation_half_life: float,
    correlation_shrinkage: float,
) -> Floats:
    """Daily covariance (K, K) of factor returns (T, K): recent volatilities, slower correlations.

    Correlations are pulled towards zero by `correlation_shrinkage`, which also keeps the matrix
    positive semidefinite when there are more factors than sessions.
    """
    n_sessions, n_factors = factor_returns.shape
    slow = decay(n_sessions, correlation_half_life)
    covariance = (factor_returns * slow[:, None]).T @ factor_returns
    deviation = np.sqrt(np.diag(covariance))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    correlation = (1.0 - correlation_shrinkage) * (scale[:, None] * covariance * scale)
    correlation[np.diag_indices(n_factors)] = 1.0
    recent = decay(n_sessions, volatility_half_life)
    volatility = np.sqrt(recent @ (factor_returns * factor_returns))
    return np.asarray(volatility[:, None] * correlation * volatility)


def triangular_root(covariance: Floats) -> Floats:
    """Lower triangular R with R Rᵀ = covariance, for a positive semidefinite (K, K) matrix.

    A triangular root keeps the factors' names true: scaled factor j is what factor j adds to
    the factors before it. A factor that adds nothing gets a column of zeros.
    """
    n_factors = covariance.shape[0]
    root = np.zeros_like(covariance, dtype=np.float64)
    smallest = _PIVOT_TOLERANCE * max(float(np.diag(covariance).max(initial=0.0)), 0.0)
    for j in range(n_factors):
        rest = covariance[j:, j] - root[j:, :j] @ root[j, :j]
        if rest[0] > smallest:
            root[j:, j] = rest / np.sqrt(rest[0])
    return root
