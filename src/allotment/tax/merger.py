"""One stock becomes another: tax-free mergers, with or without boot, and changes of name.

Law: 26 U.S.C. §§354, 358(a)(1), 1223(1), Reg. §1.358-2(a)(2): basis and dates go over lot by
lot, never averaged; §356(a)(1), (c), 358(a)(1), Rev. Rul. 68-23: with boot, each lot's gain is
recognised up to its cash, a loss is not; §368(a)(1)(E), (F): a change of symbol changes nothing.
Boot is spread by shares (Reg. §1.356-1(b) [M]). Shares received are no purchase (§1091(a)), but
a change of symbol leaves the purchase what it was.
Left out: boot with the effect of a dividend (§356(a)(2)); the issuer's statement decides.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.disposal import write_row
from allotment.tax.pieces import (
    BASIS,
    HOLDING,
    LOSS_BASIS,
    NEXT,
    NO_DAY,
    PURCHASED,
    QUANTITY,
    SECURITY,
    Books,
    Facts,
    displace,
    displace_young,
    list_of,
    part,
    place,
)
from allotment.units import mul_div

CENTS_DIVISOR = 10**16  # billionths of a share × billionths of a dollar → cents


@inner
def convert_list(
    b: Books,
    f: Facts,
    account: int,
    security: int,
    to: int,
    new_parts: int,
    old_parts: int,
    is_rename: bool,
) -> None:
    """Every lot of `security` in the account becomes one of `to`, with its basis and dates."""
    piece = b.piece
    x = list_of(f, account, security)
    old_left = b.held[x]
    new_left = mul_div(old_left, new_parts, old_parts)
    p = b.head[x]
    while p >= 0:
        following = piece[p, NEXT]
        displace(b, f, p)
        new = part(new_left, piece[p, QUANTITY], old_left)
        old_left -= piece[p, QUANTITY]
        new_left -= new
        if not is_rename:
            displace_young(b, f, p)
            piece[p, PURCHASED] = NO_DAY
        piece[p, SECURITY], piece[p, QUANTITY] = to, max(1, new)
        place(b, f, p)
        p = following


@inner
def pay_boot(
    b: Books,
    f: Facts,
    account: int,
    security: int,
    new_parts: int,
    old_parts: int,
    cash_nano: int,
    price_nano: int,
    sale: int,
    day: int,
) -> None:
    """Recognise each lot's gain up to its cash, and set its basis for the exchange.

    cash_nano: per share given up; price_nano: market value of a share received, both in
    billionths of a dollar.
    """
    piece = b.piece
    x = list_of(f, account, security)
    quantity_left = b.held[x]
    cash_left = mul_div(quantity_left, cash_nano, CENTS_DIVISOR)
    p = b.head[x]
    while p >= 0:
        cash = part(cash_left, piece[p, QUANTITY], quantity_left)
        cash_left -= cash
        quantity_left -= piece[p, QUANTITY]
        received = mul_div(piece[p, QUANTITY], new_parts, old_parts)
        value = mul_div(received, price_nano, CENTS_DIVISOR)
        gain = min(cash, max(0, cash + value - piece[p, BASIS]))
        # A lot without gain whose cash exceeds its basis cannot be: value is not negative.
        write_row(b, f, p, sale, day, cash, cash - gain, 0, 0, piece[p, HOLDING])
        piece[p, BASIS] -= cash - gain
        piece[p, LOSS_BASIS] = max(0, piece[p, LOSS_BASIS] - (cash - gain))
        p = piece[p, NEXT]
