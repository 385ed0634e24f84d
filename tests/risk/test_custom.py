"""A model of one's own: B F Bᵀ + D comes out as it went in, and what is no covariance is refused."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from allotment.risk.custom import ModelRefusedError, from_arrays
from allotment.risk.model import FactorModel

B = np.array([[1.0, 0.5], [0.8, -0.2], [1.2, 0.0]])
F = np.array([[0.04, 0.006], [0.006, 0.01]])
D = np.array([0.09, 0.16, 0.04])
IDS = np.array([30, 10, 20])


def build(**changes) -> FactorModel:
    given = {"loadings": B, "factor_covariance": F, "specific_variance": D, "security_ids": IDS}
    return from_arrays(asof=date(2024, 1, 31), factor_names=("market", "value"), **{**given, **changes})


def test_the_covariance_is_the_one_given_in_ascending_order() -> None:
    model = build()
    truth = B @ F @ B.T + np.diag(D)
    order = np.argsort(IDS)
    assert model.security_ids.tolist() == [10, 20, 30]
    found = model.loadings @ model.loadings.T + np.diag(model.specific_variance)
    np.testing.assert_allclose(found, truth[np.ix_(order, order)], rtol=1e-12)


def test_the_order_of_rows_does_not_change_the_version() -> None:
    order = np.array([2, 0, 1])
    shuffled = build(security_ids=IDS[order], loadings=B[order], specific_variance=D[order])
    assert shuffled.version == build().version
    assert build(specific_variance=D * 1.0000001).version != build().version


def test_a_singular_factor_covariance_is_welcome() -> None:
    singular = np.array([[0.04, 0.02], [0.02, 0.01]])
    model = build(factor_covariance=singular)
    found = model.loadings @ model.loadings.T
    truth = (B @ singular @ B.T)[np.ix_(np.argsort(IDS), np.argsort(IDS))]
    np.testing.assert_allclose(found, truth, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"factor_covariance": np.array([[0.04, 0.006], [0.007, 0.01]])}, "not symmetric"),
        ({"factor_covariance": np.array([[0.04, 0.03], [0.03, 0.01]])}, "positive semidefinite"),
        ({"factor_covariance": np.array([[np.nan, 0.0], [0.0, 0.01]])}, "missing or infinite"),
        ({"specific_variance": np.array([0.09, 0.0, 0.04])}, "security 10"),
        ({"loadings": np.where(B == 1.2, np.nan, B)}, "loading is missing"),
        ({"security_ids": np.array([30, 10, 30])}, "twice"),
    ],
)
def test_what_is_no_covariance_is_refused(changes, says) -> None:
    with pytest.raises(ModelRefusedError, match=says):
        build(**changes)
