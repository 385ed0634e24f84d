"""The lower bound that multipliers prove."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allotment.optimize.checker.names import GAIN, GAIN_LONG, GAIN_SHORT, Names


def bound_of(
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
    names = Names(p, account, q, curvature, share[account], charge[account], options.limit_price)
    modes = np.full((2, int(group.max(initial=0)) + 1), 0.0)  # a group sells losses or buys, never both
    for mode in (0, 1):
        np.add.at(modes[mode], group, names.least(year, mode == 0))
    return float(total + modes.min(axis=0).sum())


def _support(multiplier: float, lower: float, upper: float, price: float) -> float:
    """upper × multiplier⁺ − lower × multiplier⁻; infinite beyond the price of relaxing."""
    if abs(multiplier) > price * (1 + 1e-12):
        return math.inf
    return 0.0 if multiplier == 0 else multiplier * (upper if multiplier > 0 else lower)
