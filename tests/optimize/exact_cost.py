"""What given trades cost, and whether they are allowed: the docstring of `problem`, line by line.

Plain NumPy for one joint problem; nothing from the optimiser but the columns.
"""

from __future__ import annotations

import math

import numpy as np

from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions

_DUST = 1e-8  # weight; the solver answers to 1e-9


def cost_of(
    market: Market,
    problem: Problems,
    sold: np.ndarray,
    bought: np.ndarray,
    options: SolveOptions,
    *,
    dust: float = _DUST,
) -> float:
    """The objective of weights sold (L,) and bought (n,), a fraction of the value of all accounts.

    dust: trades, holdings and excesses over a size that are no larger count for nothing.
    """
    p = problem
    share = p.value_usd / p.value_usd.sum()
    total = _year(p, sold, share)
    measures = [_measures(p, a, sold, bought, dust) for a in range(p.n_accounts)]
    for a in range(p.n_accounts):
        total += share[a] * _account_cost(market, p, a, sold, bought, options, dust)
        for r in range(p.rows_from[a], p.rows_from[a + 1]):
            kind, weight = int(p.row_kind[r]), share[a]
            if p.row_joint[r]:
                value, weight = sum(share[x] * measures[x][kind] for x in range(p.n_accounts)), 1.0
            elif kind == RowKind.LINEAR:
                value = _linear(p, a, r, sold, bought)
            else:
                value = measures[a][kind]
            total += weight * p.row_price[r] * _excess(value, p.row_lower[r], p.row_upper[r])
    return float(total)


def broken_rules(market: Market, problem: Problems, sold: np.ndarray, bought: np.ndarray) -> list[str]:
    """The hard rules that these trades break, in words."""
    p = problem
    name, account = _name_of_lot(p), _account_of_name(p)
    sold_of_name = np.bincount(name, sold, minlength=len(p.held))
    after = p.held + bought - sold_of_name
    traded = (sold_of_name > _DUST) | (bought > _DUST)
    closed = (after < _DUST) & (p.held > 0)
    young = (p.young > 0) & np.isinf(p.young_cost)
    barred = ~p.lot_sellable | ~p.may_sell[name] | (p.lot_is_loss & young[name])
    bars = [np.isinf(p.claim_cost[slice(*p.claims_from[i : i + 2])]).any() for i in range(len(p.held))]
    blocked = ~p.may_buy | np.array(bars)
    group = market.group_ix[p.asset_ix]
    loss_groups = group[name[(sold > _DUST) & p.lot_is_loss]]
    steps = np.divide(after - p.held, p.step, out=np.zeros(len(after)), where=p.step >= 1e-7)
    rules = {
        "sells more than a lot holds": (sold < 0) | (sold > p.lot_weight + _DUST),
        "sells a lot that may not be sold": (sold > _DUST) & barred,
        "is short": after < -_DUST,
        "buys a blocked name": (bought > _DUST) & blocked,
        "trades a name both ways": (sold_of_name > _DUST) & (bought > _DUST) & ~_may_rebuy(p),
        "buys back too little a sale": (bought > _DUST)
        & (sold_of_name > _DUST)
        & (sold_of_name < p.trade_min[account] - _DUST),
        "sells a loss and buys its group": (bought > _DUST) & np.isin(group, loss_groups),
        "trades too little": traded & ~closed & (sold_of_name + bought < p.trade_min[account] - _DUST),
        "holds too little": traded & ~closed & (after < p.holding_min[account] - _DUST),
        "trades a fraction of a step": ~closed & (np.abs(steps - np.round(steps)) * p.step > _DUST),
        "sells out of order": [not _in_order(p, i, sold) for i in np.flatnonzero(p.in_order[account])],
        "leaves its limits": [
            not _limits_kept(p, i, after[i], sold_of_name[i], ~barred) for i in range(len(after))
        ],
    }
    return [rule for rule, cases in rules.items() if np.any(cases)]


def _may_rebuy(p: Problems) -> np.ndarray:
    """Names that may be sold and bought back at once."""
    allowed = p.may_rebuy & p.may_buy & (np.diff(p.claims_from) == 0) & ~p.in_order[_account_of_name(p)]
    for i in np.flatnonzero(p.step >= 1e-7):
        lots = slice(int(p.lots_from[i]), int(p.lots_from[i + 1]))
        steps = p.lot_weight[lots][~p.lot_is_loss[lots]] / p.step[i]
        allowed[i] &= bool((np.abs(steps - np.round(steps)) <= 1e-7).all())
    return np.asarray(allowed)


