"""Which files were imported, by whom, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from allotment.store import records
from allotment.store.session import FirmStore, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """One file that was loaded whole."""

    sha256: str
    kind: str  # the schema's name: "prices", "lots", …
    name: str
    n_rows: int
    n_bytes: int
    schema_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """An import as logged."""

    import_id: int
    sha256: str
    kind: str
    name: str
    n_rows: int
    n_bytes: int
    schema_version: int
    imported_at: datetime
    actor: str


def log_import(session: Session, file: ImportedFile) -> int:
    """Log a file in the transaction that loads it (a firm's, or a market's); its id."""
    values = [getattr(file, name) for name in records.names(ImportedFile)]
    row = (
        session.connection()
        .execute(
            sql.SQL("INSERT INTO {} ({}) VALUES (%s, %s, %s, %s, %s, %s) RETURNING import_id").format(
                sql.Identifier(session.schema, "import_file"), records.columns(ImportedFile)
            ),
            values,
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])


def find_import(session: Session, kind: str, sha256: str) -> ImportRecord | None:
    """The first import of the same content, when it was loaded before."""
    found = session.rows(
        ImportRecord,
        _query(session) + sql.SQL("WHERE f.kind = %s AND sha256 = %s ORDER BY import_id LIMIT 1"),
        [kind, sha256],
    )
    return found[0] if found else None


def load_imports(session: Session) -> tuple[ImportRecord, ...]:
    """Every import, newest first."""
    return tuple(session.rows(ImportRecord, _query(session) + sql.SQL("ORDER BY import_id DESC")))


def _query(session: Session) -> sql.Composed:
    cells = "import_id, sha256, f.kind, f.name, n_rows, n_bytes, schema_version, imported_at"
    table = sql.Identifier(session.schema, "import_file")
    if isinstance(session, FirmStore):
        return sql.SQL(
            f"SELECT {cells}, a.name AS actor FROM {{}} f JOIN actor a ON f.actor = a.actor_id "
        ).format(table)
    return sql.SQL(f"SELECT {cells}, actor FROM {{}} f ").format(table)
