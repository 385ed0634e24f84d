"""What gives way to what when an account's wishes cannot all be met, and at which price.

The law and what a custodian can do never give way: `problem` lists these rules. Wishes do, each at
a price per unit, in fractions of account value. A price must exceed whatever tax, cost and risk
keeping the wish could save, or a wish that can be met would be sold; between wishes that contradict
each other, the dearer one stands. To change what comes first, change the prices:

>>> careful = HIERARCHY._replace(cash=HIERARCHY.cash._replace(price=30.0))
>>> careful.cash.price > careful.restrictions.price
True

A limit of tracking error comes last where it contradicts the others by a little, but its price is
per unit of half variance and must exceed every price of risk κ that keeping it can take; far beyond
the limit it is the dearest. Breaking a limit of 2 % by a tenth of a point costs 0.2, as 20 % of the
account in a row.
"""

from __future__ import annotations

from typing import NamedTuple


class Level(NamedTuple):
    """One level of the hierarchy."""

    covers: str
    unit: str  # what the price is for
    price: float  # of a unit; infinite: never relaxed


class Hierarchy(NamedTuple):
    """The levels, from what never gives way to what gives way first."""

    law: Level
    restrictions: Level
    cash: Level
    rows: Level
    tracking_error: Level


HIERARCHY = Hierarchy(
    law=Level("the law, lots, and sizes that can be traded and held", "any", float("inf")),
    restrictions=Level("limits of a name, broken before trading", "weight outside the limits", 20.0),
    cash=Level("the band of cash", "weight of cash outside the band", 10.0),
    rows=Level("groups, factors, turnover, budgets and counts", "what the row sums, beyond its ends", 1.0),
    tracking_error=Level("the limit of tracking error", "half variance beyond the limit", 1e4),
)
