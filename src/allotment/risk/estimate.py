"""A factor model estimated from daily returns: market, sectors, statistical factors, and the rest.

The steps stand in `factors`, `covariance`, `specific` and `holdout`; docs/internals/risk-model.md
gives the formulas and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.errors import DataError
from allotment.risk.covariance import factor_covariance, triangular_root
from allotment.risk.factors import fit_factors
from allotment.risk.holdout import hedging_excess
from allotment.risk.model import FactorModel, fingerprint
from allotment.risk.specific import specific_variance
from allotment.risk.window import SESSIONS_PER_YEAR, ReturnWindow
from allotment.units import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimationPolicy:
    """How returns become a model; half-lives and priors in sessions."""

    k: int = 20  # factors in all: the market, the sectors, and statistical ones for the rest
    volatility_half_life: float = 42.0
    specific_half_life: float = 126.0  # of the slower half of a specific variance
    correlation_half_life: float = 504.0  # loadings and correlations move more slowly
    correlation_shrinkage: float = 0.1
    loading_prior_sessions: float = 60.0
    specific_prior_sessions: float = 120.0
    holdout_folds: int = 5  # below 2: no allowance for what an optimiser finds (see `holdout`)
    seed: int = 1  # of the baskets that the allowance is measured on


def estimate(window: ReturnWindow, policy: EstimationPolicy | None = None) -> FactorModel:
    """The risk of every security of the window, annualised, as known on `window.asof`.

    Fewer factors than `policy.k` come back when the returns do not carry as many. The same
    window gives the same bits on one machine. Raises DataError when no return is known at all.
    """
    policy = policy or EstimationPolicy()
    assert policy.k >= 1
    if not np.isfinite(window.returns).any():
        raise DataError(
            f"the window that ends on {window.asof} has no return of any security. "
            "Import prices of at least two sessions in a row."
        )
    size = window.size()
    names, loadings, specific = _fit(window, size, window.returns, policy)
    specific = specific * hedging_excess(
        window.returns,
        size,
        lambda returns: _fit(window, size, returns, policy)[1:],
        folds=policy.holdout_folds,
        rng=np.random.default_rng(policy.seed),
    )
    loadings = loadings * np.sqrt(SESSIONS_PER_YEAR)
    specific = specific * SESSIONS_PER_YEAR
    return FactorModel(
        asof=window.asof,
        version=fingerprint(window.security_ids, names, loadings, specific),
        security_ids=window.security_ids,
        factor_names=names,
        loadings=loadings,
        specific_variance=specific,
    )


def _fit(
    window: ReturnWindow, size: Floats, returns: Floats, policy: EstimationPolicy
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Factor names, daily scaled loadings and daily specific variances of some sessions' returns."""
    fit = fit_factors(
        returns,
        window.sector_ix,
        window.sector_names,
        size,
        k=policy.k,
        half_life=policy.correlation_half_life,
        prior_sessions=policy.loading_prior_sessions,
    )
    covariance = factor_covariance(
        fit.factor_returns,
        volatility_half_life=policy.volatility_half_life,
        correlation_half_life=policy.correlation_half_life,
        correlation_shrinkage=policy.correlation_shrinkage,
    )
    specific = specific_variance(
        fit,
        window.sector_ix,
        size,
        recent_half_life=policy.volatility_half_life,
        slow_half_life=policy.specific_half_life,
        prior_sessions=policy.specific_prior_sessions,
    )
    return fit.names, fit.loadings @ triangular_root(covariance), specific
