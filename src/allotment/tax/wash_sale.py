"""Losses that a purchase within 30 days disallows, share for share.

Law: 26 U.S.C. §1091(a), (d); Reg. §1.1091-1(b) losses in order of disposal, (c), (d)
replacements in order of acquisition, (e) a share washes one loss only; Reg. §1.1091-2(a) the
loss joins the replacement's basis; §1223(3) its holding period (`tax.tacking`); Rev. Rul. 56-602
shares of one purchase do not replace one another; Rev. Rul. 2008-5 an IRA's purchase destroys
the loss. Readings where the law is open are switches (`FoldPolicy`, docs/law/policies.md).
Left out: related persons other than those in the household (§267).
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.claims import wait, wait_behind, wait_no_more
from allotment.tax.disposal import book, counted_from, loss_of
from allotment.tax.holding_period import long_term_from
from allotment.tax.pieces import (
    ABSORBED,
    ACCOUNT,
    ACQUIRED,
    BASIS,
    BEFORE_LOT,
    CLAIM_HEAD,
    F_PERMANENT,
    F_RECOGNISED,
    HOLDING,
    HP_METHOD,
    L_ACCOUNT,
    L_AMOUNT,
    L_DAY,
    L_ORIGIN,
    L_PERMANENT,
    L_QUANTITY,
    L_ROW,
    L_SECURITY,
    L_SOLD,
    LOSS_BASIS,
    N_LINKS,
    N_ROW_COLUMNS,
    N_ROWS,
    NONE,
    OPEN,
    ORIGIN,
    PURCHASE_ID,
    PURCHASED,
    QUANTITY,
    R_ACCOUNT,
    R_BASIS,
    R_CLAIM_NEXT,
    R_DAY,
    R_DISALLOWED,
    R_HOLDING,
    R_LONG,
    R_OPEN,
    R_PERMANENT,
    R_PROCEEDS,
    R_PURCHASE_ID,
    R_QUANTITY,
    R_SALE,
    R_SECURITY,
    SAME_ORDER,
    SCOPE,
    SECURITY,
    SOLD,
    SOLD_ROW,
    SPOUSE_PERMANENT,
    STATUS,
    TAKEN,
    YOUNG_HEAD,
    YOUNG_NEXT,
    Books,
    Facts,
    chain,
    displace,
    displace_young,
    free_piece,
    list_of,
    part,
    place,
    place_young,
    split_off,
    stands_apart,
)
from allotment.tax.relief import insert_taken
from allotment.tax.tacking import tacked
from allotment.tax.transactions import Scope
from allotment.units import mul_div

WINDOW_DAYS = 30
_ACCOUNT_CUSIP = int(Scope.ACCOUNT_CUSIP)


@inner
def in_shares_of(f: Facts, quantity: int, security: int, other: int) -> int:
    """`quantity` of one security in shares of another of its group, at least a billionth."""
    if security == other:
        return quantity
    units = mul_div(quantity, f.unit_parts[security], f.unit_whole[security])
    return max(1, mul_div(units, f.unit_whole[other], f.unit_parts[other]))


@inner
def belongs(f: Facts, account: int, day: int) -> bool:
    """Is the account one of its household's on that day?"""
    return bool(f.member_from[account] <= day < f.member_until[account])


@inner
def in_scope(
    f: Facts, account: int, security: int, other_account: int, other_security: int, day: int
) -> bool:
    """Are the two looked at together on the day that would complete their match?

    Accounts of one taxpayer always are (§1091(a) speaks of the taxpayer); those of two, while both belong.
    """
    if f.policy[SCOPE] == _ACCOUNT_CUSIP:
        return account == other_account and security == other_security
    return f.owner[account] == f.owner[other_account] or (
        belongs(f, account, day) and belongs(f, other_account, day)
    )


@inner
def is_lost_to(f: Facts, loss_account: int, account: int) -> bool:
    """Does the loss vanish when `account` buys the replacement?"""
    if f.taxable[account] == 0:
        return True
    return bool(f.policy[SPOUSE_PERMANENT] == 1 and f.owner[loss_account] != f.owner[account])


@inner
def note_link(b: Books, r: int, p: int, sold_nano: int, amount: int, is_lost: bool, day: int) -> None:
    """Note that shares of piece p replace `sold_nano` shares of row r."""
    n = b.counts[N_LINKS]
    b.counts[N_LINKS] += 1
    link, piece = b.link, b.piece
    link[n, L_ROW], link[n, L_ACCOUNT], link[n, L_ORIGIN] = r, piece[p, ACCOUNT], piece[p, ORIGIN]
    link[n, L_QUANTITY], link[n, L_SOLD] = piece[p, QUANTITY], sold_nano
    link[n, L_AMOUNT], link[n, L_PERMANENT], link[n, L_DAY] = amount, 1 if is_lost else 0, day
    link[n, L_SECURITY] = piece[p, SECURITY]


