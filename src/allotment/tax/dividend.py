"""Is a dividend qualified, lot by lot?

Law: 26 U.S.C. §1(h)(11)(B)(iii) with §246(c)(1)-(4): the share is held for more than 60 days of
the 121 that begin 60 days before the ex-date (preferred stock with dividends of more than 366
days: more than 90 of 181, beginning 90 days before). The day of acquisition does not count, the
day of sale does. The actual acquisition counts: §246(c)(3)(B) switches off wash-sale tacking.
Days of diminished risk (a put, a short, a deep call written) do not count, §246(c)(4): the caller
gives their number inside the window. Payments in lieu are never qualified, §1(h)(11)(B)(iii)(II).
§199A: dividends of REITs stand apart [M]. Left out: which payers qualify (§1(h)(11)(C)).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import numpy as np

from allotment.units import Bools, Dates, Ints

DAYS_MORE_THAN = 60  # and how far the window reaches to both sides
PREFERRED_DAYS_MORE_THAN = 90
_LATE_MONTH = 10  # October


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


def is_qualified(acquired: Dates, sold: Dates, ex_date: Dates, hedged_days: Ints | int = 0) -> Bools:
    """True for each lot of common stock whose dividend is qualified. Final once the ex-date is
    more than 60 days past; before that it takes lots still held to be kept. hedged_days: of the
    days held inside the window, those of diminished risk."""
    return days_held_around(acquired, sold, ex_date, DAYS_MORE_THAN) - hedged_days > DAYS_MORE_THAN


def is_qualified_preferred(
    acquired: Dates, sold: Dates, ex_date: Dates, hedged_days: Ints | int = 0
) -> Bools:
    """The same for preferred stock whose dividends are for more than 366 days."""
    held_days = days_held_around(acquired, sold, ex_date, PREFERRED_DAYS_MORE_THAN)
    return held_days - hedged_days > PREFERRED_DAYS_MORE_THAN


class Payment(StrEnum):
    """What is paid on a share."""

    DIVIDEND = "dividend"
    IN_LIEU = "payment in lieu"  # while the shares are lent
    REIT = "reit dividend"


class Bucket(StrEnum):
    """How the return takes it."""

    ORDINARY = "ordinary"
    QUALIFIED = "qualified"
    SECTION_199A = "section 199A"


def bucket(payment: Payment, qualified: bool) -> Bucket:
    """Where a payment stands on the return, given the test of the lot."""
    if payment is Payment.REIT:
        return Bucket.SECTION_199A
    if payment is Payment.DIVIDEND and qualified:
        return Bucket.QUALIFIED
    return Bucket.ORDINARY


def year_of_dividend(paid: date, declared: date, record: date, *, is_fund: bool) -> int:
    """The tax year of a dividend. One that a fund or REIT declares in October to December, to
    holders of record in those months, and pays in January counts in the year before (§852(b)(7),
    §857(b)(9) [S]: Pub. 17/550)."""
    late = all(day.year == paid.year - 1 and day.month >= _LATE_MONTH for day in (declared, record))
    return paid.year - 1 if is_fund and paid.month == 1 and late else paid.year


def long_term_part_of_loss(loss_cents: int, extraordinary_cents: int) -> int:
    """The part of a loss that is long-term whatever the holding period: as far as extraordinary
    qualified dividends were received on the shares (§1(h)(11)(D)(ii)). Both positive."""
    return min(loss_cents, extraordinary_cents)
