"""Shares inherited.

Law: 26 U.S.C. §1014(a): basis is market value at death (or the alternate date, whose value the
caller gives); §1223(9): held for more than a year whatever the dates. Not a purchase.
Left out: community property, gifts back within a year (§1014(e)).
"""

from __future__ import annotations

from datetime import date, timedelta


def deemed_long_from(died: date) -> date:
    """A holding-period date that makes a sale long-term from the day of death.

    >>> deemed_long_from(date(2024, 3, 10)), deemed_long_from(date(2024, 2, 29))
    (datetime.date(2023, 3, 9), datetime.date(2023, 2, 27))
    """
    last_year = date(died.year - 1, died.month, 28 if (died.month, died.day) == (2, 29) else died.day)
    return last_year - timedelta(days=1)
