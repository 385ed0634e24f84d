"""Your own factor model: loadings B, factor covariance F and specific variances D."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from allotment.risk.model import FactorModel
from allotment.units import Floats, Ints


def from_arrays(
    *,
    asof: date,
    security_ids: Ints,
    factor_names: Sequence[str],
    loadings: Floats,
    factor_covariance: Floats,
    specific_variance: Floats,
) -> FactorModel:
    """A model of B (N, K), F (K, K) and D (N,), all annual.

    Raises DataError when F is not symmetric and positive semidefinite, or a D is not positive.
    """
    raise NotImplementedError
