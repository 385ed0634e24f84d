"""The optimiser's answers, one column per fact, in the order of the problems."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.units import Bools, Codes, Floats, Index


class Status(IntEnum):
    """How an account's answer came out. The trades of every status are safe to look at."""

    SOLVED = 0  # inside every limit; see `gap` for how far from optimal it can be
    RELAXED = 1  # cash, a row (by over 1e-7) or a name's limit could not be met: see relaxations
    EMPTY = 2  # no value or no names: nothing to decide, no trades
    INVALID = 3  # an input is not a number or contradicts itself, see `fault`: no trades
    FAILED = 4  # the arithmetic broke down; the answer is to hold


class Fault(IntEnum):
    """Which input made an account INVALID."""

    NONE = 0
    ACCOUNT = 1  # an account column is not finite, κ ≤ 0, or the cash band is upside down
    NAME = 2  # a name column is not finite or negative where it may not be
    RISK = 3  # loadings or specific variance of a name are not finite, or variance ≤ 0
    LOT = 4  # a lot column is not finite, or lots exceed the weight held
    LIMITS = 5  # weight_min above weight_max
    ROW = 6  # a row is upside down, not finite, or names a position outside the account
    DUPLICATE = 7  # one asset stands twice among the account's names


class Solutions(NamedTuple):
    """Answers for A accounts (n names, L lots, R rows). Units as in `Problems`.

    objective = risk + tax + cost + wash − utility + relaxation, for the trades given here.
    No choice of trades costs less than `lower_bound`; gap = objective − lower_bound ≥ 0.
    EMPTY, INVALID: all terms, bounds and prices are NaN, weights are those held.
    """

    # Per account: shape A.
    status: Codes
    fault: Codes
    objective: Floats
    risk: Floats
    tax: Floats
    cost: Floats  # half-spreads, ticket and closed-lot charges
    wash: Floats
    utility: Floats
    relaxation: Floats  # price of all that was relaxed
    lower_bound: Floats
    gap: Floats
    hold_objective: Floats  # the same sum for doing nothing, relaxations priced
    hold_risk: Floats
    hold_feasible: Bools  # doing nothing keeps the cash band, all rows and all name limits
    cash_after: Floats
    cash_relaxation: Floats  # cash after minus the nearest end of its band: 0 inside it
    limit_relaxation: Floats  # Σ over names of the weight outside weight_min, weight_max
    n_solves: Index  # branch choices tried

    # The certificate: the multipliers of the lower bound, per account.
    factor_price: Floats  # (A, k) π, the marginal cost of factor exposure, κ Bᵀ(w−b) at best
    cash_price: Floats  # (A,) μ of Σw, negative when a unit more of invested weight is worth having

    # Per name: shape n.
    weight: Floats  # after trading
    bought: Floats  # weight bought, ≥ 0

    # Per lot: shape L.
    sold: Floats  # weight sold of the lot, ≥ 0

    # Per row: shape R.
    row_value: Floats  # Σ coefficient × weight
    row_relaxation: Floats  # value minus the nearest end: 0 inside
    row_multiplier: Floats

    def sold_by_name(self, lots_from: np.ndarray) -> Floats:
        """Weight sold per name (n,), from the lots. `lots_from` as in `Problems`."""
        total = np.concatenate([[0.0], np.cumsum(self.sold)])
        return np.asarray(total[lots_from[1:]] - total[lots_from[:-1]])


def empty_solutions(n_accounts: int, n_names: int, n_lots: int, n_rows: int, n_factors: int) -> Solutions:
    """Columns of the right shapes and types for the kernels to fill; NaN where nothing is known."""
    sizes = {"weight": n_names, "bought": n_names, "sold": n_lots}
    sizes |= {"row_value": n_rows, "row_relaxation": n_rows, "row_multiplier": n_rows}
    types: dict[str, type[np.generic]] = {
        "status": np.int8, "fault": np.int8, "hold_feasible": np.bool_, "n_solves": np.int32,
    }  # fmt: skip
    columns = {}
    for column in Solutions._fields:
        size = sizes.get(column, n_accounts)
        if column in types:
            columns[column] = np.zeros(size, types[column])
        elif column == "factor_price":
            columns[column] = np.full((n_accounts, n_factors), np.nan)
        else:
            columns[column] = np.full(size, np.nan)
    return Solutions(**columns)
