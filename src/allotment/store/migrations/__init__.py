"""The SQL of the schemas, applied in order, each file once.

``control``, ``market`` and ``firm`` hold numbered files of plain SQL for one schema of that kind;
``grants.sql`` says what its roles may do and is applied again after every change. An advisory
lock keeps two programs apart; a file and its entry in ``allotment.migration`` commit together, so
an interrupted migration goes on where it stopped. Never edit a file that was released: add one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql

from allotment.errors import StoreError

CONTROL = "allotment"
_LOCK = 0x616C6C6F  # any number, ours
_VERSIONS = """
    CREATE TABLE IF NOT EXISTS allotment.migration (
        schema_name text NOT NULL,
        number      integer NOT NULL,
        name        text NOT NULL,
        sha256      text NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (schema_name, number)
    )
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of one kind of schema."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """What the version table remembers of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def known(kind: str) -> tuple[Migration, ...]:
    """The files of a kind, ascending by number."""
    folder = resources.files(__name__) / kind
    found = [
        Migration(int(file.name.split("_")[0]), file.name.removesuffix(".sql"), file.read_text())
        for file in folder.iterdir()
        if file.name[0].isdigit()
    ]
    return tuple(sorted(found, key=lambda one: one.number))


def prepare(owner: psycopg.Connection[Any]) -> None:
    """Make the control schema with its version table."""
    with migrating(owner):
        if owner.execute("SELECT to_regclass('allotment.migration')").fetchone() == (None,):
            with owner.transaction():
                owner.execute("CREATE SCHEMA IF NOT EXISTS allotment")
                owner.execute(_VERSIONS)
    bring_up_to_date(owner, "control", CONTROL, {})


def pending(owner: psycopg.Connection[Any], kind: str, schema: str) -> tuple[Migration, ...]:
    """The files that are still to be applied to a schema.

    Raises StoreError when the schema was made by a newer program, or by other files.
    """
    files = known(kind)
    applied = {
        int(number): str(sha256)
        for number, sha256 in owner.execute(
            "SELECT number, sha256 FROM allotment.migration WHERE schema_name = %s", [schema]
        )
    }
    newest = max((one.number for one in files), default=0)
    if any(number > newest for number in applied):
        raise StoreError(
            f"schema {schema} is at version {max(applied)}, this program knows {newest}: "
            "it is older than the data. Use the release that wrote it, or a newer one."
        )
    for one in files:
        if applied.get(one.number, one.sha256) != one.sha256:
            raise StoreError(
                f"schema {schema} was made by another text of {kind}/{one.name}.sql. Restore a backup with "
                "the release that made it; a demo's data may simply be made anew (`allotment demo`)."
            )
    return tuple(one for one in files if one.number not in applied)


def bring_up_to_date(owner: psycopg.Connection[Any], kind: str, schema: str, roles: Mapping[str, str]) -> int:
    """Apply what is pending to a schema, making the schema when it is new; how many files.

    `roles`: the names that ``grants.sql`` asks for in braces.
    """
    if not pending(owner, kind, schema):
        return 0
    n_applied = 0
    with migrating(owner):
        for one in pending(owner, kind, schema):
            with owner.transaction():
                owner.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
                owner.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
                owner.execute(one.text.encode())
                owner.execute(
                    "INSERT INTO allotment.migration (schema_name, number, name, sha256) "
                    "VALUES (%s, %s, %s, %s)",
                    [schema, one.number, one.name, one.sha256],
                )
            n_applied += 1
        grant(owner, kind, schema, roles)
    return n_applied


def grant(owner: psycopg.Connection[Any], kind: str, schema: str, roles: Mapping[str, str]) -> None:
    """Give the schema's roles what ``grants.sql`` says."""
    file = resources.files(__name__) / kind / "grants.sql"
    if file.is_file():
        names = {name: sql.Identifier(role) for name, role in roles.items()}
        with owner.transaction():
            owner.execute(sql.SQL(file.read_text()).format(schema=sql.Identifier(schema), **names))


def forget(owner: psycopg.Connection[Any], schema: str) -> None:
    """Remove a schema with everything in it, and its versions."""
    owner.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    owner.execute("DELETE FROM allotment.migration WHERE schema_name = %s", [schema])


@contextmanager
def migrating(owner: psycopg.Connection[Any]) -> Iterator[None]:
    """Alone among the programs that use this database; freed when the connection dies."""
    owner.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        if not owner.broken:
            owner.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
