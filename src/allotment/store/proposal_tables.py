"""Proposals in and out of PostgreSQL: their figures as columns, trades and reasons packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from psycopg import sql

from allotment.rebalance.proposal import Proposal, ProposalState, Trades
from allotment.rebalance.reasons import TradeReasons, Untraded
from allotment.store import packed, records
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints

LAYOUT = packed.layout_of(Trades, 1)
# The columns of a proposal, each a blob beside its number of rows.
_PACKED: tuple[tuple[str, type[Any], packed.Layout], ...] = (
    ("trades", Trades, LAYOUT),
    ("reasons", TradeReasons, packed.layout_of(TradeReasons, 1)),
    ("untraded", Untraded, packed.layout_of(Untraded, 1)),
)
_FIGURES = tuple(f.name for f in fields(Proposal) if f.name not in {name for name, _, _ in _PACKED})
_CELLS = sql.SQL(", ").join(map(sql.Identifier, _FIGURES))
_BLOBS = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in _PACKED)
_COUNTED = sql.SQL(", ").join(sql.SQL("n_{0}, {0}").format(sql.SQL(name)) for name, _, _ in _PACKED)


def save_proposals(firm: FirmStore, run_id: int, proposals: Sequence[Proposal]) -> None:
    """Store what the run decided."""
    if not proposals:
        return
    blobs = [_pack(proposals, *columns) for columns in _PACKED]
    copying = sql.SQL("COPY proposal (run_id, {}, {}) FROM STDIN").format(_COUNTED, _CELLS)
    with (
        firm.transaction() as connection,
        connection.cursor() as cursor,
        cursor.copy(copying) as copy,
    ):
        for i, one in enumerate(proposals):
            cells = [cell for packed_ones in blobs for cell in packed_ones[i]]
            copy.write_row([run_id, *cells, *(records.plain(getattr(one, name)) for name in _FIGURES)])


def _pack(
    proposals: Sequence[Proposal], name: str, record: type[Any], layout: packed.Layout
) -> list[tuple[int, bytes]]:
    """One of the column records of each proposal: its number of rows and its blob."""
    parts = [getattr(one, name) for one in proposals]
    counts = [len(part.security_id) for part in parts]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    together = record(**{c: np.concatenate([getattr(part, c) for part in parts]) for c in layout.names})
    data, offsets = packed.pack(together, starts, layout)
    whole = data.tobytes()
    return [(count, whole[offsets[i] : offsets[i + 1]]) for i, count in enumerate(counts)]


def load_proposals(
    firm: FirmStore, run_id: int, account_ids: Sequence[int] | Ints | None = None
) -> tuple[Proposal, ...]:
    """Proposals of a run with their trades, by account."""
    query = sql.SQL("SELECT {}, {} FROM proposal WHERE run_id = {} AND {} ORDER BY account_id").format(
        _CELLS, _BLOBS, run_id, some_ids(account_ids, "account_id")
    )
    return _load(firm, query)


def latest_proposal(firm: FirmStore, account_id: int) -> Proposal | None:
    """The newest proposal of an account from a finished run."""
    query = sql.SQL(
        "SELECT {}, {} FROM proposal WHERE account_id = {} AND run_id IN "
        "(SELECT run_id FROM run WHERE state = 'finished') ORDER BY run_id DESC LIMIT 1"
    ).format(_CELLS, _BLOBS, account_id)
    found = _load(firm, query)
    return found[0] if found else None


def _load(firm: FirmStore, query: sql.Composed) -> tuple[Proposal, ...]:
    with firm.connection().cursor(binary=True) as cursor:
        rows = cursor.execute(query).fetchall()
    first = len(_FIGURES)
    columns = [
        _unpack([row[first + at] for row in rows], record, layout)
        for at, (_, record, layout) in enumerate(_PACKED)
    ]
    return tuple(
        _proposal(row, {name: part[i] for (name, _, _), part in zip(_PACKED, columns, strict=True)})
        for i, row in enumerate(rows)
    )


def _unpack(blobs: Sequence[bytes], record: type[Any], layout: packed.Layout) -> list[Any]:
    """The column record of each blob."""
    offsets = np.zeros(len(blobs) + 1, np.int64)
    np.cumsum([len(blob) for blob in blobs], out=offsets[1:])
    together, starts = packed.unpack(np.frombuffer(b"".join(blobs), np.uint8), offsets, layout, record)
    return [
        record(**{c: getattr(together, c)[starts[i] : starts[i + 1]].copy() for c in layout.names})
        for i in range(len(blobs))
    ]


def _proposal(row: Sequence[Any], columns: dict[str, Any]) -> Proposal:
    figures = dict(zip(_FIGURES, row, strict=False))
    figures["state"] = ProposalState(figures["state"])
    return Proposal(**figures, **columns)
