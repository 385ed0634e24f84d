"""All that follows from the events of households, in the bytes that are stored and hashed.

The state hash of a household is SHA-256 over SHA-256 hashes, in this order: for every account,
ascending, its packed lots in the taxpayer's and in the broker's view; for every year, ascending,
its packed sales (disposals, then links) in the taxpayer's view, then in the broker's; its packed
cash; its packed unsettled movements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np

from allotment.ledger.cash import Cash, Unsettled
from allotment.ledger.fold import BookState, View
from allotment.ledger.sold import LinkRows, SoldRows, sold_by_year
from allotment.store import lot_tables, packed
from allotment.store.lot_tables import LotView
from allotment.units import Codes, Dates, Index, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class CashRows:
    """`ledger.cash.Cash` by account id. Shape (n,)."""

    account_id: Ints
    sleeve_ix: Index
    balance_cents: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsettledRows:
    """`ledger.cash.Unsettled` by account id. Shape (n,)."""

    account_id: Ints
    sleeve_ix: Index
    event: Ints
    kind: Codes
    settles: Dates
    amount_cents: Ints


_Record = TypeVar("_Record")
SOLD = packed.layout_of(SoldRows, 1)
LINKS = packed.layout_of(LinkRows, 1)
CASH = packed.layout_of(CashRows, 1)
UNSETTLED = packed.layout_of(UnsettledRows, 1)


@dataclass(frozen=True, slots=True)
class PackedColumn:
    """Blobs in one buffer: blob i is data[offsets[i]:offsets[i + 1]]."""

    data: packed.Bytes
    offsets: Ints

    def __getitem__(self, at: int) -> bytes:
        return self.data[self.offsets[at] : self.offsets[at + 1]].tobytes()

    def __len__(self) -> int:
        return int(self.offsets.shape[0] - 1)

    def is_empty(self, at: int) -> bool:
        """True when the blob has no rows."""
        return int(self.offsets[at + 1] - self.offsets[at]) == packed.HEADER_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedSales:
    """Sales of one view by household and year, ascending."""

    household_id: Ints
    year: Ints
    disposals: PackedColumn
    links: PackedColumn
    hashes: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedState:
    """The state of whole households."""

    household_ids: Ints  # ascending
    account_ids: Ints  # by household, then id
    lots: dict[LotView, PackedColumn]  # per account
    sales: dict[LotView, PackedSales]
    cash: PackedColumn  # per household
    unsettled: PackedColumn
    hashes: tuple[bytes, ...]  # per household


def pack_state(state: BookState) -> PackedState:
    """The bytes of a state of whole households."""
    accounts = state.accounts
    households, home = np.unique(accounts.household_ids, return_inverse=True)
    views = {LotView.TAXPAYER: state.taxpayer, LotView.BROKER: state.broker}
    lots = {
        view: PackedColumn(*lot_tables.pack_lots(part.lots, len(accounts))) for view, part in views.items()
    }
    sales = {view: _sales(part, state) for view, part in views.items()}
    cash = _by_household(
        _cash_rows(state.cash, accounts.account_ids), home[state.cash.account_ix], CASH, len(households)
    )
    unsettled = _by_household(
        _unsettled_rows(state.unsettled, accounts.account_ids),
        home[state.unsettled.account_ix],
        UNSETTLED,
        len(households),
    )
    return PackedState(
        household_ids=households,
        account_ids=accounts.account_ids,
        lots=lots,
        sales=sales,
        cash=cash,
        unsettled=unsettled,
        hashes=_hashes(households, home, lots, sales, (cash, unsettled)),
    )


def unpack_sold(data: packed.Bytes, offsets: Ints) -> tuple[SoldRows, Ints]:
    """The rows of packed disposals, one group after the other, and their starts (n_groups + 1,)."""
    return packed.unpack(data, offsets, SOLD, SoldRows)


def unpack_links(data: packed.Bytes, offsets: Ints) -> tuple[LinkRows, Ints]:
    """The rows of packed wash links, one group after the other, and their starts (n_groups + 1,)."""
    return packed.unpack(data, offsets, LINKS, LinkRows)


def unpack_one(blob: bytes, layout: packed.Layout, record: type[_Record]) -> _Record:
    """The rows of one blob."""
    rows, _ = packed.unpack(np.frombuffer(blob, np.uint8), np.array([0, len(blob)]), layout, record)
    return rows


def _sales(view: View, state: BookState) -> PackedSales:
    found = sold_by_year(view, state.accounts.account_ids, state.accounts.household_ids)
    disposals = PackedColumn(*packed.pack(found.rows, found.starts, SOLD))
    links = PackedColumn(*packed.pack(found.links, found.link_starts, LINKS))
    return PackedSales(
        household_id=found.household_id,
        year=found.year,
        disposals=disposals,
        links=links,
        hashes=tuple(sha256(disposals[i] + links[i]).digest() for i in range(len(found))),
    )


def _cash_rows(cash: Cash, account_ids: Ints) -> CashRows:
    return CashRows(
        account_id=account_ids[cash.account_ix], sleeve_ix=cash.sleeve_ix, balance_cents=cash.balance_cents
    )


def _unsettled_rows(unsettled: Unsettled, account_ids: Ints) -> UnsettledRows:
    return UnsettledRows(
        account_id=account_ids[unsettled.account_ix],
        sleeve_ix=unsettled.sleeve_ix,
        event=unsettled.event,
        kind=unsettled.kind,
        settles=unsettled.settles,
        amount_cents=unsettled.amount_cents,
    )


def _by_household(rows: Any, household: Ints, layout: packed.Layout, n_households: int) -> PackedColumn:
    # Rows stand by account, and accounts by household.
    starts = np.searchsorted(household, np.arange(n_households + 1)).astype(np.int64)
    return PackedColumn(*packed.pack(rows, starts, layout))


def _hashes(
    households: Ints,
    home: Ints,
    lots: dict[LotView, PackedColumn],
    sales: dict[LotView, PackedSales],
    cash: Sequence[PackedColumn],
) -> tuple[bytes, ...]:
    parts: list[list[bytes]] = [[] for _ in households]
    for at, household in enumerate(home.tolist()):
        parts[household] += [sha256(column[at]).digest() for column in lots.values()]
    for part in sales.values():
        for household, digest in zip(
            np.searchsorted(households, part.household_id).tolist(), part.hashes, strict=True
        ):
            parts[household].append(digest)
    for column in cash:
        for household in range(len(households)):
            parts[household].append(sha256(column[household]).digest())
    return tuple(sha256(b"".join(one)).digest() for one in parts)
