"""Events in and out of PostgreSQL: appended once, in one order, chained, never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import psycopg
from psycopg import sql

from allotment.errors import DataError
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import take
from allotment.store import event_chain
from allotment.store.binary_copy import Slices
from allotment.store.event_rows import (
    BLOBS,
    COLUMNS,
    events_of,
    numbers_as_ids,
    packed_ids,
    rows_of,
    table_columns,
)
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints

# What must agree when an event of a source arrives again.
_IDENTITY = (
    "household_id",
    "account_id",
    "kind",
    "effective",
    "security_id",
    "quantity_nano",
    "amount_cents",
    "detail",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of events that were handed in."""

    n_new: int
    events: Events  # the new ones, by the sequences that they are stored under


def append_events(
    firm: FirmStore,
    events: Events,
    *,
    source: str,
    source_ids: Sequence[str] | None = None,
    meanwhile: Callable[[Events], None] = lambda _events: None,
) -> Appended:
    """Book events under the ledger's lock.

    meanwhile: called with the new events under their sequences, before they are copied: what it starts
    in other threads goes on while the server is busy.

    `events.ledger_seq` is provisional: the batch gets the next sequences in that order. A named lot
    whose event is in the batch is renamed with it; any other must be stored already. An event is
    known by (source, source_ids), by default by its provisional number: one that is stored is left.
    Ids that begin with # are such numbers and may not be given.

    Raises DataError, with nothing written, when a stored event comes again with other content, when
    a named lot's event is unknown, for an account that is not in its household, and for an event
    that reverses one of another household or one that is reversed already.
    """
    n_events = len(events)
    if n_events == 0:
        return Appended(n_new=0, events=events)
    order = np.argsort(events.ledger_seq, kind="stable")
    provisional = events.ledger_seq[order]
    assert np.all(np.diff(provisional) > 0)
    ids = None if source_ids is None else _checked(source_ids, source)
    with firm.transaction() as connection:
        found = connection.execute("SELECT next_seq FROM ledger_head FOR UPDATE").fetchone()
        assert found is not None
        first = int(found[0])
        stored = _stored_already(firm, events, source, ids)
        is_new = (stored == 0)[order]
        sequence = stored[order]
        n_new = int(is_new.sum())
        sequence[is_new] = np.arange(first, first + n_new)
        if n_new == 0:
            return Appended(n_new=0, events=take(events, np.zeros(0, np.int64)))
        places = _Places(provisional=provisional, sequence=sequence, first=first)
        renamed = replace(
            events,
            named_event=places.of(events.named_event, "name lots of"),
            reverses=places.of(events.reverses, "reverse"),
        )
        fresh = order[is_new]
        added = replace(take(renamed, fresh), ledger_seq=sequence[is_new])
        _check_reversals(firm, added)
        connection.execute("UPDATE ledger_head SET next_seq = %s", [first + n_new])
        meanwhile(added)
        if ids is None:
            rows = rows_of(added, source, packed_ids(events.ledger_seq[fresh]))
        else:
            rows = rows_of(added, source, Slices.of_texts([ids[i] for i in fresh.tolist()]))
        try:
            with ThreadPoolExecutor(1) as beside:
                root = beside.submit(event_chain.root_of, rows, firm.actor_id)
                firm.copy_in("event", table_columns(rows))
            event_chain.append(firm, rows, root.result())
        except psycopg.errors.ForeignKeyViolation as error:
            raise DataError(
                f"{str(error).splitlines()[0]}; save the accounts first. Nothing was written."
            ) from error
    return Appended(n_new=n_new, events=added)


def last_sequence(firm: FirmStore) -> int:
    """The sequence of the newest event, 0 when there is none."""
    found = firm.connection().execute("SELECT next_seq - 1 FROM ledger_head").fetchone()
    assert found is not None
    return int(found[0])


def newest_stored(firm: FirmStore) -> int:
    """The greatest sequence among the stored events, 0 when there is none."""
    found = firm.connection().execute("SELECT coalesce(max(ledger_seq), 0) FROM event").fetchone()
    assert found is not None
    return int(found[0])


