"""Specific variances: own, typical, floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotment.risk.factors import FactorFit
from allotment.risk.specific import specific_variance
from allotment.units import Floats

N, SESSIONS = 90, 800
SECTOR = np.arange(N) % 3
SIZE = np.exp(np.linspace(20.0, 26.0, N))
TRUE = np.array([0.01, 0.02, 0.03])[SECTOR] * np.exp(-0.1 * (np.log(SIZE) - 23.0))  # daily deviation


@pytest.fixture(scope="module")
def fit() -> FactorFit:
    residuals = np.random.default_rng(6).normal(size=(SESSIONS, N)) * TRUE
    return FactorFit(
        names=(),
        factor_returns=np.zeros((SESSIONS, 0)),
        loadings=np.zeros((N, 0)),
        residuals=residuals,
        shapes_factors=np.ones(N, np.bool_),
        parameters=np.zeros(N),
    )


def variance(fit: FactorFit, prior: float = 120.0) -> Floats:
    return specific_variance(
        fit, SECTOR, SIZE, recent_half_life=400.0, slow_half_life=1e6, prior_sessions=prior
    )


def test_without_a_prior_it_is_the_mean_square(fit) -> None:
    slow = specific_variance(fit, SECTOR, SIZE, recent_half_life=1e9, slow_half_life=1e9, prior_sessions=0.0)
    np.testing.assert_allclose(slow, (fit.residuals**2).mean(axis=0), rtol=1e-4)


def test_the_truth_is_recovered(fit) -> None:
    np.testing.assert_allclose(np.sqrt(variance(fit)), TRUE, rtol=0.12)


def test_without_history_sector_and_size_decide(fit) -> None:
    residuals = fit.residuals.copy()
    residuals[:, 4] = np.nan
    shapes = fit.shapes_factors.copy()
    shapes[4] = False
    found = np.sqrt(variance(replace(fit, residuals=residuals, shapes_factors=shapes))[4])
    assert found == pytest.approx(TRUE[4], rel=0.15)


def test_fitted_parameters_are_paid_for(fit) -> None:
    """n / (n − p) when p parameters were fitted to n sessions."""
    fitted = replace(fit, parameters=np.full(N, 80.0))
    np.testing.assert_allclose(variance(fitted, 0.0) / variance(fit, 0.0), 800 / 720, rtol=0.01)


def test_nothing_falls_below_the_floor(fit) -> None:
    residuals = fit.residuals.copy()
    residuals[:, 0] = 0.0
    found = variance(replace(fit, residuals=residuals), 0.0)
    assert found[0] == pytest.approx(0.05 * np.median(found), rel=0.05)
