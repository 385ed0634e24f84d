"""What taxpayers have realised this year, growing with the trades proposed for their accounts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotment.book.household import Taxpayer
from allotment.tax.year import YearProfile, tax_of_year


class YearSoFar:
    """Net short- and long-term gains of each taxpayer, in cents, disallowed losses added back."""

    def __init__(self, realised_cents: Mapping[int, tuple[int, int]]) -> None:
        """realised_cents: taxpayer id -> (short, long); a taxpayer not named has realised nothing."""
        self._realised = dict(realised_cents)

    def realised_cents(self, taxpayer: Taxpayer) -> tuple[int, int]:
        """Short- and long-term net gain so far."""
        return self._realised.get(taxpayer.taxpayer_id, (0, 0))

    def copy(self) -> YearSoFar:
        """The same year, to add other trades to."""
        return YearSoFar(self._realised)

    def saved_cents(self, taxpayer: Taxpayer, short_cents: int, long_cents: int) -> int:
        """Tax of the year without these gains minus with them, and add them to the year.

        Positive when the trades save tax. The client's carry-ins and outside gains count.
        """
        short, long = self.realised_cents(taxpayer)
        profile = YearProfile.of_taxpayers([taxpayer])
        without = tax_of_year(np.array([short]), np.array([long]), profile)
        self._realised[taxpayer.taxpayer_id] = (short + short_cents, long + long_cents)
        with_trades = tax_of_year(np.array([short + short_cents]), np.array([long + long_cents]), profile)
        return int(without[0] - with_trades[0])
