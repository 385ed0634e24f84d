"""Is a gain long-term on the day of sale?

Law: 26 U.S.C. §1222(1)-(4), "held for more than 1 year". The period starts the day after the
trade date and runs in calendar months, not days (Rev. Rul. 66-7, 66-97, 70-598; Caspe v. US,
694 F.2d 1116). Settlement plays no part.
Not here: tacked periods after a wash sale (`tax.tacking`) or a gift (`tax.gift`); both give a
lot an earlier date from which the same test runs.
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import kernel
from allotment.units import Bools, Dates


def first_long_term_day(holding_from: Dates) -> Dates:
    """The first day on which a sale is long-term, for each lot. datetime64[D], shape (n_lots,).

    The day after `holding_from`, one calendar year on; 29 February moves to 1 March. A lot
    bought on the last day of February turns long-term on March 1:

    >>> first_long_term_day(np.array(["2024-02-05", "2023-02-28", "2024-02-28"], "M8[D]"))
    array(['2025-02-06', '2024-03-01', '2025-03-01'], dtype='datetime64[D]')
    """
    starts = holding_from + np.timedelta64(1, "D")
    month = starts.astype("M8[M]")
    anniversary: Dates = (month + 12).astype("M8[D]") + (starts - month)
    return anniversary


def is_long_term(holding_from: Dates, sold: Dates) -> Bools:
    """True for each lot whose sale on `sold` is long-term. Both datetime64[D], shape (n_lots,).

    >>> bought = np.array(["2023-02-28", "2023-02-28"], "M8[D]")
    >>> is_long_term(bought, np.array(["2024-02-29", "2024-03-01"], "M8[D]")).tolist()
    [False, True]
    """
    assert holding_from.shape == sold.shape
    return sold >= first_long_term_day(holding_from)


@kernel
def long_term_from(holding_from: int) -> int:
    """`first_long_term_day` of one day, both in days since 1970, for compiled loops.

    The year that begins the day after has 366 days when it contains a 29 February, or begins
    on one; counted from March, that is when the year's last month is a leap February.
    """
    march_0000 = holding_from + 1 + 719_468
    day = march_0000 % 146_097  # of the 400 years after which the calendar repeats itself
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365 + 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return holding_from + (367 if leap else 366)
