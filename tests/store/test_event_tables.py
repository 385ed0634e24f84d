"""Events are booked once, in one order, and never changed."""

from __future__ import annotations

import threading
from dataclasses import fields, replace

import numpy as np
import psycopg
import pytest

from allotment.errors import DataError
from allotment.ledger.events import EventKind, Events, EventTerms, LotsPayload
from allotment.store.event_tables import append_events, last_sequence, load_events


def events(first: int = 1) -> Events:
    """Account 1: an opening of two lots, a purchase, a sale that names one lot of each, a split."""
    n = 5
    opening, bought = first, first + 1
    days = np.array(["2020-01-02", "2023-05-04"], "M8[D]")
    return Events(
        ledger_seq=np.array([opening, bought, first + 2, first + 3, first + 4]),
        household_id=np.array([1, 1, 1, 1, 2]),
        account_id=np.array([1, 1, 1, 2, 3]),
        sleeve_id=np.zeros(n, np.int64),
        effective=np.array(["2024-01-02", "2024-01-03", "2024-02-01", "2024-02-02", "2024-03-01"], "M8[D]"),
        day_seq=np.arange(n),
        kind=np.array(
            [EventKind.OPENING, EventKind.BUY, EventKind.SELL, EventKind.SPLIT, EventKind.DEPOSIT], np.int8
        ),
        security_id=np.array([0, 7, 7, 7, 0]),
        quantity_nano=np.array([0, 10**9, 2 * 10**9, 0, 0]),
        amount_cents=np.array([0, 12345, 30000, 0, 10**13]),
        settles=np.array(["NaT", "2024-01-05", "2024-02-05", "NaT", "NaT"], "M8[D]"),
        order_id=np.zeros(n, np.int64),
        other_account_id=np.zeros(n, np.int64),
        detail=np.zeros(n, np.int8),
        reverses=np.zeros(n, np.int64),
        terms_ix=np.array([-1, -1, -1, 0, -1], np.int32),
        lots_start=np.array([0, 2, 2, 2, 2, 2]),
        lots=LotsPayload(
            security_id=np.array([7, 8]),
            sleeve_id=np.zeros(2, np.int64),
            side=np.ones(2, np.int8),
            quantity_nano=np.array([10**9, 5]),
            basis_cents=np.array([10000, 1]),
            loss_basis_cents=np.array([10000, 1]),
            acquired=days,
            holding_from=days,
            purchased=np.array(["2020-01-02", "NaT"], "M8[D]"),
            order_id=np.zeros(2, np.int64),
            absorbed=np.zeros(2, np.int8),
            covered=np.ones(2, np.int8),
            basis_state=np.zeros(2, np.int8),
        ),
        named_start=np.array([0, 0, 0, 2, 2, 2]),
        named_event=np.array([opening, bought]),
        named_line=np.array([1, 0], np.int32),
        named_quantity_nano=np.array([10**9, 10**9]),
        terms=EventTerms(
            other_security_id=np.array([0]),
            new_parts=np.array([2]),
            old_parts=np.array([1]),
            cash_nano=np.array([0]),
            lieu_nano=np.array([5]),
            old_price_nano=np.array([0]),
            new_price_nano=np.array([0]),
            allocate=np.array([0], np.int8),
        ),
    )


def same(a, b) -> None:
    for f in fields(a):
        one, other = getattr(a, f.name), getattr(b, f.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=f.name)
            assert one.dtype == other.dtype, f.name
        else:
            same(one, other)


def test_events_come_back_with_lots_names_and_terms(firm, book) -> None:
    assert last_sequence(firm) == 0
    assert append_events(firm, events(), source="file").n_new == 5
    assert last_sequence(firm) == 5
    same(load_events(firm), events())


def test_provisional_numbers_become_the_ledgers(firm, book) -> None:
    append_events(firm, events(), source="one")
    append_events(firm, events(first=1000), source="two")
    found = load_events(firm)
    assert sorted(found.ledger_seq.tolist()) == list(range(1, 11))
    assert found.named_event.tolist() == [1, 2, 6, 7]


