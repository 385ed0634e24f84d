"""An independent judge of answers: plain NumPy, nothing from the rest of the optimiser.

For one problem it recomputes which hard rules an answer breaks, what the answer costs, and the
lower bound that its multipliers prove. Slow and obvious on purpose. Columns are those of
`problem.Market`, `problem.Problems`, `solution.Solutions`; any object with them will do.
"""

from __future__ import annotations

import math
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
        "trades a fraction of a step": (np.abs(steps - np.round(steps)) * p.step > 1e-10 * (1.0 + p.held))
        & ~closed,
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
    curvature = kappa[account] * market.specific_variance[p.asset_ix]
    names = _Names(p, account, q, curvature, share[account], charge[account], options.limit_price)
    modes = np.full((2, int(group.max(initial=0)) + 1), 0.0)  # a group sells losses or buys, never both
    for mode in (0, 1):
        np.add.at(modes[mode], group, names.least(year, mode == 0))
    return float(total + modes.min(axis=0).sum())


def _support(multiplier: float, lower: float, upper: float, price: float) -> float:
    """upper × multiplier⁺ − lower × multiplier⁻; infinite beyond the price of relaxing."""
    if abs(multiplier) > price * (1 + 1e-12):
        return math.inf
    return 0.0 if multiplier == 0 else multiplier * (upper if multiplier > 0 else lower)


