"""A cash band that whole shares can meet.

Where everything that may be traded goes in whole steps, cash after trading moves in steps as well, and a
band narrower than the cheapest of them may hold none of the sums that can be reached.
"""

from __future__ import annotations

import numpy as np

from allotment.optimize.load import TINY_STEP
from allotment.optimize.problem import Problems


def with_room_for_a_step(problems: Problems) -> Problems:
    """The problems with cash bands at least as wide as the cheapest step that the account may trade.

    What is missing is added half below and half above, but a band that begins at nothing or more never
    goes below nothing. Accounts that may trade some name continuously keep their band.
    """
    lows, highs = problems.cash_min.copy(), problems.cash_max.copy()
    for a in range(problems.n_accounts):
        names = slice(int(problems.names_from[a]), int(problems.names_from[a + 1]))
        tradable = problems.may_buy[names] | (problems.may_sell[names] & (problems.held[names] > 0.0))
        steps = problems.step[names][tradable]
        if len(steps) == 0 or steps.min() < TINY_STEP:
            continue
        missing = float(steps.min()) - (highs[a] - lows[a])
        if missing > 0.0:
            floor = min(0.0, lows[a])
            low = max(lows[a] - 0.5 * missing, floor)
            highs[a] += missing - (lows[a] - low)
            lows[a] = low
    return (
        problems._replace(cash_min=lows, cash_max=highs) if np.any(highs != problems.cash_max) else problems
    )
