"""What doing without a trade would cost: at the answer's prices for the name, at least for the account.

At fixed prices each alternative of a name has an exact cost (`moves`); its difference from that of the
trade is what the trade is worth to the account if the other names stay at their prices. They may
answer, so the true difference can be smaller, but not below `at_least`: with one side of a name closed,
the dual function at the same multipliers is still a lower bound.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.optimize.decision import Decision, prices_at
from allotment.optimize.excerpt import excerpt
from allotment.optimize.moves import EITHER_WAY, NO_LOSS_SALE, NO_PURCHASE, Moves, best_moves
from allotment.optimize.offsets import owners
from allotment.optimize.problem import RowKind, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.optimize.terms import NameTerms
from allotment.units import Bools, Codes, Floats, Index, Ints

_SAME = 1e-12


class Other(IntEnum):
    """What a name does instead of its trade."""

    NONE = 0  # it has no trade, or no other way
    HOLD = 1
    FEWER_LOTS = 2  # keep the dearest of the lots that are sold
    OTHER_SIDE = 3  # buy instead of selling, sell instead of buying


class Pushes(NamedTuple):
    """What moved each name (n,), at the answer's prices: negative pulls towards the trade.

    All of them and the name's own tax, costs, wash and limit add up to minus `Alternatives.hold`.
    """

    factors: Floats  # (n, k) price of each factor × exposure moved
    specific: Floats
    cash: Floats  # price of cash × weight moved
    row: Floats  # prices of all rows × what they count of it
    year: Floats  # prices of the ends of the year's regime × gains, beside the tax itself


class Alternatives(NamedTuple):
    """Per name (n,): extra costs in fractions of its account's value, prices held fixed.

    NaN where a name is not traded or has no such way. A small negative one says that the name alone
    would do better otherwise: it was brought to its side by the others or by whole shares.
    """

    hold: Floats
    fewer_lots: Floats
    other_side: Floats
    best: Codes  # Other: the cheapest of them
    extra: Floats  # its cost
    # No plan for all accounts without this purchase, or without this sale, costs less than so much
    # more than the answer; negative, down to minus the gap, where that is not proven to cost anything.
    at_least: Floats


def pushes_of(decision: Decision) -> Pushes:
    """What the prices of factors, cash, rows and the year made of each name's move."""
    p, d, prices = decision.problem, decision, decision.prices
    a = d.account
    move = d.weight - p.held
    B, variance = d.market.loadings[p.asset_ix], d.market.specific_variance[p.asset_ix]
    factors = prices.factor[a] * B * move[:, None]
    middle = (d.weight + p.held) / 2 - p.benchmark
    linear = (prices.weight + p.utility - prices.cash[a]) * move - factors.sum(axis=1)
    counted = measures(d)
    rates = np.zeros_like(prices.kind)
    ends = np.zeros_like(prices.kind)
    if d.regime >= 0:
        rates[:, RowKind.GAIN_SHORT] = p.regime_short_rate[d.regime]
        rates[:, RowKind.GAIN_LONG] = p.regime_long_rate[d.regime]
        ends = prices.kind - rates - _row_kinds(d)
    return Pushes(
        factors=factors,
        specific=prices.risk[a] * variance * move * middle,
        cash=prices.cash[a] * move,
        row=linear + (_row_kinds(d)[a] * counted).sum(axis=1),
        year=(ends[a] * counted).sum(axis=1),
    )


def measures(decision: Decision) -> Floats:
    """What rows of each kind count of each name's trade (n, N_KINDS), beyond what it counts unmoved."""
    p, d = decision.problem, decision
    counted = np.zeros((len(p.held), len(RowKind)))
    gain = p.lot_gain * d.sold
    counted[:, RowKind.TURNOVER] = d.traded / 2
    for kind, chosen in ((RowKind.GAIN_SHORT, ~p.lot_is_long), (RowKind.GAIN_LONG, p.lot_is_long)):
        counted[:, kind] = d.by_name(gain * chosen)
    counted[:, RowKind.GAIN] = counted[:, RowKind.GAIN_SHORT] + counted[:, RowKind.GAIN_LONG]
    counted[:, RowKind.TAX] = d.by_name(p.lot_tax * d.sold)
    counted[:, RowKind.TRADES] = d.traded > 0.0
    counted[:, RowKind.HOLDINGS] = 1.0 * (d.weight > 0.0) - 1.0 * (p.held > 0.0)
    big = p.big_from[d.account]
    counted[:, RowKind.BIG] = np.where(d.weight > big, d.weight, 0.0) - np.where(p.held > big, p.held, 0.0)
    return counted


