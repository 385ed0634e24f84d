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
_ROWS_AT_ONCE = 16_384  # their bytes stay in the processor's cache
_SHORT = 64  # bytes; longer ones that do not stand side by side are copied one by one
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
    def of_texts(texts: Sequence[str]) -> Slices:
        """Texts in UTF-8."""
        import pyarrow as pa

        return _variable(pa.array(texts, pa.large_string()))

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
        alike = [_alike(column, rows) for column in columns]
        if any(one is None for one in alike):
            data = _encode_rows([_field(column, rows) for column in columns])
        else:
            data = _encode_alike(alike)
        yield memoryview(data.data)
    yield memoryview(_TRAILER)


def _encode_alike(fields: Sequence[Any]) -> Bytes:
    """Rows of one width. fields: values as they are sent, or as many nulls as a range has members."""
    parts: list[tuple[str, Any]] = [("count", ">i2")]
    for k, field in enumerate(fields):
        parts.append((f"length_{k}", ">i4"))
        if isinstance(field, np.ndarray):
            parts.append((f"value_{k}", field.dtype))
    out = np.empty(len(fields[0]), parts)
    out["count"] = len(fields)
    for k, field in enumerate(fields):
        if isinstance(field, np.ndarray):
            out[f"length_{k}"], out[f"value_{k}"] = field.dtype.itemsize, field
        else:
            out[f"length_{k}"] = -1
    return out.view(np.uint8)


def _alike(column: Any, rows: slice) -> NDArray[Any] | range | None:
    """The values as they are sent, where all have one length; a range where all are null; else None."""
    if isinstance(column, Nullable | Json) or (isinstance(column, np.ndarray) and column.dtype.kind == "M"):
        return _without_nulls(column, rows)
    if isinstance(column, np.ndarray):
        return _on_wire(column[rows])
    if not isinstance(column, Slices):
        column = _variable(column[rows])
        rows = slice(None)
    return _of_one_length(column, rows)


def _without_nulls(column: Any, rows: slice) -> NDArray[Any] | range | None:
    if isinstance(column, Json):
        texts = column.texts[rows]
        return range(len(texts)) if all(text is None for text in texts) else None
    values, is_null = (column.values, column.is_null) if isinstance(column, Nullable) else (column, None)
    is_null = np.isnat(values[rows]) if is_null is None else is_null[rows]
    if is_null.all():
        return range(len(is_null))
    return None if is_null.any() else _on_wire(values[rows])


def _of_one_length(column: Slices, rows: slice) -> NDArray[Any] | range | None:
    starts, lengths = column.starts[rows], column.lengths[rows]
    length = int(lengths[0])
    if (lengths != length).any():
        return None
    if length <= 0:
        return range(len(starts)) if length < 0 else None
    steps = np.diff(starts)
    first = int(starts[0])
    if (steps == length).all():
        data = column.data[first : first + len(starts) * length]
    elif not steps.any():
        return np.broadcast_to(column.data[first : first + length].view(f"V{length}"), len(starts))
    elif length <= _SHORT:
        data = column.data[starts[:, None] + np.arange(length)].reshape(-1)
    else:
        return None
    return np.ascontiguousarray(data).view(f"V{length}")


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
        return _fixed(column[rows], np.isnat(column[rows]) if column.dtype.kind == "M" else None)
    return _variable(column[rows])


def _fixed(values: NDArray[Any], is_null: Bools | None) -> Slices:
    sent = _on_wire(values)
    n, size = len(sent), sent.dtype.itemsize
    lengths = np.full(n, size, np.int64)
    if is_null is not None:
        lengths[is_null] = -1
    return Slices(np.ascontiguousarray(sent).view(np.uint8), np.arange(n, dtype=np.int64) * size, lengths)


def _on_wire(values: NDArray[Any]) -> NDArray[Any]:
    """The values in the bytes of PostgreSQL; a missing date is day 0."""
    if values.dtype.kind == "M":
        days = values.astype("M8[D]")
        values = np.where(np.isnat(days), 0, (days - _EPOCH).astype(np.int64)).astype(np.int32)
    return values.astype(_WIRE[f"{values.dtype.kind}{values.dtype.itemsize}"])


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
