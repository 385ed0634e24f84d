"""The public door of the optimiser: a batch of accounts in, an answer for each out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from allotment.optimize.account import solve_problems
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions, check_shapes
from allotment.optimize.solution import Solutions, empty_solutions
from allotment.optimize.workspace import Sizes, Workspace, make_workspace
from allotment.units import Floats, Ints

_CHUNK = 64
_PIECES = 10  # most of one name, where lots leave in any order
_PARTED_PIECES = 31  # closing out and big names apart


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
    solutions = empty_solutions(problems, n_factors)

    def work_on(joints: Ints) -> None:
        work = workspace_for(market, problems, solutions, joints)
        solve_problems(market, problems, solutions, work, options, start, joints)

    chunks = _chunks(problems, solutions)
    if threads <= 1 or not chunks:
        for chunk in chunks or [np.zeros(0, np.int64)]:
            work_on(chunk)
    else:
        work_on(np.zeros(0, np.int64))  # compile once, before threads could try to
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work_on, chunks))
    return solutions


def solve_one(
    market: Market, problem: Problems, *, options: SolveOptions | None = None, start: Floats | None = None
) -> Solutions:
    """`solve_batch` for one problem."""
    assert problem.n_joint == 1
    return solve_batch(market, problem, options=options, start=start)


def _n_multipliers(problems: Problems, solutions: Solutions) -> Ints:
    """Per problem, the κ of each account not counted."""
    first = solutions.cases_from[:-1]
    n: Ints = solutions.theta_from[first + 1] - solutions.theta_from[first] - np.diff(problems.joint_from)
    return n


def _chunks(problems: Problems, solutions: Solutions) -> list[Ints]:
    """Problems in chunks whose members have equally many multipliers, so that a workspace fits."""
    n_multipliers = _n_multipliers(problems, solutions)
    by_size = np.argsort(n_multipliers, kind="stable")
    edges = np.flatnonzero(np.diff(n_multipliers[by_size])) + 1
    chunks = []
    for same in np.split(by_size, edges):
        chunks += [same[i : i + _CHUNK] for i in range(0, len(same), _CHUNK)]
    return chunks


def workspace_for(market: Market, problems: Problems, solutions: Solutions, joints: Ints) -> Workspace:
    """A workspace long enough for each of these problems."""

    def most(offsets: Ints) -> int:
        counts = offsets[joints + 1] - offsets[joints]
        return int(counts.max()) if len(counts) else 0

    names_from = problems.names_from[problems.joint_from]
    rows_from = problems.rows_from[problems.joint_from]
    n_multipliers = _n_multipliers(problems, solutions)[joints]
    n_lots = most(problems.lots_from[names_from])
    in_order = bool(problems.in_order.any())
    parted = bool((problems.holding_min > 0.0).any() or (problems.row_kind >= RowKind.HOLDINGS).any())
    per_name = _PARTED_PIECES if parted else _PIECES
    return make_workspace(
        Sizes(
            n_accounts=most(problems.joint_from),
            n_names=most(names_from),
            n_lots=n_lots,
            n_entries=most(problems.entries_from[rows_from]),
            n_multipliers=int(n_multipliers.max(initial=0)),
            n_groups=int(market.group_ix.max()) + 1 if len(market.group_ix) else 0,
            n_assets=len(market.group_ix),
            pieces_per_name=per_name,
            ordered_lots=n_lots if in_order else 0,
        )
    )