def last_sequence_of(firm: FirmStore, household_id: int) -> int:
    """The sequence of the newest event of a household, 0 when there is none."""
    found = (
        firm.connection()
        .execute("SELECT coalesce(max(ledger_seq), 0) FROM event WHERE household_id = %s", [household_id])
        .fetchone()
    )
    assert found is not None
    return int(found[0])


def household_of(firm: FirmStore, ledger_seq: int) -> int | None:
    """The household of an event, None when there is no such event."""
    found = (
        firm.connection()
        .execute("SELECT household_id FROM event WHERE ledger_seq = %s", [ledger_seq])
        .fetchone()
    )
    return None if found is None else int(found[0])


def accounts_with(firm: FirmStore, kind: EventKind) -> frozenset[int]:
    """Accounts that have an event of the kind."""
    found = firm.connection().execute("SELECT DISTINCT account_id FROM event WHERE kind = %s", [int(kind)])
    return frozenset(account for (account,) in found)


def accounts_with_events(firm: FirmStore) -> frozenset[int]:
    """Accounts to which anything happened."""
    found = firm.connection().execute(
        "SELECT account_id FROM account a WHERE EXISTS (SELECT FROM event e WHERE "
        "e.household_id = a.household_id AND e.account_id = a.account_id)"
    )
    return frozenset(account for (account,) in found)


def sequences_of(firm: FirmStore, source: str, source_ids: Sequence[str] | None = None) -> dict[str, int]:
    """The sequence of each event of a source, by its id (default: of all)."""
    some = sql.SQL("true") if source_ids is None else sql.SQL("source_id = ANY({})").format(list(source_ids))
    query = sql.SQL("SELECT source_id, ledger_seq FROM event WHERE source = {} AND {}").format(source, some)
    return dict(firm.connection().execute(query).fetchall())


def links(firm: FirmStore) -> dict[tuple[int, EventKind], date]:
    """Days on which accounts came to their households and left them, as they stand."""
    found = days_of(firm, (EventKind.ACCOUNT_LINKED, EventKind.ACCOUNT_UNLINKED))
    return {(account, kind): day for account, kind, day in found}


def days_of(firm: FirmStore, kinds: Sequence[EventKind]) -> list[tuple[int, EventKind, date]]:
    """Account, kind and day of every event of the kinds that stands."""
    found = firm.connection().execute(
        "SELECT account_id, kind, effective FROM event e WHERE kind = ANY(%s) "
        "AND NOT EXISTS (SELECT FROM event later WHERE later.reverses = e.ledger_seq) ORDER BY ledger_seq",
        [[int(kind) for kind in kinds]],
    )
    return [(account, EventKind(kind), day) for account, kind, day in found]


def load_events(
    firm: FirmStore,
    household_ids: Sequence[int] | Ints | None = None,
    *,
    until_seq: int | None = None,
) -> Events:
    """Events of households (default: all), by household and sequence.

    until_seq: only what was known then.
    """
    known = sql.SQL("true") if until_seq is None else sql.SQL("ledger_seq <= {}").format(until_seq)
    query = sql.SQL(
        "SELECT ledger_seq, household_id, account_id, sleeve_id, day_seq, security_id, quantity_nano, "
        "amount_cents, order_id, other_account_id, effective, coalesce(settles, '-infinity') AS settles, "
        "kind, detail, coalesce(reverses, 0) AS reverses, convert_to(terms::text, 'UTF8') AS terms, lots, "
        "named_lots, household_id / 64 AS block FROM event WHERE {} AND {} ORDER BY household_id, ledger_seq"
    ).format(some_ids(household_ids, "household_id"), known)
    found = firm.columns(
        query,
        ("block", "ledger_seq", "reverses", *COLUMNS),
        by="block",
        blobs=BLOBS,
    )
    return events_of(found)


