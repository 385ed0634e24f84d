"""Facts of the market in and out of PostgreSQL.

`save_…` functions take the market's writer (`Store.market`), replace rows of the same key, and
are all or nothing; `load_…` functions take any session that reads the market, a firm's too.
Index weights and scores: `index_tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from psycopg import sql

from allotment.market.corporate_action import CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, Security
from allotment.store import index_tables, records
from allotment.store.index_tables import day
from allotment.store.session import MarketStore, Session, some_ids
from allotment.units import Floats, Ints


def save_securities(market: MarketStore, securities: Sequence[Security]) -> int:
    """Insert or replace by `security_id`; returns the number of rows written."""
    with market.writing("securities"):
        return records.upsert(market, "security", securities, ["security_id"], "write_id")


def load_securities(session: Session) -> tuple[Security, ...]:
    """Every security, ascending by id."""
    query = sql.SQL("SELECT {} FROM security ORDER BY security_id").format(records.columns(Security))
    return tuple(session.rows(Security, query))


def save_identifiers(market: MarketStore, identifiers: Sequence[Identifier]) -> int:
    """Insert or replace by (security, kind, value, start); returns the number of rows."""
    with market.writing("identifiers"):
        return records.upsert(
            market, "identifier", identifiers, ["security_id", "kind", "value", "start"], "write_id"
        )


def load_identifiers(session: Session) -> tuple[Identifier, ...]:
    """Every identifier, by security, kind and start."""
    query = sql.SQL("SELECT {} FROM identifier ORDER BY security_id, kind, start, value").format(
        records.columns(Identifier)
    )
    return tuple(session.rows(Identifier, query))


def save_actions(market: MarketStore, actions: Sequence[CorporateAction]) -> int:
    """Write actions; they replace every action of the same securities on the same ex-dates."""
    listed = list(actions)
    with market.writing("corporate actions") as connection:
        connection.execute(
            "DELETE FROM corporate_action WHERE (security_id, ex_date) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::date[]))",
            [[one.security_id for one in listed], [one.ex_date for one in listed]],
        )
        statement = sql.SQL("COPY corporate_action ({}) FROM STDIN").format(records.columns(CorporateAction))
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for one in listed:
                copy.write_row(records.values(one))
    return len(listed)


def load_actions(session: Session, start: date, end: date) -> tuple[CorporateAction, ...]:
    """Actions with an ex-date in the window, both ends included, ascending by ex-date."""
    query = sql.SQL(
        "SELECT {} FROM corporate_action WHERE ex_date BETWEEN %s AND %s "
        "ORDER BY ex_date, security_id, action_id"
    ).format(records.columns(CorporateAction))
    return tuple(session.rows(CorporateAction, query, [start, end]))


def save_prices(market: MarketStore, prices: PriceHistory, market_cap_usd: Floats | None = None) -> int:
    """Write the cells that have a price (and market caps of shape (T, N)); returns the rows.

    Whatever the market had for these securities between the first and the last session is replaced.
    """
    if not prices.sessions.shape[0]:
        return 0
    rows = _price_rows(prices, market_cap_usd)
    with market.writing("prices") as connection:
        connection.execute(
            "DELETE FROM price WHERE session BETWEEN %s AND %s AND security_id = ANY(%s)",
            [day(prices.sessions[0]), day(prices.sessions[-1]), prices.security_ids.tolist()],
        )
        return market.copy_in("price", rows)


def correct_prices(market: MarketStore, prices: PriceHistory, market_cap_usd: Floats | None = None) -> int:
    """Write the cells that have a price over those of the same session and security; returns the rows.

    Every other cell of the market stays as it was.
    """
    rows = _price_rows(prices, market_cap_usd)
    with market.writing("prices") as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE given_price (session date, security_id bigint) ON COMMIT DROP"
        )
        market.copy_in("given_price", {name: rows[name] for name in ("session", "security_id")})
        connection.execute(
            "DELETE FROM price USING given_price AS given"
            " WHERE price.session = given.session AND price.security_id = given.security_id"
        )
        connection.execute("DROP TABLE given_price")  # the next block of the same transaction has its own
        return market.copy_in("price", rows)


def _price_rows(prices: PriceHistory, market_cap_usd: Floats | None) -> dict[str, Any]:
    """The cells that have a price, as columns."""
    caps = np.full(prices.close_micros.shape, np.nan) if market_cap_usd is None else market_cap_usd
    assert caps.shape == prices.close_micros.shape
    t, n = np.nonzero((prices.close_micros > 0) | np.isfinite(prices.adjusted_usd))
    return {
        "session": prices.sessions[t],
        "security_id": prices.security_ids[n],
        "close_micros": prices.close_micros[t, n],
        "adjusted_usd": prices.adjusted_usd[t, n],
        "volume": prices.volume[t, n],
        "market_cap_usd": caps[t, n],
    }


def load_prices(session: Session, start: date, end: date, security_ids: Ints | None = None) -> PriceHistory:
    """The window from `start` to `end`, both included; default: every security with a price in it.

    Securities asked for that have no price keep their column, empty.
    """
    found = _cells(session, start, end, security_ids, ("close_micros", "adjusted_usd", "volume"))
    sessions, t = np.unique(found["session"], return_inverse=True)
    ids = (
        np.unique(found["security_id"])
        if security_ids is None
        else np.unique(np.asarray(security_ids, np.int64))
    )
    n = np.searchsorted(ids, found["security_id"])
    shape = (sessions.shape[0], ids.shape[0])
    prices = PriceHistory(
        sessions=sessions,
        security_ids=ids,
        close_micros=np.zeros(shape, np.int64),
        adjusted_usd=np.full(shape, np.nan),
        volume=np.full(shape, np.nan),
    )
    for name in ("close_micros", "adjusted_usd", "volume"):
        getattr(prices, name)[t, n] = found[name]
    return prices


def load_market_caps(session: Session, prices: PriceHistory) -> Floats:
    """Market caps in dollars for the cells of `prices`, shape (T, N), NaN where unknown."""
    caps = np.full(prices.close_micros.shape, np.nan)
    if prices.sessions.shape[0]:
        found = _cells(
            session,
            day(prices.sessions[0]),
            day(prices.sessions[-1]),
            prices.security_ids,
            ("market_cap_usd",),
        )
        t = np.searchsorted(prices.sessions, found["session"])
        n = np.searchsorted(prices.security_ids, found["security_id"])
        known = prices.sessions[np.minimum(t, len(prices.sessions) - 1)] == found["session"]
        caps[t[known], n[known]] = found["market_cap_usd"][known]
    return caps


def _cells(
    session: Session, start: date, end: date, security_ids: Ints | None, names: Sequence[str]
) -> dict[str, Any]:
    query = sql.SQL(
        "SELECT session, security_id, {} FROM price WHERE session BETWEEN {} AND {} AND {}"
    ).format(
        sql.SQL(", ").join(map(sql.Identifier, names)), start, end, some_ids(security_ids, "security_id")
    )
    return session.columns(query, ("session", "security_id", *names), by="session")


def sessions(session: Session) -> tuple[date, ...]:
    """Every session that has a price, ascending."""
    # One step of the index per session; DISTINCT would read every price.
    found = session.connection().execute(
        "WITH RECURSIVE each (session) AS (SELECT min(session) FROM price UNION ALL "
        "SELECT (SELECT min(p.session) FROM price p WHERE p.session > each.session) FROM each "
        "WHERE each.session IS NOT NULL) SELECT session FROM each WHERE session IS NOT NULL"
    )
    return tuple(one for (one,) in found)


def save_history(market: MarketStore, history: MarketHistory) -> None:
    """A whole market in one transaction; its scores are dated on the first session."""
    with market.transaction():
        save_securities(market, history.securities)
        save_identifiers(market, history.identifiers)
        save_prices(market, history.prices, history.market_cap_usd)
        save_actions(market, history.actions)
        index_tables.save_index_weights(market, history.index_weights)
        for name, values in history.scores.items():
            index_tables.save_scores(
                market, name, day(history.prices.sessions[0]), history.prices.security_ids, values
            )


def load_history(
    session: Session, start: date, end: date, kind: WeightKind = WeightKind.CLOSE
) -> MarketHistory:
    """A whole market for a window: all securities, prices, caps, actions, weights of one kind and
    scores as of its end."""
    securities = load_securities(session)
    ids = np.array([one.security_id for one in securities], np.int64)
    prices = load_prices(session, start, end, ids)
    weights = [
        one
        for code in index_tables.index_codes(session)
        for one in index_tables.load_index_weights(session, code, kind, start, end)
    ]
    return MarketHistory(
        securities=securities,
        identifiers=load_identifiers(session),
        prices=prices,
        market_cap_usd=load_market_caps(session, prices),
        actions=load_actions(session, start, end),
        index_weights=tuple(sorted(weights, key=lambda one: one.session)),
        scores=index_tables.load_scores(session, end, ids),
    )
