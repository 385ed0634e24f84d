"""The marginal rates of a client's year: federal, investment income, state and city together.

A taxpayer's record carries three rates that decisions use; here they follow from income, filing
status and home. Law: `tax.brackets`, `tax.state_year`. State tax is not deducted from federal
income (the limit of §164(b)(6) and the standard deduction make it worth little).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotment.book.household import Taxpayer
from allotment.tax.brackets import FederalFacts, federal_tax
from allotment.tax.parameters import schedule
from allotment.tax.state_year import state_tax
from allotment.tax.states import state_law
from allotment.tax.year import YearProfile
from allotment.units import CENTS_PER_USD

_STEP_CENTS = 1_000 * CENTS_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalRates:
    """Fractions of one more dollar; `sources` names the laws and the years of their figures."""

    short_rate: float
    long_rate: float
    ordinary_rate: float
    sources: tuple[str, ...]

    def on(self, taxpayer: Taxpayer) -> Taxpayer:
        """The taxpayer with these rates."""
        return replace(
            taxpayer,
            short_rate=self.short_rate,
            long_rate=self.long_rate,
            ordinary_rate=self.ordinary_rate,
        )


def marginal_rates(
    taxpayer: Taxpayer,
    year: int,
    income_cents: int,
    qualified_dividend_cents: int = 0,
    investment_cents: int = 0,
    city: str = "",
) -> MarginalRates:
    """Rates on the next $1,000 of short gain, long gain and ordinary income (wages).

    income_cents: gross ordinary income without gains; investment_cents: the part of it that is
    interest, ordinary dividends and the like. Gains are those that the taxpayer expects outside;
    carried losses are left out, for the rate is that of a gain which is taxed. Raises DataError
    for a state or city without figures, LawMissingError for a year without federal ones.
    """
    status = taxpayer.filing_status
    deduction = int(schedule("standard_deduction", year, status).bounds_cents[0])
    profile = YearProfile.of_taxpayers([replace(taxpayer, carry_short_cents=0, carry_long_cents=0)])
    codes = [code for code in (taxpayer.state, city) if code]
    laws = [state_law(code, year, status, int(profile.limit_cents[0])) for code in codes]

    def tax(ordinary: int, short: int, long: int) -> float:
        facts = FederalFacts(
            year=year,
            status=status,
            ordinary_cents=np.array([max(0, income_cents + ordinary - deduction)]),
            qualified_dividend_cents=np.array([qualified_dividend_cents]),
            other_investment_cents=np.array([investment_cents]),
            deduction_cents=np.array([min(deduction, income_cents + ordinary)]),
        )
        gains = np.array([short]), np.array([long])
        federal = federal_tax(facts, *gains, profile).total_cents
        gross = np.array([income_cents + ordinary + qualified_dividend_cents])
        states = (state_tax(law, gross, *gains, profile, federal).tax_cents for law in laws)
        return float(federal[0] + sum(int(one[0]) for one in states))

    start = max(0, -taxpayer.outside_short_cents), max(0, -taxpayer.outside_long_cents)
    now = tax(0, *start)
    return MarginalRates(
        short_rate=(tax(0, start[0] + _STEP_CENTS, start[1]) - now) / _STEP_CENTS,
        long_rate=(tax(0, start[0], start[1] + _STEP_CENTS) - now) / _STEP_CENTS,
        ordinary_rate=(tax(_STEP_CENTS, *start) - now) / _STEP_CENTS,
        sources=(
            f"federal {year}",
            *(f"{law.name}: {law.citation}, figures of {law.figures_year}" for law in laws),
        ),
    )
