"""The trades of the exact reference: SCIP's variables for lots, purchases and sides, and the hard rules.

Weights are in percent. Every rule is that of `problem`; a variable that a rule holds at zero has
zero as its upper bound, so that the solver sees it at once.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.claims import is_barred, is_claimed
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Market, Problems
from allotment.units import Bools, Floats, Index

PERCENT = 100.0
DUST = 1e-12  # weights closer than this are the same
STEP_MIN = 1e-7  # of weight; a smaller step is taken as continuous


class Trades(NamedTuple):
    """Variables by name (n) and by lot (L), and the facts of the names that shape them."""

    account_of_name: Index  # (n,)
    name_of_lot: Index  # (L,)
    usable: Bools  # (L,) may be sold, if the sides of name and group allow
    buyable: Bools  # (n,)
    sold: list[Any]  # (L,) percent
    bought: list[Any]  # (n,) percent
    weight: list[Any]  # (n,) percent, after trading
    sells: list[Any]  # (n,) binary
    buys: list[Any]  # (n,) binary
    both: list[Any]  # (n,) binary: sold to be bought back
    trades: list[Any]  # (n,) sells + buys − both
    closes: list[Any]  # (n,) binary: all that is held is sold


def declare_trades(scip: Any, market: Market, problem: Problems) -> Trades:
    """Variables and hard rules, name limits apart."""
    n = len(problem.held)
    account_of_name = owners(problem.names_from).astype(np.int32)
    name_of_lot = owners(problem.lots_from).astype(np.int32)
    usable = usable_lots(problem, account_of_name, name_of_lot)
    room = np.maximum(0.0, problem.weight_max - problem.held)
    sellable = np.bincount(name_of_lot, problem.lot_weight * usable, minlength=n)
    rebuys = rebuyable(problem, account_of_name, name_of_lot) & (sellable > DUST)
    room = room + np.where(rebuys, sellable, 0.0)
    buyable = problem.may_buy & ~is_barred(problem) & (room > DUST)
    can_close = (problem.held > 0.0) & (problem.held - sellable < DUST)
    most = np.maximum(problem.held, problem.weight_max)

    def columns(upper: Floats | Bools, kind: str = "C") -> list[Any]:
        scale = PERCENT if kind == "C" else 1.0
        return [scip.addVar(lb=0.0, ub=scale * float(end), vtype=kind) for end in upper]

    sells, buys = columns(sellable > 0.0, "B"), columns(buyable, "B")
    both = columns(rebuys, "B")
    trades = Trades(
        account_of_name,
        name_of_lot,
        usable,
        buyable,
        sold=columns(np.where(usable, problem.lot_weight, 0.0)),
        bought=columns(np.where(buyable, room, 0.0)),
        weight=columns(most),
        sells=sells,
        buys=buys,
        both=both,
        trades=[one + other - twice for one, other, twice in zip(sells, buys, both, strict=True)],
        closes=columns(can_close, "B"),
    )
    for i in range(n):
        _keep_sides(scip, problem, trades, i, float(room[i]))
        _keep_sizes(scip, problem, trades, i, float(sellable[i]), float(room[i]))
    _keep_order(scip, problem, trades)
    _keep_apart(scip, market, problem, trades)
    return trades


def usable_lots(problem: Problems, account_of_name: Index, name_of_lot: Index) -> Bools:
    """(L,) True for lots that may be sold: sellable, not barred and, in order, not behind one that is."""
    young = ((problem.young > 0.0) & np.isinf(problem.young_cost))[name_of_lot]
    free = problem.lot_sellable & problem.may_sell[name_of_lot] & ~(problem.lot_is_loss & young)
    usable = free & (problem.lot_weight > 0.0)
    for i in range(len(problem.held)):
        if problem.in_order[account_of_name[i]]:
            lots = slice(int(problem.lots_from[i]), int(problem.lots_from[i + 1]))
            barred = ~free[lots] & (problem.lot_weight[lots] > 0.0)
            usable[lots] &= np.cumsum(barred) == 0
    return usable


def rebuyable(problem: Problems, account_of_name: Index, name_of_lot: Index) -> Bools:
    """(n,) True for names that may be sold and bought back."""
    step = problem.step[name_of_lot]
    steps = problem.lot_weight / np.where(step > 0.0, step, 1.0)
    odd = (step >= STEP_MIN) & ~problem.lot_is_loss & (np.abs(steps - np.round(steps)) > STEP_MIN)
    odd_lots = np.bincount(name_of_lot, odd, minlength=len(problem.held))
    free = problem.may_rebuy & problem.may_buy & ~is_claimed(problem)
    found: Bools = free & ~problem.in_order[account_of_name] & (odd_lots == 0)
    return found


def lots_of(problem: Problems, i: int) -> range:
    """Positions of the lots of name i."""
    return range(int(problem.lots_from[i]), int(problem.lots_from[i + 1]))


def sold_of(problem: Problems, trades: Trades, i: int) -> Any:
    """Weight sold of name i, in percent."""
    return sum((trades.sold[lot] for lot in lots_of(problem, i)), start=0.0 * trades.bought[i])


def _keep_sides(scip: Any, problem: Problems, trades: Trades, i: int, room: float) -> None:
    """A name is sold, bought or left alone, and its weight follows; it is closed by selling all. One
    that is bought back sells lots at a gain."""
    sold = sold_of(problem, trades, i)
    scip.addCons(trades.weight[i] == PERCENT * float(problem.held[i]) - sold + trades.bought[i])
    scip.addCons(trades.trades[i] <= 1.0)
    scip.addCons(2.0 * trades.both[i] <= trades.sells[i] + trades.buys[i])
    scip.addCons(trades.closes[i] + trades.buys[i] <= 1.0)
    scip.addCons(trades.closes[i] <= trades.sells[i])
    scip.addCons(trades.bought[i] <= PERCENT * room * trades.buys[i])
    for lot in lots_of(problem, i):
        most = PERCENT * float(problem.lot_weight[lot])
        scip.addCons(trades.sold[lot] <= most * trades.sells[i])
        if problem.lot_is_loss[lot]:
            scip.addCons(trades.sold[lot] <= most * (1.0 - trades.buys[i]))
        scip.addCons(trades.sold[lot] >= most * trades.closes[i])


def _keep_sizes(scip: Any, problem: Problems, trades: Trades, i: int, sellable: float, room: float) -> None:
    """Smallest trade, smallest holding and whole steps; closing out is exempt."""
    a = int(trades.account_of_name[i])
    sold = sold_of(problem, trades, i)
    sells, buys, closes = trades.sells[i], trades.buys[i], trades.closes[i]
    either = trades.trades[i]
    least = PERCENT * float(problem.trade_min[a])
    if least > 0.0:
        scip.addCons(sold >= least * (sells - closes))
        scip.addCons(trades.bought[i] >= least * (buys - trades.both[i]))
    smallest = PERCENT * float(problem.holding_min[a])
    if smallest > 0.0:
        scip.addCons(trades.weight[i] >= smallest * (either - closes))
    step = float(problem.step[i])
    if step < STEP_MIN:
        return
    size = PERCENT * step
    whole = math.floor(sellable / step + STEP_MIN)
    odd = max(0.0, sellable - whole * step)
    sold_steps = scip.addVar(vtype="I", lb=0.0, ub=whole)
    bought_steps = scip.addVar(vtype="I", lb=0.0, ub=math.floor(room / step + STEP_MIN))
    scip.addCons(sold == size * sold_steps + PERCENT * (odd if odd > DUST else 0.0) * closes)
    scip.addCons(trades.bought[i] == size * bought_steps)
    scip.addCons(sold_steps >= sells - closes)
    scip.addCons(bought_steps >= buys)


def _keep_order(scip: Any, problem: Problems, trades: Trades) -> None:
    """A lot is sold from only when the one before it in its account's order is gone."""
    for i in range(len(problem.held)):
        if not problem.in_order[trades.account_of_name[i]]:
            continue
        chain = [lot for lot in lots_of(problem, i) if trades.usable[lot]]
        for before, after in pairwise(chain):
            reached = scip.addVar(vtype="B")
            scip.addCons(trades.sold[before] >= PERCENT * float(problem.lot_weight[before]) * reached)
            scip.addCons(trades.sold[after] <= PERCENT * float(problem.lot_weight[after]) * reached)


def _keep_apart(scip: Any, market: Market, problem: Problems, trades: Trades) -> None:
    """No loss lot is sold in a substantially identical group that is bought in any account."""
    group = market.group_ix[problem.asset_ix]
    loss = trades.usable & problem.lot_is_loss
    for g in np.unique(group[trades.name_of_lot[loss]]):
        buyers = np.flatnonzero((group == g) & trades.buyable)
        if len(buyers) == 0 or np.count_nonzero(group == g) == 1:
            continue  # one name alone is kept apart by its sides
        sells_loss = scip.addVar(vtype="B")
        for i in buyers:
            scip.addCons(trades.buys[i] + sells_loss <= 1.0)
        for lot in np.flatnonzero(loss & (group == g)[trades.name_of_lot]):
            scip.addCons(trades.sold[lot] <= PERCENT * float(problem.lot_weight[lot]) * sells_loss)
