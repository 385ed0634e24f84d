"""Federal tax by the year's figures: §§1(h), 1(j), 1411."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.book.household import FilingStatus, Taxpayer
from allotment.tax.brackets import FederalFacts, FederalTax, bracket_tax, federal_tax, marginal_tax
from allotment.tax.parameters import LawMissingError, schedule
from allotment.tax.year import YearProfile

PROFILE = YearProfile.of_taxpayers([Taxpayer(taxpayer_id=1, code="t", household_id=1)])


def cents(dollars: float) -> np.ndarray:
    return np.array([round(dollars * 100)])


def facts(ordinary: float, year: int = 2026, status: FilingStatus = FilingStatus.SINGLE) -> FederalFacts:
    return FederalFacts(
        year=year,
        status=status,
        ordinary_cents=cents(ordinary),
        qualified_dividend_cents=cents(0),
        other_investment_cents=cents(0),
        deduction_cents=cents(0),
    )


def parts(tax: FederalTax) -> tuple[float, float, float]:
    return (
        tax.ordinary_cents[0] / 100,
        tax.preferential_cents[0] / 100,
        tax.investment_cents[0] / 100,
    )


def test_half_a_million_of_wages_and_a_hundred_thousand_of_long_term_gain() -> None:
    """2026, single: 143,769.25 + 17,725.00 + 3,800.00."""
    tax = federal_tax(facts(500_000), cents(0), cents(100_000), PROFILE)
    assert parts(tax) == (143_769.25, 17_725.00, 3_800.00)


def test_gain_fills_the_zero_bracket_first() -> None:
    """2025, joint: 0 % up to 96,700 of taxable income."""
    tax = federal_tax(facts(90_000, 2025, FilingStatus.JOINT), cents(0), cents(10_000), PROFILE)
    assert parts(tax)[1:] == ((10_000 - 6_700) * 0.15, 0.0)


@pytest.mark.parametrize("status", list(FilingStatus))
@pytest.mark.parametrize("year", [2025, 2026])
def test_brackets_agree_with_the_sum_written_out(year: int, status: FilingStatus) -> None:
    brackets = schedule("ordinary_brackets", year, status)
    for income in (0, 1, 11_925, 50_000, 300_000, 1_000_000):
        tax, below = 0.0, 0.0
        for bound, rate in zip([*brackets.bounds_cents / 100, 1e12], brackets.rate_bps, strict=True):
            tax += max(0.0, min(income, bound) - below) * rate / 10_000
            below = bound
        assert bracket_tax(cents(income), brackets)[0] / 1_000_000 == pytest.approx(tax)


def test_top_rates_are_40_8_and_23_8_per_cent() -> None:
    margin = marginal_tax(facts(2_000_000), cents(0), cents(0), PROFILE)
    assert margin.short_gain_cents.tolist() == [40_800]
    assert margin.long_gain_cents.tolist() == [23_800]


def test_a_short_loss_against_long_gains_saves_the_long_rate() -> None:
    margin = marginal_tax(facts(2_000_000), cents(0), cents(50_000), PROFILE)
    assert margin.short_loss_cents.tolist() == [-23_800]
    assert margin.long_loss_cents.tolist() == [-23_800]


def test_a_loss_beyond_the_limit_saves_nothing_this_year() -> None:
    margin = marginal_tax(facts(300_000), cents(-3_000), cents(0), PROFILE)
    assert margin.short_loss_cents.tolist() == [0]


def test_a_year_without_figures_says_so() -> None:
    with pytest.raises(LawMissingError, match="2027"):
        federal_tax(facts(1, 2027), cents(0), cents(0), PROFILE)


def test_every_table_names_its_source() -> None:
    for name in ("ordinary_brackets", "preferential_brackets", "standard_deduction", "net_investment_income"):
        for year in (2025, 2026):
            assert "U.S.C." in schedule(name, year, FilingStatus.HEAD).citation
