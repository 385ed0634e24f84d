"""The public door of the optimiser: a batch of accounts in, an answer for each out."""

from __future__ import annotations

from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.units import Floats


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
    raise NotImplementedError


def solve_one(
    market: Market, problem: Problems, *, options: SolveOptions | None = None, start: Floats | None = None
) -> Solutions:
    """`solve_batch` for one account."""
    assert problem.n_accounts == 1
    return solve_batch(market, problem, options=options, start=start)
