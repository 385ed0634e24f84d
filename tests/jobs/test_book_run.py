"""A run isolates what it cannot decide, and remembers what it decided from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from allotment.errors import DataError, UsageError
from allotment.jobs.book_run import RunRequest, rebalance_book
from allotment.jobs.market_day import latest_session
from allotment.jobs.summary import summarise
from allotment.optimize.modes import Mode, Purpose
from allotment.store import book_tables, proposal_tables, run_tables


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def test_an_account_without_a_mandate_does_not_stop_the_run(sample_firm, sample_book) -> None:
    new = replace(sample_book.accounts[2], account_id=13, code="NEW")
    book_tables.save_accounts(sample_firm, [new])
    report = rebalance_book(sample_firm, RunRequest(threads=2), quiet)
    proposals = proposal_tables.load_proposals(sample_firm, report.run_id)
    exceptions = run_tables.load_exceptions(sample_firm, report.run_id)
    assert {p.account_id for p in proposals} == {a.account_id for a in sample_book.accounts}
    assert next(e for e in exceptions if e.account_id == 13).cause == "no_mandate"
    summary = summarise(sample_firm, report)
    assert summary.accounts == 13
    assert summary.proposals == 12
    assert summary.exceptions["no_mandate"] == 1


def test_a_run_records_its_inputs_and_progress(sample_firm) -> None:
    seen: list[tuple[str, int, int]] = []
    report = rebalance_book(sample_firm, RunRequest(), lambda *step: seen.append(step))
    run = run_tables.load_run(sample_firm, report.run_id)
    assert run.state == "finished"
    assert {"until_seq", "model", "market"} <= set(run.parameters)
    assert seen[-1] == ("deciding accounts", 12, 12)
    again = rebalance_book(sample_firm, RunRequest(), quiet)
    assert again.run_id != report.run_id
    assert run_tables.load_run(sample_firm, again.run_id).inputs_hash == run.inputs_hash


def test_older_proposals_are_superseded(sample_firm) -> None:
    first = rebalance_book(sample_firm, RunRequest(), quiet)
    rebalance_book(sample_firm, RunRequest(), quiet)
    states = {p.state for p in proposal_tables.load_proposals(sample_firm, first.run_id)}
    assert states <= {"superseded", "nothing_to_do"}


def test_what_was_known_later_is_not_looked_at(sample_firm, sample_book) -> None:
    """As of an earlier session, a run sees that day's prices and books."""
    early = latest_session(sample_firm, date(sample_book.asof.year, 10, 15))
    report = rebalance_book(sample_firm, RunRequest(asof=early), quiet)
    assert report.asof == early < sample_book.asof
    assert all(p.asof == early for p in proposal_tables.load_proposals(sample_firm, report.run_id))


def test_asking_for_nothing_there_is_told(sample_firm) -> None:
    with pytest.raises(UsageError, match="NOPE"):
        rebalance_book(sample_firm, RunRequest(account_codes=("NOPE",)), quiet)
    with pytest.raises(DataError, match="Import prices"):
        rebalance_book(sample_firm, RunRequest(asof=date(1990, 1, 2)), quiet)


def test_a_run_for_a_purpose_is_another_run(sample_firm) -> None:
    plain = rebalance_book(sample_firm, RunRequest(), quiet)
    aimed = rebalance_book(sample_firm, RunRequest(purpose=Purpose(mode=Mode.LIQUIDATE)), quiet)
    runs = [run_tables.load_run(sample_firm, one.run_id) for one in (plain, aimed)]
    assert runs[0].inputs_hash != runs[1].inputs_hash
    assert "liquidate" in runs[1].parameters["purpose"]
    for proposal in proposal_tables.load_proposals(sample_firm, aimed.run_id):
        assert (proposal.trades.side < 0).all()
        assert proposal.cash_after_cents >= proposal.cash_before_cents


def test_a_mandate_changed_is_another_run(sample_firm) -> None:
    first = rebalance_book(sample_firm, RunRequest(), quiet)
    old = run_tables.load_run(sample_firm, first.run_id)
    mandate = book_tables.load_mandates(sample_firm, old.asof)[0]
    book_tables.save_mandates(sample_firm, [replace(mandate, version=2, cash_weight_max=0.05)])
    second = rebalance_book(sample_firm, RunRequest(), quiet)
    assert run_tables.load_run(sample_firm, second.run_id).inputs_hash != old.inputs_hash
    made = proposal_tables.latest_proposal(sample_firm, mandate.account_id)
    assert made.mandate_version == 2
