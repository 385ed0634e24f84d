"""What a late, reversed or corrected event did to sales that the books showed before.

New sales are no changes. A sale changes when its shares, proceeds, basis, term or disallowed loss
do: because it was corrected itself, because an earlier fact arrived late, or because a purchase
washed its loss after the fact, which is the law at work and no mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.ledger.sold import SoldRows
from allotment.units import Bools, Ints

_SUMMED = (
    "quantity_nano",
    "proceeds_cents",
    "basis_cents",
    "disallowed_cents",
    "permanent_cents",
    "gain_cents",
)
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedSales:
    """One row a sale, lot and year whose figures changed, ascending by year, account, sale, lot.

    Shape (n,). Figures are sums over the pieces of the lot; 0 where there is no such disposal.
    """

    year: Ints
    account_id: Ints
    event: Ints  # the sale
    origin_event: Ints  # the lot
    origin_line: Ints
    security_id: Ints
    before: Ints  # (n, 7): quantity, proceeds, basis, disallowed, permanent, gain, long-term shares
    after: Ints
    only_washed: Bools  # nothing but the disallowed part of a loss is different

    def __len__(self) -> int:
        return int(self.year.shape[0])


def changed_sales(before: SoldRows, after: SoldRows, known_until: int) -> ChangedSales:
    """Taxable sales whose figures differ, of events that were known until sequence `known_until`.

    A sale that is gone was known; one that is there now and was not before is a change only if its
    event was known (what it closed is another lot now).
    """
    changed = _changed_events(before, after, known_until)
    keys, was = _summed(before, changed)
    other, now = _summed(after, changed)
    every, at = np.unique(np.concatenate([keys, other], axis=0), axis=0, return_inverse=True)
    figures = np.zeros((2, len(every), len(_SUMMED) + 1), np.int64)
    figures[0, at.ravel()[: len(keys)]] = was
    figures[1, at.ravel()[len(keys) :]] = now
    differs = (figures[0] != figures[1]).any(axis=1)
    found, old, new = every[differs], figures[0][differs], figures[1][differs]
    washes = np.isin(np.arange(len(_SUMMED) + 1), [3, 4, 5])  # disallowed, permanent, and so the gain
    return ChangedSales(
        year=found[:, 0],
        account_id=found[:, 1],
        event=found[:, 2],
        origin_event=found[:, 3],
        origin_line=found[:, 4],
        security_id=found[:, 5],
        before=old,
        after=new,
        only_washed=(old[:, ~washes] == new[:, ~washes]).all(axis=1),
    )


def _changed_events(before: SoldRows, after: SoldRows, known_until: int) -> Ints:
    """Sales known by then some of whose rows are in one of the two alone; most rows are in both."""
    marks, events = [], []
    for rows in (before, after):
        chosen = np.flatnonzero((rows.taxable == 1) & (rows.event <= known_until))
        mark = np.zeros(len(chosen), np.uint64)
        for name in (*_SUMMED, "account_id", "event", "origin_event", "origin_line", "day", "long_term"):
            mark *= _ODD  # distinct rows get distinct marks, but for one case in 2^64
            mark += getattr(rows, name)[chosen].astype(np.int64).view(np.uint64)
            mark ^= mark >> np.uint64(29)
        marks.append(mark)
        events.append(rows.event[chosen])
    every, at = np.unique(np.concatenate(marks), return_inverse=True)
    here = np.bincount(at[: len(marks[0])], minlength=len(every))
    there = np.bincount(at[len(marks[0]) :], minlength=len(every))
    return np.unique(np.concatenate(events)[(here != there)[at]])


def _summed(rows: SoldRows, events: Ints) -> tuple[Ints, Ints]:
    """Keys (n, 6): year, account, sale, lot, line, security; and figures (n, 7). Of some sales."""
    chosen = np.flatnonzero((rows.taxable == 1) & np.isin(rows.event, events))
    keys = np.stack(
        [
            rows.day[chosen].astype("M8[Y]").astype(np.int64) + 1970,
            rows.account_id[chosen],
            rows.event[chosen],
            rows.origin_event[chosen],
            rows.origin_line[chosen].astype(np.int64),
            rows.security_id[chosen],
        ],
        axis=1,
    )
    distinct, at = np.unique(keys, axis=0, return_inverse=True)
    columns = [getattr(rows, name)[chosen] for name in _SUMMED]
    columns.append(np.where(rows.long_term[chosen] == 1, rows.quantity_nano[chosen], 0))
    sums = np.zeros((len(distinct), len(columns)), np.int64)
    np.add.at(sums, at.ravel(), np.stack(columns, axis=1))
    return distinct, sums
