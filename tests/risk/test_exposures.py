"""Each named exposure against its one-line form."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from allotment.risk import exposures as risk_exposures
from allotment.risk.exposures import NAMES, exposures, standardise
from allotment.risk.window import WindowEmptyError

ASOF = date(2021, 6, 30)


def adjusted(history, sessions: int):
    end = int(np.searchsorted(history.prices.sessions, np.datetime64(ASOF), side="right"))
    return history.prices.adjusted_usd[end - sessions - 1 : end], history.market_cap_usd[end - 1], end


def test_beta_is_the_slope_on_the_market(history) -> None:
    prices, value, _ = adjusted(history, 252)
    returns = prices[1:] / prices[:-1] - 1.0
    market = returns @ (value / value.sum())
    slopes = [np.polyfit(market, column, 1)[0] for column in returns.T]
    np.testing.assert_allclose(risk_exposures.beta(returns, value), slopes, rtol=1e-9)


def test_momentum_skips_the_last_month(history) -> None:
    prices, _, end = adjusted(history, 252)
    whole = history.prices.adjusted_usd
    np.testing.assert_allclose(risk_exposures.momentum(prices), whole[end - 22] / whole[end - 253] - 1.0)


def test_volatility_is_the_standard_deviation(history) -> None:
    prices, _, _ = adjusted(history, 252)
    returns = prices[1:] / prices[:-1] - 1.0
    np.testing.assert_allclose(risk_exposures.volatility(returns), returns.std(axis=0, ddof=1) * np.sqrt(252))


def test_dividends_of_the_year_in_todays_shares_without_specials(history) -> None:
    """$2 before a 4-for-1 split is $0.50 after it; $0.50 more makes $1. The $9 are too old, the
    special does not recur, and what goes ex tomorrow is not known."""
    _, _, end = adjusted(history, 252)
    found = risk_exposures.dividend_yield(history, ASOF, end)
    close = history.prices.close_micros[end - 1] / 1e6
    assert found[0] == pytest.approx(1.0 / close[0])
    assert found[1:].tolist() == [0.0] * 39


def test_all_are_centred_on_the_market_and_of_unit_spread(history) -> None:
    found = exposures(history, ASOF)
    _, value, _ = adjusted(history, 252)
    assert found.names == NAMES
    for name in ("beta", "size", "momentum", "volatility"):
        column = found.column(name)
        assert column.std() == pytest.approx(1.0, abs=0.1)
        assert abs(np.average(column, weights=value)) < 0.15  # the cut at ±3 may move it a little
    assert np.abs(found.values).max() <= 3.0


def test_scores_come_after_in_their_order_and_unknown_is_the_market(history) -> None:
    score = np.linspace(-2.0, 5.0, 40)
    score[5] = np.nan
    found = exposures(history, ASOF, scores={"carbon": score})
    assert found.names == (*NAMES, "carbon")
    assert found.column("carbon")[5] == 0.0
    assert (np.diff(np.delete(found.column("carbon"), 5)) > 0).all()
    with pytest.raises(KeyError, match="no exposure 'esg'"):
        found.column("esg")


def test_little_history_is_unknown(history) -> None:
    found = exposures(history, date(2020, 2, 14))
    for name in ("beta", "momentum", "volatility"):
        assert (found.column(name) == 0.0).all()
    assert found.column("size").std() > 0


def test_no_history_is_an_error(history) -> None:
    with pytest.raises(WindowEmptyError):
        exposures(history, date(2019, 1, 1))


@given(
    raw=arrays(np.float64, 12, elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    shift=st.floats(-100.0, 100.0),
    scale=st.floats(0.1, 10.0),
)
@settings(max_examples=60, deadline=None)
def test_units_do_not_matter(raw, shift: float, scale: float) -> None:
    value = np.arange(1.0, 13.0)
    found = standardise(raw, value)
    assert (np.abs(found) <= 3.0).all()
    assert (found[np.isnan(raw)] == 0.0).all()
    spread = np.nanstd(raw) if np.isfinite(raw).any() else 0.0
    if spread > 1e-3:
        np.testing.assert_allclose(standardise(raw * scale + shift, value), found, atol=1e-3)


def test_a_flag_of_few_names_stays_a_flag() -> None:
    flag = np.zeros(200)
    flag[:3] = 1.0
    found = standardise(flag, np.ones(200))
    assert found[0] == 3.0
    assert np.unique(found[3:]).shape == (1,)


def test_a_wild_value_does_not_set_the_scale() -> None:
    raw = np.random.default_rng(1).normal(size=400)
    raw[7] = 1e6
    found = standardise(raw, np.ones(400))
    assert found[7] == 3.0
    assert np.delete(found, 7).std() == pytest.approx(1.0, abs=0.1)
