"""Exact integers for money and shares, and the only door between them and floats.

Money is int64 cents, shares are int64 billionths (``_nano``), prices are int64 millionths of a
dollar (``_micros``). A product of two scaled integers does not fit 64 bits for a lot of 1,000
shares worth $100,000, and NumPy overflows silently; so every such product goes through
`mul_div`, which keeps 128 bits in the middle. Source of the scales and of half-up rounding:
docs/law/numbers.md.

Arrays hold whole columns; the aliases below say what is inside.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from allotment.compiled import kernel

Ints = NDArray[np.int64]
Index = NDArray[np.int32]  # positions in another table
Codes = NDArray[np.int8]  # small enumerations
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Dates = NDArray[np.datetime64]  # always datetime64[D]

CENTS_PER_USD = 100
NANO_PER_SHARE = 1_000_000_000
MICROS_PER_USD = 1_000_000
_INT64_MAX = 2**63 - 1
_VALUE_DIVISOR = NANO_PER_SHARE * MICROS_PER_USD // CENTS_PER_USD  # nano × micros → cents
_SECOND_WORD = np.uint64(32)
_LOW_WORD = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)
_WORD = np.uint64(64)
_ALL_ONES = np.uint64(2**64 - 1)


@kernel
def _digit(top: np.uint64, next_word: np.uint64, d: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(top · 2³² + next_word) ÷ d as one 32-bit digit and its remainder.

    Needs top < d, and d with its top bit set.
    """
    d_high, d_low = d >> _SECOND_WORD, d & _LOW_WORD
    digit = top // d_high
    rest = top - digit * d_high
    # The guess from the leading words is at most two too large (Knuth, volume 2, 4.3.1).
    while digit > _LOW_WORD or digit * d_low > ((rest << _SECOND_WORD) | next_word):
        digit -= _ONE
        rest += d_high
        if rest > _LOW_WORD:
            break
    low, product = (rest << _SECOND_WORD) | next_word, digit * d_low
    if low >= product:
        return digit, low - product
    # A 65th bit was shifted out of `rest`; the difference still fits.
    return digit, (_ALL_ONES - product) + low + _ONE