@inner
def _absorb(b: Books, f: Facts, p: int, loss: int, is_lost: bool, sold: int, sold_holding: int) -> None:
    """The shares of p have replaced a loss: basis and holding period take it in."""
    piece = b.piece
    piece[p, ABSORBED] = 1
    stands_apart(b, p)
    if is_lost:
        return
    piece[p, BASIS] += loss
    piece[p, LOSS_BASIS] += loss
    piece[p, HOLDING] = tacked(
        f.policy[HP_METHOD], piece[p, HOLDING], piece[p, PURCHASED], sold, sold_holding
    )


@inner
def _is_candidate(b: Books, f: Facts, p: int, c: int, sale: int, day: int) -> bool:
    piece = b.piece
    if piece[c, PURCHASE_ID] == piece[p, PURCHASE_ID] or piece[c, PURCHASED] < day - WINDOW_DAYS:
        return False
    if piece[c, STATUS] == TAKEN and f.policy[SAME_ORDER] == 0:
        return False
    if piece[c, STATUS] == SOLD and b.row[piece[c, SOLD_ROW], R_SALE] == sale:
        return False
    if f.policy[BEFORE_LOT] == 0 and piece[c, PURCHASED] < piece[p, ACQUIRED]:
        return False
    return in_scope(f, piece[p, ACCOUNT], piece[p, SECURITY], piece[c, ACCOUNT], piece[c, SECURITY], day)


@inner
def _cut_candidate(b: Books, f: Facts, c: int, quantity: int) -> int:
    """The part of candidate c that replaces a loss, out of the young list."""
    piece = b.piece
    if quantity == piece[c, QUANTITY]:
        displace_young(b, f, c)
        if piece[c, STATUS] == OPEN:
            displace(b, f, c)  # placed again when its holding period is known
        return c
    q = split_off(b, c, quantity)
    if piece[c, STATUS] == OPEN:
        b.held[list_of(f, piece[c, ACCOUNT], piece[c, SECURITY])] -= quantity
        chain(b, q)
    elif piece[c, STATUS] == TAKEN:
        insert_taken(b, q, c)
    else:
        piece[q, SOLD_ROW] = _split_claim_row(b, f, piece[c, SOLD_ROW], quantity, piece[c, QUANTITY])
    return q


@inner
def _split_claim_row(b: Books, f: Facts, r: int, quantity: int, rest: int) -> int:
    """`split_row` of a row that may itself be an open claim: the new row follows it."""
    n = split_row(b, r, quantity, rest)
    if b.row[n, R_OPEN] > 0:
        wait_behind(b, f.group_local[b.row[r, R_SECURITY]], CLAIM_HEAD, n, r)
    return n


@inner
def split_row(b: Books, r: int, quantity: int, rest: int) -> int:
    """A new disposal row with `quantity` of the `quantity + rest` shares of row r."""
    row = b.row
    n = b.counts[N_ROWS]
    b.counts[N_ROWS] += 1
    for column in range(N_ROW_COLUMNS):
        row[n, column] = row[r, column]
    total = quantity + rest
    for column in (R_QUANTITY, R_PROCEEDS, R_BASIS, R_DISALLOWED, R_PERMANENT, R_OPEN):
        row[n, column] = part(row[r, column], quantity, total)
        row[r, column] -= row[n, column]
    return int(n)


@inner
def _burden_sold(b: Books, f: Facts, p: int, loss: int) -> None:
    """A replacement that was itself sold before the loss: its disposal carries the loss now."""
    r = b.piece[p, SOLD_ROW]
    b.row[r, R_BASIS] += loss
    b.row[r, R_HOLDING] = b.piece[p, HOLDING]
    b.row[r, R_LONG] = 1 if b.row[r, R_DAY] >= long_term_from(b.piece[p, HOLDING]) else 0
    b.flow[f.taxable[b.piece[p, ACCOUNT]], F_RECOGNISED] -= loss


