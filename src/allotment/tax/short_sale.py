"""Short sales: what closing one recognises, and what it does to stock held.

Law: 26 U.S.C. §1233(a), capital gain or loss when the short is closed; §1233(b) with
substantially identical stock held a year or less at the sale, or bought before the closing, a
gain is short-term and that stock's holding period starts anew on the closing day, up to the
shares closed; §1233(d) with such stock held longer at the sale, a loss is long-term; (e)(2)(C)
a spouse's stock counts. A gain belongs to the trade day, a loss to the delivery (Rev. Rul.
2002-44 [S], Reg. §1.1233-1(a)(1) [S]). Closed with shares just bought, the term is short.
Left out: wash sales of short sales (§1091(e)), constructive sales (§1259), puts (§1233(c));
stock of another class of the group; corporate actions but splits while a short is open.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.disposal import write_row
from allotment.tax.holding_period import long_term_from
from allotment.tax.pieces import (
    ABSORBED,
    ACQUIRED,
    BASIS,
    F_RECEIVED,
    FIRST_ACCOUNT,
    HOLDING,
    N_ACCOUNTS,
    N_SECURITIES,
    NEXT,
    NONE,
    PREV,
    PURCHASED,
    QUANTITY,
    R_DAY,
    R_LONG,
    SHORT,
    STATUS,
    Books,
    Facts,
    chain,
    displace,
    free_piece,
    list_of,
    part,
    place,
    split_off,
)


@inner
def short_list_of(f: Facts, account: int, security: int) -> int:
    """Position of the list of open shorts; it stands behind the lists of shares held."""
    return int(f.here[N_ACCOUNTS] * f.here[N_SECURITIES] + list_of(f, account, security))


@inner
def _append(b: Books, x: int, p: int) -> None:
    last = b.tail[x]
    b.piece[p, PREV], b.piece[p, NEXT], b.piece[p, STATUS] = last, NONE, SHORT
    if last >= 0:
        b.piece[last, NEXT] = p
    else:
        b.head[x] = p
    b.tail[x] = p
    b.held[x] += b.piece[p, QUANTITY]


@inner
def _held_long(b: Books, f: Facts, security: int, day: int) -> int:
    """Shares of the household, outside IRAs, that have been held more than a year on `day`."""
    total = 0
    for i in range(f.here[N_ACCOUNTS]):
        account = f.here[FIRST_ACCOUNT] + i
        if f.taxable[account] == 0:
            continue
        p = b.head[list_of(f, account, security)]
        while p >= 0:
            if day >= long_term_from(b.piece[p, HOLDING]):
                total += b.piece[p, QUANTITY]
            p = b.piece[p, NEXT]
    return total


@inner
def open_short(b: Books, f: Facts, p: int, account: int, security: int, day: int) -> None:
    """Enter the short p, whose `BASIS` is its proceeds. ABSORBED marks shares whose loss would
    be long-term (§1233(d))."""
    x = short_list_of(f, account, security)
    b.piece[p, PURCHASED] = b.piece[p, ACQUIRED]
    old = _held_long(b, f, security, day)
    if old > 0:
        q = p
        if old < b.piece[p, QUANTITY]:
            q = split_off(b, p, old)
        b.piece[q, ABSORBED] = 1
        _append(b, x, q)
        if q == p:
            return
    _append(b, x, p)


@inner
def _start_anew(b: Books, f: Facts, security: int, quantity: int, shorted: int, closed: int) -> None:
    """§1233(b)(2): the holding period of the earliest `quantity` shares that were not long-term
    when the short was sold starts on the closing day."""
    left = quantity
    while left > 0:
        best = NONE
        for i in range(f.here[N_ACCOUNTS]):
            account = f.here[FIRST_ACCOUNT] + i
            if f.taxable[account] == 0:
                continue
            p = b.head[list_of(f, account, security)]
            while p >= 0:
                is_young = long_term_from(b.piece[p, HOLDING]) > shorted and b.piece[p, HOLDING] < closed
                if is_young and (best < 0 or b.piece[p, ACQUIRED] < b.piece[best, ACQUIRED]):
                    best = p
                p = b.piece[p, NEXT]
        if best < 0:
            return
        displace(b, f, best)
        p = best
        if left < b.piece[best, QUANTITY]:
            p = split_off(b, best, left)
            chain(b, p)
            place(b, f, best)
        b.piece[p, HOLDING] = closed
        left -= b.piece[p, QUANTITY]
        place(b, f, p)


@inner
def cover(
    b: Books,
    f: Facts,
    account: int,
    security: int,
    quantity: int,
    amount: int,
    row: int,
    day: int,
    settles: int,
) -> None:
    """Close `quantity` shares of the shorts of one account, oldest first, for `amount`."""
    x = short_list_of(f, account, security)
    b.flow[f.taxable[account], F_RECEIVED] += amount
    quantity_left, cost_left = quantity, amount
    while quantity_left > 0:
        p = b.head[x]
        here = min(quantity_left, b.piece[p, QUANTITY])
        q = p
        b.held[x] -= here
        if here < b.piece[p, QUANTITY]:
            q = split_off(b, p, here)
        else:
            b.head[x] = b.piece[p, NEXT]
            if b.head[x] < 0:
                b.tail[x] = NONE
            else:
                b.piece[b.head[x], PREV] = NONE
        cost = part(cost_left, here, quantity_left)
        cost_left -= cost
        quantity_left -= here
        proceeds = b.piece[q, BASIS]
        r = write_row(b, f, q, row, day, proceeds, cost, 0, 0, day)
        if proceeds < cost:
            b.row[r, R_LONG] = b.piece[q, ABSORBED]
            b.row[r, R_DAY] = settles
        _start_anew(b, f, security, here, b.piece[q, ACQUIRED], day)
        free_piece(b, q)
