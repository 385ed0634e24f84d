"""How fast the books are: loading, a day of fills, one account, open lots, verifying; and how large.

Books of the sample world in a database of their own, by number of accounts; besides, trading by fills
alone, and ten million open lots as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from allotment.book.household import Account, AccountKind, Household, Taxpayer
from allotment.book.lots import Lots
from allotment.book.venue import Venue
from allotment.jobs.past_books import past_books
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.bench import random_book
from allotment.ledger.events import AccountTable, EventKind, Events, no_dates
from allotment.ledger.write import take
from allotment.market.history import MarketHistory
from allotment.market.security import Security
from allotment.settings import Settings
from allotment.simulate.world.book import BookPolicy, SampleBook, make_book
from allotment.simulate.world.market import MarketPolicy, make_market
from allotment.store import book_tables, event_tables, lot_tables, market_tables, state_tables
from allotment.store.database import Store
from allotment.store.lot_tables import LotView
from allotment.store.server import Server
from allotment.store.session import FirmStore
from allotment.units import Ints

Result = dict[str, Any]
_SEED = 7
_BUYS, _SALES = 10, 10  # of each account on the day of fills
_LOADS = 4  # of the book of fills
_ASKED = 50  # accounts whose state is read


def bench(accounts: tuple[int, ...] = (1_000, 3_000, 10_000), n_lots: int = 10_000_000) -> Result:
    """Seconds, rates and sizes. Kernels are compiled before."""
    market = make_market(MarketPolicy(), _SEED)
    with TemporaryDirectory(prefix="allotment-bench-") as name:
        home = Path(name)
        home.chmod(0o711)  # the server's user, another one when we are root, must get in
        try:
            with Store.open(Settings(home=home)) as store:
                _book(store, market, 20)
                return {
                    "seed": _SEED,
                    "fills": _fills(store),
                    "books": [_book(store, market, n) for n in accounts],
                    "open_lots": _open_lots(store, n_lots),
                }
        finally:
            Server(home).stop()


def _book(store: Store, market: MarketHistory, n_accounts: int) -> Result:
    """A sample book loaded, traded for a day, read and verified."""
    book = make_book(market, BookPolicy(accounts=n_accounts), _SEED)
    store.drop_firm("bench")
    store.create_firm("bench", market="market_bench")
    with store.market("market_bench") as writer:
        market_tables.save_history(writer, market)
    with store.firm("bench") as firm:
        _save_clients(firm, book)
        before = _megabytes(firm)
        load = _timed(lambda: post(firm, book.events, source="bench", advance=_silent))
        size = _megabytes(firm) - before
        n_lots = len(lot_tables.read_lots(firm).lots)
        day = _day_of_fills(book, lot_tables.read_lots(firm).lots, market)
        fill = _timed(lambda: post(firm, day, source="day", advance=_silent))
        states, histories = _states(firm, [a.code for a in book.accounts])
        check = _timed(lambda: _verified(firm))
        n_events = event_tables.last_sequence(firm)
    return {
        "accounts": n_accounts,
        "events": len(book.events),
        "transactions": len(book.events) + len(book.events.lots),
        "lots": n_lots,
        "load_seconds": round(load, 2),
        "load_events_per_second": round(len(book.events) / load),
        "load_transactions_per_second": round((len(book.events) + len(book.events.lots)) / load),
        "megabytes": round(size),
        "kilobytes_per_account": round(size * 1000 / n_accounts, 1),
        "fills": len(day),
        "fills_seconds": round(fill, 2),
        "fills_per_second": round(len(day) / fill),
        "state_ms_median": round(float(np.median(states)) * 1000, 2),
        "state_ms_p95": round(float(np.quantile(states, 0.95)) * 1000, 2),
        "refolded_ms_median": round(float(np.median(histories)) * 1000, 2),
        "verify_seconds": round(check, 2),
        "verify_events": n_events,
        "verify_events_per_second": round(n_events / check),
    }


def _verified(firm: FirmStore) -> None:
    found = verify(firm, None, _silent)
    assert found.is_clean, found


def _fills(store: Store, n_households: int = 50, n_weeks: int = 104) -> Result:
    """Households of five accounts that trade forty names a week for two years, each event a fill.

    Loaded again and again, each time into a firm of its own: the first pays for memory and files that the
    server has not used before. Of the others the median counts.
    """
    events, table, groups = random_book(n_households, np.random.default_rng(_SEED), n_weeks=n_weeks)
    names = [
        Security(security_id=i, code=f"S{i}", name=f"S{i}", sector="") for i in groups.security_ids.tolist()
    ]
    loads = []
    for _ in range(_LOADS):
        store.drop_firm("bench")
        store.create_firm("bench", market="market_fills")
        with store.market("market_fills") as writer:
            market_tables.save_securities(writer, names)
        with store.firm("bench") as firm:
            _save_table(firm, table)
            loads.append(_timed(partial(post, firm, events, source="bench", advance=_silent)))
    with store.firm("bench") as firm:
        check = _timed(partial(_verified, firm))
    load = float(np.median(loads[1:]))
    return {
        "households": n_households,
        "accounts": len(table),
        "events": len(events),
        "first_load_events_per_second": round(len(events) / loads[0]),
        "load_seconds": round(load, 2),
        "load_events_per_second": round(len(events) / load),
        "verify_seconds": round(check, 2),
        "verify_events_per_second": round(len(events) / check),
    }


def _open_lots(store: Store, n_lots: int, n_accounts: int = 10_000) -> Result:
    """Open lots of a whole book from the database to columns."""
    store.drop_firm("bench")
    store.create_firm("bench", market="market_lots")
    with store.firm("bench") as firm:
        _save_table(firm, _plain_accounts(n_accounts))
        rng = np.random.default_rng(_SEED)
        ids = np.arange(1, n_accounts + 1)
        lots = _lots(np.sort(rng.integers(0, n_accounts, n_lots)).astype(np.int32), rng)
        lot_tables.write_lots(firm, ids, lots, version=10**9, view=LotView.TAXPAYER)
        best = min(_timed(lambda: lot_tables.read_lots(firm, ids)) for _ in range(2))
    return {
        "accounts": n_accounts,
        "lots": n_lots,
        "seconds": round(best, 2),
        "lots_per_second": round(n_lots / best),
    }


def _states(firm: FirmStore, codes: Sequence[str]) -> tuple[list[float], list[float]]:
    """Seconds to read what is stored of one account's household, and to fold its whole history."""
    stored, folded = [], []
    rng = np.random.default_rng(_SEED)
    for code in rng.choice(list(codes), min(_ASKED, len(codes)), replace=False).tolist():
        stored.append(_timed(partial(_state, firm, code)))
        folded.append(_timed(partial(past_books, firm, code, None, "")))
    return stored, folded


