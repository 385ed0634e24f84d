"""Index weights and scores in and out of PostgreSQL; see `market_tables`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from psycopg import sql

from allotment.errors import DataError
from allotment.market.index import IndexWeights, WeightKind
from allotment.store.session import MarketStore, Session, some_ids
from allotment.units import Floats, Ints


def save_index_weights(market: MarketStore, weights: Sequence[IndexWeights]) -> int:
    """Write whole weight sets, each replacing the one of its (index, kind, session, version)."""
    if not weights:
        return 0
    counts = [one.security_ids.shape[0] for one in weights]
    with market.writing("index weights") as connection:
        connection.execute(
            "DELETE FROM index_weight WHERE (index_code, kind, session, version) IN "
            "(SELECT * FROM unnest(%s::text[], %s::text[], %s::date[], %s::integer[]))",
            [
                [one.index_code for one in weights],
                [one.kind.value for one in weights],
                [one.session for one in weights],
                [one.version for one in weights],
            ],
        )
        return market.copy_in(
            "index_weight",
            {
                "index_code": _repeated([one.index_code for one in weights], counts),
                "kind": _repeated([one.kind.value for one in weights], counts),
                "session": np.repeat(np.array([one.session for one in weights], "M8[D]"), counts),
                "version": np.repeat(np.array([one.version for one in weights], np.int32), counts),
                "security_id": np.concatenate([one.security_ids for one in weights]),
                "weight": np.concatenate([one.weight for one in weights]),
            },
        )


def _repeated(texts: Sequence[str], counts: Sequence[int]) -> Any:
    import pyarrow as pa

    kinds, which = np.unique(np.array(texts), return_inverse=True)
    return pa.array(kinds.tolist(), pa.large_string()).take(pa.array(np.repeat(which, counts)))


def load_index_weights(
    session: Session, index_code: str, kind: WeightKind, start: date, end: date
) -> tuple[IndexWeights, ...]:
    """The highest version of each session in the window, ascending by session."""
    query = sql.SQL(
        "SELECT session, version, security_id, weight FROM index_weight w "
        "WHERE index_code = {code} AND kind = {kind} AND session BETWEEN {start} AND {end} "
        "AND version = (SELECT max(version) FROM index_weight h WHERE h.index_code = w.index_code "
        "AND h.kind = w.kind AND h.session = w.session) ORDER BY session, security_id"
    ).format(code=index_code, kind=kind.value, start=start, end=end)
    found = session.columns(query, ("session", "version", "security_id", "weight"), by="session")
    sessions, versions = found["session"], found["version"]
    ids, weight = found["security_id"], found["weight"]
    each, first = np.unique(sessions, return_index=True)
    ends = np.append(first[1:], len(ids))
    return tuple(
        IndexWeights(
            index_code=index_code,
            session=day(each[i]),
            kind=kind,
            version=int(versions[first[i]]),
            security_ids=ids[first[i] : ends[i]].copy(),
            weight=weight[first[i] : ends[i]].copy(),
        )
        for i in range(each.shape[0])
    )


def latest_index_weights(
    session: Session, index_code: str, asof: date, kind: WeightKind = WeightKind.CLOSE
) -> IndexWeights:
    """The last weights on or before `asof`. Raises DataError when there are none."""
    row = (
        session.connection()
        .execute(
            "SELECT max(session) FROM index_weight WHERE index_code = %s AND kind = %s AND session <= %s",
            [index_code, kind.value, asof],
        )
        .fetchone()
    )
    if row is None or row[0] is None:
        codes = ", ".join(index_codes(session)) or "none"
        raise DataError(
            f"there are no {kind.value} weights of index {index_code} on or before {asof}; "
            f"indexes with weights: {codes}. Import the index's weights first."
        )
    return load_index_weights(session, index_code, kind, row[0], row[0])[0]


def index_codes(session: Session) -> tuple[str, ...]:
    """Every index that has weights."""
    found = session.connection().execute(
        "WITH RECURSIVE each (code) AS (SELECT min(index_code) FROM index_weight UNION ALL "
        "SELECT (SELECT min(w.index_code) FROM index_weight w WHERE w.index_code > each.code) FROM each "
        "WHERE each.code IS NOT NULL) SELECT code FROM each WHERE code IS NOT NULL"
    )
    return tuple(one for (one,) in found)


def save_scores(market: MarketStore, name: str, asof: date, security_ids: Ints, values: Floats) -> int:
    """Values of one score on one day, columns (n,); NaN cells are left out."""
    assert security_ids.shape == values.shape
    known = np.flatnonzero(~np.isnan(values))
    with market.writing("scores") as connection:
        connection.execute(
            "DELETE FROM score WHERE name = %s AND day = %s AND security_id = ANY(%s)",
            [name, asof, security_ids.tolist()],
        )
        return market.copy_in(
            "score",
            {
                "day": np.full(known.shape[0], np.datetime64(asof, "D")),
                "security_id": security_ids[known],
                "value": values[known],
                "name": _repeated([name], [known.shape[0]]),
            },
        )


def load_scores(session: Session, asof: date, security_ids: Ints) -> dict[str, Floats]:
    """Per score the last value of each security on or before `asof`, (N,), NaN where none.

    security_ids: ascending.
    """
    named = session.connection().execute(
        "SELECT DISTINCT name FROM score WHERE day <= %s ORDER BY name", [asof]
    )
    scores: dict[str, Floats] = {}
    for (name,) in named.fetchall():
        query = sql.SQL(
            "SELECT DISTINCT ON (security_id) security_id, value, name = name AS one FROM score "
            "WHERE name = {} AND day <= {} AND {} ORDER BY security_id, day DESC"
        ).format(name, asof, some_ids(security_ids, "security_id"))
        found = session.columns(query, ("one", "security_id", "value"), by="one")
        scores[name] = np.full(security_ids.shape[0], np.nan)
        scores[name][np.searchsorted(security_ids, found["security_id"])] = found["value"]
    return scores


def day(number: np.datetime64) -> date:
    """A datetime64[D] as a date."""
    found = number.astype("M8[D]").item()
    assert isinstance(found, date)
    return found
