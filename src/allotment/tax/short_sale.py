"""Short sales: what closing one recognises, and what it does to stock held.

Law: 26 U.S.C. §1233(a), capital gain or loss when the short is closed; §1233(b) with
substantially identical stock held a year or less at the sale, or bought before the closing, a
gain is short-term and that stock's holding period starts anew on the closing day, up to the
shares closed; §1233(d) with such stock held longer at the sale, a loss is long-term; (e)(2)(C)
a spouse's stock counts. A gain belongs to the trade day, a loss to the delivery (Rev. Rul.
2002-44 [S], Reg. §1.1233-1(a)(1) [S]). Closed with shares just bought, the term is short.
Losses that another short disallows: `tax.short_wash`.
Left out: constructive sales (§1259), puts (§1233(c));
stock of another class of the group; corporate actions but splits while a short is open.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.holding_period import long_term_from
from allotment.tax.pieces import (
    ABSORBED,
    ACQUIRED,
    F_RECEIVED,
    FIRST_ACCOUNT,
    HOLDING,
    IS_YOUNG,
    N_ACCOUNTS,
    NEXT,
    NONE,
    PREV,
    QUANTITY,
    SHORT,
    STATUS,
    TAKEN_HEAD,
    Books,
    Facts,
    chain,
    displace,
    displace_young,
    free_piece,
    list_of,
    place,
    place_young,
    split_off,
    stands_apart,
)
from allotment.tax.relief import empty_taken, insert_taken
from allotment.tax.sale import share_out
from allotment.tax.short_wash import close_against_open, forget_closings, short_list_of, take_waiting


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
def open_short(b: Books, f: Facts, p: int, account: int, security: int, day: int, earlier: int) -> None:
    """Enter the short p, whose `BASIS` is its proceeds, behind the fills of its order that sold
    `earlier` shares. ABSORBED marks shares whose loss would be long-term (§1233(d))."""
    x = short_list_of(f, account, security)
    b.piece[p, STATUS] = SHORT
    forget_closings(b, f.group_local[security], day)
    old = _held_long(b, f, security, day) - earlier
    if old >= b.piece[p, QUANTITY]:
        b.piece[p, ABSORBED] = 1
    elif old > 0:
        q = split_off(b, p, old)
        b.piece[q, ABSORBED] = 1
        take_waiting(b, f, q, x, day)
    take_waiting(b, f, p, x, day)


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
        is_young = b.piece[best, IS_YOUNG] == 1
        if left < b.piece[best, QUANTITY]:
            p = split_off(b, best, left)
            chain(b, p)
            place(b, f, best)
        displace_young(b, f, p)
        stands_apart(b, p)
        if is_young:
            place_young(b, f, p)  # it may still replace a loss
        b.piece[p, HOLDING] = closed
        left -= b.piece[p, QUANTITY]
        place(b, f, p)


@inner
def _take_oldest(b: Books, x: int, quantity: int) -> None:
    """Move `quantity` shares of list x, which has them, to the taken list."""
    b.held[x] -= quantity
    left = quantity
    while left > 0:
        p = b.head[x]
        q = p
        if left < b.piece[p, QUANTITY]:
            q = split_off(b, p, left)
        else:
            b.head[x] = b.piece[p, NEXT]
            if b.head[x] < 0:
                b.tail[x] = NONE
            else:
                b.piece[b.head[x], PREV] = NONE
        left -= b.piece[q, QUANTITY]
        insert_taken(b, q, NONE)


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
    _take_oldest(b, x, quantity)
    share_out(b, amount)
    p = b.counts[TAKEN_HEAD]
    while p >= 0:
        _start_anew(b, f, security, b.piece[p, QUANTITY], b.piece[p, ACQUIRED], day)
        close_against_open(b, f, p, row, day, settles)
        following = b.piece[p, NEXT]
        free_piece(b, p)
        p = following
    empty_taken(b)
