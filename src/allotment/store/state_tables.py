"""The state of now in PostgreSQL: sales by year, cash, and its hash; open lots are `lot_tables`'.

Of sales only the years that differ are written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import sql

from allotment.ledger.sold import LostSales, SoldRows, lost_sales
from allotment.store import binary_copy, lot_tables, packed
from allotment.store.lot_tables import LotView
from allotment.store.packed_state import (
    CASH,
    LINKS,
    SOLD,
    UNSETTLED,
    CashRows,
    PackedColumn,
    PackedSales,
    PackedState,
    UnsettledRows,
    unpack_links,
    unpack_one,
    unpack_sold,
)
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Sales of the taxpayer's view in the household years that changed."""

    before: YearSales
    after: YearSales


@dataclass(frozen=True, slots=True, kw_only=True)
class YearSales:
    """Sales of some household years, and those of them whose loss is gone for good."""

    sold: SoldRows
    lost: LostSales


def write_state(firm: FirmStore, state: PackedState, *, version: int, rules_version: str) -> Replaced:
    """Store what differs, inside the transaction of the events that it follows from.

    version: the ledger's sequence that the state stands on. Raises DataError when the stored lots
    stand on later events.
    """
    with firm.transaction():
        for view, lots in state.lots.items():
            lot_tables.write_packed(
                firm, state.account_ids, lots.data, lots.offsets, version=version, view=view
            )
        _write_sales(firm, LotView.BROKER, state, version)
        replaced = _write_sales(firm, LotView.TAXPAYER, state, version)
        _write_households(firm, state, version, rules_version)
    return replaced


def no_sales() -> YearSales:
    """Of no year."""
    return _year_sales([], [])


def load_hashes(firm: FirmStore, household_ids: Sequence[int] | Ints | None = None) -> dict[int, bytes]:
    """The stored state hash of each household."""
    query = sql.SQL("SELECT household_id, state_hash FROM household_state WHERE {} ORDER BY household_id")
    found = firm.connection().execute(query.format(some_ids(household_ids, "household_id")))
    return dict(found.fetchall())


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdState:
    """What is stored of a household besides its open lots."""

    version: int
    cash: CashRows
    unsettled: UnsettledRows
    sold: dict[LotView, SoldRows]  # every year
    state_hash: bytes


def read_household(firm: FirmStore, household_id: int) -> HouseholdState | None:
    """The stored state of a household, None when nothing ever happened to it."""
    connection = firm.connection()
    found = connection.execute(
        "SELECT version, cash, unsettled, state_hash FROM household_state WHERE household_id = %s",
        [household_id],
        binary=True,
    ).fetchone()
    if found is None:
        return None
    version, cash, unsettled, digest = found
    blobs: dict[LotView, list[bytes]] = {view: [] for view in LotView}
    for view, disposals in connection.execute(
        "SELECT view, disposals FROM sold_now WHERE household_id = %s ORDER BY year",
        [household_id],
        binary=True,
    ):
        blobs[LotView(view)].append(disposals)
    return HouseholdState(
        version=version,
        cash=unpack_one(cash, CASH, CashRows),
        unsettled=unpack_one(unsettled, UNSETTLED, UnsettledRows),
        sold={view: unpack_sold(*_one_buffer(parts))[0] for view, parts in blobs.items()},
        state_hash=digest,
    )


def differences(firm: FirmStore, state: PackedState, begun: Collection[int]) -> list[tuple[int, str]]:
    """Where the stored bytes are not those of a state that was derived anew: (household, what).

    begun: households that have events; of the others nothing need be stored.
    """
    found: list[tuple[int, str]] = []
    found += _lot_differences(firm, state)
    for view, sales in state.sales.items():
        found += _sale_differences(firm, view, sales, state.household_ids)
    found += _household_differences(firm, state, begun)
    return sorted(found)


# ── in ───────────────────────────────────────────────────────────────────────────────────────


