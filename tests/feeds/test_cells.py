from __future__ import annotations

import string
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.feeds import cells
from allotment.feeds.cells import Fault
from allotment.units import format_scaled, parse_scaled


def chunks(*texts: str) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.23", 123),
        ("-0.5", -50),
        ("+7", 700),
        (".5", 50),
        ("5.", 500),
        ("1.230000", 123),
        ("92233720368547758.07", 2**63 - 1),
        ("-92233720368547758.07", -(2**63) + 1),
        ("0000000000000000000000000001", 100),
    ],
)
def test_decimals_are_exact(text: str, value: int) -> None:
    found, fault = cells.scaled(chunks(text), 2)
    assert (found[0], fault[0]) == (value, Fault.NONE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.EMPTY),
        ("x", Fault.NOT_A_NUMBER),
        ("1.2.3", Fault.NOT_A_NUMBER),
        ("-", Fault.NOT_A_NUMBER),
        (".", Fault.NOT_A_NUMBER),
        ("$5", Fault.NOT_A_NUMBER),
        ("1,000", Fault.NOT_A_NUMBER),
        (" 1", Fault.NOT_A_NUMBER),
        ("1e3", Fault.NOT_A_NUMBER),
        ("nan", Fault.NOT_A_NUMBER),
        ("1.234", Fault.TOO_MANY_DECIMALS),
        ("92233720368547758.08", Fault.TOO_LARGE),
        ("9223372036854775807", Fault.TOO_LARGE),
        ("99999999999999999999999999", Fault.TOO_LARGE),
    ],
)
def test_what_is_no_amount_of_cents(text: str, fault: Fault) -> None:
    found, faults = cells.scaled(chunks(text), 2)
    assert (found[0], faults[0]) == (0, fault)


def test_chunks_and_slices_are_read_in_place() -> None:
    whole = pa.array(["1", "22", "333", "x", "55555"], pa.string())
    parts = pa.chunked_array([whole.slice(1, 2), whole.slice(3, 2)])
    found, fault = cells.scaled(parts, 0)
    assert found.tolist() == [22, 333, 0, 55555]
    assert fault.tolist() == [0, 0, Fault.NOT_A_NUMBER, 0]


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from([0, 2, 6, 9]))
@settings(max_examples=300, deadline=None)
def test_every_integer_comes_back(value: int, decimals: int) -> None:
    text = format_scaled(value, 10**decimals) if decimals else str(value)
    found, fault = cells.scaled(chunks(text), decimals)
    assert (found[0], fault[0]) == (value, Fault.NONE)


@given(st.text("0123456789.+-", max_size=22), st.sampled_from([2, 9]))
@settings(max_examples=500, deadline=None)
def test_agrees_with_the_decimals_of_python(text: str, decimals: int) -> None:
    try:
        wanted: int | None = parse_scaled(text, 10**decimals)
    except ValueError:
        wanted = None
    found, fault = cells.scaled(chunks(text), decimals)
    assert (int(found[0]) if fault[0] == Fault.NONE else None) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300, deadline=None)
def test_floats_come_back_to_the_last_bit(value: float) -> None:
    found, fault = cells.floats(chunks(repr(value)))
    assert fault[0] == Fault.NONE
    assert found[0] == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.EMPTY),
        ("nan", Fault.NOT_A_NUMBER),
        ("inf", Fault.NOT_A_NUMBER),
        ("1e", Fault.NOT_A_NUMBER),
        ("0x10", Fault.NOT_A_NUMBER),
        ("1 2", Fault.NOT_A_NUMBER),
        ("1e400", Fault.TOO_LARGE),
    ],
)
def test_what_is_no_number(text: str, fault: Fault) -> None:
    found, faults = cells.floats(chunks(text))
    assert faults[0] == fault
    assert np.isnan(found[0])


@given(st.text(string.printable, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_float_is_never_read_where_python_reads_none(text: str) -> None:
    found, fault = cells.floats(chunks(text))
    assert fault[0] != Fault.NONE or found[0] == float(text)


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
@settings(max_examples=300, deadline=None)
def test_days_are_those_of_the_calendar(day: date) -> None:
    found, fault = cells.days(chunks(day.isoformat()))
    assert (found[0].astype(object), fault[0]) == (day, Fault.NONE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.EMPTY),
        ("2024-1-01", Fault.NOT_A_DATE),
        ("2024/01/01", Fault.NOT_A_DATE),
        ("01-02-2024", Fault.NOT_A_DATE),
        ("2024-01-01 ", Fault.NOT_A_DATE),
        ("2023-02-29", Fault.NOT_IN_CALENDAR),
        ("1900-02-29", Fault.NOT_IN_CALENDAR),
        ("2024-13-01", Fault.NOT_IN_CALENDAR),
        ("2024-00-01", Fault.NOT_IN_CALENDAR),
        ("0204-01-01", Fault.NOT_IN_CALENDAR),
    ],
)
def test_what_is_no_day(text: str, fault: Fault) -> None:
    found, faults = cells.days(chunks(text))
    assert faults[0] == fault
    assert np.isnat(found[0])
