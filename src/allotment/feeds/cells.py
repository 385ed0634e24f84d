"""Cells of text to exact integers, floats and days, a column at a time.

The compiled loops read Arrow's buffers in place: no cell becomes a Python object and no decimal
passes through a float. Every cell gets a code that says what is wrong with it.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from allotment.compiled import kernel
from allotment.units import Codes, Dates, Floats, Ints


class Fault(IntEnum):
    """What is wrong with one cell."""

    NONE = 0
    EMPTY = 1
    NOT_A_NUMBER = 2
    TOO_MANY_DECIMALS = 3
    TOO_LARGE = 4
    NOT_A_DATE = 5
    NOT_IN_CALENDAR = 6
    BLANKS = 7
    NOT_A_CHOICE = 8
    NOT_YES_NO = 9
    NOT_PAIRS = 10
    NEGATIVE = 11
    NOT_POSITIVE = 12
    ABOVE = 13
    FUTURE = 14


_MINUS, _PLUS, _POINT, _ZERO, _NINE, _E, _SMALL_E = 45, 43, 46, 48, 57, 69, 101
_LIMIT = 2**63 - 1
Ends = NDArray[np.int32]
Bytes = NDArray[np.uint8]


def _buffers(chunk: pa.StringArray) -> tuple[Ends, Bytes]:
    """Offsets (n + 1,) and bytes of a chunk of strings."""
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    return ends, np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)


def scaled(cells: pa.ChunkedArray, decimals: int) -> tuple[Ints, Codes]:
    """Decimals as integers of 10^-decimals, exactly, with a Fault per cell. Shapes (n,)."""
    out, fault = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int8)
    at = 0
    for chunk in cells.chunks:
        n = len(chunk)
        _scaled(*_buffers(chunk), decimals, out[at : at + n], fault[at : at + n])
        at += n
    return out, fault


def floats(cells: pa.ChunkedArray) -> tuple[Floats, Codes]:
    """Numbers as the nearest float64, NaN where empty or faulty. Shapes (n,)."""
    fault = np.zeros(len(cells), np.int8)
    at = 0
    for chunk in cells.chunks:
        n = len(chunk)
        _number_shape(*_buffers(chunk), fault[at : at + n])
        at += n
    sound = pa.array(fault == Fault.NONE)
    numbers = pc.cast(pc.if_else(sound, cells, pa.scalar(None, pa.string())), pa.float64())
    out = np.array(numbers.to_numpy(), np.float64)
    fault[np.isinf(out)] = Fault.TOO_LARGE
    out[np.isinf(out)] = np.nan
    return out, fault


def days(cells: pa.ChunkedArray) -> tuple[Dates, Codes]:
    """Days written YYYY-MM-DD, NaT where empty or faulty. Shapes (n,)."""
    out, fault = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int8)
    at = 0
    for chunk in cells.chunks:
        n = len(chunk)
        _days(*_buffers(chunk), out[at : at + n], fault[at : at + n])
        at += n
    found = out.astype("M8[D]")
    found[fault != Fault.NONE] = np.datetime64("NaT")
    return found, fault


def codes(words: pa.StringArray) -> Codes:
    """Faults of codes: empty, with blanks around them, or with characters that do not print."""
    tidy = pc.and_(pc.equal(words, pc.utf8_trim_whitespace(words)), pc.utf8_is_printable(words))
    fault = np.where(tidy.to_numpy(zero_copy_only=False), Fault.NONE, Fault.BLANKS).astype(np.int8)
    fault[pc.equal(words, "").to_numpy(zero_copy_only=False)] = Fault.EMPTY
    return fault


@kernel
def _scaled(ends: Ends, data: Bytes, decimals: int, out: Ints, fault: Codes) -> None:
    for row in range(out.shape[0]):
        if ends[row] == ends[row + 1]:
            fault[row] = 1
        else:
            value, code = _scaled_cell(data, ends[row], ends[row + 1], decimals)
            out[row] = value if code == 0 else 0
            fault[row] = code


@kernel
def _scaled_cell(data: Bytes, i: int, end: int, decimals: int) -> tuple[int, int]:
    negative = data[i] == _MINUS
    if negative or data[i] == _PLUS:
        i += 1
    value, n_digits, places, seen_point, code = 0, 0, 0, False, 0
    for k in range(i, end):
        if data[k] == _POINT and not seen_point:
            seen_point = True
            continue
        digit = int(data[k]) - _ZERO
        if digit < 0 or digit > 9:
            return 0, 2
        n_digits += 1
        if seen_point and places == decimals:
            if digit != 0:
                code = max(code, 3)
            continue
        if seen_point:
            places += 1
        if value > (_LIMIT - digit) // 10:
            code = 4
        else:
            value = value * 10 + digit
    if n_digits == 0:
        return 0, 2
    for _ in range(places, decimals):
        if value > _LIMIT // 10:
            return 0, max(code, 4)
        value *= 10
    return (-value if negative else value), code


@kernel
def _number_shape(ends: Ends, data: Bytes, fault: Codes) -> None:
    # [+-] digits [. digits] [e [+-] digits], with at least one digit before the exponent.
    for row in range(fault.shape[0]):
        i, end = ends[row], ends[row + 1]
        if i == end:
            fault[row] = 1
            continue
        if data[i] == _MINUS:
            i += 1
        n_digits, n_exponent, seen_point, seen_e, code = 0, 0, False, False, 0
        while i < end:
            byte = data[i]
            i += 1
            if _ZERO <= byte <= _NINE:
                if seen_e:
                    n_exponent += 1
                else:
                    n_digits += 1
            elif byte == _POINT and not seen_point and not seen_e:
                seen_point = True
            elif byte in (_E, _SMALL_E) and not seen_e and n_digits > 0:
                seen_e = True
                if i < end and (data[i] == _MINUS or data[i] == _PLUS):
                    i += 1
            else:
                code = 2
                break
        if n_digits == 0 or (seen_e and n_exponent == 0):
            code = 2
        fault[row] = code


@kernel
def _days(ends: Ends, data: Bytes, out: Ints, fault: Codes) -> None:
    for row in range(out.shape[0]):
        start, end = ends[row], ends[row + 1]
        if start == end:
            fault[row] = 1
            continue
        if end - start != 10:
            fault[row] = 5
            continue
        code, number = 0, 0
        for k in range(10):
            byte = data[start + k]
            if k == 4 or k == 7:
                if byte != _MINUS:
                    code = 5
            elif byte < _ZERO or byte > _NINE:
                code = 5
            else:
                number = number * 10 + (byte - _ZERO)
        if code == 0:
            year, month, day = number // 10000, number // 100 % 100, number % 100
            leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            length = 31
            if month == 2:
                length = 29 if leap else 28
            elif month == 4 or month == 6 or month == 9 or month == 11:
                length = 30
            if month < 1 or month > 12 or day < 1 or day > length or year < 1900 or year > 2199:
                code = 6
            else:
                # Days from the civil calendar: years begin in March, so that leap days come last.
                y = year - 1 if month <= 2 else year
                m = month + 9 if month <= 2 else month - 3
                in_year = (153 * m + 2) // 5 + day - 1
                out[row] = y * 365 + y // 4 - y // 100 + y // 400 + in_year - 719468
        fault[row] = code
