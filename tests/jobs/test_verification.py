"""Every stored byte follows from the events, and every change behind the books is found."""

from __future__ import annotations

import psycopg
import pytest

from allotment.jobs.verification import verify
from allotment.store import event_tables
from allotment.store.database import Store


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def test_the_sample_book_is_what_its_events_say(books) -> None:
    found = verify(books, None, quiet)
    assert found.is_clean
    assert found.n_events == event_tables.last_sequence(books) == sum(found.events_by_kind.values())
    assert found.n_postings == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("lots_now", "packed = set_byte(packed, 20, get_byte(packed, 20) # 1)"),
        ("sold_now", "disposals = set_byte(disposals, 20, get_byte(disposals, 20) # 1)"),
        ("household_state", "cash = set_byte(cash, 30, get_byte(cash, 30) # 1)"),
    ],
)
def test_one_changed_byte_of_what_is_stored_is_found(sample_firm, table: str, change: str) -> None:
    sample_firm.connection().execute(
        f"UPDATE {table} SET {change} WHERE ctid = (SELECT ctid FROM {table} LIMIT 1)"
    )
    found = verify(sample_firm, None, quiet)
    assert not found.is_clean
    assert len(found.different) == 1
    assert found.broken == ()


def test_an_event_changed_behind_the_books_is_found(sample_firm, owner: Store) -> None:
    """Triggers refuse a change; the database's owner can go around them, and the chain tells."""
    with pytest.raises(psycopg.Error):
        sample_firm.connection().execute("UPDATE event SET amount_cents = amount_cents + 1")
    with owner.owner.transaction():
        owner.owner.execute("ALTER TABLE firm_sample.event DISABLE TRIGGER append_only")
        owner.owner.execute(
            "UPDATE firm_sample.event SET amount_cents = amount_cents + 1 WHERE ledger_seq = "
            "(SELECT min(ledger_seq) FROM firm_sample.event WHERE kind = 64)"
        )
        owner.owner.execute("ALTER TABLE firm_sample.event ENABLE TRIGGER append_only")
    found = verify(sample_firm, None, quiet)
    assert any("was changed" in one for one in found.broken)
    assert found.different  # the cash is another too


def test_an_event_without_a_posting_is_found(sample_firm) -> None:
    """Its account need not exist: accounts are looked up for postings."""
    number = event_tables.last_sequence(sample_firm) + 1
    sample_firm.connection().execute(
        "INSERT INTO event (ledger_seq, household_id, account_id, sleeve_id, day_seq, security_id, "
        "quantity_nano, amount_cents, order_id, other_account_id, effective, kind, source, source_id) "
        "VALUES (%s, 999999, 999999, 0, 0, 0, 0, 100, 0, 0, '2024-06-28', 65, 'behind', '1')",
        [number],
    )
    found = verify(sample_firm, None, quiet)
    assert found.broken == (f"events {number} to {number} belong to no posting",)