def _account_cost(
    market: Market,
    p: Problems,
    a: int,
    sold: np.ndarray,
    bought: np.ndarray,
    options: SolveOptions,
    dust: float,
) -> float:
    name = _name_of_lot(p)
    own = slice(int(p.names_from[a]), int(p.names_from[a + 1]))
    sold_of_name = np.bincount(name, sold, minlength=len(p.held))
    after = p.held + bought - sold_of_name
    active = (after - p.benchmark)[own]
    B, d = market.loadings[p.asset_ix[own]], market.specific_variance[p.asset_ix[own]]
    variance = np.sum((B.T @ active) ** 2) + np.sum(d * active**2)
    cost = p.risk_price[a] / 2 * variance
    if np.isfinite(p.te_max[a]):
        cost += options.te_price * max(0.0, 0.5 * (variance - p.te_max[a] ** 2))
    cash = p.cash[a] + sold_of_name[own].sum() - bought[own].sum()
    cost += options.cash_price * _excess(cash, p.cash_min[a], p.cash_max[a])
    for i in range(own.start, own.stop):
        lots = range(int(p.lots_from[i]), int(p.lots_from[i + 1]))
        cost += sum(p.lot_tax[lot] * sold[lot] for lot in lots)
        cost += p.half_spread[i] * (sold_of_name[i] + bought[i])
        cost += p.impact[i] * (bought[i] - sold_of_name[i]) ** 2
        cost += p.ticket_charge[a] * (sold_of_name[i] + bought[i] > dust)
        cost += p.lot_charge[a] * sum(sold[lot] > dust for lot in lots)
        left = bought[i]
        for claim in range(int(p.claims_from[i]), int(p.claims_from[i + 1])):
            washed = min(left, p.claim_weight[claim])
            cost += p.claim_cost[claim] * washed if washed > dust else 0.0
            left -= washed
        washed = min(sum(sold[lot] for lot in lots if p.lot_is_loss[lot]), p.young[i])
        cost += p.young_cost[i] * washed if washed > dust else 0.0
        cost -= p.utility[i] * after[i]
        outside = _excess(after[i], p.weight_min[i], p.weight_max[i])
        cost += options.limit_price * outside if outside > dust else 0.0
    return float(cost)


def _measures(p: Problems, a: int, sold: np.ndarray, bought: np.ndarray, dust: float) -> dict[int, float]:
    """What rows of every kind but LINEAR sum over account a."""
    name = _name_of_lot(p)
    own = slice(int(p.names_from[a]), int(p.names_from[a + 1]))
    lots = slice(int(p.lots_from[own.start]), int(p.lots_from[own.stop]))
    sold_of_name = np.bincount(name, sold, minlength=len(p.held))[own]
    after = p.held[own] + bought[own] - sold_of_name
    gain, long = p.lot_gain[lots] * sold[lots], p.lot_is_long[lots]
    return {
        RowKind.TURNOVER: 0.5 * (sold[lots].sum() + bought[own].sum()),
        RowKind.GAIN_SHORT: gain[~long].sum(),
        RowKind.GAIN_LONG: gain[long].sum(),
        RowKind.GAIN: gain.sum(),
        RowKind.TAX: (p.lot_tax[lots] * sold[lots]).sum(),
        RowKind.TRADES: np.count_nonzero(sold_of_name + bought[own] > dust),
        RowKind.HOLDINGS: np.count_nonzero(after > dust),
        RowKind.BIG: after[after > p.big_from[a] + dust].sum(),
    }


def _linear(p: Problems, a: int, r: int, sold: np.ndarray, bought: np.ndarray) -> float:
    after = p.held + bought - np.bincount(_name_of_lot(p), sold, minlength=len(p.held))
    entries = slice(int(p.entries_from[r]), int(p.entries_from[r + 1]))
    return float(p.entry_coefficient[entries] @ after[p.names_from[a] + p.entry_name[entries]])


def _year(p: Problems, sold: np.ndarray, share: np.ndarray) -> float:
    """The tax of the regime that holds the gains; at a shared end, of the cheaper one."""
    if len(p.regime_constant) == 0:
        return 0.0
    gain = share[_account_of_name(p)[_name_of_lot(p)]] * p.lot_gain * sold
    short, long = gain[~p.lot_is_long].sum(), gain[p.lot_is_long].sum()
    point = np.array([short, long, short + long])
    inside = (point >= p.regime_lower - _DUST) & (point <= p.regime_upper + _DUST)
    taxes = p.regime_constant + p.regime_short_rate * short + p.regime_long_rate * long
    return float(taxes[inside.all(axis=1)].min())


def _limits_kept(p: Problems, i: int, after: float, sold: float, free: np.ndarray) -> bool:
    """Inside the limits; or, when what is held breaks them, held or sold as far as possible."""
    if _excess(after, p.weight_min[i], p.weight_max[i]) <= _DUST:
        return True
    if _excess(p.held[i], p.weight_min[i], p.weight_max[i]) <= 1e-12:
        return False
    if abs(after - p.held[i]) <= _DUST:
        return True
    most = 0.0
    for lot in range(int(p.lots_from[i]), int(p.lots_from[i + 1])):
        if free[lot]:
            most += p.lot_weight[lot]
        elif p.in_order[_account_of_name(p)[i]] and p.lot_weight[lot] > 0:
            break
    if p.step[i] >= 1e-7 and p.held[i] - most > 1e-12:
        most = math.floor(most / p.step[i] + 1e-7) * p.step[i]
    return most - sold <= _DUST


def _in_order(p: Problems, i: int, sold: np.ndarray) -> bool:
    """Every lot before one that is sold from is gone."""
    lots = range(int(p.lots_from[i]), int(p.lots_from[i + 1]))
    touched = [lot for lot in lots if sold[lot] > _DUST]
    return all(sold[lot] >= p.lot_weight[lot] - _DUST for lot in lots if touched and lot < touched[-1])


def _excess(value: float, lower: float, upper: float) -> float:
    return max(0.0, lower - value, value - upper)


def _name_of_lot(p: Problems) -> np.ndarray:
    return np.repeat(np.arange(len(p.held)), np.diff(p.lots_from))


def _account_of_name(p: Problems) -> np.ndarray:
    return np.repeat(np.arange(p.n_accounts), np.diff(p.names_from))
