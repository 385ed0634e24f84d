"""The costs of the exact reference: SCIP's expressions for every term of the objective, in percent.

Minimising makes each variable below as small as its constraints allow, so a convex cost needs only
its lower sides; a cost that is not convex needs a binary for each of its stretches. Weights are in
percent too, so that a price per unit of weight stays as it is; squares of weights are in percent².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotment.optimize.exact_trades import DUST, PERCENT, STEP_MIN, Trades, lots_of, sold_of
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions
from allotment.units import Bools, Floats


def household_costs(
    scip: Any, market: Market, problem: Problems, trades: Trades, options: SolveOptions
) -> list[Any]:
    """The terms of the objective, in percent of the value of all accounts together."""
    share = problem.value_usd / problem.value_usd.sum()
    costs = []
    for i in range(len(problem.held)):
        of_account = float(share[trades.account_of_name[i]])
        costs += [of_account * cost for cost in _name_costs(scip, problem, trades, i)]
        costs.append(of_account * _limit_cost(scip, problem, trades, i, options.limit_price))
    for a in range(problem.n_accounts):
        costs.append(float(share[a]) * _risk_cost(scip, market, problem, trades, a, options.te_price))
        costs.append(float(share[a]) * _cash_cost(scip, problem, trades, a, options.cash_price))
    costs += _row_costs(scip, problem, trades, share)
    if len(problem.regime_constant):
        costs.append(_year_cost(scip, problem, trades, share))
    return costs


def _name_costs(scip: Any, problem: Problems, trades: Trades, i: int) -> list[Any]:
    """Tax, spread, impact, charges, washes and utility of name i, in percent of its account's value."""
    a = int(trades.account_of_name[i])
    sold, bought = sold_of(problem, trades, i), trades.bought[i]
    usable = [lot for lot in lots_of(problem, i) if trades.usable[lot]]
    costs = [float(problem.lot_tax[lot]) * trades.sold[lot] for lot in usable]
    costs.append(float(problem.half_spread[i]) * (sold + bought))
    costs.append(-float(problem.utility[i]) * trades.weight[i])
    costs.append(PERCENT * float(problem.ticket_charge[a]) * trades.trades[i])
    if problem.lot_charge[a] > 0.0:
        for lot in usable:
            touched = scip.addVar(vtype="B")
            scip.addCons(trades.sold[lot] <= PERCENT * float(problem.lot_weight[lot]) * touched)
            costs.append(PERCENT * float(problem.lot_charge[a]) * touched)
    if problem.impact[i] > 0.0:
        square = scip.addVar(lb=0.0)
        net = trades.weight[i] - PERCENT * float(problem.held[i])
        scip.addCons(net * net <= square)
        costs.append(float(problem.impact[i]) / PERCENT * square)
    if trades.buyable[i]:
        costs.append(_wash_cost(scip, problem, bought, i))
    losses = [lot for lot in usable if problem.lot_is_loss[lot]]
    if problem.young[i] > 0.0 and problem.young_cost[i] > 0.0 and losses:
        most = float(problem.lot_weight[losses].sum())
        loss_sold = sum(trades.sold[lot] for lot in losses)
        washed = _first(scip, loss_sold, float(problem.young[i]), most)
        costs.append(float(problem.young_cost[i]) * washed)
    return costs


def _wash_cost(scip: Any, problem: Problems, bought: Any, i: int) -> Any:
    """Claims are washed one after the other: the next only when all of the one before is."""
    claims = range(int(problem.claims_from[i]), int(problem.claims_from[i + 1]))
    room = max(0.0, float(problem.weight_max[i] - problem.held[i]))
    cost, washed, full = 0.0 * bought, 0.0 * bought, 1.0
    for claim in claims:
        size = PERCENT * float(problem.claim_weight[claim])
        part, next_full = scip.addVar(lb=0.0, ub=size), scip.addVar(vtype="B")
        scip.addCons(part <= size * full)
        scip.addCons(part >= size * next_full)
        cost, washed, full = cost + float(problem.claim_cost[claim]) * part, washed + part, next_full
    if claims:
        rest = scip.addVar(lb=0.0)
        scip.addCons(rest <= PERCENT * room * full)
        scip.addCons(bought == washed + rest)
    return cost


