"""Booking one piece of a sale: which basis counts, what is recognised, short or long.

Law: 26 U.S.C. §1001(a), §1222; for gifts §1015(a): donor's basis for a gain, the lower market
value at the gift for a loss, neither in between; a loss on that lower value counts from the
gift (§1223(2) tacks only where the donor's basis is used). Inside an IRA nothing is recognised
(§408(e)(1) [M]); the row is kept, marked not taxable.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.holding_period import long_term_from
from allotment.tax.pieces import (
    ACCOUNT,
    ACQUIRED,
    BASIS,
    COVERED,
    F_NO_EFFECT,
    F_PERMANENT,
    F_PROCEEDS,
    F_RECOGNISED,
    HOLDING,
    LOSS_BASIS,
    N_ROWS,
    NONE,
    ORIGIN,
    PROCEEDS,
    PURCHASE_ID,
    QUANTITY,
    R_ACCOUNT,
    R_ACQUIRED,
    R_BASIS,
    R_CLAIM_NEXT,
    R_COVERED,
    R_DAY,
    R_DISALLOWED,
    R_HOLDING,
    R_LONG,
    R_OPEN,
    R_ORIGIN,
    R_PERMANENT,
    R_PROCEEDS,
    R_PURCHASE_ID,
    R_QUANTITY,
    R_SALE,
    R_SECURITY,
    R_SLEEVE,
    R_TAXABLE,
    SECURITY,
    SLEEVE,
    Books,
    Facts,
)


@inner
def loss_of(b: Books, p: int) -> int:
    """The loss on a closed piece, in cents; zero or less when there is none."""
    return int(b.piece[p, LOSS_BASIS] - b.piece[p, PROCEEDS])


@inner
def counted_from(b: Books, p: int, loss: int) -> int:
    """The day from which the term of this disposal runs."""
    if loss > 0 and b.piece[p, LOSS_BASIS] != b.piece[p, BASIS]:
        return int(b.piece[p, ACQUIRED])
    return int(b.piece[p, HOLDING])


@inner
def write_row(
    b: Books,
    f: Facts,
    p: int,
    sale: int,
    day: int,
    proceeds: int,
    basis: int,
    disallowed: int,
    permanent: int,
    holding: int,
) -> int:
    """One disposal with shares of piece p; `fold` has made room. Returns its row."""
    piece, row = b.piece, b.row
    r = b.counts[N_ROWS]
    b.counts[N_ROWS] += 1
    taxable = f.taxable[piece[p, ACCOUNT]]
    row[r, R_SALE], row[r, R_ACCOUNT], row[r, R_SECURITY] = sale, piece[p, ACCOUNT], piece[p, SECURITY]
    row[r, R_SLEEVE] = piece[p, SLEEVE]
    row[r, R_ORIGIN], row[r, R_DAY], row[r, R_QUANTITY] = piece[p, ORIGIN], day, piece[p, QUANTITY]
    row[r, R_PROCEEDS], row[r, R_BASIS] = proceeds, basis
    row[r, R_DISALLOWED], row[r, R_PERMANENT] = disallowed, permanent
    row[r, R_LONG] = 1 if day >= long_term_from(holding) else 0
    row[r, R_ACQUIRED], row[r, R_HOLDING] = piece[p, ACQUIRED], holding
    row[r, R_PURCHASE_ID], row[r, R_TAXABLE] = piece[p, PURCHASE_ID], taxable
    row[r, R_OPEN], row[r, R_CLAIM_NEXT], row[r, R_COVERED] = 0, NONE, piece[p, COVERED]
    b.flow[taxable, F_PROCEEDS] += proceeds
    b.flow[taxable, F_RECOGNISED] += proceeds - basis + disallowed
    b.flow[taxable, F_PERMANENT] += permanent
    return int(r)


@inner
def book(b: Books, f: Facts, p: int, sale: int, day: int, disallowed: int, permanent: int) -> int:
    """Write the disposal of the closed piece p. Returns its row."""
    piece = b.piece
    loss = loss_of(b, p)
    proceeds, basis = piece[p, PROCEEDS], piece[p, BASIS]
    if basis > proceeds:
        basis = piece[p, LOSS_BASIS] if loss > 0 else proceeds
    b.flow[f.taxable[piece[p, ACCOUNT]], F_NO_EFFECT] += piece[p, BASIS] - basis
    holding = counted_from(b, p, loss)
    return write_row(b, f, p, sale, day, proceeds, basis, disallowed, permanent, holding)
