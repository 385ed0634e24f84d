"""An independent judge of answers: plain NumPy, nothing from the rest of the optimiser.

For one problem it recomputes which hard rules an answer breaks (`rules`), what the answer costs, and the
lower bound that its multipliers prove (`bound`, from the least that each name can cost: `names`). Slow and
obvious on purpose. Columns are those of `problem.Market`, `problem.Problems`, `solution.Solutions`; any
object with them will do.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.checker.bound import bound_of
from allotment.optimize.checker.names import GAIN, GAIN_LONG, GAIN_SHORT, excess
from allotment.optimize.checker.rules import broken_rules, rebuyable

__all__ = ["Verdict", "broken_rules", "judge"]


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
    p = p._replace(may_rebuy=rebuyable(p, account, of_lot))
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
            over = 0.0 if p.row_joint[r] else excess(value, p.row_lower[r], p.row_upper[r])
            objective += share[a] * p.row_price[r] * over
    objective += np.sum((p.row_price * excess(joint, p.row_lower, p.row_upper))[p.row_joint])
    if len(p.regime_constant):
        g = int(np.argmin(excess(gains, p.regime_lower, p.regime_upper).max(axis=1)))
        objective += (
            p.regime_constant[g] + p.regime_short_rate[g] * gains[0] + p.regime_long_rate[g] * gains[1]
        )
    cases = range(int(solutions.cases_from[j]), int(solutions.cases_from[j + 1]))
    proofs = [solutions.theta[solutions.theta_from[c] : solutions.theta_from[c + 1]] for c in cases]
    bounds = [bound_of(market, p, proof, g, share, account, group, options) for g, proof in enumerate(proofs)]
    return Verdict(broken, float(objective), min(*bounds, float(objective)) if bounds else math.nan)


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
    cost += options.cash_price * excess(cash, p.cash_min[a], p.cash_max[a])
    cost += options.limit_price * np.sum(excess(x, p.weight_min[mine], p.weight_max[mine]))
    long = p.lot_is_long[lots]
    short_gain, long_gain = np.sum((wt * s)[~long]), np.sum((wt * s)[long])
    big = x[x > p.big_from[a] + 1e-12].sum()  # sums of trades are rounded
    counts = [0, (out + b).sum() / 2, short_gain, long_gain, short_gain + long_gain, tax @ s]
    return float(cost), te2, np.array([*counts, traded.sum(), np.sum(x > 0), big])
