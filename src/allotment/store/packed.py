"""Columns of one row group packed into one blob, as plain big-endian bytes that SQL can read.

Layout::

    2 bytes  "AL"
    1 byte   layout version (2 hexadecimal digits in SQL views)
    1 byte   number of columns
    4 bytes  number of rows n, big-endian
    then each column in the order of the record's fields: n values of its width

Widths: int64 and float64 8 bytes, int32 and dates 4 (days from 1970-01-01, NaT the smallest int32),
int8 1. Column j of row i is at 8 + n × (widths of the columns before j) + i × width of j.
The SQL function ``packed_int`` (migrations/firm) reads one value.

Why not rows: measured, a book's lots read an order of magnitude faster (docs/internals/store.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from allotment.compiled import inner, kernel
from allotment.errors import StoreError
from allotment.units import Ints

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint32]
DoubleWords = NDArray[np.uint64]
_Columns = TypeVar("_Columns")

HEADER_BYTES = 8
_MAGIC = b"AL"
_NOT_A_DAY = np.iinfo(np.int32).min
_NO_TIME = np.iinfo(np.int64).min  # NumPy's NaT
_SIGN = 2**31


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns, of which types, a blob holds. `types`: i8, i4, i1, f8 or D (a date)."""

    version: int
    names: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Bytes of one value, per column."""
        return tuple(4 if kind == "D" else int(kind[1]) for kind in self.types)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return sum(self.widths)


_TYPE_OF_ALIAS = {"Ints": "i8", "Index": "i4", "Codes": "i1", "Floats": "f8", "Dates": "D"}


def layout_of(record: type, version: int, *, without: Sequence[str] = ()) -> Layout:
    """The layout of a column record by its annotations (`Ints`, `Index`, `Codes`, …)."""
    kept = [f for f in fields(record) if f.name not in without]
    return Layout(
        version, tuple(f.name for f in kept), tuple(_TYPE_OF_ALIAS[str(f.type).split(" ")[0]] for f in kept)
    )


def pack(columns: Any, starts: Ints, layout: Layout) -> tuple[Bytes, Ints]:
    """Blobs of consecutive row groups of a column record: group g is rows starts[g]:starts[g+1].

    starts: (n_groups + 1,), ascending from 0 to the number of rows. Returns all blobs in one
    buffer and the offsets (n_groups + 1,) into it.
    """
    counts = np.diff(starts)
    sizes = HEADER_BYTES + counts * layout.row_bytes
    offsets = np.zeros(counts.shape[0] + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    buffer = np.empty(int(offsets[-1]), np.uint8)
    head = np.frombuffer(_MAGIC + bytes([layout.version, len(layout.names)]), np.uint8)
    _put_headers(buffer, offsets, counts, head)
    before = 0
    for name, kind, width in zip(layout.names, layout.types, layout.widths, strict=True):
        data = _to_wire(getattr(columns, name), kind)
        _put_column(buffer, offsets, starts, before, width, data)
        before += width
    return buffer, offsets


def unpack(
    buffer: Bytes, offsets: Ints, layout: Layout, record: type[_Columns], **more: Any
) -> tuple[_Columns, Ints]:
    """The columns of all blobs, one after the other, and the rows' starts (n_groups + 1,).

    `more`: functions of the starts that give the record's columns outside the layout.
    Raises StoreError for a blob of another layout.
    """
    n_rows = int(row_counts(offsets, layout).clip(0).sum())
    columns = empty(layout, n_rows)
    starts = unpack_into(columns, 0, buffer, offsets, layout)
    for name, column in more.items():
        columns[name] = column(starts)
    return record(**columns), starts


def empty(layout: Layout, n_rows: int) -> dict[str, NDArray[Any]]:
    """Columns of a layout, not yet filled."""
    return {
        name: np.empty(n_rows, "M8[D]" if kind == "D" else kind)
        for name, kind in zip(layout.names, layout.types, strict=True)
    }


def unpack_into(
    columns: dict[str, NDArray[Any]], first: int, buffer: Bytes, offsets: Ints, layout: Layout
) -> Ints:
    """Write the columns of all blobs, one after the other, behind the `first` rows of `columns`, which
    have room for them. Returns the rows' starts (n_groups + 1,), from 0.

    Raises StoreError, with nothing written, for a blob of another layout.
    """
    counts = _read_counts(buffer, offsets, layout)
    starts = np.zeros(counts.shape[0] + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    before = 0
    for name, kind, width in zip(layout.names, layout.types, layout.widths, strict=True):
        out = columns[name][first : first + int(starts[-1])]
        if kind == "D":
            _take_days(buffer, offsets, starts, before, out.view(np.int64))
        elif width == 1:
            _take_bytes(buffer, offsets, starts, before, out.view(np.uint8))
        elif width == 4:
            _take_words(buffer, offsets, starts, before, out.view(np.uint32))
        else:
            _take_doubles(buffer, offsets, starts, before, out.view(np.uint64))
        before += width
    return starts


def row_counts(offsets: Ints, layout: Layout) -> Ints:
    """Rows of each blob of a layout, by its length."""
    return (np.diff(offsets) - HEADER_BYTES) // layout.row_bytes


def _read_counts(buffer: Bytes, offsets: Ints, layout: Layout) -> Ints:
    first = offsets[:-1]
    if np.any(np.diff(offsets) < HEADER_BYTES):
        raise StoreError("a packed column blob is shorter than its header; restore a backup.")
    head = np.frombuffer(_MAGIC + bytes([layout.version, len(layout.names)]), np.uint8)
    for k in range(4):
        if np.any(buffer[first + k] != head[k]):
            raise StoreError(
                f"a packed column blob is not of layout {layout.version} with {len(layout.names)} columns; "
                "this program is older than the data. Use the release that wrote it, or a newer one."
            )
    counts = np.zeros(first.shape[0], np.int64)
    for k in range(4, HEADER_BYTES):
        counts = counts * 256 + buffer[first + k]
    if np.any(HEADER_BYTES + counts * layout.row_bytes != np.diff(offsets)):
        raise StoreError("a packed column blob has another length than its header says; restore a backup.")
    return counts


def _to_wire(values: NDArray[Any], kind: str) -> Bytes:
    if kind == "D":
        days = values.astype("M8[D]").astype(np.int64)
        values = np.where(np.isnat(values), _NOT_A_DAY, days).astype(np.int32)
        kind = "i4"
    return np.ascontiguousarray(values).astype(f">{kind}").view(np.uint8)


@kernel
def _put_headers(buffer: Bytes, offsets: Ints, counts: Ints, head: Bytes) -> None:
    for g in range(counts.shape[0]):
        at = offsets[g]
        for k in range(4):
            buffer[at + k] = head[k]
            buffer[at + 4 + k] = (counts[g] >> (24 - 8 * k)) & 255


@kernel
def _put_column(buffer: Bytes, offsets: Ints, starts: Ints, before: int, width: int, data: Bytes) -> None:
    for g in range(starts.shape[0] - 1):
        n = starts[g + 1] - starts[g]
        to = offsets[g] + HEADER_BYTES + n * before
        source = starts[g] * width
        for k in range(n * width):
            buffer[to + k] = data[source + k]


@inner
def _word(buffer: Bytes, at: int) -> np.uint32:
    """Four bytes, big-endian; the compiler makes one load of it."""
    high = (np.uint32(buffer[at]) << np.uint32(24)) | (np.uint32(buffer[at + 1]) << np.uint32(16))
    low = (np.uint32(buffer[at + 2]) << np.uint32(8)) | np.uint32(buffer[at + 3])
    return np.uint32(high | low)


@kernel
def _take_bytes(buffer: Bytes, offsets: Ints, starts: Ints, before: int, out: Bytes) -> None:
    for g in range(starts.shape[0] - 1):
        n = starts[g + 1] - starts[g]
        at = offsets[g] + HEADER_BYTES + n * before
        for i in range(n):
            out[starts[g] + i] = buffer[at + i]


@kernel
def _take_words(buffer: Bytes, offsets: Ints, starts: Ints, before: int, out: Words) -> None:
    for g in range(starts.shape[0] - 1):
        n = starts[g + 1] - starts[g]
        at = offsets[g] + HEADER_BYTES + n * before
        for i in range(n):
            out[starts[g] + i] = _word(buffer, at + 4 * i)


@kernel
def _take_doubles(buffer: Bytes, offsets: Ints, starts: Ints, before: int, out: DoubleWords) -> None:
    for g in range(starts.shape[0] - 1):
        n = starts[g + 1] - starts[g]
        at = offsets[g] + HEADER_BYTES + n * before
        for i in range(n):
            high, low = _word(buffer, at + 8 * i), _word(buffer, at + 8 * i + 4)
            out[starts[g] + i] = (np.uint64(high) << np.uint64(32)) | np.uint64(low)


@kernel
def _take_days(buffer: Bytes, offsets: Ints, starts: Ints, before: int, out: Ints) -> None:
    for g in range(starts.shape[0] - 1):
        n = starts[g + 1] - starts[g]
        at = offsets[g] + HEADER_BYTES + n * before
        for i in range(n):
            day = np.int64(_word(buffer, at + 4 * i))
            if day >= _SIGN:
                day -= 2 * _SIGN
            out[starts[g] + i] = _NO_TIME if day == _NOT_A_DAY else day
