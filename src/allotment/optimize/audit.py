"""The convex core of one account as plain arrays, for an auditor with a general solver.

The choices that make the problem non-convex (who sells, who buys, what is closed, which lots are
reached, which washes are paid) are taken as an answer took them. What is left is a quadratic
program in the weight sold of each lot and bought of each name; share steps are left out, so its
least cost may lie a little below that of the answer, never above.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.claims import is_barred, is_claimed
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.units import Floats

Arrays = dict[str, np.ndarray]
_DUST = 1e-12  # weights closer than this are the same
_MOST = 10.0  # of account value: no bound


class _Choices(NamedTuple):
    """What the answer chose, as bounds that its trades lie within."""

    sold_min: Floats  # (L,)
    sold_max: Floats
    name_sold_min: Floats  # (n,)
    bought_min: Floats
    bought_max: Floats
    weight_least: Floats
    weight_most: Floats


def audit_arrays(market: Market, problem: Problems, answer: Solutions, options: SolveOptions) -> Arrays:
    """The convex core of a batch of one account around its answer, solved or relaxed.

    Names n, lots L, rows R, factors k. Costs are fractions of account value; `constant` holds the
    charges of what was chosen. A row with an infinite price is never broken. docs/how-to/audit.md
    tells every array.
    """
    assert problem.n_accounts == 1
    name = owners(problem.lots_from)
    sold, bought, weight = answer.sold, answer.bought, answer.weight
    out = np.bincount(name, sold, minlength=len(bought)).astype(np.float64)
    lost = np.bincount(name, sold * problem.lot_is_loss, minlength=len(bought)).astype(np.float64)
    choices = _choices(market, problem, answer, name, out)
    constant = float(problem.ticket_charge[0]) * float(np.count_nonzero(out + bought > 0.0))
    constant += float(problem.lot_charge[0]) * float(np.count_nonzero(sold > 0.0))
    bought_cost, bought_min, bought_max, exposed = _claims_washed(
        problem, bought, choices.bought_min, choices.bought_max
    )
    loss_cost, lost_min, lost_max, young = _washed(
        lost, problem.young, problem.young_cost, np.zeros(len(bought)), np.full(len(bought), _MOST)
    )
    rows = _rows(problem, out, bought, weight)
    tax, year = _year(problem, sold, rows)
    return {
        "loadings": market.loadings[problem.asset_ix],
        "specific_variance": market.specific_variance[problem.asset_ix],
        "benchmark": problem.benchmark,
        "held": problem.held,
        "utility": problem.utility,
        "half_spread": problem.half_spread,
        "impact": problem.impact,
        "weight_min": problem.weight_min,
        "weight_max": problem.weight_max,
        "lot_name": name,
        "lot_tax": tax,
        "lot_is_loss": problem.lot_is_loss,
        "bought_cost": bought_cost,
        "loss_cost": loss_cost,
        "lost_min": lost_min,
        "lost_max": lost_max,
        **choices._replace(bought_min=bought_min, bought_max=bought_max)._asdict(),
        **rows,
        "risk_price": problem.risk_price[0],
        "te_max": problem.te_max[0],
        "te_price": np.float64(options.te_price),
        "cash": problem.cash[0],
        "cash_min": problem.cash_min[0],
        "cash_max": problem.cash_max[0],
        "cash_price": np.float64(options.cash_price),
        "limit_price": np.float64(options.limit_price),
        "constant": np.float64(constant + exposed + young + year),
        "our_sold": sold,
        "our_bought": bought,
        "our_objective": answer.objective[0],
        "our_lower_bound": answer.lower_bound[0],
    }


def _choices(market: Market, p: Problems, answer: Solutions, name: Any, out: Floats) -> _Choices:
    sold, bought, weight = answer.sold, answer.bought, answer.weight
    group = market.group_ix[p.asset_ix]
    buying = np.isin(group, group[bought > 0.0])
    losing = np.isin(group, group[np.unique(name[(sold > 0.0) & p.lot_is_loss])])
    counts_trades = bool((p.row_kind == RowKind.TRADES).any())
    fixed = bool(p.trade_min[0] > 0 or p.ticket_charge[0] > 0 or p.holding_min[0] > 0 or counts_trades)
    closed = (weight <= 0.0) & (p.held > 0.0)
    traded = out + bought > 0.0
    barred = ((p.young > 0.0) & np.isinf(p.young_cost))[name] & p.lot_is_loss
    usable = p.lot_sellable & p.may_sell[name] & ~barred & ~(buying[name] & p.lot_is_loss)
    sells = (out > 0.0) if fixed else ~closed & ((out > 0.0) | (bought == 0.0))
    sold_max = np.where(usable & sells[name], p.lot_weight, 0.0)
    if p.lot_charge[0] > 0.0:
        sold_max = np.where(sold > 0.0, sold_max, 0.0)
    sold_min = np.zeros(len(sold))
    if p.in_order[0]:
        last = np.append(name[1:] != name[:-1], True) | np.append(sold[1:] <= 0.0, True)
        sold_min = np.where((sold > 0.0) & ~last, sold, 0.0)
        sold_max = np.where(sold > 0.0, p.lot_weight, 0.0)
    whole = closed[name]
    sold_min, sold_max = np.where(whole, sold, sold_min), np.where(whole, sold, np.maximum(sold_max, sold))
    # Where nothing is fixed, a name that has not moved is left the side of sales alone.
    idle = np.bincount(name, sold_max, minlength=len(out)) == 0.0
    buys = (bought > 0.0) if fixed else (p.may_buy & ~is_barred(p) & ~losing & (weight > 0.0))
    buys &= (bought > 0.0) | idle
    least, big = float(p.trade_min[0]), weight > p.big_from[0]
    counts_big = bool((p.row_kind == RowKind.BIG).any())
    smallest = np.where(traded & ~closed & (weight > 0.0), np.minimum(p.holding_min[0], weight), 0.0)
    edge = float(p.big_from[0]) if counts_big else 0.0
    return _Choices(
        sold_min=sold_min,
        sold_max=sold_max,
        name_sold_min=np.where((out > 0.0) & ~closed, np.minimum(least, out), 0.0),
        bought_min=np.where(bought > 0.0, np.minimum(least, bought), 0.0),
        bought_max=np.where(buys, _MOST, 0.0),
        weight_least=np.where(big & counts_big, np.maximum(smallest, edge), smallest),
        weight_most=np.where(~big & counts_big, edge, _MOST),
    )


def _claims_washed(
    p: Problems, bought: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats, Floats, float]:
    """Price per unit, ends and fixed cost of purchases, on the claim that the last share bought washes."""
    cost, low, high, fixed = np.zeros(len(bought)), low.copy(), high.copy(), 0.0
    for i in np.flatnonzero(is_claimed(p) & ~is_barred(p)).tolist():
        older = 0.0
        for claim in range(int(p.claims_from[i]), int(p.claims_from[i + 1])):
            newer, per_unit = older + float(p.claim_weight[claim]), float(p.claim_cost[claim])
            if bought[i] <= newer:
                cost[i], low[i], high[i] = per_unit, max(low[i], older), min(high[i], newer)
                fixed -= per_unit * older
                break
            fixed += per_unit * (newer - older)
            older = newer
        else:
            low[i] = max(low[i], older)
    return cost, low, high, fixed


def _washed(
    amount: Floats, first: Floats, per_unit: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats, Floats, float]:
    """Price per unit, ends and fixed cost of what washes on its `first` part, on the answer's side of it."""
    priced = (first > 0.0) & np.isfinite(per_unit)
    beyond = priced & (amount > first)
    within = priced & ~beyond
    cost = np.where(within, per_unit, 0.0)
    ends = np.where(beyond, np.maximum(low, first), low), np.where(within, np.minimum(high, first), high)
    return cost, *ends, float((first * np.where(beyond, per_unit, 0.0))[beyond].sum())


