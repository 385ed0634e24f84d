"""A sample market: prices, dividends, corporate actions and an index, made from a seed.

Nothing in it is a real company. What it has of a real market and what it has not:
docs/concepts/sample-world.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from allotment.market.history import MarketHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPolicy:
    """What the market looks like; every amount is of the whole period unless said."""

    first: date = date(2019, 1, 2)
    last: date = date(2024, 12, 31)
    n_names: int = 600
    n_members: int = 500
    index_code: str = "US500"
    crash_depth: float = 0.34  # peak to trough of the index, total return
    crash_sessions: int = 23
    crash_start: float = 0.25  # of the period
    changes_per_year: int = 12  # additions, each with its deletion
    n_share_class_pairs: int = 3
    market_return: float = 0.09  # annual, crash and recovery included, roughly


def make_market(policy: MarketPolicy, seed: int) -> MarketHistory:
    """A market of `policy.n_names` securities; the same seed gives the same market.

    Index weights come with kind CLOSE at each month-end, at each session with an addition or
    a deletion, and at the last session. For every name and session
    (close_t + cash_t + spin_value_t) × ratio_t / close_(t−1) equals adjusted_t / adjusted_(t−1).
    """
    raise NotImplementedError
