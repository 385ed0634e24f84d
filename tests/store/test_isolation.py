"""A firm's role reaches its own schema and reads its market: every path, under the wrong firm."""

from __future__ import annotations

from collections.abc import Callable

import adbc_driver_manager
import numpy as np
import psycopg
import pytest
from psycopg import sql

from allotment.store.binary_copy import encode
from allotment.store.check import check
from allotment.store.session import FirmStore

# Schemas that the firm `ours` must not enter: another firm, another market, the control schema.
CLOSED = {
    "firm_theirs.account": "account_id",
    "firm_theirs.event": "ledger_seq",
    "firm_theirs.lot": "account_id",
    "market_theirs.price": "security_id",
    "allotment.firm": "name",
}


def select(firm: FirmStore, table: str, column: str) -> None:
    firm.connection().execute(f"SELECT {column} FROM {table}")


def columns(firm: FirmStore, table: str, column: str) -> None:
    firm.columns(sql.SQL(f"SELECT {column} FROM {table}"), (column,), by=column)


def insert(firm: FirmStore, table: str, column: str) -> None:
    firm.connection().execute(f"INSERT INTO {table} ({column}) VALUES (DEFAULT)")


def update(firm: FirmStore, table: str, column: str) -> None:
    firm.connection().execute(f"UPDATE {table} SET {column} = {column}")


def delete(firm: FirmStore, table: str, column: str) -> None:
    firm.connection().execute(f"DELETE FROM {table}")


def copy_out(firm: FirmStore, table: str, column: str) -> None:
    out = f"COPY (SELECT {column} FROM {table}) TO STDOUT (FORMAT binary)"
    with firm.connection().cursor() as cursor, cursor.copy(out) as copy:
        b"".join(copy)


def copy_in(firm: FirmStore, table: str, column: str) -> None:
    into = f"COPY {table} ({column}) FROM STDIN (FORMAT binary)"
    with firm.connection().cursor() as cursor, cursor.copy(into) as copy:
        for piece in encode([np.array([1])]):
            copy.write(piece)


def adbc_out(firm: FirmStore, table: str, column: str) -> None:
    firm.arrow(sql.SQL(f"SELECT {column} FROM {table}"))


def foreign_key(firm: FirmStore, table: str, column: str) -> None:
    firm.connection().execute(f"CREATE TEMP TABLE spy (x bigint REFERENCES {table} ({column}))")


PATHS = (select, columns, insert, update, delete, copy_out, copy_in, foreign_key)


@pytest.mark.parametrize("table", CLOSED)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_no_path_leads_to_another_firm(firm, table: str, path: Callable[..., None]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        path(firm, table, CLOSED[table])


@pytest.mark.parametrize("table", CLOSED)
def test_adbc_leads_nowhere_either(firm, table: str) -> None:
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="permission denied"):
        adbc_out(firm, table, CLOSED[table])


@pytest.mark.parametrize("path", [insert, update, delete, copy_in], ids=lambda path: path.__name__)
def test_a_firm_only_reads_its_market(firm, securities, path: Callable[..., None]) -> None:
    select(firm, "security", "security_id")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        path(firm, "market_ours.security", "security_id")


@pytest.mark.parametrize("table", [t for t in CLOSED if t != "market_theirs.price"] + ["firm_ours.account"])
def test_a_markets_writer_sees_no_firm(market, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        market.connection().execute(f"SELECT FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE allotment_firm_theirs",
        "SET ROLE allotment_owner",
        "SET SESSION AUTHORIZATION allotment_firm_theirs",
        "GRANT allotment_firm_theirs TO allotment_firm_ours",
        "ALTER ROLE allotment_firm_theirs PASSWORD 'known'",
        "ALTER ROLE allotment_firm_ours SUPERUSER",
        "CREATE ROLE spy",
        "CREATE SCHEMA spy",
        "CREATE TABLE public.spy (x int)",
        "CREATE TABLE firm_ours.spy (x int)",
        "COPY actor TO '/tmp/spy'",
        "COPY actor TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
        "SELECT lo_import('/etc/passwd')",
    ],
)
def test_a_firm_cannot_rise(firm, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        firm.connection().execute(statement)


def test_one_firm_cannot_log_in_as_another_nor_without_a_password(store, firm) -> None:
    ours = psycopg.conninfo.conninfo_to_dict(firm._url)
    for change in ({"user": "allotment_firm_theirs"}, {"password": ""}, {"password": "guess"}):
        with pytest.raises(psycopg.OperationalError, match=r"password|SASL"):
            psycopg.connect(**{**ours, **change})


def test_no_role_of_the_program_is_a_superuser(store, firm, market) -> None:
    for session in (store.owner, firm.connection(), market.connection()):
        found = session.execute(
            "SELECT rolsuper, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert found == (False, False, False)


def test_the_check_finds_nothing_and_notices_a_hole(store, firm) -> None:
    assert all(one.is_good for one in check(store))
    store.owner.execute("GRANT USAGE ON SCHEMA firm_theirs TO allotment_firm_ours")
    bad = [one for one in check(store) if not one.is_good]
    store.owner.execute("REVOKE USAGE ON SCHEMA firm_theirs FROM allotment_firm_ours")
    assert [(one.subject, one.found) for one in bad] == [("reach of firm ours", "firm_theirs")]
