"""The past stays as it was known."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from allotment.errors import UsageError
from allotment.jobs.correcting import Right, correction
from allotment.jobs.past_books import known_sequence, past_books
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.events import EventKind
from allotment.ledger.write import EventWriter
from allotment.store import book_tables, event_tables
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


Digest = tuple[bytes, ...]


def seen(firm: FirmStore, code: str, asof: date | None, known_at: str) -> Digest:
    """All that a view of the past shows."""
    state = past_books(firm, code, asof, known_at).state
    parts = (
        state.taxpayer.lots,
        state.taxpayer.disposals,
        state.taxpayer.links,
        state.broker.lots,
        state.cash,
    )
    return tuple(np.asarray(getattr(part, f.name)).tobytes() for part in parts for f in fields(part))


@pytest.mark.parametrize("seed", range(3))
def test_no_view_changes_once_it_was_known(sample_firm, seed: int) -> None:
    """Whatever is posted later: for days long past, reversals, corrections of corrections."""
    rng = np.random.default_rng(seed)
    _, code = first_event(sample_firm, EventKind.DEPOSIT)
    account = book_tables.find_account(sample_firm, code)
    days = [date(2024, 1, 2) + timedelta(days=int(n)) for n in rng.integers(0, 700, 3)]
    views: dict[tuple[date | None, int], Digest] = {}
    undone: list[int] = []
    for at in range(6):
        writer = EventWriter(first_seq=1)
        own = (account.household_id, account.account_id)
        for _ in range(int(rng.integers(1, 5))):
            day = date(2023, 1, 2) + timedelta(days=int(rng.integers(0, 900)))
            kind = rng.choice([EventKind.DEPOSIT, EventKind.FEE, EventKind.BUY])
            shares = {"security_id": 1, "quantity_nano": 10**9} if kind == EventKind.BUY else {}
            writer.write(EventKind(kind), *own, day, amount_cents=int(rng.integers(1, 9_999)), **shares)
        if undone:
            writer.write(EventKind.REVERSAL, *own, date(2023, 1, 2), reverses=undone.pop(0))
        first = event_tables.last_sequence(sample_firm) + 1
        # Numbers of their own beyond what is stored: a reversal names what is stored.
        events = replace(writer.events(), ledger_seq=10**9 + np.arange(len(writer.events())))
        post(sample_firm, events, source=f"test {at}", advance=quiet)
        undone.append(first)
        known = event_tables.last_sequence(sample_firm)
        for asof in (None, *days):
            views[asof, known] = seen(sample_firm, code, asof, str(known))
    assert len(set(views.values())) > len(days)
    for (asof, known), digest in views.items():
        assert seen(sample_firm, code, asof, str(known)) == digest
    assert verify(sample_firm, [account.household_id], quiet).is_clean


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
