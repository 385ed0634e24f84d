"""Clients come back as they went in, and mandates are never changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import psycopg
import pytest

from allotment.book.household import AccountKind, FilingStatus, Taxpayer
from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.book.venue import LotMode, Relief, Venue
from allotment.errors import DataError, UsageError
from allotment.store import book_tables

MANDATE = Mandate(
    account_id=1,
    version=1,
    effective=date(2024, 1, 2),
    benchmark=(("IDX", 0.6), ("OTHER", 0.4)),
    excluded_flags=("flag_tobacco",),
    restrictions=(Restriction(3, RestrictionKind.NO_BUY),),
    tilts=(Tilt("momentum", 0.1),),
    requested_by="client",
)


def test_clients_come_back_with_their_own_types(firm, book) -> None:
    assert book_tables.load_accounts(firm) == book
    assert book_tables.load_accounts(firm, np.array([5, 2])) == (book[1], book[4])
    assert book_tables.load_accounts(firm, []) == ()
    assert book[1].kind is AccountKind.IRA
    assert [one.account_id for one in book_tables.load_sleeves(firm, [3])] == [3]
    assert [one.code for one in book_tables.load_households(firm)] == ["H1", "H2", "H3"]
    venue = Venue(code="V", lot_mode=LotMode.METHOD, relief=Relief.HIFO, lots_per_order_max=5)
    book_tables.save_venues(firm, [venue])
    assert book_tables.load_venues(firm)["V"] == venue
    taxpayer = Taxpayer(
        taxpayer_id=2, code="T2", household_id=2, filing_status=FilingStatus.JOINT, outside_long_cents=-5
    )
    book_tables.save_taxpayers(firm, [taxpayer])
    assert book_tables.load_taxpayers(firm)[1] == taxpayer


def test_an_account_belongs_to_a_taxpayer_of_its_household(firm, book) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        book_tables.save_accounts(firm, [replace(book[0], taxpayer_id=2)])


def test_a_mistyped_account_is_told_its_neighbours(firm, book) -> None:
    assert book_tables.find_account(firm, "A-004") == book[3]
    with pytest.raises(UsageError, match=r"no account 'A-04' .*A-004"):
        book_tables.find_account(firm, "A-04")


def test_an_account_comes_with_its_whole_household(firm, book) -> None:
    later = replace(MANDATE, account_id=3, version=2, effective=date(2024, 6, 1))
    book_tables.save_mandates(firm, [replace(MANDATE, account_id=one) for one in (1, 3, 4)] + [later])
    for asof in (date(2024, 5, 31), date(2024, 6, 1)):
        found = book_tables.load_around(firm, "A-003", asof)
        assert (found.account, found.members) == (book[2], book[2:4])
        assert found.taxpayers == book_tables.load_taxpayers(firm)[1:2]
        assert found.sleeves == book_tables.load_sleeves(firm, [3, 4])
        assert found.mandates == book_tables.load_mandates(firm, asof, [3, 4])
    with pytest.raises(UsageError, match="A-003"):
        book_tables.load_around(firm, "A-03", date(2024, 6, 1))


def test_the_mandate_in_force_is_the_highest_effective(firm, book) -> None:
    later = replace(MANDATE, version=2, effective=date(2024, 6, 1), tilts=())
    other = replace(MANDATE, account_id=2)
    assert book_tables.save_mandates(firm, [MANDATE, later, other]) == 3
    assert book_tables.load_mandates(firm, date(2024, 5, 31)) == (MANDATE, other)
    assert book_tables.load_mandates(firm, date(2024, 6, 1), [1]) == (later,)
    assert book_tables.load_mandates(firm, date(2023, 1, 1)) == ()


def test_a_stored_mandate_never_changes(firm, book) -> None:
    book_tables.save_mandates(firm, [MANDATE])
    assert book_tables.save_mandates(firm, [MANDATE]) == 0
    with pytest.raises(DataError, match="account 1 version 1"):
        book_tables.save_mandates(firm, [replace(MANDATE, risk_price=1.0)])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        firm.connection().execute("UPDATE mandate SET version = 9")


def test_household_are_locked_in_order(firm, book, store) -> None:
    with store.firm("ours") as other:
        with firm.transaction():
            assert book_tables.lock_households(firm, [3, 1]).tolist() == [0, 0]
            other.connection().execute("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                book_tables.lock_households(other, [1])
        with other.transaction():
            book_tables.lock_households(other, [1])
    with pytest.raises(DataError, match="no household 77"):
        book_tables.lock_households(firm, [77])


def test_every_row_names_its_writer(firm, book) -> None:
    writers = (
        firm.connection()
        .execute("SELECT DISTINCT a.name FROM account k JOIN actor a ON k.written_by = a.actor_id")
        .fetchall()
    )
    assert writers == [("local",)]


def test_a_connection_without_an_actor_cannot_write(firm, book) -> None:
    connection = firm.connection()
    connection.execute("SET allotment.actor = ''")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        book_tables.save_venues(firm, [Venue(code="X")])
