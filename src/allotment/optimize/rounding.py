"""From the solved weights to trades that can be placed: whole steps, and cash inside its band.

Steps are chosen one name after the other, each time the side that costs less given what was
rounded before, so that errors in factors and cash cancel. Then single names absorb what is left
of the cash. Names stay on the piece that the search chose, so no rule is broken on the way.
"""

from __future__ import annotations

import math

from allotment.compiled import kernel
from allotment.optimize.curves import DUST
from allotment.optimize.dual import values
from allotment.optimize.problem import Problems
from allotment.optimize.workspace import Workspace
from allotment.units import Floats

_SWEEPS = 3
_RESIDUE_MOVES = 40
_STEP_DUST = 1e-7  # steps; closer than this to a whole number is whole


@kernel
def piece_cost(work: Workspace, piece: int, weight: float) -> float:
    """c(w) on a piece that holds `weight`."""
    top = work.piece_high[piece]
    cost = work.piece_cost[piece]
    for segment in range(work.segment_from[piece], work.segment_from[piece + 1]):
        low = work.segment_low[segment]
        if weight >= low:
            return float(cost - work.segment_slope[segment] * (top - weight))
        cost -= work.segment_slope[segment] * (top - low)
        top = low
    return float(cost)


@kernel
def row_excess(work: Workspace, r: int, value: float) -> float:
    """How far a row's value lies outside its ends."""
    return max(0.0, value - work.upper[r], work.lower[r] - value)


@kernel
def _move_cost(
    work: Workspace, table: Floats, risk_price: float, i: int, old_piece: int, piece: int, change: float
) -> float:
    """Change of the account's cost when name i moves by `change` from old_piece to piece."""
    k = table.shape[1]
    asset = work.asset[i]
    old = work.answer_weight[i]
    new = old + change
    linear = 0.0
    square = 0.0
    for f in range(k):
        linear += work.value[f] * table[asset, f]
        square += table[asset, f] * table[asset, f]
    total = risk_price * change * (linear + 0.5 * change * square)
    total += work.curvature[i] * change * (old - work.benchmark[i] + 0.5 * change)
    total += piece_cost(work, piece, new) - piece_cost(work, old_piece, old)
    total -= work.utility[i] * change
    value = work.value[k]
    total += work.price[k] * (row_excess(work, k, value + change) - row_excess(work, k, value))
    for entry in range(work.entry_from[i], work.entry_from[i + 1]):
        r = work.entry_row[entry]
        value = work.value[r]
        moved = value + work.entry_coefficient[entry] * change
        total += work.price[r] * (row_excess(work, r, moved) - row_excess(work, r, value))
    return total


@kernel
def _move(work: Workspace, table: Floats, i: int, piece: int, change: float) -> None:
    k = table.shape[1]
    asset = work.asset[i]
    weight = work.answer_weight[i] + change
    work.answer_weight[i] = 0.0 if abs(weight) < DUST else weight
    work.answer_piece[i] = piece
    for f in range(k):
        work.value[f] += change * table[asset, f]
    work.value[k] += change
    for entry in range(work.entry_from[i], work.entry_from[i + 1]):
        work.value[work.entry_row[entry]] += change * work.entry_coefficient[entry]


@kernel
def _piece_at(work: Workspace, i: int, weight: float) -> int:
    """The piece of name i, or of its kind, that holds `weight`: its own first; −1 when none.

    Another piece is taken only when its mode is the same or EITHER, so the group still agrees.
    """
    own = work.answer_piece[i]
    if work.piece_low[own] - DUST <= weight <= work.piece_high[own] + DUST:
        return int(own)
    for piece in range(work.piece_from[i], work.piece_from[i + 1]):
        agrees = work.piece_mode[piece] == work.piece_mode[own] or work.piece_mode[piece] == 0
        if agrees and work.piece_low[piece] - DUST <= weight <= work.piece_high[piece] + DUST:
            return piece
    return -1


