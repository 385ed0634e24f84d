"""Whose shares leave: the lots are the account's choice, the shares are those of the sleeve that acts.

Own, no law: an account is one taxpayer's and one custodian's, and its lots leave in its order whatever
label they bear (`tax.relief`). A sleeve that sells gives its own shares for those of other sleeves that
the order takes: labels are exchanged, as many for as many, so that a sleeve's shares change by its own
transactions alone. Of a lot that is named, its part of that lot; where it holds none of it, the label
stays what it is.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import (
    ACCOUNT,
    IS_YOUNG,
    NEXT,
    ORIGIN,
    QUANTITY,
    SECURITY,
    SLEEVE,
    TAKEN_HEAD,
    Books,
    Facts,
    chain,
    list_of,
    place,
    place_young,
    split_off,
)
from allotment.tax.relief import insert_taken


@inner
def take_for_sleeve(b: Books, f: Facts, sleeve: int, lots_are_named: bool) -> None:
    """Let the shares of the taken list be those of `sleeve`, as far as its own reach."""
    q = b.counts[TAKEN_HEAD]
    while q >= 0:
        if b.piece[q, SLEEVE] != sleeve:
            _exchange(b, f, q, sleeve, lots_are_named)
        q = b.piece[q, NEXT]


@inner
def _exchange(b: Books, f: Facts, q: int, sleeve: int, lots_are_named: bool) -> None:
    """Exchange labels between the taken piece q and open pieces of the sleeve. Shares of q for which
    there are none stand behind it, in a piece of their own."""
    piece = b.piece
    other, left = piece[q, SLEEVE], piece[q, QUANTITY]
    x = list_of(f, piece[q, ACCOUNT], piece[q, SECURITY])
    p = b.head[x]
    while p >= 0 and left > 0:
        following = piece[p, NEXT]
        if piece[p, SLEEVE] == sleeve and (not lots_are_named or piece[p, ORIGIN] == piece[q, ORIGIN]):
            given = p
            if left < piece[p, QUANTITY]:
                b.held[x] -= left
                given = split_off(b, p, left)
                place(b, f, given)
                chain(b, given)
                if piece[p, IS_YOUNG] == 1:
                    place_young(b, f, given)
            piece[given, SLEEVE] = other
            left -= piece[given, QUANTITY]
        p = following
    if left == piece[q, QUANTITY]:
        return
    if left > 0:
        rest = split_off(b, q, left)
        insert_taken(b, rest, piece[q, NEXT])
        if piece[q, IS_YOUNG] == 1:
            place_young(b, f, rest)
    piece[q, SLEEVE] = sleeve
