"""The past stays as it was known."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from allotment.errors import UsageError
from allotment.jobs.correcting import Right, correction
from allotment.jobs.past_books import known_sequence, past_books
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.events import EventKind
from allotment.store import event_tables
from allotment.store.session import FirmStore


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def first_event(firm: FirmStore, kind: EventKind) -> tuple[int, str]:
    """An event of the kind, and its account's code."""
    found = (
        firm.connection()
        .execute(
            "SELECT ledger_seq, code FROM event JOIN account USING (account_id) WHERE event.kind = %s "
            "ORDER BY ledger_seq LIMIT 1",
            [int(kind)],
        )
        .fetchone()
    )
    assert found is not None
    return int(found[0]), str(found[1])


def test_the_past_stays_as_it_was_known(sample_firm) -> None:
    deposit, code = first_event(sample_firm, EventKind.DEPOSIT)
    known = event_tables.last_sequence(sample_firm)
    before = past_books(sample_firm, code, None, "")
    moment = datetime.now(UTC).isoformat()
    post(
        sample_firm,
        correction(sample_firm, deposit, Right(amount="1.00")),
        source="by hand: test",
        source_ids=["1"],
        advance=quiet,
    )
    assert known_sequence(sample_firm, moment) == known
    for known_at in (str(known), moment):
        again = past_books(sample_firm, code, None, known_at)
        assert again.state.cash_cents.tolist() == before.state.cash_cents.tolist()
    now = past_books(sample_firm, code, None, "")
    assert now.state.cash_cents[now.account_ix] < before.state.cash_cents[before.account_ix]
    assert past_books(sample_firm, code, None, "0").state.cash_cents.tolist() == [0] * len(
        before.state.accounts
    )
    assert verify(sample_firm, None, quiet).is_clean


def test_a_day_shows_what_was_effective_by_then(books, sample_book) -> None:
    code = sample_book.accounts[0].code
    opened = past_books(books, code, sample_book.accounts[0].opened, "")
    later = past_books(books, code, None, "")
    assert opened.state.taxpayer.disposals.day.shape[0] <= later.state.taxpayer.disposals.day.shape[0]
    days = opened.state.taxpayer.lots.acquired
    assert bool((days <= np.datetime64(sample_book.accounts[0].opened)).all())


@pytest.mark.parametrize("text", ["yesterday", "12.5", "2024-13-01"])
def test_a_moment_that_is_none_is_refused(books, text: str) -> None:
    with pytest.raises(UsageError, match="neither a ledger sequence nor a time"):
        known_sequence(books, text)
