"""Exact integers: mul_div against Python's own, and text in and out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from allotment.units import (
    CENTS_PER_USD,
    NANO_PER_SHARE,
    format_scaled,
    mul_div,
    mul_div_each,
    parse_cents,
    parse_nano,
    value_cents,
)

INT64_MAX = 2**63 - 1
whole = st.integers(-INT64_MAX, INT64_MAX)
# Divisors near the powers of two are where a guessed digit of long division is wrong.
divisors = st.one_of(
    st.integers(1, INT64_MAX),
    st.builds(
        lambda bits, off: max(1, min(INT64_MAX, (1 << bits) + off)), st.integers(0, 63), st.integers(-3, 3)
    ),
)


def rounded(a: int, b: int, divisor: int) -> int:
    quotient, remainder = divmod(abs(a) * abs(b), divisor)
    quotient += 2 * remainder >= divisor
    return -quotient if (a < 0) != (b < 0) else quotient


@settings(max_examples=500, deadline=None)
@given(whole, whole, divisors)
@example(INT64_MAX, INT64_MAX, INT64_MAX)
@example(INT64_MAX, 2**32, 2**32 + 1)
@example(2**62, 2**62, 2**62 + 1)
@example(-INT64_MAX, 1, 1)
@example(0, 5, 1)
def test_mul_div_is_the_rounded_quotient_of_whole_numbers(a: int, b: int, divisor: int) -> None:
    expected = rounded(a, b, divisor)
    if abs(expected) > INT64_MAX:
        with pytest.raises(OverflowError):
            mul_div(a, b, divisor)
    else:
        assert mul_div(a, b, divisor) == expected


@pytest.mark.parametrize("divisor", [0, -1])
def test_mul_div_refuses_a_divisor_that_is_not_positive(divisor: int) -> None:
    with pytest.raises(ZeroDivisionError):
        mul_div(1, 1, divisor)


def test_a_hundred_thousand_dollars_of_a_thousand_shares_does_not_overflow() -> None:
    quantity = np.array([1_000 * NANO_PER_SHARE])
    price = np.array([100_000_000])  # $100 in millionths
    assert value_cents(quantity, price).tolist() == [10_000_000]


def test_columns_round_each_value_half_away_from_zero() -> None:
    a = np.array([1, -1, 3, 10_000])
    assert mul_div_each(a, np.ones(4, np.int64), 2).tolist() == [1, -1, 2, 5_000]


@given(whole)
def test_text_and_integer_are_the_same_number(value: int) -> None:
    assert parse_nano(format_scaled(value, NANO_PER_SHARE)) == value
    assert parse_cents(format_scaled(value, CENTS_PER_USD)) == value


@pytest.mark.parametrize("text", ["", "abc", "1.234", "NaN", "Infinity", "92233720368547758.08", "1,000"])
def test_text_that_is_no_amount_of_money_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_cents(text)
