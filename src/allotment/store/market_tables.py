"""Facts of the market in and out of PostgreSQL.

`save_…` functions take the market's writer (`Store.market`), replace rows of the same key, and
are all or nothing; `load_…` functions take any session that reads the market, a firm's too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from allotment.market.corporate_action import CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, Security
from allotment.store.session import MarketStore, Session
from allotment.units import Floats, Ints


def save_securities(market: MarketStore, securities: Sequence[Security]) -> int:
    """Insert or replace by `security_id`; returns the number of rows written."""
    raise NotImplementedError


def load_securities(session: Session) -> tuple[Security, ...]:
    """Every security, ascending by id."""
    raise NotImplementedError


def save_identifiers(market: MarketStore, identifiers: Sequence[Identifier]) -> int:
    """Insert or replace by (security, kind, value, start); returns the number of rows."""
    raise NotImplementedError


def load_identifiers(session: Session) -> tuple[Identifier, ...]:
    """Every identifier, by security and start."""
    raise NotImplementedError


def save_prices(market: MarketStore, prices: PriceHistory, market_cap_usd: Floats | None = None) -> int:
    """Write the cells that have a price (and market caps of shape (T, N)); returns the rows."""
    raise NotImplementedError


def load_prices(session: Session, start: date, end: date, security_ids: Ints | None = None) -> PriceHistory:
    """The window from `start` to `end`, both included; default: every security with a price in it."""
    raise NotImplementedError


def load_market_caps(session: Session, prices: PriceHistory) -> Floats:
    """Market caps in dollars for the cells of `prices`, shape (T, N), NaN where unknown."""
    raise NotImplementedError


def sessions(session: Session) -> tuple[date, ...]:
    """Every session that has a price, ascending."""
    raise NotImplementedError


def save_index_weights(market: MarketStore, weights: Sequence[IndexWeights]) -> int:
    """Write whole weight sets, each replacing the one of its (index, session, kind, version)."""
    raise NotImplementedError


def load_index_weights(
    session: Session, index_code: str, kind: WeightKind, start: date, end: date
) -> tuple[IndexWeights, ...]:
    """The highest version of each session in the window, ascending by session."""
    raise NotImplementedError


def latest_index_weights(
    session: Session, index_code: str, asof: date, kind: WeightKind = WeightKind.CLOSE
) -> IndexWeights:
    """The last weights on or before `asof`. Raises DataError when there are none."""
    raise NotImplementedError


def index_codes(session: Session) -> tuple[str, ...]:
    """Every index that has weights."""
    raise NotImplementedError


def save_actions(market: MarketStore, actions: Sequence[CorporateAction]) -> int:
    """Insert or replace by (security, ex-date, kind, other security); returns the rows."""
    raise NotImplementedError


def load_actions(session: Session, start: date, end: date) -> tuple[CorporateAction, ...]:
    """Actions with an ex-date in the window, both ends included, ascending by ex-date."""
    raise NotImplementedError


def save_scores(market: MarketStore, name: str, day: date, security_ids: Ints, values: Floats) -> int:
    """Values of one score on one day, columns (n,); NaN cells are left out."""
    raise NotImplementedError


def load_scores(session: Session, asof: date, security_ids: Ints) -> dict[str, Floats]:
    """Per score the last value of each security on or before `asof`, (N,), NaN where none."""
    raise NotImplementedError


def save_history(market: MarketStore, history: MarketHistory) -> None:
    """A whole market in one transaction; its scores are dated on the first session."""
    raise NotImplementedError


def load_history(session: Session, start: date, end: date) -> MarketHistory:
    """A whole market for a window: all securities, prices, caps, actions, close weights, scores."""
    raise NotImplementedError
