"""The worksheet of §1212(b)."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.book.household import Taxpayer
from allotment.tax.carryover import carryover
from allotment.tax.year import YearProfile, net


def cents(dollars: int) -> np.ndarray:
    return np.array([dollars * 100])


@pytest.mark.parametrize(
    ("taxable", "short", "long", "carry_short", "carry_long"),
    [
        (50_000, -5_000, -8_000, 2_000, 8_000),
        (50_000, -10_000, 4_000, 3_000, 0),
        (-1_000, -5_000, 0, 3_000, 0),  # 2,000 of the deduction did something
        (-9_000, -5_000, 0, 5_000, 0),  # none of it did
        (-1_000, -500, -5_000, 0, 3_500),
    ],
)
def test_none_of_the_deduction_is_wasted(
    taxable: int, short: int, long: int, carry_short: int, carry_long: int
) -> None:
    left = carryover(cents(taxable), cents(3_000), cents(short), cents(long))
    assert left.short_cents.tolist() == [carry_short * 100]
    assert left.long_cents.tolist() == [carry_long * 100]


def test_with_income_enough_it_is_what_netting_says() -> None:
    rng = np.random.default_rng(4)
    short, long = rng.integers(-2_000_000, 1_000_000, (2, 400))
    profile = YearProfile.of_taxpayers(
        [Taxpayer(taxpayer_id=i, code=str(i), household_id=i) for i in range(400)]
    )
    year = net(short, long, profile)
    left = carryover(np.full(400, 10**9), year.deduction_cents, short, long)
    assert np.array_equal(left.short_cents, year.carry_short_cents)
    assert np.array_equal(left.long_cents, year.carry_long_cents)
