"""A whole market in memory: what the sample world and the demo stand on."""

from __future__ import annotations

from dataclasses import dataclass

from allotment.market.corporate_action import CorporateAction
from allotment.market.index import IndexWeights
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, Security
from allotment.units import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketHistory:
    """Securities with their prices, actions, index weights and scores over one period.

    `securities` is ascending by id and equal, in order, to `prices.security_ids`.
    """

    securities: tuple[Security, ...]
    identifiers: tuple[Identifier, ...]
    prices: PriceHistory
    market_cap_usd: Floats  # (T, N), NaN where unknown
    actions: tuple[CorporateAction, ...]  # ascending by ex-date
    index_weights: tuple[IndexWeights, ...]  # ascending by session
    scores: dict[str, Floats]  # name -> (N,): value flags (0 or 1) and styles

    def __post_init__(self) -> None:
        ids = [security.security_id for security in self.securities]
        assert ids == self.prices.security_ids.tolist()
        assert self.market_cap_usd.shape == self.prices.close_micros.shape
