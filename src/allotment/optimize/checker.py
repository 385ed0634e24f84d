"""An independent judge of answers: plain NumPy, nothing from the rest of the optimiser.

For one problem it recomputes which hard rules an answer breaks, what the answer costs, and the
lower bound that its multipliers prove. Slow and obvious on purpose. Columns are those of
`problem.Market`, `problem.Problems`, `solution.Solutions`; any object with them will do.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

TURNOVER, GAIN_SHORT, GAIN_LONG, GAIN, TAX, TRADES, HOLDINGS, BIG = range(1, 9)  # RowKind


class Verdict(NamedTuple):
    """What the judge found for one problem."""

    broken: tuple[str, ...]  # hard rules that the trades break, in words
    objective: float  # recomputed cost of the trades, as a fraction of the value of all accounts
    lower_bound: float  # recomputed from the multipliers


def judge(market: Any, problems: Any, solutions: Any, j: int, options: Any) -> Verdict:
    """The verdict on problem j, whose status is SOLVED or RELAXED; options: the `SolveOptions` used."""
    p = problems.problems(j, j + 1)
    first = int(problems.joint_from[j])
    names = slice(int(problems.names_from[first]), int(problems.names_from[first]) + len(p.held))
    lot = int(problems.lots_from[names.start])
    w, bought = solutions.weight[names], solutions.bought[names]
    sold = solutions.sold[lot : lot + len(p.lot_weight)]
    share = p.value_usd / p.value_usd.sum()
    account = np.repeat(np.arange(p.n_accounts), np.diff(p.names_from))
    of_lot = np.repeat(np.arange(len(w)), np.diff(p.lots_from))
    group = market.group_ix[p.asset_ix]
    broken = broken_rules(market, p, w, bought, sold)
    p = p._replace(may_rebuy=_rebuyable(p, account, of_lot))
    objective, gains = 0.0, np.zeros(3)
    joint = np.zeros(len(p.row_kind))
    for a in range(p.n_accounts):
        mine = slice(int(p.names_from[a]), int(p.names_from[a + 1]))
        cost, te2, counts = _account_cost(market, p, w, bought, sold, a, mine, account[of_lot] == a, options)
        objective += share[a] * (cost + options.te_price * max(0.0, te2 - p.te_max[a] ** 2) / 2)
        gains += share[a] * counts[[GAIN_SHORT, GAIN_LONG, GAIN]]
        joint += share[a] * counts[p.row_kind]
        for r in range(int(p.rows_from[a]), int(p.rows_from[a + 1])):
            entries = slice(int(p.entries_from[r]), int(p.entries_from[r + 1]))
            linear = p.entry_coefficient[entries] @ w[mine][p.entry_name[entries]]
            value = linear if p.row_kind[r] == 0 else counts[p.row_kind[r]]
            excess = 0.0 if p.row_joint[r] else _excess(value, p.row_lower[r], p.row_upper[r])
            objective += share[a] * p.row_price[r] * excess
    objective += np.sum((p.row_price * _excess(joint, p.row_lower, p.row_upper))[p.row_joint])
    if len(p.regime_constant):
        g = int(np.argmin(_excess(gains, p.regime_lower, p.regime_upper).max(axis=1)))
        objective += (
            p.regime_constant[g] + p.regime_short_rate[g] * gains[0] + p.regime_long_rate[g] * gains[1]
        )
    cases = range(int(solutions.cases_from[j]), int(solutions.cases_from[j + 1]))
    proofs = [solutions.theta[solutions.theta_from[c] : solutions.theta_from[c + 1]] for c in cases]
    bounds = [_bound(market, p, proof, g, share, account, group, options) for g, proof in enumerate(proofs)]
    return Verdict(broken, float(objective), min(*bounds, float(objective)) if bounds else math.nan)


def broken_rules(market: Any, p: Any, w: Any, bought: Any, sold: Any) -> tuple[str, ...]:
    """The hard rules that trades break, in words. p: a batch of one problem with n names and L lots;
    w, bought: (n,) weight after trading and bought; sold: (L,)."""
    account = np.repeat(np.arange(p.n_accounts), np.diff(p.names_from))
    of_lot = np.repeat(np.arange(len(w)), np.diff(p.lots_from))
    group = market.group_ix[p.asset_ix]
    out = np.bincount(of_lot, sold, minlength=len(w))
    traded, closed = out + bought, (w <= 1e-12) & (p.held > 0)
    steps = np.divide(w - p.held, p.step, out=np.zeros(len(w)), where=p.step > 0)
    barred = p.lot_is_loss & ((p.young > 0) & np.isinf(p.young_cost))[of_lot]
    least = np.maximum(p.trade_min[account] - 1e-10, 0.0)
    loss_sold = group[np.unique(of_lot[(sold > 0) & p.lot_is_loss])]
    before = np.concatenate([[False], (sold < p.lot_weight - 1e-12)[:-1] & (of_lot[:-1] == of_lot[1:])])
    small = (traded > 0) & ~closed & (w < p.holding_min[account] - 1e-10)
    rules = {
        "sells more than a lot holds": (sold < 0) | (sold > p.lot_weight + 1e-12),
        "buys less than nothing": bought < 0,
        "sells a lot that may not be sold": (sold > 0) & (~p.lot_sellable | ~p.may_sell[of_lot] | barred),
        "sells lots out of order": (sold > 1e-12) & before & p.in_order[account][of_lot],
        "weights do not follow from the trades": np.abs(p.held + bought - out - w) > 1e-10,
        "is short": w < 0,
        "buys a blocked name": (bought > 0) & (~p.may_buy | ((p.wash_exposed > 0) & np.isinf(p.wash_cost))),
        "sells a loss and buys its group": np.isin(group[bought > 0], loss_sold),
        "sells what it buys": (bought > 0) & (out > 0) & (~_rebuyable(p, account, of_lot) | (out < least)),
        "trades less than the smallest trade": (traded > 0)
        & (traded < p.trade_min[account] - 1e-10)
        & ~closed,
        "leaves less than the smallest holding": small,
        "trades a fraction of a step": (np.abs(steps - np.round(steps)) * p.step > 1e-10) & ~closed,
    }
    return tuple(rule for rule, cases in rules.items() if np.any(cases))


def _rebuyable(p: Any, account: Any, of_lot: Any) -> Any:
    """Names whose lots at a gain may be sold and bought back at once."""
    step = p.step[of_lot]
    steps = p.lot_weight / np.where(step > 0, step, 1.0)
    odd = (step >= 1e-7) & ~p.lot_is_loss & (np.abs(steps - np.round(steps)) > 1e-7)
    whole = np.bincount(of_lot, odd, minlength=len(p.held)) == 0
    return p.may_rebuy & p.may_buy & (p.wash_exposed == 0) & ~p.in_order[account] & whole


def _account_cost(
    market: Any, p: Any, w: Any, bought: Any, sold: Any, a: int, mine: slice, lots: Any, options: Any
) -> tuple[float, float, Any]:
    """Cost of one account's trades without rows, its squared tracking error, what rows may count."""
    x, b, s, wt, tax = w[mine], bought[mine], sold[lots], p.lot_gain[lots], p.lot_tax[lots]
    of_lot = np.repeat(np.arange(len(x)), np.diff(p.lots_from[mine.start : mine.stop + 1]))
    out = np.bincount(of_lot, s, minlength=len(x))
    lost = np.bincount(of_lot, s * p.lot_is_loss[lots], minlength=len(x))
    active = x - p.benchmark[mine]
    B, d = market.loadings[p.asset_ix[mine]], market.specific_variance[p.asset_ix[mine]]
    te2 = float(np.sum((B.T @ active) ** 2) + np.sum(d * active**2))
    traded = out + b > 0
    cost = p.risk_price[a] / 2 * te2 + tax @ s + p.half_spread[mine] @ (out + b) - p.utility[mine] @ x
    cost += p.ticket_charge[a] * traded.sum() + p.lot_charge[a] * np.sum(s > 0)
    cost += p.impact[mine] @ (x - p.held[mine]) ** 2
    for first, per_unit, amount in ((p.wash_exposed, p.wash_cost, b), (p.young, p.young_cost, lost)):
        washed = np.minimum(amount, first[mine])
        cost += np.sum(per_unit[mine][washed > 0] * washed[washed > 0])
    cash = p.cash[a] + s.sum() - b.sum()
    cost += options.cash_price * _excess(cash, p.cash_min[a], p.cash_max[a])
    cost += options.limit_price * np.sum(_excess(x, p.weight_min[mine], p.weight_max[mine]))
    long = p.lot_is_long[lots]
    short_gain, long_gain = np.sum((wt * s)[~long]), np.sum((wt * s)[long])
    counts = [0, (out + b).sum() / 2, short_gain, long_gain, short_gain + long_gain, tax @ s]
    return float(cost), te2, np.array([*counts, traded.sum(), np.sum(x > 0), x[x > p.big_from[a]].sum()])


