"""From the solved weights to trades that can be placed: whole steps, and cash inside its band.

Steps are chosen one name after the other, each time the side that costs less given what was
rounded before, so that errors in factors and cash cancel. Then single names absorb what is left
of the cash. Names stay on the piece that the search chose, so no rule is broken on the way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from allotment.compiled import hidden, inner
from allotment.optimize.branches import row_costs
from allotment.optimize.curves import piece_cost
from allotment.optimize.dual import values
from allotment.optimize.load import BIG, HOLDINGS, LINEAR, STEP_DUST, TINY_STEP
from allotment.optimize.measures import charged_for, measure, measure_all
from allotment.optimize.pieces import DUST, EITHER, limit_excess
from allotment.optimize.workspace import Answer, Curves, Multipliers, Names, Shape, Workspace
from allotment.units import Floats

_SWEEPS = 12
_WORTH = 1e-10  # a smaller gain is not worth another pass
_ROUNDED = 1e-15  # of what is added, lost in a sum
_RESIDUE_MOVES = 40


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
def _kind_change(shape: Shape, work: Workspace, i: int, piece: int, weight: float) -> float:
    """What rows of other kinds make of a move of name i, less what the curves charge for it; `stand_at` has
    measured where it is."""
    accounts, names, m, extra = work.accounts, work.names, work.multipliers, work.extra
    a = names.account[i]
    measure(accounts, names, work.lots, work.leave, work.curves, i, piece, weight, extra.measure)
    total = 0.0
    for kind in range(extra.measure.shape[0]):
        extra.measure[kind] -= extra.other[kind]
        total -= accounts.kind_price[a, kind] * extra.measure[kind]
    for r in range(shape.size):
        if m.kind[r] != LINEAR and (m.account[r] < 0 or m.account[r] == a):
            share = 1.0 if m.account[r] >= 0 else accounts.share[a]
            total += _row_change(m, r, share * extra.measure[m.kind[r]])
    return total


@hidden
def move_cost(shape: Shape, work: Workspace, i: int, piece: int, change: float, here: Here) -> float:
    """Change of the problem's cost when name i moves by `change` to a weight on `piece`. here: of
    `stand_at`, which looked at name i last."""
    names, entries, curves, m, answer = work.names, work.entries, work.curves, work.multipliers, work.answer
    a = names.account[i]
    offset = work.accounts.offset[a]
    old = answer.weight[i]
    total: float = work.accounts.risk_price[a] * change * (here.linear + 0.5 * change * here.square)
    total += names.curvature[i] * change * (old - names.center[i] + 0.5 * change)
    total += piece_cost(curves, piece, old + change) - piece_cost(curves, answer.piece[i], old)
    total -= names.utility[i] * change
    total += _row_change(m, offset + shape.k, change)
    for entry in range(entries.start[i], entries.start[i + 1]):
        total += _row_change(m, entries.row[entry], entries.coefficient[entry] * change)
    if shape.has_kinds:
        total += _kind_change(shape, work, i, piece, old + change)
    return total


@inner
def _moved(weight: float, change: float, held: float) -> float:
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
    weight = _moved(answer.weight[i], change, names.held[i])
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
def _holds(curves: Curves, piece: int, weight: float) -> bool:
    inside: bool = curves.low[piece] - DUST <= weight <= curves.high[piece] + DUST
    return inside


@inner
def _piece_at(curves: Curves, i: int, own: int, weight: float, in_group: bool) -> int:
    """A piece of name i that holds `weight`, preferably its own; −1 when there is none.

    In a group of several, another piece is taken only when its mode is the same or EITHER, so
    that the group still agrees.
    """
    if _holds(curves, own, weight):
        return own
    for piece in range(curves.start[i], curves.start[i + 1]):
        agrees = curves.mode[piece] == curves.mode[own] or curves.mode[piece] == EITHER
        if (agrees or not in_group) and _holds(curves, piece, weight):
            return piece
    return -1


@hidden
def _round_steps(shape: Shape, work: Workspace, table: Floats) -> None:
    """Bring every trade to a whole number of steps, or to closing out the name."""
    names, curves, answer = work.names, work.curves, work.answer
    for i in range(shape.n):
        step = names.step[i]
        trade = answer.weight[i] - names.held[i]
        if step <= 0.0 or trade == 0.0 or answer.weight[i] == 0.0:
            continue
        own = answer.piece[i]
        if step < TINY_STEP:
            change = round(trade / step) * step - trade
            target = answer.weight[i] + change
            if curves.low[own] <= target <= curves.high[own]:
                # Exposures are taken anew below; one name's change is too small to steer others.
                answer.weight[i] = target
                continue
        below = math.floor(trade / step + STEP_DUST)
        target = names.held[i] + round(trade / step) * step
        near = abs(answer.weight[i] - target) <= STEP_DUST * step
        if near and _holds(curves, own, target):
            answer.weight[i] = target if target > DUST else 0.0
            continue
        best = 1e300
        best_piece = -1
        best_change = 0.0
        here = stand_at(shape, work, table, i)
        # Down, up, or no trade at all; closing out when down would pass zero.
        for side in range(3):
            change = (below + side) * step - trade if side < 2 else -trade
            target = _moved(answer.weight[i], change, names.held[i])
            if target < DUST:
                change = -answer.weight[i]
                target = 0.0
            piece = _piece_at(curves, i, own, target, names.in_group[i])
            if piece < 0:
                continue
            cost = move_cost(shape, work, i, piece, change, here)
            if cost < best:
                best = cost
                best_piece = piece
                best_change = change
        if best_piece >= 0:
            move(shape, work, table, i, best_piece, best_change)


@hidden
def _sweep_steps(shape: Shape, work: Workspace, table: Floats) -> bool:
    """One pass of the names: a step more, a step less, no trade or closing out, if it pays."""
    names, curves, answer = work.names, work.curves, work.answer
    moved = False
    for i in range(shape.n):
        own = answer.piece[i]
        step = names.step[i]
        if step < TINY_STEP or curves.start[i + 1] - curves.start[i] < 2:
            continue
        weight = answer.weight[i]
        least = max(step, work.accounts.trade_min[names.account[i]])
        best = -_WORTH
        best_piece = -1
        best_change = 0.0
        here = stand_at(shape, work, table, i)
        for kind in range(6):
            change = step if kind == 0 else -step
            if kind == 2:
                change = names.held[i] - weight
            elif kind == 3:
                change = -weight
            elif kind >= 4:
                # From no trade to the smallest one.
                steps = math.ceil(least / step - STEP_DUST) * step
                change = steps if kind == 4 else -steps
            target = weight + change
            if change == 0.0 or target < -DUST or (kind >= 4 and weight != names.held[i]):
                continue
            off = (target - names.held[i]) / step
            if target > DUST and abs(off - round(off)) > STEP_DUST:
                continue
            piece = _piece_at(curves, i, own, target, names.in_group[i])
            if piece < 0:
                continue
            cost = move_cost(shape, work, i, piece, change, here)
            if cost < best:
                best = cost
                best_piece = piece
                best_change = change
        if best_piece >= 0:
            move(shape, work, table, i, best_piece, best_change)
            moved = True
    return moved


@inner
def _room(names: Names, curves: Curves, answer: Answer, i: int, excess: float) -> float:
    """How far name i can go against `excess` on its piece, in whole steps if it has any."""
    piece = answer.piece[i]
    weight = answer.weight[i]
    room = weight - curves.low[piece] if excess > 0.0 else curves.high[piece] - weight
    step = names.step[i]
    if step <= 0.0:
        return math.copysign(min(abs(excess), max(room, 0.0)), -excess)
    if weight == 0.0:
        return 0.0
    steps = math.ceil(abs(excess) / step - STEP_DUST)
    return math.copysign(max(0.0, min(steps, math.floor(room / step + STEP_DUST))) * step, -excess)


@hidden
def _absorb_residue(shape: Shape, work: Workspace, table: Floats, a: int) -> None:
    """Move single names of an account until its Σw is inside its band, or no name has room."""
    names, curves, m, answer, accounts = work.names, work.curves, work.multipliers, work.answer, work.accounts
    budget = accounts.offset[a] + shape.k
    for _ in range(_RESIDUE_MOVES):
        above = max(m.value[budget] - m.upper[budget], 0.0)
        excess = above + min(m.value[budget] - m.lower[budget], 0.0)
        if abs(excess) <= DUST:
            return
        best = 0.0
        best_name = -1
        best_change = 0.0
        for i in range(accounts.start[a], accounts.start[a + 1]):
            piece = answer.piece[i]
            if curves.low[piece] == curves.high[piece]:
                continue
            change = _room(names, curves, answer, i, excess)
            if change == 0.0:
                continue
            cost = move_cost(shape, work, i, piece, change, stand_at(shape, work, table, i))
            if cost < best:
                best = cost
                best_name = i
                best_change = change
        if best_name < 0:
            return
        move(shape, work, table, best_name, answer.piece[best_name], best_change)


@hidden
def take_answer(shape: Shape, work: Workspace, table: Floats) -> None:
    """value ← what the answer's weights sum to, rows of every kind."""
    answer = work.answer
    values(shape, work.accounts, work.names, work.entries, table, work.multipliers, answer.weight)
    if shape.has_kinds:
        measure_all(shape, work, answer.weight, answer.piece)


