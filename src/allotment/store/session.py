"""One role's door to the database: connections per thread, transactions, rows and columns.

A session acts as one PostgreSQL role and one actor. Every thread gets a connection of its own
(a book run uses one per worker thread), so nothing is shared and nothing needs a pool.

Rows are frozen dataclasses of the core (`rows`); columns come in by binary COPY (`copy_in`)
and go out by ADBC (`arrow`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_Record = TypeVar("_Record")


class Session:
    """Connections of one role, acting as one actor. Use it as a context manager."""

    def __init__(self, url: str, *, actor_id: int, schema: str) -> None:
        self.url = url  # with the role's password: never log it
        self.actor_id = actor_id
        self.schema = schema

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connection(self) -> psycopg.Connection[Any]:
        """This thread's connection, in autocommit mode outside `transaction`."""
        raise NotImplementedError

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """All or nothing around a change of state; nests as savepoints."""
        raise NotImplementedError

    def rows(self, record: type[_Record], query: str, parameters: Sequence[object] = ()) -> list[_Record]:
        """The query's rows as records; column names are field names."""
        raise NotImplementedError

    def arrow(self, query: str) -> pa.Table:
        """The query's result as columns; sees this thread's commits only."""
        raise NotImplementedError

    def copy_in(self, table: str, columns: Mapping[str, Any]) -> int:
        """Append columns of equal length to a table; returns the number of rows."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every thread's connection."""
        raise NotImplementedError


class MarketStore(Session):
    """Writes the facts of one market schema."""


class FirmStore(Session):
    """One firm's data, and its market's facts to read."""
