"""The public door of the optimiser: a batch of accounts in, an answer for each out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from allotment.optimize.account import solve_accounts
from allotment.optimize.problem import Market, Problems, SolveOptions, check_shapes
from allotment.optimize.solution import Solutions, empty_solutions
from allotment.optimize.workspace import Workspace, make_workspace
from allotment.units import Floats, Ints

_CHUNK = 64


def solve_batch(
    market: Market,
    problems: Problems,
    *,
    threads: int = 1,
    options: SolveOptions | None = None,
    start: Floats | None = None,
) -> Solutions:
    """An answer for every account, whatever is wrong with it or with its neighbours.

    threads: how many chunks of 64 accounts are worked on at once; the interpreter lock is
    released meanwhile. start: multipliers (k+1,), factor prices then cash price, from which every
    account starts; zeros without it. The answer of an account depends on its own columns, the
    market, `options` and `start`: not on threads, neighbours or the order of the batch.
    """
    check_shapes(market, problems)
    n_factors = market.loadings.shape[1]
    options = SolveOptions() if options is None else options
    start = np.zeros(n_factors + 1) if start is None else start
    assert start.shape == (n_factors + 1,)
    solutions = empty_solutions(
        problems.n_accounts,
        len(problems.asset_ix),
        len(problems.lot_weight),
        len(problems.row_lower),
        n_factors,
    )

    def work_on(accounts: Ints) -> None:
        work = _workspace(market, problems, accounts)
        solve_accounts(market, problems, solutions, work, options, start, accounts)

    work_on(np.zeros(0, np.int64))  # compile once, before threads could try to
    chunks = _chunks(problems)
    if threads <= 1:
        for chunk in chunks:
            work_on(chunk)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work_on, chunks))
    return solutions


def solve_one(
    market: Market, problem: Problems, *, options: SolveOptions | None = None, start: Floats | None = None
) -> Solutions:
    """`solve_batch` for one account."""
    assert problem.n_accounts == 1
    return solve_batch(market, problem, options=options, start=start)


def _chunks(problems: Problems) -> list[Ints]:
    """Accounts in chunks whose members have the same number of rows, so that a workspace fits."""
    n_rows = np.diff(problems.rows_from)
    by_rows = np.argsort(n_rows, kind="stable")
    edges = np.flatnonzero(np.diff(n_rows[by_rows])) + 1
    chunks = []
    for same in np.split(by_rows, edges):
        chunks += [same[i : i + _CHUNK] for i in range(0, len(same), _CHUNK)]
    return chunks


def _workspace(market: Market, problems: Problems, accounts: Ints) -> Workspace:
    """A workspace long enough for each of these accounts."""

    def most(offsets: Ints) -> int:
        counts = offsets[accounts + 1] - offsets[accounts]
        return int(counts.max()) if len(counts) else 0

    lots_of_account = problems.lots_from[problems.names_from]
    entries_of_account = problems.entries_from[problems.rows_from]
    n_assets, n_factors = market.loadings.shape
    return make_workspace(
        n_names=most(problems.names_from),
        n_lots=most(lots_of_account),
        n_rows=most(problems.rows_from),
        n_entries=most(entries_of_account),
        n_factors=n_factors,
        n_groups=int(market.group_ix.max()) + 1 if n_assets else 0,
        n_assets=n_assets,
    )