def _write_sales(firm: FirmStore, view: LotView, state: PackedState, version: int) -> Replaced:
    sales, connection = state.sales[view], firm.connection()
    stored = {
        (household, year): digest
        for household, year, digest in connection.execute(
            sql.SQL("SELECT household_id, year, sha256 FROM sold_now WHERE view = {} AND {}").format(
                view.value, some_ids(state.household_ids, "household_id")
            )
        )
    }
    keys = list(zip(sales.household_id.tolist(), sales.year.tolist(), strict=True))
    fresh = [i for i, key in enumerate(keys) if stored.get(key) != sales.hashes[i]]
    changed, new = [i for i in fresh if keys[i] in stored], [i for i in fresh if keys[i] not in stored]
    gone = sorted(stored.keys() - set(keys))
    touched = gone + [keys[i] for i in changed]
    before = _read_sales(firm, view, touched if view is LotView.TAXPAYER else [])
    if gone:
        connection.execute(
            "DELETE FROM sold_now s USING unnest(%s::bigint[], %s::smallint[]) AS g (household_id, year) "
            "WHERE s.view = %s AND (s.household_id, s.year) = (g.household_id, g.year)",
            [[one for one, _ in gone], [year for _, year in gone], view.value],
        )
    if new:
        _copy_sales(firm, view, _sales_columns(sales, np.array(new)), version)
    if changed:
        _replace_sales(firm, view, _sales_columns(sales, np.array(changed)), version)
    return Replaced(before=before, after=_chosen(sales, fresh))


def _sales_columns(sales: PackedSales, rows: Ints) -> dict[str, Any]:
    hashes = PackedColumn(
        np.frombuffer(b"".join(sales.hashes), np.uint8), np.arange(len(sales) + 1, dtype=np.int64) * 32
    )
    return {
        "household_id": sales.household_id[rows],
        "year": sales.year[rows].astype(np.int16),
        "n_rows": packed.row_counts(sales.disposals.offsets, SOLD)[rows].astype(np.int32),
        "n_links": packed.row_counts(sales.links.offsets, LINKS)[rows].astype(np.int32),
        "sha256": _slices(hashes, rows),
        "disposals": _slices(sales.disposals, rows),
        "links": _slices(sales.links, rows),
    }


def _copy_sales(firm: FirmStore, view: LotView, columns: dict[str, Any], version: int) -> None:
    """Years of which nothing is stored: straight into their table."""
    n_rows = len(columns["year"])
    facts = {
        "view": binary_copy.Slices.repeated(view.value, n_rows),
        "version": np.full(n_rows, version, np.int64),
    }
    firm.copy_in("sold_now", columns | facts)


def _replace_sales(firm: FirmStore, view: LotView, columns: dict[str, Any], version: int) -> None:
    connection = firm.connection()
    connection.execute("DROP TABLE IF EXISTS pg_temp.incoming_sold")
    connection.execute(
        "CREATE TEMP TABLE incoming_sold ON COMMIT DROP AS SELECT household_id, year, n_rows, n_links, "
        "sha256, disposals, links FROM sold_now WITH NO DATA"
    )
    connection.execute(
        "ALTER TABLE incoming_sold ALTER COLUMN disposals SET STORAGE EXTERNAL, "
        "ALTER COLUMN links SET STORAGE EXTERNAL"
    )
    firm.copy_in("incoming_sold", columns)
    connection.execute(
        "INSERT INTO sold_now (household_id, view, year, version, n_rows, n_links, sha256, disposals, links) "
        "SELECT household_id, %s, year, %s, n_rows, n_links, sha256, disposals, links FROM incoming_sold "
        "ON CONFLICT (household_id, view, year) DO UPDATE SET version = EXCLUDED.version, "
        "n_rows = EXCLUDED.n_rows, n_links = EXCLUDED.n_links, sha256 = EXCLUDED.sha256, "
        "disposals = EXCLUDED.disposals, links = EXCLUDED.links, written_by = EXCLUDED.written_by",
        [view.value, version],
    )


def _write_households(firm: FirmStore, state: PackedState, version: int, rules_version: str) -> None:
    connection = firm.connection()
    connection.execute("DROP TABLE IF EXISTS pg_temp.incoming_state")
    connection.execute(
        "CREATE TEMP TABLE incoming_state ON COMMIT DROP AS SELECT household_id, cash, unsettled, state_hash "
        "FROM household_state WITH NO DATA"
    )
    every = np.arange(len(state.household_ids))
    hashes = PackedColumn(
        np.frombuffer(b"".join(state.hashes), np.uint8), np.arange(len(every) + 1, dtype=np.int64) * 32
    )
    firm.copy_in(
        "incoming_state",
        {
            "household_id": state.household_ids,
            "cash": _slices(state.cash, every),
            "unsettled": _slices(state.unsettled, every),
            "state_hash": _slices(hashes, every),
        },
    )
    connection.execute(
        "INSERT INTO household_state (household_id, version, rules_version, cash, unsettled, state_hash) "
        "SELECT household_id, %s, %s, cash, unsettled, state_hash FROM incoming_state "
        "ON CONFLICT (household_id) DO UPDATE SET version = EXCLUDED.version, "
        "rules_version = EXCLUDED.rules_version, cash = EXCLUDED.cash, unsettled = EXCLUDED.unsettled, "
        "state_hash = EXCLUDED.state_hash, written_by = EXCLUDED.written_by",
        [version, rules_version],
    )


