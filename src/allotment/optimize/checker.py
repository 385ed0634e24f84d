"""An independent judge of answers: plain NumPy, nothing from the rest of the optimiser.

It recomputes, for one account, which hard rules an answer breaks, what the answer costs, and the
lower bound that its multipliers prove. It is slow and obvious on purpose. Columns are those of
`problem.Market`, `problem.Problems` and `solution.Solutions`; any object with them will do.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np


class Verdict(NamedTuple):
    """What the judge found for one account."""

    broken: tuple[str, ...]  # hard rules that the trades break, in words
    objective: float  # recomputed cost of the trades
    lower_bound: float  # recomputed from the multipliers


def judge(
    market: Any, problems: Any, solutions: Any, a: int, *, cash_price: float = 10.0, limit_price: float = 5.0
) -> Verdict:
    """The verdict on account a, whose status is SOLVED or RELAXED."""
    p = problems.account(a)
    names = slice(int(problems.names_from[a]), int(problems.names_from[a + 1]))
    lots = slice(int(problems.lots_from[names.start]), int(problems.lots_from[names.stop]))
    rows = slice(int(problems.rows_from[a]), int(problems.rows_from[a + 1]))
    weight, bought, sold = solutions.weight[names], solutions.bought[names], solutions.sold[lots]
    n = len(weight)
    name_of_lot = np.repeat(np.arange(n), np.diff(p.lots_from))
    row_of_entry = np.repeat(np.arange(len(p.row_lower)), np.diff(p.entries_from))
    group = market.group_ix[p.asset_ix]
    sold_of_name = np.bincount(name_of_lot, sold, minlength=n)
    cash = p.cash[0] + sold.sum() - bought.sum()
    row_terms = p.entry_coefficient * weight[p.entry_name]
    row_value = np.bincount(row_of_entry, row_terms, minlength=len(p.row_lower))
    row_excess = _excess(row_value, p.row_lower, p.row_upper)
    cash_excess = float(_excess(cash, p.cash_min[0], p.cash_max[0]))
    limit_excess = _excess(weight, p.weight_min, p.weight_max)
    traded = sold_of_name + bought
    loss_sold = group[np.unique(name_of_lot[(sold > 0) & p.lot_is_loss])]
    barred = ~p.lot_sellable | ~p.may_sell[name_of_lot] | (p.lot_is_loss & (p.young > 0)[name_of_lot])
    blocked = ~p.may_buy | ((p.wash_exposed > 0) & np.isinf(p.wash_cost))
    closed = (weight <= 1e-12) & (p.held > 0)
    steps = np.divide(weight - p.held, p.step, out=np.zeros(n), where=p.step > 0)
    rules = {
        "sells more than a lot holds": (sold < 0) | (sold > p.lot_weight + 1e-12),
        "sells a lot that may not be sold": (sold > 0) & barred,
        "weights do not follow from the trades": np.abs(p.held + bought - sold_of_name - weight) > 1e-10,
        "is short": weight < 0,
        "buys a blocked name": (bought > 0) & blocked,
        "sells a loss and buys its group": np.isin(group[bought > 0], loss_sold),
        "trades less than the smallest trade": (traded > 0) & (traded < p.trade_min[0] - 1e-10) & ~closed,
        "trades a fraction of a step": (np.abs(steps - np.round(steps)) * p.step > 1e-10) & ~closed,
        "hides a relaxation of cash": abs(cash_excess - abs(solutions.cash_relaxation[a])) > 2e-9,
        "hides a relaxation of limits": abs(limit_excess.sum() - solutions.limit_relaxation[a]) > 2e-9,
        "hides a relaxation of a row": np.abs(row_excess - np.abs(solutions.row_relaxation[rows])) > 2e-9,
    }
    broken = tuple(rule for rule, cases in rules.items() if np.any(cases))
    active = weight - p.benchmark
    B, d = market.loadings[p.asset_ix], market.specific_variance[p.asset_ix]
    risk = p.risk_price[0] / 2 * (np.sum((B.T @ active) ** 2) + np.sum(d * active**2))
    tax = np.sum(p.lot_tax * sold)
    cost = np.sum(p.half_spread * traded) + p.ticket_charge[0] * np.sum(traded > 0)
    cost += p.lot_charge[0] * np.sum(sold > 0)
    washed = np.minimum(bought, p.wash_exposed)
    cost += np.sum(p.wash_cost[washed > 0] * washed[washed > 0])
    cost += cash_price * cash_excess + limit_price * limit_excess.sum() + np.sum(p.row_price * row_excess)
    objective = risk + tax + cost - np.sum(p.utility * weight)
    pi, mu = solutions.factor_price[a], solutions.cash_price[a]
    nu = solutions.row_multiplier[rows]
    q = B @ pi + mu - p.utility
    np.add.at(q, p.entry_name, p.entry_coefficient * nu[row_of_entry])
    whole = p.held.sum() + p.cash[0]
    terms = -pi @ (B.T @ p.benchmark) - pi @ pi / (2 * p.risk_price[0])
    terms -= _support(np.array([mu]), whole - p.cash_max, whole - p.cash_min)
    terms -= _support(nu, p.row_lower, p.row_upper)
    over = np.any(np.abs(nu) > p.row_price * (1 + 1e-12)) or abs(mu) > cash_price * (1 + 1e-12)
    curvature = p.risk_price[0] * d
    modes = np.zeros((2, int(group.max()) + 1))  # a group sells losses or buys, never both
    for i in range(n):
        for mode in (0, 1):
            modes[mode, group[i]] += _name_minimum(p, i, q[i], curvature[i], mode == 0, limit_price)
    terms += modes.min(axis=0).sum()
    return Verdict(broken, float(objective), -math.inf if over else float(terms))


def _excess(value: Any, lower: Any, upper: Any) -> Any:
    """How far values lie outside their ends."""
    return np.maximum(0.0, np.maximum(lower - value, value - upper))


def _support(multiplier: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Σ upper × multiplier⁺ − lower × multiplier⁻; an infinite end counts only if it is used."""
    up, down = multiplier > 0, multiplier < 0
    return float(np.sum(upper[up] * multiplier[up]) + np.sum(lower[down] * multiplier[down]))


