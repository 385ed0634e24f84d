"""The choice of lots, once the weights stand.

Rows of gains and tax can be met by selling other lots of the same name. Where the search stops at
prices at which two lots cost the same, it takes one of them whole; here shares of one are
exchanged for shares of the other, at the least cost per unit, until the row holds. Where a name may be
sold and bought back, shares of a lot are also sold and bought back, or no longer.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, part
from allotment.optimize.load import GAIN, GAIN_LONG, GAIN_SHORT, STEP_DUST, TAX, TINY_STEP, TURNOVER
from allotment.optimize.pieces import DUST, SELL
from allotment.optimize.relief import leaving
from allotment.optimize.shifts import row_excess
from allotment.optimize.workspace import Lots, Shape, Workspace

_EXCHANGES = 40
_SAVINGS = 200
_WORTH = 1e-11
_NONE = -1


@hidden
def sell_lots(shape: Shape, work: Workspace) -> None:
    """work.sold ← what the answer's weights sell of each lot, first to leave first."""
    lots, leave, answer, names, curves = work.lots, work.leave, work.answer, work.names, work.curves
    for i in range(shape.n):
        for place in range(lots.start[i], lots.start[i + 1]):
            work.sold[place] = 0.0
        piece = answer.piece[i]
        left = max(names.held[i] - answer.weight[i], curves.again[piece])
        in_order = work.accounts.in_order[names.account[i]]
        for x in range(leaving(lots, leave, i, curves.losses[piece], curves.washed[piece], in_order)):
            if left <= DUST:
                break
            room = leave.weight[x]
            work.sold[leave.place[x]] = room if room - left < DUST else left
            left -= work.sold[leave.place[x]]


@inner
def _counts(lots: Lots, place: int, kind: int) -> float:
    """What a row of a kind counts per unit sold of a lot; of no lot, what buying back counts less."""
    if place < 0:
        return -1.0 if kind == TURNOVER else 0.0
    if kind == TAX:
        return float(lots.tax[place])
    if kind == GAIN or kind == (GAIN_LONG if lots.is_long[place] else GAIN_SHORT):
        return float(lots.gain[place])
    return 0.0


@hidden
def _row_change(shape: Shape, work: Workspace, a: int, less: int, more: int, amount: float) -> float:
    """What rows make of selling `amount` more of one lot and less of another."""
    m, lots = work.multipliers, work.lots
    total = 0.0
    for r in range(shape.size):
        kind = m.kind[r]
        if not TURNOVER <= kind <= TAX or (m.account[r] >= 0 and m.account[r] != a):
            continue
        share = 1.0 if m.account[r] >= 0 else work.accounts.share[a]
        change = share * amount * (_counts(lots, more, kind) - _counts(lots, less, kind))
        excess = row_excess(m, r, m.value[r] + change) - row_excess(m, r, m.value[r])
        total += m.price[r] * excess
    return total


@hidden
def _broken_row(shape: Shape, work: Workspace) -> int:
    """A row of gains or tax that does not hold; −1 when all do."""
    m = work.multipliers
    for r in range(shape.size):
        if GAIN_SHORT <= m.kind[r] <= TAX and row_excess(m, r, m.value[r]) > _WORTH:
            return r
    return -1


@hidden
def _may_take(work: Workspace, i: int, less: int, more: int) -> bool:
    """Whether the piece of name i allows to sell one lot instead of another."""
    sells_losses = work.curves.mode[work.answer.piece[i]] == SELL and work.names.young[i] == 0.0
    return bool(not work.lots.is_loss[more] or sells_losses or work.lots.is_loss[less])


@hidden
def _exchange_cost(
    shape: Shape, work: Workspace, a: int, i: int, row: int, less: int, more: int
) -> tuple[float, float]:
    """Change of cost and amount of exchanging one lot of name i for another; amount 0 if barred."""
    lots = work.lots
    if not _may_take(work, i, less, more):
        return 0.0, 0.0
    amount = min(work.sold[less], lots.weight[more] - work.sold[more], _wanted(work, a, row, less, more))
    if amount <= 0.0:
        return 0.0, 0.0
    cost = amount * (lots.rate[more] - lots.rate[less])
    return cost + _row_change(shape, work, a, less, more, amount), amount


@hidden
def _rebuy_cost(shape: Shape, work: Workspace, i: int, row: int, place: int) -> tuple[float, float]:
    """Change of cost and amount of selling more of a lot to buy it back, or less (an amount below 0)."""
    lots, names = work.lots, work.names
    a = names.account[i]
    if work.curves.again[work.answer.piece[i]] < 0.0 or lots.is_loss[place]:
        return 0.0, 0.0
    amount = _wanted(work, a, row, _NONE, place)
    room = lots.weight[place] - work.sold[place]
    if amount < 0.0:
        room = _given_back_most(work, i, place)
    size = min(abs(amount), room)
    step = names.step[i]
    if step >= TINY_STEP:
        size = min(math.ceil(size / step - STEP_DUST), math.floor(room / step + STEP_DUST)) * step
    if size <= DUST:
        return 0.0, 0.0
    amount = math.copysign(size, amount)
    cost = amount * (lots.rate[place] + names.half_spread[i])
    return cost + _row_change(shape, work, a, _NONE, place, amount), amount


@hidden
def _given_back_most(work: Workspace, i: int, place: int) -> float:
    """How much less of a lot can be sold, if as much less is bought back."""
    total = 0.0
    for other in range(work.lots.start[i], work.lots.start[i + 1]):
        total += work.sold[other]
    outright = work.names.held[i] - work.answer.weight[i]
    least = max(outright, work.accounts.trade_min[work.names.account[i]])
    return float(min(work.sold[place], total - least))


