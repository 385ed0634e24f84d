"""A mandate turned into numbers per security: benchmark, limits, what may be bought and sold, tilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.book.mandate import Mandate, RestrictionKind
from allotment.errors import DataError
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.units import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """One mandate over the N securities of a snapshot. Weights are fractions of account value."""

    benchmark: Floats  # (N,) sums to one
    weight_max: Floats  # (N,) 0 for an excluded name
    may_buy: Bools  # (N,)
    may_sell: Bools  # (N,)
    excluded: Bools  # (N,)
    utility: Floats  # (N,) worth of one unit of weight, in fractions of account value


def wishes(mandate: Mandate, market: MarketSnapshot) -> Wishes:
    """What the mandate asks for on the snapshot's day.

    A screen is a weight limit of zero against the full benchmark, so that its cost in tracking
    error shows. A name that must be held or not sold keeps its weight, whatever the screens say.
    Raises DataError for an index, a tilt or a flag that the market does not have.
    """
    n = len(market.security_ids)
    benchmark = _benchmark(mandate, market)
    excluded = _screened(mandate, market)
    may_buy, may_sell = np.ones(n, np.bool_), np.ones(n, np.bool_)
    for restriction in mandate.restrictions:
        row = int(market.row_of(np.array([restriction.security_id]))[0])
        if row < 0:
            continue  # neither in an index nor held: nothing to restrict
        kind = restriction.kind
        if kind in {RestrictionKind.NO_BUY, RestrictionKind.HOLD}:
            may_buy[row] = False
        if kind in {RestrictionKind.NO_SELL, RestrictionKind.HOLD}:
            may_sell[row] = False
        if kind == RestrictionKind.EXCLUDE:
            excluded[row] = True
    excluded &= may_sell
    may_buy &= ~excluded
    weight_max = np.where(excluded, 0.0, benchmark + mandate.name_active_max)
    return Wishes(
        benchmark=benchmark,
        weight_max=weight_max,
        may_buy=may_buy,
        may_sell=may_sell,
        excluded=excluded,
        utility=_utility(mandate, market),
    )


def _benchmark(mandate: Mandate, market: MarketSnapshot) -> Floats:
    blend = np.zeros(len(market.security_ids))
    for code, share in mandate.benchmark:
        if code not in market.benchmarks:
            known = ", ".join(sorted(market.benchmarks)) or "none"
            raise DataError(f"no weights for index {code} on {market.asof}; the market has {known}.")
        blend += share * market.benchmarks[code]
    return blend


def _screened(mandate: Mandate, market: MarketSnapshot) -> Bools:
    sectors, industries = set(mandate.excluded_sectors), set(mandate.excluded_industries)
    screened = np.zeros(len(market.securities), np.bool_)
    if sectors or industries:
        screened[:] = [s.sector in sectors or s.industry in industries for s in market.securities]
    for flag in mandate.excluded_flags:
        screened |= market.flag(flag)
    return screened


def _utility(mandate: Mandate, market: MarketSnapshot) -> Floats:
    utility = np.zeros(len(market.security_ids))
    for tilt in mandate.tilts:
        utility += tilt.strength * market.exposure(tilt.score)
    return utility
