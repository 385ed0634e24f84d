"""The account decided again without one of its trades, warm: what the trade is truly worth.

`alternatives` holds prices fixed; here the others answer. One solve a trade, so for the few that matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.optimize.problem import Market, Problems, SolveOptions, join
from allotment.optimize.solution import Solutions, Status
from allotment.optimize.solve import solve_batch
from allotment.units import Floats, Index


class Without(NamedTuple):
    """Per name asked about (m,): extra cost of the best plan found without its sale, or its purchase.

    In fractions of the value of all accounts; NaN where the problem then has no answer. Exact but for
    the gap of the answer, which it may be too low by, and `uncertain`, which it may be too high by.
    """

    extra: Floats
    uncertain: Floats  # the gap of the answer without


def cost_without(
    market: Market,
    problem: Problems,
    answer: Solutions,
    names: Index,
    options: SolveOptions | None = None,
) -> Without:
    """What doing without the trade of each of these names (m,) costs one problem.

    answer: to this problem alone, solved with these options.
    """
    assert problem.n_joint == 1
    n, m = problem.n_accounts, len(names)
    if m == 0:
        return Without(np.zeros(0), np.zeros(0))
    sells = answer.sold_by_name(problem.lots_from) >= answer.bought
    start = np.concatenate([answer.factor_price[0], answer.cash_price[:1]])
    batch = join([_closed(problem, i, sale=bool(sells[i])) for i in names.tolist()])
    solved = solve_batch(market, batch, options=SolveOptions() if options is None else options, start=start)
    share = problem.value_usd / problem.value_usd.sum()
    # What accounts share stands with each of them, and shares add up to one.
    cost = solved.objective.reshape(m, n) @ share
    found = np.isin(solved.status.reshape(m, n), (Status.SOLVED, Status.RELAXED)).all(axis=1)
    extra = np.where(found, cost - float(answer.objective @ share), np.nan)
    return Without(extra, np.where(found, solved.gap.reshape(m, n)[:, 0], np.nan))


def _closed(problem: Problems, i: int, *, sale: bool) -> Problems:
    """The problem with one side of a name closed."""
    allowed = (problem.may_sell if sale else problem.may_buy).copy()
    allowed[i] = False
    return problem._replace(may_sell=allowed) if sale else problem._replace(may_buy=allowed)
