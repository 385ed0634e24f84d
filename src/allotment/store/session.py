"""One role's door to the database: connections per thread, transactions, rows and columns.

A session acts as one PostgreSQL role and one actor. Every thread gets connections of its own
(a book run uses one per worker thread), so nothing is shared and nothing needs a pool.

Rows are frozen dataclasses of the core (`rows`). Columns come in by binary COPY (`copy_in`) and go
out as arrays that the server aggregates, in the same transaction (`columns`), or by ADBC on a
connection of their own, for tables that go on to Polars (`arrow`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from allotment.errors import DataError, StoreError
from allotment.store import array_wire, binary_copy
from allotment.store.records import maker

if TYPE_CHECKING:
    import pyarrow as pa

_Record = TypeVar("_Record")
_REMEDIES: dict[type[psycopg.Error], str] = {
    psycopg.errors.DiskFull: "nothing was written. Make room on the database's disk and do it again.",
    psycopg.errors.SerializationFailure: "another program came first and nothing was written. Do it again.",
    psycopg.errors.DeadlockDetected: "another program came first and nothing was written. Do it again.",
    psycopg.OperationalError: (
        "the database went away. `allotment db status` tells whether it runs; do it again when it does: "
        "what was written by then is not written twice."
    ),
}


class Session:
    """Connections of one role, acting as one actor. Use it as a context manager."""

    def __init__(self, url: str, *, actor: str, schema: str) -> None:
        # The actor is a setting of the connection; columns that name the writer default to it.
        options = quote(f"-c allotment.actor={actor}")
        self._url = f"{url}{'&' if '?' in url else '?'}options={options}"
        self.actor = actor
        self.schema = schema
        self._mine = threading.local()
        self._all: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connection(self) -> psycopg.Connection[Any]:
        """This thread's connection, in autocommit mode outside `transaction`."""
        known: psycopg.Connection[Any] | None = getattr(self._mine, "rows", None)
        if known is None or known.closed:
            known = connect(self._url)
            self._mine.rows = known
            self._all.append(known)
        return known

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """All or nothing around a change of state; nests as savepoints.

        Raises StoreError, with nothing written, when the disk is full, when another program's write
        has to come first, or when the server goes away.
        """
        connection = self.connection()
        if connection.info.transaction_status != TransactionStatus.IDLE:
            with connection.transaction():
                yield connection
            return
        try:
            with connection.transaction():
                yield connection
        except tuple(_REMEDIES) as error:
            remedy = next(text for kind, text in _REMEDIES.items() if isinstance(error, kind))
            raise StoreError(f"{str(error).strip().splitlines()[0]}; {remedy}") from error

    def take_turns(self, what: str) -> None:
        """Wait until nobody else does `what` in this schema; until the end of the transaction."""
        self.connection().execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{what} {self.schema}"])

    def rows(
        self, record: type[_Record], query: sql.SQL | sql.Composed, parameters: Sequence[object] = ()
    ) -> list[_Record]:
        """The query's rows as records; column names are field names."""
        with self.connection().cursor(row_factory=maker(record)) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def arrow(self, query: sql.SQL | sql.Composed) -> pa.Table:
        """The query's result as columns. It reads what is committed, on a connection of its own."""
        import adbc_driver_postgresql.dbapi

        known = getattr(self._mine, "columns", None)
        if known is None:
            known = adbc_driver_postgresql.dbapi.connect(self._url, autocommit=True)
            self._mine.columns = known
            self._all.append(known)
        with known.cursor() as cursor:
            cursor.execute(query.as_string())
            return cursor.fetch_arrow_table()

    def columns(
        self, query: sql.SQL | sql.Composed, names: Sequence[str], *, by: str, blobs: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The query's columns as arrays; it sees what this transaction has written.

        names: columns of numbers, booleans or dates, without nulls. blobs: columns of bytea, each
        given as `array_wire.Blobs`. by: one of `names`; the server sends one message for each of its values,
        and rows come in its order (a message per row would be ten times slower).
        """
        statement = array_wire.aggregating(query, names, by, blobs)
        with self.connection().cursor(binary=True) as cursor:
            result = cursor.execute(statement).pgresult
            assert result is not None
            return array_wire.decode(result, names, blobs)

    def copy_in(self, table: str, columns: Mapping[str, Any]) -> int:
        """Append columns of equal length to a table; returns the number of rows.

        The columns' types are those of `binary_copy`.
        """
        n_rows = len(next(iter(columns.values())))
        if n_rows == 0:
            return 0
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self.connection().cursor() as cursor, cursor.copy(statement) as copy:
            for piece in binary_copy.encode(list(columns.values())):
                copy.write(piece)
        return n_rows

    def close(self) -> None:
        """Close every thread's connections."""
        while self._all:
            self._all.pop().close()
        self._mine = threading.local()


class MarketStore(Session):
    """Writes the facts of one market schema."""

    @contextmanager
    def writing(self, what: str) -> Iterator[psycopg.Connection[Any]]:
        """A transaction whose rows name one write: who, when, what.

        Raises DataError when rows name a security that is not there.
        """
        try:
            with self.transaction() as connection:
                found = connection.execute(
                    "INSERT INTO write (what) VALUES (%s) RETURNING write_id", [what]
                ).fetchone()
                assert found is not None
                connection.execute("SELECT set_config('allotment.write', %s, true)", [str(found[0])])
                yield connection
        except psycopg.errors.ForeignKeyViolation as error:
            raise DataError(
                f"{what} name a security that is not in the market ({str(error).splitlines()[0]}); "
                "save the securities first. Nothing was written."
            ) from error


class FirmStore(Session):
    """One firm's data, and its market's facts to read."""

    def __init__(self, url: str, *, actor: str, firm: str, market: str) -> None:
        super().__init__(url, actor=actor, schema=f"firm_{firm}")
        self.firm = firm
        self.market = market

    @property
    def actor_id(self) -> int:
        """Who acts, as every row written by this session names them."""
        return int(self.actor)


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode. Raises StoreError, without the password, when refused."""
    try:
        return psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        raise StoreError(
            f"the database cannot be reached: {str(error).strip()}. "
            "`allotment db status` tells whether the server runs."
        ) from None


def some_ids(ids: Sequence[int] | Any | None, column: str) -> sql.SQL | sql.Composed:
    """A condition that a column is one of the ids; always true for None."""
    if ids is None:
        return sql.SQL("true")
    listed = ",".join(str(int(one)) for one in ids)
    return sql.SQL("{} = ANY({}::bigint[])").format(sql.Identifier(column), sql.Literal(f"{{{listed}}}"))
