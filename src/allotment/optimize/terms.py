"""What the trade of each name changes in the objective, term by term, against doing nothing.

The terms of all names and of what they keep together add up to the objective less that of holding.
Risk is quadratic, so what a trade is worth depends on the others. Each gets the average of being
the first and of being the last, κ Δᵢ (Σ(active before + active after)/2)ᵢ, which adds up exactly
and leaves nothing over; `shared` is the half of its interaction with the others that is in it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from allotment.optimize.claims import wash_cost
from allotment.optimize.decision import Decision, entry_names, excess, realised, regime_of, year_tax
from allotment.optimize.offsets import owners
from allotment.optimize.problem import RowKind, SolveOptions
from allotment.units import Floats

_EXCESS_MIN = 1e-9  # as in settling: a smaller excess is rounding of floats, and free
_LIMIT_EXCESS_MIN = 1e-12


class NameTerms(NamedTuple):
    """Per name of a decision (n,): changes in fractions of its account's value, negative when good."""

    tax_short: Floats  # of short-term lots: lot_tax × weight sold
    tax_long: Floats
    year: Floats  # of the year's tax, at the rates of the regime that the answer lies in
    half_spread: Floats
    impact: Floats
    ticket: Floats
    lot_charge: Floats
    wash: Floats
    utility: Floats  # less utility is a cost
    limit: Floats  # price of lying outside the name's limits
    specific: Floats  # risk of its own
    factors: Floats  # (n, k) risk through each factor

    def total(self) -> Floats:
        """All terms of each name (n,)."""
        total = self.factors.sum(axis=1) + sum(column for column in self if column.ndim == 1)
        return np.asarray(total)


class SharedTerms(NamedTuple):
    """What the trades of an account change only together. Per account (A,), rows (R,), or one figure."""

    cash: Floats  # price of cash outside its band
    te: Floats  # price of tracking error beyond its limit
    row: Floats  # (R,) price of what a row is missed by
    year: float  # of all accounts: tax of the year that the rates of the answer's regime leave out


class Terms(NamedTuple):
    """A decision's difference from holding, taken apart."""

    names: NameTerms
    shared: SharedTerms
    interaction: Floats  # (n,) part of the names' factor risk that comes from the other trades


def terms_of(decision: Decision, options: SolveOptions) -> Terms:
    """The terms of a decision that was solved with these options."""
    p, d = decision.problem, decision
    a = d.account
    tax = p.lot_tax * d.sold
    gain = p.lot_gain * d.sold
    rate_short, rate_long = _rates(d)
    lost = d.by_name(d.sold * p.lot_is_loss)
    move = d.weight - p.held
    factors, specific, interaction = _risk(d, move)
    names = NameTerms(
        tax_short=d.by_name(tax * ~p.lot_is_long),
        tax_long=d.by_name(tax * p.lot_is_long),
        year=d.by_name(gain * np.where(p.lot_is_long, rate_long, rate_short)),
        half_spread=p.half_spread * d.traded,
        impact=p.impact * move**2 * (d.traded > 0.0),
        ticket=p.ticket_charge[a] * (d.traded > 0.0),
        lot_charge=p.lot_charge[a] * d.by_name(d.sold > 0.0),
        wash=wash_cost(p, d.bought) + _washed(lost, p.young, p.young_cost),
        utility=-p.utility * move,
        limit=options.limit_price * (_outside(d, d.weight) - _outside(d, p.held)),
        specific=specific,
        factors=factors,
    )
    return Terms(names, _together(d, options, rate_short, rate_long), interaction)


def _rates(d: Decision) -> tuple[float, float]:
    if d.regime < 0:
        return 0.0, 0.0
    p = d.problem
    return float(p.regime_short_rate[d.regime]), float(p.regime_long_rate[d.regime])


def _washed(amount: Floats, first: Floats, cost: Floats) -> Floats:
    """The cost of the first weights; an infinite one is a bar, where nothing is washed."""
    washed = np.minimum(amount, first)
    return np.where(washed > 0.0, washed * np.where(np.isfinite(cost), cost, 0.0), 0.0)


def _outside(d: Decision, weight: Floats) -> Floats:
    return excess(weight, d.problem.weight_min, d.problem.weight_max, _LIMIT_EXCESS_MIN)


