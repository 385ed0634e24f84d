"""Is a dividend qualified, lot by lot?

Law: 26 U.S.C. §1(h)(11)(B)(iii) with §246(c)(1)-(4): the share is held for more than 60 days of
the 121 that begin 60 days before the ex-date (preferred stock with dividends of more than 366
days: more than 90 of 181, beginning 90 days before). The day of acquisition does not count, the
day of sale does. The actual acquisition counts: §246(c)(3)(B) switches off wash-sale tacking.
Payments in lieu are never qualified, §1(h)(11)(B)(iii)(II).
Left out: days with diminished risk (§246(c)(4)) unless the caller takes them off; which payers
qualify (§1(h)(11)(C)); extraordinary dividends.
"""

from __future__ import annotations

import numpy as np

from allotment.units import Bools, Dates, Ints

_DAYS_MORE_THAN = 60
_PREFERRED_DAYS_MORE_THAN = 90


def days_held_around(acquired: Dates, sold: Dates, ex_date: Dates, reach_days: int) -> Ints:
    """Days held within `reach_days` of the ex-date, both sides and the ex-date included.

    acquired, ex_date: shape (n_lots,); sold: NaT while held.

    >>> day = lambda text: np.array([text], "M8[D]")
    >>> days_held_around(day("2024-07-11"), day("2024-09-13"), day("2024-07-12"), 60)
    array([61])
    """
    first = np.maximum(acquired + 1, ex_date - reach_days)
    end = ex_date + reach_days
    last = np.where(np.isnat(sold), end, np.minimum(sold, end))
    days: Ints = np.maximum(0, (last - first).astype(np.int64) + 1)
    return days


def is_qualified(acquired: Dates, sold: Dates, ex_date: Dates) -> Bools:
    """True for each lot of common stock whose dividend is qualified. Final once the ex-date is
    more than 60 days past; before that it takes lots still held to be kept."""
    return days_held_around(acquired, sold, ex_date, _DAYS_MORE_THAN) > _DAYS_MORE_THAN


def is_qualified_preferred(acquired: Dates, sold: Dates, ex_date: Dates) -> Bools:
    """The same for preferred stock whose dividends are for more than 366 days."""
    return days_held_around(acquired, sold, ex_date, _PREFERRED_DAYS_MORE_THAN) > _PREFERRED_DAYS_MORE_THAN
