"""Milliseconds from a changed mandate to a certified proposal with its reasons, database included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

from allotment.book.household import AccountKind
from allotment.jobs.demo import FIRM, DemoRequest, build
from allotment.jobs.what_if import WhatIfSession
from allotment.rebalance.explain import explain
from allotment.rebalance.what_if import Change
from allotment.settings import Settings
from allotment.store import book_tables
from allotment.store.database import Store
from allotment.store.server import Server

_SEED = 7


def bench(accounts: int = 300, asked: int = 50, questions: int = 4) -> dict[str, Any]:
    """Questions on the sample book: `asked` taxable accounts of 500 names, some questions each.

    `first`: the household's books are read and folded, and the account is decided as it stands and
    as changed. `again`: the next changes of the same account; how far its household's events go,
    its records and mandate are read anew. `cpu` leaves out the database's own time.
    """
    with TemporaryDirectory(prefix="allotment-bench-") as home:
        settings = Settings(home=Path(home))
        build(settings, DemoRequest(accounts=accounts, seed=_SEED), lambda *_: None)
        with Store.open(settings) as store, store.firm(FIRM) as firm:
            open_now = [a for a in book_tables.load_accounts(firm) if a.closed is None]
            taxable = [a.code for a in open_now if a.kind == AccountKind.TAXABLE]
            rng = np.random.default_rng(_SEED)
            codes = [str(code) for code in rng.choice(taxable, asked + 1, replace=False)]
            started = perf_counter()
            session = WhatIfSession(firm)
            opening = perf_counter() - started
            session.ask(codes.pop(), Change())  # kernels loaded before the clock starts
            times: list[tuple[bool, float, float]] = []
            gaps, trades = [], []
            for code in codes:
                for question in range(questions):
                    wall, cpu = perf_counter(), process_time()
                    found = session.ask(code, _change(question, rng))
                    explain(found.after.proposal, session.market.model.factor_names)
                    times.append((question == 0, perf_counter() - wall, process_time() - cpu))
                    gaps.append(found.after.proposal.gap_bps)
                    trades.append(len(found.after.proposal.trades))
        Server(settings.home).stop()
    return {
        "seed": _SEED,
        "requests": len(times),
        "accounts": asked,
        "opening_seconds": round(opening, 2),
        "all": _percentiles([one[1:] for one in times]),
        "first": _percentiles([one[1:] for one in times if one[0]]),
        "again": _percentiles([one[1:] for one in times if not one[0]]),
        "gap_bps_median": round(float(np.median(gaps)), 4),
        "gap_bps_p99": round(float(np.percentile(gaps, 99)), 4),
        "trades_median": float(np.median(trades)),
    }


def _change(question: int, rng: np.random.Generator) -> Change:
    """A changed mandate, never the same twice."""
    drawn = float(rng.uniform(0.5, 2.0))
    if question % 4 == 1:
        return Change(loss_value=0.45 * drawn)
    if question % 4 == 2:
        return Change(exclude=("Energy",), risk_price=50.0 * drawn)
    if question % 4 == 3:
        return Change(cash_weight_min=0.01 * drawn)
    return Change(risk_price=50.0 * drawn)


def _percentiles(seconds: Sequence[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = (1e3 * np.array(column) for column in zip(*seconds, strict=True))
    return {
        "p50_ms": round(float(np.median(wall)), 2),
        "p95_ms": round(float(np.percentile(wall, 95)), 2),
        "cpu_p50_ms": round(float(np.median(cpu)), 2),
        "cpu_p95_ms": round(float(np.percentile(cpu, 95)), 2),
    }