def _first(scip: Any, weight: Any, first: float, most: float) -> Any:
    """min(weight, first) in percent, for a weight of at most `most`, at a positive price."""
    if most <= first:
        return weight
    least = scip.addVar(lb=0.0)
    beyond = scip.addVar(vtype="B")
    scip.addCons(least >= weight - PERCENT * (most - first) * beyond)
    scip.addCons(least >= PERCENT * first * beyond)
    return least


def _limit_cost(scip: Any, problem: Problems, trades: Trades, i: int, limit_price: float) -> Any:
    """Limits are kept; a name that breaks them today may also be held, or all of it sold, at a price."""
    held, low, high = float(problem.held[i]), float(problem.weight_min[i]), float(problem.weight_max[i])
    weight = trades.weight[i]
    if _excess(held, low, high) <= DUST:
        scip.addCons(weight >= PERCENT * low)
        scip.addCons(weight <= PERCENT * high)
        return 0.0 * weight
    total = float(problem.lot_weight[lots_of(problem, i)] @ trades.usable[lots_of(problem, i)])
    rest = held - total
    if rest >= DUST and problem.step[i] >= STEP_MIN:
        total = float(np.floor(total / problem.step[i] + STEP_MIN) * problem.step[i])
        rest = held - total
    rest = 0.0 if rest < DUST else rest
    holds = scip.addVar(vtype="B")
    sells_all = scip.addVar(vtype="B", ub=float(total > DUST))
    scip.addCons(holds + sells_all <= 1.0)
    scip.addCons(trades.trades[i] <= 1.0 - holds)
    scip.addCons(sold_of(problem, trades, i) >= PERCENT * total * sells_all)
    scip.addCons(trades.buys[i] <= 1.0 - sells_all)
    kept = 1.0 - holds - sells_all
    scip.addCons(weight >= PERCENT * low * kept)
    scip.addCons(weight <= PERCENT * high + PERCENT * max(0.0, held - high) * (holds + sells_all))
    paid = _excess(held, low, high) * holds + _excess(rest, low, high) * sells_all
    return PERCENT * limit_price * paid


def _excess(weight: float, low: float, high: float) -> float:
    return max(0.0, low - weight, weight - high)


def _risk_cost(scip: Any, market: Market, problem: Problems, trades: Trades, a: int, te_price: float) -> Any:
    """κ/2 TE² and the price of TE² beyond its limit; TE² is a sum of squares in percent²."""
    names = range(int(problem.names_from[a]), int(problem.names_from[a + 1]))
    loadings = market.loadings[problem.asset_ix]
    variance = market.specific_variance[problem.asset_ix]
    active = [trades.weight[i] - PERCENT * float(problem.benchmark[i]) for i in names]
    squares = []
    for i, part in zip(names, active, strict=True):
        square = scip.addVar(lb=0.0)
        scip.addCons(float(variance[i]) * part * part <= square)
        squares.append(square)
    for f in range(loadings.shape[1]):
        exposure, square = scip.addVar(lb=None), scip.addVar(lb=0.0)
        terms = [float(loadings[i, f]) * part for i, part in zip(names, active, strict=True)]
        scip.addCons(exposure == sum(terms))
        scip.addCons(exposure * exposure <= square)
        squares.append(square)
    half = 0.5 * sum(squares)
    beyond = scip.addVar(lb=0.0)
    if np.isfinite(problem.te_max[a]):
        scip.addCons(beyond >= half - 0.5 * (PERCENT * float(problem.te_max[a])) ** 2)
    return float(problem.risk_price[a]) / PERCENT * half + te_price / PERCENT * beyond


