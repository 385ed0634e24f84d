"""The benchmarks: each returns figures that JSON can hold; sizes and seeds are in them.

Ratios against peers are taken in the same run. Compilation is never counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from allotment.settings import Settings

Result = dict[str, Any]


def fold(households: tuple[int, ...] = (1, 3, 10, 30, 100)) -> Result:
    """Events folded per second: the law alone, and the ledger with both views and cash.

    `random`: households of five accounts that trade five hundred names weekly for ten years, with a
    wash sale in every third trade; by the number of households. `sample`: the demo's book.
    """
    from allotment.ledger import bench
    from allotment.ledger.events import AccountTable
    from allotment.simulate.world.book import BookPolicy, make_book
    from allotment.simulate.world.market import MarketPolicy, make_market
    from allotment.tax.identical import IdenticalGroups

    market = make_market(MarketPolicy(), 7)
    book = make_book(market, BookPolicy(accounts=1_000), 7)
    sleeves = [(sleeve.sleeve_id, sleeve.account_id) for sleeve in book.sleeves]
    table = AccountTable.of_accounts(book.accounts, book.venues, sleeves)
    groups = IdenticalGroups.of_securities(market.securities)
    return {
        "random": bench.bench(perf_counter, households),
        "sample": bench.measure((book.events, table, groups), perf_counter),
    }


def store() -> Result:
    """Rows per second into PostgreSQL and out, and packed lots."""
    from allotment.store import bench

    with TemporaryDirectory(prefix="allotment-bench-") as home:
        return bench.bench(Settings(home=Path(home)))


def imports() -> Result:
    """Three million lots from CSV to stored lots."""
    from allotment.jobs import import_bench

    return dict(import_bench.bench())


def books() -> Result:
    """The books in a database of their own: loading, a day of fills, reading, verifying, and size."""
    from allotment.jobs import books_bench

    return books_bench.bench()


def optimize() -> Result:
    """Certified accounts per second per core, the gap, and ratios to peers, on synthetic accounts.

    In seconds of this process's processor time: what others do with the machine does not count.
    """
    from allotment.optimize import bench

    return bench.bench(process_time)


def frontier() -> Result:
    """Milliseconds of processor time per frontier of 21 certified points, 500 names."""
    from allotment.optimize import frontier_bench

    return frontier_bench.bench(process_time)


def what_if() -> Result:
    """Milliseconds from a changed mandate to a certified proposal with reasons, database included."""
    from allotment.jobs import what_if_bench

    return what_if_bench.bench()


def world(accounts: tuple[int, ...] = (1_000, 10_000)) -> Result:
    """Seconds to make a sample market, and books of several sizes on it."""
    from allotment.simulate.world.book import BookPolicy, make_book
    from allotment.simulate.world.market import MarketPolicy, make_market

    started = perf_counter()
    market = make_market(MarketPolicy(), 7)
    result: Result = {"seed": 7, "market_seconds": round(perf_counter() - started, 2), "books": []}
    make_book(market, BookPolicy(accounts=10), 7)
    for n in accounts:
        started = perf_counter()
        book = make_book(market, BookPolicy(accounts=n), 7)
        figures = {"accounts": n, "seconds": round(perf_counter() - started, 2)}
        result["books"].append(figures | {"lots": len(book.lots), "events": len(book.events)})
    return result


def run(accounts: int = 2_000) -> Result:
    """The whole demo in a database of its own: building, storing, deciding."""
    from allotment.jobs.book_run import RunRequest, rebalance_book
    from allotment.jobs.demo import FIRM, DemoRequest, build
    from allotment.jobs.summary import summarise
    from allotment.store.database import Store
    from allotment.store.server import Server

    with TemporaryDirectory(prefix="allotment-bench-") as home:
        settings = Settings(home=Path(home))
        started = perf_counter()
        build(settings, DemoRequest(accounts=accounts), _silent)
        build_seconds = perf_counter() - started
        with Store.open(settings) as database, database.firm(FIRM) as firm:
            report = rebalance_book(firm, RunRequest(threads=settings.n_threads), _silent)
            summary = asdict(summarise(firm, report))
        Server(settings.home).stop()
    return {"threads": settings.n_threads, "build_seconds": round(build_seconds, 2)} | summary


def risk(folder: Path) -> Result:
    """Realised over predicted tracking error on real prices, by class of portfolio and model."""
    from allotment.feeds.history import read_history
    from allotment.simulate.risk_bench import PERIODS, bench

    histories = {name: read_history(folder, p.read_from, p.read_to) for name, p in PERIODS.items()}
    return bench(histories, perf_counter)


def actions(folder: Path) -> Result:
    """Every recorded corporate action replayed on lots: how far cash and value are off the adjusted close."""
    from allotment.feeds.action_history import priced_symbols
    from allotment.ledger.price_replay import replay

    started = perf_counter()
    replayed = {name: asdict(replay(symbols)) for name, symbols in priced_symbols(folder).items()}
    return {"seconds": round(perf_counter() - started, 1), "replayed": replayed}


def _silent(_what: str, _done: int, _total: int) -> None:
    return None


BENCHMARKS: Mapping[str, Callable[[], Result]] = {
    "fold": fold,
    "optimize": optimize,
    "frontier": frontier,
    "what_if": what_if,
    "store": store,
    "import": imports,
    "books": books,
    "world": world,
    "run": run,
}
# These need a folder of real prices.
ON_REAL_PRICES: Mapping[str, Callable[[Path], Result]] = {"risk": risk, "actions": actions}
