"""State taxes: the published schedules of eight states, and what holds for all of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allotment.book.household import FilingStatus, Taxpayer
from allotment.errors import DataError
from allotment.tax.marginal import marginal_rates
from allotment.tax.state_year import StateTax, marginal_state_tax, state_tax
from allotment.tax.states import state_codes, state_law
from allotment.tax.year import YearProfile

SINGLE, JOINT, HEAD = FilingStatus.SINGLE, FilingStatus.JOINT, FilingStatus.HEAD
POSTAL = """AK AL AR AZ CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH
NJ NM NV NY OH OK OR PA RI SC SD TN TX UT VA VT WA WI WV WY""".split()  # noqa: SIM905  easier to read


def computed(
    code: str,
    ordinary: float,
    short: float = 0,
    long: float = 0,
    *,
    year: int = 2025,
    status: FilingStatus = SINGLE,
    carry_short: float = 0,
    carry_long: float = 0,
    federal_tax: float | None = None,
) -> StateTax:
    client = Taxpayer(
        taxpayer_id=1, code="T", household_id=1, filing_status=status,
        carry_short_cents=round(carry_short * 100), carry_long_cents=round(carry_long * 100),
    )  # fmt: skip
    columns = (np.array([round(dollars * 100)]) for dollars in (ordinary, short, long))
    paid = None if federal_tax is None else np.array([round(federal_tax * 100)])
    law = state_law(code, year, status)
    return state_tax(law, *columns, YearProfile.of_taxpayers([client]), paid)


def tax(*arguments, **options) -> float:
    return float(computed(*arguments, **options).tax_cents[0]) / 100


def test_every_state_has_figures_with_a_source() -> None:
    assert sorted(state_codes()) == sorted(POSTAL)
    for code in (*POSTAL, "NYC"):
        for year in (2025, 2026):
            law = state_law(code, year, SINGLE)
            assert re.search(r" \[[PSM]\]$", law.citation), code
            assert law.figures_year in (2025, year)
            assert (np.diff(law.income.bounds_cents) > 0).all(), code
            assert len(law.income.rate) == len(law.income.bounds_cents) + 1, code


def test_a_year_or_state_without_figures_is_told() -> None:
    with pytest.raises(DataError, match="no state 'XX'; known are"):
        state_law("XX", 2025, SINGLE)
    with pytest.raises(DataError, match=r"Ohio has no figures for 2010.*states\.toml"):
        state_law("OH", 2010, SINGLE)
    assert state_law("PA", 2031, SINGLE).figures_year == 2025


@pytest.mark.parametrize(
    ("status", "taxable", "published"),
    [
        # Instructions for Form IT-201, rate schedules: base and rate of the bracket [M]
        (SINGLE, 80_650, 4_271),
        (SINGLE, 200_000, 4_271 + 0.06 * (200_000 - 80_650)),
        (JOINT, 161_550, 8_553),
        (JOINT, 323_200, 18_252),
    ],
)
def test_new_york(status, taxable, published) -> None:
    deduction = {SINGLE: 8_000, JOINT: 16_050}[status]
    assert tax("NY", taxable + deduction, status=status) == pytest.approx(published, abs=1)
    assert tax("NY", taxable + deduction - 50_000, 20_000, 30_000, status=status) == pytest.approx(
        published, abs=1
    )  # gains are income


def test_new_york_lowered_five_rates_in_2026() -> None:
    """2025 N.Y. Laws ch. 59: a tenth of a point each, up to $215,400."""
    assert tax("NY", 208_000, year=2025) - tax("NY", 208_000, year=2026) == pytest.approx(200)


@pytest.mark.parametrize(
    ("status", "taxable", "published"),
    [(SINGLE, 12_000, 369), (SINGLE, 25_000, 858), (SINGLE, 50_000, 1_813), (JOINT, 90_000, 3_264)],
)
def test_new_york_city(status, taxable, published) -> None:
    """Instructions for Form IT-201, New York City rate schedules [M]."""
    deduction = {SINGLE: 8_000, JOINT: 16_050}[status]
    assert tax("NYC", taxable + deduction, status=status) == pytest.approx(published, abs=1)


@pytest.mark.parametrize(
    ("status", "taxable", "rate", "subtracted"),
    [
        # NJ-1040 instructions, Tables A and B: rate times income less a constant [M]
        (SINGLE, 60_000, 0.05525, 1_492.50),
        (SINGLE, 300_000, 0.0637, 2_126.25),
        (SINGLE, 900_000, 0.0897, 15_126.25),
        (SINGLE, 2_000_000, 0.1075, 32_926.25),
        (JOINT, 60_000, 0.0245, 420),
        (JOINT, 120_000, 0.05525, 2_775),
        (JOINT, 400_000, 0.0637, 4_042.50),
        (HEAD, 2_000_000, 0.1075, 34_842.50),
    ],
)
def test_new_jersey(status, taxable, rate, subtracted) -> None:
    exempt = 2_000 if status is JOINT else 1_000
    assert tax("NJ", taxable + exempt, status=status) == pytest.approx(taxable * rate - subtracted, abs=0.01)


def test_new_jersey_forgets_losses() -> None:
    """N.J.S.A. 54A:5-1(c): losses meet gains of the same year, nothing else, and are not carried."""
    made = computed("NJ", 101_000, -50_000, 20_000, carry_short=99_000)
    assert made.tax_cents[0] == computed("NJ", 101_000).tax_cents[0]
    assert (made.carry_short_cents[0], made.carry_long_cents[0], made.deduction_cents[0]) == (0, 0, 0)


def test_california_adds_up_its_brackets_and_the_surtax() -> None:
    """Schedule X of 2025: $3,201.97 at $72,724, then 9.3 % [M]; 1 % more above a million (§17043)."""
    assert tax("CA", 72_724 + 5_706) == pytest.approx(3_201.97, abs=0.01)
    assert tax("CA", 172_724 + 5_706) == pytest.approx(3_201.97 + 9_300, abs=0.01)
    million = tax("CA", 1_005_706)
    assert tax("CA", 1_105_706) - million == pytest.approx(13_300)
    assert tax("CA", 905_706, 0, 100_000) == pytest.approx(million)  # long-term is income like any other


def test_massachusetts_has_two_rates_and_a_surtax() -> None:
    """Ch. 62 §4: 5 %, short-term gains 8.5 %; 4 % above $1,083,150; losses meet $2,000 of income."""
    assert tax("MA", 104_400, 10_000, 20_000) == pytest.approx(0.05 * 120_000 + 0.085 * 10_000)
    high = 1_083_150 + 4_400
    assert tax("MA", high, 0, 1_000) - tax("MA", high) == pytest.approx(90)
    assert tax("MA", high, 0, 1_000, year=2026) - tax("MA", high, year=2026) == pytest.approx(50)
    made = computed("MA", 104_400, -10_000)
    assert (made.deduction_cents[0], made.carry_short_cents[0]) == (2_000_00, 8_000_00)


def test_pennsylvania_is_flat_and_forgets_losses() -> None:
    """72 P.S. §7303(a)(3): no carryover, and not the federal wash-sale rule."""
    assert tax("PA", 100_000, 5_000, 5_000) == pytest.approx(3_377)
    assert tax("PA", 100_000, -5_000, 2_000) == pytest.approx(3_070)
    assert not state_law("PA", 2025, SINGLE).conforms_to_wash_sales


def test_washington_taxes_large_long_term_gains_alone() -> None:
    """RCW 82.87.040: 7 % above the standard deduction of $278,000, 9.9 % above a million of it."""
    assert tax("WA", 900_000, 500_000, 278_000) == 0
    assert tax("WA", 0, 0, 378_000) == pytest.approx(7_000)
    assert tax("WA", 0, -400_000, 378_000) == pytest.approx(7_000)  # short-term losses are unusable
    assert tax("WA", 0, 0, 1_500_000) == pytest.approx(70_000 + 0.099 * 222_000)


def test_illinois_and_texas() -> None:
    assert tax("IL", 102_850, 10_000, 10_000) == pytest.approx(0.0495 * 120_000)
    assert tax("TX", 1e6, 1e6, 1e6) == 0


def test_exclusions_of_long_term_gains() -> None:
    """Wisconsin 30 %, South Carolina 44 %, Arkansas 50 %, Missouri all gains."""
    for code, kept in (("WI", 0.7), ("SC", 0.56), ("AR", 0.5), ("MO", 0.0)):
        base = tax(code, 1_000_000)
        assert tax(code, 1_000_000, 0, 10_000) - base == pytest.approx(
            kept * (tax(code, 1_010_000) - base), abs=0.02
        )


def test_long_term_rates_of_their_own() -> None:
    assert tax("HI", 1_000_000, 0, 10_000) - tax("HI", 1_000_000) == pytest.approx(725)
    assert tax("MT", 1_000_000, 0, 10_000) - tax("MT", 1_000_000) == pytest.approx(410)
    assert tax("MT", 15_750, 0, 10_000) == pytest.approx(300)


def test_surtaxes_on_gains() -> None:
    """Maryland 2 % of gains when income is above $350,000; Minnesota 1 % of investment income above a
    million."""
    for gains in (10_000, 60_000):
        plain = tax("MD", 300_000 + gains)
        extra = 0.02 * gains if 300_000 + gains > 350_000 else 0
        assert tax("MD", 300_000, 0, gains) == pytest.approx(plain + extra, abs=0.02)
    assert tax("MN", 500_000, 0, 1_500_000) == pytest.approx(tax("MN", 2_000_000) + 5_000, abs=0.02)


def test_alabama_deducts_the_federal_tax() -> None:
    assert tax("AL", 203_000, federal_tax=40_000) == pytest.approx(tax("AL", 163_000))


MONEY = st.integers(-3_000_000, 3_000_000)
INCOME = st.integers(0, 3_000_000)


@given(
    st.sampled_from([*POSTAL, "NYC"]), st.sampled_from(list(FilingStatus)), st.sampled_from([2025, 2026]),
    INCOME, MONEY, MONEY, st.integers(1, 200_000), st.sampled_from(["ordinary", "short", "long"]),
)  # fmt: skip
def test_more_of_anything_is_never_less_tax(code, status, year, ordinary, short, long, more, what) -> None:
    added = {"ordinary": 0, "short": 0, "long": 0} | {what: more}
    before = tax(code, ordinary, short, long, year=year, status=status)
    after = tax(
        code, ordinary + added["ordinary"], short + added["short"], long + added["long"],
        year=year, status=status,
    )  # fmt: skip
    assert 0 <= before <= after + 0.02  # an exclusion's rounding may move a cent
    assert after - before <= 0.2 * more + 0.02 * 6_000_000 * (code == "MD")  # only a cliff costs more


@given(st.sampled_from(POSTAL), INCOME, MONEY, MONEY)
def test_the_margin_is_the_difference_that_the_next_thousand_makes(code, ordinary, short, long) -> None:
    law = state_law(code, 2025, SINGLE)
    profile = YearProfile.of_taxpayers([Taxpayer(taxpayer_id=1, code="T", household_id=1)])
    columns = [np.array([dollars * 100]) for dollars in (ordinary, short, long)]
    margin = marginal_state_tax(law, *columns, profile)
    now = tax(code, ordinary, short, long)
    assert margin.ordinary_cents[0] / 100 == pytest.approx(tax(code, ordinary + 1_000, short, long) - now)
    assert margin.short_gain_cents[0] / 100 == pytest.approx(tax(code, ordinary, short + 1_000, long) - now)
    assert margin.short_loss_cents[0] / 100 == pytest.approx(tax(code, ordinary, short - 1_000, long) - now)
    assert margin.long_gain_cents[0] / 100 == pytest.approx(tax(code, ordinary, short, long + 1_000) - now)
    assert margin.long_loss_cents[0] / 100 == pytest.approx(tax(code, ordinary, short, long - 1_000) - now)


def rates(state: str, income: float, city: str = "", **facts: object) -> tuple[float, float, float]:
    client = Taxpayer(taxpayer_id=1, code="T", household_id=1, state=state, **facts)
    found = marginal_rates(client, 2025, round(income * 100), city=city)
    assert found.on(client).short_rate == found.short_rate
    return round(found.short_rate, 6), round(found.long_rate, 6), round(found.ordinary_rate, 6)


def test_all_governments_together() -> None:
    """Top incomes: federal 37 % and 20 %, 3.8 % on investments, and the state."""
    assert rates("TX", 3e6) == (0.408, 0.238, 0.37)
    assert rates("CA", 3e6) == (0.541, 0.371, 0.503)
    assert rates("NY", 3e6, "NYC") == (0.54326, 0.37326, 0.50526)  # 9.65 % and 3.876 %
    assert rates("MA", 3e6) == (0.533, 0.328, 0.46)
    assert rates("", 100_000) == (0.22, 0.15, 0.22)


def test_expected_outside_losses_do_not_make_gains_free() -> None:
    assert rates("TX", 3e6, outside_long_cents=-50_000_00) == (0.408, 0.238, 0.37)


def test_rates_name_their_sources() -> None:
    client = Taxpayer(taxpayer_id=1, code="T", household_id=1, state="PA")
    found = marginal_rates(client, 2026, 100_000_00)
    assert found.sources[0] == "federal 2026"
    assert "figures of 2025" in found.sources[1]