def _outside(scip: Any, value: Any, lower: float, upper: float) -> Any:
    """How far a value lies outside its ends, at a positive price."""
    excess = scip.addVar(lb=0.0)
    if np.isfinite(upper):
        scip.addCons(excess >= value - upper)
    if np.isfinite(lower):
        scip.addCons(excess >= lower - value)
    return excess


def _cash_cost(scip: Any, problem: Problems, trades: Trades, a: int, cash_price: float) -> Any:
    names = range(int(problem.names_from[a]), int(problem.names_from[a + 1]))
    change = sum(sold_of(problem, trades, i) - trades.bought[i] for i in names)
    low = float(problem.cash_min[a] - problem.cash[a])
    high = float(problem.cash_max[a] - problem.cash[a])
    return cash_price * _outside(scip, change, PERCENT * low, PERCENT * high)


def _row_costs(scip: Any, problem: Problems, trades: Trades, share: Floats) -> list[Any]:
    """Price × excess of each row; a joint row's excess is a fraction of all accounts' value already."""
    costs = []
    for a in range(problem.n_accounts):
        for r in range(int(problem.rows_from[a]), int(problem.rows_from[a + 1])):
            kind = RowKind(int(problem.row_kind[r]))
            scale = 1.0 if kind in {RowKind.TRADES, RowKind.HOLDINGS} else PERCENT
            if problem.row_joint[r]:
                each = range(problem.n_accounts)
                measure = sum(float(share[x]) * _measure(scip, problem, trades, x, kind) for x in each)
            elif kind == RowKind.LINEAR:
                measure = _linear(problem, trades, a, r)
            else:
                measure = _measure(scip, problem, trades, a, kind)
            lower, upper = float(problem.row_lower[r]) * scale, float(problem.row_upper[r]) * scale
            price = float(problem.row_price[r]) * (1.0 if problem.row_joint[r] else float(share[a]))
            costs.append(PERCENT / scale * price * _outside(scip, measure, lower, upper))
    return costs


def _linear(problem: Problems, trades: Trades, a: int, r: int) -> Any:
    first = int(problem.names_from[a])
    entries = range(int(problem.entries_from[r]), int(problem.entries_from[r + 1]))
    terms = [
        float(problem.entry_coefficient[e]) * trades.weight[first + int(problem.entry_name[e])]
        for e in entries
    ]
    return sum(terms, start=0.0 * trades.weight[first])


def _measure(scip: Any, problem: Problems, trades: Trades, a: int, kind: RowKind) -> Any:
    """What a row of this kind sums over account a: percent, or a number for counts."""
    names = range(int(problem.names_from[a]), int(problem.names_from[a + 1]))
    if kind == RowKind.TURNOVER:
        return 0.5 * sum(sold_of(problem, trades, i) + trades.bought[i] for i in names)
    if kind == RowKind.TRADES:
        return sum(trades.trades[i] for i in names)
    if kind == RowKind.HOLDINGS:
        return sum(_is_held(scip, problem, trades, i) for i in names)
    if kind == RowKind.BIG:
        return sum(_counted_if_big(scip, problem, trades, i, float(problem.big_from[a])) for i in names)
    if kind == RowKind.TAX:
        return _over_lots(problem, trades, a, problem.lot_tax)
    wanted: dict[RowKind, Bools] = {
        RowKind.GAIN_SHORT: ~problem.lot_is_long,
        RowKind.GAIN_LONG: problem.lot_is_long,
    }
    of_term = wanted.get(kind, np.ones(len(problem.lot_gain), np.bool_))
    return _over_lots(problem, trades, a, np.where(of_term, problem.lot_gain, 0.0))


