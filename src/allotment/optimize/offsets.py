"""Rows of a finer level (lots, claims) that stand under rows of a coarser one, by their offsets.

The rows under coarse row i are offsets[i] to offsets[i+1].
"""

from __future__ import annotations

import numpy as np

from allotment.units import Index, Ints


def n_under(offsets: Ints) -> Ints:
    """How many rows stand under each coarser one (m,), from their offsets (m + 1,)."""
    return offsets[1:] - offsets[:-1]


def owners(offsets: Ints) -> Ints:
    """Under which coarser row each stands."""
    return np.repeat(np.arange(len(offsets) - 1), n_under(offsets))


def rows_under(offsets: Ints, coarse: Index | Ints) -> tuple[Ints, Ints]:
    """Offsets (m + 1,) and positions of the rows under `coarse` (m,), in that order, from those of all."""
    first, count = offsets[coarse], n_under(offsets)[coarse]
    taken = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return taken, np.arange(taken[-1]) + np.repeat(first - taken[:-1], count)
