"""The estimate against a market whose covariance is known, and against its own symmetries."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.errors import DataError
from allotment.risk.estimate import EstimationPolicy, estimate
from allotment.risk.model import FactorModel
from allotment.risk.tracking import tracking_error
from allotment.risk.window import ReturnWindow
from allotment.units import Floats

QUICK = EstimationPolicy(holdout_folds=0)


def covariance(model: FactorModel) -> Floats:
    return model.loadings @ model.loadings.T + np.diag(model.specific_variance)


def test_tracking_error_of_random_portfolios_is_recovered(world) -> None:
    rng = np.random.default_rng(5)
    n = world.covariance.shape[0]
    index = np.exp(rng.normal(size=n))
    index /= index.sum()
    active = []
    for _ in range(40):
        held = index * (rng.random(n) < 0.5)
        active.append(held / held.sum() - index)
    active = np.array(active)
    truth = np.sqrt(np.einsum("ai,ij,aj->a", active, world.covariance, active))
    ratio = tracking_error(estimate(world.window, QUICK), active) / truth
    assert 0.95 < np.median(ratio) < 1.05
    assert ratio.min() > 0.88
    assert ratio.max() < 1.12


def test_optimised_portfolios_are_not_under_predicted(world) -> None:
    """The least-variance hedge of forbidden names, by the model itself, against the truth."""

    def ratio(model: FactorModel) -> float:
        rng = np.random.default_rng(9)
        believed = covariance(model)
        n = believed.shape[0]
        found = []
        for _ in range(40):
            forbidden = rng.random(n) < 0.6
            active = np.where(forbidden, -1.0 / n, 0.0)
            free = ~forbidden
            # Least variance with weights that sum to zero: bordered normal equations.
            k = int(free.sum())
            system = np.block([[believed[np.ix_(free, free)], np.ones((k, 1))], [np.ones((1, k)), 0.0]])
            right = np.append(-believed[np.ix_(free, forbidden)] @ active[forbidden], -active.sum())
            active[free] = np.linalg.solve(system, right)[:k]
            found.append(np.sqrt((active @ world.covariance @ active) / (active @ believed @ active)))
        return float(np.median(found))

    plain, allowed = ratio(estimate(world.window, QUICK)), ratio(estimate(world.window))
    assert plain > 1.02  # the bias is there …
    assert 0.93 < allowed < plain  # … and is taken out


def test_the_same_window_gives_the_same_bits(world) -> None:
    first, second = estimate(world.window), estimate(world.window)
    assert first.version == second.version
    assert np.array_equal(first.loadings, second.loadings)


def test_another_policy_is_another_version(world) -> None:
    assert estimate(world.window, QUICK).version != estimate(world.window).version


def test_factors_are_the_market_the_sectors_and_statistical_ones(world) -> None:
    names = estimate(world.window, QUICK).factor_names
    assert names[0] == "market"
    assert names[1:6] == tuple(f"sector {name}" for name in world.window.sector_names)
    assert names[6:] == tuple(f"statistical {i}" for i in range(1, 15))


@given(k=st.integers(1, 40))
@settings(max_examples=8, deadline=None)
def test_k_is_the_most_factors_there_are(world, k: int) -> None:
    model = estimate(world.window, replace(QUICK, k=k))
    assert model.loadings.shape[1] <= k
    assert (model.specific_variance > 0).all()


@given(scale=st.sampled_from([1e-3, 0.5, 7.0]))
@settings(max_examples=3, deadline=None)
def test_variance_goes_with_the_square_of_returns(world, scale: float) -> None:
    model = estimate(world.window)
    scaled = estimate(replace(world.window, returns=world.window.returns * scale))
    np.testing.assert_allclose(
        covariance(scaled), covariance(model) * scale**2, rtol=1e-6, atol=1e-12 * scale**2
    )


def test_the_order_of_securities_does_not_matter(world) -> None:
    window = world.window
    order = np.random.default_rng(1).permutation(window.security_ids.shape[0])
    shuffled = replace(
        window,
        returns=window.returns[:, order],
        sector_ix=window.sector_ix[order],
        market_cap_usd=window.market_cap_usd[order],
    )
    straight = covariance(estimate(window))[np.ix_(order, order)]
    np.testing.assert_allclose(covariance(estimate(shuffled)), straight, rtol=1e-6, atol=1e-10)


def test_missing_days_move_little(world) -> None:
    rng = np.random.default_rng(2)
    holes = np.where(rng.random(world.window.returns.shape) < 0.05, np.nan, world.window.returns)
    whole = np.sqrt(np.diag(covariance(estimate(world.window, QUICK))))
    holed = np.sqrt(np.diag(covariance(estimate(replace(world.window, returns=holes), QUICK))))
    np.testing.assert_allclose(holed, whole, rtol=0.12)


@pytest.mark.parametrize(("wildness", "low", "high"), [(0.2, 0.75, 1.2), (1.0, 0.75, 1.25), (5.0, 1.0, 2.2)])
def test_ten_days_of_history_look_like_the_peers(world, wildness: float, low: float, high: float) -> None:
    """Calm days say little; days five times as wild as the sector's move the risk up, not to five times."""
    window = world.window
    returns = window.returns.copy()
    returns[:-10, 0] = np.nan
    returns[-10:, 0] *= wildness
    volatility = np.sqrt(np.diag(covariance(estimate(replace(window, returns=returns), QUICK))))
    peers = np.median(volatility[window.sector_ix == window.sector_ix[0]])
    assert low * peers < volatility[0] < high * peers


