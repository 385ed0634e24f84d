"""What each name costs least at given prices, over all that the rules allow it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

TURNOVER, GAIN_SHORT, GAIN_LONG, GAIN, TAX, TRADES, HOLDINGS, BIG = range(1, 9)  # RowKind


def excess(value: Any, lower: Any, upper: Any) -> Any:
    """How far values lie outside their ends."""
    return np.maximum(0.0, np.maximum(lower - value, value - upper))


class Names:
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
        outside = excess(p.held, p.weight_min, p.weight_max)
        self.outside = np.where(outside > 1e-12, outside, 0.0)
        self.best = np.full(len(q), math.inf)

    def least(self, year: Any, losses: bool) -> Any:
        """(n,) with loss sales and no purchase, or the reverse; year: (L,) the year's tax of each lot."""
        p, n = self.p, len(self.q)
        every = np.arange(n)
        self.best = np.full(n, math.inf)
        self._at(every, p.held, self.share * self.limit * self.outside)
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
        leaves = (self.outside > 0) & has & whole & (out >= np.maximum(self.trade_min, 1e-12))
        leaves = np.flatnonzero(leaves & ((end <= 0) | (end >= self.holding_min)))
        outside = excess(end, p.weight_min, p.weight_max)
        self._at(leaves, end[leaves], (fixed + paid + self.share * self.limit * outside)[leaves])

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
