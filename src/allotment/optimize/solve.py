"""The public door of the optimiser: a batch of accounts in, an answer for each out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from allotment.optimize.account import solve_problems
from allotment.optimize.offsets import n_under
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
        work = workspace_for(market, problems, joints)
        solve_problems(market, problems, solutions, work, options, start, joints)

    chunks = _chunks(market, problems)
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


def _n_multipliers(market: Market, problems: Problems) -> Ints:
    """Per problem, the κ of each account not counted; see `Solutions.theta`."""
    rows = n_under(problems.rows_from[problems.joint_from])
    regimes = np.where(n_under(problems.regimes_from) > 0, 3, 0)
    n: Ints = n_under(problems.joint_from) * (market.loadings.shape[1] + 1) + rows + regimes
    return n


def _chunks(market: Market, problems: Problems) -> list[Ints]:
    """Problems in chunks whose members have equally many multipliers, so that a workspace fits."""
    n_multipliers = _n_multipliers(market, problems)
    by_size = np.argsort(n_multipliers, kind="stable")
    edges = np.flatnonzero(np.diff(n_multipliers[by_size])) + 1
    chunks = []
    for same in np.split(by_size, edges):
        chunks += [same[i : i + _CHUNK] for i in range(0, len(same), _CHUNK)]
    return chunks


class _Kept(threading.local):
    """A thread's workspaces by their number of multipliers: making one takes as long as a small solve."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[Sizes, Workspace]] = {}


_KEPT_MOST = 4
_kept = _Kept()


def workspace_for(market: Market, problems: Problems, joints: Ints) -> Workspace:
    """A workspace long enough for each of these problems, until this thread asks for the next.

    Every problem fills what it reads, so nothing of the last one is in its answer.
    """
    sizes = _sizes(market, problems, joints)
    before = _kept.made.pop(sizes.n_multipliers, None)
    if before is not None:
        longest = Sizes(*map(max, before[0], sizes))
        made = before if longest == before[0] else (longest, make_workspace(longest))
    else:
        made = sizes, make_workspace(sizes)
    if len(_kept.made) >= _KEPT_MOST:
        _kept.made.clear()
    _kept.made[sizes.n_multipliers] = made
    return made[1]


def _sizes(market: Market, problems: Problems, joints: Ints) -> Sizes:
    def most(offsets: Ints) -> int:
        counts = offsets[joints + 1] - offsets[joints]
        return int(counts.max()) if len(counts) else 0

    names_from = problems.names_from[problems.joint_from]
    rows_from = problems.rows_from[problems.joint_from]
    n_multipliers = _n_multipliers(market, problems)[joints]
    n_lots = most(problems.lots_from[names_from])
    in_order = bool(problems.in_order.any())
    parted = bool((problems.holding_min > 0.0).any() or (problems.row_kind >= RowKind.HOLDINGS).any())
    per_name = _PARTED_PIECES if parted else _PIECES
    return Sizes(
        n_accounts=most(problems.joint_from),
        n_names=most(names_from),
        n_lots=n_lots,
        n_claims=most(problems.claims_from[names_from]),
        n_entries=most(problems.entries_from[rows_from]),
        n_multipliers=int(n_multipliers.max(initial=0)),
        n_groups=int(market.group_ix.max()) + 1 if len(market.group_ix) else 0,
        n_assets=len(market.group_ix),
        pieces_per_name=per_name,
        ordered_lots=n_lots if in_order else 0,
    )