def _excess(value: Any, lower: Any, upper: Any) -> Any:
    """How far values lie outside their ends."""
    return np.maximum(0.0, np.maximum(lower - value, value - upper))


def _bound(
    market: Any, p: Any, proof: Any, g: int, share: Any, account: Any, group: Any, options: Any
) -> float:
    """The value of the dual function at a case's multipliers."""
    k, n_accounts = market.loadings.shape[1], p.n_accounts
    theta, kappa = proof[:-n_accounts], proof[-n_accounts:] * share
    q, charge = -p.utility * share[account], np.zeros((n_accounts, 9))
    total, at = 0.0, 0
    shared = [r for r in range(len(p.row_kind)) if p.row_joint[r]]
    for a in range(n_accounts):
        mine = slice(int(p.names_from[a]), int(p.names_from[a + 1]))
        B, pi, mu = market.loadings[p.asset_ix[mine]], theta[at : at + k], theta[at + k]
        whole = p.held[mine].sum() + p.cash[a]
        total -= pi @ (B.T @ p.benchmark[mine]) + pi @ pi / (2 * kappa[a])
        total -= _support(mu, whole - p.cash_max[a], whole - p.cash_min[a], share[a] * options.cash_price)
        over = kappa[a] - share[a] * p.risk_price[a]
        if math.isfinite(p.te_max[a]):
            total -= (
                over * p.te_max[a] ** 2 / 2 if 0 <= over <= share[a] * options.te_price * 1.001 else math.inf
            )
        q[mine] += B @ pi + mu
        at += k + 1
        for r in range(int(p.rows_from[a]), int(p.rows_from[a + 1])):
            if r in shared:
                continue
            total -= _support(theta[at], p.row_lower[r], p.row_upper[r], share[a] * p.row_price[r])
            entries = slice(int(p.entries_from[r]), int(p.entries_from[r + 1]))
            np.add.at(q, mine.start + p.entry_name[entries], p.entry_coefficient[entries] * theta[at])
            charge[a, p.row_kind[r]] += theta[at]
            at += 1
    ends = [(p.row_kind[r], p.row_lower[r], p.row_upper[r], p.row_price[r]) for r in shared]
    short = long = 0.0
    if len(p.regime_constant):
        total, short, long = total + p.regime_constant[g], p.regime_short_rate[g], p.regime_long_rate[g]
        regime = zip((GAIN_SHORT, GAIN_LONG, GAIN), p.regime_lower[g], p.regime_upper[g], strict=True)
        ends += [(kind, low, high, options.regime_price) for kind, low, high in regime]
    for (kind, low, high, price), multiplier in zip(ends, theta[at:], strict=True):
        total -= _support(multiplier, low, high, price)
        charge[:, kind] += multiplier * share
    year = np.where(p.lot_is_long, long, short) * p.lot_gain
    modes = np.zeros((2, int(group.max()) + 1))  # a group sells losses or buys, never both
    for i in range(len(q)):
        a = account[i]
        d = (kappa[a] * market.specific_variance[p.asset_ix[i]], share[a] * p.impact[i])
        for mode in (0, 1):
            way = _name_minimum(p, i, a, q[i], d, share[a], charge[a], year, mode == 0, options.limit_price)
            modes[mode, group[i]] += way
    return float(total + modes.min(axis=0).sum())


