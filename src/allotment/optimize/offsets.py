"""Rows of a finer level (lots, claims) that stand under rows of a coarser one, by their offsets."""

from __future__ import annotations

import numpy as np

from allotment.units import Index, Ints


def rows_under(offsets: Ints, coarse: Index | Ints) -> tuple[Ints, Ints]:
    """Offsets (m + 1,) and positions of the rows under `coarse` (m,), in that order, from those of all."""
    first, count = offsets[coarse], np.diff(offsets)[coarse]
    taken = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return taken, np.arange(taken[-1]) + np.repeat(first - taken[:-1], count)