def _state(firm: FirmStore, code: str) -> None:
    account = book_tables.find_account(firm, code)
    for view in LotView:
        lot_tables.read_lots(firm, [account.account_id], view=view)
    state_tables.read_household(firm, account.household_id)
    event_tables.load_events(firm, [account.household_id])


def _day_of_fills(book: SampleBook, lots: Lots, market: MarketHistory) -> Events:
    """Ten purchases and ten sales of a tenth of what is held, in each account, on the next day."""
    rng = np.random.default_rng(_SEED)
    prices = {
        int(s): int(p)
        for s, p in zip(market.prices.security_ids, market.prices.close_micros[-1], strict=True)
        if p > 0
    }
    listed = np.array(sorted(prices))
    rows: list[tuple[int, int, int, int, int]] = []  # account's place, kind, security, nano, cents
    starts = np.searchsorted(lots.account_ix, np.arange(len(book.accounts) + 1))
    for at in range(len(book.accounts)):
        mine = slice(starts[at], starts[at + 1])
        held, which = np.unique(lots.security_id[mine], return_inverse=True)
        total = np.zeros(len(held), np.int64)
        np.add.at(total, which, lots.quantity_nano[mine])
        for i in rng.permutation(len(held))[:_SALES].tolist():
            price = prices.get(int(held[i]), 10_000_000)
            nano = max(1, int(total[i]) // 10)
            rows.append((at, int(EventKind.SELL), int(held[i]), nano, max(1, nano * price // 10**13)))
        rows += [
            (at, int(EventKind.BUY), security, 5 * 10**9, max(1, 5 * prices[security] // 10**4))
            for security in rng.choice(listed, _BUYS, replace=False).tolist()
        ]
    columns = np.array(rows, np.int64)
    return _events(book, columns)


def _events(book: SampleBook, columns: Ints) -> Events:
    n = len(columns)
    day = np.datetime64(book.asof + timedelta(days=1))
    accounts = [book.accounts[at] for at in columns[:, 0].tolist()]
    nothing = np.zeros(n, np.int64)
    none = take(book.events, np.zeros(0, np.int64))
    return Events(
        ledger_seq=np.arange(1, n + 1),
        household_id=np.array([a.household_id for a in accounts]),
        account_id=np.array([a.account_id for a in accounts]),
        sleeve_id=nothing,
        effective=np.full(n, day),
        day_seq=np.arange(n),
        kind=columns[:, 1].astype(np.int8),
        security_id=columns[:, 2],
        quantity_nano=columns[:, 3],
        amount_cents=columns[:, 4],
        settles=no_dates(n),
        order_id=nothing,
        other_account_id=nothing,
        detail=np.zeros(n, np.int8),
        reverses=nothing,
        terms_ix=np.full(n, -1, np.int32),
        lots_start=np.zeros(n + 1, np.int64),
        lots=none.lots,
        named_start=np.zeros(n + 1, np.int64),
        named_event=none.named_event,
        named_line=none.named_line,
        named_quantity_nano=none.named_quantity_nano,
        terms=none.terms,
    )


def _lots(account_ix: Any, rng: np.random.Generator) -> Lots:
    n = len(account_ix)
    days = (np.datetime64("2016-01-04") + rng.integers(0, 3000, n)).astype("M8[D]")
    basis = rng.integers(1, 10**7, n)
    codes = np.zeros(n, np.int8)
    return Lots(
        account_ix=account_ix,
        sleeve_ix=np.zeros(n, np.int32),
        security_id=rng.integers(1, 600, n),
        side=np.ones(n, np.int8),
        quantity_nano=rng.integers(1, 10**12, n),
        basis_cents=basis,
        loss_basis_cents=basis,
        acquired=days,
        holding_from=days,
        purchased=days,
        acquisition_id=np.arange(1, n + 1),
        origin_event=np.arange(1, n + 1),
        origin_line=np.zeros(n, np.int32),
        absorbed=codes,
        covered=codes,
        basis_state=codes,
    )


def _plain_accounts(n: int) -> AccountTable:
    ids = np.arange(1, n + 1)
    codes = np.zeros(n, np.int8)
    return AccountTable(
        account_ids=ids,
        household_ids=ids,
        taxpayer_ids=ids,
        taxable=codes + 1,
        method=codes,
        fifo_by_holding=codes,
        sleeve_ids=np.zeros(0, np.int64),
        sleeve_ix=np.zeros(0, np.int32),
    )


def _save_clients(firm: FirmStore, book: SampleBook) -> None:
    book_tables.save_venues(firm, book.venues)
    book_tables.save_households(firm, book.households)
    book_tables.save_taxpayers(firm, book.taxpayers)
    book_tables.save_accounts(firm, book.accounts)
    book_tables.save_sleeves(firm, book.sleeves)


def _save_table(firm: FirmStore, table: AccountTable) -> None:
    households = np.unique(table.household_ids).tolist()
    book_tables.save_venues(firm, [Venue(code="V")])
    book_tables.save_households(firm, [Household(household_id=h, code=f"H{h}") for h in households])
    book_tables.save_taxpayers(
        firm, [Taxpayer(taxpayer_id=h, code=f"T{h}", household_id=h) for h in households]
    )
    book_tables.save_accounts(
        firm,
        [
            Account(
                account_id=account,
                code=f"A{account}",
                household_id=household,
                taxpayer_id=household,
                kind=AccountKind.TAXABLE if taxable else AccountKind.IRA,
                venue_code="V",
                opened=date(2000, 1, 3),
            )
            for account, household, taxable in zip(
                table.account_ids.tolist(), table.household_ids.tolist(), table.taxable.tolist(), strict=True
            )
        ],
    )


def _megabytes(firm: FirmStore) -> float:
    found = (
        firm.connection()
        .execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
            "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
        )
        .fetchone()
    )
    assert found is not None
    return float(found[0]) / 1e6


def _timed(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _silent(_what: str, _done: int, _total: int) -> None:
    return None
