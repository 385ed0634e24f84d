"""How fast columns go into PostgreSQL and out again, on a server of its own."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from psycopg import sql

from allotment.settings import Settings
from allotment.store.database import Store
from allotment.store.server import Server

_ROUNDS = 3


def bench(settings: Settings, n_rows: int = 1_000_000) -> dict[str, float]:
    """Rows per second of binary COPY in, of ADBC out to Arrow, and of columns out in a transaction."""
    rng = np.random.default_rng(1)
    columns = {
        "account_id": np.sort(rng.integers(0, 10_000, n_rows)),
        "quantity": rng.integers(0, 10**12, n_rows),
        "amount": rng.integers(0, 10**9, n_rows),
        "price": rng.uniform(1, 500, n_rows),
    }
    names = tuple(columns)
    query = sql.SQL("SELECT account_id, quantity, amount, price FROM bench_rows ORDER BY account_id")
    with Store.open(settings) as store:
        store.create_firm("bench", market="market_bench")
        with store.firm("bench") as firm:
            firm.connection().execute(
                "CREATE TEMPORARY TABLE bench_rows "
                "(account_id bigint, quantity bigint, amount bigint, price double precision)"
            )
            copy_in = _best(lambda: firm.copy_in("bench_rows", columns))
            firm.connection().execute("DELETE FROM bench_rows")
            firm.copy_in("bench_rows", columns)
            out = _best(lambda: firm.columns(query, names, by="account_id"))
            arrow = _best(
                lambda: firm.arrow(
                    sql.SQL("SELECT i, i * 2 AS j FROM generate_series(1, {}) i").format(n_rows)
                )
            )
        Server(settings.home).stop()
    return {
        "rows": n_rows,
        "copy_in_rows_per_second": round(n_rows / copy_in),
        "columns_out_rows_per_second": round(n_rows / out),
        "adbc_out_rows_per_second": round(n_rows / arrow),
    }


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return min(seconds)
