"""Files of market facts as records of `market`: names resolved, numbers given to new codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl

from allotment.feeds.references import SecurityLookup, rows_of
from allotment.feeds.table import Table
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, IdentifierKind, Security, SecurityKind
from allotment.units import Dates, Floats, Index, Ints

_SESSIONS_AT_ONCE = 500  # bounds the memory of a block of prices


def numbered(codes: list[str], known: Mapping[str, int]) -> list[int]:
    """A number per code: the known one, or the next after all that are in use."""
    after = max(known.values(), default=0)
    made = []
    fresh: dict[str, int] = {}
    for code in codes:
        if code not in known and code not in fresh:
            fresh[code] = after + len(fresh) + 1
        made.append(known.get(code) or fresh[code])
    return made


def securities(table: Table, known: Mapping[str, int]) -> list[Security]:
    """known: security id by code."""
    table.check()
    codes = table.words("security").each()
    words = {c: table.words(c).each() for c in ("name", "kind", "sector", "industry", "issuer", "group")}
    units = table.floats("group_units").tolist()
    return [
        Security(
            security_id=number,
            code=code,
            name=words["name"][row],
            kind=SecurityKind(words["kind"][row]),
            sector=words["sector"][row],
            industry=words["industry"][row],
            issuer=words["issuer"][row],
            group_code=words["group"][row],
            group_units=units[row],
        )
        for row, (code, number) in enumerate(zip(codes, numbered(codes, known), strict=True))
    ]


def identifiers(table: Table, lookup: SecurityLookup) -> list[Identifier]:
    """Identifier periods; the security is named by its code."""
    rows_of(table, "security", lookup.codes, "security")
    table.check()
    return [
        Identifier(
            security_id=lookup.codes[code], kind=IdentifierKind(kind), value=value, start=start, end=end
        )
        for code, kind, value, start, end in zip(
            table.words("security").each(),
            table.words("kind").each(),
            table.words("value").each(),
            table.days("start").tolist(),
            table.days("end").tolist(),
            strict=True,
        )
    ]


@dataclass(frozen=True, slots=True)
class PriceBlock:
    """Prices of consecutive sessions with their caps, shape (T, N)."""

    prices: PriceHistory
    market_cap_usd: Floats


def price_blocks(table: Table, lookup: SecurityLookup) -> Iterator[PriceBlock]:
    """The file's prices in blocks of sessions, each as wide as its securities.

    Raises BadFileError before the first block when a security is unknown.
    """
    days = table.days("session")
    ids = lookup.ids(table, "security", days)
    _no_two_names(table, ids, days)
    table.check()
    order = np.argsort(days, kind="stable")
    _, first_row = np.unique(days[order], return_index=True)
    edges = [*first_row[::_SESSIONS_AT_ONCE].tolist(), len(order)]
    for start, end in pairwise(edges):
        yield _block(table, order[start:end], ids, days)


def _block(table: Table, rows: Ints, ids: Ints, days: Dates) -> PriceBlock:
    sessions, t = np.unique(days[rows], return_inverse=True)
    columns, n = np.unique(ids[rows], return_inverse=True)
    shape = (sessions.size, columns.size)

    def grid(name: str) -> Floats:
        made = np.full(shape, np.nan)
        made[t, n] = table.floats(name)[rows]
        return made

    close = np.zeros(shape, np.int64)
    close[t, n] = table.ints("close")[rows]
    prices = PriceHistory(
        sessions=sessions,
        security_ids=columns,
        close_micros=close,
        adjusted_usd=grid("adjusted"),
        volume=grid("volume"),
    )
    return PriceBlock(prices, grid("market_cap"))


def _no_two_names(table: Table, ids: Ints, *others: Ints | Index | Dates) -> None:
    """Refuse rows that mean one security by two names: the key compared the names only."""
    frame = pl.DataFrame({"id": ids, **{f"k{at}": column for at, column in enumerate(others)}})
    if frame.hash_rows().n_unique() == frame.height:
        return
    first = frame.with_row_index("row").with_columns(pl.col("row").first().over(frame.columns).alias("first"))
    repeats = first.filter((pl.col("row") != pl.col("first")) & (pl.col("id") > 0))
    words = table.words("security")
    for row, earlier in repeats.select("row", "first").iter_rows():
        if words.values[words.codes[row]] != words.values[words.codes[earlier]]:
            found = f"is the security of line {table.lines[earlier]} by another name"
            table.refuse([row], "security", found, "remove one of the two rows")


def index_weights(table: Table, lookup: SecurityLookup) -> list[IndexWeights]:
    """Whole weight sets, scaled to sum to one exactly."""
    days = table.days("session")
    ids = lookup.ids(table, "security", days)
    keys = [table.words(name).codes for name in ("index", "kind")]
    _no_two_names(table, ids, *keys, days, table.ints("version"))
    table.check()
    frame = pl.DataFrame(
        {
            "index": table.words("index").each(),
            "session": days,
            "kind": table.words("kind").each(),
            "version": table.ints("version"),
            "id": ids,
            "weight": table.floats("weight"),
        }
    ).sort("session", "index", "kind", "version", "id")
    made = []
    for (index, session, kind, version), part in frame.group_by(
        ["index", "session", "kind", "version"], maintain_order=True
    ):
        assert isinstance(session, date)
        assert isinstance(version, int)
        weight = part["weight"].to_numpy()
        made.append(
            IndexWeights(
                index_code=str(index),
                session=session,
                kind=WeightKind(str(kind)),
                version=version,
                security_ids=part["id"].to_numpy(),
                weight=weight / weight.sum(),
            )
        )
    return made


def corporate_actions(table: Table, lookup: SecurityLookup) -> list[CorporateAction]:
    """Actions, ascending by ex-date."""
    days = table.days("ex_date")
    ids = lookup.ids(table, "security", days)
    others = lookup.ids(table, "other", days)
    _no_two_names(table, ids, days, table.words("kind").codes, others, table.words("option").codes)
    table.check()
    kinds, notes, options = (table.words(name).each() for name in ("kind", "note", "option"))
    ratios, amounts, values = (table.floats(name).tolist() for name in ("ratio", "amount", "value"))
    prices, other_prices, lieus = (table.floats(c).tolist() for c in ("price", "other_price", "lieu"))
    paid, deadlines = (table.days(name).tolist() for name in ("pay_date", "deadline"))
    final, default = table.yes("final"), table.yes("default")
    made = [
        CorporateAction(
            security_id=int(ids[row]),
            ex_date=day,
            kind=ActionKind(kinds[row]),
            ratio=ratios[row],
            amount_usd=amounts[row],
            other_security_id=int(others[row]) or None,
            value_usd=values[row],
            note=notes[row],
            pay_date=paid[row],
            price_usd=prices[row],
            other_price_usd=other_prices[row],
            lieu_usd=lieus[row],
            is_final=bool(final[row]),
            option=options[row],
            is_default=bool(default[row]),
            deadline=deadlines[row],
        )
        for row, day in enumerate(days.tolist())
    ]
    return sorted(made, key=lambda action: action.ex_date)


@dataclass(frozen=True, slots=True)
class ScoreSet:
    """Values of one score on one day, columns of shape (n,)."""

    name: str
    day: date
    security_ids: Ints
    values: Floats


def scores(table: Table, lookup: SecurityLookup) -> list[ScoreSet]:
    """Scores by day and name."""
    days = table.days("date")
    ids = lookup.ids(table, "security", days)
    _no_two_names(table, ids, days, table.words("name").codes)
    table.check()
    frame = pl.DataFrame(
        {"day": days, "name": table.words("name").each(), "id": ids, "value": table.floats("value")}
    ).sort("day", "name", "id")
    made = []
    for (day, name), part in frame.group_by(["day", "name"], maintain_order=True):
        assert isinstance(day, date)
        made.append(ScoreSet(str(name), day, part["id"].to_numpy(), part["value"].to_numpy()))
    return made
