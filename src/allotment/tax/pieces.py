"""The working memory of the fold: pieces of lots in linked lists, for compiled loops.

A piece is one row of an int64 matrix. Open pieces stand in the list of their account and
security in order of acquisition; all pieces of one lot hang on the transaction that made it;
pieces whose purchase may still wash a loss stand in the young list of their group, in order of
purchase. One fold works one stream (household × family of connected securities) at a time, so
the matrix of pieces stays small and is used again for the next stream.

Private to `tax`: the public face is `tax.fold`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allotment.compiled import inner
from allotment.units import Codes, Floats, Index, Ints, mul_div

Matrix = NDArray[np.int64]

NO_DAY = -(2**62)  # a missing day: datetime64 NaT would be the smallest integer of all
END_OF_DAYS = 2**62
NONE = -1

# Columns of Books.piece
ACCOUNT, SECURITY, QUANTITY, BASIS, LOSS_BASIS = 0, 1, 2, 3, 4
ACQUIRED, HOLDING, PURCHASED, PURCHASE_ID, ORIGIN, BIRTH = 5, 6, 7, 8, 9, 10
ABSORBED, COVERED, BASIS_STATE, SLEEVE, STATUS, PROCEEDS = 11, 12, 13, 14, 15, 16
PREV, NEXT, CHAIN_NEXT, YOUNG_PREV, YOUNG_NEXT, IS_YOUNG, SOLD_ROW = 17, 18, 19, 20, 21, 22, 23
N_PIECE_COLUMNS = 24
# BIRTH holds two counts of a stream: above, when shares came to stand otherwise than others of their
# purchase; below, when the piece was made. A column more, and rows would not fill whole cache lines.
_MADE_BITS = 31
_MADE = 2**_MADE_BITS - 1

# Values of STATUS
OPEN, TAKEN, SOLD, SHORT = 0, 1, 2, 3

# Columns of Books.row, one disposal each
R_SALE, R_ACCOUNT, R_SECURITY, R_ORIGIN, R_DAY, R_QUANTITY, R_PROCEEDS = 0, 1, 2, 3, 4, 5, 6
R_BASIS, R_DISALLOWED, R_PERMANENT, R_LONG, R_ACQUIRED, R_HOLDING = 7, 8, 9, 10, 11, 12
R_PURCHASE_ID, R_TAXABLE, R_OPEN, R_CLAIM_NEXT, R_COVERED, R_SLEEVE = 13, 14, 15, 16, 17, 18
N_ROW_COLUMNS = 19

# Columns of Books.link, one match each
L_ROW, L_ACCOUNT, L_ORIGIN, L_QUANTITY, L_SOLD, L_AMOUNT, L_PERMANENT, L_DAY = 0, 1, 2, 3, 4, 5, 6, 7
L_SECURITY = 8
N_LINK_COLUMNS = 9

# Columns of Books.made: first piece of the row's lot, row of the first fill of its purchase
M_PIECE, M_FILL = 0, 1
N_MADE_COLUMNS = 2

# Columns of Books.problem
P_ROW, P_CODE, P_WANTED, P_HELD = 0, 1, 2, 3
N_PROBLEM_COLUMNS = 4

# Places in Books.counts
N_PIECES, FREE, LIVE, BIRTHS, N_ROWS, N_LINKS, N_PROBLEMS = 0, 1, 2, 3, 4, 5, 6
N_CLAIMS, TAKEN_HEAD, TAKEN_TAIL = 7, 8, 9
N_COUNTS = 10

# Columns of Books.group, one row per group of the stream
YOUNG_HEAD, YOUNG_TAIL, CLAIM_HEAD, CLAIM_TAIL, SHORT_CLAIM_HEAD, SHORT_CLAIM_TAIL = 0, 1, 2, 3, 4, 5
N_GROUP_COLUMNS = 6

# Columns of Books.flow; row 0 is inside IRAs, row 1 taxable
F_RECEIVED, F_GIVEN, F_PROCEEDS, F_RECOGNISED, F_PERMANENT, F_NO_EFFECT, F_HELD = 0, 1, 2, 3, 4, 5, 6
N_FLOWS = 7

# Places in Facts.policy
SCOPE, HP_METHOD, SAME_ORDER, SOLD_EARLIER, BEFORE_LOT, SPOUSE_PERMANENT = 0, 1, 2, 3, 4, 5
UNKNOWN_BASIS = 6  # 1: some lot was brought whose basis is not known
N_SWITCHES = 7
# Places in Facts.here
FIRST_ACCOUNT, N_ACCOUNTS, N_SECURITIES, N_GROUPS = 0, 1, 2, 3


class Books(NamedTuple):
    """Everything that a fold changes."""

    piece: Matrix
    row: Matrix
    link: Matrix
    problem: Matrix
    counts: Ints
    head: Ints  # (2 × accounts × securities of the stream,) first piece of the list, held then short
    tail: Ints
    held: Ints  # shares in the list
    group: Matrix
    scaled: Matrix  # (securities of the stream, 2): day and account that last scaled open claims
    made: Matrix  # (n_transactions, 2) what a row made
    flow: Matrix


class Facts(NamedTuple):
    """Everything that a fold only reads, but for `here`, which tells the stream at work."""

    taxable: Codes
    owner: Index
    method: Codes
    fifo_by_holding: Codes
    member_from: Ints  # days from and until which an account belongs to its household
    member_until: Ints
    security_local: Index  # position inside the family
    group_local: Index
    unit_parts: Ints
    unit_whole: Ints
    policy: Ints
    rates: Floats  # short, long
    here: Ints


@inner
def part(total: int, quantity: int, left: int) -> int:
    """The share of `total` that goes with `quantity` of the `left` shares, half-up; what
    rounding leaves stays with the rest (docs/law/numbers.md)."""
    if quantity == left or total == 0:
        return total
    return mul_div(total, quantity, left)


@inner
def list_of(f: Facts, account: int, security: int) -> int:
    """Position of the list of one account and security in the stream at work."""
    return int((account - f.here[FIRST_ACCOUNT]) * f.here[N_SECURITIES] + f.security_local[security])


@inner
def new_piece(b: Books) -> int:
    """An unused row of the matrix; `fold` has made room."""
    p = b.counts[FREE]
    if p >= 0:
        b.counts[FREE] = b.piece[p, NEXT]
    else:
        p = b.counts[N_PIECES]
        b.counts[N_PIECES] += 1
    b.counts[LIVE] += 1
    count = b.counts[BIRTHS]
    b.piece[p, BIRTH] = count << _MADE_BITS | count
    b.counts[BIRTHS] += 1
    return int(p)


@inner
def stands_apart(b: Books, p: int) -> None:
    """Shares of p are from now on told from others of their purchase, after all that were before."""
    b.piece[p, BIRTH] = b.counts[BIRTHS] << _MADE_BITS | (b.piece[p, BIRTH] & _MADE)
    b.counts[BIRTHS] += 1


@inner
def free_piece(b: Books, p: int) -> None:
    """Give the row back."""
    b.piece[p, NEXT] = b.counts[FREE]
    b.counts[FREE] = p
    b.counts[LIVE] -= 1


@inner
def purchase_row(b: Books, p: int) -> int:
    """The row of the purchase that made p, however many fills it took."""
    return int(b.made[b.piece[p, ORIGIN], M_FILL])


@inner
def stood_apart_before(b: Books, p: int, q: int) -> bool:
    """Order of shares of one purchase with one holding period: what replaced no loss, then what
    replaced the first; fills are not told apart but by their birth."""
    piece = b.piece
    if piece[p, ABSORBED] != piece[q, ABSORBED]:
        return bool(piece[p, ABSORBED] < piece[q, ABSORBED])
    return bool(piece[p, BIRTH] < piece[q, BIRTH])


@inner
def comes_before(b: Books, p: int, q: int) -> bool:
    """Order of acquisition: day, then purchase, then holding period, then `stood_apart_before`."""
    piece = b.piece
    if piece[p, ACQUIRED] != piece[q, ACQUIRED]:
        return bool(piece[p, ACQUIRED] < piece[q, ACQUIRED])
    if purchase_row(b, p) != purchase_row(b, q):
        return purchase_row(b, p) < purchase_row(b, q)
    if piece[p, HOLDING] != piece[q, HOLDING]:
        return bool(piece[p, HOLDING] < piece[q, HOLDING])
    return stood_apart_before(b, p, q)


@inner
def place(b: Books, f: Facts, p: int) -> None:
    """Put an open piece into the list of its account and security."""
    piece = b.piece
    x = list_of(f, piece[p, ACCOUNT], piece[p, SECURITY])
    after = b.tail[x]
    while after >= 0 and comes_before(b, p, after):
        after = piece[after, PREV]
    before = piece[after, NEXT] if after >= 0 else b.head[x]
    piece[p, PREV], piece[p, NEXT], piece[p, STATUS] = after, before, OPEN
    if after >= 0:
        piece[after, NEXT] = p
    else:
        b.head[x] = p
    if before >= 0:
        piece[before, PREV] = p
    else:
        b.tail[x] = p
    b.held[x] += piece[p, QUANTITY]


@inner
def displace(b: Books, f: Facts, p: int) -> None:
    """Take an open piece out of the list of its account and security."""
    piece = b.piece
    x = list_of(f, piece[p, ACCOUNT], piece[p, SECURITY])
    after, before = piece[p, PREV], piece[p, NEXT]
    if after >= 0:
        piece[after, NEXT] = before
    else:
        b.head[x] = before
    if before >= 0:
        piece[before, PREV] = after
    else:
        b.tail[x] = after
    b.held[x] -= piece[p, QUANTITY]


@inner
def chain(b: Books, p: int) -> None:
    """Hang an open piece on the transaction that made its lot."""
    origin = b.piece[p, ORIGIN]
    b.piece[p, CHAIN_NEXT] = b.made[origin, M_PIECE]
    b.made[origin, M_PIECE] = p


@inner
def unchain(b: Books, p: int) -> None:
    """Take it off again."""
    piece = b.piece
    origin = piece[p, ORIGIN]
    at = b.made[origin, M_PIECE]
    if at == p:
        b.made[origin, M_PIECE] = piece[p, CHAIN_NEXT]
        return
    while piece[at, CHAIN_NEXT] != p:
        at = piece[at, CHAIN_NEXT]
    piece[at, CHAIN_NEXT] = piece[p, CHAIN_NEXT]


@inner
def _replaces_before(b: Books, p: int, q: int) -> bool:
    piece = b.piece
    if piece[p, PURCHASED] != piece[q, PURCHASED]:
        return bool(piece[p, PURCHASED] < piece[q, PURCHASED])
    if piece[p, PURCHASE_ID] != piece[q, PURCHASE_ID]:
        return purchase_row(b, p) < purchase_row(b, q)
    is_kept, other_is_kept = piece[p, STATUS] == OPEN, piece[q, STATUS] == OPEN
    if is_kept != other_is_kept:
        return bool(is_kept)
    return stood_apart_before(b, p, q)


@inner
def place_young(b: Books, f: Facts, p: int) -> None:
    """Put a purchase that has washed no loss among those of its group, in order of purchase;
    of one purchase, what is kept stands before what is sold."""
    piece = b.piece
    g = f.group_local[piece[p, SECURITY]]
    after = b.group[g, YOUNG_TAIL]
    while after >= 0 and _replaces_before(b, p, after):
        after = piece[after, YOUNG_PREV]
    before = piece[after, YOUNG_NEXT] if after >= 0 else b.group[g, YOUNG_HEAD]
    piece[p, YOUNG_PREV], piece[p, YOUNG_NEXT], piece[p, IS_YOUNG] = after, before, 1
    if after >= 0:
        piece[after, YOUNG_NEXT] = p
    else:
        b.group[g, YOUNG_HEAD] = p
    if before >= 0:
        piece[before, YOUNG_PREV] = p
    else:
        b.group[g, YOUNG_TAIL] = p


@inner
def displace_young(b: Books, f: Facts, p: int) -> None:
    """Take a piece out of the young list, if it is there."""
    piece = b.piece
    if piece[p, IS_YOUNG] == 0:
        return
    g = f.group_local[piece[p, SECURITY]]
    after, before = piece[p, YOUNG_PREV], piece[p, YOUNG_NEXT]
    if after >= 0:
        piece[after, YOUNG_NEXT] = before
    else:
        b.group[g, YOUNG_HEAD] = before
    if before >= 0:
        piece[before, YOUNG_PREV] = after
    else:
        b.group[g, YOUNG_TAIL] = after
    piece[p, IS_YOUNG] = 0


@inner
def split_off(b: Books, p: int, quantity: int) -> int:
    """A new piece with `quantity` of p's shares and their part of its money; p keeps the rest.

    The new piece stands in no list. `held` is not touched: the caller places or closes it.
    """
    piece = b.piece
    q = new_piece(b)
    birth = piece[q, BIRTH]
    left = piece[p, QUANTITY]
    for column in range(N_PIECE_COLUMNS):
        piece[q, column] = piece[p, column]
    piece[q, BIRTH], piece[q, IS_YOUNG] = (piece[p, BIRTH] & ~_MADE) | (birth & _MADE), 0
    piece[q, QUANTITY] = quantity
    piece[q, BASIS] = part(piece[p, BASIS], quantity, left)
    piece[q, LOSS_BASIS] = piece[q, BASIS]
    if piece[p, LOSS_BASIS] != piece[p, BASIS]:
        piece[q, LOSS_BASIS] = part(piece[p, LOSS_BASIS], quantity, left)
    piece[q, PROCEEDS] = part(piece[p, PROCEEDS], quantity, left)
    piece[p, QUANTITY] -= quantity
    piece[p, BASIS] -= piece[q, BASIS]
    piece[p, LOSS_BASIS] -= piece[q, LOSS_BASIS]
    piece[p, PROCEEDS] -= piece[q, PROCEEDS]
    return q


@inner
def report(b: Books, row: int, code: int, wanted: int, held: int) -> None:
    """Note that a transaction contradicts the others; `fold` has made room."""
    n = b.counts[N_PROBLEMS]
    b.problem[n, P_ROW], b.problem[n, P_CODE] = row, code
    b.problem[n, P_WANTED], b.problem[n, P_HELD] = wanted, held
    b.counts[N_PROBLEMS] += 1