@hidden
def _room_in_rows(shape: Shape, work: Workspace, a: int, less: int, more: int, most: float) -> float:
    """How much of one lot, up to `most`, can be exchanged for another without breaking a row."""
    m, lots = work.multipliers, work.lots
    for r in range(shape.size):
        kind = m.kind[r]
        if not TURNOVER <= kind <= TAX or (m.account[r] >= 0 and m.account[r] != a):
            continue
        share = 1.0 if m.account[r] >= 0 else work.accounts.share[a]
        rise = share * (_counts(lots, more, kind) - _counts(lots, less, kind))
        room = m.upper[r] - m.value[r] if rise > 0.0 else m.value[r] - m.lower[r]
        if rise != 0.0 and room < most * abs(rise):
            most = max(room, 0.0) / abs(rise)
    return most


@hidden
def _saving(shape: Shape, work: Workspace, i: int, less: int, more: int) -> tuple[float, float]:
    """What selling another lot of name i instead, or one less that is bought back, saves while every
    row holds; and how much of it."""
    lots, names = work.lots, work.names
    a = names.account[i]
    if more < 0:
        if work.curves.again[work.answer.piece[i]] < 0.0:
            return 0.0, 0.0
        per_unit = lots.rate[less] + names.half_spread[i]
        most = _given_back_most(work, i, less)
    else:
        if not _may_take(work, i, less, more):
            return 0.0, 0.0
        per_unit = lots.rate[less] - lots.rate[more]
        most = min(work.sold[less], lots.weight[more] - work.sold[more])
    if per_unit <= 0.0 or most <= 0.0:
        return 0.0, 0.0
    amount = _room_in_rows(shape, work, a, less, more, most)
    step = names.step[i]
    if more < 0 and step >= TINY_STEP:
        amount = math.floor(amount / step + STEP_DUST) * step
    return amount * per_unit, amount


@hidden
def spare_gains(shape: Shape, work: Workspace) -> None:
    """Exchange lots in work.sold for cheaper ones as far as rows have room.

    At prices at which lots cost just the same, the dearest may be sold, and bought back, although
    rows ask for less. `value` holds what rows sum to, and is kept so.
    """
    lots, names = work.lots, work.names
    for _ in range(_SAVINGS):
        best, best_less, best_more, best_amount, best_account = _WORTH, _NONE, _NONE, 0.0, -1
        for i in range(shape.n):
            if work.accounts.in_order[names.account[i]]:
                continue
            for less in range(lots.start[i], lots.start[i + 1]):
                if work.sold[less] <= 0.0:
                    continue
                for more in range(lots.start[i] - 1, lots.start[i + 1]):
                    other = more if more >= lots.start[i] else _NONE
                    saved, amount = _saving(shape, work, i, less, other)
                    if other != less and saved > best:
                        best, best_less, best_more, best_amount = saved, less, other, amount
                        best_account = names.account[i]
        if best_less < 0:
            return
        _exchange(shape, work, best_account, best_less, best_more, best_amount)


@part
def exchange_lots(shape: Shape, work: Workspace) -> None:
    """Exchange lots in work.sold while a row's excess is worth more than the exchange costs.

    Venues that set the order leave no choice. `value` holds what rows sum to, and is kept so.
    """
    m, lots, accounts = work.multipliers, work.lots, work.accounts
    for _ in range(_EXCHANGES):
        row = _broken_row(shape, work)
        if row < 0:
            return
        best, best_less, best_more, best_amount, best_account = -_WORTH, _NONE, _NONE, 0.0, -1
        for i in range(shape.n):
            a = work.names.account[i]
            if accounts.in_order[a] or (m.account[row] >= 0 and m.account[row] != a):
                continue
            for place in range(lots.start[i], lots.start[i + 1]):
                cost, amount = _rebuy_cost(shape, work, i, row, place)
                if amount != 0.0 and cost < best:
                    best, best_less, best_more = cost, _NONE, place
                    best_amount, best_account = amount, a
            for less in range(lots.start[i], lots.start[i + 1]):
                for more in range(lots.start[i], lots.start[i + 1]):
                    if more == less or work.sold[less] <= 0.0:
                        continue
                    cost, amount = _exchange_cost(shape, work, a, i, row, less, more)
                    if amount > 0.0 and cost < best:
                        best, best_less, best_more = cost, less, more
                        best_amount, best_account = amount, a
        if best_more < 0:
            return
        _exchange(shape, work, best_account, best_less, best_more, best_amount)


@hidden
def _wanted(work: Workspace, a: int, row: int, less: int, more: int) -> float:
    """How much of an exchange brings the row to its end; 0 when it leads away from it. Below 0, what is
    bought back is meant to be less."""
    m = work.multipliers
    share = 1.0 if m.account[row] >= 0 else work.accounts.share[a]
    per_unit = share * (_counts(work.lots, more, m.kind[row]) - _counts(work.lots, less, m.kind[row]))
    above = m.value[row] - m.upper[row]
    gap = above if above > 0.0 else m.value[row] - m.lower[row]
    if per_unit == 0.0 or (less >= 0 and (gap > 0.0) == (per_unit > 0.0)):
        return 0.0
    return float(-gap / per_unit)


@hidden
def _exchange(shape: Shape, work: Workspace, a: int, less: int, more: int, amount: float) -> None:
    m = work.multipliers
    if less >= 0:
        work.sold[less] = max(0.0, work.sold[less] - amount)
    if more >= 0:
        work.sold[more] += amount
    for r in range(shape.size):
        kind = m.kind[r]
        if TURNOVER <= kind <= TAX and (m.account[r] < 0 or m.account[r] == a):
            share = 1.0 if m.account[r] >= 0 else work.accounts.share[a]
            m.value[r] += share * amount * (_counts(work.lots, more, kind) - _counts(work.lots, less, kind))
