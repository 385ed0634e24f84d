"""Rights and calls become stock.

Law: 26 U.S.C. §1223(5): stock from exercised rights counts from the exercise day itself; its
basis is what was paid plus the basis of the rights (§307). Stock from a call counts from the day
after exercise, its basis is strike plus premium (Rev. Rul. 78-182 [M]). A call that has taken in
a washed loss passes on the days of the stock sold, not its own (§1223(3) read literally;
docs/law/policies.md), and its shares have washed their loss. Exercise is a purchase (§1091(a)).
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import (
    ABSORBED,
    ACCOUNT,
    ACQUIRED,
    BASIS,
    F_RECEIVED,
    HOLDING,
    LOSS_BASIS,
    NEXT,
    ORIGIN,
    PURCHASE_ID,
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
    stands_apart,
)
from allotment.tax.relief import empty_taken
from allotment.tax.wash_sale import wash_open_claims


@inner
def exercise_taken(
    b: Books, f: Facts, stock: int, amount: int, row: int, order: int, day: int, is_right: bool
) -> None:
    """Turn the taken list into one lot of `stock`, made by transaction `row`, share for share;
    `amount` is paid on top."""
    piece = b.piece
    quantity_left = 0
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        quantity_left += piece[p, QUANTITY]
        p = piece[p, NEXT]
    p = b.counts[TAKEN_HEAD]
    b.flow[f.taxable[piece[p, ACCOUNT]], F_RECEIVED] += amount
    left = amount
    while p >= 0:
        following = piece[p, NEXT]
        displace_young(b, f, p)
        stands_apart(b, p)
        paid = part(left, piece[p, QUANTITY], quantity_left)
        left -= paid
        quantity_left -= piece[p, QUANTITY]
        tacked_days = piece[p, ACQUIRED] - piece[p, HOLDING] if piece[p, ABSORBED] == 1 else 0
        piece[p, SECURITY], piece[p, ORIGIN], piece[p, PURCHASE_ID] = stock, row, order
        piece[p, BASIS] += paid
        piece[p, LOSS_BASIS] = piece[p, BASIS]
        piece[p, ACQUIRED], piece[p, PURCHASED] = day, day
        piece[p, HOLDING] = day - 1 if is_right else day - tacked_days
        if piece[p, ABSORBED] == 1:
            place(b, f, p)
            chain(b, p)
        else:
            wash_open_claims(b, f, p, day)
        p = following
    empty_taken(b)