class _Names:
    """What each of n names costs least, at given prices: risk + q w + cost(w) over all that is allowed.

    Costs of lots and purchases are polygons: stretches on which cost is linear in the weight w.
    """

    def __init__(self, p: Any, account: Any, q: Any, d: Any, share: Any, charge: Any, limit: float) -> None:
        self.p, self.q, self.d, self.share, self.charge, self.limit = p, q, d, share, charge, limit
        self.push = share * p.impact
        self.trade_min, self.holding_min = p.trade_min[account], p.holding_min[account]
        self.big_from, self.in_order = p.big_from[account], p.in_order[account]
        self.lot_charge = p.lot_charge[account]
        self.trade = share * p.ticket_charge[account] + charge[:, TRADES]
        self.of_lot = np.repeat(np.arange(len(q)), np.diff(p.lots_from))
        excess = _excess(p.held, p.weight_min, p.weight_max)
        self.excess = np.where(excess > 1e-12, excess, 0.0)
        self.best = np.full(len(q), math.inf)

    def least(self, year: Any, losses: bool) -> Any:
        """(n,) with loss sales and no purchase, or the reverse; year: (L,) the year's tax of each lot."""
        p, n = self.p, len(self.q)
        every = np.arange(n)
        self.best = np.full(n, math.inf)
        self._at(every, p.held, self.share * self.limit * self.excess)
        priced = (p.young > 0) & np.isfinite(p.young_cost)
        first, cost = np.where(priced, p.young, math.inf), np.where(priced, p.young_cost, 0.0)
        for part in (0, 1) if losses and priced.any() else (1,):  # the shares that wash, and all of them
            cap = (np.full(n, math.inf) if part else first) if losses else np.zeros(n)
            fee = np.where(priced, p.young, 0.0) * cost if losses and part else np.zeros(n)
            self._sell(year, cap, np.zeros(n) if part else cost, self.trade + self.share * fee)
        if not losses:
            blocked = (p.wash_exposed > 0) & np.isinf(p.wash_cost)
            self._buy(np.flatnonzero(p.may_buy & ~blocked))
            self._rebuy(self._lot_prices(year))
        return self.best

    def _at(self, i: Any, w: Any, cost: Any) -> None:
        """Name i may stand at weight w, for that cost of its trades."""
        p, charge = self.p, self.charge[i]
        cost = cost + charge[:, HOLDINGS] * (w > 0) + charge[:, BIG] * w * (w > self.big_from[i])
        risk = self.d[i] / 2 * (w - p.benchmark[i]) ** 2 + self.push[i] * (w - p.held[i]) ** 2
        np.minimum.at(self.best, i, risk + self.q[i] * w + cost)

    def _stretch(self, i: Any, bottom: Any, top: Any, from_w: Any, from_cost: Any, slope: Any) -> None:
        """Name i may stand from bottom to top, on a line of this slope through (from_w, from_cost)."""
        p = self.p
        bottom, top = np.maximum(bottom, p.weight_min[i]), np.minimum(top, p.weight_max[i])
        out = np.flatnonzero((bottom <= 0) & (top >= -1e-12))
        self._at(i[out], np.zeros(len(out)), (from_cost - slope * np.maximum(from_w, 0.0))[out])
        big = self.big_from[i]
        for x, y in ((bottom, np.minimum(top, big)), (np.maximum(bottom, big), top)):
            x = np.maximum(x, self.holding_min[i])
            at = np.flatnonzero(x <= y + 1e-12)
            self._inside(i[at], x[at], y[at], from_w[at], from_cost[at], slope[at])

    def _inside(self, i: Any, x: Any, y: Any, from_w: Any, from_cost: Any, slope: Any) -> None:
        """The best weight from x to y on a line of this slope through (from_w, from_cost)."""
        p, held, step = self.p, self.p.held[i], self.p.step[i]
        tilt = self.q[i] + slope + self.charge[i, BIG] * (y > self.big_from[i]) - 2 * self.push[i] * held
        wanted = (self.d[i] * p.benchmark[i] - tilt) / (self.d[i] + 2 * self.push[i])
        w = np.minimum(np.maximum(wanted, x), np.maximum(x, y))
        whole = step >= 1e-7  # then the weights next to w that whole steps from what is held reach
        below = held + np.floor((w - held) / np.where(whole, step, 1.0) + 1e-7) * step
        for spot in (np.where(whole, below, w), np.where(whole, below + step, w)):
            fits = np.flatnonzero(~whole | ((spot >= x - 1e-12) & (spot <= y + 1e-12)))
            moved = np.minimum(np.maximum(spot, x), np.maximum(x, y)) - from_w  # dust is dear by weight
            self._at(i[fits], spot[fits], (from_cost + slope * moved)[fits])

    def _sell(self, year: Any, cap: Any, washed: Any, fixed: Any) -> None:
        """Sales with at most `cap` of loss lots, whose price is `washed` higher, at a fixed cost (n,)."""
        p, n, lots = self.p, len(self.q), self._usable_lots()
        name = self.of_lot[lots]
        price = self._lot_prices(year)[lots] + washed[name] * p.lot_is_loss[lots]
        order = np.lexsort((np.where(self.in_order[name], 0.0, price), name))
        lots, name, price = lots[order], name[order], price[order]
        weight, loss = p.lot_weight[lots], p.lot_is_loss[lots]
        room = np.maximum(0.0, cap[name] - _before(weight * loss, name))
        size = np.where(loss, np.minimum(weight, np.where(room > 1e-15, room, 0.0)), weight)
        cut = self.in_order[name] & loss & (size < weight)
        size = np.where(_before(cut * 1.0, name) > 0, 0.0, size)
        kept = np.flatnonzero(size > 0)
        before, cost = _before(size, name), _before(size * price, name) + fixed[name]
        i, top = name[kept], p.held[name[kept]] - before[kept]
        bottom = top - size[kept]
        bottom[np.abs(bottom) < 1e-12] = 0.0
        self._stretch(
            i, bottom, np.minimum(top, p.held[i] - self.trade_min[i]), top, cost[kept], -price[kept]
        )
        # All that can be sold: closing out is exempt from the smallest trade, and where a limit is broken
        # it is the other way out.
        has = np.bincount(name, minlength=n) > 0
        end = p.held - np.bincount(name, size, minlength=n)
        end[np.abs(end) < 1e-12] = 0.0
        closes = np.flatnonzero(has & (end == 0.0) & (p.weight_min <= 0))
        self._at(
            closes, np.zeros(len(closes)), (fixed + np.bincount(name, size * price, minlength=n))[closes]
        )
        steps = np.floor((p.held - end) / np.where(p.step > 0, p.step, 1.0) + 1e-7) * p.step
        out = np.where((end > 0) & (p.step >= 1e-7), steps, p.held - end)
        paid = np.bincount(name, price * np.clip(out[name] - before, 0.0, size), minlength=n)
        end = np.where(out == p.held, 0.0, p.held - out)
        whole = np.bincount(name, size == weight, minlength=n) == np.bincount(name, minlength=n)
        leaves = (self.excess > 0) & has & whole & (out >= np.maximum(self.trade_min, 1e-12))
        leaves = np.flatnonzero(leaves & ((end <= 0) | (end >= self.holding_min)))
        excess = _excess(end, p.weight_min, p.weight_max)
        self._at(leaves, end[leaves], (fixed + paid + self.share * self.limit * excess)[leaves])

    def _usable_lots(self) -> Any:
        p, name = self.p, self.of_lot
        barred = p.lot_is_loss & ((p.young > 0) & np.isinf(p.young_cost))[name]
        usable = p.lot_sellable & p.may_sell[name] & ~barred
        stops = _before(~usable * 1.0, name) + ~usable > 0  # in order, nothing behind such a lot is reached
        return np.flatnonzero(usable & ~(self.in_order[name] & stops) & (p.lot_weight > 0))

    def _lot_prices(self, year: Any) -> Any:
        """(L,) cost per unit of weight sold, with what rows charge for it."""
        p, i = self.p, self.of_lot
        charge = self.charge[i]
        each = np.divide(self.lot_charge[i], p.lot_weight, out=np.zeros(len(i)), where=p.lot_weight > 0)
        gain = charge[:, GAIN] + np.where(p.lot_is_long, charge[:, GAIN_LONG], charge[:, GAIN_SHORT])
        rate = self.share[i] * (p.lot_tax + p.half_spread[i] + np.minimum(each, 1e300) + year)
        return rate + charge[:, TURNOVER] / 2 + gain * p.lot_gain + charge[:, TAX] * p.lot_tax

    def _buy(self, i: Any) -> None:
        """Purchases: the part that washes, and what comes beyond it."""
        p, held, share = self.p, self.p.held[i], self.share[i]
        wash = share * np.where(p.wash_exposed[i] > 0, p.wash_cost[i], 0.0)
        most = np.maximum(held, p.weight_max[i])
        edge, least = np.minimum(held + p.wash_exposed[i], most), held + self.trade_min[i]
        spread = share * p.half_spread[i] + self.charge[i, TURNOVER] / 2
        at_edge = self.trade[i] + (spread + wash) * (edge - held)
        self._stretch(i, least, edge, held, self.trade[i], spread + wash)
        self._stretch(i, np.maximum(edge, least), most, edge, at_edge, spread)

    def _rebuy(self, price: Any) -> None:
        """Lots at a gain that are worth it are sold to be bought back, at least the smallest trade."""
        p, n, lots = self.p, len(self.q), self._usable_lots()
        lots = lots[~p.lot_is_loss[lots] & p.may_rebuy[self.of_lot[lots]]]
        lots = lots[np.lexsort((price[lots], self.of_lot[lots]))]
        name, price, size = self.of_lot[lots], price[lots], p.lot_weight[lots]
        steps = np.ceil(self.trade_min / np.where(p.step > 0, p.step, 1.0) - 1e-7) * p.step
        least = np.where(p.step >= 1e-7, steps, self.trade_min)
        spread = self.share * p.half_spread + self.charge[:, TURNOVER] / 2
        some = np.minimum(size, np.maximum(least[name] - _before(size, name), 0.0))
        back = np.where(price + spread[name] < 0, size, some)
        sold = np.bincount(name, back, minlength=n)
        cost = self.trade + np.bincount(name, back * price, minlength=n)
        fits = (np.bincount(name, minlength=n) > 0) & (sold >= least - 1e-12)
        i = np.flatnonzero(fits)
        edge, most = (p.held - sold)[i], np.maximum(p.held, p.weight_max)[i] + 1.0
        self._stretch(i, edge, most, edge, cost[i], spread[i])
        rest = size - back
        top = (p.held - sold)[name] - _before(rest, name)
        paid = cost[name] + _before(rest * price, name)
        bottom = np.where(np.abs(top - rest) < 1e-12, 0.0, top - rest)
        at = np.flatnonzero((rest > 0) & fits[name])
        self._stretch(name[at], bottom[at], top[at], top[at], paid[at], -price[at])


def _before(amount: Any, name: Any) -> Any:
    """Sum of the amounts of the same name that stand before each; equal names stand together."""
    total = np.cumsum(amount) - amount
    return total - total[np.searchsorted(name, name)]
