"""Open lots of now: one packed column blob per account and view, versioned.

The SQL view `lot` unpacks the blobs to rows for people and reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from psycopg import sql

from allotment.book.lots import Lots
from allotment.errors import DataError
from allotment.store import binary_copy, packed
from allotment.store.session import FirmStore, some_ids
from allotment.units import Index, Ints

LAYOUT = packed.layout_of(Lots, 1, without=("account_ix",))


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
        # The households' lock: who finds nothing stored is the first to write.
        connection.execute(
            "SELECT FROM household WHERE household_id IN "
            "(SELECT household_id FROM account WHERE account_id = ANY(%s)) ORDER BY household_id FOR UPDATE",
            [ids.tolist()],
        )
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
    query = sql.SQL(
        "SELECT account_id, version, packed FROM lots_now WHERE view = {} AND {} ORDER BY account_id"
    ).format(view.value, some_ids(account_ids, "account_id"))
    # One message per account: its blob is large enough, and the server need not join them.
    found = firm.connection().execute(query, binary=True).fetchall()
    blobs = [blob for _, _, blob in found]
    offsets = np.zeros(len(found) + 1, np.int64)
    np.cumsum([len(blob) for blob in blobs], out=offsets[1:])
    data = np.frombuffer(b"".join(blobs), np.uint8)
    lots, _ = packed.unpack(data, offsets, LAYOUT, Lots, account_ix=_rows_of_groups)
    return StoredLots(
        account_ids=np.array([account for account, _, _ in found], np.int64),
        versions=np.array([version for _, version, _ in found], np.int64),
        lots=lots,
    )


def _rows_of_groups(starts: Ints) -> Index:
    return np.repeat(np.arange(starts.shape[0] - 1, dtype=np.int32), np.diff(starts))
