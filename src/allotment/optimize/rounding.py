"""From the solved weights to trades that can be placed: whole steps, and cash inside its band.

Steps are chosen one name after the other, each time the side that costs less given what was
rounded before, so that errors in factors and cash cancel. Then single names absorb what is left
of the cash. Names stay on the piece that the search chose, so no rule is broken on the way.
"""

from __future__ import annotations

import math

from allotment.compiled import inner
from allotment.optimize.curves import DUST, EITHER, piece_cost
from allotment.optimize.dual import values
from allotment.optimize.steps import STEP_DUST, TINY_STEP
from allotment.optimize.workspace import Account, Answer, Curves, Entries, Multipliers, Names
from allotment.units import Floats

_SWEEPS = 12
_WORTH = 1e-10  # a smaller gain is not worth another pass
_RESIDUE_MOVES = 40


@inner
def row_excess(multipliers: Multipliers, r: int, value: float) -> float:
    """How far a row's value lies outside its ends."""
    excess: float = max(0.0, value - multipliers.upper[r], multipliers.lower[r] - value)
    return excess


@inner
def _row_change(multipliers: Multipliers, r: int, change: float) -> float:
    """Change of a row's relaxation price when its value changes."""
    now: float = multipliers.value[r]
    price: float = multipliers.price[r]
    excess = row_excess(multipliers, r, now + change) - row_excess(multipliers, r, now)
    return price * excess


@inner
def _move_cost(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    multipliers: Multipliers,
    answer: Answer,
    table: Floats,
    i: int,
    piece: int,
    change: float,
) -> float:
    """Change of the account's cost when name i moves by `change` to a weight on `piece`."""
    k = account.k
    row = names.asset[i]
    old = answer.weight[i]
    linear = 0.0
    square = 0.0
    for f in range(k):
        linear += multipliers.value[f] * table[row, f]
        square += table[row, f] * table[row, f]
    total: float = account.risk_price * change * (linear + 0.5 * change * square)
    total += names.curvature[i] * change * (old - names.benchmark[i] + 0.5 * change)
    total += piece_cost(curves, piece, old + change) - piece_cost(curves, answer.piece[i], old)
    total -= names.utility[i] * change
    total += _row_change(multipliers, k, change)
    for entry in range(entries.start[i], entries.start[i + 1]):
        total += _row_change(multipliers, entries.row[entry], entries.coefficient[entry] * change)
    return total


@inner
def _move(
    names: Names,
    entries: Entries,
    multipliers: Multipliers,
    answer: Answer,
    table: Floats,
    i: int,
    piece: int,
    change: float,
) -> None:
    row = names.asset[i]
    weight = answer.weight[i] + change
    if abs(weight) < DUST:
        weight = 0.0
    elif abs(weight - names.held[i]) < DUST:
        weight = names.held[i]
    answer.weight[i] = weight
    answer.piece[i] = piece
    value = multipliers.value
    for f in range(table.shape[1]):
        value[f] += change * table[row, f]
    value[table.shape[1]] += change
    for entry in range(entries.start[i], entries.start[i + 1]):
        value[entries.row[entry]] += change * entries.coefficient[entry]


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


@inner
def _round_steps(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    multipliers: Multipliers,
    answer: Answer,
    table: Floats,
) -> None:
    """Bring every trade to a whole number of steps, or to closing out the name."""
    for i in range(account.n):
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
        if trade - below * step <= STEP_DUST * step:
            continue
        best = 1e300
        best_piece = -1
        best_change = 0.0
        # Down, up, or no trade at all; closing out when down would pass zero.
        for side in range(3):
            change = (below + side) * step - trade if side < 2 else -trade
            if answer.weight[i] + change < DUST:
                change = -answer.weight[i]
            piece = _piece_at(curves, i, own, answer.weight[i] + change, names.in_group[i])
            if piece < 0:
                continue
            cost = _move_cost(account, names, entries, curves, multipliers, answer, table, i, piece, change)
            if cost < best:
                best = cost
                best_piece = piece
                best_change = change
        if best_piece >= 0:
            _move(names, entries, multipliers, answer, table, i, best_piece, best_change)