def row_pushes(decision: Decision, i: int, move: float, counted: Floats) -> Floats:
    """What each row (R,) makes of name i when its weight moves and rows count so much of it (N_KINDS,)."""
    p, a = decision.problem, int(decision.account[i])
    if not len(p.row_kind):
        return np.zeros(0)
    row_account = owners(p.rows_from)
    mine = (row_account == a) | p.row_joint
    measured = np.where(mine & (p.row_kind != RowKind.LINEAR), counted[p.row_kind], 0.0)
    entry_row = owners(p.entries_from)
    here = (p.entry_name == i - int(p.names_from[a])) & (row_account[entry_row] == a)
    np.add.at(measured, entry_row[here], p.entry_coefficient[here] * move)
    return np.asarray(measured * decision.prices.row)


def alternatives_of(
    decision: Decision, solutions: Solutions, j: int, terms: NameTerms, pushes: Pushes, options: SolveOptions
) -> Alternatives:
    """The alternatives of each traded name of problem j, whose decision, terms and pushes these are."""
    d = decision
    is_traded = d.traded > 0.0
    own = own_terms(terms)
    pushed = pushes.factors.sum(axis=1) + pushes.specific + pushes.cash + pushes.row + pushes.year
    hold = -(own + pushed)
    found = is_traded | _is_paired(d)
    moves = best_moves(d.market, d.problem, d.prices, options, barred=closed_sides(d), asked=found)
    sells = d.sold_of_name >= d.bought
    other = np.where(sells, moves.buy, moves.sell)
    # A cost is comparable within a name: from the trade to holding, from holding to the other side.
    other_side = np.full(len(hold), np.nan)
    np.subtract(hold + other, moves.hold, out=other_side, where=is_traded & np.isfinite(other))
    ways = np.stack([hold, fewer_lots(d), other_side])
    ways[:, ~is_traded] = np.nan
    known = np.where(np.isnan(ways), np.inf, ways)
    best = np.argmin(known, axis=0)
    extra = known.min(axis=0)
    return Alternatives(
        hold=ways[0],
        fewer_lots=ways[1],
        other_side=ways[2],
        best=np.where(np.isfinite(extra), best + 1, Other.NONE).astype(np.int8),
        extra=np.where(np.isfinite(extra), extra, np.nan),
        at_least=_at_least(d, solutions, j, options, moves),
    )


def own_terms(terms: NameTerms) -> Floats:
    """What a name's trade costs beside risk (n,)."""
    return np.asarray(terms.total() - terms.specific - terms.factors.sum(axis=1))


def closed_sides(decision: Decision) -> Codes:
    """Which side the other members of its group close to each name (n,), as the answer has them."""
    p, d = decision.problem, decision
    group = d.market.group_ix[p.asset_ix]
    n_groups = int(group.max(initial=0)) + 1
    loses = d.by_name((d.sold > 0.0) & p.lot_is_loss) > 0
    buys = d.bought > 0.0
    others_lose = np.bincount(group, loses, minlength=n_groups)[group] - loses > 0
    others_buy = np.bincount(group, buys, minlength=n_groups)[group] - buys > 0
    closed = np.where(others_lose, NO_PURCHASE, np.where(others_buy, NO_LOSS_SALE, EITHER_WAY))
    return closed.astype(np.int8)


def fewer_lots(decision: Decision) -> Floats:
    """Extra cost of keeping the dearest lot sold (n,); NaN where one lot is sold, or less may not be."""
    p, d, prices = decision.problem, decision, decision.prices
    n = len(p.held)
    extra = np.full(n, np.nan)
    lots = np.flatnonzero(d.sold > 0.0)
    name = d.lot_name[lots]
    a = d.account[name]
    kinds = prices.kind[a]
    gain_price = kinds[:, RowKind.GAIN] + np.where(
        p.lot_is_long[lots], kinds[:, RowKind.GAIN_LONG], kinds[:, RowKind.GAIN_SHORT]
    )
    unit = p.lot_tax[lots] * (1.0 + kinds[:, RowKind.TAX]) + gain_price * p.lot_gain[lots]
    order = np.lexsort((lots, np.where(p.in_order[a], lots, unit), name))
    last = order[np.flatnonzero(np.diff(name[order], append=-1))]
    lot, i, a = lots[last], name[last], a[last]
    kept, counts = d.sold[lot], np.bincount(name, minlength=n)[i]
    rest = d.sold_of_name[i] - kept
    weight = d.weight[i] + kept
    variance = d.market.specific_variance[p.asset_ix[i]]
    lost = d.by_name(d.sold * p.lot_is_loss)[i]
    lost_less = lost - kept * p.lot_is_loss[lot]
    washed = np.minimum(lost, p.young[i]) - np.minimum(lost_less, p.young[i])
    wash = np.where(washed > 0.0, np.where(np.isfinite(p.young_cost[i]), p.young_cost[i], 0.0) * washed, 0.0)
    impact = p.impact[i] * ((weight - p.held[i]) ** 2 - (d.weight[i] - p.held[i]) ** 2)
    outside = np.maximum(p.weight_min[i] - weight, weight - p.weight_max[i]) > _SAME
    specific = prices.risk[a] * variance * kept * ((weight + d.weight[i]) / 2 - p.benchmark[i])
    unkept = unit[last] + p.half_spread[i] + prices.kind[a, RowKind.TURNOVER] / 2
    cost = specific + prices.weight[i] * kept - unkept * kept - p.lot_charge[a] - wash + impact
    steps = np.divide(kept, p.step[i], out=np.zeros(len(i)), where=p.step[i] > 0.0)
    small = (rest < p.trade_min[a] - _SAME) | (weight < p.holding_min[a])
    uneven = (p.step[i] > 1e-7) & (np.abs(steps - np.round(steps)) > 1e-6)
    allowed = (counts > 1) & ~small & ~uneven & ~outside & (d.bought[i] == 0.0)
    extra[i[allowed]] = cost[allowed]
    return extra