def _support(multiplier: float, lower: float, upper: float, price: float) -> float:
    """upper × multiplier⁺ − lower × multiplier⁻; infinite beyond the price of relaxing."""
    if abs(multiplier) > price * (1 + 1e-12):
        return math.inf
    return 0.0 if multiplier == 0 else multiplier * (upper if multiplier > 0 else lower)


def _sales(p: Any, i: int, a: int, price: Any, lots: Any, losses: bool) -> list[tuple[float, list[Any]]]:
    """Ways to sell: a fixed fee and corners (weight left, cost) of a polygon that starts at held."""
    ways = []
    young = p.young[i] if math.isfinite(p.young_cost[i]) else 0.0
    caps = [(math.inf, 0.0, 0.0)] if losses else [(0.0, 0.0, 0.0)]
    if losses and young > 0:
        caps = [(young, p.young_cost[i], 0.0), (math.inf, 0.0, young * p.young_cost[i])]
    for cap, washed, fee in caps:
        per_unit = price[lots] + washed * p.lot_is_loss[lots]
        left, corners, weight, cost = cap, [(p.held[i], 0.0)], p.held[i], 0.0
        for x in lots if p.in_order[a] else lots[np.argsort(per_unit, kind="stable")]:
            size = p.lot_weight[x]
            if p.lot_is_loss[x]:
                size = min(size, left)
                left -= size
            if size > 0:
                weight, cost = weight - size, cost + size * (price[x] + washed * p.lot_is_loss[x])
                corners.append((0.0 if abs(weight) < 1e-12 else weight, cost))
            if p.in_order[a] and p.lot_is_loss[x] and size < p.lot_weight[x]:
                break
        ways.append((fee, corners))
    return ways


