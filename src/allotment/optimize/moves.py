"""The best a name can do on each side, when all it hears of the others is prices.

At fixed prices a name's share of the Lagrangian is a function of its own weight alone, exact with every
charge, wash, limit and step in it, and its least on any side is found by walking the pieces of its
cost curve. How much more a name pays when a side is closed to it bounds from below what closing it
costs the account: the other names may answer, but never gain more than the prices already allow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from allotment.compiled import hidden, inner, kernel
from allotment.optimize.curves import piece_cost, piece_minimum
from allotment.optimize.decision import Prices
from allotment.optimize.load import STEP_DUST, TINY_STEP, load, price_risk
from allotment.optimize.measures import price_kinds, rebuild
from allotment.optimize.pieces import BUY, DUST, SELL
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions
from allotment.optimize.solve import workspace_for
from allotment.optimize.workspace import Curves, Names, Shape, Workspace
from allotment.units import Bools, Codes, Floats

EITHER_WAY, NO_LOSS_SALE, NO_PURCHASE = -1, SELL, BUY  # what a name's group rules out


class Moves(NamedTuple):
    """Per name (n,): costs in fractions of its account's value, comparable within a name only.

    Infinite where the name has no such move. A weight next to the one held may be as near as
    trading allows.
    """

    hold: Floats
    sell: Floats  # the best weight below the one held
    sell_weight: Floats
    buy: Floats  # the best weight above
    buy_weight: Floats
    # The best of all, of no sale, and of no purchase, while the name's group buys nothing …
    quiet: Floats
    quiet_unsold: Floats
    quiet_unbought: Floats
    # … and while it sells no loss.
    keen: Floats
    keen_unsold: Floats
    keen_unbought: Floats


def best_moves(
    market: Market,
    problem: Problems,
    prices: Prices,
    options: SolveOptions,
    *,
    barred: Codes | None = None,
    asked: Bools | None = None,
) -> Moves:
    """The best moves of names at these prices, through which alone they hear of rows and the year.

    barred: EITHER_WAY, NO_LOSS_SALE or NO_PURCHASE for the sides of each name (n,), the first without.
    asked: whose moves are found, (n,); those of all names without.
    """
    n = len(problem.held)
    moves = Moves(*np.full((len(Moves._fields), n), np.inf))
    if n == 0:
        return moves
    kinds = np.flatnonzero(prices.kind.any(axis=0)).astype(np.int8)
    alone = _with_rows_of(problem, kinds)
    work = workspace_for(market, alone, np.arange(problem.n_joint))
    closed = np.full(n, EITHER_WAY, np.int8) if barred is None else barred
    kind = np.ascontiguousarray(prices.kind[:, kinds])
    found = np.ones(n, np.bool_) if asked is None else asked
    _price_moves(market, alone, work, options, prices.risk, kind, prices.weight, closed, found, moves)
    return moves


def _with_rows_of(problem: Problems, kinds: Codes) -> Problems:
    """The same accounts with no rows but one for each kind whose price is heard, and no regimes."""
    n_accounts, n_rows = problem.n_accounts, problem.n_accounts * len(kinds)
    assert RowKind.LINEAR not in kinds
    return problem._replace(
        regimes_from=np.zeros(problem.n_joint + 1, np.int64),
        rows_from=np.arange(n_accounts + 1, dtype=np.int64) * len(kinds),
        entries_from=np.zeros(n_rows + 1, np.int64),
        row_kind=np.tile(kinds, n_accounts),
        row_joint=np.zeros(n_rows, np.bool_),
        row_lower=np.full(n_rows, -np.inf),
        row_upper=np.full(n_rows, np.inf),
        row_price=np.ones(n_rows),
        entry_name=np.zeros(0, np.int32),
        entry_coefficient=np.zeros(0),
    )


@kernel
def _price_moves(
    market: Market,
    problem: Problems,
    work: Workspace,
    options: SolveOptions,
    risk: Floats,
    kind: Floats,
    price: Floats,
    barred: Codes,
    asked: Bools,
    moves: Moves,
) -> None:
    """Prices of risk (A,), of kinds (A, kinds) and of weight (n,), and the moves, count in fractions of the
    account's value; everything at work in fractions of all accounts of a problem."""
    theta, n_kinds = work.multipliers.theta, kind.shape[1]
    width = market.loadings.shape[1] + 1 + n_kinds
    for j in range(len(problem.joint_from) - 1):
        first = problem.joint_from[j]
        shape = load(market, problem, work, options, j)
        theta[:] = 0.0
        for a in range(shape.n_accounts):
            part = work.accounts.share[a]
            work.accounts.risk_price[a] = part * risk[first + a]
            for x in range(n_kinds):
                theta[(a + 1) * width - n_kinds + x] = part * kind[first + a, x]
        price_risk(shape, work.accounts, work.names, work.multipliers)
        rebuild(shape, work)
        price_kinds(shape, work, theta)
        _problem_moves(shape, work, problem.names_from[first], price, barred, asked, moves)


