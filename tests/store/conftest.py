"""A store with two firms on two markets, and columns to fill them with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind, Household, Sleeve, Taxpayer
from allotment.book.lots import Lots
from allotment.book.venue import Venue
from allotment.market.security import Security
from allotment.settings import Settings
from allotment.store import book_tables, market_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore, MarketStore


@pytest.fixture(scope="session")
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


@pytest.fixture
def market(store: Store) -> Iterator[MarketStore]:
    """Writes the market of the firm `ours`, which is new and empty for every test."""
    for name in ("ours", "theirs"):
        store.drop_firm(name)
    store.create_firm("ours", market="market_ours")
    store.create_firm("theirs", market="market_theirs")
    with store.market("market_ours") as session:
        yield session


@pytest.fixture
def firm(store: Store, market: MarketStore) -> Iterator[FirmStore]:
    with store.firm("ours") as session:
        yield session


@pytest.fixture
def securities(market: MarketStore) -> tuple[Security, ...]:
    listed = tuple(
        Security(security_id=i, code=f"S{i}", name=f"Company {i}", sector="Energy") for i in range(1, 9)
    )
    market_tables.save_securities(market, listed)
    return listed


@pytest.fixture
def book(firm: FirmStore) -> tuple[Account, ...]:
    """Three households of a taxpayer, each with a taxable account and an IRA; ids 1 to 6."""
    book_tables.save_venues(firm, [Venue(code="V"), Venue(code="W", share_step_nano=1_000_000_000)])
    book_tables.save_households(firm, [Household(household_id=h, code=f"H{h}") for h in (1, 2, 3)])
    book_tables.save_taxpayers(
        firm, [Taxpayer(taxpayer_id=h, code=f"T{h}", household_id=h) for h in (1, 2, 3)]
    )
    kinds = (AccountKind.TAXABLE, AccountKind.IRA)
    accounts = tuple(
        Account(
            account_id=2 * h - 1 + k,
            code=f"A-{2 * h - 1 + k:03d}",
            household_id=h,
            taxpayer_id=h,
            kind=kinds[k],
            venue_code="V",
            opened=date(2020, 1, 2),
        )
        for h in (1, 2, 3)
        for k in (0, 1)
    )
    book_tables.save_accounts(firm, accounts)
    book_tables.save_sleeves(
        firm, [Sleeve(sleeve_id=a.account_id, code="core", account_id=a.account_id) for a in accounts]
    )
    return accounts


@pytest.fixture(scope="session")
def random_lots() -> Callable[[np.ndarray, int], Lots]:
    """Lots of `counts[i]` pieces for account i, extreme values included."""

    def make(counts: np.ndarray, seed: int = 0) -> Lots:
        rng = np.random.default_rng(seed)
        n = int(np.sum(counts))
        big = np.iinfo(np.int64)
        money = rng.integers(0, 10**12, n)
        if n:
            money[0] = big.max
        days = rng.integers(-5000, 20000, n).astype("M8[D]")
        purchased = np.where(rng.random(n) < 0.2, np.datetime64("NaT", "D"), days)
        return Lots(
            account_ix=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
            sleeve_ix=rng.integers(0, 3, n).astype(np.int32),
            security_id=rng.integers(1, 9, n),
            side=rng.choice(np.array([-1, 1], np.int8), n),
            quantity_nano=rng.integers(1, 10**15, n),
            basis_cents=money,
            loss_basis_cents=money - 1,
            acquired=days,
            holding_from=days - 3,
            purchased=purchased,
            acquisition_id=rng.integers(0, 10**6, n),
            origin_event=rng.integers(1, 10**9, n),
            origin_line=rng.integers(0, 2**31 - 1, n).astype(np.int32),
            absorbed=rng.integers(0, 2, n).astype(np.int8),
            covered=rng.integers(0, 2, n).astype(np.int8),
            basis_state=rng.integers(0, 3, n).astype(np.int8),
        )

    return make
