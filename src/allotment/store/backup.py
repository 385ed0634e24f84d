"""Backups of the whole database in one file, and their restoration.

A backup is PostgreSQL's own archive (`pg_dump --format=custom`), consistent as of one moment,
taken while work goes on. It holds no passwords: roles are made anew when it is restored. A
restoration goes into a database beside the present one and takes its place when it is complete,
so a bad file changes nothing.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psycopg
from psycopg import sql

from allotment.errors import StoreError, UsageError
from allotment.settings import Settings
from allotment.store import binaries
from allotment.store.database import Store
from allotment.store.lock import exclusive
from allotment.store.server import DATABASE, OWNER, Server
from allotment.store.session import connect

_BESIDE = f"{DATABASE}_restoring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What was written or read."""

    file: Path
    n_bytes: int
    firms: tuple[str, ...]
    seconds: float


def back_up(settings: Settings, file: Path) -> Backup:
    """Write the database to a new file, readable by its owner alone.

    Raises UsageError when the file exists, StoreError when PostgreSQL refuses.
    """
    started = perf_counter()
    if file.exists():
        raise UsageError(f"{file} exists; name a new file, so that no backup is lost.")
    fresh = file.with_name(f"{file.name}.part")
    with Store.open(settings) as store:
        firms = tuple(one.name for one in store.firms())
        fresh.touch(mode=0o600)
        url, password = store.url_without_password()
        done = _run("pg_dump", "--format=custom", "--file", str(fresh.absolute()), url, secret=password)
    if done.returncode == 0:  # can it be read?
        done = _run("pg_restore", "--list", str(fresh.absolute()))
    if done.returncode != 0:
        fresh.unlink(missing_ok=True)
        raise StoreError(f"the backup failed: {done.stderr.strip()[-2000:]}")
    fresh.rename(file)
    return Backup(file=file, n_bytes=file.stat().st_size, firms=firms, seconds=perf_counter() - started)


def restore(settings: Settings, file: Path) -> Backup:
    """Replace the database by a backup's; nothing changes unless it can be restored whole.

    Everybody else is disconnected at the end. Raises UsageError for a file that is not there and
    with ALLOTMENT_DATABASE_URL set: there, an administrator restores into an empty database.
    """
    started = perf_counter()
    if settings.database_url:
        raise UsageError(
            "the database is not ours (ALLOTMENT_DATABASE_URL). Let its administrator make an empty database "
            f"owned by the same role and run `pg_restore --no-owner --no-acl -d URL {file}`; the program "
            "makes its roles by itself."
        )
    if not file.is_file():
        raise UsageError(f"there is no file {file}.")
    server = Server(settings.home)
    server.start()
    with (
        exclusive(settings.home / "restore.lock"),
        psycopg.connect(server.superuser_url(), autocommit=True) as administrator,
    ):
        _drop(administrator, _BESIDE)
        administrator.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(_BESIDE), sql.Identifier(OWNER))
        )
        state = server.state()
        done = _run(
            "pg_restore",
            *("--no-owner", "--no-acl", "--exit-on-error", "--single-transaction"),
            *("--host", state.host, "--port", str(state.port), "--username", OWNER, "--dbname", _BESIDE),
            str(file.absolute()),
            secret=server.password(OWNER),
        )
        try:
            if done.returncode != 0:
                raise StoreError(
                    f"{file} cannot be restored: {done.stderr.strip()[-2000:]} Nothing was changed."
                )
            _refuse_other_databases(server)
            _take_the_place(administrator)
        finally:
            _drop(administrator, _BESIDE)
    with Store.open(settings) as store:
        firms = tuple(one.name for one in store.firms())
        for name in firms:  # makes its roles
            store.firm(name).close()
    return Backup(file=file, n_bytes=file.stat().st_size, firms=firms, seconds=perf_counter() - started)


def _refuse_other_databases(server: Server) -> None:
    with connect(server.owner_url(_BESIDE)) as connection:
        if connection.execute("SELECT to_regclass('allotment.firm')").fetchone() == (None,):
            raise StoreError("the file is no backup of Allotment: it has no firms. Nothing was changed.")


def _take_the_place(administrator: psycopg.Connection[object]) -> None:
    """Swap the databases and drop the roles, whose rights went with the old one."""
    old = f"{DATABASE}_replaced"
    _drop(administrator, old)
    administrator.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(DATABASE))
    )
    administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (%s, %s)",
        [DATABASE, _BESIDE],
    )
    with administrator.transaction():
        for name, becomes in ((DATABASE, old), (_BESIDE, DATABASE)):
            administrator.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(name), sql.Identifier(becomes)
                )
            )
    _drop(administrator, old)
    roles = administrator.execute(
        "SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, %s) AND rolname <> %s",
        [f"{DATABASE}_", OWNER],
    ).fetchall()
    for row in roles:
        assert isinstance(row, tuple)
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(str(row[0]))))


def _drop(administrator: psycopg.Connection[object], name: str) -> None:
    administrator.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(program: str, *arguments: str, secret: str = "") -> subprocess.CompletedProcess[str]:
    # As ourselves: these programs may run as root, and must reach the user's file.
    return binaries.run(program, arguments, user=None, cwd=Path("/"), secret=secret)