def _rebuys(p: Any, i: int, lots: Any, price: Any, least: float, spread: float) -> list[tuple[float, Any]]:
    """Corners (weight left, cost) from the most bought down: lots at a gain worth it are sold to be bought
    back, at least the smallest trade; none when there is less."""
    if p.step[i] >= 1e-7:
        least = math.ceil(least / p.step[i] - 1e-7) * p.step[i]
    sold, cost, corners = 0.0, 0.0, []
    for x in lots:
        size = p.lot_weight[x]
        back = size if price[x] + spread < 0 else min(size, max(least - sold, 0.0))
        sold, cost = sold + back, cost + back * price[x]
        if size > back:
            corners.append((size - back, price[x]))
    if not (p.may_rebuy[i] and len(lots)) or sold < least - 1e-12:
        return []
    most = max(p.held[i], p.weight_max[i]) + 1.0
    edge = p.held[i] - sold
    found = [(most, cost + spread * (most - edge)), (edge, cost)]
    for size, rate in corners:
        edge, cost = edge - size, cost + size * rate
        found.append((0.0 if abs(edge) < 1e-12 else edge, cost))
    return found


def _name_minimum(
    p: Any, i: int, a: int, q: float, d: Any, share: float, charge: Any, year: Any, losses: bool, limit: float
) -> float:
    """Least risk + q w + cost(w): with loss sales and no purchase, or the reverse."""
    held, least, low, high = p.held[i], p.trade_min[a], p.weight_min[i], p.weight_max[i]
    lots = np.arange(p.lots_from[i], p.lots_from[i + 1])
    barred = p.lot_is_loss[lots] & (p.young[i] > 0) & math.isinf(p.young_cost[i])
    usable = p.lot_sellable[lots] & p.may_sell[i] & ~barred
    lots = lots[np.cumprod(usable).astype(bool)] if p.in_order[a] else lots[usable]
    lots = lots[p.lot_weight[lots] > 0]
    rate = p.lot_tax[lots] + p.half_spread[i] + p.lot_charge[a] / p.lot_weight[lots] + year[lots]
    gain = charge[GAIN] + np.where(p.lot_is_long[lots], charge[GAIN_LONG], charge[GAIN_SHORT])
    price = np.zeros(len(p.lot_tax))
    price[lots] = (
        share * rate + charge[TURNOVER] / 2 + gain * p.lot_gain[lots] + charge[TAX] * p.lot_tax[lots]
    )
    best = math.inf

    def at(w: float, cost: float) -> None:
        nonlocal best
        cost += charge[HOLDINGS] * (w > 0) + charge[BIG] * w * (w > p.big_from[a])
        risk = d[0] / 2 * (w - p.benchmark[i]) ** 2 + d[1] * (w - held) ** 2
        best = min(best, risk + q * w + cost)

    def stretch(bottom: float, top: float, one: Any, two: Any, fixed: float) -> None:
        bottom, top = max(bottom, low), min(top, high)
        slope = (two[1] - one[1]) / (two[0] - one[0]) if two[0] != one[0] else 0.0
        if bottom <= 0.0 <= top + 1e-12:
            at(0.0, fixed + one[1] + slope * (0.0 - one[0]))
        for x, y in ((bottom, min(top, p.big_from[a])), (max(bottom, p.big_from[a]), top)):
            x = max(x, p.holding_min[a])
            if x > y + 1e-12:
                continue
            tilt = q + slope + charge[BIG] * (y > p.big_from[a]) - 2 * d[1] * held
            wanted = (d[0] * p.benchmark[i] - tilt) / (d[0] + 2 * d[1])
            for w in _tradable(min(max(wanted, x), max(x, y)), x, y, held, p.step[i]):
                at(w, fixed + one[1] + slope * (w - one[0]))

    excess = float(_excess(held, low, high))
    excess = excess if excess > 1e-12 else 0.0
    at(held, share * limit * excess)
    trade = share * p.ticket_charge[a] + charge[TRADES]
    for fee, corners in _sales(p, i, a, price, lots, losses) if len(lots) else []:
        for one, two in pairwise(corners):
            stretch(two[0], min(one[0], held - least), one, two, trade + share * fee)
        end, cost = corners[-1]
        if end == 0.0 and low <= 0.0:  # closing out is exempt from the smallest trade
            at(0.0, trade + share * fee + cost)
        if end > 0.0 and p.step[i] >= 1e-7:  # whole steps of what can be sold
            end = held - math.floor((held - end) / p.step[i] + 1e-7) * p.step[i]
            cost = float(np.interp(end, *np.array(corners[::-1]).T))
        whole = len(corners) > len(lots) and held - end >= max(least, 1e-12)
        if excess and whole and (end <= 0.0 or end >= p.holding_min[a]):
            at(end, trade + share * fee + cost + share * limit * float(_excess(end, low, high)))
    spread = share * p.half_spread[i] + charge[TURNOVER] / 2
    if not losses and p.may_buy[i] and not (p.wash_exposed[i] > 0 and math.isinf(p.wash_cost[i])):
        gains = lots[~p.lot_is_loss[lots]]
        back = _rebuys(p, i, gains[np.argsort(price[gains], kind="stable")], price, least, spread)
        for one, two in pairwise(back):
            stretch(two[0], one[0], one, two, trade)
        wash = share * p.wash_cost[i] if p.wash_exposed[i] > 0 else 0.0
        edge, most = min(held + p.wash_exposed[i], max(held, high)), max(held, high)
        start, middle = (held, 0.0), (edge, (spread + wash) * (edge - held))
        stretch(held + least, edge, start, middle, trade)
        stretch(
            max(edge, held + least), most, middle, (most + 1.0, middle[1] + spread * (most + 1 - edge)), trade
        )
    return best


def _tradable(w: float, low: float, high: float, held: float, step: float) -> tuple[float, ...]:
    """The weights next to w, inside [low, high], that whole steps from what is held reach."""
    if step < 1e-7:
        return (w,)
    below = held + math.floor((w - held) / step + 1e-7) * step
    return tuple(x for x in (below, below + step) if low - 1e-12 <= x <= high + 1e-12)
