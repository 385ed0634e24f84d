"""Events as the rows that PostgreSQL keeps, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from allotment.ledger.events import Events, EventTerms, LotsPayload
from allotment.store import packed
from allotment.store.array_wire import Blobs
from allotment.store.binary_copy import Json, Nullable, Slices
from allotment.units import Bools, Index, Ints

COLUMNS = (
    "household_id",
    "account_id",
    "sleeve_id",
    "day_seq",
    "security_id",
    "quantity_nano",
    "amount_cents",
    "order_id",
    "other_account_id",
    "effective",
    "settles",
    "kind",
    "detail",
)
_ID_DIGITS = 12
BLOBS = ("terms", "lots", "named_lots")
_PAYLOAD = packed.layout_of(LotsPayload, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedLots:
    """Lots that sales and transfers name. Shape (n_named,)."""

    event: Ints
    line: Index
    quantity_nano: Ints


_NAMED = packed.layout_of(_NamedLots, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRows:
    """Rows of the table `event` of one source, shape (n,)."""

    columns: dict[str, Ints]  # of NUMBERS, and days as datetime64
    source: str
    source_ids: Slices
    terms: Sequence[str | None] | None  # None: no event has any
    lots: Slices
    named_lots: Slices


# ── in ───────────────────────────────────────────────────────────────────────────────────────


def rows_of(events: Events, source: str, source_ids: Slices) -> EventRows:
    """The rows as they are stored."""
    texts: list[str | None] | None = None
    if (events.terms_ix >= 0).any():
        distinct = _terms_texts(events.terms)
        texts = [distinct[i] if i >= 0 else None for i in events.terms_ix.tolist()]
    named = _NamedLots(
        event=events.named_event, line=events.named_line, quantity_nano=events.named_quantity_nano
    )
    return EventRows(
        columns={name: getattr(events, name) for name in ("ledger_seq", "reverses", *COLUMNS)},
        source=source,
        source_ids=source_ids,
        terms=texts,
        lots=_blobs(events.lots, events.lots_start, _PAYLOAD),
        named_lots=_blobs(named, events.named_start, _NAMED),
    )


def table_columns(rows: EventRows) -> dict[str, Any]:
    """The columns of the table `event`, as `binary_copy` takes them."""
    n_rows = len(rows.source_ids)
    columns: dict[str, Any] = dict(rows.columns)
    reverses = columns["reverses"]
    columns["reverses"] = Nullable(reverses, reverses == 0)
    columns["terms"] = Slices.nulls(n_rows) if rows.terms is None else Json(rows.terms)
    columns["lots"], columns["named_lots"] = rows.lots, rows.named_lots
    columns["source"], columns["source_id"] = Slices.repeated(rows.source, n_rows), rows.source_ids
    return columns


def _blobs(columns: Any, starts: Ints, layout: packed.Layout) -> Slices:
    data, offsets = packed.pack(columns, starts, layout)
    lengths = np.where(np.diff(starts) > 0, np.diff(offsets), -1)
    return Slices(data, offsets[:-1], lengths)


def _terms_texts(terms: EventTerms) -> list[str]:
    names = [f.name for f in fields(EventTerms)]
    columns = [getattr(terms, name).tolist() for name in names]
    return [
        json.dumps(dict(zip(names, row, strict=True)), sort_keys=True) for row in zip(*columns, strict=True)
    ]


def numbers_as_ids(ledger_seq: Ints) -> list[str]:
    """Ids of events whose source has none: # and twelve digits or more."""
    return [f"#{one:0>12}" for one in ledger_seq.tolist()]


def packed_ids(ledger_seq: Ints) -> Slices:
    """`numbers_as_ids` as they are copied."""
    n, width = len(ledger_seq), _ID_DIGITS + 1
    if ledger_seq.min() < 0 or ledger_seq.max() >= 10**_ID_DIGITS:
        return Slices.of_texts(numbers_as_ids(ledger_seq))
    texts = np.full((n, width), ord("0"), np.uint8)
    texts[:, 0] = ord("#")
    rest, place = ledger_seq, width
    while rest.any():
        place -= 1
        higher = rest // 10
        texts[:, place] += (rest - 10 * higher).astype(np.uint8)
        rest = higher
    return Slices(texts.reshape(-1), np.arange(n) * width, np.full(n, width))


# ── out ──────────────────────────────────────────────────────────────────────────────────────


def events_of(found: Mapping[str, Any]) -> Events:
    """The events of columns as they are read: COLUMNS, `ledger_seq`, `reverses`, and BLOBS."""
    lots, lots_start = _unpacked(found["lots"], _PAYLOAD, LotsPayload)
    named, named_start = _unpacked(found["named_lots"], _NAMED, _NamedLots)
    terms, terms_ix = _terms_of(found["terms"])
    columns = {name: found[name] for name in ("ledger_seq", "reverses", *COLUMNS)}
    columns |= {name: columns[name].astype(np.int8) for name in ("kind", "detail")}
    return Events(
        **columns,
        terms_ix=terms_ix,
        lots_start=lots_start,
        lots=lots,
        named_start=named_start,
        named_event=named.event,
        named_line=named.line,
        named_quantity_nano=named.quantity_nano,
        terms=terms,
    )


def _unpacked(blobs: Blobs, layout: packed.Layout, record: type[Any]) -> tuple[Any, Ints]:
    """The rows of the blobs that are there, and their starts per event (n_events + 1,)."""
    has_rows: Bools = np.diff(blobs.offsets) > 0
    offsets = np.append(blobs.offsets[:-1][has_rows], blobs.offsets[-1])
    columns, starts = packed.unpack(blobs.data, offsets, layout, record)
    counts = np.zeros(has_rows.shape[0], np.int64)
    counts[has_rows] = np.diff(starts)
    each = np.zeros(has_rows.shape[0] + 1, np.int64)
    np.cumsum(counts, out=each[1:])
    return columns, each


def _terms_of(blobs: Blobs) -> tuple[EventTerms, Index]:
    """Distinct terms, and each event's row of them (-1: none)."""
    terms_ix = np.full(blobs.offsets.shape[0] - 1, -1, np.int32)
    row_of: dict[bytes, int] = {}
    data = blobs.data.tobytes()
    for i in np.flatnonzero(np.diff(blobs.offsets)).tolist():
        text = data[blobs.offsets[i] : blobs.offsets[i + 1]]
        terms_ix[i] = row_of.setdefault(text, len(row_of))
    distinct = [json.loads(text) for text in row_of]
    columns: dict[str, Any] = {
        f.name: np.array([one[f.name] for one in distinct], np.int8 if str(f.type) == "Codes" else np.int64)
        for f in fields(EventTerms)
    }
    return EventTerms(**columns), terms_ix
