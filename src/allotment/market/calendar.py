"""Sessions of the New York Stock Exchange, and the day on which a trade settles.

Source of sessions: the XNYS calendar of `exchange_calendars`, unscheduled closures included.
Settlement: Rule 15c6-1 of the Exchange Act, one business day after a trade from 2024-05-28,
two from 2017-09-05, three from 1995-06-07, before that five by custom. Columbus Day and
Veterans Day are sessions but no settlement days, because the banks are closed.
"""

from __future__ import annotations

import warnings
from datetime import date
from functools import lru_cache

import numpy as np

from allotment.errors import DataError
from allotment.units import Bools, Dates, Ints, as_day

# Fixed bounds: the library's default end moves with the clock, and answers must not.
FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2045, 12, 31)

_SETTLES_AFTER = (
    (date.min, 5),
    (date(1995, 6, 7), 3),
    (date(2017, 9, 5), 2),
    (date(2024, 5, 28), 1),
)


@lru_cache(maxsize=1)
def _sessions() -> Dates:
    import exchange_calendars  # brings pandas along: only for those who ask for sessions

    with warnings.catch_warnings():  # about its own use of pandas, nothing a caller can change
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar("XNYS", start=str(FIRST_DAY), end=str(LAST_DAY))
    days: Dates = calendar.sessions.to_numpy().astype("M8[D]")
    days.setflags(write=False)
    return days


def _is_bank_holiday(days: Dates) -> Bools:
    """Columbus Day (second Monday of October) and Veterans Day, a Sunday's kept on Monday."""
    month = days.astype("M8[M]").astype(np.int64) % 12 + 1
    of_month = (days - days.astype("M8[M]")).astype(np.int64) + 1
    is_monday = (days.astype(np.int64) + 3) % 7 == 0  # 1970-01-01 was a Thursday
    columbus = (month == 10) & is_monday & (of_month >= 8) & (of_month <= 14)
    veterans = (month == 11) & ((of_month == 11) | (is_monday & (of_month == 12)))
    holidays: Bools = columbus | veterans
    return holidays


@lru_cache(maxsize=1)
def _settlement_sessions() -> Dates:
    sessions = _sessions()
    return sessions[~_is_bank_holiday(sessions)]


def _checked(day: date) -> np.datetime64:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise DataError(f"the calendar knows the days from {FIRST_DAY} to {LAST_DAY}; {day} is outside.")
    return as_day(day)


def sessions_between(first: date, last: date) -> Dates:
    """Sessions from `first` to `last`, both included, shape (T,), ascending.

    Raises DataError outside 1990 to 2045, like every function here.
    """
    sessions = _sessions()
    start = np.searchsorted(sessions, _checked(first), "left")
    stop = np.searchsorted(sessions, _checked(last), "right")
    return sessions[start:stop]


def is_session(day: date) -> bool:
    """True when the exchange opens on `day`.

    >>> is_session(date(2024, 3, 29)), is_session(date(2024, 4, 1))
    (False, True)
    """
    return sessions_between(day, day).size == 1


def next_session(day: date) -> date:
    """The first session after `day`."""
    return _item(_sessions(), int(np.searchsorted(_sessions(), _checked(day), "right")))


def previous_session(day: date) -> date:
    """The last session before `day`."""
    return _item(_sessions(), int(np.searchsorted(_sessions(), _checked(day), "left")) - 1)


def settlement_day(traded: date) -> date:
    """The day on which a trade of `traded` settles.

    >>> settlement_day(date(2024, 5, 24)), settlement_day(date(2024, 5, 28))
    (datetime.date(2024, 5, 29), datetime.date(2024, 5, 29))
    """
    days = settlement_days(np.array([traded], "M8[D]"))
    return date.fromisoformat(str(days[0]))


def settlement_days(traded: Dates) -> Dates:
    """The settlement day of each trade date, shape (n,); a day without session counts as traded."""
    if traded.size:
        _checked(date.fromisoformat(str(traded.min())))
        _checked(date.fromisoformat(str(traded.max())))
    starts = [as_day(start) for start, _ in _SETTLES_AFTER]
    waits: Ints = np.array([wait for _, wait in _SETTLES_AFTER], np.int64)
    regime = np.searchsorted(np.array(starts, "M8[D]"), traded, "right") - 1
    open_days = _settlement_sessions()
    after = np.searchsorted(open_days, traded, "right") + waits[regime] - 1
    if after.size and int(after.max()) >= open_days.size:
        raise DataError(f"the calendar ends on {LAST_DAY}; a trade settles after that.")
    settles: Dates = open_days[after]
    return settles


def _item(days: Dates, position: int) -> date:
    if not 0 <= position < days.size:
        raise DataError(f"the calendar knows the days from {FIRST_DAY} to {LAST_DAY} only.")
    return date.fromisoformat(str(days[position]))
