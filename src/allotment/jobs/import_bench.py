"""How fast lots come in: a clean CSV of a large book into a database of its own."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np

from allotment.feeds.checks import check_table
from allotment.feeds.schemas import SCHEMAS
from allotment.feeds.table import read_table
from allotment.jobs.importing import ImportRequest, import_files
from allotment.store.database import Store


def bench(n_lots: int = 3_000_000, n_accounts: int = 10_000, n_securities: int = 600) -> dict[str, float]:
    """Seconds to import a clean CSV of lots into a database of its own, and its parts.

    `read_seconds`: file to checked columns. `seconds`: the whole import, with securities and
    accounts resolved, one opening event per account written, folded, and lots stored in both views.
    """
    from tempfile import TemporaryDirectory

    from allotment.settings import Settings
    from allotment.store.server import Server

    asof = date(2024, 6, 28)
    with TemporaryDirectory(prefix="allotment-bench-") as name, ExitStack() as afterwards:
        folder = Path(name)
        folder.chmod(0o711)  # the server's user, another one when we are root, must get in
        afterwards.callback(Server(folder / "home").stop)
        sizes = _write_bench_files(folder, n_lots, n_accounts, n_securities)
        with Store.open(Settings(home=folder / "home")) as store:
            store.create_firm("bench", market="market_bench")
            store.firm("bench").close()

            def load(*paths: Path) -> float:
                started = perf_counter()
                report = import_files(store, ImportRequest(paths=paths, asof=asof), lambda *_: None)
                assert report.is_complete, report
                return perf_counter() - started

            load(folder / "small", folder / "warm")
            started = perf_counter()
            table = read_table(folder / "lots.csv", SCHEMAS["lots"], asof)
            check_table(table, asof)
            read_seconds = perf_counter() - started
            seconds = load(folder / "lots.csv")
    return {
        "lots": n_lots,
        "accounts": n_accounts,
        "megabytes": sizes / 1e6,
        "read_seconds": round(read_seconds, 2),
        "seconds": round(seconds, 2),
        "lots_per_second": round(n_lots / seconds),
    }


def _write_bench_files(folder: Path, n_lots: int, n_accounts: int, n_securities: int) -> int:
    """A book whose last account is loaded first, to have the kernels warm; bytes of lots.csv."""
    import polars as pl

    rng = np.random.default_rng(7)
    small, warm = folder / "small", folder / "warm"
    small.mkdir()
    warm.mkdir()
    names = [f"S{at:04d}" for at in range(n_securities)]
    accounts = [f"A{at:06d}" for at in range(n_accounts + 1)]
    pl.DataFrame({"security": names, "name": names}).write_csv(small / "securities.csv")
    pl.DataFrame({"venue": ["acme"]}).write_csv(small / "venues.csv")
    homes = pl.DataFrame({"household": accounts})
    homes.write_csv(small / "households.csv")
    homes.with_columns(taxpayer=pl.col("household")).write_csv(small / "taxpayers.csv")
    homes.with_columns(
        taxpayer=pl.col("household"),
        account=pl.col("household"),
        venue=pl.lit("acme"),
        opened=pl.lit("2015-01-02"),
    ).write_csv(small / "accounts.csv")
    days = np.datetime64("2016-01-04") + rng.integers(0, 3000, n_lots)
    lots = pl.DataFrame(
        {
            "account": np.array(accounts)[np.sort(rng.integers(0, n_accounts, n_lots))],
            "security": np.array(names)[rng.integers(0, n_securities, n_lots)],
            "lot": np.arange(n_lots),
            "quantity": rng.integers(1, 10**9, n_lots) / 1e6,
            "basis": rng.integers(1, 10**7, n_lots) / 100,
            "acquired": days.astype("M8[D]"),
        }
    )
    lots.write_csv(folder / "lots.csv", float_scientific=False)
    lots.head(1000).with_columns(account=pl.lit(accounts[-1])).write_csv(
        warm / "lots.csv", float_scientific=False
    )
    return (folder / "lots.csv").stat().st_size
