"""Splits, stock dividends in kind and reverse splits.

Law: 26 U.S.C. §§305(a), 307(a), 1223(4); reverse splits §368(a)(1)(E). Nothing is recognised;
each lot keeps its basis and dates and changes its number of shares. Cash for an account's
fraction is a sale of that fraction (Rev. Rul. 66-365, Rev. Proc. 77-41, Rev. Rul. 69-15).
Open wash-sale claims follow the shares (no authority found; docs/law/policies.md).
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import (
    CLAIM_HEAD,
    NEXT,
    QUANTITY,
    R_CLAIM_NEXT,
    R_OPEN,
    R_SECURITY,
    SECURITY,
    SHORT_CLAIM_HEAD,
    SOLD,
    STATUS,
    YOUNG_HEAD,
    YOUNG_NEXT,
    Books,
    Facts,
    list_of,
    part,
)
from allotment.units import NANO_PER_SHARE, mul_div


@inner
def scale_list(b: Books, x: int, new_parts: int, old_parts: int) -> None:
    """Multiply the shares of every lot of list x; the list's total is exact, and what rounding
    leaves stays with the later lots."""
    old_left = b.held[x]
    new_left = mul_div(old_left, new_parts, old_parts)
    b.held[x] = 0
    p = b.head[x]
    while p >= 0:
        new = part(new_left, b.piece[p, QUANTITY], old_left)
        old_left -= b.piece[p, QUANTITY]
        new_left -= new
        b.piece[p, QUANTITY] = max(1, new)  # no lot vanishes, be it a billionth of a share
        b.held[x] += b.piece[p, QUANTITY]
        p = b.piece[p, NEXT]


@inner
def scale_claims(
    b: Books, f: Facts, account: int, security: int, day: int, new_parts: int, old_parts: int
) -> None:
    """Multiply the shares that open claims on the security still wait for, and those sold that
    may still replace a loss; once however many accounts report the split. Another split of the
    day is reported by the same account again."""
    local = f.security_local[security]
    if b.scaled[local, 0] == day and b.scaled[local, 1] != account:
        return
    b.scaled[local, 0], b.scaled[local, 1] = day, account
    g = f.group_local[security]
    p = b.group[g, YOUNG_HEAD]
    while p >= 0:
        if b.piece[p, STATUS] == SOLD and b.piece[p, SECURITY] == security:
            b.piece[p, QUANTITY] = max(1, mul_div(b.piece[p, QUANTITY], new_parts, old_parts))
        p = b.piece[p, YOUNG_NEXT]
    for head in (CLAIM_HEAD, SHORT_CLAIM_HEAD):
        r = b.group[g, head]
        while r >= 0:
            if b.row[r, R_SECURITY] == security:
                b.row[r, R_OPEN] = max(1, mul_div(b.row[r, R_OPEN], new_parts, old_parts))
            r = b.row[r, R_CLAIM_NEXT]


@inner
def fraction_held(b: Books, f: Facts, account: int, security: int) -> int:
    """The fraction of a share that an account holds beyond whole ones, in billionths."""
    return int(b.held[list_of(f, account, security)] % NANO_PER_SHARE)
