"""The ledger as it is written, out to a table and into an empty firm: for another database, for auditors.

Rows keep everything that is hashed and the time they became known, so the chain of postings that was
written here is the chain that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg import sql

from allotment.errors import DataError
from allotment.ledger.chain import Posting
from allotment.store import binary_copy, records
from allotment.store.event_chain import NUMBERS
from allotment.store.record_copy import pass_identities
from allotment.store.session import FirmStore

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 200_000
_NAMES = [name for name, _ in NUMBERS]
_DATES = ("effective", "settles")
_MICROS_1970_TO_2000 = 946_684_800 * 1_000_000


def read_events(firm: FirmStore, last_seq: int) -> Iterator[pa.Table]:
    """The stored events up to a sequence, in pieces, columns as in the table `event`."""
    for first in range(1, last_seq + 1, _ROWS_AT_ONCE):
        yield firm.arrow(
            sql.SQL(
                "SELECT {}, known_at, actor_id, currency, source, source_id, terms::text AS terms, lots, "
                "named_lots FROM event WHERE ledger_seq BETWEEN {} AND {} ORDER BY ledger_seq"
            ).format(
                sql.SQL(", ").join(map(sql.Identifier, _NAMES)),
                first,
                min(first + _ROWS_AT_ONCE - 1, last_seq),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorRow:
    """An actor under the number that events name."""

    actor_id: int
    name: str
    kind: str
    roles: tuple[str, ...]
    is_active: bool


def read_actors(firm: FirmStore) -> list[ActorRow]:
    """Everybody who may have written events."""
    return firm.rows(
        ActorRow, sql.SQL("SELECT {} FROM actor ORDER BY actor_id").format(records.columns(ActorRow))
    )


def write_actors(firm: FirmStore, actors: Sequence[ActorRow]) -> None:
    """Actors under their numbers. Raises DataError when a number or a name is somebody else's."""
    known = {actor.actor_id: actor.name for actor in read_actors(firm)}
    for actor in actors:
        if actor.actor_id in known or actor.name in known.values():
            if known.get(actor.actor_id) == actor.name:
                continue
            raise DataError(
                f"actor {actor.name!r} has number {actor.actor_id} in these books and another one here; "
                "rebuild them in a firm that has no actors of its own."
            )
        firm.connection().execute(
            sql.SQL("INSERT INTO actor ({}) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s)").format(
                records.columns(ActorRow)
            ),
            records.values(actor),
        )
    pass_identities(firm, "actor", "actor_id")


def write_events(firm: FirmStore, table: pa.Table) -> int:
    """Copy events as they were written elsewhere; the number of rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, Any] = {}
    for name, kind in NUMBERS:
        column = table[name].combine_chunks()
        if name in _DATES:
            columns[name] = column.to_numpy(zero_copy_only=False).astype("M8[D]")
        elif name == "reverses":
            values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.int64)
            columns[name] = binary_copy.Nullable(values, values == 0)
        else:
            columns[name] = column.to_numpy(zero_copy_only=False).astype(
                np.int64 if kind == ">i8" else np.int16
            )
    known = table["known_at"].combine_chunks().cast(pa.timestamp("us", tz="UTC"))
    # A timestamptz comes over the wire as microseconds since 2000.
    columns["known_at"] = known.cast(pa.int64()).to_numpy() - _MICROS_1970_TO_2000
    columns["actor_id"] = table["actor_id"].to_numpy().astype(np.int32)
    for name in ("source", "source_id", "currency"):
        columns[name] = table[name].combine_chunks().cast(pa.large_string())
    columns["terms"] = binary_copy.Json(table["terms"].to_pylist())
    for name in ("lots", "named_lots"):
        columns[name] = table[name].combine_chunks().cast(pa.large_binary())
    return firm.copy_in("event", columns)


def write_postings(firm: FirmStore, postings: Sequence[Posting], next_seq: int) -> None:
    """The chain as it was written, and the sequence that comes next."""
    connection = firm.connection()
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO posting (first_seq, last_seq, known_at, actor_id, source, root, link) VALUES "
            "(%s, %s, timestamptz 'epoch' + %s * interval '1 microsecond', %s, %s, %s, %s)",
            [
                [p.first_seq, p.last_seq, p.known_at_micros, p.actor_id, p.source, p.root, p.link]
                for p in postings
            ],
        )
    connection.execute("UPDATE ledger_head SET next_seq = %s", [next_seq])
