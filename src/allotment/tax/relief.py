"""Which lots a sale closes: those named, or those that the standing method picks.

Law: Reg. §1.1012-1(c)(1) first-in first-out unless adequately identified; §1012(c)(1) account
by account; a standing instruction identifies (Reg. §1.1012-1(c)(8)). What a donation gives: §170(e).
Methods and their sources: docs/law/relief.md. Pieces closed form the taken list, in order of
acquisition, holding period, lot: the order in which an order's losses are looked at
(Reg. §1.1091-1(b)).
Not here: whether the identification came in time (the reader of the order knows).
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import inner, kernel
from allotment.tax.holding_period import long_term_from
from allotment.tax.pieces import (
    ACCOUNT,
    ACQUIRED,
    BASIS,
    BASIS_STATE,
    CHAIN_NEXT,
    HOLDING,
    IS_YOUNG,
    LOSS_BASIS,
    M_PIECE,
    NEXT,
    NONE,
    PREV,
    QUANTITY,
    SECURITY,
    STATUS,
    TAKEN,
    TAKEN_HEAD,
    TAKEN_TAIL,
    UNKNOWN_BASIS,
    Books,
    Facts,
    displace,
    list_of,
    part,
    place_young,
    purchase_row,
    split_off,
    stood_apart_before,
    unchain,
)
from allotment.tax.transactions import LotMethod
from allotment.units import Floats

_FIFO = int(LotMethod.FIFO)
_LIFO = int(LotMethod.LIFO)
_HIFO = int(LotMethod.HIFO)
_LOFO = int(LotMethod.LOFO)
_HIFO_LONG_FIRST = int(LotMethod.HIFO_LONG_FIRST)
_HIFO_SHORT_FIRST = int(LotMethod.HIFO_SHORT_FIRST)
_MAX_LOSS = int(LotMethod.MAX_LOSS)
_MAX_GAIN = int(LotMethod.MAX_GAIN)
_MIN_TAX_RANK = int(LotMethod.MIN_TAX_RANK)
_MIN_TAX_DOLLARS = int(LotMethod.MIN_TAX_DOLLARS)
_AVERAGE = int(LotMethod.AVERAGE)
_DONATION = int(LotMethod.DONATION)
_LAST_CLASS = 9


@inner
def _taken_before(b: Books, p: int, q: int) -> bool:
    piece = b.piece
    if piece[p, ACQUIRED] != piece[q, ACQUIRED]:
        return bool(piece[p, ACQUIRED] < piece[q, ACQUIRED])
    if piece[p, HOLDING] != piece[q, HOLDING]:
        return bool(piece[p, HOLDING] < piece[q, HOLDING])
    if purchase_row(b, p) != purchase_row(b, q):
        return purchase_row(b, p) < purchase_row(b, q)
    return stood_apart_before(b, p, q)


@inner
def insert_taken(b: Books, p: int, before: int) -> None:
    """Put p into the taken list in front of `before` (at the end for -1)."""
    piece = b.piece
    after = piece[before, PREV] if before >= 0 else b.counts[TAKEN_TAIL]
    piece[p, PREV], piece[p, NEXT], piece[p, STATUS] = after, before, TAKEN
    if after >= 0:
        piece[after, NEXT] = p
    else:
        b.counts[TAKEN_HEAD] = p
    if before >= 0:
        piece[before, PREV] = p
    else:
        b.counts[TAKEN_TAIL] = p


@inner
def empty_taken(b: Books) -> None:
    """Nothing is taken any more: its pieces stand elsewhere, or are given back."""
    b.counts[TAKEN_HEAD], b.counts[TAKEN_TAIL] = NONE, NONE


@inner
def take(b: Books, f: Facts, p: int, quantity: int) -> None:
    """Close `quantity` of the open piece p and sort it into the taken list."""
    piece = b.piece
    q = p
    if quantity == piece[p, QUANTITY]:
        displace(b, f, p)
        unchain(b, p)
    else:
        b.held[list_of(f, piece[p, ACCOUNT], piece[p, SECURITY])] -= quantity
        q = split_off(b, p, quantity)
        if piece[p, IS_YOUNG] == 1:
            place_young(b, f, q)
    before, after = NONE, b.counts[TAKEN_TAIL]
    if after >= 0 and _taken_before(b, q, after):
        before = b.counts[TAKEN_HEAD]
        if not _taken_before(b, q, before):
            before = NONE
            while _taken_before(b, q, after):
                before, after = after, piece[after, PREV]
    insert_taken(b, q, before)


@inner
def _rank(method: int, cost: float, gain: float, is_long: bool, rates: Floats) -> float:
    """What the method sorts by, smallest first: cost and gain are per share."""
    if method in (_HIFO, _MAX_LOSS):
        return -cost
    if method in (_LOFO, _MAX_GAIN):
        return cost
    if method == _DONATION:
        # At one price the largest share of gain is the lowest cost. A short-term lot is worth its
        # cost to the giver (§170(e)(1)(A)), so there the highest.
        return -cost if gain > 0.0 and not is_long else cost
    if method == _MIN_TAX_DOLLARS:
        return float(gain * (rates[1] if is_long else rates[0]))
    return gain


@inner
def _class(method: int, gain: float, is_long: bool) -> int:
    """What the method looks at before the rank."""
    if method == _HIFO_LONG_FIRST:
        return 0 if is_long else 1
    if method == _HIFO_SHORT_FIRST:
        return 1 if is_long else 0
    if method == _MIN_TAX_RANK:
        # Published order of one large broker: losses short then long, nothing short then
        # long, gains long then short.
        if gain < 0.0:
            return 1 if is_long else 0
        if gain == 0.0:
            return 3 if is_long else 2
        return 4 if is_long else 5
    if method == _DONATION:
        if gain > 0.0:
            return 0 if is_long else 1
        return 2 if gain == 0.0 else 3
    return 0


@kernel
def _take_ranked(
    b: Books, f: Facts, account: int, security: int, quantity: int, method: int, price: float, day: int
) -> None:
    """`price`: net proceeds per billionth of a share, in cents."""
    piece = b.piece
    x = list_of(f, account, security)
    n = 0
    p = b.head[x]
    while p >= 0:
        n += 1
        p = piece[p, NEXT]
    order = np.empty(n, np.int64)
    classes = np.empty(n, np.int64)
    ranks = np.empty(n, np.float64)
    p = b.head[x]
    for i in range(n):
        is_long = day >= long_term_from(piece[p, HOLDING])
        cost = piece[p, BASIS] / piece[p, QUANTITY]
        gain = price - cost
        if gain < 0.0 and piece[p, LOSS_BASIS] != piece[p, BASIS]:
            gain = min(0.0, price - piece[p, LOSS_BASIS] / piece[p, QUANTITY])
            cost = price - gain if method == _MAX_LOSS else cost
        order[i], classes[i] = p, _class(method, gain, is_long)
        ranks[i] = (
            -cost
            if method in (_HIFO_LONG_FIRST, _HIFO_SHORT_FIRST)
            else _rank(method, cost, gain, is_long, f.rates)
        )
        if method == _FIFO:
            ranks[i] = piece[p, HOLDING] if f.fifo_by_holding[account] == 1 else i
        elif method == _LIFO:
            ranks[i] = -i
        if piece[p, BASIS_STATE] != 0:
            # Platforms relieve lots of unknown cost first under first-in first-out, else last.
            classes[i] = -1 if method == _FIFO else _LAST_CLASS
        p = piece[p, NEXT]
    # The list stands in order of acquisition, so stable sorts break ties as they should.
    by_rank = np.argsort(ranks, kind="mergesort")
    by_class = np.argsort(classes[by_rank], kind="mergesort")
    left = quantity
    for i in range(n):
        if left == 0:
            break
        p = order[by_rank[by_class[i]]]
        quantity_here = min(left, piece[p, QUANTITY])
        take(b, f, p, quantity_here)
        left -= quantity_here


@inner
def average_list(b: Books, f: Facts, account: int, security: int) -> None:
    """Spread the basis of all lots evenly over their shares (§1012(c)(2), funds and DRP shares
    only, by election); holding periods stay, first in is first out."""
    piece = b.piece
    quantity_left, basis_left = 0, 0
    p = b.head[list_of(f, account, security)]
    while p >= 0:
        quantity_left += piece[p, QUANTITY]
        basis_left += piece[p, BASIS]
        p = piece[p, NEXT]
    p = b.head[list_of(f, account, security)]
    while p >= 0:
        mean = part(basis_left, piece[p, QUANTITY], quantity_left)
        basis_left -= mean
        quantity_left -= piece[p, QUANTITY]
        piece[p, BASIS], piece[p, LOSS_BASIS] = mean, mean
        p = piece[p, NEXT]


@inner
def take_by_method(
    b: Books, f: Facts, account: int, security: int, quantity: int, method: int, amount: int, day: int
) -> None:
    """Close `quantity`, which the list is known to hold, in the order of `method`."""
    x = list_of(f, account, security)
    in_order = f.policy[UNKNOWN_BASIS] == 0
    first_in = method == _AVERAGE or (method == _FIFO and in_order and f.fifo_by_holding[account] == 0)
    if not first_in and not (method == _LIFO and in_order):
        _take_ranked(b, f, account, security, quantity, method, amount / quantity, day)
        return
    if method == _AVERAGE:
        average_list(b, f, account, security)
    left = quantity
    while left > 0:
        p = b.head[x] if first_in else b.tail[x]
        here = min(left, b.piece[p, QUANTITY])
        take(b, f, p, here)
        left -= here


@inner
def lot_quantity(b: Books, origin: int, account: int, security: int) -> int:
    """Shares of one lot that are open in one account, in one security."""
    piece = b.piece
    total = 0
    p = b.made[origin, M_PIECE]
    while p >= 0:
        if piece[p, ACCOUNT] == account and piece[p, SECURITY] == security:
            total += piece[p, QUANTITY]
        p = piece[p, CHAIN_NEXT]
    return total


@inner
def take_lot(b: Books, f: Facts, origin: int, account: int, security: int, quantity: int) -> None:
    """Close `quantity` of one lot, which is known to be there; of its pieces those with the
    oldest holding period first."""
    piece = b.piece
    left = quantity
    while left > 0:
        best = -1
        p = b.made[origin, M_PIECE]
        while p >= 0:
            if (
                piece[p, ACCOUNT] == account
                and piece[p, SECURITY] == security
                and (best < 0 or _taken_before(b, p, best))
            ):
                best = p
            p = piece[p, CHAIN_NEXT]
        here = min(left, piece[best, QUANTITY])
        take(b, f, best, here)
        left -= here
