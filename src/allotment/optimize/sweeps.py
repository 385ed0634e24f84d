"""Passes over the names of a rounded answer: a step more, a step less, no trade or closing out.

A name is weighed again only when a move of it could pay by now. Without rows, what a move costs changes
by risk price × its size × what the account's exposures to the name's factors have changed by, which is
at most ‖exposures of the name‖ × the way that the account's exposures went since (the sum of the norms
of all moves: Cauchy-Schwarz and the triangle inequality). While every row holds, rows only add to it.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, part
from allotment.optimize.load import STEP_DUST, TINY_STEP
from allotment.optimize.pieces import DUST
from allotment.optimize.shifts import move, move_cost, piece_at, row_excess, stand_at
from allotment.optimize.workspace import Multipliers, Shape, Sweeps, Workspace
from allotment.units import Floats

_SWEEPS = 12
_WORTH = 1e-10  # a move that saves less is not made
_PASS_WORTH = 1e-7  # a pass that saves less than a thousandth of a basis point is the last


@hidden
def sweep_steps(shape: Shape, work: Workspace, table: Floats) -> None:
    """Move names by whole steps while it pays; `value` holds the answer's exposures, and is kept so."""
    sweeps: Sweeps = work.sweeps
    for a in range(shape.n_accounts):
        sweeps.way[a] = 0.0
    for i in range(shape.n):
        sweeps.until[i] = 0.0
    for _ in range(_SWEEPS):
        if _sweep(shape, work, table) < _PASS_WORTH:
            break


@hidden
def _sweep(shape: Shape, work: Workspace, table: Floats) -> float:
    """One pass of the names; what its moves save."""
    names, curves, sweeps = work.names, work.curves, work.sweeps
    saved, all_hold = 0.0, _all_hold(shape, work.multipliers)
    for i in range(shape.n):
        if names.step[i] < TINY_STEP or curves.start[i + 1] - curves.start[i] < 2:
            continue
        way = sweeps.way[names.account[i]]
        if all_hold and way < sweeps.until[i]:
            continue
        piece, change, cost, norm, room = _best_move(shape, work, table, i)
        sweeps.until[i] = way + room
        if piece >= 0:
            move(shape, work, table, i, piece, change)
            sweeps.way[names.account[i]] += abs(change) * norm
            sweeps.until[i] = 0.0
            saved, all_hold = saved - cost, _all_hold(shape, work.multipliers)
    return saved


@inner
def _all_hold(shape: Shape, m: Multipliers) -> bool:
    """Whether no row's value lies outside its ends, that of Σw included."""
    hold = True
    for r in range(shape.size):
        hold = hold and (m.risk_price[r] > 0.0 or row_excess(m, r, m.value[r]) <= 0.0)
    return hold


@part
def _best_move(
    shape: Shape, work: Workspace, table: Floats, i: int
) -> tuple[int, float, float, float, float]:
    """The piece, change and cost of the best move of name i that pays, piece −1 without; the norm of its
    exposures, and the way that the account's can go before another move pays."""
    names, curves, answer, accounts = work.names, work.curves, work.answer, work.accounts
    own, step, weight, a = answer.piece[i], names.step[i], answer.weight[i], names.account[i]
    least = max(step, accounts.trade_min[a])
    best, best_piece, best_change, room = -_WORTH, -1, 0.0, math.inf
    here = stand_at(shape, work, table, i)
    norm = math.sqrt(here.square)
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
        piece = piece_at(curves, i, own, target, names.in_group[i])
        if piece < 0:
            continue
        without_rows, rows = move_cost(shape, work, i, piece, change, here)
        if without_rows + rows < best:
            best, best_piece, best_change = without_rows + rows, piece, change
        per_way = accounts.risk_price[a] * abs(change) * norm
        if without_rows <= -_WORTH:
            room = 0.0
        elif per_way > 0.0:
            room = min(room, (without_rows + _WORTH) / per_way)
    return best_piece, best_change, best, norm, room
