"""Events as the bytes that are hashed, and the postings that chain them.

The canonical bytes of an event (`ledger.chain` hashes them)::

    its numbers, big-endian, signed, in the order and width of NUMBERS; dates in days from
    1970-01-01, a missing one the smallest int32; `reverses` 0 for none
    actor_id, int32
    then for source, source_id, terms, lots, named_lots: length in bytes, int32 (-1: none), and the
    bytes; text as UTF-8, terms as JSON with sorted keys
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from struct import pack

import numpy as np
from psycopg import sql

from allotment.ledger import chain
from allotment.ledger.chain import Posting
from allotment.ledger.digests import DIGEST_BYTES, Bytes
from allotment.store.binary_copy import Slices
from allotment.store.event_rows import EventRows
from allotment.store.session import FirmStore
from allotment.units import Ints

NUMBERS = (
    ("ledger_seq", ">i8"),
    ("household_id", ">i8"),
    ("account_id", ">i8"),
    ("sleeve_id", ">i8"),
    ("day_seq", ">i8"),
    ("security_id", ">i8"),
    ("quantity_nano", ">i8"),
    ("amount_cents", ">i8"),
    ("order_id", ">i8"),
    ("other_account_id", ">i8"),
    ("reverses", ">i8"),
    ("effective", ">i4"),
    ("settles", ">i4"),
    ("kind", ">i2"),
    ("detail", ">i2"),
)
_ROW = np.dtype(list(NUMBERS))
_NONE = pack(">i", -1)
_EVERY = slice(None)
_NO_DAY = np.iinfo(np.int32).min
_ROWS_AT_ONCE = 200_000
_HASHED_AT_ONCE = 16_384  # their bytes stay in the processor's cache


def root_of(rows: EventRows, actor_id: int) -> bytes:
    """The root of the tree of the events."""
    return chain.root(_leaves(rows, actor_id))


def _leaves(rows: EventRows, actor_id: int) -> Bytes:
    before = pack(">i", actor_id) + _text(rows.source)
    has_more = (rows.lots.lengths >= 0) | (rows.named_lots.lengths >= 0)
    if rows.terms is not None:
        has_more |= np.array([one is not None for one in rows.terms])
    out = np.empty((len(has_more), DIGEST_BYTES), np.uint8)
    more, lengths = np.flatnonzero(has_more), rows.source_ids.lengths
    out[more] = chain.leaves(_with_more(rows, before, more))
    for length in np.unique(lengths[~has_more]).tolist():
        alike = np.flatnonzero(~has_more & (lengths == length))
        for first in range(0, len(alike), _HASHED_AT_ONCE):
            part = alike[first : first + _HASHED_AT_ONCE]
            out[part] = chain.alike_leaves(_alike(rows, before, part, length))
    return out


def _with_more(rows: EventRows, before: bytes, which: Ints) -> list[bytes]:
    """The bytes of events that have terms, or bring or name lots."""
    numbers, width = _numbers(rows.columns, which).tobytes(), _ROW.itemsize
    out = []
    for at, i in enumerate(which.tolist()):
        data = _text(None if rows.terms is None else rows.terms[i])
        data += _slice(rows.lots, i) + _slice(rows.named_lots, i)
        out.append(numbers[at * width : (at + 1) * width] + before + _slice(rows.source_ids, i) + data)
    return out


def _alike(rows: EventRows, before: bytes, which: Ints, length: int) -> Bytes:
    """The bytes of events that have nothing more, and whose ids have one length; shape (n, width)."""
    fixed = np.frombuffer(before + pack(">i", length), np.uint8)
    ends = np.cumsum([_ROW.itemsize, len(fixed), length, 3 * len(_NONE)]).tolist()
    data = np.empty((len(which), ends[-1]), np.uint8)
    data[:, : ends[0]] = _numbers(rows.columns, which).view(np.uint8).reshape(len(which), -1)
    data[:, ends[0] : ends[1]] = fixed
    data[:, ends[1] : ends[2]] = rows.source_ids.data[rows.source_ids.starts[which, None] + np.arange(length)]
    data[:, ends[2] :] = np.frombuffer(_NONE * 3, np.uint8)
    return data


def append(firm: FirmStore, rows: EventRows, root: bytes) -> Posting:
    """Chain the events just written, whose `root_of` is `root`; inside their transaction, under the ledger's
    lock."""
    connection = firm.connection()
    last = connection.execute("SELECT link FROM posting ORDER BY first_seq DESC LIMIT 1").fetchone()
    known = connection.execute("SELECT clock_timestamp()").fetchone()
    assert known is not None
    posting = Posting(
        first_seq=int(rows.columns["ledger_seq"][0]),
        last_seq=int(rows.columns["ledger_seq"][-1]),
        known_at_micros=_micros(known[0]),
        actor_id=firm.actor_id,
        source=rows.source,
        root=root,
        link=b"",
    )
    link = chain.link(last[0] if last else chain.FIRST_LINK, posting)
    connection.execute(
        "INSERT INTO posting (first_seq, last_seq, known_at, actor_id, source, root, link) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [posting.first_seq, posting.last_seq, known[0], posting.actor_id, posting.source, posting.root, link],
    )
    return posting


def load_postings(firm: FirmStore) -> list[Posting]:
    """Every posting, oldest first."""
    found = firm.connection().execute(
        "SELECT first_seq, last_seq, known_at, actor_id, source, root, link FROM posting ORDER BY first_seq"
    )
    return [
        Posting(
            first_seq=first,
            last_seq=last,
            known_at_micros=_micros(known_at),
            actor_id=actor_id,
            source=source,
            root=root,
            link=link,
        )
        for first, last, known_at, actor_id, source, root, link in found
    ]


def sequence_known_at(firm: FirmStore, moment: datetime) -> int:
    """The newest sequence that was known at a moment, 0 before the first posting."""
    found = (
        firm.connection()
        .execute("SELECT coalesce(max(last_seq), 0) FROM posting WHERE known_at <= %s", [moment])
        .fetchone()
    )
    assert found is not None
    return int(found[0])


def canonical(firm: FirmStore, first_seq: int, last_seq: int) -> Iterator[bytes]:
    """The canonical bytes of stored events, by sequence, read in pieces."""
    for first in range(first_seq, last_seq + 1, _ROWS_AT_ONCE):
        yield from _canonical(firm, first, min(first + _ROWS_AT_ONCE - 1, last_seq))


def _canonical(firm: FirmStore, first_seq: int, last_seq: int) -> Iterator[bytes]:
    names = [name for name, _ in NUMBERS]
    query = sql.SQL(
        "SELECT ledger_seq, household_id, account_id, sleeve_id, day_seq, security_id, quantity_nano, "
        "amount_cents, order_id, other_account_id, coalesce(reverses, 0) AS reverses, effective, "
        "coalesce(settles, '-infinity') AS settles, kind, detail, actor_id, "
        "convert_to(source, 'UTF8') AS source, convert_to(source_id, 'UTF8') AS source_id, "
        "convert_to(terms::text, 'UTF8') AS terms, lots, named_lots, "
        "ledger_seq / 4096 AS block FROM event WHERE ledger_seq BETWEEN {} AND {} ORDER BY ledger_seq"
    ).format(first_seq, last_seq)
    texts = ("source", "source_id", "terms", "lots", "named_lots")
    found = firm.columns(query, ("block", "actor_id", *names), by="block", blobs=texts)
    numbers, width = _numbers(found).tobytes(), _ROW.itemsize
    actors = found["actor_id"].astype(">i4").tobytes()
    data = {name: (found[name].data.tobytes(), found[name].offsets.tolist()) for name in texts}
    plain = _NONE * 3
    has_more = np.any([np.diff(found[name].offsets) > 0 for name in texts[2:]], axis=0)
    for i, more in enumerate(has_more.tolist()):
        parts = [numbers[i * width : (i + 1) * width], actors[4 * i : 4 * i + 4]]
        parts += [_piece(*data[name], i) for name in texts[:2]]
        if more:
            parts.append(_terms(*data["terms"], i))
            parts += [_blob(*data[name], i) for name in texts[3:]]
        else:
            parts.append(plain)
        yield b"".join(parts)


def _piece(data: bytes, offsets: list[int], i: int) -> bytes:
    return pack(">i", offsets[i + 1] - offsets[i]) + data[offsets[i] : offsets[i + 1]]


def _blob(data: bytes, offsets: list[int], i: int) -> bytes:
    return _piece(data, offsets, i) if offsets[i + 1] > offsets[i] else _NONE


def _terms(data: bytes, offsets: list[int], i: int) -> bytes:
    text = data[offsets[i] : offsets[i + 1]]
    return _text(json.dumps(json.loads(text), sort_keys=True) if text else None)


def _numbers(
    columns: dict[str, Ints], which: Ints | slice = _EVERY
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    rows = np.empty(len(columns["ledger_seq"][which]), _ROW)
    for name, _ in NUMBERS:
        values = columns[name][which]
        if values.dtype.kind == "M":
            days = values.astype("M8[D]")
            values = np.where(np.isnat(days), _NO_DAY, days.astype(np.int64))
        rows[name] = values
    return rows


def _text(text: str | None) -> bytes:
    if text is None:
        return _NONE
    data = text.encode()
    return pack(">i", len(data)) + data


def _slice(slices: Slices, i: int) -> bytes:
    length = int(slices.lengths[i])
    if length < 0:
        return _NONE
    start = int(slices.starts[i])
    return pack(">i", length) + slices.data[start : start + length].tobytes()


def _micros(moment: datetime) -> int:
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
