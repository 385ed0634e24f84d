"""Local search over flips on the quadratic model of the branch search.

Taking the flips of a set costs Σ cost_c + ½‖residual + Σ image_c‖² − ½‖residual‖²: the change of
the names' minima, and of the maximum of the dual that follows them (see `branches`).
"""

from __future__ import annotations

import math

from allotment.compiled import inner
from allotment.optimize.workspace import Candidates
from allotment.units import Floats

_WORTH = 1e-10  # promise of a single move below which the search ends
_MOVES_MAX = 200


@inner
def _dot(x: Floats, y: Floats) -> float:
    total = 0.0
    for f in range(x.shape[0]):
        total += x[f] * y[f]
    return total


@inner
def _toggle(candidates: Candidates, c: int) -> None:
    sign = -1.0 if candidates.taken[c] else 1.0
    candidates.taken[c] = not candidates.taken[c]
    for f in range(candidates.residual.shape[0]):
        candidates.residual[f] += sign * candidates.image[c, f]


@inner
def best_flips(candidates: Candidates, count: int) -> float:
    """Set `taken` by best single moves, then best pairs; returns the promised change (≤ 0).

    Reads cost, image and residual of the first `count` candidates; moves the residual along.
    """
    image = candidates.image
    delta = candidates.delta
    taken = candidates.taken
    norm = candidates.norm
    taken[:count] = False
    for c in range(count):
        candidates.norm[c] = math.sqrt(_dot(image[c], image[c]))
    change = 0.0
    for _ in range(_MOVES_MAX):
        best = -_WORTH
        first = -1
        second = -1
        for c in range(count):
            sign = -1.0 if taken[c] else 1.0
            linear = candidates.cost[c] + _dot(candidates.residual, image[c])
            delta[c] = sign * linear + 0.5 * norm[c] * norm[c]
            if delta[c] < best:
                best = delta[c]
                first = c
        if first < 0:
            for c in range(count):
                for other in range(c):
                    both = delta[c] + delta[other]
                    if both - norm[c] * norm[other] >= best:
                        continue  # not even if they cancel as far as they can
                    product = _dot(image[c], image[other])
                    both += product if taken[c] == taken[other] else -product
                    if both < best:
                        best = both
                        first = c
                        second = other
        if first < 0:
            break
        change += best
        _toggle(candidates, first)
        if second >= 0:
            _toggle(candidates, second)
    return change