@kernel
def _divide_long(high: np.uint64, low: np.uint64, divisor: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Quotient and remainder of (high · 2⁶⁴ + low) ÷ divisor, for 0 < high < divisor < 2⁶³."""
    shift = np.uint64(0)
    d = divisor
    step = _SECOND_WORD
    while step > np.uint64(0):
        if d >> (_WORD - step) == np.uint64(0):
            d <<= step
            shift += step
        step >>= _ONE
    top = (high << shift) | (low >> (_WORD - shift))
    low <<= shift
    first, rest = _digit(top, low >> _SECOND_WORD, d)
    second, rest = _digit(rest, low & _LOW_WORD, d)
    return (first << _SECOND_WORD) | second, rest >> shift


@kernel
def mul_div(a: int, b: int, divisor: int) -> int:
    """a × b ÷ divisor, rounded half away from zero, with 128 bits in the middle.

    All three are int64; `divisor` is positive. Raises ZeroDivisionError for a divisor of zero
    and OverflowError when the result does not fit int64.

    >>> mul_div(10_000, 1, 3), mul_div(1, 1, 2), mul_div(-1, 1, 2)
    (3333, 1, -1)
    >>> mul_div(100_000_000_000_000, 100_000_000, 10_000_000_000_000)
    1000000000
    """
    if divisor <= 0:
        raise ZeroDivisionError("mul_div needs a positive divisor")
    negative = (a < 0) != (b < 0)
    x = np.uint64(a if a >= 0 else -a)
    y = np.uint64(b if b >= 0 else -b)
    d = np.uint64(divisor)
    x_low, x_high = x & _LOW_WORD, x >> _SECOND_WORD
    y_low, y_high = y & _LOW_WORD, y >> _SECOND_WORD
    low_low = x_low * y_low
    middle = x_high * y_low + (low_low >> _SECOND_WORD)
    cross = x_low * y_high + (middle & _LOW_WORD)
    low = (cross << _SECOND_WORD) | (low_low & _LOW_WORD)
    high = x_high * y_high + (middle >> _SECOND_WORD) + (cross >> _SECOND_WORD)
    if high >= d:
        raise OverflowError("the result of mul_div does not fit 64 bits")
    if high == np.uint64(0):
        quotient = low // d
        remainder = low - quotient * d
    else:
        quotient, remainder = _divide_long(high, low, d)
    if remainder >= d - remainder:
        quotient += np.uint64(1)
    if quotient > np.uint64(_INT64_MAX):
        raise OverflowError("the result of mul_div does not fit 64 bits")
    result = np.int64(quotient)
    return int(-result) if negative else int(result)


@kernel
def _mul_div_each(a: Ints, b: Ints, divisor: int, out: Ints) -> None:
    for i in range(a.shape[0]):
        out[i] = mul_div(a[i], b[i], divisor)


def mul_div_each(a: Ints, b: Ints, divisor: int) -> Ints:
    """`mul_div` for each pair of two columns of the same shape (n,)."""
    assert a.shape == b.shape
    out = np.empty(a.shape, np.int64)
    _mul_div_each(np.ascontiguousarray(a, np.int64), np.ascontiguousarray(b, np.int64), divisor, out)
    return out


@kernel
def _pro_rata(total: Ints, part: Ints, whole: Ints, out: Ints) -> None:
    for i in range(total.shape[0]):
        out[i] = mul_div(total[i], part[i], whole[i])


def pro_rata(total: Ints, part: Ints, whole: Ints) -> Ints:
    """total × part ÷ whole for each row, rounded half-up; a whole keeps its total. Shapes (n,)."""
    assert total.shape == part.shape == whole.shape
    out = np.empty(total.shape, np.int64)
    _pro_rata(total, part, whole, out)
    return out


def value_cents(quantity_nano: Ints, price_micros: Ints) -> Ints:
    """Value of each quantity at its price, in cents, each rounded half-up. Shapes (n,)."""
    return mul_div_each(quantity_nano, price_micros, _VALUE_DIVISOR)


def usd(cents: Ints) -> Floats:
    """Cents to float dollars, for optimisation and charts only."""
    return np.asarray(cents, np.float64) / CENTS_PER_USD


def shares(quantity_nano: Ints) -> Floats:
    """Billionths to float shares, for optimisation and charts only."""
    return np.asarray(quantity_nano, np.float64) / NANO_PER_SHARE


def parse_scaled(text: str, scale: int) -> int:
    """A decimal string as an integer count of 1/scale.

    Raises ValueError, with a sentence, for text that is no number, for more decimals than
    the scale carries, and for amounts outside 64 bits.

    >>> parse_scaled("12.34", CENTS_PER_USD), parse_scaled("0.000000001", NANO_PER_SHARE)
    (1234, 1)
    """
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    scaled = number * scale
    whole = scaled.to_integral_value()
    if whole != scaled:
        raise ValueError(f"{text!r} has more than {len(str(scale)) - 1} decimals")
    if abs(whole) > _INT64_MAX:
        raise ValueError(f"{text!r} is too large")
    return int(whole)


def parse_cents(text: str) -> int:
    """Dollars as written in a file, to cents; see `parse_scaled`."""
    return parse_scaled(text, CENTS_PER_USD)


def parse_nano(text: str) -> int:
    """Shares as written in a file, to billionths; see `parse_scaled`."""
    return parse_scaled(text, NANO_PER_SHARE)


def format_scaled(value: int, scale: int) -> str:
    """The exact decimal string of value/scale; at least the cents of money are shown.

    >>> format_scaled(1234, CENTS_PER_USD), format_scaled(1_500_000_000, NANO_PER_SHARE)
    ('12.34', '1.5')
    """
    places = len(str(scale)) - 1
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), scale)
    digits = f"{fraction:0{places}d}"
    if scale != CENTS_PER_USD:
        digits = digits.rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def as_day(day: date) -> np.datetime64:
    """A calendar day as datetime64[D]."""
    return np.datetime64(day, "D")