@inner
def wash_with_held(b: Books, f: Facts, p: int, sale: int, day: int) -> int:
    """Match the loss on the closed piece p with shares bought in the 30 days before.

    Books what is matched. Returns what is left of p to be booked, or -1.
    """
    piece = b.piece
    c = b.group[f.group_local[piece[p, SECURITY]], YOUNG_HEAD]
    while c >= 0:
        following = piece[c, YOUNG_NEXT]
        if not _is_candidate(b, f, p, c, sale, day):
            c = following
            continue
        sold_nano = in_shares_of(f, piece[c, QUANTITY], piece[c, SECURITY], piece[p, SECURITY])
        bought_nano = piece[c, QUANTITY]
        if sold_nano > piece[p, QUANTITY]:
            sold_nano = piece[p, QUANTITY]
            bought_nano = min(bought_nano, in_shares_of(f, sold_nano, piece[p, SECURITY], piece[c, SECURITY]))
        q = p
        if sold_nano < piece[p, QUANTITY]:
            q = split_off(b, p, sold_nano)
        loss = max(0, loss_of(b, q))  # a cent of rounding can leave a sliver without loss
        is_lost = is_lost_to(f, piece[p, ACCOUNT], piece[c, ACCOUNT])
        permanent = loss if is_lost else 0
        counted = counted_from(b, q, loss)
        cut = _cut_candidate(b, f, c, bought_nano)
        _absorb(b, f, cut, loss, is_lost, day, counted)
        r = book(b, f, q, sale, day, loss, permanent)
        note_link(b, r, cut, sold_nano, loss, is_lost, day)
        if piece[cut, STATUS] == OPEN:
            place(b, f, cut)
        elif piece[cut, STATUS] == SOLD:
            if not is_lost:
                _burden_sold(b, f, cut, loss)
            free_piece(b, cut)
        if q == p:
            return -1
        free_piece(b, q)
        if loss_of(b, p) <= 0:
            return p  # rounding gave the whole loss to what is matched
        c = following
    return p


@inner
def open_claim(b: Books, f: Facts, r: int) -> None:
    """The loss of row r stands for now; purchases of the next 30 days may still disallow it."""
    wait(b, f.group_local[b.row[r, R_SECURITY]], CLAIM_HEAD, r)


@inner
def forget_old(b: Books, f: Facts, security: int, day: int) -> None:
    """Drop purchases and claims of the group that are out of the window on `day`."""
    g = f.group_local[security]
    p = b.group[g, YOUNG_HEAD]
    while p >= 0 and b.piece[p, PURCHASED] < day - WINDOW_DAYS:
        displace_young(b, f, p)
        if b.piece[p, STATUS] == SOLD:
            free_piece(b, p)
        p = b.group[g, YOUNG_HEAD]
    r = b.group[g, CLAIM_HEAD]
    while r >= 0 and b.row[r, R_DAY] < day - WINDOW_DAYS:
        wait_no_more(b, g, CLAIM_HEAD, r, NONE)
        r = b.group[g, CLAIM_HEAD]


@inner
def wash_open_claims(b: Books, f: Facts, p: int, day: int) -> None:
    """Match open claims, oldest first, with the new lot p, which stands in no list yet.

    Places every piece of p in its list.
    """
    piece, row = b.piece, b.row
    g = f.group_local[piece[p, SECURITY]]
    r = b.group[g, CLAIM_HEAD]
    last = NONE
    while r >= 0:
        following = row[r, R_CLAIM_NEXT]
        if (
            row[r, R_PURCHASE_ID] == piece[p, PURCHASE_ID]
            or abs(piece[p, PURCHASED] - row[r, R_DAY]) > WINDOW_DAYS
            or not in_scope(
                f, row[r, R_ACCOUNT], row[r, R_SECURITY], piece[p, ACCOUNT], piece[p, SECURITY], day
            )
        ):
            last, r = r, following
            continue
        sold_nano = row[r, R_OPEN]
        bought_nano = in_shares_of(f, sold_nano, row[r, R_SECURITY], piece[p, SECURITY])
        if bought_nano > piece[p, QUANTITY]:
            bought_nano = piece[p, QUANTITY]
            sold_nano = min(sold_nano, in_shares_of(f, bought_nano, piece[p, SECURITY], row[r, R_SECURITY]))
        matched = r
        if sold_nano < row[r, R_OPEN]:
            matched = split_row(b, r, sold_nano, row[r, R_OPEN] - sold_nano)
            last = r
        else:
            wait_no_more(b, g, CLAIM_HEAD, r, last)
        row[matched, R_OPEN] = 0
        q = p
        if bought_nano < piece[p, QUANTITY]:
            q = split_off(b, p, bought_nano)
        _settle_claim(b, f, matched, q, sold_nano, day)
        if q == p:
            return
        r = following
    place(b, f, p)
    chain(b, p)
    place_young(b, f, p)


@inner
def _settle_claim(b: Books, f: Facts, r: int, p: int, sold_nano: int, day: int) -> None:
    """Disallow the loss of row r, replaced by the shares of p, and place p."""
    row = b.row
    loss = max(0, row[r, R_BASIS] - row[r, R_PROCEEDS])
    is_lost = is_lost_to(f, row[r, R_ACCOUNT], b.piece[p, ACCOUNT])
    permanent = loss if is_lost else 0
    row[r, R_DISALLOWED] += loss
    row[r, R_PERMANENT] += permanent
    flow = b.flow[1]
    flow[F_RECOGNISED] += loss
    flow[F_PERMANENT] += permanent
    _absorb(b, f, p, loss, is_lost, row[r, R_DAY], row[r, R_HOLDING])
    note_link(b, r, p, sold_nano, loss, is_lost, day)
    place(b, f, p)
    chain(b, p)
