"""Sessions of the New York Stock Exchange, and the day on which a trade settles.

Source of sessions: the XNYS calendar of `exchange_calendars`, unscheduled closures included.
Settlement: Rule 15c6-1 of the Exchange Act, two business days after the trade until
2024-05-27, one from trade date 2024-05-28 (three before 2017-09-05).
"""

from __future__ import annotations

from datetime import date

from allotment.units import Dates


def sessions_between(first: date, last: date) -> Dates:
    """Sessions from `first` to `last`, both included, shape (T,), ascending."""
    raise NotImplementedError


def is_session(day: date) -> bool:
    """True when the exchange opens on `day`."""
    raise NotImplementedError


def next_session(day: date) -> date:
    """The first session after `day`."""
    raise NotImplementedError


def previous_session(day: date) -> date:
    """The last session before `day`."""
    raise NotImplementedError


def settlement_day(traded: date) -> date:
    """The day on which a trade of `traded` settles."""
    raise NotImplementedError


def settlement_days(traded: Dates) -> Dates:
    """`settlement_day` for each trade date, shape (n,)."""
    raise NotImplementedError
