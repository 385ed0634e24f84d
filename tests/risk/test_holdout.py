"""The allowance for what an optimiser finds, where its size is known."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.risk.holdout import hedging_excess
from allotment.units import Floats

N, SESSIONS = 120, 600


@pytest.fixture(scope="module")
def returns() -> Floats:
    """One factor of 1 % a day, specific risk of 2 %."""
    rng = np.random.default_rng(8)
    return rng.normal(size=(SESSIONS, 1)) * 0.01 + rng.normal(size=(SESSIONS, N)) * 0.02


def truth(returns: Floats) -> tuple[Floats, Floats]:
    return np.full((N, 1), 0.01), np.full(N, 0.02**2)


def excess(returns: Floats, fit, folds: int = 5) -> float:
    return hedging_excess(returns, np.ones(N), fit, folds=folds, rng=np.random.default_rng(1))


def test_a_true_model_needs_next_to_none(returns) -> None:
    assert excess(returns, truth) < 1.06


def test_a_model_that_fits_noise_needs_much(returns) -> None:
    """Thirty components of the sample where there is one factor."""

    def overfitted(sample: Floats) -> tuple[Floats, Floats]:
        values, vectors = np.linalg.eigh(sample.T @ sample / sample.shape[0])
        loadings = vectors[:, -30:] * np.sqrt(values[-30:])
        return loadings, np.maximum((sample**2).mean(axis=0) - (loadings**2).sum(axis=1), 1e-6)

    assert excess(returns, overfitted) > 1.2


def test_the_level_of_volatility_cancels(returns) -> None:
    """A model that is wrong by the same factor everywhere is not the optimiser's doing."""

    def twice(sample: Floats) -> tuple[Floats, Floats]:
        loadings, specific = truth(sample)
        return loadings * 2.0, specific * 4.0

    assert excess(returns, twice) == pytest.approx(excess(returns, truth), rel=1e-9)


@pytest.mark.parametrize(("rows", "columns", "folds"), [(0, N, 5), (99, N, 5), (600, 19, 5), (600, N, 1)])
def test_too_little_to_tell_is_one(returns, rows: int, columns: int, folds: int) -> None:
    found = hedging_excess(
        returns[:rows, :columns],
        np.ones(columns),
        lambda _: pytest.fail("nothing should be fitted"),
        folds=folds,
        rng=np.random.default_rng(1),
    )
    assert found == 1.0
