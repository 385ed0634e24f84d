"""Folding again what a late fact can have changed, and nothing else.

A transaction that arrives late, is reversed or corrected, or an account that is linked, touches
the streams of its household and family of securities (`tax.streams`). Those are folded again,
the rest of the result is taken over. What comes out is what folding everything would give.
Numbers of securities, accounts and parent orders must mean the same before and after.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from allotment.tax.fold import fold_transactions
from allotment.tax.folded import (
    Conservation,
    Folded,
    FoldedDisposals,
    FoldedLinks,
    FoldProblems,
    OpenLots,
)
from allotment.tax.identical import IdenticalGroups
from allotment.tax.streams import Families, families, with_successors
from allotment.tax.transactions import FoldPolicy, Kind, NamedLots, TaxAccounts, Transactions
from allotment.units import Bools, Ints

_BRINGING = np.array([Kind.OPEN_LOT, Kind.GIFT_IN, Kind.INHERIT], np.int8)  # details in `brought`
_Columns = TypeVar("_Columns", OpenLots, FoldedDisposals, FoldedLinks, FoldProblems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Transactions, a lasting id of each row (n_rows,), and what they fold to."""

    transactions: Transactions
    ids: Ints
    folded: Folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Refolded:
    """The book after a change."""

    book: Book
    changed_ids: Ints  # added, taken away or altered, ascending
    n_rows_folded: int  # how many transactions were looked at again


def refold(
    before: Book,
    transactions: Transactions,
    ids: Ints,
    accounts: TaxAccounts,
    groups: IdenticalGroups,
    policy: FoldPolicy,
) -> Refolded:
    """Fold `transactions`, of which most stand in `before` under the same ids."""
    old, new = before.transactions, transactions
    old_place, new_place = _matched(before.ids, ids)
    changed_old, changed_new = _changes(old, new, old_place, new_place)
    of_old, of_new = (families(with_successors(groups, t), t) for t in (old, new))
    touched = _touched(old, new, changed_old, changed_new, of_old, of_new)
    again_old, again_new = (np.flatnonzero(touched[t.household_ix, t.security_ix]) for t in (old, new))
    same_groups = with_successors(groups, new)
    was = fold_transactions(some_rows(old, again_old), accounts, with_successors(groups, old), policy)
    now = fold_transactions(some_rows(new, again_new), accounts, same_groups, policy)
    merged = _merged(before.folded, was, now, again_new, new_place, touched, accounts, of_new)
    changed = np.unique(np.concatenate([before.ids[changed_old], ids[changed_new]]))
    return Refolded(
        book=Book(transactions=new, ids=ids, folded=merged),
        changed_ids=changed,
        n_rows_folded=len(again_new),
    )


def first_rows(transactions: Transactions, n_rows: int) -> Transactions:
    """The books as they stood before row `n_rows`."""
    return some_rows(transactions, np.arange(n_rows))


def _matched(old_ids: Ints, new_ids: Ints) -> tuple[Ints, Ints]:
    """For each new row its old one, for each old row its new one; -1 none."""
    order = np.argsort(old_ids)
    at = np.minimum(np.searchsorted(old_ids[order], new_ids), max(len(old_ids) - 1, 0))
    of_new = np.full(len(new_ids), -1, np.int64)
    if len(old_ids):
        found = old_ids[order][at] == new_ids
        of_new[found] = order[at[found]]
    of_old = np.full(len(old_ids), -1, np.int64)
    of_old[of_new[of_new >= 0]] = np.flatnonzero(of_new >= 0)
    return of_new, of_old


def _changes(old: Transactions, new: Transactions, of_new: Ints, of_old: Ints) -> tuple[Bools, Bools]:
    """Masks over old and new rows: gone or altered, added or altered. A row that has changed places
    with another is altered."""
    added, gone = of_new < 0, of_old < 0
    here = np.flatnonzero(~added)
    there = of_new[here]
    altered = np.zeros(len(here), np.bool_)
    for part in fields(Transactions):
        if part.metadata.get("column", True) and part.name not in ("detail_ix", "sequence"):
            altered |= _differ(getattr(old, part.name)[there], getattr(new, part.name)[here])
    altered |= _details_differ(old, new, there, here)
    altered |= _names_differ(old.named, new.named, there, here, of_old)
    latest = np.maximum.accumulate(np.concatenate([[-1], there]))[:-1]
    altered |= there < latest
    added[here[altered]] = True
    gone[there[altered]] = True
    return gone, added


def _differ(one: Any, other: Any) -> Bools:
    if one.dtype.kind == "M":
        one, other = one.astype("M8[D]").view(np.int64), other.astype("M8[D]").view(np.int64)
    different: Bools = one != other
    return different


def _details_differ(old: Transactions, new: Transactions, there: Ints, here: Ints) -> Bools:
    """Do the terms, or the facts of a lot brought, differ?"""
    one, other = old.detail_ix[there], new.detail_ix[here]
    out: Bools = (one < 0) != (other < 0)
    is_brought = np.isin(new.kind[here], _BRINGING)
    for tables, chosen in (((old.terms, new.terms), ~is_brought), ((old.brought, new.brought), is_brought)):
        rows = np.flatnonzero((one >= 0) & (other >= 0) & chosen)
        for part in fields(tables[0]):
            columns = [getattr(table, part.name) for table in tables]
            out[rows] |= _differ(columns[0][one[rows]], columns[1][other[rows]])
    return out


