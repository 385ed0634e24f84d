"""Proposals in and out of PostgreSQL: their figures as columns, their trades packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from psycopg import sql

from allotment.rebalance.proposal import Proposal, ProposalState, Trades
from allotment.store import packed, records
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints

LAYOUT = packed.layout_of(Trades, 1)
_FIGURES = tuple(f.name for f in fields(Proposal) if f.name != "trades")
_CELLS = sql.SQL(", ").join(map(sql.Identifier, _FIGURES))


def save_proposals(firm: FirmStore, run_id: int, proposals: Sequence[Proposal]) -> None:
    """Store what the run decided."""
    if not proposals:
        return
    counts = np.array([len(one.trades) for one in proposals], np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    together = Trades(
        **{name: np.concatenate([getattr(one.trades, name) for one in proposals]) for name in LAYOUT.names}
    )
    data, offsets = packed.pack(together, starts, LAYOUT)
    blobs = data.tobytes()
    copying = sql.SQL("COPY proposal (run_id, n_trades, trades, {}) FROM STDIN").format(_CELLS)
    with (
        firm.transaction() as connection,
        connection.cursor() as cursor,
        cursor.copy(copying) as copy,
    ):
        for i, one in enumerate(proposals):
            figures = [records.plain(getattr(one, name)) for name in _FIGURES]
            copy.write_row([run_id, int(counts[i]), blobs[offsets[i] : offsets[i + 1]], *figures])


def load_proposals(
    firm: FirmStore, run_id: int, account_ids: Sequence[int] | Ints | None = None
) -> tuple[Proposal, ...]:
    """Proposals of a run with their trades, by account."""
    query = sql.SQL("SELECT {}, trades FROM proposal WHERE run_id = {} AND {} ORDER BY account_id").format(
        _CELLS, run_id, some_ids(account_ids, "account_id")
    )
    return _load(firm, query)


def latest_proposal(firm: FirmStore, account_id: int) -> Proposal | None:
    """The newest proposal of an account from a finished run."""
    query = sql.SQL(
        "SELECT {}, trades FROM proposal WHERE account_id = {} AND run_id IN "
        "(SELECT run_id FROM run WHERE state = 'finished') ORDER BY run_id DESC LIMIT 1"
    ).format(_CELLS, account_id)
    found = _load(firm, query)
    return found[0] if found else None


def _load(firm: FirmStore, query: sql.Composed) -> tuple[Proposal, ...]:
    with firm.connection().cursor(binary=True) as cursor:
        rows = cursor.execute(query).fetchall()
    blobs = [row[-1] for row in rows]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(blob) for blob in blobs], out=offsets[1:])
    data = np.frombuffer(b"".join(blobs), np.uint8)
    trades, starts = packed.unpack(data, offsets, LAYOUT, Trades)
    return tuple(_proposal(row, trades, slice(*starts[i : i + 2])) for i, row in enumerate(rows))


def _proposal(row: Sequence[Any], trades: Trades, mine: slice) -> Proposal:
    figures = dict(zip(_FIGURES, row, strict=False))
    figures["state"] = ProposalState(figures["state"])
    columns = {name: getattr(trades, name)[mine].copy() for name in LAYOUT.names}
    return Proposal(**figures, trades=Trades(**columns))
