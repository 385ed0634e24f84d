"""An order sold: lots closed, proceeds shared out, losses looked at one after the other.

Law: Reg. §1.1091-1(b) for the order of the losses; docs/law/numbers.md for the rounding of
proceeds. The wash loss of one block leaves gains on other blocks of the order alone (Pub. 550).
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.disposal import book, loss_of
from allotment.tax.pieces import (
    ACCOUNT,
    BASIS,
    F_GIVEN,
    F_RECEIVED,
    IS_YOUNG,
    NEXT,
    PROCEEDS,
    QUANTITY,
    SECURITY,
    SLEEVE,
    SOLD,
    SOLD_EARLIER,
    SOLD_ROW,
    STATUS,
    TAKEN_HEAD,
    Books,
    Facts,
    chain,
    displace_young,
    free_piece,
    part,
    place,
    place_young,
    stands_apart,
)
from allotment.tax.relief import empty_taken
from allotment.tax.wash_sale import forget_old, open_claim, wash_with_held


@inner
def share_out(b: Books, amount: int) -> None:
    """Give every piece of the taken list its part of the proceeds."""
    piece = b.piece
    quantity_left = 0
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        quantity_left += piece[p, QUANTITY]
        p = piece[p, NEXT]
    left = amount
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        piece[p, PROCEEDS] = part(left, piece[p, QUANTITY], quantity_left)
        left -= piece[p, PROCEEDS]
        quantity_left -= piece[p, QUANTITY]
        p = piece[p, NEXT]


@inner
def _stand_back(b: Books, f: Facts) -> None:
    """What is kept of a purchase replaces a loss before what is sold of it."""
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        if b.piece[p, IS_YOUNG] == 1:
            displace_young(b, f, p)
            stands_apart(b, p)
            place_young(b, f, p)
        p = b.piece[p, NEXT]


@inner
def sell_taken(b: Books, f: Facts, sale: int, day: int, amount: int, today: int) -> None:
    """Book the taken list as sold on `day` for `amount` and empty it. `today` is the day of the
    transaction, which only a deemed sale differs from."""
    piece = b.piece
    share_out(b, amount)
    forget_old(b, f, piece[b.counts[TAKEN_HEAD], SECURITY], today)
    _stand_back(b, f)
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        taxable = f.taxable[piece[p, ACCOUNT]] == 1
        left = p
        if taxable and loss_of(b, p) > 0:
            left = wash_with_held(b, f, p, sale, day)
        following = piece[p, NEXT]
        kept = False
        if left >= 0:
            r = book(b, f, left, sale, day, 0, 0)
            if taxable and loss_of(b, left) > 0:
                open_claim(b, f, r)
            if f.policy[SOLD_EARLIER] == 1 and piece[p, IS_YOUNG] == 1:
                piece[p, STATUS], piece[p, SOLD_ROW] = SOLD, r
                kept = True
        if not kept:
            displace_young(b, f, p)
            free_piece(b, p)
        p = following
    empty_taken(b)


@inner
def _place_apart(b: Books, f: Facts, p: int) -> None:
    """Put the closed piece p, which is still there, among the open ones."""
    is_young = b.piece[p, IS_YOUNG] == 1
    displace_young(b, f, p)
    stands_apart(b, p)
    place(b, f, p)
    chain(b, p)
    if is_young:
        place_young(b, f, p)


@inner
def move_taken(b: Books, f: Facts, account: int) -> None:
    """Put the taken list into another account as it is: no tax event (docs/law/gifts.md)."""
    piece = b.piece
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        following = piece[p, NEXT]
        b.flow[f.taxable[piece[p, ACCOUNT]], F_GIVEN] += piece[p, BASIS]
        b.flow[f.taxable[account], F_RECEIVED] += piece[p, BASIS]
        piece[p, ACCOUNT] = account
        _place_apart(b, f, p)
        p = following
    empty_taken(b)


@inner
def relabel_taken(b: Books, f: Facts, sleeve: int) -> None:
    """Put the taken list into another sleeve of its account: a record, no tax event."""
    piece = b.piece
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        following = piece[p, NEXT]
        piece[p, SLEEVE] = sleeve
        _place_apart(b, f, p)
        p = following
    empty_taken(b)


@inner
def give_away_taken(b: Books, f: Facts) -> None:
    """The taken list leaves these books with its basis: donation, gift, transfer out."""
    piece = b.piece
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        following = piece[p, NEXT]
        b.flow[f.taxable[piece[p, ACCOUNT]], F_GIVEN] += piece[p, BASIS]
        displace_young(b, f, p)
        free_piece(b, p)
        p = following
    empty_taken(b)
