"""Columns out of PostgreSQL: the server aggregates them to arrays, NumPy reads the arrays' bytes.

Source: the binary form of an array in PostgreSQL (`array_send`): dimensions, null flag, element
type, size and lower bound, 4 bytes each, then per element its length (4 bytes) and value, all
big-endian. Without nulls every element has the same size, so the values are a strided view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from allotment.units import Ints

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_HEADER_BYTES = 20
_DATE = 1082
_WIRE = {16: "u1", 20: ">i8", 21: ">i2", 23: ">i4", 701: ">f8", _DATE: ">i4"}  # by type number
_OWN = {16: "?", 20: "i8", 21: "i2", 23: "i4", 701: "f8", _DATE: "M8[D]"}
_EPOCH_DAYS = 10957  # 2000-01-01, PostgreSQL's day 0, counted from 1970-01-01
_MINUS_INFINITY = np.iinfo(np.int32).min


@dataclass(frozen=True, slots=True)
class Blobs:
    """A column of byte strings: row i is data[offsets[i]:offsets[i + 1]]; null is empty."""

    data: NDArray[np.uint8]
    offsets: Ints  # (n_rows + 1,)


def aggregating(
    query: sql.SQL | sql.Composed, names: Sequence[str], by: str, blobs: Sequence[str]
) -> sql.Composed:
    """The statement that gives one row of arrays per value of `by`."""
    arrays = [sql.SQL("array_agg({})").format(sql.Identifier(name)) for name in names]
    for name in blobs:
        column = sql.Identifier(name)
        arrays.append(sql.SQL("array_agg(coalesce(length({}), 0))").format(column))
        arrays.append(sql.SQL("coalesce(string_agg({}, ''::bytea), '')").format(column))
    return sql.SQL("SELECT {arrays} FROM ({query}) q GROUP BY {by} ORDER BY {by}").format(
        arrays=sql.SQL(", ").join(arrays), query=query, by=sql.Identifier(by)
    )


def decode(result: PGresult, names: Sequence[str], blobs: Sequence[str]) -> dict[str, Any]:
    """The columns of the statement's binary result. Dates of minus infinity are NaT."""
    groups = range(result.ntuples)
    types = [_element(result.ftype(j)) for j in range(len(names))]
    found: dict[str, Any] = {
        name: _joined([result.get_value(i, j) for i in groups], types[j]) for j, name in enumerate(names)
    }
    for k, name in enumerate(blobs):
        j = len(names) + 2 * k
        lengths = _joined([result.get_value(i, j) for i in groups], 23)
        offsets = np.zeros(lengths.shape[0] + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        data = b"".join(result.get_value(i, j + 1) or b"" for i in groups)
        found[name] = Blobs(np.frombuffer(data, np.uint8), offsets)
    return found


_ELEMENTS = {1000: 16, 1016: 20, 1005: 21, 1007: 23, 1022: 701, 1182: _DATE}  # array type → element type


def _element(array_type: int) -> int:
    assert array_type in _ELEMENTS, array_type
    return _ELEMENTS[array_type]


def _joined(arrays: Sequence[bytes | None], element: int) -> NDArray[Any]:
    wire = np.dtype([("length", ">i4"), ("value", _WIRE[element])])
    sizes = [(len(array) - _HEADER_BYTES) // wire.itemsize for array in arrays if array is not None]
    values = np.empty(sum(sizes), "i4" if element == _DATE else _OWN[element])
    at = 0
    for array, size in zip(arrays, sizes, strict=True):
        assert array is not None
        assert not int.from_bytes(array[4:8], "big"), "a column with nulls; coalesce it in the query"
        values[at : at + size] = np.frombuffer(array, wire, size, _HEADER_BYTES)["value"]
        at += size
    if element != _DATE:
        return values
    is_missing = values == _MINUS_INFINITY
    days = values.astype(np.int64) + _EPOCH_DAYS
    days[is_missing] = np.iinfo(np.int64).min
    return days.view("M8[D]")
