"""Tracking error and its parts against the covariance written out."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.risk.model import FactorModel
from allotment.risk.tracking import active_variance, security_contributions, split, tracking_error


def model_of(n: int, k: int, rng: np.random.Generator) -> FactorModel:
    return FactorModel(
        asof=date(2024, 1, 31),
        version="",
        security_ids=np.arange(n, dtype=np.int64),
        factor_names=tuple(f"f{i}" for i in range(k)),
        loadings=rng.normal(0.0, 0.2, (n, k)),
        specific_variance=rng.uniform(0.01, 0.2, n),
    )


@given(n=st.integers(1, 12), k=st.integers(0, 5), accounts=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_every_split_sums_to_the_whole(n: int, k: int, accounts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = model_of(n, k, rng)
    active = rng.normal(0.0, 0.1, (accounts, n))
    whole = model.loadings @ model.loadings.T + np.diag(model.specific_variance)
    truth = np.array([row @ whole @ row for row in active])
    parts = split(model, active)
    np.testing.assert_allclose(active_variance(model, active), truth, rtol=1e-12)
    np.testing.assert_allclose(tracking_error(model, active) ** 2, truth, rtol=1e-12)
    np.testing.assert_allclose(parts.factor.sum(axis=1) + parts.specific, truth, rtol=1e-12)
    np.testing.assert_allclose(parts.total, truth, rtol=1e-12)
    contributions = security_contributions(model, active)
    np.testing.assert_allclose(contributions.sum(axis=1), truth, rtol=1e-9, atol=1e-15)


def test_two_names_by_hand() -> None:
    """±1 % of two names that share a market of 20 %, own risks 30 % and 40 %: the market cancels."""
    model = FactorModel(
        asof=date(2024, 1, 31),
        version="",
        security_ids=np.array([1, 2]),
        factor_names=("market",),
        loadings=np.array([[0.2], [0.2]]),
        specific_variance=np.array([0.09, 0.16]),
    )
    parts = split(model, np.array([[0.01, -0.01]]))
    # To the rounding of one product: processors that multiply and add in one step keep what it cuts off.
    np.testing.assert_allclose(parts.factor, [[0.0]], atol=(0.01 * 0.2 * np.finfo(np.float64).eps) ** 2)
    np.testing.assert_allclose(np.sqrt(parts.total), 0.005)
