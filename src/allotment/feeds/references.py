"""Names in files that stand for something loaded before: securities, accounts and the like."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

import numpy as np

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.venue import Venue
from allotment.feeds.table import Table, names
from allotment.market.security import Identifier, IdentifierKind, Security
from allotment.units import Bools, Dates, Index, Ints

_NEAREST_MAX = 5  # distinct unknown names for which the nearest known ones are looked up
_COMPARED_MAX = 20_000  # known names among which the nearest are looked for; it takes 5 us each
_FOREVER = np.datetime64("2200-01-01")


class SecurityLookup:
    """Securities by code, or by an identifier of a day (`ticker:META`)."""

    def __init__(self, securities: Iterable[Security], identifiers: Iterable[Identifier] = ()) -> None:
        listed = tuple(securities)
        self.codes = {security.code: security.security_id for security in listed}
        self.kinds = {security.security_id: security.kind for security in listed}
        self._spans: dict[str, list[tuple[date, date | None, int]]] = {}
        for one in identifiers:
            span = (one.start, one.end, one.security_id)
            self._spans.setdefault(f"{one.kind.value}:{one.value}", []).append(span)

    def find(self, name: str, day: date) -> int:
        """The security's id; 0 when the name stood for nothing on that day."""
        if name in self.codes:
            return self.codes[name]
        kind, colon, value = name.partition(":")
        if not colon or kind.lower() not in set(IdentifierKind):
            return 0
        for start, end, security_id in self._spans.get(f"{kind.lower()}:{value}", ()):
            if start <= day and (end is None or day <= end):
                return security_id
        return 0

    def ids(self, table: Table, column: str, days: Dates | date) -> Ints:
        """The id of each row's security, 0 where there is none; unknown names are refused.

        days: the day on which each row's name is meant, or one day for all.
        """
        words = table.words(column)
        found = words.mapped([self.codes.get(word, 0) for word in words.values])
        open_rows = np.flatnonzero((found == 0) & ~table.empty[column])
        if isinstance(days, date):
            by_word = {
                c: self.find(words.values[c], days) for c in np.unique(words.codes[open_rows]).tolist()
            }
            found[open_rows] = [by_word[code] for code in words.codes[open_rows].tolist()]
        else:
            found[open_rows] = [
                0 if day is None else self.find(words.values[code], day)
                for code, day in zip(words.codes[open_rows].tolist(), days[open_rows].tolist(), strict=True)
            ]
        unknown = (found == 0) & ~table.empty[column] & table.sound(column)
        refuse_unknown(table, column, unknown, self.codes, "security", "load it with a securities file first")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is loaded already, by code."""

    securities: SecurityLookup = field(default_factory=lambda: SecurityLookup(()))
    venues: dict[str, Venue] = field(default_factory=dict)
    households: dict[str, Household] = field(default_factory=dict)
    taxpayers: dict[str, Taxpayer] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    sleeves: dict[str, Sleeve] = field(default_factory=dict)
    # Names that a mandate's column may use; a column that is not here is not judged.
    vocabulary: dict[str, frozenset[str]] = field(default_factory=dict)
    # Accounts whose record has begun: their opening lots and cash cannot be given again.
    with_lots: frozenset[int] = frozenset()
    with_cash: frozenset[int] = frozenset()
    with_events: frozenset[int] = frozenset()  # of any kind: their household keeps them


def rows_of(table: Table, column: str, known: Collection[str], noun: str) -> Index:
    """Per row the position of the column's distinct value, with unknown values refused."""
    words = table.words(column)
    is_known = np.array([word in known for word in words.values], np.bool_)
    unknown = (
        ~is_known[words.codes] & ~table.empty[column] & table.sound(column)
        if words.values
        else np.zeros(len(table), np.bool_)
    )
    refuse_unknown(table, column, unknown, known, noun, f"load it with a {noun}s file first")
    return words.codes


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The nearest known names as a question in brackets, or nothing."""
    near = get_close_matches(name, known, n=2) if len(known) <= _COMPARED_MAX else []
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def refuse_unknown(
    table: Table, column: str, unknown: Bools, known: Collection[str], noun: str, remedy: str
) -> None:
    """Refuse the rows whose name is not known, with the nearest known names."""
    rows = np.flatnonzero(unknown)
    if not rows.size:
        return
    words = table.words(column)
    texts: dict[int, str] = {}
    for code in np.unique(words.codes[rows]).tolist():
        name = words.values[code]
        hint = did_you_mean(name, known) if len(texts) < _NEAREST_MAX else ""
        texts[code] = f"unknown {noun} {name!r}{hint}"
    found = [texts[code] for code in words.codes[rows].tolist()]
    table.refuse(rows, column, found, f"correct it, or {remedy}")


def listed_securities(table: Table, column: str, lookup: SecurityLookup, asof: date) -> list[tuple[int, ...]]:
    """The ids of a LIST column's securities, per row; unknown names are refused."""
    words = table.words(column)
    ids, unknown = [], {}
    for code, word in enumerate(words.values):
        listed = [(name, lookup.find(name, asof)) for name in names(word)]
        ids.append(tuple(number for _, number in listed if number))
        missing = [name for name, number in listed if not number]
        if missing:
            unknown[code] = f"unknown security {', '.join(repr(name) for name in missing)}"
    rows = [row for row, code in enumerate(words.codes.tolist()) if code in unknown]
    if rows:
        found = [unknown[int(words.codes[row])] for row in rows]
        table.refuse(rows, column, found, "correct it, or load it with a securities file first")
    return [ids[code] for code in words.codes.tolist()]
