"""Some names of a decision as accounts of their own, to be weighed alone at prices."""

from __future__ import annotations

from typing import Any

import numpy as np

from allotment.optimize.decision import Decision, Prices
from allotment.optimize.problem import ACCOUNT_COLUMNS, LOT_COLUMNS, NAME_COLUMNS, Problems, make_problems
from allotment.units import Index, Ints


def excerpt(decision: Decision, prices: Prices, name: Index, n_copies: int = 1) -> tuple[Problems, Prices]:
    """These names (m,), ascending by account, so many times over, in columns that may be written to.

    prices: of the decision's names. All that a name hears of others is prices: rows, the year and its
    group are left out.
    """
    p = decision.problem
    account, counts = np.unique(decision.account[name], return_counts=True)
    account, name = np.tile(account, n_copies), np.tile(name, n_copies)
    n_lots = p.lots_from[name + 1] - p.lots_from[name]
    lots_from = _offsets(n_lots)
    lots = np.arange(lots_from[-1]) + np.repeat(p.lots_from[name] - lots_from[:-1], n_lots)
    columns: dict[str, Any] = {column: getattr(p, column)[account] for column in ACCOUNT_COLUMNS}
    columns |= {column: getattr(p, column)[name] for column in NAME_COLUMNS}
    columns |= {column: getattr(p, column)[lots] for column in LOT_COLUMNS}
    names_from = _offsets(np.tile(counts, n_copies))
    return make_problems(names_from=names_from, lots_from=lots_from, **columns), Prices(
        risk=prices.risk[account],
        factor=np.zeros((len(account), 0)),
        cash=np.zeros(len(account)),
        row=np.zeros(0),
        kind=prices.kind[account],
        weight=prices.weight[name],
    )


def _offsets(counts: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
