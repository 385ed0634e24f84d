"""Open lots of now: one packed column blob per account and view, versioned.

The SQL view `lot` unpacks the blobs to rows for people and reports.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from psycopg import sql

from allotment.book.lots import Lots
from allotment.errors import DataError
from allotment.store import binary_copy, book_tables, packed
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints

LAYOUT = packed.layout_of(Lots, 1, without=("account_ix",))
_BLOBS = sql.SQL("SELECT account_id, version, packed FROM lots_now WHERE {} ORDER BY account_id")
_ACCOUNTS_AT_ONCE = 256
_PARTS_AHEAD = 2


class LotView(StrEnum):
    """Whose basis: the law's for the household, or what the broker must report."""

    TAXPAYER = "taxpayer"
    BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLots:
    """Lots of accounts as stored; `lots.account_ix` points into `account_ids`."""

    account_ids: Ints  # (n_accounts,) ascending
    versions: Ints  # (n_accounts,): the ledger sequence that the lots stand on
    lots: Lots


def write_lots(
    firm: FirmStore,
    account_ids: Sequence[int] | Ints,
    lots: Lots,
    *,
    version: int | Ints,
    view: LotView = LotView.TAXPAYER,
) -> None:
    """Replace the lots of `account_ids`, an account without lots included.

    `lots.account_ix` points into `account_ids`, which has no id twice. `version`: the ledger's
    sequence that the lots stand on, one for all or one per account; the households' versions
    follow. Raises DataError when stored lots stand on later events.
    """
    ids = np.asarray(account_ids, np.int64)
    assert len(np.unique(ids)) == ids.shape[0]
    data, offsets = pack_lots(lots, ids.shape[0])
    write_packed(firm, ids, data, offsets, version=version, view=view)


def pack_lots(lots: Lots, n_accounts: int) -> tuple[packed.Bytes, Ints]:
    """The blobs of accounts 0 … n_accounts - 1 in one buffer, and the offsets (n_accounts + 1,)."""
    if np.any(np.diff(lots.account_ix) < 0):
        lots = lots.take(np.argsort(lots.account_ix, kind="stable"))
    starts = np.searchsorted(lots.account_ix, np.arange(n_accounts + 1)).astype(np.int64)
    assert (starts[0], starts[-1]) == (0, len(lots))
    return packed.pack(lots, starts, LAYOUT)


def write_packed(
    firm: FirmStore,
    ids: Ints,
    data: packed.Bytes,
    offsets: Ints,
    *,
    version: int | Ints,
    view: LotView,
) -> None:
    """`write_lots` of lots that `pack_lots` has packed."""
    versions = np.ascontiguousarray(np.broadcast_to(np.asarray(version, np.int64), ids.shape))
    columns = {
        "account_id": ids,
        "version": versions,
        "n_lots": packed.row_counts(offsets, LAYOUT).astype(np.int32),
        "packed": binary_copy.Slices(data, offsets[:-1], np.diff(offsets)),
    }
    with firm.transaction() as connection:
        # Under the households' lock, who finds nothing stored is the first to write.
        homes = connection.execute(
            "SELECT DISTINCT household_id FROM account WHERE account_id = ANY(%s)", [ids.tolist()]
        )
        book_tables.lock_households(firm, sorted(household for (household,) in homes))
        stored = connection.execute(
            "SELECT EXISTS (SELECT FROM lots_now WHERE view = %s AND account_id = ANY(%s))",
            [view.value, ids.tolist()],
        ).fetchone()
        if stored == (False,):
            firm.copy_in(
                "lots_now", columns | {"view": binary_copy.Slices.repeated(view.value, ids.shape[0])}
            )
        else:
            _replace_lots(firm, columns, view)
        connection.execute(
            "UPDATE household h SET version = i.version, written_by = %s FROM "
            "(SELECT household_id, max(version) AS version "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS i (account_id, version) "
            "JOIN account USING (account_id) GROUP BY household_id) i "
            "WHERE h.household_id = i.household_id AND h.version < i.version",
            [firm.actor_id, ids.tolist(), versions.tolist()],
        )


