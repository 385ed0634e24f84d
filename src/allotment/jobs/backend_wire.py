"""What crosses between us and a backend that is a program of its own: Arrow IPC streams.

Both ways one record batch of one row, whose lists are the columns of `optimize.problem`, or of the
trades. docs/reference/backends.md tells every column with its unit. A stranger's answer is read
with care: a stream of another schema, of several batches, compressed (a few bytes may swell to any
size), cut short or inconsistent in itself is refused.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa

from allotment.optimize.backend import BackendError, Proposed, Reply
from allotment.optimize.certify import Trades
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.units import Floats

SCHEMA_VERSION = 1
_PRICES = ("cash_price", "limit_price", "te_price", "regime_price")  # of `SolveOptions`
_NEEDED, _OPTIONAL = ("sold", "bought"), ("bound",)
_ROOM = 1 << 16  # bytes beside the numbers: schema, padding


def write_problems(market: Market, problems: Problems, options: SolveOptions) -> bytes:
    """The stream that a backend reads. Matrices are flat, row by row."""
    columns = {"n_factors": pa.array([market.loadings.shape[1]], pa.int64())}
    for record in (market, problems):
        for name, column in record._asdict().items():
            flat = pa.array(np.ascontiguousarray(column).ravel())
            columns[name] = pa.ListArray.from_arrays(pa.array([0, len(flat)], pa.int32()), flat)
    for price in _PRICES:
        columns[price] = pa.array([getattr(options, price)], pa.float64())
    schema = pa.schema(
        [(name, column.type) for name, column in columns.items()],
        metadata={"allotment": "problems", "schema_version": str(SCHEMA_VERSION)},
    )
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, schema) as stream:
        stream.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return bytes(out.getvalue())


def size_most(problems: Problems) -> int:
    """Bytes that an answer may have: its numbers twice, and room for the rest."""
    return 16 * (len(problems.lot_weight) + len(problems.held) + problems.n_joint) + _ROOM


def read_trades(data: bytes) -> Proposed:
    """The answer of a backend: lists of doubles `sold`, `bought` and, if it likes, `bound`.

    Raises BackendError for what is no such stream. Whether the numbers make sense is not asked here.
    """
    try:
        batch = _only_batch(data)
        batch.validate(full=True)
        columns = {name: _list(batch, name) for name in batch.schema.names}
    except (pa.ArrowException, struct.error, ValueError, OSError) as error:
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BackendError(Reply.GARBAGE, f"its answer is no Arrow stream of trades: {told}") from error
    return Proposed(Trades(columns["sold"], columns["bought"]), columns.get("bound"))


def _only_batch(data: bytes) -> pa.RecordBatch:
    stream = pa.ipc.open_stream(data)
    schema = stream.schema
    known = {*_NEEDED, *_OPTIONAL}
    wanted = pa.list_(pa.float64())
    for field in schema:
        if field.name not in known:
            raise ValueError(f"it has an unknown column {field.name!r}")
        if not (pa.types.is_list(field.type) and field.type.value_type == wanted.value_type):
            raise ValueError(f"its column {field.name!r} is {field.type}, not {wanted}")
    missing = sorted(set(_NEEDED) - set(schema.names))
    if missing or len(set(schema.names)) < len(schema.names):
        raise ValueError(f"it has no column {missing[0]!r}" if missing else "a column stands twice")
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(data))
    kinds = (_next(messages), _next(messages))
    if kinds[1].type != "record batch" or _is_compressed(bytes(kinds[1].metadata)):
        raise ValueError("it is compressed, or not a plain record batch")
    batch = stream.read_next_batch()
    if batch.num_rows != 1:
        raise ValueError(f"it has {batch.num_rows} rows, not 1")
    return batch


def _next(reader: Any) -> Any:
    try:
        return reader.read_next_message()
    except StopIteration:
        raise ValueError("it has no schema, or no record batch") from None


def _is_compressed(metadata: bytes) -> bool:
    """Does the flatbuffer of a message name a compression? Its field 2 is a record batch, whose field 3
    that would be (github.com/apache/arrow, format/Message.fbs)."""

    def field(table: int, number: int) -> int:
        vtable = table - int(struct.unpack_from("<i", metadata, table)[0])
        (size,) = struct.unpack_from("<H", metadata, vtable)
        place = 4 + 2 * number
        return int(struct.unpack_from("<H", metadata, vtable + place)[0]) if place < size else 0

    (message,) = struct.unpack_from("<I", metadata, 0)
    header = message + field(message, 2)
    record = header + int(struct.unpack_from("<I", metadata, header)[0])
    return field(record, 3) != 0


def _list(batch: pa.RecordBatch, name: str) -> Floats:
    """The list of the one row; what is null is no number."""
    column = batch.column(name)
    if column.null_count:
        raise ValueError(f"its column {name!r} is null")
    values: Floats = column.flatten().to_numpy(zero_copy_only=False)
    return values