def _at_least(d: Decision, solutions: Solutions, j: int, options: SolveOptions, here: Moves) -> Floats:
    """Bound on the true extra cost of a plan without each name's trade (n,), NaN where it has none;
    `here`: the moves in the case that the answer lies in, of traded names and those with others like them."""
    first = int(solutions.cases_from[j])
    bounds = solutions.case_bound[first : int(solutions.cases_from[j + 1])]
    own, is_traded, paired = max(d.regime, 0), d.traded > 0.0, _is_paired(d)
    here_at = np.flatnonzero(is_traded | paired).astype(np.int32)
    moves = Moves(*(column[here_at] for column in here))
    least = np.full(len(is_traded), np.nan)
    least[here_at] = bounds[own] + _rise(d, moves, here_at, np.zeros(len(here_at), np.int64))
    others, parts = [], []
    for number in range(len(bounds)):
        # A side closed never lowers the dual function: another case says something new only of names
        # whose bound is above its own.
        asked = is_traded & (least > bounds[number])
        if number == own or not asked.any():
            continue
        theta = solutions.theta[slice(*solutions.theta_from[first + number : first + number + 2].tolist())]
        together = asked | paired if asked[paired].any() else asked
        others.append(number)
        parts.append(
            (prices_at(d.market, d.problem, theta, number), np.flatnonzero(together).astype(np.int32))
        )
    if others:
        name = np.concatenate([names for _, names in parts])
        part = np.repeat(np.arange(len(parts)), [len(names) for _, names in parts])
        moves = best_moves(d.market, *excerpt(d, parts), options)
        np.minimum.at(least, name, bounds[others][part] + _rise(d, moves, name, part))
    return np.where(is_traded, (least - float(bounds.min()) - d.gap) / d.share[d.account], np.nan)


def _rise(d: Decision, m: Moves, name: Index, part: Ints) -> Floats:
    """By how much the dual function rises when the side of each of these names is closed, in all
    accounts' value. m: of these names, in the numbered case that `part` says; a group, whose names
    choose a side together, is there whole or not at all."""
    share, sells = d.share[d.account[name]], (d.sold_of_name >= d.bought)[name]
    quiet, keen = share * m.quiet, share * m.keen
    quiet_closed = share * np.where(sells, m.quiet_unsold, m.quiet_unbought)
    keen_closed = share * np.where(sells, m.keen_unsold, m.keen_unbought)
    paired = np.flatnonzero(_is_paired(d)[name])
    if len(paired):
        group = d.market.group_ix[d.problem.asset_ix[name[paired]]]
        group = group + part[paired] * (int(group.max()) + 1)
        for side, closed in ((quiet, quiet_closed), (keen, keen_closed)):
            whole = np.bincount(group, side[paired])[group]
            closed[paired] = whole + (closed[paired] - side[paired])
            side[paired] = whole
    return np.asarray(np.minimum(quiet_closed, keen_closed) - np.minimum(quiet, keen))


def _is_paired(d: Decision) -> Bools:
    """Whether another name of the problem is substantially identical (n,)."""
    group = d.market.group_ix[d.problem.asset_ix]
    return np.asarray(np.bincount(group, minlength=1)[group] > 1)


def _row_kinds(d: Decision) -> Floats:
    """What the rows of other kinds than linear charge per unit they count (A, N_KINDS)."""
    p = d.problem
    account = owners(p.rows_from)
    kinds = np.zeros((p.n_accounts, len(RowKind)))
    own = np.flatnonzero(~p.row_joint & (p.row_kind != RowKind.LINEAR))
    np.add.at(kinds, (account[own], p.row_kind[own]), d.prices.row[own])
    for r in np.flatnonzero(p.row_joint):
        kinds[:, p.row_kind[r]] += d.prices.row[r]
    return kinds