def _name_minimum(p: Any, i: int, q: float, curvature: float, losses: bool, limit_price: float) -> float:
    """Least curvature/2 (w−b)² + q w + cost(w): with loss sales and no purchase, or the reverse."""
    held, least, ticket = p.held[i], p.trade_min[0], p.ticket_charge[0]
    lots = np.arange(p.lots_from[i], p.lots_from[i + 1])
    every = lots[p.lot_sellable[lots] & p.may_sell[i] & ~(p.lot_is_loss[lots] & (p.young[i] > 0))]
    chosen = every if losses else every[~p.lot_is_loss[every]]
    rate = p.lot_tax[chosen] + p.half_spread[i] + p.lot_charge[0] / p.lot_weight[chosen]
    order = np.argsort(rate, kind="stable")
    size = p.lot_weight[chosen][order]
    point = held - np.concatenate([[0.0], np.cumsum(size)])  # weights at which lots end
    point[np.abs(point) < 1e-12] = 0.0
    cost = ticket + np.concatenate([[0.0], np.cumsum(size * rate[order])])
    # Linear stretches of the cost curve: allowed low and high, then two points (w, cost) on it.
    top = np.minimum(point[:-1], held - least)
    stretches = list(zip(point[1:], top, point[1:], cost[1:], point[:-1], cost[:-1], strict=True))
    if len(size) and point[-1] == 0.0:  # closing out is exempt from the smallest trade
        stretches.append((0.0, 0.0, 0.0, cost[-1], 0.0, cost[-1]))
    blocked = p.wash_exposed[i] > 0 and math.isinf(p.wash_cost[i])
    if not losses and p.may_buy[i] and not blocked:
        exposed = p.wash_exposed[i] if p.wash_cost[i] > 0 else 0.0
        wash = p.wash_cost[i] if exposed > 0 else 0.0
        most = max(held, p.weight_max[i])
        edge = min(held + exposed, most)
        spread = p.half_spread[i]
        at_edge = ticket + (spread + wash) * (edge - held)
        at_most = at_edge + spread * (most - edge)
        stretches.append((held + least, edge, held, ticket, edge, at_edge))
        stretches.append((max(edge, held + least), most, edge, at_edge, most, at_most))
    outside = _excess(held, p.weight_min[i], p.weight_max[i]) > 1e-12
    points = [(held, 0.0)]
    # Limits that are broken today may stay so at a price: hold, or sell all that can be sold.
    if outside and held - point[-1] >= max(least, 1e-12) and len(chosen) == len(every):
        points.append((point[-1], cost[-1]))
    best = math.inf
    for low, high, left, cost_left, right, cost_right in stretches:
        low, high = max(low, p.weight_min[i]), min(high, p.weight_max[i])
        if low > high + 1e-12:
            continue
        slope = (cost_right - cost_left) / (right - left) if right > left else 0.0
        wanted = p.benchmark[i] - (q + slope) / curvature
        nearest = min(max(wanted, low), max(low, high))
        for w in _tradable(nearest, low, high, held, p.step[i]):
            risk = curvature / 2 * (w - p.benchmark[i]) ** 2
            best = min(best, risk + q * w + cost_left + slope * (w - left))
    for w, paid in points:
        excess = _excess(w, p.weight_min[i], p.weight_max[i])
        risk = curvature / 2 * (w - p.benchmark[i]) ** 2
        best = min(best, risk + q * w + paid + limit_price * excess)
    return float(best)


def _tradable(w: float, low: float, high: float, held: float, step: float) -> tuple[float, ...]:
    """The weights next to w, inside [low, high], that whole steps from what is held reach."""
    if step < 1e-7 or w == 0.0:  # closing out may carry the odd fraction
        return (w,)
    below = held + math.floor((w - held) / step + 1e-7) * step
    return tuple(x for x in (below, below + step) if low - 1e-12 <= x <= high + 1e-12)
