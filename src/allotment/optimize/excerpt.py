"""Some names of a decision as accounts of their own, to be weighed alone at prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotment.optimize.claims import claims_of
from allotment.optimize.decision import Decision, Prices
from allotment.optimize.offsets import rows_under
from allotment.optimize.problem import ACCOUNT_COLUMNS, LOT_COLUMNS, NAME_COLUMNS, Problems, make_problems
from allotment.units import Index


def excerpt(decision: Decision, parts: Sequence[tuple[Prices, Index]]) -> tuple[Problems, Prices]:
    """The names of each part, ascending by account, at its prices; in columns that may be written to.

    A name may stand in several parts. All that it hears of others is prices: rows, the year and its
    group are left out.
    """
    p = decision.problem
    name = np.concatenate([names for _, names in parts])
    part = np.repeat(np.arange(len(parts)), [len(names) for _, names in parts])
    account = decision.account[name]
    starts = np.flatnonzero((account[1:] != account[:-1]) | (part[1:] != part[:-1])) + 1
    first = np.concatenate([[0], starts])
    account, of_part = account[first], part[first]
    lots_from, lots = rows_under(p.lots_from, name)
    columns: dict[str, Any] = {column: getattr(p, column)[account] for column in ACCOUNT_COLUMNS}
    columns |= {column: getattr(p, column)[name] for column in NAME_COLUMNS}
    columns |= {column: getattr(p, column)[lots] for column in LOT_COLUMNS} | claims_of(p, name)
    names_from = np.append(first, len(name)).astype(np.int64)
    return make_problems(names_from=names_from, lots_from=lots_from, **columns), Prices(
        risk=np.stack([prices.risk for prices, _ in parts])[of_part, account],
        factor=np.zeros((len(account), 0)),
        cash=np.zeros(len(account)),
        row=np.zeros(0),
        kind=np.stack([prices.kind for prices, _ in parts])[of_part, account],
        weight=np.concatenate([prices.weight[names] for prices, names in parts]),
    )
