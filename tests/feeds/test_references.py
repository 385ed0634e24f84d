from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from allotment.feeds.references import SecurityLookup, listed_securities, rows_of
from allotment.feeds.table import Table
from allotment.market.security import Identifier, IdentifierKind, Security

Read = Callable[[str, str | bytes], Table]


@pytest.fixture
def lookup() -> SecurityLookup:
    """META was FB until 2022-06-08; the ticker META belonged to a fund before."""
    securities = [
        Security(security_id=1, code="AAPL", name="Apple"),
        Security(security_id=2, code="META", name="Meta Platforms"),
        Security(security_id=3, code="METV", name="a fund"),
    ]
    ticker = IdentifierKind.TICKER
    return SecurityLookup(
        securities,
        [
            Identifier(security_id=2, kind=ticker, value="FB", start=date(2012, 5, 18), end=date(2022, 6, 8)),
            Identifier(security_id=2, kind=ticker, value="META", start=date(2022, 6, 9)),
            Identifier(
                security_id=3, kind=ticker, value="META", start=date(2021, 6, 30), end=date(2022, 1, 31)
            ),
        ],
    )


def test_an_identifier_means_the_security_of_its_day(lookup: SecurityLookup) -> None:
    assert lookup.find("ticker:FB", date(2022, 6, 8)) == 2
    assert lookup.find("ticker:FB", date(2022, 6, 9)) == 0
    assert lookup.find("ticker:META", date(2021, 12, 31)) == 3
    assert lookup.find("ticker:META", date(2022, 3, 1)) == 0
    assert lookup.find("TICKER:META", date(2024, 1, 2)) == 2
    assert lookup.find("colour:META", date(2024, 1, 2)) == 0


def test_names_are_resolved_row_by_row(read: Read, lookup: SecurityLookup) -> None:
    table = read(
        "prices",
        "security,session,close,adjusted\nAAPL,2022-01-03,1,1\nticker:META,2022-01-03,1,1\n"
        "ticker:META,2022-07-01,1,1\n",
    )
    assert lookup.ids(table, "security", table.days("session")).tolist() == [1, 3, 2]
    assert table.bad == []


def test_unknown_securities_are_told_with_the_nearest_known(read: Read, lookup: SecurityLookup) -> None:
    table = read("prices", "security,session,close,adjusted\nAAPL,2022-01-03,1,1\nAPPL,2022-01-03,1,1\n")
    assert lookup.ids(table, "security", table.days("session")).tolist() == [1, 0]
    (bad,) = table.bad
    assert (bad.line, bad.column, bad.found) == (
        3,
        "security",
        "unknown security 'APPL' (did you mean AAPL?)",
    )
    assert bad.remedy == "correct it, or load it with a securities file first"


def test_one_day_for_all_rows(read: Read, lookup: SecurityLookup) -> None:
    table = read(
        "lots",
        "account,security,quantity,basis,acquired\nA,ticker:META,1,1,2021-07-01\nA,ticker:FB,1,1,2021-07-01\n",
    )
    assert lookup.ids(table, "security", date(2024, 6, 28)).tolist() == [2, 0]
    assert [(bad.line, bad.column) for bad in table.bad] == [(3, "security")]


def test_cells_refused_before_are_not_told_twice(read: Read, lookup: SecurityLookup) -> None:
    table = read("prices", "security,session,close,adjusted\n AAPL,2022-01-03,1,1\n")
    lookup.ids(table, "security", table.days("session"))
    assert len(table.bad) == 1


def test_unknown_households_and_the_like(read: Read) -> None:
    table = read("taxpayers", "taxpayer,household\nT1,H1\nT2,H2\n")
    rows_of(table, "household", {"H1": 1}, "household")
    (bad,) = table.bad
    assert (bad.line, bad.column) == (3, "household")
    assert bad.found == "unknown household 'H2'"


def test_lists_of_securities(read: Read, lookup: SecurityLookup) -> None:
    table = read(
        "mandates",
        "account,effective,benchmark,no_buy\nA,2024-01-02,I,AAPL; ticker:META\nB,2024-01-02,I,IBM\n",
    )
    assert listed_securities(table, "no_buy", lookup, date(2024, 6, 28)) == [(1, 2), ()]
    (bad,) = table.bad
    assert (bad.line, bad.column, bad.found) == (3, "no_buy", "unknown security 'IBM'")
