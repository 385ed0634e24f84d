"""One problem of a batch with its answer and the prices that prove it, ready to be explained.

The prices are the multipliers of the certificate (`Solutions.theta`), of the regime of the year that
the answer lies in. They are marginal and held fixed by whoever explains: what a name does at
these prices is exact for the name, and bounds what the whole account can do from below.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from allotment.optimize.offsets import n_under, owners
from allotment.optimize.problem import Market, Problems, RowKind
from allotment.optimize.solution import Solutions, Status
from allotment.units import Bools, Floats, Index

N_KINDS = len(RowKind)
_GAINS = (RowKind.GAIN_SHORT, RowKind.GAIN_LONG, RowKind.GAIN)


class Prices(NamedTuple):
    """Multipliers as the names of each account feel them, in fractions of the account's value.

    A price is the cost of one unit more: positive where more is unwelcome.
    """

    risk: Floats  # (A,) κ, that of a tracking-error limit included
    factor: Floats  # (A, k) π, of factor exposure
    cash: Floats  # (A,) of weight held instead of cash
    row: Floats  # (R,) of what row r counts
    kind: Floats  # (A, N_KINDS) of what rows count, by RowKind, the year's rates and ends included
    weight: Floats  # (n,) of weight of the name: factors, cash and linear rows, less its utility


class Decision(NamedTuple):
    """A accounts with n names, L lots and R rows that were decided together."""

    market: Market
    problem: Problems  # a batch of one problem
    weight: Floats  # (n,) after trading
    bought: Floats  # (n,)
    sold: Floats  # (L,)
    sold_of_name: Floats  # (n,)
    row_value: Floats  # (R,)
    objective: Floats  # (A,) see `Solutions`
    hold_objective: Floats  # (A,)
    gap: float  # fraction of the value of all accounts
    share: Floats  # (A,) of each account in the value of all
    account: Index  # (n,) number of the name's account, from 0
    lot_name: Index  # (L,) number of the lot's name, from 0
    regime: int  # of the year, that the answer lies in; −1 without
    prices: Prices

    @property
    def traded(self) -> Floats:
        """Weight sold plus weight bought (n,)."""
        return self.sold_of_name + self.bought

    def names_of(self, member: int) -> slice:
        """The names of one of its accounts."""
        first, last = self.problem.names_from[member : member + 2]
        return slice(int(first), int(last))

    def lots_of(self, member: int) -> slice:
        """The lots of one of its accounts."""
        names = self.names_of(member)
        return slice(int(self.problem.lots_from[names.start]), int(self.problem.lots_from[names.stop]))

    def by_name(self, of_lot: Floats | Bools) -> Floats:
        """A column of the lots (L,) summed over each name's (n,)."""
        return np.asarray(np.bincount(self.lot_name, of_lot, minlength=len(self.weight)), np.float64)


def decision_of(market: Market, problems: Problems, solutions: Solutions, j: int) -> Decision | None:
    """Problem j of a batch and its answer; None when it has none that could be explained."""
    a = slice(int(problems.joint_from[j]), int(problems.joint_from[j + 1]))
    status = solutions.status[a]
    if not np.isin(status, (Status.SOLVED, Status.RELAXED)).all():
        return None
    names = slice(int(problems.names_from[a.start]), int(problems.names_from[a.stop]))
    lots = slice(int(problems.lots_from[names.start]), int(problems.lots_from[names.stop]))
    rows = slice(int(problems.rows_from[a.start]), int(problems.rows_from[a.stop]))
    problem = problems.problems(j, j + 1)
    account = owners(problem.names_from).astype(np.int32)
    lot_name = owners(problem.lots_from).astype(np.int32)
    sold = solutions.sold[lots]
    share = problem.value_usd / problem.value_usd.sum()
    regime = _regime(problem, share, account[lot_name], sold)
    case = int(solutions.cases_from[j]) + max(regime, 0)
    theta = solutions.theta[solutions.theta_from[case] : solutions.theta_from[case + 1]]
    return Decision(
        market=market,
        problem=problem,
        weight=solutions.weight[names],
        bought=solutions.bought[names],
        sold=sold,
        sold_of_name=np.bincount(lot_name, sold, minlength=len(account)).astype(np.float64),
        row_value=solutions.row_value[rows],
        objective=solutions.objective[a],
        hold_objective=solutions.hold_objective[a],
        gap=float(solutions.gap[a.start]),
        share=share,
        account=account,
        lot_name=lot_name,
        regime=regime,
        prices=prices_at(market, problem, theta, regime),
    )


