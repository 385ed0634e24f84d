"""Records of the books that events alone do not give, out to CSV and into an empty firm, row for row.

`KEPT_AS` says of every table of a firm what becomes of it when its books are written out; a test holds it
against the migrations. A row keeps its number, its time and who wrote it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from enum import StrEnum

from psycopg import sql

from allotment.errors import DataError
from allotment.store.session import FirmStore


class KeptAs(StrEnum):
    """How a table of a firm goes with its books."""

    EVENTS = "events"  # as written, with their chain
    CLIENTS = "clients"  # by the same numbers
    RECORDS = "records"  # row for row
    DERIVED = "derived"  # from the events, by the rebuilding
    LEFT = "left"  # no part of the books


KEPT_AS = {
    "event": KeptAs.EVENTS,
    "posting": KeptAs.EVENTS,
    "ledger_head": KeptAs.EVENTS,
    "actor": KeptAs.CLIENTS,
    "venue": KeptAs.CLIENTS,
    "household": KeptAs.CLIENTS,
    "taxpayer": KeptAs.CLIENTS,
    "account": KeptAs.CLIENTS,
    "sleeve": KeptAs.CLIENTS,
    "import_file": KeptAs.RECORDS,
    "mandate": KeptAs.RECORDS,
    "expected_page": KeptAs.RECORDS,
    "filed_year": KeptAs.RECORDS,
    "lot_name": KeptAs.RECORDS,
    "carried_price": KeptAs.RECORDS,
    "sleeve_swap": KeptAs.RECORDS,
    "election": KeptAs.RECORDS,
    "action_difference": KeptAs.RECORDS,
    "lots_now": KeptAs.DERIVED,
    "sold_now": KeptAs.DERIVED,
    "household_state": KeptAs.DERIVED,
    "actor_token": KeptAs.LEFT,  # secrets of one installation
    "risk_model": KeptAs.LEFT,
    "run": KeptAs.LEFT,
    "run_step": KeptAs.LEFT,
    "run_exception": KeptAs.LEFT,
    "proposal": KeptAs.LEFT,
}
RECORDS = tuple(name for name, how in KEPT_AS.items() if how is KeptAs.RECORDS)

_COLUMNS = """
SELECT a.attname, a.attidentity <> '', coalesce(a.attnum = ANY(i.indkey), false)
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def read_records(firm: FirmStore, table: str, write: Callable[[bytes], object]) -> int:
    """Give the rows of a table, by its primary key, as a CSV file with a header; how many.

    write: takes the file's pieces in order.
    """
    assert table in RECORDS
    columns = firm.connection().execute(_COLUMNS, [table]).fetchall()
    copying = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT (FORMAT csv, HEADER)").format(
        _names(name for name, _, _ in columns),
        sql.Identifier(table),
        _names(name for name, _, in_key in columns if in_key),
    )
    with firm.transaction() as connection, connection.cursor() as cursor:
        # The same rows are the same bytes, whatever the settings of server and session.
        cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'")
        with cursor.copy(copying) as copy:
            for piece in copy:
                write(bytes(piece))
        return cursor.rowcount


def write_records(firm: FirmStore, table: str, header: bytes, rest: Iterable[bytes]) -> None:
    """Copy a CSV file, its first line and then the rest in pieces, into an empty table.

    Raises DataError when the table has rows, or
    when the file has a column that the table has not.
    """
    assert table in RECORDS
    connection = firm.connection()
    if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table))).fetchall():
        raise DataError(f"firm {firm.firm} has rows in {table} already; rebuild books in a new firm.")
    names = next(csv.reader([header.decode()]))
    columns = connection.execute(_COLUMNS, [table]).fetchall()
    unknown = sorted(set(names) - {name for name, _, _ in columns})
    if unknown:
        raise DataError(
            f"{table}.csv has the column(s) {', '.join(unknown)}, which this program does not know. Rebuild "
            "with the release that wrote it."
        )
    copying = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER)").format(
        sql.Identifier(table), _names(names)
    )
    with connection.cursor() as cursor, cursor.copy(copying) as copy:
        copy.write(header)
        for piece in rest:
            copy.write(piece)
    for name, is_identity, _ in columns:
        if is_identity:
            pass_identities(firm, table, name)


def pass_identities(firm: FirmStore, table: str, column: str) -> None:
    """Move a table's own counter beyond the numbers that came with its rows."""
    firm.connection().execute(
        sql.SQL(
            "SELECT count(nextval(pg_get_serial_sequence({}, {}))) "
            "FROM generate_series(1, (SELECT coalesce(max({}), 0) FROM {}))"
        ).format(table, column, sql.Identifier(column), sql.Identifier(table))
    )


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
