"""Your own factor model: loadings B, factor covariance F and specific variances D."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from allotment.errors import DataError
from allotment.risk.covariance import triangular_root
from allotment.risk.model import FactorModel, fingerprint
from allotment.units import Floats, Ints

_SYMMETRY_TOLERANCE = 1e-8  # of the largest entry
_NEGATIVE_TOLERANCE = 1e-8  # of the largest eigenvalue: what a file with few decimals may lack


class ModelRefusedError(DataError):
    """B, F and D do not make a covariance."""


def from_arrays(
    *,
    asof: date,
    security_ids: Ints,
    factor_names: Sequence[str],
    loadings: Floats,
    factor_covariance: Floats,
    specific_variance: Floats,
) -> FactorModel:
    """A model of B (N, K), F (K, K) and D (N,), all annual; rows in the order of `security_ids`.

    The securities may come in any order and leave in ascending order. Raises ModelRefusedError
    when F is not symmetric and positive semidefinite, a D is not positive, a number is missing,
    or a security comes twice.
    """
    n, k = loadings.shape
    assert security_ids.shape == specific_variance.shape == (n,)
    assert factor_covariance.shape == (k, k)
    assert len(factor_names) == k
    _check_securities(security_ids, loadings, specific_variance)
    _check_covariance(factor_covariance)
    order = np.argsort(security_ids, kind="stable")
    ids = np.ascontiguousarray(security_ids[order], np.int64)
    scaled = np.ascontiguousarray(loadings[order] @ triangular_root(factor_covariance))
    specific = np.ascontiguousarray(specific_variance[order], np.float64)
    names = tuple(factor_names)
    return FactorModel(
        asof=asof,
        version=fingerprint(ids, names, scaled, specific),
        security_ids=ids,
        factor_names=names,
        loadings=scaled,
        specific_variance=specific,
    )


def _check_securities(security_ids: Ints, loadings: Floats, specific_variance: Floats) -> None:
    if np.unique(security_ids).shape[0] != security_ids.shape[0]:
        raise ModelRefusedError("a security comes twice in the model; keep one row of each.")
    if not np.isfinite(loadings).all():
        raise ModelRefusedError("a loading is missing or infinite; write 0 where a factor does not act.")
    positive = np.isfinite(specific_variance) & (specific_variance > 0)
    if not positive.all():
        raise ModelRefusedError(
            f"{int((~positive).sum())} specific variance(s) are not positive, the first is of security "
            f"{int(security_ids[~positive][0])}. Give annual variances above 0 (20 % volatility is 0.04)."
        )


def _check_covariance(covariance: Floats) -> None:
    if not np.isfinite(covariance).all():
        raise ModelRefusedError("a factor covariance is missing or infinite; give every pair of factors.")
    largest = float(np.abs(covariance).max(initial=0.0))
    if np.abs(covariance - covariance.T).max(initial=0.0) > _SYMMETRY_TOLERANCE * largest:
        raise ModelRefusedError(
            "the factor covariance is not symmetric; give the same number for (a, b) and (b, a)."
        )
    if covariance.shape[0] == 0:
        return
    eigenvalues = np.linalg.eigvalsh(covariance)
    if eigenvalues[0] < -_NEGATIVE_TOLERANCE * max(float(eigenvalues[-1]), 0.0) or eigenvalues[-1] < 0:
        raise ModelRefusedError(
            f"the factor covariance is not positive semidefinite: its smallest eigenvalue is "
            f"{eigenvalues[0]:.3g}. Give it with more decimals, or repair it before it is exported."
        )