@hidden
def _problem_moves(
    shape: Shape, work: Workspace, first: int, price: Floats, barred: Codes, asked: Bools, moves: Moves
) -> None:
    """The moves of names from position `first` on, whose curves are in the workspace."""
    names, curves, accounts = work.names, work.curves, work.accounts
    for i in range(shape.n):
        at, part = first + i, accounts.share[names.account[i]]
        if not asked[at]:
            continue
        held, q = names.held[i], part * price[at]
        apart = max(names.step[i], DUST)
        side = barred[at]
        moves.hold[at] = _least(names, curves, i, q, EITHER_WAY, held, held, False)[0] / part
        cost, weight = _least(names, curves, i, q, side, -math.inf, held - apart, True)
        moves.sell[at], moves.sell_weight[at] = cost / part, weight
        cost, weight = _least(names, curves, i, q, side, held + apart, math.inf, True)
        moves.buy[at], moves.buy_weight[at] = cost / part, weight
        moves.quiet[at] = _least(names, curves, i, q, NO_PURCHASE, -math.inf, math.inf, True)[0] / part
        moves.quiet_unsold[at] = _least(names, curves, i, q, NO_PURCHASE, held, math.inf, False)[0] / part
        moves.quiet_unbought[at] = _least(names, curves, i, q, NO_PURCHASE, -math.inf, held, False)[0] / part
        moves.keen[at] = _least(names, curves, i, q, NO_LOSS_SALE, -math.inf, math.inf, True)[0] / part
        moves.keen_unsold[at] = _least(names, curves, i, q, NO_LOSS_SALE, held, math.inf, False)[0] / part
        moves.keen_unbought[at] = _least(names, curves, i, q, NO_LOSS_SALE, -math.inf, held, False)[0] / part


@hidden
def _least(
    names: Names, curves: Curves, i: int, q: float, barred: int, bottom: float, top: float, rebuys: bool
) -> tuple[float, float]:
    """Least cost and its weight over tradable weights from bottom to top on the pieces of name i.

    rebuys: with those that sell lots at a gain to buy them back, which trade wherever they end.

    On a convex piece the best tradable weight stands next to the best weight of the range.
    """
    best, best_weight = math.inf, math.nan
    step, held = names.step[i], names.held[i]
    for piece in range(curves.start[i], curves.start[i + 1]):
        low, high = max(curves.low[piece], bottom), min(curves.high[piece], top)
        if curves.mode[piece] == barred or low > high + DUST:
            continue
        if curves.again[piece] > 0.0 and not rebuys:
            continue
        _, weight = piece_minimum(names, curves, i, piece, q)
        weight = min(max(weight, low), max(low, high))
        trials = 1
        if step >= TINY_STEP and curves.low[piece] < curves.high[piece]:
            weight = held + math.floor((weight - held) / step + STEP_DUST) * step
            trials = 3
        for trial in range(trials):
            # The step below, the step above, and closing out, which may leave with a fraction.
            tried = 0.0 if trial == 2 else weight + trial * step
            if tried < low - DUST or tried > high + DUST:
                continue
            cost = _cost(names, curves, i, piece, q, tried)
            if cost < best:
                best, best_weight = cost, tried
    return best, best_weight


@inner
def _cost(names: Names, curves: Curves, i: int, piece: int, q: float, weight: float) -> float:
    apart = weight - names.center[i]
    cost: float = 0.5 * names.curvature[i] * apart * apart + q * weight + piece_cost(curves, piece, weight)
    return cost