def _checked(source_ids: Sequence[str], source: str) -> list[str]:
    if len(set(source_ids)) != len(source_ids):
        raise DataError(f"{source} has two events of the same id; nothing was written.")
    numbered = [key for key in source_ids if key.startswith("#")]
    if numbered:
        raise DataError(f"{source} has ids that begin with # ({numbered[0]}); give its events other ids.")
    return list(source_ids)


def _stored_already(firm: FirmStore, events: Events, source: str, source_ids: Sequence[str] | None) -> Ints:
    """The stored sequence of each event, 0 where it is new. Raises DataError where content differs."""
    sequence = np.zeros(len(events), np.int64)
    connection = firm.connection()
    known = connection.execute("SELECT EXISTS (SELECT FROM posting WHERE source = %s)", [source]).fetchone()
    if known == (False,):
        return sequence
    keys = numbers_as_ids(events.ledger_seq) if source_ids is None else source_ids
    row_of = {key: i for i, key in enumerate(keys)}
    by_posting = "JOIN posting p ON e.ledger_seq BETWEEN p.first_seq AND p.last_seq WHERE p.source = %s "
    by_index = "WHERE e.source = %s AND left(e.source_id, 1) <> '#' "
    found = connection.execute(
        sql.SQL("SELECT e.source_id, e.ledger_seq, {} FROM event e {} AND e.source_id = ANY(%s)").format(
            sql.SQL(", ").join(sql.Identifier("e", name) for name in _IDENTITY),
            sql.SQL(by_posting if source_ids is None else by_index),
        ),
        [source, list(keys)],
    )
    changed = []
    for key, seq, *stored in found:
        row = row_of[key]
        sequence[row] = seq
        if stored != [getattr(events, name)[row].item() for name in _IDENTITY]:
            changed.append(key)
    if changed:
        raise DataError(
            f"{len(changed)} event(s) of {source} are booked already with other content: "
            f"{', '.join(changed[:10])}. Events never change; book a reversal and the correction."
        )
    return sequence


@dataclass(frozen=True, slots=True)
class _Places:
    """From provisional numbers to sequences."""

    provisional: Ints  # ascending
    sequence: Ints
    first: int  # of the events that are new

    def of(self, wanted: Ints, what: str) -> Ints:
        """The stored sequence of each provisional number or sequence; 0 stays 0."""
        at = np.minimum(np.searchsorted(self.provisional, wanted), self.provisional.shape[0] - 1)
        in_batch = (self.provisional[at] == wanted) & (wanted != 0)
        unknown = ~in_batch & ((wanted >= self.first) | (wanted < 0))
        if np.any(unknown):
            shown = ", ".join(str(one) for one in np.unique(wanted[unknown])[:10])
            raise DataError(f"events {what} events that are not booked: {shown}; nothing was written.")
        return np.where(in_batch, self.sequence[at], wanted)


def _check_reversals(firm: FirmStore, events: Events) -> None:
    """Of events that reverse stored ones: the same household, and not reversed yet."""
    by = events.reverses > 0
    if not by.any():
        return
    wanted = events.reverses[by].tolist()
    found = firm.connection().execute(
        "SELECT e.ledger_seq, e.household_id, r.ledger_seq FROM event e "
        "LEFT JOIN event r ON r.reverses = e.ledger_seq WHERE e.ledger_seq = ANY(%s)",
        [wanted],
    )
    known = {seq: (household, reversal) for seq, household, reversal in found}
    fresh = dict(zip(events.ledger_seq.tolist(), events.household_id.tolist(), strict=True))
    seen: set[int] = set()
    for seq, household in zip(wanted, events.household_id[by].tolist(), strict=True):
        home, reversal = known.get(seq, (fresh.get(seq), None))
        if home != household:
            raise DataError(f"event {seq} belongs to another household; nothing was written.")
        if reversal is not None or seq in seen:
            again = f"event {reversal} reverses it" if reversal else "this posting reverses it twice"
            raise DataError(
                f"event {seq} is reversed already ({again}); put right what stands in its place instead."
            )
        seen.add(seq)
