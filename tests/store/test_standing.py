"""Whatever an account is decided from, a change of it by anybody is another standing; nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

import pytest

from allotment.book.carried import CarriedPrice
from allotment.book.expected import Coming, Expected, YearPage
from allotment.book.household import Account, Sleeve, Taxpayer
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.ledger.events import EventKind
from allotment.ledger.write import EventWriter
from allotment.store import arrival_tables, book_tables, event_tables, expected_tables, market_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore, MarketStore
from allotment.store.standing import market_standing, standing_of

ASOF = date(2024, 6, 3)
CODE = "A-001"  # account 1 of household 1, whose other account is 2


@pytest.fixture
def other(store: Store, firm: FirmStore) -> Iterator[FirmStore]:
    """Another program's session on the same firm."""
    with store.firm(firm.firm) as session:
        yield session


def deposit(firm: FirmStore, household: int, account: int) -> None:
    writer = EventWriter()
    writer.write(EventKind.DEPOSIT, household, account, ASOF, amount_cents=1_000)
    event_tables.append_events(firm, writer.events(), source=f"test {account}")


def page(household: int) -> YearPage:
    line = Expected(what=Coming.NO_PURCHASES)
    return YearPage(household_id=household, year=2024, version=1, lines=(line,))


def mandate(account: int, effective: date = ASOF) -> Mandate:
    return Mandate(account_id=account, version=1, effective=effective, benchmark=(("IDX", 1.0),))


def carried(account: int, day: date = ASOF) -> CarriedPrice:
    return CarriedPrice(account_id=account, security_id=1, day=day, price_micros=5)


def with_name(book: tuple[Account, ...], account: int) -> Account:
    return replace(book[account - 1], name="renamed")


# By another program, to the rows of a household and an account of it.
CHANGES: dict[str, Callable[[FirmStore, tuple[Account, ...], int, int], object]] = {
    "event": lambda firm, _book, household, account: deposit(firm, household, account),
    "mandate": lambda firm, _book, _household, account: book_tables.save_mandates(firm, [mandate(account)]),
    "account": lambda firm, book, _household, account: book_tables.save_accounts(
        firm, [with_name(book, account)]
    ),
    "taxpayer": lambda firm, _book, household, _account: book_tables.save_taxpayers(
        firm, [Taxpayer(taxpayer_id=household, code=f"T{household}", household_id=household, long_rate=0.1)]
    ),
    "sleeve": lambda firm, _book, _household, account: book_tables.save_sleeves(
        firm, [Sleeve(sleeve_id=50 + account, code="more", account_id=account)]
    ),
    "page": lambda firm, _book, household, _account: expected_tables.save_pages(firm, [page(household)]),
    "carried": lambda firm, _book, _household, account: arrival_tables.save_carried_prices(
        firm, [carried(account)]
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_in_the_household_is_seen_and_one_elsewhere_is_not(what: str, firm, other, book) -> None:
    stood = standing_of(firm, CODE, ASOF)
    assert standing_of(firm, CODE, ASOF) == stood
    CHANGES[what](other, book, 2, 3)
    assert standing_of(firm, CODE, ASOF) == stood
    CHANGES[what](other, book, 1, 2)
    assert standing_of(firm, CODE, ASOF) != stood


def test_what_comes_later_than_the_day_is_not_counted(firm, other, book) -> None:
    stood = standing_of(firm, CODE, ASOF)
    later = date(2024, 6, 4)
    book_tables.save_mandates(other, [mandate(1, later)])
    arrival_tables.save_carried_prices(other, [carried(1, later)])
    expected_tables.save_pages(other, [replace(page(1), year=2026)])
    assert standing_of(firm, CODE, ASOF) == stood
    assert standing_of(firm, CODE, later) != stood


def test_a_venue_changed_is_seen(firm, other, book) -> None:
    stood = standing_of(firm, CODE, ASOF)
    book_tables.save_venues(other, [Venue(code="V", lots_per_order_max=3)])
    assert standing_of(firm, CODE, ASOF) != stood


def test_a_write_of_the_market_that_ends_late_is_seen(
    store: Store, firm, book, market: MarketStore, securities
) -> None:
    """It has the lower number, and ends after the higher one."""
    with store.market(market.schema) as slow:
        with slow.transaction():
            market_tables.save_securities(slow, [replace(securities[0], sector="Tech")])
            market_tables.save_securities(market, [replace(securities[1], sector="Tech")])
            between = market_standing(firm)
            assert standing_of(firm, CODE, ASOF).market == between
        assert market_standing(firm).newest == between.newest
        assert market_standing(firm) != between
        assert standing_of(firm, CODE, ASOF).market == market_standing(firm)


def test_an_unknown_account_has_no_members(firm, book) -> None:
    assert standing_of(firm, "NOPE", ASOF).members is None
