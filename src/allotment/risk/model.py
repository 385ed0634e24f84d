"""A factor model of risk: covariance = B F Bᵀ + diag(D), stored with F folded into B."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from allotment.units import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorModel:
    """Annual risk of N securities on K factors.

    `loadings` are scaled so that the factor covariance is the identity (B F^½), hence
    covariance = loadings @ loadings.T + diag(specific_variance).
    """

    asof: date
    version: str  # hash of inputs and arguments
    security_ids: Ints  # (N,) ascending
    factor_names: tuple[str, ...]  # K
    loadings: Floats  # (N, K)
    specific_variance: Floats  # (N,)

    def __post_init__(self) -> None:
        n, k = self.loadings.shape
        assert self.security_ids.shape == self.specific_variance.shape == (n,)
        assert len(self.factor_names) == k
