"""Risk models in and out of PostgreSQL, as arrays."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.errors import DataError
from allotment.risk.model import FactorModel
from allotment.store.session import FirmStore


def save_model(firm: FirmStore, model: FactorModel) -> None:
    """Keep a risk model under its version; one that is stored already is left."""
    n, k = model.loadings.shape
    firm.connection().execute(
        "INSERT INTO risk_model (version, asof, n_securities, n_factors, factor_names, security_ids, "
        "loadings, specific_variance) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [
            model.version,
            model.asof,
            n,
            k,
            list(model.factor_names),
            model.security_ids.astype("<i8").tobytes(),
            model.loadings.astype("<f8").tobytes(),
            model.specific_variance.astype("<f8").tobytes(),
        ],
    )


def load_model(firm: FirmStore, version: str) -> FactorModel:
    """The risk model of a version. Raises DataError when there is none."""
    found = (
        firm.connection()
        .execute(
            "SELECT asof, n_securities, n_factors, factor_names, security_ids, loadings, specific_variance "
            "FROM risk_model WHERE version = %s",
            [version],
        )
        .fetchone()
    )
    if found is None:
        raise DataError(f"there is no risk model {version!r}; a run estimates one, or import yours.")
    asof, n, k, names, ids, loadings, specific = found
    return FactorModel(
        asof=asof,
        version=version,
        security_ids=np.frombuffer(ids, "<i8").astype(np.int64),
        factor_names=tuple(names),
        loadings=np.frombuffer(loadings, "<f8").astype(np.float64).reshape(n, k),
        specific_variance=np.frombuffer(specific, "<f8").astype(np.float64),
    )


def latest_model(firm: FirmStore, asof: date) -> FactorModel | None:
    """The newest risk model whose `asof` is on or before the day; of one day, the one stored last."""
    found = (
        firm.connection()
        .execute(
            "SELECT version FROM risk_model WHERE asof <= %s ORDER BY asof DESC, recorded_at DESC LIMIT 1",
            [asof],
        )
        .fetchone()
    )
    return None if found is None else load_model(firm, str(found[0]))