@hidden
def round_answer(shape: Shape, work: Workspace, table: Floats) -> None:
    """Make the answer's weights tradable; `value` holds their exposures afterwards."""
    names, answer = work.names, work.answer
    stepped = False
    for i in range(shape.n):
        if answer.weight[i] < DUST:
            answer.weight[i] = 0.0
        if abs(answer.weight[i] - names.held[i]) < DUST:
            answer.weight[i] = names.held[i]
        stepped = stepped or names.step[i] > 0.0
    take_answer(shape, work, table)
    if stepped:
        _round_steps(shape, work, table)
        take_answer(shape, work, table)
        for _ in range(_SWEEPS):
            if not _sweep_steps(shape, work, table):
                break
    for a in range(shape.n_accounts):
        _absorb_residue(shape, work, table, a)


@hidden
def rounded_cost(shape: Shape, work: Workspace) -> float:
    """Cost of the rounded answer; `value` must hold what its weights sum to (`take_answer`)."""
    names, answer = work.names, work.answer
    total = shape.constant
    for i in range(shape.n):
        weight = answer.weight[i]
        apart = weight - names.center[i]
        total += 0.5 * names.curvature[i] * apart * apart - names.utility[i] * weight
        if weight != names.held[i] or work.curves.again[answer.piece[i]] > 0.0:
            total += piece_cost(work.curves, answer.piece[i], weight)
            continue
        a = names.account[i]
        excess = limit_excess(weight, names.weight_min[i], names.weight_max[i])
        total += work.accounts.limit_price[a] * excess
        if weight > 0.0:
            total += work.accounts.kind_price[a, HOLDINGS]
        if weight > work.accounts.big_from[a]:
            total += work.accounts.kind_price[a, BIG] * weight
    if shape.has_kinds:
        total -= charged_for(shape, work.accounts)
    return total + row_costs(shape, work.multipliers)
