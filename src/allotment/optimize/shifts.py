"""One name of the answer at another weight: what the move costs, and all values moved with it.

What a move costs falls into what concerns the name and the factors, and what rows make of it. While
every row holds, rows can only add to the cost of a move.
"""

from __future__ import annotations

from typing import NamedTuple

from allotment.compiled import hidden, inner
from allotment.optimize.curves import piece_cost
from allotment.optimize.load import LINEAR
from allotment.optimize.measures import measure
from allotment.optimize.pieces import DUST, EITHER
from allotment.optimize.workspace import Curves, Multipliers, Shape, Workspace
from allotment.units import Floats

_ROUNDED = 1e-15  # of what is added, lost in a sum


@inner
def row_excess(m: Multipliers, r: int, value: float) -> float:
    """How far a row's value lies outside its ends."""
    excess: float = max(0.0, value - m.upper[r], m.lower[r] - value)
    return excess


@inner
def _row_change(m: Multipliers, r: int, change: float) -> float:
    """Change of a row's relaxation price when its value changes."""
    now: float = m.value[r]
    price: float = m.price[r]
    excess = row_excess(m, r, now + change) - row_excess(m, r, now)
    return price * excess


class Here(NamedTuple):
    """What the cost of every move of one name begins with."""

    linear: float  # the account's factor exposures times the name's
    square: float  # the name's exposures squared


@hidden
def stand_at(shape: Shape, work: Workspace, table: Floats, i: int) -> Here:
    """Look at name i as the answer has it, before its moves are weighed; rows of other kinds, too."""
    names, answer, m = work.names, work.answer, work.multipliers
    if shape.has_kinds:
        lots, leave, curves, piece = work.lots, work.leave, work.curves, answer.piece[i]
        measure(work.accounts, names, lots, leave, curves, i, piece, answer.weight[i], work.extra.other)
    offset, row = work.accounts.offset[names.account[i]], names.asset[i]
    linear = 0.0
    square = 0.0
    for f in range(shape.k):
        linear += m.value[offset + f] * table[row, f]
        square += table[row, f] * table[row, f]
    return Here(linear, square)


@hidden
def _kind_change(shape: Shape, work: Workspace, i: int, piece: int, weight: float) -> tuple[float, float]:
    """What the curves charge less for a move of name i, and what rows of other kinds make of it; `stand_at`
    has measured where it is."""
    accounts, names, m, extra = work.accounts, work.names, work.multipliers, work.extra
    a = names.account[i]
    measure(accounts, names, work.lots, work.leave, work.curves, i, piece, weight, extra.measure)
    charged, rows = 0.0, 0.0
    for kind in range(extra.measure.shape[0]):
        extra.measure[kind] -= extra.other[kind]
        charged += accounts.kind_price[a, kind] * extra.measure[kind]
    for r in range(shape.size):
        if m.kind[r] != LINEAR and (m.account[r] < 0 or m.account[r] == a):
            share = 1.0 if m.account[r] >= 0 else accounts.share[a]
            rows += _row_change(m, r, share * extra.measure[m.kind[r]])
    return -charged, rows


@hidden
def move_cost(
    shape: Shape, work: Workspace, i: int, piece: int, change: float, here: Here
) -> tuple[float, float]:
    """Change of the problem's cost when name i moves by `change` to a weight on `piece`: without rows, and
    what they make of it. here: of `stand_at`, which looked at name i last."""
    names, entries, curves, m, answer = work.names, work.entries, work.curves, work.multipliers, work.answer
    a = names.account[i]
    offset = work.accounts.offset[a]
    old = answer.weight[i]
    own: float = work.accounts.risk_price[a] * change * (here.linear + 0.5 * change * here.square)
    own += names.curvature[i] * change * (old - names.center[i] + 0.5 * change)
    own += piece_cost(curves, piece, old + change) - piece_cost(curves, answer.piece[i], old)
    own -= names.utility[i] * change
    rows = _row_change(m, offset + shape.k, change)
    for entry in range(entries.start[i], entries.start[i + 1]):
        rows += _row_change(m, entries.row[entry], entries.coefficient[entry] * change)
    if shape.has_kinds:
        charged, more = _kind_change(shape, work, i, piece, old + change)
        own, rows = own + charged, rows + more
    return own, rows


@inner
def moved(weight: float, change: float, held: float) -> float:
    """The weight after a change; nothing and what is held are met exactly, as far as the sum can tell."""
    after = weight + change
    dust = max(DUST, _ROUNDED * abs(change))
    if abs(after) < dust:
        return 0.0
    return held if abs(after - held) < dust else after


@hidden
def move(shape: Shape, work: Workspace, table: Floats, i: int, piece: int, change: float) -> None:
    """Move name i of the answer, and all values with it."""
    names, entries, m, answer = work.names, work.entries, work.multipliers, work.answer
    row = names.asset[i]
    a = names.account[i]
    offset = work.accounts.offset[a]
    weight = moved(answer.weight[i], change, names.held[i])
    if shape.has_kinds:
        stand_at(shape, work, table, i)
        _kind_change(shape, work, i, piece, weight)
        for r in range(shape.size):
            if m.kind[r] != LINEAR and (m.account[r] < 0 or m.account[r] == a):
                share = 1.0 if m.account[r] >= 0 else work.accounts.share[a]
                m.value[r] += share * work.extra.measure[m.kind[r]]
    answer.weight[i] = weight
    answer.piece[i] = piece
    for f in range(shape.k):
        m.value[offset + f] += change * table[row, f]
    m.value[offset + shape.k] += change
    for entry in range(entries.start[i], entries.start[i + 1]):
        m.value[entries.row[entry]] += change * entries.coefficient[entry]


@inner
def holds(curves: Curves, piece: int, weight: float) -> bool:
    """Whether a piece holds a weight, give or take dust."""
    inside: bool = curves.low[piece] - DUST <= weight <= curves.high[piece] + DUST
    return inside


@inner
def piece_at(curves: Curves, i: int, own: int, weight: float, in_group: bool) -> int:
    """A piece of name i that holds `weight`, preferably its own; −1 when there is none.

    In a group of several, another piece is taken only when its mode is the same or EITHER, so
    that the group still agrees.
    """
    if holds(curves, own, weight):
        return own
    for piece in range(curves.start[i], curves.start[i + 1]):
        agrees = curves.mode[piece] == curves.mode[own] or curves.mode[piece] == EITHER
        if (agrees or not in_group) and holds(curves, piece, weight):
            return piece
    return -1
