"""Streams of transactions one after the other, in books whose memory is used again.

A stream is the transactions of one household in one family of groups; `tax.chronicle` books each of
them. At the end of a stream its open pieces are written out and the identity is checked.
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import inner, kernel
from allotment.tax import pieces as c
from allotment.tax.chronicle import Rows, apply
from allotment.tax.pieces import Books, Facts, Matrix
from allotment.tax.short_wash import forget_closings
from allotment.units import Index, Ints


@kernel
def _room(matrix: Matrix, used: int, margin: int) -> Matrix:
    if used + margin <= matrix.shape[0]:
        return matrix
    larger = np.empty((2 * (used + margin), matrix.shape[1]), np.int64)
    larger[:used] = matrix[:used]
    return larger


@inner
def _margin(b: Books) -> int:
    """Rows that the worst transaction can need: sleeves' labels cut every piece once (`tax.sleeve_labels`),
    then washes cut all of them and every claim."""
    live = 2 * b.counts[c.LIVE]
    return int(b.counts[c.LIVE] + 4 * (live + b.counts[c.N_CLAIMS]) + 16)


@inner
def _has_room(b: Books) -> bool:
    margin = _margin(b)
    return bool(
        b.counts[c.N_PIECES] + margin <= b.piece.shape[0]
        and b.counts[c.N_ROWS] + margin <= b.row.shape[0]
        and b.counts[c.N_LINKS] + margin <= b.link.shape[0]
        and b.counts[c.N_PROBLEMS] + margin <= b.problem.shape[0]
    )


@kernel
def _with_room(b: Books) -> Books:
    margin = _margin(b)
    return Books(
        _room(b.piece, b.counts[c.N_PIECES], margin),
        _room(b.row, b.counts[c.N_ROWS], margin),
        _room(b.link, b.counts[c.N_LINKS], margin),
        _room(b.problem, b.counts[c.N_PROBLEMS], margin),
        b.counts,
        b.head,
        b.tail,
        b.held,
        b.group,
        b.scaled,
        b.made,
        b.flow,
    )


@inner
def _go_on(b: Books, f: Facts, t: Rows, first: int, last: int) -> int:
    """Book rows from `first` until `last` or until the books are full; returns the row after."""
    r = first
    while r < last and _has_room(b):
        apply(b, f, t, r)
        r += 1
    return r


@inner
def _begin(b: Books, f: Facts) -> None:
    n_lists = 2 * f.here[c.N_ACCOUNTS] * f.here[c.N_SECURITIES]
    b.head[:n_lists] = c.NONE
    b.tail[:n_lists] = c.NONE
    b.held[:n_lists] = 0
    b.group[: f.here[c.N_GROUPS]] = c.NONE
    b.scaled[: f.here[c.N_SECURITIES]] = c.NO_DAY
    b.counts[c.N_PIECES], b.counts[c.FREE], b.counts[c.LIVE], b.counts[c.BIRTHS] = 0, c.NONE, 0, 0
    b.counts[c.N_CLAIMS], b.counts[c.TAKEN_HEAD], b.counts[c.TAKEN_TAIL] = 0, c.NONE, c.NONE


@inner
def _end(b: Books, f: Facts, first: int, last: int, lot: Matrix, n_lots: int) -> int:
    """Write the open pieces of the stream behind the `n_lots` there; returns the new count."""
    n = n_lots
    for g in range(f.here[c.N_GROUPS]):
        forget_closings(b, g, c.END_OF_DAYS)
    for r in range(first, last):
        b.made[r, c.M_PIECE] = c.NONE  # a sale that names a lot of another stream finds nothing
    for x in range(2 * f.here[c.N_ACCOUNTS] * f.here[c.N_SECURITIES]):
        p = b.head[x]
        while p >= 0:
            for column in range(c.STATUS + 1):
                lot[n, column] = b.piece[p, column]
            held = b.piece[p, c.BASIS]
            if b.piece[p, c.STATUS] == c.SHORT:  # losses that the short has taken (§1091(e))
                held = b.piece[p, c.LOSS_BASIS] - held
            b.flow[f.taxable[b.piece[p, c.ACCOUNT]], c.F_HELD] += held
            n += 1
            p = b.piece[p, c.NEXT]
    return n


@inner
def money_off(b: Books, taxable: int) -> int:
    """Recognised gain less what the identity says it is (docs/law/numbers.md): 0, to the cent."""
    flow = b.flow[taxable]
    kept = flow[c.F_HELD] + flow[c.F_GIVEN] + flow[c.F_PERMANENT] + flow[c.F_NO_EFFECT]
    return int(flow[c.F_RECOGNISED] - (flow[c.F_PROCEEDS] - flow[c.F_RECEIVED] + kept))


@kernel
def fold_streams(
    t: Rows,
    f: Facts,
    b: Books,
    start: Ints,
    household: Index,
    family: Index,
    account_start: Ints,
    family_size: Index,
    family_groups: Index,
    lot: Matrix,
) -> tuple[Books, Matrix, int, int]:
    """Fold streams one after the other: stream i has rows start[i] to start[i + 1] of `t`.

    account_start: (n_households + 1,) first account of each household; lot: room for open pieces,
    (any, STATUS + 1). Returns the books, whose rows, links, problems and flows are the result, the
    room with the open pieces, their number, and the first stream that lost or made money, −1 for
    none. Rows are named by their place in `t`.
    """
    n_lots = 0
    wrong = -1
    for s in range(household.shape[0]):
        f.here[c.FIRST_ACCOUNT] = account_start[household[s]]
        f.here[c.N_ACCOUNTS] = account_start[household[s] + 1] - account_start[household[s]]
        f.here[c.N_SECURITIES] = family_size[family[s]]
        f.here[c.N_GROUPS] = family_groups[family[s]]
        _begin(b, f)
        r = start[s]
        while r < start[s + 1]:
            r = _go_on(b, f, t, r, start[s + 1])
            if r < start[s + 1]:
                b = _with_room(b)
        lot = _room(lot, n_lots, b.counts[c.LIVE])
        n_lots = _end(b, f, start[s], start[s + 1], lot, n_lots)
        if wrong < 0 and (money_off(b, 0) != 0 or money_off(b, 1) != 0):
            wrong = s
    return b, lot, n_lots, wrong
