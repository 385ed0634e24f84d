"""A factor model of risk: covariance = B F Bᵀ + diag(D), stored with F folded into B."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.units import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorModel:
    """Annual risk of N securities on K factors.

    `loadings` are scaled so that the factor covariance is the identity (B F^½), hence
    covariance = loadings @ loadings.T + diag(specific_variance).
    """

    asof: date
    version: str  # `fingerprint` of the arrays: decisions name the model by it
    security_ids: Ints  # (N,) ascending
    factor_names: tuple[str, ...]  # K
    loadings: Floats  # (N, K)
    specific_variance: Floats  # (N,)

    def __post_init__(self) -> None:
        n, k = self.loadings.shape
        assert self.security_ids.shape == self.specific_variance.shape == (n,)
        assert len(self.factor_names) == k


def fingerprint(
    security_ids: Ints, factor_names: tuple[str, ...], loadings: Floats, specific_variance: Floats
) -> str:
    """A hash of what a model says, 16 hex digits: equal models, equal decisions.

    Of the numbers and not of their inputs, because linear algebra may differ in the last bit
    from one machine to another, and a decision rests on the bits that were used.
    """
    digest = hashlib.sha256("\x1f".join(factor_names).encode())
    digest.update(np.ascontiguousarray(security_ids, "<i8").tobytes())
    digest.update(np.ascontiguousarray(loadings, "<f8").tobytes())
    digest.update(np.ascontiguousarray(specific_variance, "<f8").tobytes())
    return digest.hexdigest()[:16]
