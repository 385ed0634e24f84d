"""Runs of the book: steps that workers claim, proposals and exceptions that they store.

A step is claimed by a row lock inside the worker's transaction and finished in the same
transaction with its proposals: a killed worker's claim disappears with its connection, finished
steps stay, and nothing is done twice.

    while True:
        with firm.transaction():
            step = claim_step(firm, run_id)
            if step is None:
                break
            ...
            save_proposals(firm, run_id, proposals)
            save_exceptions(firm, run_id, exceptions)
            finish_step(firm, step, n_done=…, seconds=…)
    finish_run(firm, run_id)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from allotment.rebalance.proposal import Proposal
from allotment.risk.model import FactorModel
from allotment.store.session import FirmStore
from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the book or a selection."""

    run_id: int
    kind: str  # "rebalance"
    asof: date
    state: str  # "running" or "finished"
    inputs_hash: str  # of everything the run was started with; equal hashes resume
    parameters: Mapping[str, Any]
    engine_version: str
    rules_version: str
    n_accounts: int
    n_steps: int
    n_steps_done: int
    actor_id: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """A range of a run's accounts that one worker does at once."""

    run_id: int
    step: int
    account_ids: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class RunException:
    """An account that a run could not do, or did with something to look at."""

    account_id: int
    cause: str  # a short code to count by
    message: str  # a sentence for a person


def create_run(
    firm: FirmStore,
    *,
    kind: str,
    asof: date,
    inputs_hash: str,
    parameters: Mapping[str, Any],
    engine_version: str,
    rules_version: str,
    steps: Sequence[Sequence[int] | Ints],
) -> int:
    """Start a run whose steps are the given lists of account ids; its id."""
    raise NotImplementedError


def unfinished_run(firm: FirmStore, *, kind: str, inputs_hash: str) -> Run | None:
    """The latest run of the same inputs that was interrupted, to be gone on with."""
    raise NotImplementedError


def load_run(firm: FirmStore, run_id: int) -> Run:
    """One run. Raises UsageError when there is none."""
    raise NotImplementedError


def latest_run(firm: FirmStore, *, kind: str, finished: bool = True) -> Run | None:
    """The latest run of a kind."""
    raise NotImplementedError


def claim_step(firm: FirmStore, run_id: int) -> RunStep | None:
    """A step that nobody has done or is doing; call it inside a transaction."""
    raise NotImplementedError


def finish_step(firm: FirmStore, step: RunStep, *, n_done: int, seconds: float) -> None:
    """Mark the claimed step as done; commits with the transaction."""
    raise NotImplementedError


def finish_run(firm: FirmStore, run_id: int) -> bool:
    """Close the run and supersede older open proposals of its accounts; False while steps are left."""
    raise NotImplementedError


def save_proposals(firm: FirmStore, run_id: int, proposals: Sequence[Proposal]) -> None:
    """Store what the run decided, in one COPY."""
    raise NotImplementedError


def load_proposals(
    firm: FirmStore, run_id: int, account_ids: Sequence[int] | Ints | None = None
) -> tuple[Proposal, ...]:
    """Proposals of a run with their trades, by account."""
    raise NotImplementedError


def latest_proposal(firm: FirmStore, account_id: int) -> Proposal | None:
    """The newest proposal of an account from a finished run."""
    raise NotImplementedError


def save_exceptions(firm: FirmStore, run_id: int, exceptions: Sequence[RunException]) -> None:
    """Store the accounts to look at."""
    raise NotImplementedError


def load_exceptions(firm: FirmStore, run_id: int) -> tuple[RunException, ...]:
    """Exceptions of a run, by account."""
    raise NotImplementedError


def save_model(firm: FirmStore, model: FactorModel) -> None:
    """Keep a risk model under its version; one that is stored already is left."""
    raise NotImplementedError


def load_model(firm: FirmStore, version: str) -> FactorModel:
    """The risk model of a version. Raises DataError when there is none."""
    raise NotImplementedError


def latest_model(firm: FirmStore, asof: date) -> FactorModel | None:
    """The newest risk model whose `asof` is on or before the day."""
    raise NotImplementedError
