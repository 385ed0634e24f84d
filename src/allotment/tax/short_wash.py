"""Losses on closed shorts that another short within 30 days disallows, share for share.

Law: 26 U.S.C. §1091(e)(2) [P]: rules similar to those of §1091(a) apply to a loss on closing a short
sale when, from 30 days before to 30 days after the closing, another short sale of substantially
identical stock is entered into. Similar, as read here: losses in order of closing, shorts in order
of opening, share for share, each short share takes one loss (Reg. §1.1091-1(b)-(e)); the loss is
deferred as §1091(d) defers it, so the proceeds of the other short fall by it, and its own closing
shows it. A short that was closed before the loss takes none.
Not here: a loss with a *sale of the stock* around it, (e)(1). Nothing is acquired then whose basis
could take the loss, so it is flagged (`feeds.ledger_flags`) and not booked.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.claims import wait, wait_no_more
from allotment.tax.disposal import write_row
from allotment.tax.pieces import (
    ABSORBED,
    ACCOUNT,
    ACQUIRED,
    BASIS,
    BEFORE_LOT,
    F_PERMANENT,
    F_PROCEEDS,
    F_RECOGNISED,
    LOSS_BASIS,
    N_ACCOUNTS,
    N_SECURITIES,
    NEXT,
    NO_DAY,
    NONE,
    ORIGIN,
    PREV,
    PROCEEDS,
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
    R_SECURITY,
    SAME_ORDER,
    SECURITY,
    SHORT_CLAIM_HEAD,
    STATUS,
    TAKEN,
    Books,
    Facts,
    free_piece,
    list_of,
    split_off,
)
from allotment.tax.relief import insert_taken
from allotment.tax.wash_sale import WINDOW_DAYS, in_scope, in_shares_of, is_lost_to, note_link, split_row


@inner
def short_list_of(f: Facts, account: int, security: int) -> int:
    """Position of the list of open shorts; it stands behind the lists of shares held."""
    return int(f.here[N_ACCOUNTS] * f.here[N_SECURITIES] + list_of(f, account, security))


@inner
def loss_on(b: Books, p: int) -> int:
    """The loss on a short that is closed: what closing cost (`PROCEEDS`) less what it had brought."""
    return int(b.piece[p, PROCEEDS] - b.piece[p, BASIS])


@inner
def book_closing(
    b: Books, f: Facts, p: int, sale: int, day: int, settles: int, disallowed: int, permanent: int
) -> int:
    """Write the closing of the short p. A loss belongs to the delivery (Reg. §1.1233-1(a)(1)), and is
    long-term where §1233(d) has marked the short. Returns its row, whose `R_HOLDING` is the trade day."""
    brought, cost = b.piece[p, BASIS], b.piece[p, PROCEEDS]
    r = write_row(b, f, p, sale, day, brought, cost, disallowed, permanent, day)
    # What was paid for the short: the losses that it has taken are in its row alone.
    b.flow[f.taxable[b.piece[p, ACCOUNT]], F_PROCEEDS] += b.piece[p, LOSS_BASIS] - brought
    if cost > brought:
        b.row[r, R_LONG], b.row[r, R_DAY] = b.piece[p, ABSORBED], settles
    return r


@inner
def _takes(b: Books, f: Facts, p: int, c: int, day: int) -> bool:
    """Can the short c take the loss on closing p?"""
    piece = b.piece
    if piece[c, PURCHASED] < day - WINDOW_DAYS or piece[c, PURCHASE_ID] == piece[p, PURCHASE_ID]:
        return False  # a short that has taken a loss has no day, which is before every window
    if f.policy[BEFORE_LOT] == 0 and piece[c, PURCHASED] < piece[p, ACQUIRED]:
        return False
    return in_scope(f, piece[p, ACCOUNT], piece[p, SECURITY], piece[c, ACCOUNT], piece[c, SECURITY], day)


@inner
def _comes_first(b: Books, c: int, best: int) -> bool:
    """Was the short c opened before `best` (none: -1)? Transactions stand in order of day and execution;
    of one order, what was looked at first stays."""
    if best == NONE:
        return True
    is_same = b.piece[c, PURCHASE_ID] == b.piece[best, PURCHASE_ID]
    return bool(b.piece[c, ORIGIN] < b.piece[best, ORIGIN] and not is_same)


@inner
def _first_open(b: Books, f: Facts, p: int, day: int) -> int:
    """The earliest short that can take the loss on p; of one short, what stays open first."""
    n_lists = f.here[N_ACCOUNTS] * f.here[N_SECURITIES]
    best = NONE
    for x in range(n_lists, 2 * n_lists):
        c = b.head[x]
        if c >= 0 and f.group_local[b.piece[c, SECURITY]] != f.group_local[b.piece[p, SECURITY]]:
            continue
        while c >= 0:
            if _takes(b, f, p, c, day) and _comes_first(b, c, best):
                best = c
            c = b.piece[c, NEXT]
    if f.policy[SAME_ORDER] == 1:
        c = b.piece[p, NEXT]
        while c >= 0:
            if _takes(b, f, p, c, day) and _comes_first(b, c, best):
                best = c
            c = b.piece[c, NEXT]
    return best


@inner
def _cut(b: Books, f: Facts, c: int, quantity: int) -> int:
    """The part of the short c that takes a loss; it stands before the rest."""
    piece = b.piece
    if quantity == piece[c, QUANTITY]:
        return c
    q = split_off(b, c, quantity)
    if piece[c, STATUS] == TAKEN:
        insert_taken(b, q, c)
        return q
    after = piece[q, PREV]  # as that of c
    piece[q, NEXT], piece[c, PREV] = c, q
    if after >= 0:
        piece[after, NEXT] = q
    else:
        b.head[short_list_of(f, piece[c, ACCOUNT], piece[c, SECURITY])] = q
    return q


@inner
def _defer(b: Books, p: int, loss: int, is_lost: bool) -> None:
    b.piece[p, PURCHASED] = NO_DAY
    if not is_lost:
        b.piece[p, BASIS] -= loss


@inner
def close_against_open(b: Books, f: Facts, p: int, sale: int, day: int, settles: int) -> None:
    """Book the closing of the short p, which stands in the taken list: its loss goes to shorts of the
    30 days before that are open, and what is left of it waits for those of the 30 days to come."""
    piece = b.piece
    taxable = f.taxable[piece[p, ACCOUNT]] == 1
    while taxable and loss_on(b, p) > 0:
        c = _first_open(b, f, p, day)
        if c < 0:
            break
        closed_nano = in_shares_of(f, piece[c, QUANTITY], piece[c, SECURITY], piece[p, SECURITY])
        open_nano = piece[c, QUANTITY]
        if closed_nano > piece[p, QUANTITY]:
            closed_nano = piece[p, QUANTITY]
            open_nano = min(open_nano, in_shares_of(f, closed_nano, piece[p, SECURITY], piece[c, SECURITY]))
        q = p
        if closed_nano < piece[p, QUANTITY]:
            q = split_off(b, p, closed_nano)
        loss = max(0, loss_on(b, q))
        is_lost = is_lost_to(f, piece[p, ACCOUNT], piece[c, ACCOUNT])
        cut = _cut(b, f, c, open_nano)
        _defer(b, cut, loss, is_lost)
        r = book_closing(b, f, q, sale, day, settles, loss, loss if is_lost else 0)
        note_link(b, r, cut, closed_nano, loss, is_lost, day)
        if q == p:
            return
        free_piece(b, q)
    r = book_closing(b, f, p, sale, day, settles, 0, 0)
    if taxable and loss_on(b, p) > 0:
        wait(b, f.group_local[b.row[r, R_SECURITY]], SHORT_CLAIM_HEAD, r)


@inner
def forget_closings(b: Books, g: int, day: int) -> None:
    """Drop losses of the group that are out of the window on `day`."""
    r = b.group[g, SHORT_CLAIM_HEAD]
    while r >= 0 and b.row[r, R_HOLDING] < day - WINDOW_DAYS:
        wait_no_more(b, g, SHORT_CLAIM_HEAD, r, NONE)
        # Shares of a row that wait are told to those who ask about purchases; no purchase ends this.
        b.row[r, R_OPEN] = 0
        r = b.group[g, SHORT_CLAIM_HEAD]


@inner
def append_short(b: Books, x: int, p: int) -> None:
    """Put the short p at the end of its list."""
    last = b.tail[x]
    b.piece[p, PREV], b.piece[p, NEXT] = last, NONE
    if last >= 0:
        b.piece[last, NEXT] = p
    else:
        b.head[x] = p
    b.tail[x] = p
    b.held[x] += b.piece[p, QUANTITY]


@inner
def take_waiting(b: Books, f: Facts, p: int, x: int, day: int) -> None:
    """The new short p takes losses that wait, oldest first; every part of it goes to list x."""
    piece, row = b.piece, b.row
    g = f.group_local[piece[p, SECURITY]]
    r = b.group[g, SHORT_CLAIM_HEAD]
    last = NONE
    while r >= 0:
        following = row[r, R_CLAIM_NEXT]
        if row[r, R_PURCHASE_ID] == piece[p, PURCHASE_ID] or not in_scope(
            f, row[r, R_ACCOUNT], row[r, R_SECURITY], piece[p, ACCOUNT], piece[p, SECURITY], day
        ):
            last, r = r, following
            continue
        closed_nano = row[r, R_OPEN]
        open_nano = in_shares_of(f, closed_nano, row[r, R_SECURITY], piece[p, SECURITY])
        if open_nano > piece[p, QUANTITY]:
            open_nano = piece[p, QUANTITY]
            closed_nano = min(closed_nano, in_shares_of(f, open_nano, piece[p, SECURITY], row[r, R_SECURITY]))
        matched = r
        if closed_nano < row[r, R_OPEN]:
            matched = split_row(b, r, closed_nano, row[r, R_OPEN] - closed_nano)
            last = r
        else:
            wait_no_more(b, g, SHORT_CLAIM_HEAD, r, last)
        row[matched, R_OPEN] = 0
        q = p
        if open_nano < piece[p, QUANTITY]:
            q = split_off(b, p, open_nano)
        loss = max(0, row[matched, R_BASIS] - row[matched, R_PROCEEDS])
        is_lost = is_lost_to(f, row[matched, R_ACCOUNT], piece[q, ACCOUNT])
        row[matched, R_DISALLOWED] += loss
        row[matched, R_PERMANENT] += loss if is_lost else 0
        b.flow[1, F_RECOGNISED] += loss
        b.flow[1, F_PERMANENT] += loss if is_lost else 0
        _defer(b, q, loss, is_lost)
        note_link(b, matched, q, closed_nano, loss, is_lost, day)
        append_short(b, x, q)
        if q == p:
            return
        r = following
    append_short(b, x, p)
