"""Events withdrawn and put right, on books that stand in a database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from allotment.errors import DataError, UsageError
from allotment.jobs.correcting import Right, correction, reversal
from allotment.jobs.posting import StaleBooksError, post, rebase
from allotment.jobs.verification import verify
from allotment.ledger.events import EventKind
from allotment.store import book_tables, event_tables, filed_tables, state_tables
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


def test_a_reversed_sale_of_a_filed_year_is_flagged(sample_firm) -> None:
    """The last sale of an account, so that no later event needs what it left."""
    sale, account_id, taxpayer_id, year = sample_firm.connection().execute(
        "SELECT e.ledger_seq, a.account_id, a.taxpayer_id, extract(year FROM e.effective)::int FROM event e "
        "JOIN account a USING (account_id) WHERE e.kind = 4 AND a.kind = 'taxable' "
        "ORDER BY e.effective DESC, e.ledger_seq DESC LIMIT 1"
    ).fetchone()  # fmt: skip
    filed_tables.mark_filed(sample_firm, taxpayer_id, year, datetime(2025, 4, 1, tzinfo=UTC).date())
    came = post(
        sample_firm, reversal(sample_firm, sale), source="by hand: bust", source_ids=["1"], advance=quiet
    )
    assert came.n_new == 1
    assert set(came.changes.event.tolist()) == {sale}
    assert set(came.changes.account_id.tolist()) == {account_id}
    assert came.filed == ((taxpayer_id, year),)
    assert verify(sample_firm, None, quiet).is_clean
    with pytest.raises(DataError, match="reversed already"):
        post(sample_firm, reversal(sample_firm, sale), source="again", advance=quiet)


def test_a_purchase_whose_shares_were_sold_by_name_cannot_be_withdrawn(books) -> None:
    named = event_tables.load_events(books).named_event
    kinds = dict(
        books.connection()
        .execute("SELECT ledger_seq, kind FROM event WHERE ledger_seq = ANY(%s)", [named.tolist()])
        .fetchall()
    )
    bought = next(seq for seq in named.tolist() if kinds[seq] == EventKind.BUY)
    known = event_tables.last_sequence(books)
    hashes = state_tables.load_hashes(books)
    with pytest.raises(DataError, match="nothing was written"):
        post(books, reversal(books, bought), source="test", advance=quiet)
    assert event_tables.last_sequence(books) == known
    assert state_tables.load_hashes(books) == hashes
    assert verify(books, None, quiet).is_clean


def test_decisions_on_books_that_moved_on_are_refused(sample_firm) -> None:
    deposit, _ = first_event(sample_firm, EventKind.DEPOSIT)
    household = event_tables.household_of(sample_firm, deposit)
    assert household is not None
    (version,) = book_tables.lock_households(sample_firm, [household]).tolist()

    events = correction(sample_firm, deposit, Right(amount="5.00"))
    read = {household: version}
    post(sample_firm, events, source="a", source_ids=["1"], advance=quiet, read_at=read)
    with pytest.raises(StaleBooksError, match="has written to it"):
        post(sample_firm, events, source="b", source_ids=["1"], advance=quiet, read_at=read)


def test_the_same_rules_change_nothing(books) -> None:
    hashes = state_tables.load_hashes(books)
    came = rebase(books, quiet)
    assert len(came.changes) == 0
    assert state_tables.load_hashes(books) == hashes


def test_nothing_put_right_is_no_correction(books) -> None:
    deposit, _ = first_event(books, EventKind.DEPOSIT)
    with pytest.raises(UsageError, match="nothing is put right"):
        correction(books, deposit, Right())
    with pytest.raises(UsageError, match="as decimals"):
        correction(books, deposit, Right(amount="ten"))
    with pytest.raises(UsageError, match="no event"):
        correction(books, 10**9, Right(amount="1"))
