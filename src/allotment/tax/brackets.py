"""Federal income tax of a year: ordinary brackets, preferential rates on top, investment income.

Law: 26 U.S.C. §1(j) ordinary rates; §1(h) net capital gain and qualified dividends, taxed as the
last dollars of taxable income; §1411 net investment income tax. Figures: `tax/law/*.toml`.
Left out: alternative minimum tax, collectibles and §1250 gain, credits, state tax.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.book.household import FilingStatus
from allotment.tax.parameters import Schedule, schedule
from allotment.tax.year import YearProfile, net
from allotment.units import Ints

_BPS = 10_000
_DOLLAR = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FederalFacts:
    """What the year of each taxpayer is apart from capital gains. Columns (n_taxpayers,), cents.

    All taxpayers of one call file alike in one year.
    """

    year: int
    status: FilingStatus
    ordinary_cents: Ints  # taxable ordinary income after deductions
    qualified_dividend_cents: Ints
    other_investment_cents: Ints  # interest, ordinary dividends, … for §1411, part of ordinary income
    deduction_cents: Ints  # what was deducted to reach taxable income: added back for §1411


@dataclass(frozen=True, slots=True, kw_only=True)
class FederalTax:
    """Tax by its parts, shape (n_taxpayers,), cents."""

    ordinary_cents: Ints
    preferential_cents: Ints
    investment_cents: Ints

    @property
    def total_cents(self) -> Ints:
        """All three."""
        return self.ordinary_cents + self.preferential_cents + self.investment_cents


def bracket_tax(income_cents: Ints, brackets: Schedule) -> Ints:
    """Tax on incomes of shape (n,) by brackets, in cents times 10,000 (exact, not rounded)."""
    below = np.concatenate([[0], brackets.bounds_cents])
    above = np.concatenate([brackets.bounds_cents, [2**62 // _BPS]])
    inside = np.clip(income_cents[:, None] - below, 0, above - below)
    tax: Ints = (inside * brackets.rate_bps).sum(axis=1)
    return tax


def federal_tax(facts: FederalFacts, short_cents: Ints, long_cents: Ints, profile: YearProfile) -> FederalTax:
    """Tax of the year with the gains recognised, netted as `tax.year.net` does.

    `profile` gives carry-ins, outside gains and the limit; its rates are not used.
    """
    netted = net(short_cents, long_cents, profile)
    ordinary = np.maximum(0, facts.ordinary_cents + netted.taxed_short_cents - netted.deduction_cents)
    preferential = netted.taxed_long_cents + facts.qualified_dividend_cents
    preferred = schedule("preferential_brackets", facts.year, facts.status)
    # The preferential amount lies on top of ordinary income: the tax of the whole by its
    # brackets less that of what lies below.
    on_top = bracket_tax(ordinary + preferential, preferred) - bracket_tax(ordinary, preferred)
    gains = netted.taxed_short_cents + netted.taxed_long_cents - netted.deduction_cents
    investment = np.maximum(0, facts.other_investment_cents + facts.qualified_dividend_cents + gains)
    income = facts.ordinary_cents + facts.deduction_cents + facts.qualified_dividend_cents + gains
    surtax = schedule("net_investment_income", facts.year, facts.status)
    excess = np.maximum(0, income - surtax.bounds_cents[0])
    return FederalTax(
        ordinary_cents=_rounded(
            bracket_tax(ordinary, schedule("ordinary_brackets", facts.year, facts.status))
        ),
        preferential_cents=_rounded(on_top),
        investment_cents=_rounded(np.minimum(investment, excess) * surtax.rate_bps[0]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalTax:
    """Federal tax of $1,000 more of each, in cents, shape (n_taxpayers,); losses negative."""

    short_gain_cents: Ints
    short_loss_cents: Ints
    long_gain_cents: Ints
    long_loss_cents: Ints


def marginal_tax(
    facts: FederalFacts, short_cents: Ints, long_cents: Ints, profile: YearProfile
) -> MarginalTax:
    """What the next $1,000 of gain or loss costs or saves this year, given the year so far.

    A loss that only adds to what is carried on saves nothing here.
    """
    step = 1_000 * _DOLLAR

    def change(short: int, long: int) -> Ints:
        after = federal_tax(facts, short_cents + short, long_cents + long, profile).total_cents
        return after - federal_tax(facts, short_cents, long_cents, profile).total_cents

    return MarginalTax(
        short_gain_cents=change(step, 0),
        short_loss_cents=change(-step, 0),
        long_gain_cents=change(0, step),
        long_loss_cents=change(0, -step),
    )


def _rounded(cents_times_bps: Ints) -> Ints:
    """Half-up to the cent; amounts here are never negative."""
    return (cents_times_bps + _BPS // 2) // _BPS