@inner
def _sweep_steps(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    multipliers: Multipliers,
    answer: Answer,
    table: Floats,
) -> bool:
    """One pass of the names: a step more, a step less, no trade or closing out, if it pays."""
    moved = False
    for i in range(account.n):
        own = answer.piece[i]
        step = names.step[i]
        if step < TINY_STEP or curves.start[i + 1] - curves.start[i] < 2:
            continue
        weight = answer.weight[i]
        least = max(step, account.trade_min)
        best = -_WORTH
        best_piece = -1
        best_change = 0.0
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
            cost = _move_cost(account, names, entries, curves, multipliers, answer, table, i, piece, change)
            if cost < best:
                best = cost
                best_piece = piece
                best_change = change
        if best_piece >= 0:
            _move(names, entries, multipliers, answer, table, i, best_piece, best_change)
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


@inner
def _absorb_residue(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    multipliers: Multipliers,
    answer: Answer,
    table: Floats,
) -> None:
    """Move single names until Σw is inside its band, or no name has room."""
    k = account.k
    for _ in range(_RESIDUE_MOVES):
        above = max(multipliers.value[k] - multipliers.upper[k], 0.0)
        excess = above + min(multipliers.value[k] - multipliers.lower[k], 0.0)
        if abs(excess) <= DUST:
            return
        best = 0.0
        best_name = -1
        best_change = 0.0
        for i in range(account.n):
            piece = answer.piece[i]
            if curves.low[piece] == curves.high[piece]:
                continue
            change = _room(names, curves, answer, i, excess)
            if change == 0.0:
                continue
            cost = _move_cost(account, names, entries, curves, multipliers, answer, table, i, piece, change)
            if cost < best:
                best = cost
                best_name = i
                best_change = change
        if best_name < 0:
            return
        _move(names, entries, multipliers, answer, table, best_name, answer.piece[best_name], best_change)


@inner
def round_answer(
    account: Account,
    names: Names,
    entries: Entries,
    curves: Curves,
    multipliers: Multipliers,
    answer: Answer,
    table: Floats,
) -> None:
    """Make the answer's weights tradable; `value` holds their exposures afterwards."""
    stepped = False
    for i in range(account.n):
        if answer.weight[i] < DUST:
            answer.weight[i] = 0.0
        if abs(answer.weight[i] - names.held[i]) < DUST:
            answer.weight[i] = names.held[i]
        stepped = stepped or names.step[i] > 0.0
    values(
        account.n,
        names.asset,
        entries,
        table,
        multipliers.benchmark_value,
        answer.weight,
        multipliers.value,
    )
    if stepped:
        _round_steps(account, names, entries, curves, multipliers, answer, table)
        values(
            account.n,
            names.asset,
            entries,
            table,
            multipliers.benchmark_value,
            answer.weight,
            multipliers.value,
        )
        for _ in range(_SWEEPS):
            if not _sweep_steps(account, names, entries, curves, multipliers, answer, table):
                break
    _absorb_residue(account, names, entries, curves, multipliers, answer, table)


@inner
def rounded_cost(
    account: Account, names: Names, curves: Curves, multipliers: Multipliers, answer: Answer
) -> float:
    """Cost of the rounded answer; `value` must hold its exposures."""
    total = 0.0
    for i in range(account.n):
        weight = answer.weight[i]
        active = weight - names.benchmark[i]
        total += 0.5 * names.curvature[i] * active * active - names.utility[i] * weight
        if weight != names.held[i]:
            total += piece_cost(curves, answer.piece[i], weight)
    for f in range(account.k):
        total += 0.5 * account.risk_price * multipliers.value[f] * multipliers.value[f]
    for r in range(account.k, multipliers.value.shape[0]):
        total += multipliers.price[r] * row_excess(multipliers, r, multipliers.value[r])
    return total
