"""Runs of the book: steps that workers claim, and the exceptions that they meet.

A step is claimed by a row lock inside the worker's transaction and finished in the same
transaction with its proposals: a killed worker's claim disappears with its connection, finished
steps stay, and nothing is done twice.

    while True:
        with firm.transaction():
            step = claim_step(firm, run_id)
            if step is None:
                break
            ...
            proposal_tables.save_proposals(firm, run_id, proposals)
            save_exceptions(firm, run_id, exceptions)
            finish_step(firm, step, n_done=…, seconds=…)
    finish_run(firm, run_id)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from psycopg import sql

from allotment.errors import StoreError, UsageError
from allotment.store.session import FirmStore
from allotment.units import Ints

_RUNS = sql.SQL(
    "SELECT r.run_id, kind, asof, r.state, inputs_hash, parameters, engine_version, rules_version, "
    "n_accounts, s.n_steps, s.n_steps_done, actor_id, started_at, r.finished_at FROM run r "
    "CROSS JOIN LATERAL (SELECT count(*)::integer AS n_steps, "
    "count(*) FILTER (WHERE state = 'done')::integer AS n_steps_done FROM run_step s "
    "WHERE s.run_id = r.run_id) s "
)


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
    with firm.transaction() as connection:
        found = connection.execute(
            "INSERT INTO run "
            "(kind, asof, inputs_hash, parameters, engine_version, rules_version, n_accounts) "
            "VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s) RETURNING run_id",
            [
                kind,
                asof,
                inputs_hash,
                json.dumps(dict(parameters)),
                engine_version,
                rules_version,
                sum(len(step) for step in steps),
            ],
        ).fetchone()
        assert found is not None
        run_id = int(found[0])
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY run_step (run_id, step, account_ids) FROM STDIN") as copy,
        ):
            for number, step in enumerate(steps):
                copy.write_row([run_id, number, [int(one) for one in step]])
    return run_id


def unfinished_run(firm: FirmStore, *, kind: str, inputs_hash: str) -> Run | None:
    """The latest run of the same inputs that was interrupted, to be gone on with."""
    found = firm.rows(
        Run,
        _RUNS
        + sql.SQL(
            "WHERE kind = %s AND inputs_hash = %s AND r.state = 'running' ORDER BY run_id DESC LIMIT 1"
        ),
        [kind, inputs_hash],
    )
    return found[0] if found else None


def load_run(firm: FirmStore, run_id: int) -> Run:
    """One run. Raises UsageError when there is none."""
    found = firm.rows(Run, _RUNS + sql.SQL("WHERE r.run_id = %s"), [run_id])
    if not found:
        raise UsageError(f"there is no run {run_id} in firm {firm.firm}.")
    return found[0]


def latest_run(firm: FirmStore, *, kind: str, finished: bool = True) -> Run | None:
    """The latest run of a kind; by default of the finished ones."""
    states = ["finished"] if finished else ["finished", "running"]
    found = firm.rows(
        Run,
        _RUNS + sql.SQL("WHERE kind = %s AND r.state = ANY(%s) ORDER BY run_id DESC LIMIT 1"),
        [kind, states],
    )
    return found[0] if found else None


def claim_step(firm: FirmStore, run_id: int) -> RunStep | None:
    """A step that nobody has done or is doing; call it inside a transaction."""
    found = (
        firm.connection()
        .execute(
            "SELECT step, account_ids FROM run_step WHERE run_id = %s AND state = 'waiting' "
            "ORDER BY step LIMIT 1 FOR UPDATE SKIP LOCKED",
            [run_id],
        )
        .fetchone()
    )
    if found is None:
        return None
    return RunStep(run_id=run_id, step=int(found[0]), account_ids=np.array(found[1], np.int64))


def finish_step(firm: FirmStore, step: RunStep, *, n_done: int, seconds: float) -> None:
    """Mark the claimed step as done; commits with the transaction."""
    changed = (
        firm.connection()
        .execute(
            "UPDATE run_step SET state = 'done', n_done = %s, seconds = %s, finished_at = now(), "
            "written_by = %s WHERE run_id = %s AND step = %s AND state = 'waiting'",
            [n_done, seconds, firm.actor_id, step.run_id, step.step],
        )
        .rowcount
    )
    if changed != 1:
        raise StoreError(
            f"step {step.step} of run {step.run_id} was done by somebody else; claim it inside the "
            "transaction that finishes it."
        )


def finish_run(firm: FirmStore, run_id: int) -> bool:
    """Close the run and supersede older open proposals of its accounts; False while steps are left."""
    with firm.transaction() as connection:
        closed = connection.execute(
            "UPDATE run SET state = 'finished', finished_at = now() WHERE run_id = %s AND state = 'running' "
            "AND NOT EXISTS (SELECT FROM run_step s WHERE s.run_id = run.run_id AND s.state <> 'done')",
            [run_id],
        ).rowcount
        if not closed:
            return load_run(firm, run_id).state == "finished"
        connection.execute(
            "UPDATE proposal old SET state = 'superseded', written_by = %s FROM proposal fresh "
            "WHERE fresh.run_id = %s AND old.account_id = fresh.account_id AND old.run_id < fresh.run_id "
            "AND old.state = 'proposed'",
            [firm.actor_id, run_id],
        )
    return True


def save_exceptions(firm: FirmStore, run_id: int, exceptions: Sequence[RunException]) -> None:
    """Store the accounts to look at."""
    with (
        firm.transaction() as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY run_exception (run_id, account_id, cause, message) FROM STDIN") as copy,
    ):
        for one in exceptions:
            copy.write_row([run_id, one.account_id, one.cause, one.message])


def load_exceptions(firm: FirmStore, run_id: int) -> tuple[RunException, ...]:
    """Exceptions of a run, by account."""
    query = sql.SQL(
        "SELECT account_id, cause, message FROM run_exception WHERE run_id = %s ORDER BY account_id, cause"
    )
    return tuple(firm.rows(RunException, query, [run_id]))
