"""Market, sector and statistical factors of a window of returns, and every security's loadings.

1. *Market*: the mean return, weighted by the square root of size. Loadings (betas) by
   regression, pulled towards the mean beta of the sector.
2. *Sectors*: the mean of what the market leaves over, sector by sector; only sectors with
   enough members. A security loads on its own sector alone, pulled towards the sector's mean.
3. *Statistical*: principal components of what both leave over, each security scaled to unit
   variance, so that a few wild names do not become factors. Loadings are pulled towards zero.

The pull is that of a prior worth `prior_sessions` observations: with n (weighted) sessions of its
own a security keeps n / (n + prior) of its own estimate. So a newcomer of ten days looks like
its sector, and a name of three years like itself. Only securities with prices on at least half
of the window shape the factors; all get loadings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.units import Bools, Floats, Ints

_OUTLIER_SIGMA = 6.0  # a larger return counts as this many of its own deviations in every regression
_SECTOR_MEMBERS_MIN = 5
_SESSIONS_PER_COMPONENT = 20  # a component from fewer sessions would be noise


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorFit:
    """Daily factor returns, loadings, and what remains, NaN where a return is missing."""

    names: tuple[str, ...]  # K
    factor_returns: Floats  # (T, K)
    loadings: Floats  # (N, K)
    residuals: Floats  # (T, N), outliers included
    shapes_factors: Bools  # (N,) had enough returns to shape the factors
    parameters: Floats  # (N,) degrees of freedom that the loadings of each security used up


def decay(n_sessions: int, half_life: float) -> Floats:
    """Weights of sessions, oldest first, halving every `half_life` sessions; they sum to one."""
    weight = 0.5 ** (np.arange(n_sessions - 1, -1, -1) / half_life)
    return np.asarray(weight / weight.sum(), np.float64)


def effective_sessions(weight: Floats, known: Bools) -> Floats:
    """How many equally weighted sessions the known ones are worth, per column: (Σw)² / Σw²."""
    squares = (weight * weight) @ known
    return np.asarray((weight @ known) ** 2 / np.maximum(squares, np.finfo(np.float64).tiny))


def fit_factors(
    returns: Floats,
    sector_ix: Ints,
    sector_names: tuple[str, ...],
    size: Floats,
    *,
    k: int,
    half_life: float,
    prior_sessions: float,
) -> FactorFit:
    """At most `k` factors of `returns` (T, N, NaN = missing); `size` (N,) is positive.

    Sector factors are left out when `k` has no room for all of them.
    """
    n_sessions, n_securities = returns.shape
    known = np.isfinite(returns)
    filled = np.where(known, returns, 0.0)
    weight = decay(n_sessions, half_life)
    sessions = effective_sessions(weight, known)
    own = sessions / (sessions + prior_sessions)
    deviation = np.sqrt(_mean(weight, known, filled * filled))
    clipped = np.clip(filled, -_OUTLIER_SIGMA * deviation, _OUTLIER_SIGMA * deviation)
    shapes = (known.sum(axis=0) * 2 >= n_sessions) & (deviation > 0)
    if not shapes.any():
        shapes = known.any(axis=0)
    root_size = np.sqrt(size) * shapes

    market = _weighted_mean(clipped, known, root_size)
    members = _sector_members(sector_ix, len(sector_names), shapes) if n_securities else []
    beta = _regress(weight, known, clipped, market)
    peers = np.ones(n_securities)
    for sector, member in members:
        peers[sector_ix == sector] = np.average(beta[member], weights=root_size[member])
    columns = [own * beta + (1.0 - own) * peers]
    series = [market]
    names = ["market"]
    left = np.where(known, clipped - np.outer(market, columns[0]), 0.0)
    parameters = own.copy()
    if 1 + len(members) <= k:
        for sector, member in members:
            sector_return = _weighted_mean(left[:, member], known[:, member], root_size[member])
            slope = _regress(weight, known, left, sector_return)
            typical = np.average(slope[member], weights=root_size[member])
            belongs = sector_ix == sector
            columns.append(np.where(belongs, own * slope + (1.0 - own) * typical, 0.0))
            series.append(sector_return)
            names.append(f"sector {sector_names[sector]}")
            parameters += own * belongs
    loadings, factors = np.column_stack(columns), np.column_stack(series)
    left = np.where(known, clipped - factors @ loadings.T, 0.0)

    n_components = min(k - len(names), n_sessions // _SESSIONS_PER_COMPONENT, int(shapes.sum()) // 4)
    if n_components > 0:
        components, slopes = _components(weight, known, left, shapes, n_components)
        loadings = np.column_stack([loadings, own[:, None] * slopes])
        factors = np.column_stack([factors, components])
        names += [f"statistical {i + 1}" for i in range(n_components)]
        parameters += own * n_components
    residuals = np.where(known, filled - factors @ loadings.T, np.nan)
    return FactorFit(
        names=tuple(names),
        factor_returns=factors,
        loadings=loadings,
        residuals=residuals,
        shapes_factors=shapes,
        parameters=parameters,
    )


def _mean(weight: Floats, known: Bools, values: Floats) -> Floats:
    """Weighted mean of each column over its known rows; 0 where nothing is known."""
    total = weight @ known
    return np.asarray(np.divide(weight @ values, total, out=np.zeros_like(total), where=total > 0))


def _weighted_mean(values: Floats, known: Bools, name_weight: Floats) -> Floats:
    """Mean over the known names of each session; 0 on a session without any."""
    total = known @ name_weight
    return np.asarray(np.divide(values @ name_weight, total, out=np.zeros_like(total), where=total > 0))


def _regress(weight: Floats, known: Bools, values: Floats, factor: Floats) -> Floats:
    """Slope of each column on one factor, without a constant; 0 where the factor never moved."""
    spread = (weight * factor * factor) @ known
    slope = (weight * factor) @ values
    return np.asarray(np.divide(slope, spread, out=np.zeros_like(spread), where=spread > 0))


def _sector_members(sector_ix: Ints, n_sectors: int, shapes: Bools) -> list[tuple[int, Bools]]:
    members = [(sector, (sector_ix == sector) & shapes) for sector in range(n_sectors)]
    return [(sector, member) for sector, member in members if member.sum() >= _SECTOR_MEMBERS_MIN]


def _components(
    weight: Floats, known: Bools, left: Floats, shapes: Bools, n_components: int
) -> tuple[Floats, Floats]:
    """Component returns (T, n) of unit weighted variance, and the slopes of all names on them (N, n)."""
    root_weight = np.sqrt(weight)[:, None]
    deviation = np.sqrt(_mean(weight, known, left * left))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=(deviation > 0) & shapes)
    scaled = left * scale * root_weight
    _, vectors = np.linalg.eigh(scaled @ scaled.T)
    components = vectors[:, ::-1][:, :n_components] / root_weight
    slopes = np.column_stack([_regress(weight, known, left, component) for component in components.T])
    # An eigenvector has no sign of its own; choose the one in which most names load positively.
    sign = np.where((slopes * scale[:, None]).sum(axis=0) < 0, -1.0, 1.0)
    return components * sign, slopes * sign
