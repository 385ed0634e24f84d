"""Shares of another company come with those held: spin-offs, other classes, rights.

Law: 26 U.S.C. §§355, 358(b)(2), (c), Reg. §1.358-2: the basis of each lot is shared between
parent and child by market value, dates go over (§1223(1)(B)); §307(a) for another class;
§307(b), §1223(4) for rights: basis 0 when they are worth less than 15 % of the stock, unless
the holder elects to allocate. None of it is a purchase (§1091(a)).
Left out: taxable spin-offs (§301), and which shares a split-off gives up.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import (
    BASIS,
    BIRTH,
    IS_YOUNG,
    LOSS_BASIS,
    N_PIECE_COLUMNS,
    NEXT,
    NO_DAY,
    PURCHASED,
    QUANTITY,
    SECURITY,
    Books,
    Facts,
    chain,
    list_of,
    new_piece,
    part,
    place,
)
from allotment.units import mul_div


@inner
def rights_get_basis(allocate: int, right_value_nano: int, stock_value_nano: int) -> bool:
    """§307(b)(1): by election, or when the rights are worth 15 % of the stock or more.

    right_value_nano: of the rights that one share brings.
    """
    return allocate == 1 or right_value_nano >= mul_div(stock_value_nano, 15, 100)


@inner
def distribute(
    b: Books,
    f: Facts,
    account: int,
    security: int,
    child: int,
    new_parts: int,
    old_parts: int,
    child_value_nano: int,
    parent_value_nano: int,
) -> None:
    """Give every lot its shares of `child` and share its basis.

    The values, in billionths of a dollar, are those of one parent share and of the child's
    shares that it brings; a child value of 0 leaves all basis with the parent.
    """
    piece = b.piece
    x = list_of(f, account, security)
    old_left = b.held[x]
    new_left = mul_div(old_left, new_parts, old_parts)
    p = b.head[x]
    while p >= 0:
        new = part(new_left, piece[p, QUANTITY], old_left)
        old_left -= piece[p, QUANTITY]
        new_left -= new
        if new > 0:
            q = new_piece(b)
            birth = piece[q, BIRTH]
            for column in range(N_PIECE_COLUMNS):
                piece[q, column] = piece[p, column]
            piece[q, BIRTH], piece[q, IS_YOUNG] = birth, 0
            piece[q, SECURITY], piece[q, QUANTITY], piece[q, PURCHASED] = child, new, NO_DAY
            whole = parent_value_nano + child_value_nano
            piece[q, BASIS] = mul_div(piece[p, BASIS], child_value_nano, whole)
            piece[q, LOSS_BASIS] = mul_div(piece[p, LOSS_BASIS], child_value_nano, whole)
            piece[p, BASIS] -= piece[q, BASIS]
            piece[p, LOSS_BASIS] -= piece[q, LOSS_BASIS]
            place(b, f, q)
            chain(b, q)
        p = piece[p, NEXT]
