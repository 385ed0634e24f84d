"""In which order the lots of a name leave: by price, or as the venue sets it.

The price of a lot is its tax, half-spread and charge, and what the multipliers of rows of gains,
turnover and tax add to it. On a piece whose loss sales are washed, loss lots cost the wash as well.
"""

from __future__ import annotations

from allotment.compiled import inner, part
from allotment.optimize.load import GAIN, GAIN_LONG, GAIN_SHORT, TAX, TURNOVER
from allotment.optimize.workspace import Accounts, Leaving, Lots, Shape
from allotment.units import Floats


@inner
def sort_lots(shape: Shape, accounts: Accounts, lots: Lots) -> None:
    """Bring lots into the order in which they leave: by price, ties by place."""
    price, order = lots.price, lots.order
    for a in range(shape.n_accounts):
        if accounts.in_order[a]:
            continue
        for i in range(accounts.start[a], accounts.start[a + 1]):
            start = lots.start[i]
            for x in range(start + 1, lots.start[i + 1]):
                place = order[x]
                y = x
                while y > start and (
                    price[order[y - 1]] > price[place]
                    or (price[order[y - 1]] == price[place] and order[y - 1] > place)
                ):
                    order[y] = order[y - 1]
                    y -= 1
                order[y] = place


@inner
def price_lots(shape: Shape, accounts: Accounts, lots: Lots) -> None:
    """Add to each lot's rate what the multipliers of the other kinds of rows make of it."""
    for a in range(shape.n_accounts):
        kind: Floats = accounts.kind_price[a]
        for place in range(lots.start[accounts.start[a]], lots.start[accounts.start[a + 1]]):
            gain = kind[GAIN] + (kind[GAIN_LONG] if lots.is_long[place] else kind[GAIN_SHORT])
            price = lots.rate[place] + 0.5 * kind[TURNOVER]
            lots.price[place] = price + gain * lots.gain[place] + kind[TAX] * lots.tax[place]


@part
def leaving(lots: Lots, leave: Leaving, i: int, losses: float, washed: float, in_order: bool) -> int:
    """List the lots of name i in the order in which they leave on a piece that sells at most `losses`
    of loss lots, which cost `washed` more each; returns how many."""
    start, end = lots.start[i], lots.start[i + 1]
    count = 0
    if washed == 0.0 or in_order:
        for x in range(start, end):
            place = lots.order[x]
            weight = lots.weight[place]
            price = lots.price[place]
            if lots.is_loss[place]:
                if losses <= 0.0:
                    if in_order:
                        break
                    continue
                weight = min(weight, losses)
                losses -= weight
                price += washed
            leave.place[count], leave.weight[count], leave.price[count] = place, weight, price
            count += 1
        return count
    loss, gain = _next(lots, start, end, True), _next(lots, start, end, False)
    while loss < end or gain < end:
        takes_loss = gain >= end
        if loss < end and gain < end:
            takes_loss = lots.price[lots.order[loss]] + washed < lots.price[lots.order[gain]]
        place = lots.order[loss if takes_loss else gain]
        weight = lots.weight[place]
        price = lots.price[place]
        if takes_loss:
            loss = _next(lots, loss + 1, end, True)
            if losses <= 0.0:
                continue
            weight = min(weight, losses)
            losses -= weight
            price += washed
        else:
            gain = _next(lots, gain + 1, end, False)
        leave.place[count], leave.weight[count], leave.price[count] = place, weight, price
        count += 1
    return count


@inner
def _next(lots: Lots, x: int, end: int, is_loss: bool) -> int:
    """The first position from x on whose lot is a loss lot, or is none."""
    while x < end and lots.is_loss[lots.order[x]] != is_loss:
        x += 1
    return x