def _names_differ(old: NamedLots, new: NamedLots, there: Ints, here: Ints, of_old: Ints) -> Bools:
    """Do the lots that a row names differ? Lots are compared as rows of the new transactions."""
    one, other = np.diff(old.start)[there], np.diff(new.start)[here]
    out: Bools = one != other
    for i in np.flatnonzero((one > 0) & ~out):
        a, b = old.start[there[i]], new.start[here[i]]
        n = int(one[i])
        lots = of_old[old.row[a : a + n]]
        out[i] = bool(
            (lots != new.row[b : b + n]).any()
            or (old.quantity_nano[a : a + n] != new.quantity_nano[b : b + n]).any()
        )
    return out


def _touched(
    old: Transactions,
    new: Transactions,
    changed_old: Bools,
    changed_new: Bools,
    of_old: Families,
    of_new: Families,
) -> Bools:
    """(n_households, n_securities): what must be folded again. Whole families, before and after."""
    n_households = 1 + max(int(t.household_ix.max(initial=-1)) for t in (old, new))
    touched = np.zeros((n_households, len(of_new.family_ix)), np.bool_)
    for t, changed in ((old, changed_old), (new, changed_new)):
        touched[t.household_ix[changed], t.security_ix[changed]] = True
    count = -1
    while count != int(touched.sum()):
        count = int(touched.sum())
        for of in (of_old, of_new):
            by_family = np.zeros((n_households, len(of.size)), np.bool_)
            household, security = np.nonzero(touched)
            by_family[household, of.family_ix[security]] = True
            touched |= by_family[:, of.family_ix]
    return touched


def some_rows(t: Transactions, rows: Ints) -> Transactions:
    """Books of the rows asked for, ascending, with the lots that they name. A lot of a row left out is
    told as the naming row itself, which made none: it is not held, here as in the whole."""
    place = np.full(len(t), -1, np.int64)
    place[rows] = np.arange(len(rows))
    count = np.diff(t.named.start)[rows]
    chosen = np.repeat(place >= 0, np.diff(t.named.start))
    entries = np.flatnonzero(chosen)
    lot = place[t.named.row[entries]]
    named = NamedLots(
        start=np.concatenate([[0], np.cumsum(count)]),
        row=np.where(lot >= 0, lot, np.repeat(np.arange(len(rows)), count)),
        quantity_nano=t.named.quantity_nano[entries],
    )
    columns = {
        part.name: getattr(t, part.name)[rows]
        for part in fields(Transactions)
        if part.metadata.get("column", True)
    }
    return Transactions(**columns, named=named, terms=t.terms, brought=t.brought)


def _merged(
    before: Folded,
    was: Folded,
    now: Folded,
    again: Ints,
    of_old: Ints,
    touched: Bools,
    accounts: TaxAccounts,
    of_new: Families,
) -> Folded:
    """What was not touched, and what was folded again, in the order of a whole fold."""

    def untouched(columns: OpenLots | FoldedDisposals) -> Ints:
        household = accounts.household_ix[columns.account_ix]
        return np.flatnonzero(~touched[household, columns.security_ix])

    lots = _joined(_of_rows(_take(before.lots, untouched(before.lots)), of_old), _of_rows(now.lots, again))
    family = of_new.family_ix[lots.security_ix]
    lots = _take(lots, np.lexsort((lots.security_ix, -lots.side, family, lots.account_ix)))
    kept = untouched(before.disposals)
    sold = _joined(_of_rows(_take(before.disposals, kept), of_old), _of_rows(now.disposals, again))
    order = np.lexsort((sold.sale_row, sold.account_ix))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    kept_place = np.full(len(before.disposals.sale_row), -1, np.int64)
    kept_place[kept] = place[: len(kept)]
    old_links = _take(before.links, np.flatnonzero(kept_place[before.links.disposal_ix] >= 0))
    links = _joined(
        _changed(_of_rows(old_links, of_old), disposal_ix=kept_place[old_links.disposal_ix]),
        _changed(_of_rows(now.links, again), disposal_ix=place[len(kept) :][now.links.disposal_ix]),
    )
    known = of_old[before.problems.row]
    fine = np.flatnonzero((known >= 0) & ~np.isin(known, again))
    problems = _joined(
        _changed(_take(before.problems, fine), row=known[fine]),
        _changed(now.problems, row=again[now.problems.row]),
    )
    return Folded(
        lots=lots,
        disposals=_take(sold, order),
        links=_take(links, np.argsort(links.disposal_ix, kind="stable")),
        problems=_take(problems, np.argsort(problems.row, kind="stable")),
        conservation=Conservation(
            **{
                part.name: getattr(before.conservation, part.name)
                - getattr(was.conservation, part.name)
                + getattr(now.conservation, part.name)
                for part in fields(Conservation)
            }
        ),
    )


def _of_rows(columns: _Columns, rows: Ints) -> _Columns:
    """The columns with their transactions' rows told as `rows` has them."""
    names = [name for name in ("sale_row", "origin_row") if hasattr(columns, name)]
    return _changed(columns, **{name: rows[getattr(columns, name)] for name in names})


def _take(columns: _Columns, rows: Ints) -> _Columns:
    return type(columns)(**{part.name: getattr(columns, part.name)[rows] for part in fields(columns)})


def _joined(one: _Columns, other: _Columns) -> _Columns:
    joined = {}
    for part in fields(one):
        joined[part.name] = np.concatenate([getattr(one, part.name), getattr(other, part.name)])
    return type(one)(**joined)


def _changed(columns: _Columns, **values: Ints) -> _Columns:
    parts = {part.name: getattr(columns, part.name) for part in fields(columns)}
    return type(columns)(**(parts | values))
