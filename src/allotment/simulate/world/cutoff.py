"""From which session on a sample book keeps its events one by one."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.errors import DataError
from allotment.units import Dates, as_day


def cutoff_ix(sessions: Dates, asof: date) -> int:
    """Position of the last session of November of the year before `asof`.

    This year's disposals and the window of 30 days before them are then real events. Raises
    DataError when `sessions` begin later.
    """
    december = np.datetime64(f"{asof.year - 1}-12-01", "D")
    position = int(np.searchsorted(sessions, december, "left")) - 1
    if position < 0 or sessions[-1] < as_day(asof):
        raise DataError(
            f"the market has no session between {asof.year - 1}-11-30 and {asof}, or none in November "
            "before; take a longer history or an earlier day."
        )
    return position
