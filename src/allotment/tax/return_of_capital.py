"""Distributions that are no dividend: basis first, then gain, lot by lot.

Law: 26 U.S.C. §301(c)(2), (3). The row of a gain shows the excess as proceeds and no basis, as
Form 8949 does.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.disposal import write_row
from allotment.tax.merger import CENTS_DIVISOR
from allotment.tax.pieces import (
    ACCOUNT,
    BASIS,
    F_PROCEEDS,
    HOLDING,
    LOSS_BASIS,
    NEXT,
    QUANTITY,
    Books,
    Facts,
    list_of,
    part,
)
from allotment.units import mul_div


@inner
def return_capital(
    b: Books, f: Facts, account: int, security: int, cash_nano: int, sale: int, day: int
) -> None:
    """Pay `cash_nano` (billionths of a dollar) on every share held in the account."""
    piece = b.piece
    x = list_of(f, account, security)
    quantity_left = b.held[x]
    cash_left = mul_div(quantity_left, cash_nano, CENTS_DIVISOR)
    p = b.head[x]
    while p >= 0:
        cash = part(cash_left, piece[p, QUANTITY], quantity_left)
        cash_left -= cash
        quantity_left -= piece[p, QUANTITY]
        from_basis = min(cash, piece[p, BASIS])
        piece[p, BASIS] -= from_basis
        piece[p, LOSS_BASIS] = max(0, piece[p, LOSS_BASIS] - cash)
        b.flow[f.taxable[piece[p, ACCOUNT]], F_PROCEEDS] += from_basis
        if cash > from_basis:
            write_row(b, f, p, sale, day, cash - from_basis, 0, 0, 0, piece[p, HOLDING])
        p = piece[p, NEXT]
