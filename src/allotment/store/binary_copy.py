"""Columns to PostgreSQL's binary COPY format, built by compiled loops.

Source: PostgreSQL manual, COPY, "Binary Format": a header, per row the number of fields and per
field its length (-1 for null) and its value, big-endian; a trailer of -1. Dates count days from
2000-01-01.

A column is a NumPy array or an Arrow array of text or bytes. Its type decides the type of the
table's column, which must be the same, for nothing is converted:

    int8, int16 → smallint      int32 → integer     int64 → bigint      float64 → double precision
    bool → boolean              datetime64[D] → date, NaT is null
    pyarrow string or binary → text or bytea, nulls kept
    `Nullable(values, is_null)` → the type of its values
    `Slices(data, starts, lengths)` → bytea or text
    `Json(texts)` → jsonb
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from allotment.compiled import kernel
from allotment.units import Bools, Ints

if TYPE_CHECKING:
    import pyarrow as pa

Bytes = NDArray[np.uint8]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = np.datetime64("2000-01-01", "D")
_ROWS_AT_ONCE = 200_000
_WIRE = {"i1": ">i2", "i2": ">i2", "i4": ">i4", "i8": ">i8", "f8": ">f8", "b1": "u1"}


@dataclass(frozen=True, slots=True)
class Nullable:
    """A column with nulls where the mask is true; both of shape (n,)."""

    values: NDArray[Any]
    is_null: Bools

    def __len__(self) -> int:
        return int(self.values.shape[0])


@dataclass(frozen=True, slots=True)
class Slices:
    """Byte strings: row i is data[starts[i]:starts[i] + lengths[i]]; length -1 is null."""

    data: Bytes
    starts: Ints
    lengths: Ints

    def __len__(self) -> int:
        return int(self.starts.shape[0])

    @staticmethod
    def of_texts(texts: Sequence[str] | pa.Array) -> Slices:
        """Texts in UTF-8."""
        import pyarrow as pa

        return _variable(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.large_string()))

    @staticmethod
    def repeated(text: str, n_rows: int) -> Slices:
        """One text in every row."""
        data = np.frombuffer(text.encode(), np.uint8)
        return Slices(data, np.zeros(n_rows, np.int64), np.full(n_rows, len(data), np.int64))

    @staticmethod
    def nulls(n_rows: int) -> Slices:
        """Nothing in any row."""
        return Slices(np.zeros(0, np.uint8), np.zeros(n_rows, np.int64), np.full(n_rows, -1, np.int64))


@dataclass(frozen=True, slots=True)
class Json:
    """JSON texts; None is null."""

    texts: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.texts)


def encode(columns: Sequence[Any]) -> Iterator[memoryview]:
    """The stream of COPY … FROM STDIN (FORMAT binary) for columns of equal length, in pieces.

    >>> pieces = encode([np.array([1], np.int16)])
    >>> b"".join(pieces)[19:].hex()
    '000100000002' '0001' 'ffff'
    """
    n_rows = len(columns[0])
    assert all(len(column) == n_rows for column in columns)
    yield memoryview(_HEADER)
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        rows = slice(first, min(first + _ROWS_AT_ONCE, n_rows))
        yield memoryview(_encode_rows([_field(column, rows) for column in columns]).data)
    yield memoryview(_TRAILER)


def _encode_rows(fields: Sequence[Slices]) -> Bytes:
    size = np.full(fields[0].starts.shape[0], 2 + 4 * len(fields), np.int64)
    for field in fields:
        size += np.maximum(field.lengths, 0)
    position = np.cumsum(size) - size
    out = np.empty(int(size.sum()), np.uint8)
    _put_count(out, position, len(fields))
    for field in fields:
        _put_field(out, position, field.data, field.starts, field.lengths)
    return out


@kernel
def _put_count(out: Bytes, position: Ints, n_fields: int) -> None:
    for i in range(position.shape[0]):
        at = position[i]
        out[at] = n_fields >> 8
        out[at + 1] = n_fields & 255
        position[i] = at + 2


@kernel
def _put_field(out: Bytes, position: Ints, data: Bytes, starts: Ints, lengths: Ints) -> None:
    for i in range(position.shape[0]):
        at, start, length = position[i], starts[i], lengths[i]
        for k in range(4):
            out[at + k] = (length >> (24 - 8 * k)) & 255
        at += 4
        for k in range(length):
            out[at + k] = data[start + k]
        position[i] = at + max(length, 0)


def _field(column: Any, rows: slice) -> Slices:
    if isinstance(column, Nullable):
        return _fixed(column.values[rows], np.asarray(column.is_null[rows], np.bool_))
    if isinstance(column, Slices):
        starts, lengths = column.starts[rows], column.lengths[rows]
        return Slices(column.data, np.ascontiguousarray(starts), np.ascontiguousarray(lengths))
    if isinstance(column, Json):
        return _variable_of([None if t is None else b"\1" + t.encode() for t in column.texts[rows]])
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "M":
            days = column[rows].astype("M8[D]")
            since = (days - _EPOCH).astype(np.int64)
            is_null = np.isnat(days)
            return _fixed(np.where(is_null, 0, since).astype(np.int32), is_null)
        return _fixed(column[rows], None)
    return _variable(column[rows])


def _fixed(values: NDArray[Any], is_null: Bools | None) -> Slices:
    if values.dtype.kind == "M":
        values = (values.astype("M8[D]") - _EPOCH).astype(np.int64).astype(np.int32)
    wire = np.dtype(_WIRE[f"{values.dtype.kind}{values.dtype.itemsize}"])
    data = np.ascontiguousarray(values).astype(wire).view(np.uint8)
    n = values.shape[0]
    lengths = np.full(n, wire.itemsize, np.int64)
    if is_null is not None:
        lengths[is_null] = -1
    return Slices(data, np.arange(n, dtype=np.int64) * wire.itemsize, lengths)


def _variable_of(values: Sequence[bytes | None]) -> Slices:
    import pyarrow as pa

    return _variable(pa.array(values, pa.large_binary()))


def _variable(column: pa.Array) -> Slices:
    """Text or bytes from Arrow's own buffers, without a copy."""
    import pyarrow as pa

    if isinstance(column, list | tuple):
        is_bytes = any(isinstance(value, bytes) for value in column)
        column = pa.array(column, pa.large_binary() if is_bytes else pa.large_string())
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    assert wide or pa.types.is_string(column.type) or pa.types.is_binary(column.type), column.type
    offsets: Ints = np.frombuffer(column.buffers()[1], np.int64 if wide else np.int32)[
        column.offset : column.offset + len(column) + 1
    ].astype(np.int64)
    buffer = column.buffers()[2]
    data = np.frombuffer(buffer, np.uint8) if buffer is not None else np.empty(0, np.uint8)
    lengths = offsets[1:] - offsets[:-1]
    if column.null_count:
        lengths = np.where(column.is_null().to_numpy(zero_copy_only=False), -1, lengths)
    return Slices(data, np.ascontiguousarray(offsets[:-1]), lengths)
