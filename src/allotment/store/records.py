"""Frozen dataclasses to rows and back, enumerations and tuples included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_origin, get_type_hints

from psycopg import Cursor, sql

if TYPE_CHECKING:
    from allotment.store.session import Session

_Record = TypeVar("_Record")


_CONVERTERS: dict[type, dict[str, Callable[[Any], Any]]] = {}


def _converters(record: type) -> dict[str, Callable[[Any], Any]]:
    """Per field that the database gives in another type: how to make the record's own."""
    if record not in _CONVERTERS:
        found: dict[str, Callable[[Any], Any]] = {}
        for name, hint in get_type_hints(record).items():
            if isinstance(hint, type) and issubclass(hint, Enum):
                found[name] = hint
            elif get_origin(hint) is tuple:
                found[name] = tuple
        _CONVERTERS[record] = found
    return _CONVERTERS[record]


def maker(record: type[_Record]) -> Callable[[Cursor[Any]], Callable[[Sequence[Any]], _Record]]:
    """A psycopg row factory: like `class_row`, with the fields' own types."""
    converters = _converters(record)

    def of_cursor(cursor: Cursor[Any]) -> Callable[[Sequence[Any]], _Record]:
        names = [column.name for column in cursor.description or ()]
        kinds = [converters.get(name) for name in names]

        def make(row: Sequence[Any]) -> _Record:
            values = [value if kind is None else kind(value) for value, kind in zip(row, kinds, strict=True)]
            return record(**dict(zip(names, values, strict=True)))

        return make

    return of_cursor


def names(record: type) -> tuple[str, ...]:
    """Field names, which are column names."""
    return tuple(f.name for f in fields(record))


def columns(record: type) -> sql.Composed:
    """The field names as a list of columns."""
    return sql.SQL(", ").join(map(sql.Identifier, names(record)))


def statement(text: str, record: type) -> sql.SQL:
    """A statement over a record's columns, composed once; the server plans it once a connection."""
    return sql.SQL(sql.SQL(text).format(columns(record)).as_string())


def plain(value: Any) -> Any:
    """A value as the database takes it: of an enumeration its value, of a tuple a list."""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def values(record: Any) -> list[Any]:
    """A record's fields as the database takes them, in the order of `names`."""
    return [plain(getattr(record, name)) for name in names(type(record))]


def upsert(session: Session, table: str, records: Iterable[Any], key: Sequence[str], writer: str) -> int:
    """Insert records, replacing rows of the same key, in one transaction; the number of rows.

    `writer`: the column that names who wrote the row last.
    """
    listed = list(records)
    if not listed:
        return 0
    kept = names(type(listed[0]))
    incoming = sql.Identifier(f"incoming_{table}")
    into = sql.Identifier(table)
    cells = sql.SQL(", ").join(map(sql.Identifier, kept))
    changed = [name for name in (*kept, writer) if name not in key]
    with session.transaction() as connection:
        # Not IF NOT EXISTS: the temporary table goes with the (outermost) transaction.
        connection.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(incoming))
        connection.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                incoming, cells, into
            )
        )
        copying = sql.SQL("COPY pg_temp.{} ({}) FROM STDIN").format(incoming, cells)
        with connection.cursor() as cursor, cursor.copy(copying) as copy:
            for one in listed:
                copy.write_row(values(one))
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM pg_temp.{} ON CONFLICT ({}) DO UPDATE SET {}").format(
                into,
                cells,
                cells,
                incoming,
                sql.SQL(", ").join(map(sql.Identifier, key)),
                sql.SQL(", ").join(
                    sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in changed
                ),
            )
        )
    return len(listed)
