"""A backup brings everything back, and a bad file changes nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from allotment.book.venue import Venue
from allotment.errors import StoreError, UsageError
from allotment.market.security import Security
from allotment.settings import Settings
from allotment.store import book_tables, market_tables
from allotment.store.backup import back_up, restore
from allotment.store.check import check
from allotment.store.database import Store
from allotment.store.server import Server


@pytest.fixture(scope="module")
def own() -> Iterator[Settings]:
    """A server of its own: restoring disconnects everybody."""
    home = Path(tempfile.mkdtemp(prefix="allotment-test-"))
    home.chmod(0o755)
    settings = Settings(home=home)
    with Store.open(settings) as store:
        store.create_firm("alpha", market="market_alpha")
        with store.market("market_alpha") as market:
            market_tables.save_securities(market, [Security(security_id=1, code="S", name="N")])
        with store.firm("alpha") as firm:
            book_tables.save_venues(firm, [Venue(code="V")])
    yield settings
    Server(home).stop()
    shutil.rmtree(home)


def venues(settings: Settings) -> list[str]:
    with Store.open(settings) as store, store.firm("alpha") as firm:
        assert len(market_tables.load_securities(firm)) == 1
        return list(book_tables.load_venues(firm))


def test_everything_comes_back(own, tmp_path) -> None:
    made = back_up(own, tmp_path / "first.dump")
    assert made.firms == ("alpha",)
    assert made.file.stat().st_mode & 0o777 == 0o600
    with Store.open(own) as store:
        store.create_firm("later")
        with store.firm("alpha") as firm:
            book_tables.save_venues(firm, [Venue(code="W")])
    assert venues(own) == ["V", "W"]
    assert restore(own, made.file).firms == ("alpha",)
    assert venues(own) == ["V"]
    with Store.open(own) as store:
        assert [one.name for one in store.firms()] == ["alpha"]
        assert [one.subject for one in check(store) if not one.is_good] == []
        with store.firm("alpha") as firm, pytest.raises(psycopg.errors.InsufficientPrivilege):
            firm.connection().execute("DELETE FROM event")


def test_it_comes_back_into_a_new_home(own, tmp_path) -> None:
    made = back_up(own, tmp_path / "move.dump")
    home = Path(tempfile.mkdtemp(prefix="allotment-test-"))
    home.chmod(0o755)
    moved = Settings(home=home)
    restore(moved, made.file)
    assert venues(moved) == ["V"]
    Server(home).stop()
    shutil.rmtree(home)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _: b"no archive"])
def test_a_bad_file_changes_nothing(own, tmp_path, damage) -> None:
    made = back_up(own, tmp_path / "good.dump")
    bad = tmp_path / "bad.dump"
    bad.write_bytes(damage(made.file.read_bytes()))
    with pytest.raises(StoreError, match="Nothing was changed"):
        restore(own, bad)
    assert venues(own) == ["V"]


def test_files_are_not_overwritten_or_missing(own, tmp_path) -> None:
    file = tmp_path / "there.dump"
    file.write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        back_up(own, file)
    assert file.read_text() == "precious"
    with pytest.raises(UsageError, match="there is no file"):
        restore(own, tmp_path / "nothing.dump")
    with pytest.raises(UsageError, match="not ours"):
        restore(Settings(home=own.home, database_url="postgresql:///x"), file)


def test_a_failed_backup_leaves_no_file(own, tmp_path) -> None:
    with pytest.raises((StoreError, OSError)):
        back_up(own, tmp_path / "no folder" / "x.dump")
    assert list(tmp_path.iterdir()) == []
    assert np.all(venues(own) == ["V"])