def _over_lots(problem: Problems, trades: Trades, a: int, rate: Floats) -> Any:
    """Σ rate × weight sold over the lots of account a, in percent."""
    first = int(problem.names_from[a])
    lots = range(int(problem.lots_from[first]), int(problem.lots_from[problem.names_from[a + 1]]))
    terms = [float(rate[lot]) * trades.sold[lot] for lot in lots if trades.usable[lot]]
    return sum(terms, start=0.0 * trades.weight[first])


def _is_held(scip: Any, problem: Problems, trades: Trades, i: int) -> Any:
    """1 if the name is held after trading."""
    held = scip.addVar(vtype="B")
    most = float(max(problem.held[i], problem.weight_max[i]))
    scip.addCons(trades.weight[i] <= PERCENT * most * held)
    if problem.held[i] > 0.0:
        scip.addCons(held <= 1.0 - trades.closes[i])
    else:
        scip.addCons(held <= trades.buys[i])
    return held


def _counted_if_big(scip: Any, problem: Problems, trades: Trades, i: int, big_from: float) -> Any:
    """The weight after trading if it is above `big_from`, else 0; at the border whichever costs less."""
    weight, most = trades.weight[i], float(max(problem.held[i], problem.weight_max[i]))
    if most <= big_from:
        return 0.0 * weight
    is_big = scip.addVar(vtype="B")
    counted = scip.addVar(lb=0.0)
    scip.addCons(weight >= PERCENT * big_from * is_big)
    scip.addCons(weight <= PERCENT * big_from + PERCENT * (most - big_from) * is_big)
    scip.addCons(counted <= weight)
    scip.addCons(counted <= PERCENT * most * is_big)
    scip.addCons(counted >= weight - PERCENT * big_from * (1.0 - is_big))
    return counted


def _year_cost(scip: Any, problem: Problems, trades: Trades, share: Floats) -> Any:
    """The tax of the year: one regime is chosen, the gains lie inside it and are taxed by it.

    Each regime has gains of its own, zero unless it is chosen; together they are the real ones.
    """
    reach = _gain_ranges(problem, trades, share)
    each = range(problem.n_accounts)
    gains = [
        sum(float(share[a]) * _measure(scip, problem, trades, a, kind) for a in each)
        for kind in (RowKind.GAIN_SHORT, RowKind.GAIN_LONG)
    ]
    costs, chosen, parts = [], [], []
    for g in range(len(problem.regime_constant)):
        is_chosen = scip.addVar(vtype="B")
        part = [scip.addVar(lb=None), scip.addVar(lb=None)]
        for value, ends, lower, upper in zip(
            (*part, part[0] + part[1]), reach, problem.regime_lower[g], problem.regime_upper[g], strict=True
        ):
            # An end beyond what trades can reach says nothing; keep a little room around them.
            low, high = max(float(lower), ends[0] - DUST), min(float(upper), ends[1] + DUST)
            scip.addCons(value >= PERCENT * low * is_chosen)
            scip.addCons(value <= PERCENT * high * is_chosen)
        rates = float(problem.regime_short_rate[g]) * part[0] + float(problem.regime_long_rate[g]) * part[1]
        costs.append(PERCENT * float(problem.regime_constant[g]) * is_chosen + rates)
        chosen.append(is_chosen)
        parts.append(part)
    scip.addCons(sum(chosen) == 1.0)
    for term in range(2):
        scip.addCons(sum(part[term] for part in parts) == gains[term])
    return sum(costs)


def _gain_ranges(problem: Problems, trades: Trades, share: Floats) -> list[tuple[float, float]]:
    """Least and most short-term, long-term and total gain that any sales realise."""
    of_account = share[trades.account_of_name[trades.name_of_lot]]
    gain = of_account * problem.lot_gain * problem.lot_weight * trades.usable
    kinds = (~problem.lot_is_long, problem.lot_is_long, np.ones(len(gain), np.bool_))
    return [(float(gain[k & (gain < 0.0)].sum()), float(gain[k & (gain > 0.0)].sum())) for k in kinds]