@kernel
def _round_steps(work: Workspace, problem: Problems, table: Floats, a: int, n: int) -> None:
    """Bring every trade to a whole number of steps, or to closing out the name."""
    first = problem.names_from[a]
    for i in range(n):
        step = problem.step[first + i]
        trade = work.answer_weight[i] - work.held[i]
        if step <= 0.0 or trade == 0.0 or work.answer_weight[i] == 0.0:
            continue
        whole = math.floor(trade / step + _STEP_DUST)
        if trade / step - whole <= _STEP_DUST:
            _move(work, table, i, work.answer_piece[i], whole * step - trade)
            continue
        best = 1e300
        best_piece = -1
        best_change = 0.0
        own = work.answer_piece[i]
        for side in range(3):
            # Down, up, or no trade at all.
            change = (whole + side) * step - trade if side < 2 else -trade
            if side == 1 and trade < 0.0 and whole + 1 == 0.0:
                continue
            weight = work.held[i] + trade + change
            if weight < DUST and side == 0 and trade < 0.0:
                weight = 0.0
                change = -work.answer_weight[i]
            piece = _piece_at(work, i, weight)
            if piece < 0:
                continue
            cost = _move_cost(work, table, problem.risk_price[a], i, own, piece, change)
            if cost < best:
                best, best_piece, best_change = cost, piece, change
        if best_piece >= 0:
            _move(work, table, i, best_piece, best_change)


@kernel
def _sweep_steps(work: Workspace, problem: Problems, table: Floats, a: int, n: int) -> bool:
    """One pass of single steps that lower the cost; False when none did."""
    first = problem.names_from[a]
    moved = False
    for i in range(n):
        step = problem.step[first + i]
        own = work.answer_piece[i]
        if step <= 0.0 or work.piece_low[own] == work.piece_high[own] or work.answer_weight[i] == 0.0:
            continue
        for sign in range(-1, 2, 2):
            change = sign * step
            weight = work.answer_weight[i] + change
            if not work.piece_low[own] - DUST <= weight <= work.piece_high[own] + DUST:
                continue
            if _move_cost(work, table, problem.risk_price[a], i, own, own, change) < -1e-12:
                _move(work, table, i, own, change)
                moved = True
                break
    return moved


@kernel
def _absorb_residue(work: Workspace, problem: Problems, table: Floats, a: int, n: int) -> None:
    """Move single names until Σw is inside its band, or no name has room."""
    k = table.shape[1]
    first = problem.names_from[a]
    for _ in range(_RESIDUE_MOVES):
        excess = max(work.value[k] - work.upper[k], 0.0) + min(work.value[k] - work.lower[k], 0.0)
        if abs(excess) <= DUST:
            return
        best = 0.0
        best_name = -1
        best_change = 0.0
        for i in range(n):
            piece = work.answer_piece[i]
            low = work.piece_low[piece]
            high = work.piece_high[piece]
            if low == high:
                continue
            weight = work.answer_weight[i]
            change = min(max(-excess, low - weight), high - weight)
            step = problem.step[first + i]
            if step > 0.0:
                if weight == 0.0:
                    continue
                steps = math.ceil(abs(excess) / step - _STEP_DUST)
                room = math.floor((weight - low if excess > 0.0 else high - weight) / step + _STEP_DUST)
                change = math.copysign(min(steps, room) * step, -excess)
            if change == 0.0:
                continue
            # A part of the residue is worth its part; what it costs besides decides.
            cost = _move_cost(work, table, problem.risk_price[a], i, piece, piece, change)
            if cost < best:
                best, best_name, best_change = cost, i, change
        if best_name < 0:
            return
        _move(work, table, best_name, work.answer_piece[best_name], best_change)


@kernel
def round_answer(work: Workspace, problem: Problems, table: Floats, a: int, n: int) -> None:
    """Make answer_weight tradable; `value` holds its exposures afterwards."""
    values(work, table, n, work.answer_weight, work.value)
    first = problem.names_from[a]
    stepped = False
    for i in range(n):
        if work.answer_weight[i] < DUST:
            work.answer_weight[i] = 0.0
        if abs(work.answer_weight[i] - work.held[i]) < DUST:
            work.answer_weight[i] = work.held[i]
        stepped = stepped or problem.step[first + i] > 0.0
    if stepped:
        _round_steps(work, problem, table, a, n)
        for _ in range(_SWEEPS):
            if not _sweep_steps(work, problem, table, a, n):
                break
    _absorb_residue(work, problem, table, a, n)
