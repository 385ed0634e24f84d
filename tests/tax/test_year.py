"""Netting, the limit and what is carried on: §§1211(b), 1212(b), 1222."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.book.household import FilingStatus, Taxpayer
from allotment.tax.year import YearProfile, net, tax_of_year


def profile(**facts: object) -> YearProfile:
    status = facts.pop("filing_status", FilingStatus.SINGLE)
    taxpayer = Taxpayer(taxpayer_id=1, code="t", household_id=1, filing_status=status, **facts)  # type: ignore[arg-type]
    return YearProfile.of_taxpayers([taxpayer])


@pytest.mark.parametrize(
    ("short", "long", "deduction", "carry_short", "carry_long"),
    [
        (-5_000, -8_000, 3_000, 2_000, 8_000),  # the deduction eats short-term losses first
        (-10_000, 4_000, 3_000, 3_000, 0),
        (4_000, -10_000, 3_000, 0, 3_000),
        (-1_000, -500, 1_500, 0, 0),
        (-1_000, -5_000, 3_000, 0, 3_000),
        (0, 0, 0, 0, 0),
        (5_000, 5_000, 0, 0, 0),
    ],
)
def test_losses_are_deducted_and_carried_by_character(
    short: int, long: int, deduction: int, carry_short: int, carry_long: int
) -> None:
    year = net(np.array([short * 100]), np.array([long * 100]), profile())
    assert year.deduction_cents.tolist() == [deduction * 100]
    assert year.carry_short_cents.tolist() == [carry_short * 100]
    assert year.carry_long_cents.tolist() == [carry_long * 100]


def test_married_filing_separately_deduct_half() -> None:
    year = net(np.array([-500_000]), np.array([0]), profile(filing_status=FilingStatus.SEPARATE))
    assert year.deduction_cents.tolist() == [150_000]
    assert year.carry_short_cents.tolist() == [350_000]


def test_carry_ins_and_outside_gains_count() -> None:
    facts = profile(carry_long_cents=400_000, outside_short_cents=100_000, outside_long_cents=1_000_000)
    year = net(np.array([-300_000]), np.array([0]), facts)
    # Short: 1,000 - 3,000 = -2,000. Long: 10,000 - 4,000 = 6,000. Taxed: 4,000 long.
    assert year.taxed_long_cents.tolist() == [400_000]
    assert year.taxed_short_cents.tolist() == [0]
    assert year.deduction_cents.tolist() == [0]


def test_with_only_long_gains_to_offset_a_short_loss_saves_the_long_rate() -> None:
    facts = profile(short_rate=0.408, long_rate=0.238, outside_long_cents=1_000_000)
    saved = tax_of_year(np.array([0]), np.array([0]), facts) - tax_of_year(
        np.array([-100_000]), np.array([0]), facts
    )
    assert saved.tolist() == [23_800]


def test_a_net_loss_saves_ordinary_tax_up_to_the_limit() -> None:
    facts = profile(ordinary_rate=0.37)
    assert tax_of_year(np.array([-1_000_000]), np.array([0]), facts).tolist() == [-111_000]


def test_nothing_is_lost_in_netting() -> None:
    """What comes in is taxed, deducted, carried, or cancels: gains + losses add up."""
    rng = np.random.default_rng(2)
    short, long = rng.integers(-(10**6), 10**6, (2, 500))
    taxpayers = [
        Taxpayer(
            taxpayer_id=i, code=str(i), household_id=i, carry_short_cents=int(c), carry_long_cents=int(d)
        )
        for i, (c, d) in enumerate(rng.integers(0, 10**6, (500, 2)))
    ]
    facts = YearProfile.of_taxpayers(taxpayers)
    year = net(short, long, facts)
    before = short + long - facts.carry_short_cents - facts.carry_long_cents
    taxed = year.taxed_short_cents + year.taxed_long_cents
    after = taxed - year.deduction_cents - year.carry_short_cents - year.carry_long_cents
    assert np.array_equal(before, after)
    assert not np.any((taxed > 0) & (year.deduction_cents > 0))
