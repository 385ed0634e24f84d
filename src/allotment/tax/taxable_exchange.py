"""Stock received in a transaction that is taxed: at market value, with a period of its own.

Law: 26 U.S.C. §1001: a merger that fails §368 is a sale for stock and cash at market value; the stock
is acquired by a taxable exchange, which §1091(a) counts as a purchase. §301(b), (d): a taxable
distribution of stock is income at market value, which becomes its basis; it is no purchase. An
IRA's distribution in kind is income at market value [M], and whether it is an acquisition for
§1091 is open: it is treated as one. Left out: the income itself (dividend, distribution), which
is no gain on a lot.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.pieces import NO_DAY, PURCHASED, Books, Facts
from allotment.tax.purchase import bring, buy


@inner
def receive(
    b: Books,
    f: Facts,
    account: int,
    sleeve: int,
    security: int,
    quantity: int,
    value: int,
    row: int,
    order: int,
    day: int,
    is_purchase: bool,
) -> None:
    """A new lot of transaction `row` at market value; nothing when no share is received."""
    if quantity <= 0:
        return
    p = buy(b, account, sleeve, security, quantity, value, day)
    if not is_purchase:
        b.piece[p, PURCHASED] = NO_DAY
    bring(b, f, p, row, order, day)
