"""Losses that stand for now and wait for shares of the next 30 days, oldest first.

Each group of the stream keeps two lists of disposal rows: losses on shares held, which wait for a
purchase (`tax.wash_sale`), and losses on shorts, which wait for another short (`tax.short_wash`). A
list is named by the column of its first row in `Books.group`; that of its last row stands beside it.
Law: 26 U.S.C. §1091(a), (e)(2); losses in order of disposal, Reg. §1.1091-1(b).
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import N_CLAIMS, R_CLAIM_NEXT, R_OPEN, R_QUANTITY, Books


@inner
def wait(b: Books, g: int, head: int, r: int) -> None:
    """All shares of row r wait, behind those of the losses before."""
    b.row[r, R_OPEN] = b.row[r, R_QUANTITY]
    last = b.group[g, head + 1]
    if last >= 0:
        b.row[last, R_CLAIM_NEXT] = r
    else:
        b.group[g, head] = r
    b.group[g, head + 1] = r
    b.counts[N_CLAIMS] += 1


@inner
def wait_behind(b: Books, g: int, head: int, n: int, r: int) -> None:
    """Row n, split off row r and so followed by what follows r, waits behind it."""
    b.row[r, R_CLAIM_NEXT] = n
    if b.group[g, head + 1] == r:
        b.group[g, head + 1] = n
    b.counts[N_CLAIMS] += 1


@inner
def wait_no_more(b: Books, g: int, head: int, r: int, last: int) -> None:
    """Take row r out of its list, where `last` (none: -1) stands before it."""
    following = b.row[r, R_CLAIM_NEXT]
    if last >= 0:
        b.row[last, R_CLAIM_NEXT] = following
    else:
        b.group[g, head] = following
    if b.group[g, head + 1] == r:
        b.group[g, head + 1] = last
    b.counts[N_CLAIMS] -= 1