def test_no_history_at_all_is_the_sector(world) -> None:
    returns = world.window.returns.copy()
    returns[:, 0] = np.nan
    model = estimate(replace(world.window, returns=returns), QUICK)
    statistical = [name.startswith("statistical") for name in model.factor_names]
    assert (np.abs(model.loadings[0, statistical]) < 1e-12).all()
    assert model.specific_variance[0] == pytest.approx(np.median(model.specific_variance), rel=0.5)


def test_a_constant_price_keeps_some_risk(world) -> None:
    returns = world.window.returns.copy()
    returns[:, 4] = 0.0
    model = estimate(replace(world.window, returns=returns), QUICK)
    assert model.specific_variance[4] >= 0.05 * np.median(model.specific_variance) * 0.99
    assert np.isfinite(model.loadings).all()


def test_one_bad_print_stays_with_its_name(world) -> None:
    """A return of +10,000 % must not move anybody else's risk by more than a few percent."""
    returns = world.window.returns.copy()
    returns[600, 4] = 100.0
    others = np.arange(returns.shape[1]) != 4
    clean = np.sqrt(np.diag(covariance(estimate(world.window, QUICK))))[others]
    spoilt = np.sqrt(np.diag(covariance(estimate(replace(world.window, returns=returns), QUICK))))[others]
    np.testing.assert_allclose(spoilt, clean, rtol=0.06)


def small(returns: Floats) -> ReturnWindow:
    n = returns.shape[1]
    return ReturnWindow(
        asof=date(2020, 1, 1),
        security_ids=np.arange(n, dtype=np.int64),
        returns=returns,
        sector_ix=np.full(n, -1, np.int64),
        sector_names=(),
        market_cap_usd=np.full(n, np.nan),
    )


def test_one_asset_has_its_own_variance() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.01, (500, 1))
    total = covariance(estimate(small(returns)))[0, 0]
    assert np.sqrt(total) == pytest.approx(0.01 * np.sqrt(252), rel=0.15)


@given(n=st.integers(1, 8), sessions=st.integers(1, 40), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_any_small_window_gives_a_covariance(n: int, sessions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0, 0.02, (sessions, n))
    returns[rng.random(returns.shape) < 0.3] = np.nan
    returns[0, 0] = 0.01  # at least one is known
    model = estimate(small(returns))
    assert np.isfinite(model.loadings).all()
    assert (model.specific_variance > 0).all()
    whole = covariance(model)
    assert np.linalg.eigvalsh(whole)[0] > -1e-14 * np.trace(whole)  # rounding of two equal names


def test_no_return_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no return of any security"):
        estimate(small(np.full((5, 3), np.nan)))