def prices_at(market: Market, problem: Problems, theta: Floats, regime: int) -> Prices:
    """The multipliers of one case of one problem, taken apart; see `Solutions.theta`."""
    n_accounts, k = problem.n_accounts, market.loadings.shape[1]
    share = problem.value_usd / problem.value_usd.sum()
    factor, cash = np.zeros((n_accounts, k)), np.zeros(n_accounts)
    row, kind = np.zeros(len(problem.row_kind)), np.zeros((n_accounts, N_KINDS))
    weight = -problem.utility
    at = 0
    for a in range(n_accounts):
        own = np.arange(problem.rows_from[a], problem.rows_from[a + 1])
        own = own[~problem.row_joint[own]]
        factor[a], cash[a] = theta[at : at + k] / share[a], theta[at + k] / share[a]
        row[own] = theta[at + k + 1 : at + k + 1 + len(own)] / share[a]
        at += k + 1 + len(own)
        np.add.at(kind[a], problem.row_kind[own], row[own])
        mine = slice(int(problem.names_from[a]), int(problem.names_from[a + 1]))
        weight[mine] += cash[a] + (market.loadings[problem.asset_ix[mine]] * factor[a]).sum(axis=1)
    # Rows of all accounts count shares of what each counts, and so cost each account alike.
    shared = np.flatnonzero(problem.row_joint)
    row[shared] = theta[at : at + len(shared)]
    for r in shared:
        kind[:, problem.row_kind[r]] += row[r]
    if regime >= 0:
        kind[:, _GAINS] += theta[at + len(shared) : at + len(shared) + 3]
        kind[:, RowKind.GAIN_SHORT] += problem.regime_short_rate[regime]
        kind[:, RowKind.GAIN_LONG] += problem.regime_long_rate[regime]
    kind[:, RowKind.LINEAR] = 0.0
    entry_row = owners(problem.entries_from)
    np.add.at(weight, entry_names(problem), problem.entry_coefficient * row[entry_row])
    return Prices(theta[len(theta) - n_accounts :], factor, cash, row, kind, weight)


def entry_names(problem: Problems) -> Index:
    """The name of each entry of a linear row, as a position among all names of the batch."""
    row_account = owners(problem.rows_from)
    first = problem.names_from[row_account]
    return np.asarray(np.repeat(first, n_under(problem.entries_from)) + problem.entry_name, np.int32)


def realised(problem: Problems, share: Floats, lot_account: Index, sold: Floats) -> Floats:
    """Net short-term, long-term and total gain (3,), as a fraction of the value of all accounts."""
    gain = share[lot_account] * problem.lot_gain * sold
    long = float(gain[problem.lot_is_long].sum())
    short = float(gain[~problem.lot_is_long].sum())
    return np.array([short, long, short + long])


def regime_of(problem: Problems, gains: Floats) -> int:
    """The regime of the year that these gains lie in, or lie nearest to; −1 when there is none."""
    if not len(problem.regime_constant):
        return -1
    outside = np.maximum(problem.regime_lower - gains, gains - problem.regime_upper).max(axis=1)
    return int(np.argmin(np.maximum(outside, 0.0)))


def year_tax(problem: Problems, gains: Floats) -> float:
    """The tax of the year with these gains of the trades, in the regime that they lie in."""
    g = regime_of(problem, gains)
    if g < 0:
        return 0.0
    rates = problem.regime_short_rate[g] * gains[0] + problem.regime_long_rate[g] * gains[1]
    return float(problem.regime_constant[g] + rates)


def _regime(problem: Problems, share: Floats, lot_account: Index, sold: Floats) -> int:
    return regime_of(problem, realised(problem, share, lot_account, sold))


def excess(value: Floats, lower: Floats, upper: Floats, least: float) -> Floats:
    """How far values lie outside their ends; what is below `least` is rounding of floats: 0."""
    beyond = np.maximum(lower - value, value - upper)
    return np.where(beyond > least, beyond, 0.0) if math.isfinite(least) else beyond