def _risk(d: Decision, move: Floats) -> tuple[Floats, Floats, Floats]:
    """Risk of each name through each factor and of its own, and the part that other trades make."""
    p, market, a = d.problem, d.market, d.account
    B, variance = market.loadings[p.asset_ix], market.specific_variance[p.asset_ix]
    price = p.risk_price[a]
    middle = (d.weight + p.held) / 2 - p.benchmark
    n_accounts = p.n_accounts
    y, moved = np.zeros((n_accounts, B.shape[1])), np.zeros((n_accounts, B.shape[1]))
    for account in range(n_accounts):
        mine = slice(int(p.names_from[account]), int(p.names_from[account + 1]))
        y[account] = (B[mine] * middle[mine, None]).sum(axis=0)
        moved[account] = (B[mine] * move[mine, None]).sum(axis=0)
    factors = (price * move)[:, None] * B * y[a]
    others = (B * (moved[a] - B * move[:, None])).sum(axis=1)
    return factors, price * variance * move * middle, price * move * others / 2


def _together(d: Decision, options: SolveOptions, rate_short: float, rate_long: float) -> SharedTerms:
    p = d.problem
    flow = np.bincount(d.account, p.held - d.weight, minlength=p.n_accounts)
    cash = [excess(x, p.cash_min, p.cash_max, _EXCESS_MIN) for x in (p.cash, p.cash + flow)]
    te = [_te_excess(d, weight) for weight in (p.held, d.weight)]
    rows = [excess(x, p.row_lower, p.row_upper, _EXCESS_MIN) for x in (rows_at_hold(d), d.row_value)]
    lot_account = d.account[d.lot_name]
    gains = realised(p, d.share, lot_account, d.sold)
    year = year_tax(p, gains) - year_tax(p, np.zeros(3)) - rate_short * gains[0] - rate_long * gains[1]
    assert d.regime == regime_of(p, gains)
    return SharedTerms(
        cash=options.cash_price * (cash[1] - cash[0]),
        te=options.te_price * (te[1] - te[0]),
        row=p.row_price * (rows[1] - rows[0]),
        year=year,
    )


def _te_excess(d: Decision, weight: Floats) -> Floats:
    """Half variance of each account beyond its limit (A,)."""
    p, market = d.problem, d.market
    beyond = np.zeros(p.n_accounts)
    for a in np.flatnonzero(np.isfinite(p.te_max)):
        mine = slice(int(p.names_from[a]), int(p.names_from[a + 1]))
        active, assets = (weight - p.benchmark)[mine], p.asset_ix[mine]
        exposure = (market.loadings[assets] * active[:, None]).sum(axis=0)
        variance = float((exposure**2).sum() + (market.specific_variance[assets] * active**2).sum())
        most = float(p.te_max[a])
        if math.sqrt(variance) > most * (1.0 + _EXCESS_MIN):
            beyond[a] = (variance - most**2) / 2
    return beyond


def rows_at_hold(d: Decision) -> Floats:
    """What each row counts (R,) when nothing is traded."""
    p = d.problem
    counts = np.zeros((p.n_accounts, len(RowKind)))
    held, n_accounts = p.held, p.n_accounts
    counts[:, RowKind.HOLDINGS] = np.bincount(d.account, held > 0.0, minlength=n_accounts)
    big = held > p.big_from[d.account]
    counts[:, RowKind.BIG] = np.bincount(d.account, np.where(big, held, 0.0), minlength=n_accounts)
    return row_values(d, held, counts)


def row_values(d: Decision, weight: Floats, counts: Floats) -> Floats:
    """What each row sums to (R,) at these weights and counts per account and kind (A, N_KINDS)."""
    p = d.problem
    row = owners(p.entries_from)
    linear = np.bincount(row, p.entry_coefficient * weight[entry_names(p)], minlength=len(p.row_kind))
    account = owners(p.rows_from)
    own = counts[account, p.row_kind]
    together = (d.share[:, None] * counts).sum(axis=0)[p.row_kind]
    return np.where(p.row_kind == RowKind.LINEAR, linear, np.where(p.row_joint, together, own))
