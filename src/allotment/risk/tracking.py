"""Tracking error, and where it comes from. All functions take one account or many at once."""

from __future__ import annotations

from dataclasses import dataclass

from allotment.risk.model import FactorModel
from allotment.units import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSplit:
    """Annual active variance of A accounts, by source: factor.sum(axis=1) + specific = total."""

    factor_names: tuple[str, ...]  # K
    factor: Floats  # (A, K)
    specific: Floats  # (A,)
    total: Floats  # (A,)


def active_variance(model: FactorModel, active: Floats) -> Floats:
    """Annual variance |Bᵀa|² + Σ dᵢ aᵢ² of active weights, shape (A, N) → (A,)."""
    raise NotImplementedError


def tracking_error(model: FactorModel, active: Floats) -> Floats:
    """Annual standard deviation of active weights, shape (A, N) → (A,)."""
    raise NotImplementedError


def split(model: FactorModel, active: Floats) -> RiskSplit:
    """Active variance of each account by factor and specific part; `active` is (A, N)."""
    raise NotImplementedError


def security_contributions(model: FactorModel, active: Floats) -> Floats:
    """Each security's part aᵢ (V a)ᵢ of the active variance, shape (A, N); rows sum to the total."""
    raise NotImplementedError
