"""The study on a market whose model is true by construction, and its parts by hand."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Security
from allotment.risk.estimate import EstimationPolicy, estimate
from allotment.simulate.risk_bench import PERIODS, bench, studies
from allotment.simulate.risk_portfolios import Wish, closest_to_index
from allotment.simulate.risk_study import KINDS, MODELS, StudyPlan, study

PLAN = StudyPlan(portfolios=6, every=2)


@pytest.fixture(scope="module")
def history() -> MarketHistory:
    """100 securities, five sectors, 700 sessions of steady risk; weights every 21 sessions."""
    rng = np.random.default_rng(11)
    n, sessions = 100, 700
    sector = np.arange(n) % 5
    factors = rng.normal(size=(sessions, 6)) * np.array([0.01] + [0.006] * 5)
    loadings = np.column_stack([np.ones(n), sector[:, None] == np.arange(5)])
    returns = factors @ loadings.T + rng.normal(size=(sessions, n)) * 0.015
    prices = 40.0 * np.vstack([np.ones(n), np.cumprod(1.0 + returns, axis=0)])
    prices[650:, 7] = np.nan  # one is taken over
    days = np.arange("2019-01-01", "2022-12-31", dtype="M8[D]")
    days = days[np.is_busday(days)][: sessions + 1]
    caps = np.exp(rng.normal(23.0, 1.0, n)) * prices
    weights = []
    for at in range(21, sessions, 21):
        known = np.nan_to_num(caps[at])
        weights.append(
            IndexWeights(
                index_code="ALL",
                session=days[at].item(),
                kind=WeightKind.CLOSE,
                version=1,
                security_ids=np.flatnonzero(known) + 1,
                weight=known[known > 0] / known.sum(),
            )
        )
    return MarketHistory(
        securities=tuple(
            Security(security_id=i + 1, code=f"S{i}", name=f"S{i}", sector="ABCDE"[sector[i]])
            for i in range(n)
        ),
        identifiers=(),
        prices=PriceHistory(
            sessions=days,
            security_ids=np.arange(1, n + 1),
            close_micros=np.nan_to_num(prices * 1e6).astype(np.int64),
            adjusted_usd=prices,
            volume=np.ones_like(prices),
        ),
        market_cap_usd=caps,
        actions=(),
        index_weights=tuple(weights),
        scores={"coal": (np.arange(n) % 7 == 0).astype(float)},
    )


def test_where_risk_is_steady_the_ratio_is_about_one(history) -> None:
    result = study(history, PLAN)
    assert result.models == tuple(MODELS)
    assert result.kinds == KINDS
    for row in result.summary():
        assert row.n == result.predicted.shape[0] // 12
        if row.model == "allotment":
            assert 0.9 < row.median < 1.1
            assert row.is_met


def test_the_same_seed_is_the_same_study(history) -> None:
    first, second = study(history, PLAN), study(history, PLAN)
    assert np.array_equal(first.realised, second.realised)
    assert not np.array_equal(first.realised, study(history, replace(PLAN, seed=2)).realised)


def test_predictions_know_nothing_of_what_comes(history) -> None:
    """Other prices after the formation change what is realised and nothing that was predicted."""
    weights = [w for w in history.index_weights if w.session >= date(2020, 6, 1)][:1]
    one = replace(history, index_weights=tuple(weights))
    at = int(np.searchsorted(one.prices.sessions, np.datetime64(weights[0].session)))
    changed = one.prices.adjusted_usd.copy()
    changed[at + 1 :] *= np.exp(np.random.default_rng(1).normal(0, 0.05, changed[at + 1 :].shape))
    other = replace(one, prices=replace(one.prices, adjusted_usd=changed))
    plan = replace(PLAN, every=1)
    before, after = study(one, plan), study(other, plan)
    assert np.array_equal(before.predicted, after.predicted)
    assert not np.allclose(before.realised, after.realised)


def test_a_history_too_short_is_an_error(history) -> None:
    with pytest.raises(DataError, match="Give a longer history"):
        study(history, replace(PLAN, sessions_min=690))


def test_the_optimised_weights_are_optimal(history) -> None:
    """Against the conditions of Karush, Kuhn and Tucker, written out."""
    from allotment.risk.window import window

    model = estimate(window(history, date(2020, 6, 1)), EstimationPolicy(holdout_folds=0))
    rng = np.random.default_rng(3)
    index = rng.dirichlet(np.ones(100))
    high = np.where(rng.random(100) < 0.6, 0.0, 1.0)
    low = np.zeros(100)
    legacy = np.flatnonzero(high)[:4]
    low[legacy] = 0.03
    weight = closest_to_index(model, index, Wish(low=low, high=high))
    assert weight.sum() == pytest.approx(1.0, abs=1e-8)
    assert ((weight >= low) & (weight <= high)).all()
    active = weight - index
    slope = model.loadings @ (model.loadings.T @ active) + model.specific_variance * active
    free = (weight > low) & (weight < high)
    price = slope[free].mean()
    np.testing.assert_allclose(slope[free], price, atol=1e-7)
    assert (slope[(weight == low) & (high > 0)] >= price - 1e-7).all()


def test_the_benchmark_is_a_plain_record(history) -> None:
    import json

    ticks = iter(range(100))
    plan = replace(PLAN, every=6, portfolios=3)
    result = bench({"2013-2018": history}, lambda: float(next(ticks)), plan)
    assert json.loads(json.dumps(result)) == result
    assert set(result) == {"estimate", "realised_over_predicted", "medians_inside_0_8_to_1_3"}
    assert len(result["realised_over_predicted"]["2013-2018"]) == len(MODELS) * len(KINDS)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("period", PERIODS)
def test_on_real_prices_the_medians_are_inside_the_promise(period: str) -> None:
    """Quarterly formation; `allotment bench risk` forms monthly and prints every band."""
    from allotment.feeds.history import read_history

    folder = Path(os.environ.get("ALLOTMENT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "securities.parquet").exists():
        pytest.skip(f"no market history in {folder}; set ALLOTMENT_TEST_DATA")
    chosen = PERIODS[period]
    history = read_history(folder, chosen.read_from, chosen.read_to)
    (result,) = studies({period: history}, StudyPlan(every=3)).values()
    for row in result.summary():
        if row.model == "allotment":
            assert row.is_met, row
