"""Recomputes what an answer's trades cost and the bound that its multipliers prove: plain NumPy.

An independent judge: nothing here comes from the rest of the optimiser, and it is plain on purpose.
Columns are those of `problem.Market`, `problem.Problems`, `solution.Solutions`; any object with them will do.
Whether trades keep the hard rules, `hard_rules` says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# What rows count: the kinds of `RowKind`, LINEAR being 0, and a row for each factor of risk.
TURNOVER, GAIN_SHORT, GAIN_LONG, GAIN, TAX, TRADES, HOLDINGS, BIG, FACTOR, KINDS = range(1, 11)


def recompute(market: Any, problems: Any, solutions: Any, j: int, options: Any) -> tuple[float, float]:
    """Cost and proven lower bound of problem j (SOLVED or RELAXED, solved with these `SolveOptions`), as
    fractions of the value of all its accounts."""
    asked, first = Asked(market, problems.problems(j, j + 1), options), problems.joint_from[j]
    names = slice(problems.names_from[first], problems.names_from[problems.joint_from[j + 1]])
    lots = slice(problems.lots_from[names.start], problems.lots_from[names.stop])
    cost = asked.cost(solutions.weight[names], solutions.bought[names], solutions.sold[lots])
    ends = solutions.theta_from[solutions.cases_from[j] : solutions.cases_from[j + 1] + 1]
    bounds = [asked.bound(proof, g) for g, proof in enumerate(np.split(solutions.theta, ends)[1:-1])]
    return cost, min(cost, min(bounds, default=-np.inf))


class Asked:
    """One problem p: A accounts, n names, L lots, R rows with a multiplier each."""

    def __init__(self, market: Any, p: Any, options: Any) -> None:
        self.p, self.options, self.share = p, options, p.value_usd / p.value_usd.sum()
        self.account = np.repeat(np.arange(p.n_accounts), np.diff(p.names_from))
        self.of_lot = np.repeat(np.arange(len(p.held)), np.diff(p.lots_from))
        # Claims, the oldest first; one that is endless and costs nothing follows those of each name.
        c, ends = np.repeat(np.arange(len(p.held)), np.diff(p.claims_from) + 1), p.claims_from[1:]
        self.size, dear = np.insert(p.claim_weight, ends, 1e300), np.insert(p.claim_cost, ends, 0.0)
        self.of_claim, self.buys = c, p.may_buy & (np.bincount(c, np.isinf(dear)) == 0)
        self.dear = np.where(self.buys[c], dear, 0.0)
        self.older, self.paid = _before(self.size, c), _before(self.size * self.dear, c)
        self.specific, self.group = market.specific_variance[p.asset_ix], market.group_ix[p.asset_ix]
        self.step, self.unit = (np.where(p.step >= 1e-7, p.step, finer) for finer in (0.0, 1.0))
        self.outside = options.limit_price * (excess(p.held, p.weight_min, p.weight_max) > 1e-12)
        self.rates = np.stack([p.regime_short_rate, p.regime_long_rate, 0 * p.regime_long_rate], axis=1)
        self.counted = np.zeros((len(p.lot_tax), KINDS))  # what rows count of a unit of weight sold of a lot
        self.counted[:, TURNOVER], self.counted[:, GAIN], self.counted[:, TAX] = 0.5, p.lot_gain, p.lot_tax
        self.counted[np.arange(len(p.lot_tax)), GAIN_SHORT + p.lot_is_long] = p.lot_gain
        self.charge = np.zeros((p.n_accounts, KINDS))  # what the objective itself charges for what rows count
        self.charge[:, TAX], self.charge[:, TRADES] = self.share, self.share * p.ticket_charge
        # Rows: weight of accounts, kind, coefficient of names, lower and upper end, price.
        rows, joint = list[Any](), list[Any]()
        for a, own in enumerate(np.eye(p.n_accounts)):
            mine, exposures = own[self.account], market.loadings[p.asset_ix].T * own[self.account]
            rows += [(own, FACTOR, x, x @ p.benchmark, x @ p.benchmark, np.inf) for x in exposures]
            left = mine @ p.held + p.cash[a] - np.array([p.cash_max[a], p.cash_min[a]])
            rows.append((own, 0, mine, *left, self.share[a] * options.cash_price))
            for r in range(p.rows_from[a], p.rows_from[a + 1]):
                e = slice(p.entries_from[r], p.entries_from[r + 1])
                x = np.bincount(p.names_from[a] + p.entry_name[e], p.entry_coefficient[e], len(mine))
                into, of, price = (joint, self.share, 1.0) if p.row_joint[r] else (rows, own, self.share[a])
                into.append((of, p.row_kind[r], x, p.row_lower[r], p.row_upper[r], price * p.row_price[r]))
        for kind in (GAIN_SHORT, GAIN_LONG, GAIN) if len(self.rates) else ():  # whose ends are the regime's
            joint.append((self.share, kind, 0 * p.held, -np.inf, np.inf, options.regime_price))
        columns = map(np.array, zip(*rows, *joint, strict=True))
        self.of, self.kind, self.linear, self.lower, self.upper, self.price = columns

    def cost(self, w: Any, bought: Any, sold: Any) -> float:
        """What the trades to weights w cost, with the price of every limit that they leave broken."""
        p, o, a, i, c, n = self.p, self.options, self.account, self.of_lot, self.of_claim, len(w)
        out, lost = (np.bincount(i, s, n) for s in (sold, sold * p.lot_is_loss))
        counts, big = np.zeros((p.n_accounts, KINDS)), p.big_from[a] + 1e-12  # sums are rounded
        np.add.at(counts, a[i], self.counted * sold[:, None])
        by_name = {TURNOVER: bought / 2, TRADES: out + bought > 0, HOLDINGS: w > 0, BIG: w * (w > big)}
        np.add.at(counts.T, list(by_name), [np.bincount(a, x, p.n_accounts) for x in by_name.values()])
        each = o.limit_price * excess(w, p.weight_min, p.weight_max) + p.impact * (w - p.held) ** 2
        each += p.half_spread * (out + bought) + p.lot_charge[a] * np.bincount(i, sold > 0, n) - p.utility * w
        each += np.bincount(c, self.dear * np.clip(bought[c] - self.older, 0.0, self.size), n)
        each += np.where((p.young > 0) & (lost > 0), p.young_cost, 0.0) * np.minimum(p.young, lost)
        value = self.linear @ w + np.sum(self.of * counts.T[self.kind], axis=1)
        off, factor = excess(value, self.lower, self.upper), self.kind == FACTOR
        te2 = np.bincount(a, self.specific * (w - p.benchmark) ** 2, p.n_accounts) + factor * off**2 @ self.of
        total = self.share[a] @ each + np.sum(self.charge * counts) + self.price[~factor] @ off[~factor]
        total += self.share / 2 @ (p.risk_price * te2 + o.te_price * np.maximum(0.0, te2 - p.te_max**2))
        if len(self.rates):
            g = np.argmin(excess(value[-3:], p.regime_lower, p.regime_upper).max(axis=1))
            total += p.regime_constant[g] + self.rates[g] @ value[-3:]
        return float(total)

    def bound(self, proof: Any, g: int) -> float:
        """The dual function at a case's multipliers: no trades cost less, in regime g of the year."""
        p, lower, upper, charge, total = self.p, self.lower.copy(), self.upper.copy(), self.charge.copy(), 0.0
        theta, kappa = proof[: -p.n_accounts], proof[-p.n_accounts :] * self.share
        if len(self.rates):
            total, lower[-3:], upper[-3:] = p.regime_constant[g], p.regime_lower[g], p.regime_upper[g]
            charge[:, GAIN_SHORT:TAX] += self.share[:, None] * self.rates[g]
        # What kappa has over the price of risk is the multiplier of the limit of the tracking error.
        over, dear = kappa - self.share * p.risk_price, self.share * self.options.te_price + 1e-12 * kappa
        if np.any(np.abs(theta) > self.price * (1 + 1e-12)) or np.any(over > dear):
            return -np.inf  # to break that limit is cheaper
        total -= theta @ np.where(theta > 0, upper, np.where(theta < 0, lower, 0.0))
        total -= np.sum((self.kind == FACTOR) * theta**2 / (2 * self.of @ kappa))
        total -= over[over > 0] @ p.te_max[over > 0] ** 2 / 2
        charge += self.of.T @ (theta[:, None] * (self.kind[:, None] == np.arange(KINDS)))
        q = theta @ self.linear - p.utility * self.share[self.account]
        modes = [np.bincount(self.group, self.least(q, kappa, charge, mode)) for mode in (True, False)]
        return float(total + np.minimum(*modes).sum())  # a group sells losses or buys, never both

    def least(self, q: Any, kappa: Any, charge: Any, losses: bool) -> Any:
        """(n,) what each name costs least, with loss sales and no purchase or the reverse. q: (n,) price of
        weight; kappa: (A,) price of risk; charge: (A, KINDS) of what rows count."""
        p, of, best = self.p, self.account, np.full(len(q), np.inf)
        charge, share, d = charge[of], self.share[of], kappa[of] / 2 * self.specific
        size, holding_min, push = p.big_from[of], p.holding_min[of], share * p.impact

        def stand(i: Any, w: Any, cost: Any) -> None:
            """Name i may stand at weight w, after trades of this cost."""
            cost = cost + share[i] * self.outside[i] * excess(w, p.weight_min[i], p.weight_max[i]) + q[i] * w
            cost += charge[i, HOLDINGS] * (w > 0) + charge[i, BIG] * w * (w > size[i])
            np.minimum.at(best, i, cost + push[i] * (w - p.held[i]) ** 2 + d[i] * (w - p.benchmark[i]) ** 2)

        stand(np.arange(len(q)), p.held, 0 * q)
        for i, bottom, top, start, cost, slope in self.stretches(share, charge, losses):
            stand(i, 0 * start, np.where(bottom <= 0, cost - slope * start, np.inf))  # closed out
            held, step, unit, big = p.held[i], self.step[i], self.unit[i], size[i]
            pull = 2 * (d[i] * p.benchmark[i] + push[i] * held) - q[i] - slope
            for floor, roof, dear in ((0.0, big, 0.0), (big, np.inf, charge[i, BIG])):
                x, y = np.maximum(np.maximum(bottom, floor), holding_min[i]), np.minimum(top, roof)
                w = np.clip((pull - dear) / (2 * (d[i] + push[i])), x, np.maximum(x, y))
                below = np.where(step > 0, held + np.floor((w - held) / unit + 1e-7) * unit, w)
                for spot in (below, below + step):  # whole steps next to the best weight
                    at = np.flatnonzero((spot >= x - 1e-12) & (spot <= y + 1e-12))
                    w = np.clip(spot, x, np.maximum(x, y))[at]
                    stand(i[at], w, cost[at] + slope[at] * (w - start[at]))
        return best

    def stretches(self, share: Any, charge: Any, losses: bool) -> Any:
        """Where names may stand after trades: names, from and to which weight, what trades to another weight
        cost, and the slope of that cost."""
        p, i, account, n = self.p, self.of_lot, self.account, len(charge)
        ticket, trade_min, ordered = charge[:, TRADES], p.trade_min[account], p.in_order[account][i]
        spread, low, high = share * p.half_spread + charge[:, TURNOVER] / 2, p.weight_min, p.weight_max
        kept = (p.young > 0) & np.isinf(p.young_cost)
        barred = ~p.lot_sellable | ~p.may_sell[i] | p.lot_is_loss & kept[i]
        behind = barred | ordered & (_before(barred & (p.lot_weight > 0), i) > 0)
        way_out = (self.outside > 0) & (losses | (np.bincount(i, p.lot_is_loss & ~behind, n) == 0))
        barred = barred | p.lot_is_loss & (not losses)

        def queue(barred: Any, price: Any) -> tuple[Any, Any, Any, Any]:
            """Names, sizes and prices of lots as they leave, and what leaves before each."""
            lots = np.lexsort((np.where(ordered, 0.0, np.where(barred, np.inf, price)), i))
            # Nothing leaves after a lot that is barred. They are counted: dust is lost in a sum of weights.
            lots = lots[~barred[lots] & (_before((barred & (p.lot_weight > 0))[lots], i[lots]) == 0)]
            return i[lots], p.lot_weight[lots], price[lots], _before(p.lot_weight[lots], i[lots])

        each = np.minimum(p.lot_charge[account][i] / np.maximum(p.lot_weight, 1e-300), 1e300)
        rate = share[i] * (p.half_spread[i] + each) + np.sum(charge[i] * self.counted, axis=1)
        young = np.where((p.young > 0) & ~kept, share * p.young_cost, 0.0)
        # What washes costs the less of so much a share and so much for all that can wash.
        for per_unit, once in ((young, 0 * young), (0 * young, young * np.where(young > 0, p.young, 0.0))):
            name, size, price, before = queue(barred, rate + per_unit[i] * p.lot_is_loss)
            start, cost = p.held[name] - before, (ticket + once)[name] + _before(size * price, name)
            bottom = np.where(np.abs(start - size) < 1e-12, 0.0, start - size)
            top = np.minimum(start, (p.held - trade_min)[name])
            yield name, np.maximum(bottom, low[name]), np.minimum(top, high[name]), start, cost, -price
            # A name whose limits are broken may be sold as far as it goes, whatever its limits.
            at = np.flatnonzero(way_out[name] & (np.append(name[1:], -1) != name) & (top >= bottom))
            top = np.minimum(top, bottom + (bottom > 0) * self.step[name])
            yield name[at], bottom[at], top[at], start[at], cost[at], -price[at]
        # Purchases: through each claim, where a share costs what it washes, and beyond them.
        c, start, fixed = self.of_claim, p.held[self.of_claim] + self.older, share[self.of_claim] * self.paid
        cost = np.where(self.buys & (not losses), ticket, np.inf)[c] + spread[c] * self.older + fixed
        bottom, top = np.maximum(start, np.maximum(p.held + trade_min, low)[c]), start + self.size
        yield c, bottom, np.minimum(top, high[c]), start, cost, spread[c] + share[c] * self.dear
        # Gains worth it, and at least the smallest trade of them, are realised and bought back.
        may = p.may_rebuy & self.buys & (np.diff(p.claims_from) == 0) & ~p.in_order[account] & (not losses)
        odd = np.abs((p.lot_weight / self.unit[i] + 0.5) % 1 - 0.5) > 1e-7  # no whole steps
        may &= np.bincount(i, odd & (self.step[i] > 0) & ~p.lot_is_loss, n) == 0
        name, size, price, before = queue(barred | ~may[i], rate)
        need = np.where(self.step > 0, np.ceil(trade_min / self.unit - 1e-7) * self.unit, trade_min)
        sold = np.where(price + spread[name] < 0, size, np.clip(need[name] - before, 0.0, size))
        left, cost = p.held - np.bincount(name, sold, n), ticket + np.bincount(name, sold * price, n)
        at = np.unique(name[(p.held - left >= need - 1e-12)[name]])
        yield at, np.maximum(left, low)[at], high[at], left[at], cost[at], spread[at]


def excess(value: Any, lower: Any, upper: Any) -> Any:
    """How far values lie outside their ends."""
    return np.maximum(0.0, np.maximum(lower - value, value - upper))


def _before(amount: Any, name: Any) -> Any:
    """Sum of the amounts of the same name that stand before each; equal names stand together."""
    total, x = 0.0 * amount, np.flatnonzero(name[1:] == name[:-1])
    for _ in range(np.bincount(name).max(initial=0)):  # each time one further, as if summed one by one
        total[x + 1] = total[x] + amount[x]
    return total
