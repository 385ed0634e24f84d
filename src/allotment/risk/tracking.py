"""Tracking error, and where it comes from: many accounts at once, one row each.

Active weights are portfolio minus index, over the model's securities in its order; a security
of neither has 0. With a one account's row, B the scaled loadings and d the specific variances,
the annual variance is |Bᵀa|² + Σ dᵢ aᵢ².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.risk.model import FactorModel
from allotment.units import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSplit:
    """Annual active variance of A accounts, by source: factor.sum(axis=1) + specific = total.

    A model's factors are scaled one after another, so the part of a factor is what it adds to
    those before it: the first sector stands for what that sector does beyond the market.
    """

    factor_names: tuple[str, ...]  # K
    factor: Floats  # (A, K)
    specific: Floats  # (A,)
    total: Floats  # (A,)


def active_variance(model: FactorModel, active: Floats) -> Floats:
    """Annual variance of active weights, (A, N) → (A,)."""
    _check(model, active)
    exposure = active @ model.loadings
    return np.asarray((exposure * exposure).sum(axis=1) + (active * active) @ model.specific_variance)


def tracking_error(model: FactorModel, active: Floats) -> Floats:
    """Annual standard deviation of active weights, as a fraction, (A, N) → (A,)."""
    return np.sqrt(active_variance(model, active))


def split(model: FactorModel, active: Floats) -> RiskSplit:
    """Active variance of each account by factor, and its specific part; `active` is (A, N)."""
    _check(model, active)
    factor = (active @ model.loadings) ** 2
    specific = (active * active) @ model.specific_variance
    return RiskSplit(
        factor_names=model.factor_names,
        factor=factor,
        specific=specific,
        total=factor.sum(axis=1) + specific,
    )


def security_contributions(model: FactorModel, active: Floats) -> Floats:
    """Each security's part aᵢ (V a)ᵢ of the active variance, (A, N); rows sum to the total.

    Negative where a position offsets the risk of others.
    """
    _check(model, active)
    marginal = (active @ model.loadings) @ model.loadings.T + active * model.specific_variance
    return np.asarray(active * marginal)


def _check(model: FactorModel, active: Floats) -> None:
    assert active.ndim == 2
    assert active.shape[1] == model.security_ids.shape[0]
