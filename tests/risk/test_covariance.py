"""The covariance of factors and its root."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.risk.covariance import factor_covariance, triangular_root


@given(k=st.integers(1, 8), rank=st.integers(0, 8), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_root_gives_the_covariance_back_also_when_singular(k: int, rank: int, seed: int) -> None:
    part = np.random.default_rng(seed).normal(size=(k, min(rank, k)))
    covariance = part @ part.T
    root = triangular_root(covariance)
    np.testing.assert_allclose(root @ root.T, covariance, atol=1e-8)
    assert np.array_equal(root, np.tril(root))


def test_a_regular_root_is_choleskys() -> None:
    part = np.random.default_rng(1).normal(size=(6, 9))
    np.testing.assert_allclose(triangular_root(part @ part.T), np.linalg.cholesky(part @ part.T), rtol=1e-9)


def test_long_half_lives_and_no_shrinkage_are_the_plain_second_moment() -> None:
    returns = np.random.default_rng(2).normal(0.0, 0.01, (300, 4))
    found = factor_covariance(
        returns, volatility_half_life=1e9, correlation_half_life=1e9, correlation_shrinkage=0.0
    )
    np.testing.assert_allclose(found, returns.T @ returns / 300, rtol=1e-5)


def test_more_factors_than_sessions_stay_positive() -> None:
    returns = np.random.default_rng(3).normal(0.0, 0.01, (5, 12))
    found = factor_covariance(
        returns, volatility_half_life=42, correlation_half_life=504, correlation_shrinkage=0.1
    )
    assert np.linalg.eigvalsh(found)[0] > 0


def test_recent_volatility_counts_more() -> None:
    """Ten times calmer for the last three half-lives: seven eighths of the way down, in variance."""
    rng = np.random.default_rng(4)
    returns = rng.normal(0.0, 0.02, (600, 1))
    returns[-126:] /= 10.0
    found = factor_covariance(
        returns, volatility_half_life=42, correlation_half_life=504, correlation_shrinkage=0.1
    )
    assert abs(found[0, 0] / 0.02**2 - 1 / 8) < 0.05
