"""Milliseconds from a changed mandate to a certified proposal with its reasons, database included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

from allotment.book.household import AccountKind
from allotment.book.mandate import Mandate
from allotment.jobs.demo import FIRM, DemoRequest, build
from allotment.jobs.what_if import WhatIfSession
from allotment.rebalance.explain import explain
from allotment.rebalance.what_if import Change
from allotment.settings import Settings
from allotment.store import book_tables
from allotment.store.database import Store
from allotment.store.server import Server
from allotment.store.session import FirmStore

_SEED = 7
_TIMES = 3
_SHOWN = 10  # trades of an answer that are told in sentences


def bench(accounts: int = 300, asked: int = 50, questions: int = 4) -> dict[str, Any]:
    """Questions on the sample book: `asked` taxable accounts of 500 names, some questions each.

    `first` and `again`: the first and the next changes of an account that the session was opened with.
    `mandate`: the first after a new version of its mandate was stored: it is decided as it stands, too.
    `unopened`: the first about another account: its household's books are read and folded as well.
    Each of `again` is asked three times, and the median counts. All that is kept is asked for anew with
    each. `cpu` leaves out the database's own time.
    """
    with TemporaryDirectory(prefix="allotment-bench-") as home:
        settings = Settings(home=Path(home))
        build(settings, DemoRequest(accounts=accounts, seed=_SEED), lambda *_: None)
        with Store.open(settings) as store, store.firm(FIRM) as firm:
            found = _asked(firm, asked, questions)
        Server(settings.home).stop()
    return found


def _asked(firm: FirmStore, asked: int, questions: int) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    open_now = [a for a in book_tables.load_accounts(firm) if a.closed is None]
    taxable = [a.code for a in open_now if a.kind == AccountKind.TAXABLE]
    drawn = [str(code) for code in rng.choice(taxable, 2 * asked + 1, replace=False)]
    warm, opened, unopened = drawn[0], drawn[1 : asked + 1], drawn[asked + 1 :]
    started = perf_counter()
    session = WhatIfSession(firm)
    opening = perf_counter() - started
    session.ask(warm, Change())  # kernels loaded before the clock starts
    started = perf_counter()
    for code in opened:
        session.open(code)
    opening_each = (perf_counter() - started) / asked
    answers = {"first": [_answer(session, code, _change(0, rng)) for code in opened]}
    answers["again"] = [
        _usual(session, code, _change(question, rng)) for code in opened for question in range(1, questions)
    ]
    for code in opened:
        _store_mandate(firm, session.known(code).case.mandate, rng)
    answers["mandate"] = [_answer(session, code, _change(0, rng)) for code in opened]
    answers["unopened"] = [_answer(session, code, _change(0, rng)) for code in unopened]
    answers["all"] = answers["first"] + answers["again"]
    gaps = [one.gap_bps for one in answers["all"]]
    return {
        "seed": _SEED,
        "requests": len(answers["all"]),
        "accounts": asked,
        "opening_seconds": round(opening, 2),
        "opening_account_ms": round(1e3 * opening_each, 1),
        **{name: _percentiles(those) for name, those in answers.items()},
        "gap_bps_median": round(float(np.median(gaps)), 4),
        "gap_bps_p99": round(float(np.percentile(gaps, 99)), 4),
        "trades_median": float(np.median([one.n_trades for one in answers["all"]])),
    }


class _Answer(NamedTuple):
    """One question's answer, and the seconds it took."""

    wall: float
    cpu: float
    gap_bps: float
    n_trades: int


def _answer(session: WhatIfSession, code: str, change: Change) -> _Answer:
    wall, cpu = perf_counter(), process_time()
    proposal = session.ask(code, change).after.proposal
    told = explain(proposal, session.market.model.factor_names)
    for line in told.trades[:_SHOWN]:
        assert line.because or line.weighed is None
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return _Answer(wall, cpu, proposal.gap_bps, len(proposal.trades))


def _usual(session: WhatIfSession, code: str, change: Change) -> _Answer:
    """The median of three: other programs of the machine take time, too."""
    return sorted(_answer(session, code, change) for _ in range(_TIMES))[_TIMES // 2]


def _store_mandate(firm: FirmStore, mandate: Mandate, rng: np.random.Generator) -> None:
    risk_price = mandate.risk_price * float(rng.uniform(0.8, 1.2))
    book_tables.save_mandates(firm, [replace(mandate, version=mandate.version + 1, risk_price=risk_price)])


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


def _percentiles(answers: Sequence[_Answer]) -> dict[str, float]:
    wall, cpu = (1e3 * np.array([getattr(one, name) for one in answers]) for name in ("wall", "cpu"))
    return {
        "p50_ms": round(float(np.median(wall)), 2),
        "p95_ms": round(float(np.percentile(wall, 95)), 2),
        "cpu_p50_ms": round(float(np.median(cpu)), 2),
        "cpu_p95_ms": round(float(np.percentile(cpu, 95)), 2),
    }