def _rows(p: Problems, out: Floats, bought: Floats, weight: Floats) -> Arrays:
    """Each row as coefficients of weights, lots and purchases, and a constant that was chosen."""
    n, n_lots, n_rows = len(p.held), len(p.lot_weight), len(p.row_kind)
    on_weight, on_sold = np.zeros((n_rows, n)), np.zeros((n_rows, n_lots))
    on_bought, fixed = np.zeros((n_rows, n)), np.zeros(n_rows)
    long = p.lot_is_long
    of_lots = {
        RowKind.TURNOVER: np.full(n_lots, 0.5),
        RowKind.GAIN_SHORT: p.lot_gain * ~long,
        RowKind.GAIN_LONG: p.lot_gain * long,
        RowKind.GAIN: p.lot_gain,
        RowKind.TAX: p.lot_tax,
    }
    for r in range(n_rows):
        kind = RowKind(int(p.row_kind[r]))
        entries = slice(int(p.entries_from[r]), int(p.entries_from[r + 1]))
        np.add.at(on_weight[r], p.entry_name[entries], p.entry_coefficient[entries])
        on_sold[r] = of_lots.get(kind, 0.0)
        on_bought[r] = 0.5 * (kind == RowKind.TURNOVER)
        on_weight[r] += (weight > p.big_from[0]) * float(kind == RowKind.BIG)
        fixed[r] = np.count_nonzero(out + bought > 0.0) if kind == RowKind.TRADES else fixed[r]
        fixed[r] = np.count_nonzero(weight > 0.0) if kind == RowKind.HOLDINGS else fixed[r]
    ends = {"row_lower": p.row_lower, "row_upper": p.row_upper, "row_price": p.row_price}
    return {
        "row_weight": on_weight,
        "row_sold": on_sold,
        "row_bought": on_bought,
        "row_constant": fixed,
        **ends,
    }


def _year(p: Problems, sold: Floats, rows: Arrays) -> tuple[Floats, float]:
    """Tax per unit of each lot in the regime of the answer's year, whose ends become rows; its constant."""
    if len(p.regime_constant) == 0:
        return p.lot_tax, 0.0
    short, long = p.lot_gain * ~p.lot_is_long, p.lot_gain * p.lot_is_long
    on_sold = np.array([short, long, p.lot_gain])
    gains = on_sold @ sold
    outside = np.maximum(p.regime_lower - gains, gains - p.regime_upper).max(axis=1)
    g = int(np.argmin(np.maximum(outside, 0.0)))
    ends = np.minimum(p.regime_lower[g], gains), np.maximum(p.regime_upper[g], gains)
    nothing = np.zeros((3, len(p.held)))
    more = {
        "row_weight": nothing,
        "row_sold": on_sold,
        "row_bought": nothing,
        "row_constant": np.zeros(3),
        "row_lower": ends[0],
        "row_upper": ends[1],
        "row_price": np.full(3, np.inf),
    }
    for column, part in more.items():
        rows[column] = np.concatenate([rows[column], part])
    rate = np.where(p.lot_is_long, p.regime_long_rate[g], p.regime_short_rate[g])
    return p.lot_tax + rate * p.lot_gain, float(p.regime_constant[g])
