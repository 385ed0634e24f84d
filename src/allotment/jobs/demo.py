"""The demo: a sample world in the firm `demo`, then a run over its whole book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from allotment.feeds.history import read_history
from allotment.jobs.posting import post
from allotment.market.history import MarketHistory
from allotment.settings import Settings
from allotment.simulate.world.book import BookPolicy, SampleBook, make_book
from allotment.simulate.world.every_kind import EveryKind, FirstIds, every_kind
from allotment.simulate.world.market import MarketPolicy, make_market
from allotment.store import book_tables, market_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore

FIRM = "demo"
MARKET = "market_demo"

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """What world to build. Without `prices` the market is made from the seed."""

    accounts: int = 1000
    seed: int = 7
    prices: Path | None = None  # a folder laid out like docs/reference/files/history.md says
    first: date | None = None
    last: date | None = None


def build(settings: Settings, request: DemoRequest, advance: Advance) -> None:
    """Replace the firm `demo` by a new world."""
    advance("building the market", 0, 1)
    market = _market(request)
    advance("building the market", 1, 1)
    advance("trading through the years", 0, 1)
    book = make_book(market, BookPolicy(accounts=request.accounts), request.seed)
    advance("trading through the years", 1, 1)
    with Store.open(settings) as store:
        store.drop_firm(FIRM)
        store.create_firm(FIRM, market=MARKET, title="Sample firm")
        advance("storing the market", 0, 1)
        beside = every_kind(_first_ids(market, book), book.venues[0].code)
        with store.market(MARKET) as writer:
            market_tables.save_history(writer, market)
            market_tables.save_securities(writer, beside.securities)
        advance("storing the market", 1, 1)
        with store.firm(FIRM) as firm:
            store_book(firm, book, advance)
            store_every_kind(firm, beside, advance)


def store_book(firm: FirmStore, book: SampleBook, advance: Advance) -> None:
    """Clients, then their events with the lots that follow, in one transaction."""
    with firm.transaction():
        book_tables.save_venues(firm, book.venues)
        book_tables.save_households(firm, book.households)
        book_tables.save_taxpayers(firm, book.taxpayers)
        book_tables.save_accounts(firm, book.accounts)
        book_tables.save_sleeves(firm, book.sleeves)
        book_tables.save_mandates(firm, book.mandates)
        post(firm, book.events, source="sample world", advance=advance)


def store_every_kind(firm: FirmStore, made: EveryKind, advance: Advance) -> None:
    """The household to which everything happens; its accounts are closed and never decided."""
    with firm.transaction():
        book_tables.save_households(firm, [made.household])
        book_tables.save_taxpayers(firm, [made.taxpayer])
        book_tables.save_accounts(firm, made.accounts)
        book_tables.save_sleeves(firm, made.sleeves)
        post(firm, made.events, source="every kind of event", advance=advance)


def _first_ids(market: MarketHistory, book: SampleBook) -> FirstIds:
    return FirstIds(
        security=1 + max(one.security_id for one in market.securities),
        household=1 + max(one.household_id for one in book.households),
        taxpayer=1 + max(one.taxpayer_id for one in book.taxpayers),
        account=1 + max(one.account_id for one in book.accounts),
        sleeve=1 + max(one.sleeve_id for one in book.sleeves),
    )


def _market(request: DemoRequest) -> MarketHistory:
    if request.prices is None:
        return make_market(MarketPolicy(), request.seed)
    return read_history(request.prices, request.first, request.last)
