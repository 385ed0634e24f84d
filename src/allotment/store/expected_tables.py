"""What households expect from outside, in and out of PostgreSQL: one page a year, in versions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from allotment.book.expected import Coming, Confidence, Expected, YearPage
from allotment.book.household import AccountKind
from allotment.store.session import FirmStore
from allotment.units import Ints


def save_pages(firm: FirmStore, pages: Sequence[YearPage]) -> tuple[YearPage, ...]:
    """Append each page as the next version of its household and year; the versions in force.

    A page that says what the one in force says is left. The version given is not looked at.
    """
    kept = []
    with firm.transaction() as connection:
        for page in sorted(pages, key=lambda one: (one.household_id, one.year)):
            # The household's row is the lock: two writers of one page get two versions.
            connection.execute(
                "SELECT FROM household WHERE household_id = %s FOR NO KEY UPDATE", [page.household_id]
            )
            stored = _load(firm, [page.household_id], page.year, page.year)
            if stored and stored[0].lines == page.lines:
                kept.append(stored[0])
                continue
            version = stored[0].version + 1 if stored else 1
            connection.execute(
                "INSERT INTO expected_page (household_id, year, version, body) VALUES (%s, %s, %s, %s)",
                [
                    page.household_id,
                    page.year,
                    version,
                    json.dumps([asdict(x) for x in page.lines], default=str),
                ],
            )
            kept.append(replace(page, version=version))
    return tuple(kept)


def load_pages(
    firm: FirmStore, asof: date, household_ids: Sequence[int] | Ints | None = None
) -> dict[int, tuple[YearPage, ...]]:
    """The pages in force of the year of `asof` and its neighbours, by household.

    The window of a loss sale in January reaches into December.
    """
    found: dict[int, tuple[YearPage, ...]] = {}
    for page in _load(firm, household_ids, asof.year - 1, asof.year + 1):
        found[page.household_id] = (*found.get(page.household_id, ()), page)
    return found


# The same text every time, so that the server plans it once a connection; null means every household.
_PAGES = """
SELECT DISTINCT ON (household_id, year) household_id, year, version, body FROM expected_page
WHERE year BETWEEN %s AND %s AND (%s::bigint[] IS NULL OR household_id = ANY(%s::bigint[]))
ORDER BY household_id, year, version DESC
"""


def _load(
    firm: FirmStore, household_ids: Sequence[int] | Ints | None, first: int, last: int
) -> list[YearPage]:
    ids = None if household_ids is None else [int(one) for one in household_ids]
    return [
        YearPage(household_id=home, year=year, version=version, lines=tuple(map(_line, body)))
        for home, year, version, body in firm.connection().execute(_PAGES, [first, last, ids, ids])
    ]


def _line(body: dict[str, Any]) -> Expected:
    days = {name: date.fromisoformat(body[name]) if body[name] else None for name in ("start", "end")}
    special: dict[str, Any] = {
        "what": Coming(body["what"]),
        "confidence": Confidence(body["confidence"]),
        "kind": AccountKind(body["kind"]),
        **days,
    }
    return Expected(**{**body, **special})
