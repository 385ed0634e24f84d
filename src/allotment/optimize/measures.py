"""What the rows of other kinds than linear sum over the names, and the prices they put on them.

Turnover, gains and tax grow with the lots sold, so their slopes change from lot to lot; trades,
holdings and big names jump. At a weight on a piece the lots sold are those that lie between it
and what is held, in the order in which lots leave.
"""

from __future__ import annotations

from allotment.compiled import hidden, inner
from allotment.optimize.curves import build_pieces, price_pieces
from allotment.optimize.load import (
    BIG,
    GAIN,
    GAIN_LONG,
    GAIN_SHORT,
    HOLDINGS,
    LINEAR,
    TAX,
    TRADES,
    TURNOVER,
)
from allotment.optimize.pieces import DUST
from allotment.optimize.relief import leaving, price_lots, sort_lots
from allotment.optimize.workspace import (
    Accounts,
    Curves,
    Leaving,
    Lots,
    Multipliers,
    Names,
    Shape,
    State,
    Workspace,
)
from allotment.units import Floats, Index


@hidden
def price_kinds(shape: Shape, work: Workspace, theta: Floats) -> None:
    """Bring the curves to the multipliers `theta` of rows of other kinds, unless they are there."""
    if not shape.has_kinds:
        return
    accounts, m = work.accounts, work.multipliers
    price = accounts.kind_price
    for a in range(shape.n_accounts):
        price[a, :] = 0.0
    for r in range(shape.size):
        if m.kind[r] == LINEAR:
            continue
        for a in range(shape.n_accounts):
            if m.account[r] == a:
                price[a, m.kind[r]] += theta[r]
            elif m.account[r] < 0:
                price[a, m.kind[r]] += theta[r] * accounts.share[a]
    lots, purchases, pieces = False, False, False
    for a in range(shape.n_accounts):
        for kind in range(price.shape[1]):
            if price[a, kind] == accounts.kind_built[a, kind]:
                continue
            lots, purchases = True, purchases or kind == TURNOVER
            pieces = pieces or kind >= TRADES
    if pieces:
        rebuild(shape, work)
    elif lots:
        _reprice(shape, work, purchases)


@hidden
def _reprice(shape: Shape, work: Workspace, purchases: bool) -> None:
    """Price and order the lots and write the segments anew, of the pieces that there are."""
    accounts = work.accounts
    _remember(shape, accounts)
    price_lots(shape, accounts, work.lots)
    sort_lots(shape, accounts, work.lots)
    price_pieces(shape, accounts, work.names, work.lots, work.claims, work.leave, work.curves, purchases)


@hidden
def rebuild(shape: Shape, work: Workspace) -> None:
    """Price and order the lots and write the curves anew."""
    accounts = work.accounts
    _remember(shape, accounts)
    if shape.has_kinds:
        price_lots(shape, accounts, work.lots)
    sort_lots(shape, accounts, work.lots)
    build_pieces(shape, accounts, work.names, work.lots, work.claims, work.leave, work.curves, work.plan)


@inner
def _remember(shape: Shape, accounts: Accounts) -> None:
    """At which prices the curves stand now."""
    for a in range(shape.n_accounts):
        for kind in range(accounts.kind_price.shape[1]):
            accounts.kind_built[a, kind] = accounts.kind_price[a, kind]


@inner
def measure(
    accounts: Accounts,
    names: Names,
    lots: Lots,
    leave: Leaving,
    curves: Curves,
    i: int,
    piece: int,
    weight: float,
    out: Floats,
) -> None:
    """out[kind] ← what each kind of row counts for name i at a weight on a piece."""
    out[:] = 0.0
    held = names.held[i]
    if weight > 0.0:
        out[HOLDINGS] = 1.0
    if weight > accounts.big_from[names.account[i]]:
        out[BIG] = weight
    again = curves.again[piece]
    if weight == held and again <= 0.0:
        return
    out[TRADES] = 1.0
    left = max(held - weight, again, 0.0)
    if weight > held - left:
        out[TURNOVER] = 0.5 * (weight - (held - left))
    in_order = accounts.in_order[names.account[i]]
    for x in range(leaving(lots, leave, i, curves.losses[piece], curves.washed[piece], in_order)):
        if left <= DUST:
            break
        place = leave.place[x]
        sold = min(leave.weight[x], left)
        out[TURNOVER] += 0.5 * sold
        out[GAIN_LONG if lots.is_long[place] else GAIN_SHORT] += lots.gain[place] * sold
        out[TAX] += lots.tax[place] * sold
        left -= sold
    out[GAIN] = out[GAIN_LONG] + out[GAIN_SHORT]


@inner
def slopes(
    accounts: Accounts,
    names: Names,
    lots: Lots,
    leave: Leaving,
    curves: Curves,
    i: int,
    piece: int,
    weight: float,
    out: Floats,
) -> None:
    """out[kind] ← how what each kind counts changes with the weight of name i, which moves freely."""
    out[:] = 0.0
    held = names.held[i]
    if weight > accounts.big_from[names.account[i]]:
        out[BIG] = 1.0
    if weight > held - max(curves.again[piece], 0.0):
        out[TURNOVER] = 0.5
        return
    if weight == held:
        return
    out[TURNOVER] = -0.5
    left = held - weight
    in_order = accounts.in_order[names.account[i]]
    for x in range(leaving(lots, leave, i, curves.losses[piece], curves.washed[piece], in_order)):
        place = leave.place[x]
        if left <= leave.weight[x] + DUST:
            out[GAIN_LONG if lots.is_long[place] else GAIN_SHORT] = -lots.gain[place]
            out[GAIN] = -lots.gain[place]
            out[TAX] = -lots.tax[place]
            return
        left -= leave.weight[x]


@hidden
def measure_all(shape: Shape, work: Workspace, weight: Floats, piece: Index) -> None:
    """value[r] ← the sums of the rows of other kinds, for weights on pieces."""
    accounts, m, out = work.accounts, work.multipliers, work.extra.measure
    for a in range(shape.n_accounts):
        accounts.measured[a, :] = 0.0
        for i in range(accounts.start[a], accounts.start[a + 1]):
            measure(accounts, work.names, work.lots, work.leave, work.curves, i, piece[i], weight[i], out)
            for kind in range(out.shape[0]):
                accounts.measured[a, kind] += out[kind]
    sum_rows(shape, accounts, m)


@inner
def sum_rows(shape: Shape, accounts: Accounts, m: Multipliers) -> None:
    """value[r] of the rows of other kinds from what was measured per account."""
    for r in range(shape.size):
        if m.kind[r] == LINEAR:
            continue
        total = 0.0
        for a in range(shape.n_accounts):
            if m.account[r] == a:
                total += accounts.measured[a, m.kind[r]]
            elif m.account[r] < 0:
                total += accounts.share[a] * accounts.measured[a, m.kind[r]]
        m.value[r] = total


@hidden
def slope_all(shape: Shape, work: Workspace) -> None:
    """state.slopes ← those of the names that move freely."""
    state: State = work.state
    for i in range(shape.n):
        if state.free[i] != 0.0:
            row = state.slopes[i]
            slopes(
                work.accounts,
                work.names,
                work.lots,
                work.leave,
                work.curves,
                i,
                state.piece[i],
                state.weight[i],
                row,
            )


@inner
def charged_for(shape: Shape, accounts: Accounts) -> float:
    """What the multipliers of rows of other kinds charge for what is measured."""
    total = 0.0
    for a in range(shape.n_accounts):
        for kind in range(accounts.kind_price.shape[1]):
            total += accounts.kind_price[a, kind] * accounts.measured[a, kind]
    return total
