"""Named exposures: beta, size, momentum, volatility, dividend yield, and imported scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from allotment.market.history import MarketHistory
from allotment.units import Floats, Ints

NAMES = ("beta", "size", "momentum", "volatility", "dividend_yield")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """What each security stands for, in comparable units: mean 0 over the market (weighted by
    size), standard deviation 1 over the securities, cut at ±3; 0 where unknown."""

    names: tuple[str, ...]  # E
    security_ids: Ints  # (N,) ascending
    values: Floats  # (N, E)

    def column(self, name: str) -> Floats:
        """The exposures of one name, shape (N,). Raises KeyError for an unknown name."""
        raise NotImplementedError


def exposures(history: MarketHistory, asof: date, *, scores: Mapping[str, Floats] | None = None) -> Exposures:
    """The five named exposures as known on `asof`, then `scores` (name -> (N,)) in their order."""
    raise NotImplementedError
