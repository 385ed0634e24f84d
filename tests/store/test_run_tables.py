"""Runs are claimed step by step, survive their workers, and end once."""

from __future__ import annotations

import threading
from datetime import date
from time import monotonic, sleep

import pytest

from allotment.errors import StoreError, UsageError
from allotment.store import run_tables
from allotment.store.run_tables import RunException, claim_step, finish_run, finish_step

ASOF = date(2025, 6, 30)


def start(firm, steps=((1, 2), (3, 4), (5,))) -> int:
    return run_tables.create_run(
        firm,
        kind="rebalance",
        asof=ASOF,
        inputs_hash="abc",
        parameters={"until_seq": 5},
        engine_version="0.1",
        rules_version="2025",
        steps=steps,
    )


def test_a_run_is_found_while_it_is_unfinished(firm) -> None:
    run_id = start(firm)
    found = run_tables.unfinished_run(firm, kind="rebalance", inputs_hash="abc")
    assert found == run_tables.load_run(firm, run_id)
    assert (found.n_accounts, found.n_steps, found.n_steps_done, found.state) == (5, 3, 0, "running")
    assert (found.parameters, found.asof, found.actor_id) == ({"until_seq": 5}, ASOF, 1)
    assert run_tables.unfinished_run(firm, kind="rebalance", inputs_hash="other") is None
    assert run_tables.latest_run(firm, kind="rebalance") is None
    assert run_tables.latest_run(firm, kind="rebalance", finished=False) == found
    with pytest.raises(UsageError, match="no run 99"):
        run_tables.load_run(firm, 99)


def test_steps_are_done_once_by_whoever_claims_them(firm) -> None:
    run_id = start(firm, steps=[[i] for i in range(1, 21)])
    done: list[int] = []
    meet = threading.Barrier(2)

    def work() -> None:
        meet.wait()
        while True:
            with firm.transaction():
                step = claim_step(firm, run_id)
                if step is None:
                    return
                done.extend(step.account_ids.tolist())
                finish_step(firm, step, n_done=1, seconds=0.1)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(1, 21))
    assert finish_run(firm, run_id)
    found = run_tables.latest_run(firm, kind="rebalance")
    assert (found.state, found.n_steps_done) == ("finished", 20)
    assert found.finished_at is not None


def test_a_claim_goes_with_its_connection(store, firm) -> None:
    """A killed worker's backend ends its transaction; the step is there for the next."""
    run_id = start(firm, steps=[[1]])
    with store.firm("ours") as worker, worker.transaction():
        assert claim_step(worker, run_id).step == 0
        assert claim_step(firm, run_id) is None
        assert not finish_run(firm, run_id)
        backend = worker.connection().info.backend_pid
        worker.connection().close()
    _wait_for_end(firm, backend)
    with firm.transaction():
        assert claim_step(firm, run_id).account_ids.tolist() == [1]


def _wait_for_end(firm, backend: int) -> None:
    """The server notices a moment later that a client has gone."""
    until = monotonic() + 30.0
    lives = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
    while firm.connection().execute(lives, [backend]).fetchone() is not None:
        assert monotonic() < until
        sleep(0.01)


def test_a_step_cannot_be_finished_twice(firm) -> None:
    run_id = start(firm, steps=[[1]])
    with firm.transaction():
        step = claim_step(firm, run_id)
        finish_step(firm, step, n_done=1, seconds=0.0)
    with pytest.raises(StoreError, match="done by somebody else"):
        finish_step(firm, step, n_done=1, seconds=0.0)


def test_an_unfinished_step_keeps_the_run_open(firm) -> None:
    run_id = start(firm)
    assert not finish_run(firm, run_id)
    assert run_tables.load_run(firm, run_id).state == "running"


def test_exceptions_come_back_by_account(firm) -> None:
    run_id = start(firm)
    listed = [
        RunException(account_id=4, cause="no_price", message="security 7 has no price\tor volume"),
        RunException(account_id=2, cause="infeasible", message="the mandate excludes everything"),
    ]
    run_tables.save_exceptions(firm, run_id, listed)
    assert run_tables.load_exceptions(firm, run_id) == (listed[1], listed[0])
