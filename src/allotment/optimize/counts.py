"""Rows that jump: trades, holdings, weights of big names.

No derivative helps with them. Their prices are found one row at a time between a price that is
too low and one that is too high, with D climbed anew each time; what the chosen branches still
count too many of is undone where that costs least.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, part
from allotment.optimize.branches import Found, answer_cost, keep, keep_bound
from allotment.optimize.curves import piece_minimum
from allotment.optimize.dual import Effort, copy_to, maximise, solve_chosen
from allotment.optimize.load import TRADES
from allotment.optimize.measures import measure
from allotment.optimize.pieces import EITHER
from allotment.optimize.workspace import Brackets, Multipliers, Shape, Workspace
from allotment.units import Floats

THOROUGH = Effort(8, 1e-9, math.inf)
_ROUNDS = 16
_FIRST_PRICE = 1e-6
_CLOSE = 0.004  # share of the end by which a priced count may stay inside it
_REPAIRS = 6


@hidden
def climb(shape: Shape, work: Workspace, table: Floats, bound: float, effort: Effort) -> float:
    """D over every branch, climbed from `theta`, prices of counts found too; the best bound, whose
    multipliers are kept if it beats `bound`. Leaves the minimisers at the last multipliers."""
    here = maximise(shape, work, table, True, effort)
    if here > bound:
        bound = here
        keep_bound(shape, work)
    if not shape.has_counts or bound >= effort.enough:
        return bound
    m, brackets = work.multipliers, work.count_prices
    for r in range(shape.size):
        brackets.low[r], brackets.high[r] = 0.0, -1.0
        brackets.low_value[r], brackets.high_value[r] = m.value[r], 0.0
    for _ in range(_ROUNDS):
        moved = False
        for r in range(shape.size):
            if m.kind[r] >= TRADES:
                moved = _move_price(m, brackets, r) or moved
        if not moved:
            break
        here = maximise(shape, work, table, True, effort)
        if here > bound:
            bound = here
            keep_bound(shape, work)
        if bound >= effort.enough:
            return bound
    for r in range(shape.size):
        if m.kind[r] >= TRADES and brackets.high[r] > brackets.low[r]:
            # How fast the count falls with its price: what flips are charged by.
            less = max(1.0, brackets.low_value[r] - brackets.high_value[r])
            slope = less / (brackets.high[r] - brackets.low[r])
            m.hessian[r, r] += slope - m.damping[r]
            m.damping[r] = slope
    return bound


@inner
def _move_price(m: Multipliers, brackets: Brackets, r: int) -> bool:
    """Move the price of row r towards its upper end; False when it stands well. A count below its
    lower end is left to the price of the row."""
    value, upper, price = m.value[r], m.upper[r], m.theta[r]
    if value > upper:
        if price >= brackets.low[r]:
            brackets.low[r], brackets.low_value[r] = price, value
    elif price > 0.0 and value < upper - _CLOSE * upper:
        brackets.high[r], brackets.high_value[r] = price, value
    else:
        return False
    low, high = brackets.low[r], brackets.high[r]
    if high < 0.0:
        wanted = max(_FIRST_PRICE, 3.0 * price)
    else:
        less = max(brackets.low_value[r] - brackets.high_value[r], 1.0)
        part = (brackets.low_value[r] - upper) / less
        wanted = low + min(0.85, max(0.15, part)) * (high - low)
    wanted = min(wanted, m.price[r])
    if abs(wanted - price) <= 1e-6 * price:
        return False
    m.theta[r] = wanted
    return True


@part
def undo_counts(shape: Shape, work: Workspace, table: Floats, found: Found) -> Found:
    """Choose other pieces for names until rows that jump hold, where it costs least."""
    state, m, answer = work.state, work.multipliers, work.answer
    cost = found.cost
    solves = found.n_solves
    for i in range(shape.n):
        state.chosen[i] = answer.piece[i]
    copy_to(m.theta, answer.theta, shape.size)
    for _ in range(_REPAIRS):
        solve_chosen(shape, work, table)
        solves += 1
        trial = answer_cost(shape, work)
        if trial < cost:
            cost = trial
            keep(shape, work)
        changed = False
        for r in range(shape.size):
            if m.kind[r] >= TRADES and m.value[r] > m.upper[r]:
                changed = _undo(shape, work, r, m.value[r] - m.upper[r]) or changed
        if not changed:
            break
    return Found(cost, found.bound, solves)


@hidden
def _undo(shape: Shape, work: Workspace, r: int, excess: float) -> bool:
    """Choose other pieces, cheapest per unit first, until row r counts `excess` less."""
    names, curves, state, m, extra = work.names, work.curves, work.state, work.multipliers, work.extra
    accounts, kind = work.accounts, work.multipliers.kind[r]
    changed = False
    for _ in range(shape.n):
        if excess <= 0.0:
            break
        best, best_name, best_piece, best_less = 1e300, -1, -1, 0.0
        for i in range(shape.n):
            a = names.account[i]
            if m.account[r] >= 0 and m.account[r] != a:
                continue
            now = state.chosen[i]
            measure(accounts, names, work.lots, work.leave, curves, i, now, state.weight[i], extra.other)
            counted = extra.other[kind]
            if counted <= 0.0:
                continue
            share = 1.0 if m.account[r] >= 0 else accounts.share[a]
            for piece in range(curves.start[i], curves.start[i + 1]):
                agrees = curves.mode[piece] == curves.mode[now] or curves.mode[piece] == EITHER
                if piece == now or (names.in_group[i] and not agrees):
                    continue
                phi, weight = piece_minimum(names, curves, i, piece, state.q[i])
                measure(accounts, names, work.lots, work.leave, curves, i, piece, weight, extra.measure)
                less = share * (counted - extra.measure[kind])
                if less > 0.0 and (phi - state.phi[i]) / less < best:
                    best, best_name, best_piece = (phi - state.phi[i]) / less, i, piece
                    best_less = less
        if best_name < 0:
            break
        state.chosen[best_name] = best_piece
        phi, weight = piece_minimum(names, curves, best_name, best_piece, state.q[best_name])
        state.weight[best_name], state.phi[best_name] = weight, phi
        excess -= best_less
        changed = True
    return changed
