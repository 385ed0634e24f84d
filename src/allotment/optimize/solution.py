"""The optimiser's answers, one column per fact, in the order of the problems."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.optimize.offsets import n_under
from allotment.optimize.problem import Problems
from allotment.units import Bools, Codes, Floats, Index, Ints


class Status(IntEnum):
    """How a problem's answer came out, the same for each of its accounts. The trades of every status are
    safe to look at."""

    SOLVED = 0  # inside every limit; see `gap` for how far from optimal it can be
    RELAXED = 1  # cash, a row (by over 1e-7), a name's limit or the tracking error: see relaxations
    EMPTY = 2  # no value or no names: nothing to decide, no trades
    INVALID = 3  # an input is not a number or contradicts itself, see `fault`: no trades
    FAILED = 4  # the arithmetic broke down; the answer is to hold


class Fault(IntEnum):
    """Which input made an account INVALID. A number beyond 1e12 counts as not finite."""

    NONE = 0
    ACCOUNT = 1  # an account column is not finite, no price or limit of risk, cash band upside down
    NAME = 2  # a name column is not finite or negative where it may not be
    RISK = 3  # loadings or specific variance of a name are not finite, or variance ≤ 0
    LOT = 4  # a lot column is not finite, or lots exceed the weight held
    LIMITS = 5  # weight_min above weight_max
    ROW = 6  # a row is upside down, not finite, or names a position outside the account
    DUPLICATE = 7  # one asset stands twice among the account's names
    REGIME = 8  # a regime of the year is upside down or not finite


class Solutions(NamedTuple):
    """Answers for A accounts in J problems (n names, L lots, R rows). Units as in `Problems`.

    objective = risk + tax + year_tax + cost + wash − utility + relaxation, for the trades given
    here. No choice of trades costs less than `lower_bound`; gap = objective − lower_bound ≥ 0.
    What accounts of one problem share (the year's tax, rows of all, the gap) stands with each of
    them, as a fraction of the value of all. `status`, `hold_feasible` and `n_solves` are of the problem,
    too: an account is RELAXED when another of its household had to relax something; whose it was, the
    relaxations tell (`rebalance.outcomes.each_alone` makes a status for each account of them).
    EMPTY, INVALID: all terms, bounds and prices are NaN, weights are those held.
    """

    # Per account: shape A.
    status: Codes
    fault: Codes
    objective: Floats
    risk: Floats
    tax: Floats
    year_tax: Floats
    cost: Floats  # half-spreads, impact, ticket and closed-lot charges
    wash: Floats
    utility: Floats
    relaxation: Floats  # price of all that was relaxed
    lower_bound: Floats
    gap: Floats
    hold_objective: Floats  # the same sum for doing nothing, relaxations priced
    hold_risk: Floats
    hold_feasible: Bools  # doing nothing keeps cash bands, rows and limits in all accounts of the problem
    tracking_error: Floats  # annual
    cash_after: Floats
    cash_relaxation: Floats  # cash after minus the nearest end of its band: 0 inside it
    limit_relaxation: Floats  # Σ over names of the weight outside weight_min, weight_max
    te_relaxation: Floats  # half variance beyond the limit of tracking error
    n_solves: Index  # branch choices tried, over all regimes

    # The answer's multipliers: marginal prices, at which its trades were found.
    risk_multiplier: Floats  # (A,) κ, that of a tracking-error limit included
    factor_price: Floats  # (A, k) π, the marginal cost of factor exposure, κ Bᵀ(w−b) at best
    cash_price: Floats  # (A,) μ of Σw, negative when a unit more of invested weight is worth having

    # Per name: shape n.
    weight: Floats  # after trading
    bought: Floats  # weight bought, ≥ 0

    # Per lot: shape L.
    sold: Floats  # weight sold of the lot, ≥ 0

    # Per row: shape R.
    row_value: Floats
    row_relaxation: Floats  # value minus the nearest end: 0 inside
    row_multiplier: Floats

    # The certificate. A problem has one case per regime of the year, or one; the bound is the
    # least of its cases', each proven by multipliers: account by account k factor prices, the
    # price of Σw and those of the account's own rows; then those of rows of all accounts, three of
    # the regime's ends (short, long, total gain) if there are regimes; then κ of each account. They
    # count in fractions of the value of all accounts.
    cases_from: Ints  # (J+1,)
    case_bound: Floats  # (C,)
    theta_from: Ints  # (C+1,)
    theta: Floats

    def sold_by_name(self, lots_from: np.ndarray) -> Floats:
        """Weight sold per name (n,), from the lots. `lots_from` as in `Problems`."""
        total = np.concatenate([[0.0], np.cumsum(self.sold)])
        return np.asarray(total[lots_from[1:]] - total[lots_from[:-1]])


def empty_solutions(problems: Problems, n_factors: int) -> Solutions:
    """Columns of the right shapes and types for the kernels to fill; NaN where nothing is known."""
    n_rows = len(problems.row_lower)
    sizes = {"weight": len(problems.asset_ix), "bought": len(problems.asset_ix)}
    sizes |= {"sold": len(problems.lot_weight)}
    sizes |= dict.fromkeys(("row_value", "row_relaxation", "row_multiplier"), n_rows)
    n_regimes = n_under(problems.regimes_from)
    cases_from = np.concatenate([[0], np.cumsum(np.maximum(n_regimes, 1))]).astype(np.int64)
    n_accounts = n_under(problems.joint_from)
    rows = problems.rows_from[problems.joint_from]
    size = n_accounts * (n_factors + 2) + n_under(rows) + np.where(n_regimes > 0, 3, 0)
    of_case = np.repeat(size, n_under(cases_from))
    known = {"cases_from": cases_from, "theta_from": np.concatenate([[0], np.cumsum(of_case)])}
    sizes |= {"case_bound": int(cases_from[-1]), "theta": int(known["theta_from"][-1])}
    types: dict[str, type[np.generic]] = {
        "status": np.int8, "fault": np.int8, "hold_feasible": np.bool_, "n_solves": np.int32,
    }  # fmt: skip
    columns = dict(known)
    for column in Solutions._fields:
        size_of = sizes.get(column, problems.n_accounts)
        if column in types:
            columns[column] = np.zeros(size_of, types[column])
        elif column == "factor_price":
            columns[column] = np.full((problems.n_accounts, n_factors), np.nan)
        elif column not in known:
            columns[column] = np.full(size_of, np.nan)
    return Solutions(**columns)
