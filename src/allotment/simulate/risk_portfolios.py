"""Portfolios to try a risk model on: random, tilted, screened, and wishes for an optimiser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.risk.model import FactorModel
from allotment.units import Bools, Floats, Ints

_NEWTON_STEPS_MAX = 80
_RESIDUAL_MAX = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Bounds on the weights of N securities, for `closest_to_index`. Shapes (N,)."""

    low: Floats
    high: Floats


def random_active(index: Floats, rng: np.random.Generator) -> Floats:
    """A part of the index in its proportions, or all of it in random ones."""
    n = index.shape[0]
    if rng.random() < 0.5:
        chosen = np.less(rng.random(n), rng.uniform(0.2, 0.8))
        weight = index * chosen
    else:
        weight = index * np.exp(rng.normal(0.0, rng.uniform(0.3, 1.0), n))
    return _invested(weight, index)


def sector_tilted(index: Floats, sector_ix: Ints, rng: np.random.Generator) -> Floats:
    """One sector with 20 to 100 % more than its weight, another with 20 to 100 % less."""
    more, less = rng.choice(np.unique(sector_ix[sector_ix >= 0]), 2, replace=False)
    weight = np.where(sector_ix == more, index * rng.uniform(1.2, 2.0), index)
    return _invested(np.where(sector_ix == less, weight * rng.uniform(0.0, 0.8), weight), index)


def screened(index: Floats, sector_ix: Ints, flags: Bools, rng: np.random.Generator) -> Floats:
    """Without the names of one to three value flags (F, N), or of a sector, or both."""
    kept = np.ones(index.shape[0], np.bool_)
    usable = np.flatnonzero((flags & (index > 0)).any(axis=1))
    if usable.shape[0]:
        chosen = rng.choice(usable, min(int(rng.integers(1, 4)), usable.shape[0]), replace=False)
        kept &= ~flags[chosen].any(axis=0)
    if rng.random() < 0.5 or not usable.shape[0]:
        kept &= sector_ix != rng.choice(np.unique(sector_ix[sector_ix >= 0]))
    return _invested(index * kept, index)


def wish(index: Floats, sector_ix: Ints, rng: np.random.Generator) -> Wish:
    """What optimisers are given: half to four fifths of all names forbidden, and of these thirds
    one also must hold five legacy names, and one instead forbids a sector and 30 % of the rest."""
    n = index.shape[0]
    low, high = np.zeros(n), np.ones(n)
    style = rng.random()
    if style < 2 / 3:
        high[rng.random(n) < rng.uniform(0.5, 0.8)] = 0.0
    else:
        high[sector_ix == rng.choice(np.unique(sector_ix[sector_ix >= 0]))] = 0.0
        high[rng.random(n) < 0.3] = 0.0
    if style < 1 / 3:
        legacy = rng.choice(n, 5, replace=False)
        low[legacy] = index[legacy] + rng.uniform(0.0, 0.02, 5)
        high[legacy] = 1.0
    return Wish(low=low, high=high)


def closest_to_index(model: FactorModel, index: Floats, wanted: Wish) -> Floats:
    """Fully invested weights within the bounds that have the least predicted tracking error.

    Newton's method on the dual: with multipliers π of the factor exposures and μ of the budget
    the best weight of a name is bᵢ − (Bᵢπ + μ)/dᵢ, cut to its bounds; the dual is concave and
    piecewise quadratic in k + 1 variables.
    """
    B, d = model.loadings, model.specific_variance
    wide = np.column_stack([B, np.ones(index.shape[0])])
    quadratic = np.append(np.ones(B.shape[1]), 0.0)
    multiplier = np.zeros(quadratic.shape[0])

    def best(multiplier: Floats) -> Floats:
        return np.clip(index - (wide @ multiplier) / d, wanted.low, wanted.high)

    def dual(multiplier: Floats, weight: Floats) -> float:
        active = weight - index
        value = 0.5 * (d * active * active).sum() + (wide.T @ active) @ multiplier
        return float(value - 0.5 * (quadratic * multiplier * multiplier).sum())

    weight = best(multiplier)
    value = dual(multiplier, weight)
    for _ in range(_NEWTON_STEPS_MAX):
        gradient = wide.T @ (weight - index) - quadratic * multiplier
        if np.abs(gradient).max() < _RESIDUAL_MAX:
            break
        free = (weight > wanted.low) & (weight < wanted.high)
        hessian = np.diag(quadratic) + wide[free].T @ (wide[free] / d[free, None])
        hessian[-1, -1] += 1e-9 * hessian.trace()  # when no name is free the budget has no curvature
        step = np.linalg.solve(hessian, gradient)
        length = 1.0
        while length > 1e-9:
            trial = multiplier + length * step
            trial_weight = best(trial)
            trial_value = dual(trial, trial_weight)
            if trial_value >= value + 1e-4 * length * float(gradient @ step):
                break
            length *= 0.5
        multiplier, weight, value = trial, trial_weight, trial_value
    return weight


def _invested(weight: Floats, index: Floats) -> Floats:
    total = weight.sum()
    return np.asarray(weight / total if total > 0 else index)
