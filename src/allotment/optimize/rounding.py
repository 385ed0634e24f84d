"""From the solved weights to trades that can be placed: whole steps, and cash inside its band.

Steps are chosen one name after the other, each time the side that costs less given what was
rounded before, so that errors in factors and cash cancel. Then single names absorb what is left
of the cash. Names stay on the piece that the search chose, so no rule is broken on the way.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner
from allotment.optimize.branches import row_costs
from allotment.optimize.curves import piece_cost
from allotment.optimize.dual import values
from allotment.optimize.load import BIG, HOLDINGS, STEP_DUST, TINY_STEP
from allotment.optimize.measures import charged_for, measure_all
from allotment.optimize.pieces import DUST, limit_excess
from allotment.optimize.shifts import holds, move, move_cost, moved, piece_at, stand_at
from allotment.optimize.sweeps import sweep_steps
from allotment.optimize.workspace import Answer, Curves, Names, Shape, Workspace
from allotment.units import Floats

_RESIDUE_MOVES = 40


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
        if near and holds(curves, own, target):
            answer.weight[i] = target if target > DUST else 0.0
            continue
        best = 1e300
        best_piece = -1
        best_change = 0.0
        here = stand_at(shape, work, table, i)
        # Down, up, or no trade at all; closing out when down would pass zero.
        for side in range(3):
            change = (below + side) * step - trade if side < 2 else -trade
            target = moved(answer.weight[i], change, names.held[i])
            if target < DUST:
                change = -answer.weight[i]
                target = 0.0
            piece = piece_at(curves, i, own, target, names.in_group[i])
            if piece < 0:
                continue
            own_cost, row_cost = move_cost(shape, work, i, piece, change, here)
            cost = own_cost + row_cost
            if cost < best:
                best = cost
                best_piece = piece
                best_change = change
        if best_piece >= 0:
            move(shape, work, table, i, best_piece, best_change)


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
            own_cost, row_cost = move_cost(shape, work, i, piece, change, stand_at(shape, work, table, i))
            cost = own_cost + row_cost
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
        sweep_steps(shape, work, table)
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
