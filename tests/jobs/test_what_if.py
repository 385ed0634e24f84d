"""Questions count what the database has now, store nothing, and answer what a run would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotment.errors import DataError, UsageError
from allotment.jobs.book_run import RunRequest, rebalance_book
from allotment.jobs.what_if import WhatIfSession
from allotment.ledger.events import EventKind
from allotment.ledger.write import take
from allotment.rebalance.explain import explain
from allotment.rebalance.what_if import Change
from allotment.store import book_tables, event_tables, market_tables, proposal_tables
from allotment.store.database import Store

CODE = "A000003"


def rows(firm) -> dict[str, int]:
    """Rows of every table that a run or a booking writes."""
    tables = ("event", "run", "proposal", "risk_model", "lots_now", "mandate")
    found = {}
    for table in tables:
        counted = firm.connection().execute(f"SELECT count(*) FROM {table}").fetchone()
        found[table] = counted[0]
    return found


def test_an_answer_is_the_runs_and_nothing_is_stored(sample_firm) -> None:
    counted = rows(sample_firm)
    session = WhatIfSession(sample_firm)
    found = session.ask(CODE, Change(risk_price=150.0))
    assert found.after.proposal.tracking_error_after <= found.before.proposal.tracking_error_after
    assert rows(sample_firm) == counted
    rebalance_book(sample_firm, RunRequest(account_codes=(CODE,)), lambda *_: None)
    account = book_tables.find_account(sample_firm, CODE)
    stored = proposal_tables.latest_proposal(sample_firm, account.account_id)
    assert stored.decision_hash == found.before.proposal.decision_hash


def test_a_new_mandate_or_event_is_seen_at_once(sample_firm) -> None:
    session = WhatIfSession(sample_firm)
    known = session.known(CODE)
    first = session.ask(CODE, Change()).before.proposal
    mandate = replace(known.case.mandate, version=known.case.mandate.version + 1, risk_price=300.0)
    book_tables.save_mandates(sample_firm, [mandate])
    second = session.ask(CODE, Change()).before.proposal
    assert second.mandate_version == first.mandate_version + 1
    assert second.tracking_error_after < first.tracking_error_after
    before = session.known(CODE).case.cash_cents
    _deposit(sample_firm, CODE, 12_345_00)
    assert session.known(CODE).case.cash_cents == before + 12_345_00
    third = session.ask(CODE, Change()).before.proposal
    assert third.cash_before_cents == before + 12_345_00


def _deposit(firm, code: str, cents: int) -> None:
    account = book_tables.find_account(firm, code)
    events = event_tables.load_events(firm, [account.household_id])
    mine = take(events, np.array([len(events) - 1]))
    new = replace(
        mine,
        ledger_seq=np.array([10**9]),
        account_id=np.array([account.account_id]),
        kind=np.array([EventKind.DEPOSIT], mine.kind.dtype),
        amount_cents=np.array([cents]),
        security_id=np.array([0]),
        quantity_nano=np.array([0]),
        effective=events.effective[-1:],
    )
    assert event_tables.append_events(firm, new, source="test").n_new == 1


def test_unasked_books_are_let_go(sample_firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allotment.jobs.what_if._HOUSEHOLDS_KEPT", 2)
    session = WhatIfSession(sample_firm)
    codes = [one.code for one in book_tables.load_accounts(sample_firm)]
    answers = [session.ask(code, Change()).before.proposal.decision_hash for code in codes[:4]]
    assert session.n_kept <= 2
    assert [session.ask(code, Change()).before.proposal.decision_hash for code in codes[:4]] == answers
    for code in codes:
        session.open(code)
    assert session.n_kept > 2  # what was opened is kept


def test_what_cannot_be_asked_is_told(sample_firm, sample_book) -> None:
    session = WhatIfSession(sample_firm)
    for asked in (session.open, lambda code: session.ask(code, Change())):
        with pytest.raises(UsageError, match="no account"):
            asked("NOPE")
    new = replace(sample_book.accounts[2], account_id=13, code="NEW")
    book_tables.save_accounts(sample_firm, [new])
    with pytest.raises(DataError, match="no mandate"):
        session.ask("NEW", Change())


def test_a_frontier_is_the_accounts_and_stores_nothing(sample_firm) -> None:
    counted = rows(sample_firm)
    session = WhatIfSession(sample_firm)
    found = session.frontier(CODE, points=5)
    assert rows(sample_firm) == counted
    proposal = session.ask(CODE, Change()).before.proposal
    drawn = found.frontier
    assert found.value_usd == pytest.approx(proposal.value_cents / 100)
    gap = (drawn.gap_bps[2] + proposal.gap_bps) / 1e4
    assert drawn.objective[2] == pytest.approx(proposal.objective, abs=gap + 1e-9)
    assert drawn.hold_tracking_error == pytest.approx(proposal.tracking_error_before, rel=1e-9)
    closer = session.frontier(CODE, Change(risk_price=500.0), points=3).frontier
    assert closer.risk_price[1] == 500.0


def test_what_another_program_changes_counts_in_the_next_question(
    sample_firm, sample_book, sample_market, settings
) -> None:
    """A session that has kept everything answers what a new one does."""
    session = WhatIfSession(sample_firm, accounts=[CODE])
    account = book_tables.find_account(sample_firm, CODE)
    taxpayer = next(one for one in sample_book.taxpayers if one.taxpayer_id == account.taxpayer_id)
    close = sample_market.prices.close_micros.copy()
    close[-1] = close[-1] * 101 // 100
    dearer = replace(sample_market.prices, close_micros=close)
    with (
        Store.open(settings) as store,
        store.firm("sample") as other,
        store.market("market_sample") as writer,
    ):
        mandate = session.known(CODE).case.mandate
        changes = {
            "mandate": lambda: book_tables.save_mandates(
                other, [replace(mandate, version=mandate.version + 1, risk_price=300.0)]
            ),
            "rates": lambda: book_tables.save_taxpayers(other, [replace(taxpayer, long_rate=0.01)]),
            "deposit": lambda: _deposit(other, CODE, 12_345_00),
            "prices": lambda: market_tables.save_prices(writer, dearer),
        }
        before = session.ask(CODE, Change()).before.figures.inputs_hash
        for what, make in changes.items():
            assert session.ask(CODE, Change()).before.figures.inputs_hash == before, what
            make()
            kept, fresh = session.ask(CODE, Change()), WhatIfSession(other).ask(CODE, Change())
            for mine, new in ((kept.before, fresh.before), (kept.after, fresh.after)):
                assert mine.figures.inputs_hash == new.figures.inputs_hash, what
                assert mine.figures.decision_hash == new.figures.decision_hash, what
            assert kept.before.figures.inputs_hash != before, what
            before = kept.before.figures.inputs_hash


def test_an_account_opened_is_not_read_again(sample_firm, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = WhatIfSession(sample_firm).ask(CODE, Change(risk_price=150.0))
    session = WhatIfSession(sample_firm, accounts=[CODE])

    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("allotment.jobs.what_if.book_tables.load_around", refuse)
    monkeypatch.setattr("allotment.jobs.what_if.decide_alone", refuse)
    found = session.ask(CODE, Change(risk_price=150.0))
    assert found.after.proposal.decision_hash == fresh.after.proposal.decision_hash
    assert found.before.proposal.decision_hash == fresh.before.proposal.decision_hash


def test_figures_are_the_proposals_without_its_reasons(sample_firm) -> None:
    after = WhatIfSession(sample_firm).ask(CODE, Change(risk_price=150.0)).after
    assert len(after.figures.reasons.security_id) == 0 == len(after.figures.untraded.security_id)
    assert len(after.proposal.reasons.security_id) == len(np.unique(after.proposal.trades.security_id)) > 0
    told = replace(after.figures, reasons=after.proposal.reasons, untraded=after.proposal.untraded)
    assert explain(told) == explain(after.proposal)