def test_a_sale_may_name_lots_that_are_booked_already(firm, book) -> None:
    append_events(firm, events(), source="one")
    later = events(first=1000)
    append_events(firm, replace(later, named_event=np.array([1, 1001])), source="two")
    assert load_events(firm).named_event.tolist() == [1, 2, 1, 7]
    with pytest.raises(DataError, match="not booked: 77"):
        append_events(firm, replace(later, named_event=np.array([77, 1001])), source="three")
    assert last_sequence(firm) == 10


def test_what_arrives_twice_is_booked_once(firm, book) -> None:
    append_events(firm, events(), source="file", source_ids=["a", "b", "c", "d", "e"])
    again = ["e", "b", "new", "d", "a"]  # the third is new, and the first is the fifth's twin
    with pytest.raises(DataError, match=r"2 event\(s\) of file are booked already with other content"):
        append_events(firm, events(), source="file", source_ids=again)
    assert append_events(firm, events(), source="file", source_ids=["a", "b", "x", "d", "e"]).n_new == 1
    found = load_events(firm)
    assert found.ledger_seq.tolist() == [1, 2, 3, 4, 6, 5]
    assert found.named_event.tolist() == [1, 2, 1, 2]  # of the stored opening and purchase
    assert append_events(firm, events(), source="file", source_ids=["a", "b", "c", "d", "e"]).n_new == 0


def test_one_id_twice_in_a_batch_is_refused(firm, book) -> None:
    with pytest.raises(DataError, match="two events of the same id"):
        append_events(firm, events(), source="file", source_ids=["a", "a", "b", "c", "d"])


def test_an_account_outside_its_household_is_refused_whole(firm, book) -> None:
    with pytest.raises(DataError, match="no such account in that household: 3"):
        append_events(firm, replace(events(), household_id=np.array([1, 1, 1, 1, 3])), source="file")
    assert last_sequence(firm) == 0
    assert len(load_events(firm)) == 0


def test_events_of_some_households_until_a_sequence(firm, book) -> None:
    append_events(firm, events(), source="file")
    assert load_events(firm, [2]).ledger_seq.tolist() == [5]
    assert load_events(firm, until_seq=3).ledger_seq.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET amount_cents = 1",
        "DELETE FROM event",
        "TRUNCATE event",
        "ALTER TABLE event DISABLE TRIGGER append_only",
        "DROP TABLE event",
    ],
)
def test_the_firm_cannot_change_events(firm, book, statement) -> None:
    append_events(firm, events(), source="file")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        firm.connection().execute(statement)


@pytest.mark.parametrize("verb", ["UPDATE {} SET kind = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_not_even_their_owner_changes_events(store, firm, book, verb) -> None:
    append_events(firm, events(), source="file")
    with pytest.raises(psycopg.errors.RestrictViolation):
        store.owner.execute(verb.format("firm_ours.event"))


def test_writers_take_turns_and_leave_no_gaps(firm, book) -> None:
    """The sequence is taken under a lock: what is committed never gets earlier neighbours."""

    def write(source: str) -> None:
        for i in range(5):
            append_events(firm, events(), source=f"{source} {i}")

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(load_events(firm).ledger_seq.tolist()) == list(range(1, 51))
    by_source = (
        firm.connection()
        .execute("SELECT max(ledger_seq) - min(ledger_seq) FROM event GROUP BY source")
        .fetchall()
    )
    assert by_source == [(4,)] * 10


def test_a_rolled_back_booking_takes_no_numbers(firm, book) -> None:
    with firm.transaction():
        append_events(firm, events(), source="file")
        raise psycopg.Rollback
    assert last_sequence(firm) == 0
    append_events(firm, events(), source="file")
    assert last_sequence(firm) == 5
