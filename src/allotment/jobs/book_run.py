"""A run over the book or a selection: every account gets a proposal or a reason why not.

Accounts are done in steps of whole households. A worker thread claims a step, decides it and
commits its proposals in one transaction, so a killed run leaves finished steps and nothing else;
the same command takes up the rest. What a run decides depends on its recorded inputs alone.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from time import perf_counter

import numpy as np

from allotment import __version__
from allotment.book.household import Account, Sleeve
from allotment.errors import UsageError
from allotment.jobs.market_day import latest_session, read_snapshot
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import fold
from allotment.optimize.modes import Purpose
from allotment.optimize.problem import Market, Problems
from allotment.optimize.solution import Solutions
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy
from allotment.rebalance.decide import Versions
from allotment.rebalance.facts import Clients, facts_of
from allotment.rebalance.household import Undecided, decide
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.store import (
    arrival_tables,
    book_tables,
    event_tables,
    expected_tables,
    proposal_tables,
    run_tables,
)
from allotment.store.session import FirmStore
from allotment.tax import RULES_VERSION

KIND = "rebalance"
STEP_ACCOUNTS = 64
_log = logging.getLogger("allotment")

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What to decide. An empty selection means every open account."""

    asof: date | None = None  # default: the last session with prices
    account_codes: tuple[str, ...] = ()
    costs: CostPolicy = field(default_factory=CostPolicy)
    purpose: Purpose | None = None  # what every account chosen is traded for; default: its mandate
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a run went. Seconds of compiled optimisation are summed over threads."""

    run_id: int
    asof: date
    resumed: bool
    seconds: float
    solve_seconds: float
    n_solved: int  # accounts that got a proposal in this process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """Everything that a run decides from; the same for all its steps."""

    market: MarketSnapshot
    clients: Clients
    sleeves: tuple[Sleeve, ...]
    chosen: frozenset[int]  # account ids
    until_seq: int  # events that became known later are not looked at
    costs: CostPolicy
    purpose: Purpose | None
    versions: Versions

    def digest(self) -> str:
        """SHA-256; two runs with equal digests decide the same."""
        digest = hashlib.sha256(self.market.digest.encode())
        clients = self.clients
        for table in (clients.accounts, clients.taxpayers, clients.venues, clients.mandates, clients.pages):
            digest.update(repr(sorted(table.items())).encode())
        digest.update(repr(sorted(clients.carried_micros.items())).encode())
        facts = (sorted(self.chosen), self.until_seq, self.costs, self.versions, STEP_ACCOUNTS)
        digest.update(repr((*facts, self.purpose)).encode())
        return digest.hexdigest()


def rebalance_book(firm: FirmStore, request: RunRequest, advance: Advance) -> RunReport:
    """Decide the accounts asked for, going on with an interrupted run of the same inputs.

    Raises DataError when the market has no prices, UsageError for an unknown account code.
    """
    started = perf_counter()
    advance("reading the market", 0, 1)
    inputs = _read_inputs(firm, request)
    advance("reading the market", 1, 1)
    digest = inputs.digest()
    unfinished = run_tables.unfinished_run(firm, kind=KIND, inputs_hash=digest)
    run_id = unfinished.run_id if unfinished else _create_run(firm, inputs, digest)
    worker = _Worker(firm, run_id, inputs, advance)
    with ThreadPoolExecutor(request.threads) as pool:
        for done in [pool.submit(worker.work) for _ in range(request.threads)]:
            done.result()
    run_tables.finish_run(firm, run_id)
    return RunReport(
        run_id=run_id,
        asof=inputs.market.asof,
        resumed=unfinished is not None,
        seconds=perf_counter() - started,
        solve_seconds=worker.solve_seconds,
        n_solved=worker.n_solved,
    )


def _read_inputs(firm: FirmStore, request: RunRequest) -> _Inputs:
    asof = latest_session(firm, request.asof)
    until_seq = event_tables.last_sequence(firm)
    accounts = {account.account_id: account for account in book_tables.load_accounts(firm)}
    clients = Clients(
        accounts=accounts,
        taxpayers={t.taxpayer_id: t for t in book_tables.load_taxpayers(firm)},
        venues=book_tables.load_venues(firm),
        mandates={m.account_id: m for m in book_tables.load_mandates(firm, asof)},
        carried_micros=arrival_tables.carried_micros(firm, asof),
        pages=expected_tables.load_pages(firm, asof),
    )
    return _Inputs(
        market=read_snapshot(firm, asof),
        clients=clients,
        sleeves=book_tables.load_sleeves(firm),
        chosen=_selection(accounts, request.account_codes, asof),
        until_seq=until_seq,
        costs=request.costs,
        purpose=request.purpose,
        versions=Versions(engine=__version__, rules=RULES_VERSION),
    )


def _selection(accounts: dict[int, Account], codes: tuple[str, ...], asof: date) -> frozenset[int]:
    is_open = {
        i: a
        for i, a in accounts.items()
        if a.is_managed and a.opened <= asof and (a.closed is None or a.closed > asof)
    }
    if not codes:
        return frozenset(is_open)
    by_code = {account.code: account_id for account_id, account in is_open.items()}
    unknown = [code for code in codes if code not in by_code]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: no account that is open and managed here on {asof}; "
            "`allotment explain` lists near ones."
        )
    return frozenset(by_code[code] for code in codes)


def _create_run(firm: FirmStore, inputs: _Inputs, digest: str) -> int:
    return run_tables.create_run(
        firm,
        kind=KIND,
        asof=inputs.market.asof,
        inputs_hash=digest,
        parameters={
            "until_seq": inputs.until_seq,
            "model": inputs.market.model.version,
            "market": inputs.market.digest,
            "costs": repr(inputs.costs),
            "purpose": repr(inputs.purpose),
        },
        engine_version=inputs.versions.engine,
        rules_version=inputs.versions.rules,
        steps=_steps(inputs),
    )


def _steps(inputs: _Inputs) -> list[list[int]]:
    """Accounts in steps of about 64; a household is never cut."""
    members: dict[int, list[int]] = {}
    for account_id in sorted(inputs.chosen):
        members.setdefault(inputs.clients.accounts[account_id].household_id, []).append(account_id)
    steps: list[list[int]] = []
    for household in sorted(members):
        if not steps or len(steps[-1]) >= STEP_ACCOUNTS:
            steps.append([])
        steps[-1].extend(members[household])
    return steps


class _Worker:
    """Does steps of one run; several threads share it, and only its counters change."""

    def __init__(self, firm: FirmStore, run_id: int, inputs: _Inputs, advance: Advance) -> None:
        self.firm, self.run_id, self.inputs, self.advance = firm, run_id, inputs, advance
        self.n_done, self.n_solved, self.solve_seconds = 0, 0, 0.0
        self._lock = threading.Lock()

    def work(self) -> None:
        """Claim and do steps until there are none left."""
        while self._one_step():
            pass

    def _one_step(self) -> bool:
        started = perf_counter()
        with self.firm.transaction():
            step = run_tables.claim_step(self.firm, self.run_id)
            if step is None:
                return False
            proposals, exceptions = self._decide(frozenset(step.account_ids.tolist()))
            proposal_tables.save_proposals(self.firm, self.run_id, proposals)
            run_tables.save_exceptions(
                self.firm,
                self.run_id,
                [
                    run_tables.RunException(account_id=e.account_id, cause=e.cause, message=e.message)
                    for e in exceptions
                ],
            )
            n_done, seconds = len(step.account_ids), perf_counter() - started
            run_tables.finish_step(self.firm, step, n_done=n_done, seconds=seconds)
        with self._lock:
            self.n_done += n_done
            self.advance("deciding accounts", self.n_done, len(self.inputs.chosen))
        _log.info("step done", extra={"run": self.run_id, "step": step.step})
        return True

    def _decide(self, account_ids: frozenset[int]) -> tuple[list[Proposal], list[Undecided]]:
        """Fold the books of the step's households and decide the accounts asked for."""
        inputs = self.inputs
        known = inputs.clients.accounts
        households = {known[account_id].household_id for account_id in account_ids}
        accounts = [account for account in known.values() if account.household_id in households]
        recorded = event_tables.load_events(
            self.firm, np.array(sorted(households)), until_seq=inputs.until_seq
        )
        events = in_force(recorded).until(inputs.market.asof)
        table = AccountTable.of_accounts(
            accounts,
            tuple(inputs.clients.venues.values()),
            [
                (s.sleeve_id, s.account_id)
                for s in inputs.sleeves
                if known[s.account_id].household_id in households
            ],
        )
        state = fold(events, table, inputs.market.groups)
        facts = facts_of(events, state, inputs.clients, account_ids, inputs.market)
        cases = [replace(case, purpose=inputs.purpose) for case in facts.cases]
        made = decide(cases, inputs.market, inputs.costs, inputs.versions, facts.year, self._solve)
        with self._lock:
            self.n_solved += len(made.proposals)
        return made.proposals, [*facts.exceptions, *made.exceptions]

    def _solve(self, market: Market, problems: Problems) -> Solutions:
        started = perf_counter()
        answer = solve_batch(market, problems)
        with self._lock:
            self.solve_seconds += perf_counter() - started
        return answer
