"""Which transactions can touch one another: streams of a household and a family of securities.

A family is a connected set of securities: substantially identical ones, and those that a
corporate action turns into one another. Nothing outside a stream can change what happens in
it, so streams are folded one after the other (or apart), and a late event re-runs only its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotment.compiled import kernel
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import Kind, Transactions
from allotment.units import Index, Ints

_CONNECTING = np.array(
    [
        Kind.SPIN_OFF,
        Kind.STOCK_MERGER,
        Kind.MIXED_MERGER,
        Kind.RIGHTS,
        Kind.EXERCISE_RIGHTS,
        Kind.SYMBOL_CHANGE,
        Kind.OPTION_EXERCISE,
        Kind.TAXABLE_MERGER,
        Kind.TAXABLE_SPIN_OFF,
        Kind.SPLIT_OFF,
    ],
    np.int8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """Securities by family. Columns of shape (n_securities,), `size` and `n_groups` (n_families,)."""

    family_ix: Index
    security_local: Index  # position inside the family
    group_local: Index  # position of the group inside the family
    size: Index
    n_groups: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Rows by stream: stream i has rows[start[i]:start[i + 1]], in fold order."""

    rows: Ints  # (n_rows,)
    start: Ints  # (n_streams + 1,)
    family_ix: Index  # (n_streams,)
    household_ix: Index


def with_successors(groups: IdenticalGroups, transactions: Transactions) -> IdenticalGroups:
    """The groups with every renamed security in one group with its new name, which stands for as
    many units of it unless the groups say otherwise."""
    renamed = (transactions.kind == Kind.SYMBOL_CHANGE) & (transactions.detail_ix >= 0)
    if not renamed.any():
        return groups
    group_ix = groups.group_ix.copy()
    parts, whole = groups.unit_parts.copy(), groups.unit_whole.copy()
    is_alone = np.bincount(group_ix)[group_ix] == 1
    own = transactions.security_ix[renamed]
    other = transactions.terms.other_ix[transactions.detail_ix[renamed]]
    pairs, first = np.unique(np.stack([own, other])[:, other >= 0], axis=1, return_index=True)
    for a, b in pairs[:, np.argsort(first)].T:
        taker, giver = (b, a) if is_alone[b] else (a, b) if is_alone[a] else (a, a)
        parts[taker], whole[taker] = parts[giver], whole[giver]
        is_alone[[a, b]] = False
        old, new = sorted((int(group_ix[a]), int(group_ix[b])))
        group_ix[group_ix == new] = old
    return replace(groups, group_ix=group_ix, unit_parts=parts, unit_whole=whole)


def families(groups: IdenticalGroups, transactions: Transactions) -> Families:
    """Families of all securities, given the corporate actions at hand."""
    n = len(groups)
    root = np.arange(n)

    def find(at: int) -> int:
        while root[at] != at:
            root[at] = root[root[at]]
            at = int(root[at])
        return at

    by_group = np.argsort(groups.group_ix, kind="stable")
    same = groups.group_ix[by_group[1:]] == groups.group_ix[by_group[:-1]]
    pairs = {(int(by_group[i]), int(by_group[i + 1])) for i in np.flatnonzero(same)}
    acting = np.flatnonzero(transactions.detail_ix >= 0)
    if len(transactions.terms):
        acting = acting[np.isin(transactions.kind[acting], _CONNECTING)]
        other = transactions.terms.other_ix[transactions.detail_ix[acting]]
        own = transactions.security_ix[acting]
        linked = np.unique(np.stack([own, other])[:, other >= 0], axis=1).T
        pairs |= {(int(a), int(b)) for a, b in linked}
    for a, b in sorted(pairs):
        left, right = find(a), find(b)
        root[max(left, right)] = min(left, right)
    while (root[root] != root).any():
        root = root[root]
    _, family_ix = np.unique(root, return_inverse=True)
    return Families(
        family_ix=family_ix.astype(np.int32),
        security_local=_rank_inside(family_ix, np.arange(n)),
        group_local=_rank_inside(family_ix, groups.group_ix.astype(np.int64)),
        size=np.bincount(family_ix, minlength=1).astype(np.int32),
        n_groups=_distinct_inside(family_ix, groups.group_ix),
    )


def _rank_inside(family_ix: Ints, member: Ints) -> Index:
    """For each security the rank of its `member` number among those of its family."""
    width = int(member.max(initial=0)) + 1
    keys, at = np.unique(family_ix * width + member, return_inverse=True)
    first = np.searchsorted(keys // width, np.arange(family_ix.max(initial=-1) + 1))
    return np.asarray(at - first[family_ix], np.int32)


def _distinct_inside(family_ix: Ints, member: Index) -> Index:
    width = int(member.max(initial=0)) + 1
    keys = np.unique(family_ix * width + member.astype(np.int64))
    return np.bincount(keys // width, minlength=1).astype(np.int32)


def streams(transactions: Transactions, of: Families) -> Streams:
    """Sort the rows by household, then family, keeping their order. Linear in the rows."""
    n_families = len(of.size)
    family = of.family_ix[transactions.security_ix] if len(of.family_ix) else transactions.security_ix
    rows = np.empty(len(transactions), np.int64)
    starts = np.empty(len(transactions) + 1, np.int64)
    found = np.empty(len(transactions), np.int32)
    household = np.empty(len(transactions), np.int32)
    n = _sort_rows(transactions.household_ix, family, n_families, rows, starts, found, household)
    return Streams(
        rows=rows,
        start=starts[: n + 1].copy(),
        family_ix=found[:n].copy(),
        household_ix=household[:n].copy(),
    )


@kernel
def _sort_rows(
    household_of: Index,
    family_of: Index,
    n_families: int,
    rows: Ints,
    starts: Ints,
    found: Index,
    owner: Index,
) -> int:
    n_rows = household_of.shape[0]
    place = np.zeros(n_families, np.int64)
    seen = np.empty(n_families, np.int64)
    n_streams = 0
    begin = 0
    starts[0] = 0
    while begin < n_rows:
        end = begin
        n_seen = 0
        while end < n_rows and household_of[end] == household_of[begin]:
            family = family_of[end]
            if place[family] == 0:
                seen[n_seen] = family
                n_seen += 1
            place[family] += 1
            end += 1
        ordered = np.sort(seen[:n_seen])
        at = begin
        for family in ordered:
            length = place[family]
            found[n_streams], owner[n_streams] = family, household_of[begin]
            place[family] = at
            at += length
            n_streams += 1
            starts[n_streams] = at
        for r in range(begin, end):
            rows[place[family_of[r]]] = r
            place[family_of[r]] += 1
        for family in ordered:
            place[family] = 0
        begin = end
    return n_streams
