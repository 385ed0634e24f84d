"""Some shares of a parent are exchanged for shares of its subsidiary.

Law: 26 U.S.C. §355(a)(2)(B), §358(a)(1), §1223(1): no gain; basis and dates of the shares surrendered go
over to those received, lot by lot. Shares received are no purchase (§1091(a)).
Left out: boot.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import (
    NEXT,
    NO_DAY,
    PURCHASED,
    QUANTITY,
    SECURITY,
    TAKEN_HEAD,
    Books,
    Facts,
    chain,
    displace_young,
    part,
    place,
)
from allotment.tax.relief import empty_taken
from allotment.units import mul_div


@inner
def exchange_taken(b: Books, f: Facts, to: int, new_parts: int, old_parts: int) -> None:
    """Turn the taken list into shares of `to`; each piece stays the lot that it was."""
    piece = b.piece
    old_left = 0
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        old_left += piece[p, QUANTITY]
        p = piece[p, NEXT]
    new_left = mul_div(old_left, new_parts, old_parts)
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        following = piece[p, NEXT]
        new = part(new_left, piece[p, QUANTITY], old_left)
        old_left -= piece[p, QUANTITY]
        new_left -= new
        displace_young(b, f, p)
        piece[p, SECURITY], piece[p, QUANTITY], piece[p, PURCHASED] = to, max(1, new), NO_DAY
        place(b, f, p)
        chain(b, p)
        p = following
    empty_taken(b)