def _replace_lots(firm: FirmStore, columns: dict[str, Any], view: LotView) -> None:
    connection = firm.connection()
    connection.execute("DROP TABLE IF EXISTS pg_temp.incoming_lots")
    connection.execute(
        "CREATE TEMP TABLE incoming_lots ON COMMIT DROP AS "
        "SELECT account_id, version, n_lots, packed FROM lots_now WITH NO DATA"
    )
    # Temporary tables compress by default, which costs more than the disk.
    connection.execute("ALTER TABLE incoming_lots ALTER COLUMN packed SET STORAGE EXTERNAL")
    n_accounts = firm.copy_in("incoming_lots", columns)
    written = connection.execute(
        "INSERT INTO lots_now AS old (account_id, view, version, n_lots, packed) "
        "SELECT account_id, %s, version, n_lots, packed FROM incoming_lots ORDER BY account_id "
        "ON CONFLICT (account_id, view) DO UPDATE SET version = EXCLUDED.version, "
        "n_lots = EXCLUDED.n_lots, packed = EXCLUDED.packed, written_by = EXCLUDED.written_by "
        "WHERE old.version <= EXCLUDED.version",
        [view.value],
    ).rowcount
    if written != n_accounts:
        raise DataError(
            f"the stored lots of {n_accounts - written} account(s) stand on later events than these; "
            "read the events again and derive the lots anew."
        )


def read_lots(
    firm: FirmStore,
    account_ids: Sequence[int] | Ints | None = None,
    *,
    view: LotView = LotView.TAXPAYER,
) -> StoredLots:
    """The lots of the accounts (default: of every account); accounts never written are absent."""
    some = sql.SQL("view = {} AND {}").format(view.value, some_ids(account_ids, "account_id"))
    if account_ids is None or len(account_ids) > _ACCOUNTS_AT_ONCE:
        return _read_many(firm, some)
    room = _Room(0)
    room.take(firm.connection().execute(_BLOBS.format(some), binary=True).fetchall())
    return room.lots()


def _read_many(firm: FirmStore, some: sql.Composed) -> StoredLots:
    """The server sends a part, this thread receives it, and another unpacks the one before."""
    room = _Room(_n_lots(firm, some))
    with firm.transaction(), ThreadPoolExecutor(1) as beside:
        waiting = deque[Future[None]]()
        for part in _parts(firm, some):
            waiting.append(beside.submit(room.take, part))
            while len(waiting) > _PARTS_AHEAD:
                waiting.popleft().result()
        for one in waiting:
            one.result()
    return room.lots()


def _n_lots(firm: FirmStore, some: sql.Composed) -> int:
    query = sql.SQL("SELECT coalesce(sum(n_lots), 0)::bigint FROM lots_now WHERE {}").format(some)
    found = firm.connection().execute(query).fetchone()
    assert found is not None
    return int(found[0])


def _parts(firm: FirmStore, some: sql.Composed) -> Iterator[list[tuple[int, int, bytes]]]:
    """(account_id, version, packed) in parts, all as they stood at one moment."""
    with firm.connection().cursor("lots", binary=True) as cursor:
        cursor.execute(_BLOBS.format(some))
        while part := cursor.fetchmany(_ACCOUNTS_AT_ONCE):
            yield part


class _Room:
    """Columns that parts are written into, one behind the other."""

    def __init__(self, n_lots: int) -> None:
        self._columns = packed.empty(LAYOUT, n_lots) | {"account_ix": np.empty(n_lots, np.int32)}
        self._n_lots = 0
        self._accounts: list[tuple[int, int]] = []

    def take(self, part: list[tuple[int, int, bytes]]) -> None:
        """Accounts behind those that are there."""
        offsets = np.cumsum([0, *(len(blob) for _, _, blob in part)]).astype(np.int64)
        n_more = int(packed.row_counts(offsets, LAYOUT).clip(0).sum())
        room = len(self._columns["account_ix"]) - self._n_lots
        if n_more > room:  # somebody wrote between the two looks
            self._columns = {
                name: np.concatenate([column[: self._n_lots], np.empty(n_more, column.dtype)])
                for name, column in self._columns.items()
            }
        data = np.frombuffer(b"".join(blob for _, _, blob in part), np.uint8)
        starts = packed.unpack_into(self._columns, self._n_lots, data, offsets, LAYOUT)
        account_ix = np.arange(len(self._accounts), len(self._accounts) + len(part), dtype=np.int32)
        self._columns["account_ix"][self._n_lots : self._n_lots + n_more] = np.repeat(
            account_ix, np.diff(starts)
        )
        self._n_lots += n_more
        self._accounts += [(account, version) for account, version, _ in part]

    def lots(self) -> StoredLots:
        """All that was taken."""
        return StoredLots(
            account_ids=np.array([account for account, _ in self._accounts], np.int64),
            versions=np.array([version for _, version in self._accounts], np.int64),
            lots=Lots(**{name: column[: self._n_lots] for name, column in self._columns.items()}),
        )
