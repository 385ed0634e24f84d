"""Migrations apply once, go on after an interruption, and notice foreign texts."""

from __future__ import annotations

import psycopg
import pytest

from allotment.errors import StoreError
from allotment.store import migrations
from allotment.store.migrations import Migration

SCHEMA = "market_migrated"


@pytest.fixture
def files(store, monkeypatch) -> list[Migration]:
    """Three files in the place of the real ones, for a schema of their own."""
    listed = [
        Migration(1, "001_one", "CREATE TABLE one (x int); INSERT INTO one VALUES (1);"),
        Migration(2, "002_two", "CREATE TABLE two (x int); INSERT INTO one VALUES (2);"),
        Migration(3, "003_three", "CREATE TABLE three (x int);"),
    ]
    monkeypatch.setattr(migrations, "known", lambda _kind: tuple(listed))
    monkeypatch.setattr(migrations, "grant", lambda *_: None)
    yield listed
    migrations.forget(store.owner, SCHEMA)


def apply(owner) -> int:
    return migrations.bring_up_to_date(owner, "market", SCHEMA, {})


def rows(owner) -> list[tuple[int]]:
    return owner.execute(f"SELECT x FROM {SCHEMA}.one ORDER BY x").fetchall()


def test_each_file_is_applied_once(store, files) -> None:
    assert apply(store.owner) == 3
    assert apply(store.owner) == 0
    assert rows(store.owner) == [(1,), (2,)]


def test_a_broken_file_leaves_the_ones_before_and_nothing_of_itself(store, files) -> None:
    good = files[1]
    files[1] = Migration(2, "002_two", "INSERT INTO one VALUES (2); CREATE TABLE one (x int);")
    with pytest.raises(psycopg.errors.DuplicateTable):
        apply(store.owner)
    assert rows(store.owner) == [(1,)]
    assert [one.number for one in migrations.pending(store.owner, "market", SCHEMA)] == [2, 3]
    files[1] = good
    assert apply(store.owner) == 2
    assert rows(store.owner) == [(1,), (2,)]


def test_a_killed_migration_goes_on(store, files) -> None:
    """The server ends the program's connection in the middle of a file; its lock goes with it."""
    from allotment.store.session import connect

    url = store._url
    killed = "SELECT pg_terminate_backend(pg_backend_pid()); CREATE TABLE late (x int);"
    good, files[1] = files[1], Migration(2, "002_two", f"INSERT INTO one VALUES (2); {killed}")
    with connect(url) as victim, pytest.raises(psycopg.OperationalError):
        apply(victim)
    files[1] = good
    with connect(url) as next_program:
        assert apply(next_program) == 2
    assert rows(store.owner) == [(1,), (2,)]


def test_an_edited_file_is_noticed(store, files) -> None:
    apply(store.owner)
    files[0] = Migration(1, "001_one", files[0].text + " -- edited")
    with pytest.raises(StoreError, match=r"another text of market/001_one\.sql"):
        apply(store.owner)


def test_an_older_program_keeps_its_hands_off(store, files) -> None:
    apply(store.owner)
    files.pop()
    with pytest.raises(StoreError, match="older than the data"):
        apply(store.owner)


def test_the_real_files_are_numbered_without_gaps() -> None:
    for kind in ("control", "market", "firm"):
        numbers = [one.number for one in migrations.known(kind)]
        assert numbers == list(range(1, len(numbers) + 1)), kind
