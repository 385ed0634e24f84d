"""A dozen invented accounts in a firm of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from allotment.jobs.demo import store_book
from allotment.market.history import MarketHistory
from allotment.settings import Settings
from allotment.simulate.world.book import BookPolicy, SampleBook, make_book
from allotment.simulate.world.market import MarketPolicy, make_market
from allotment.store import market_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore


@pytest.fixture(scope="session")
def sample_market() -> MarketHistory:
    return make_market(MarketPolicy(), 4)


@pytest.fixture(scope="session")
def sample_book(sample_market: MarketHistory) -> SampleBook:
    return make_book(sample_market, BookPolicy(accounts=12), 4)


@pytest.fixture
def sample_firm(
    settings: Settings, sample_market: MarketHistory, sample_book: SampleBook
) -> Iterator[FirmStore]:
    """The sample book stored in a fresh firm."""
    with Store.open(settings) as store:
        store.drop_firm("sample")
        store.create_firm("sample", market="market_sample")
        with store.market("market_sample") as writer:
            market_tables.save_history(writer, sample_market)
        with store.firm("sample") as firm:
            store_book(firm, sample_book, lambda *_: None)
            yield firm


@pytest.fixture(scope="session")
def owner(settings: Settings) -> Iterator[Store]:
    """The database, as its owner."""
    with Store.open(settings) as store:
        yield store


@pytest.fixture(scope="session")
def books(owner: Store, sample_market: MarketHistory, sample_book: SampleBook) -> Iterator[FirmStore]:
    """The sample book for tests that change nothing."""
    owner.drop_firm("books")
    owner.create_firm("books", market="market_books")
    with owner.market("market_books") as writer:
        market_tables.save_history(writer, sample_market)
    with owner.firm("books") as firm:
        store_book(firm, sample_book, lambda *_: None)
        yield firm
    owner.drop_firm("books")
