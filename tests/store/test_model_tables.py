"""Risk models are kept under their version."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.risk.model import FactorModel
from allotment.store import model_tables


def test_a_model_comes_back_and_the_newest_is_found(firm) -> None:
    rng = np.random.default_rng(0)
    model = FactorModel(
        asof=date(2025, 6, 30),
        version="v1",
        security_ids=np.arange(1, 6),
        factor_names=("market", "size"),
        loadings=rng.normal(size=(5, 2)),
        specific_variance=rng.random(5),
    )
    later = replace(model, asof=date(2025, 7, 31), version="v2")
    model_tables.save_model(firm, model)
    model_tables.save_model(firm, later)
    model_tables.save_model(firm, replace(model, loadings=model.loadings * 0))  # known: left as it is
    found = model_tables.load_model(firm, "v1")
    np.testing.assert_array_equal(found.loadings, model.loadings)
    np.testing.assert_array_equal(found.specific_variance, model.specific_variance)
    assert (found.factor_names, found.asof) == (model.factor_names, model.asof)
    assert model_tables.latest_model(firm, date(2025, 7, 1)).version == "v1"
    assert model_tables.latest_model(firm, date(2025, 8, 1)).version == "v2"
    assert model_tables.latest_model(firm, date(2024, 1, 1)) is None
    with pytest.raises(DataError, match="no risk model 'v3'"):
        model_tables.load_model(firm, "v3")
