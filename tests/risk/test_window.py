"""The window ends on its day and looks no further."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.risk.window import WindowEmptyError, window

ASOF = date(2021, 6, 30)


def test_nothing_later_is_looked_at(history) -> None:
    """A history cut at the day gives the same window as the whole one."""
    end = int(np.searchsorted(history.prices.sessions, np.datetime64(ASOF), side="right"))
    prices = history.prices
    cut = replace(
        history,
        prices=replace(
            prices,
            sessions=prices.sessions[:end],
            close_micros=prices.close_micros[:end],
            adjusted_usd=prices.adjusted_usd[:end],
            volume=prices.volume[:end],
        ),
        market_cap_usd=history.market_cap_usd[:end],
    )
    whole, known = window(history, ASOF), window(cut, ASOF)
    assert np.array_equal(whole.returns, known.returns, equal_nan=True)
    assert np.array_equal(whole.market_cap_usd, known.market_cap_usd, equal_nan=True)


def test_returns_are_of_the_last_sessions(history) -> None:
    found = window(history, ASOF, sessions=20)
    end = int(np.searchsorted(history.prices.sessions, np.datetime64(ASOF), side="right"))
    prices = history.prices.adjusted_usd[end - 21 : end]
    np.testing.assert_allclose(found.returns, prices[1:] / prices[:-1] - 1.0)


def test_securities_can_be_chosen(history) -> None:
    chosen = history.prices.security_ids[[1, 3]]
    found = window(history, ASOF, security_ids=chosen)
    assert found.security_ids.tolist() == chosen.tolist()
    names = [history.securities[i].sector for i in (1, 3)]
    assert [found.sector_names[i] for i in found.sector_ix] == names


def test_a_security_without_prices_is_an_error(history) -> None:
    with pytest.raises(DataError, match="no place in the price history"):
        window(history, ASOF, security_ids=np.array([999_999]))


def test_a_day_before_the_second_session_is_an_error(history) -> None:
    with pytest.raises(WindowEmptyError, match="first price is of 2020-01-01"):
        window(history, date(2020, 1, 1))


def test_unknown_sizes_become_the_median(history) -> None:
    found = replace(
        window(history, ASOF), market_cap_usd=np.full(history.prices.security_ids.shape[0], np.nan)
    )
    assert (found.size() == 1.0).all()
    some = found.market_cap_usd.copy()
    some[:3] = (1.0, 2.0, 9.0)
    assert replace(found, market_cap_usd=some).size().tolist()[:4] == [1.0, 2.0, 9.0, 2.0]