def _slices(column: PackedColumn, rows: Ints) -> binary_copy.Slices:
    return binary_copy.Slices(column.data, column.offsets[:-1][rows], np.diff(column.offsets)[rows])


def _chosen(sales: PackedSales, rows: Sequence[int]) -> YearSales:
    return _year_sales([sales.disposals[i] for i in rows], [sales.links[i] for i in rows])


def _read_sales(firm: FirmStore, view: LotView, keys: Sequence[tuple[int, int]]) -> YearSales:
    if not keys:
        return no_sales()
    found = firm.connection().execute(
        "SELECT s.disposals, s.links FROM sold_now s "
        "JOIN unnest(%s::bigint[], %s::smallint[]) AS k (household_id, year) "
        "ON (s.household_id, s.year) = (k.household_id, k.year) WHERE s.view = %s "
        "ORDER BY s.household_id, s.year",
        [[one for one, _ in keys], [year for _, year in keys], view.value],
        binary=True,
    )
    blobs = found.fetchall()
    return _year_sales([disposals for disposals, _ in blobs], [links for _, links in blobs])


def _year_sales(disposals: Sequence[bytes], links: Sequence[bytes]) -> YearSales:
    """Of the blobs of some household years."""
    sold, starts = unpack_sold(*_one_buffer(disposals))
    return YearSales(sold=sold, lost=lost_sales(sold, starts, *unpack_links(*_one_buffer(links))))


def _one_buffer(blobs: Sequence[bytes]) -> tuple[packed.Bytes, Ints]:
    offsets = np.cumsum([0, *(len(blob) for blob in blobs)]).astype(np.int64)
    return np.frombuffer(b"".join(blobs), np.uint8), offsets


# ── comparing ────────────────────────────────────────────────────────────────────────────────


def _lot_differences(firm: FirmStore, state: PackedState) -> list[tuple[int, str]]:
    found = []
    for view, lots in state.lots.items():
        query = sql.SQL(
            "SELECT household_id, l.account_id, packed, l.account_id / 512 AS block FROM lots_now l "
            "JOIN account USING (account_id) WHERE view = {} AND {} ORDER BY household_id, l.account_id"
        ).format(view.value, some_ids(state.household_ids, "household_id"))
        stored = {
            account: (household, blob)
            for household, account, blob, _ in firm.connection().execute(query, binary=True)
        }
        for at, account in enumerate(state.account_ids.tolist()):
            household, blob = stored.pop(account, (0, b""))
            never_written = not blob and lots.is_empty(at)
            if blob != lots[at] and not never_written:
                what = f"lots of account {account} ({view.value}'s view)"
                found.append((household, what if blob else f"no {what} are stored"))
        found += [
            (home, f"lots of account {account}, which has none") for account, (home, _) in stored.items()
        ]
    return found


def _sale_differences(
    firm: FirmStore, view: LotView, sales: PackedSales, household_ids: Ints
) -> list[tuple[int, str]]:
    query = sql.SQL("SELECT household_id, year, disposals, links FROM sold_now WHERE view = {} AND {}")
    stored = {
        (household, year): (disposals, links)
        for household, year, disposals, links in firm.connection().execute(
            query.format(view.value, some_ids(household_ids, "household_id")), binary=True
        )
    }
    found = []
    for at, key in enumerate(zip(sales.household_id.tolist(), sales.year.tolist(), strict=True)):
        if stored.pop(key, None) != (sales.disposals[at], sales.links[at]):
            found.append((key[0], f"sales of {key[1]} ({view.value}'s view)"))
    return found + [(home, f"sales of {year}, which has none ({view.value}'s view)") for home, year in stored]


def _household_differences(
    firm: FirmStore, state: PackedState, begun: Collection[int]
) -> list[tuple[int, str]]:
    query = sql.SQL("SELECT household_id, cash, unsettled, state_hash FROM household_state WHERE {}")
    stored = {
        household: parts
        for household, *parts in firm.connection().execute(
            query.format(some_ids(state.household_ids, "household_id")), binary=True
        )
    }
    found = []
    for at, household in enumerate(state.household_ids.tolist()):
        derived = [state.cash[at], state.unsettled[at], state.hashes[at]]
        kept = stored.get(household)
        if kept is None and household not in begun:
            continue
        if kept is None:
            found.append((household, "no state is stored"))
            continue
        for what, one, other in zip(("cash", "unsettled cash", "state hash"), kept, derived, strict=True):
            if one != other:
                found.append((household, what))
    return found
