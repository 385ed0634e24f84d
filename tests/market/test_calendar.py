"""Sessions and settlement days, against days that the exchange announced."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.market.calendar import (
    is_session,
    next_session,
    previous_session,
    sessions_between,
    settlement_day,
    settlement_days,
)


@pytest.mark.parametrize(
    ("year", "count"), [(2001, 248), (2012, 250), (2019, 252), (2020, 253), (2022, 251), (2024, 252)]
)
def test_sessions_a_year(year: int, count: int) -> None:
    """2001 lost four days in September, 2012 two to a hurricane."""
    assert sessions_between(date(year, 1, 1), date(year, 12, 31)).size == count


def test_closed_days() -> None:
    """Good Friday, Juneteenth since 2022, days of mourning, and a half day that is a session."""
    closed = [date(2024, 3, 29), date(2022, 6, 20), date(2018, 12, 5), date(2025, 1, 9), date(2024, 1, 6)]
    assert not any(map(is_session, closed))
    assert is_session(date(2021, 6, 18))
    assert is_session(date(2023, 11, 24))


def test_neighbours_of_a_day() -> None:
    assert next_session(date(2024, 12, 31)) == date(2025, 1, 2)
    assert next_session(date(2025, 1, 8)) == date(2025, 1, 10)
    assert previous_session(date(2025, 1, 1)) == date(2024, 12, 31)
    assert previous_session(date(2024, 7, 5)) == date(2024, 7, 3)


@pytest.mark.parametrize(
    ("traded", "settles"),
    [
        (date(2017, 9, 1), date(2017, 9, 7)),  # T+3, over Labor Day
        (date(2017, 9, 5), date(2017, 9, 7)),  # the first day of T+2
        (date(2024, 5, 24), date(2024, 5, 29)),  # the last of T+2, over Memorial Day
        (date(2024, 5, 28), date(2024, 5, 29)),  # the first of T+1
        (date(2021, 10, 8), date(2021, 10, 13)),  # Columbus Day is a session only
        (date(2021, 10, 11), date(2021, 10, 13)),
        (date(2024, 11, 8), date(2024, 11, 12)),  # Veterans Day likewise
        (date(2023, 11, 9), date(2023, 11, 13)),  # Veterans Day on a Saturday moves nothing
    ],
)
def test_settlement(traded: date, settles: date) -> None:
    assert settlement_day(traded) == settles


def test_columns_agree_with_single_days() -> None:
    traded = sessions_between(date(2024, 5, 1), date(2024, 12, 31))
    each = [settlement_day(date.fromisoformat(str(day))) for day in traded]
    assert settlement_days(traded).tolist() == each
    assert settlement_days(np.array([], "M8[D]")).size == 0


def test_the_calendar_says_where_it_ends() -> None:
    with pytest.raises(DataError, match="1990"):
        is_session(date(1985, 1, 2))
    with pytest.raises(DataError, match="2045"):
        next_session(date(2045, 12, 31))
