"""Shares come in: bought, reinvested, brought with their history.

Law: 26 U.S.C. §1012(a) basis is cost, fees included; Reg. §1.1091-1(c), (d) a purchase replaces
open losses, the oldest first. Acquired on the trade date (Rev. Rul. 66-97). What is not acquired
by purchase (gift, inheritance, split, tax-free exchange) washes nothing (§1091(a)).
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import (
    ABSORBED,
    ACCOUNT,
    ACQUIRED,
    BASIS,
    BASIS_STATE,
    COVERED,
    F_RECEIVED,
    HOLDING,
    IS_YOUNG,
    LOSS_BASIS,
    NO_DAY,
    ORIGIN,
    PROCEEDS,
    PURCHASE_ID,
    PURCHASED,
    QUANTITY,
    SECURITY,
    SLEEVE,
    Books,
    Facts,
    chain,
    new_piece,
    place,
)
from allotment.tax.wash_sale import forget_old, wash_open_claims


@inner
def buy(b: Books, account: int, sleeve: int, security: int, quantity: int, amount: int, day: int) -> int:
    """A piece bought on `day` for `amount`; it stands in no list until `bring`."""
    piece = b.piece
    p = new_piece(b)
    piece[p, ACCOUNT], piece[p, SLEEVE], piece[p, SECURITY] = account, sleeve, security
    piece[p, QUANTITY], piece[p, BASIS], piece[p, LOSS_BASIS] = quantity, amount, amount
    piece[p, ACQUIRED], piece[p, HOLDING], piece[p, PURCHASED] = day, day, day
    piece[p, ABSORBED], piece[p, COVERED], piece[p, BASIS_STATE] = 0, 1, 0
    piece[p, PROCEEDS], piece[p, IS_YOUNG] = 0, 0
    return p


@inner
def bring(b: Books, f: Facts, p: int, row: int, order: int, day: int) -> None:
    """Enter the new piece p, the lot of transaction `row` and purchase `order`, into the books."""
    piece = b.piece
    piece[p, ORIGIN], piece[p, PURCHASE_ID] = row, order
    b.flow[f.taxable[piece[p, ACCOUNT]], F_RECEIVED] += piece[p, BASIS]
    forget_old(b, f, piece[p, SECURITY], day)
    if piece[p, PURCHASED] == NO_DAY or piece[p, ABSORBED] == 1:
        place(b, f, p)
        chain(b, p)
        return
    wash_open_claims(b, f, p, day)
