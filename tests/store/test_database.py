"""Firms come and go; the database is opened by several programs at once."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest

from allotment.errors import StoreError, UsageError
from allotment.settings import Settings
from allotment.store import market_tables, secret_file
from allotment.store.database import Store
from allotment.store.server import DATABASE, Server


def schemas(store: Store) -> set[str]:
    found = store.owner.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(firm|market)'")
    return {str(name) for (name,) in found}


def test_a_firm_is_replaced_wholly(store, firm, book, securities) -> None:
    assert {"firm_ours", "market_ours"} <= schemas(store)
    firm.close()
    store.drop_firm("ours")
    assert not {"firm_ours", "market_ours"} & schemas(store)
    assert "ours" not in {one.name for one in store.firms()}
    store.create_firm("ours", market="market_ours")
    with store.firm("ours") as fresh:
        assert market_tables.load_securities(fresh) == ()


def test_a_market_stays_while_another_firm_reads_it(store, market, securities) -> None:
    store.create_firm("third", market="market_ours", title="Third & Sons")
    store.drop_firm("ours")
    with store.firm("third") as third:
        assert len(market_tables.load_securities(third)) == 8
    store.drop_firm("third")
    assert "market_ours" not in schemas(store)


def test_the_shared_market_is_never_dropped(store) -> None:
    store.create_firm("real")
    store.drop_firm("real")
    assert "market" in schemas(store)


def test_dropping_an_unknown_firm_is_nothing(store) -> None:
    before = schemas(store)
    store.drop_firm("nobody")
    assert schemas(store) == before


@pytest.mark.parametrize("name", ["", "Ours", "a-b", "x; DROP", "1st", "a" * 31, 'q"q'])
def test_names_that_are_no_names(store, name) -> None:
    with pytest.raises(UsageError, match="a firm's name"):
        store.create_firm(name)
    with pytest.raises(UsageError, match="a market's schema"):
        store.market(f"firm_{name}")


def test_a_firm_exists_once(store, firm) -> None:
    with pytest.raises(UsageError, match="a firm 'ours' already"):
        store.create_firm("ours")


def test_the_firm_used_last_is_remembered(store, firm, settings) -> None:
    store.firm("theirs").close()
    with Store.open(settings) as again:
        assert again.firm().firm == "theirs"
        with pytest.raises(UsageError, match=r"no firm 'nobody'. Firms: .*ours"):
            again.firm("nobody")
    with Store.open(Settings(home=settings.home, firm="ours")) as chosen:
        assert chosen.firm().firm == "ours"


def test_a_lost_password_is_replaced(store, firm, settings) -> None:
    firm.close()
    secret_file.forget(settings.home / "secrets.json", "allotment_firm_ours")
    with store.firm("ours") as session:
        assert session.connection().execute("SELECT 1").fetchone() == (1,)


def test_passwords_that_others_may_read_are_refused(store, firm, settings) -> None:
    file = settings.home / "secrets.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    try:
        with pytest.raises(StoreError, match="chmod 600"):
            store.firm("ours")
    finally:
        file.chmod(0o600)


def test_programs_that_open_and_create_at_once(settings, store) -> None:
    """Migrations, grants and roles are made by one program at a time."""
    wrong: list[BaseException] = []

    def work(name: str) -> None:
        try:
            with Store.open(settings) as mine:
                mine.drop_firm(name)
                mine.create_firm(name, market="market_crowd")
                mine.firm(name).close()
        except BaseException as error:
            wrong.append(error)

    names = ["crowd_a", "crowd_b", "crowd_c", "crowd_d"]
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert set(names) <= {one.name for one in store.firms()}
    for name in names:
        store.drop_firm(name)


def test_a_server_killed_this_moment_is_started_again() -> None:
    home = Path(tempfile.mkdtemp(prefix="allotment-test-"))
    home.chmod(0o755)
    own = Settings(home=home)
    with Store.open(own) as store:
        store.create_firm("kept")
    os.kill(Server(home).state().pid, signal.SIGKILL)  # and do not wait until it is dead
    with Store.open(own) as again:
        assert [one.name for one in again.firms()] == ["kept"]
    Server(home).stop()
    shutil.rmtree(home)


def test_any_other_server_by_its_url(settings, store, tmp_path) -> None:
    """The embedded server's second database stands for a server of one's own."""
    server = Server(settings.home)
    with psycopg.connect(server.superuser_url(), autocommit=True) as administrator:
        administrator.execute("DROP DATABASE IF EXISTS other WITH (FORCE)")
        administrator.execute("CREATE DATABASE other OWNER allotment_owner")
    elsewhere = Settings(home=tmp_path, database_url=server.owner_url("other"))
    with Store.open(elsewhere) as other:
        other.create_firm("ours", market="market_x")
        with other.firm("ours") as firm:
            found = firm.connection().execute("SELECT current_user, current_database()").fetchone()
            assert found == ("other_firm_ours", "other")
        other.drop_firm("ours")
        assert other.firms() == ()
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_superuser_is_refused(settings, store, tmp_path) -> None:
    url = Server(settings.home).superuser_url(DATABASE)
    with pytest.raises(StoreError, match="connects as postgres, which is a superuser"):
        Store.open(Settings(home=tmp_path, database_url=url))


def test_an_unreachable_server_is_told_without_its_password(tmp_path) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/none?connect_timeout=2"
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        Store.open(Settings(home=tmp_path, database_url=url))
    assert "hidden" not in str(caught.value)


def test_schemas_in_use_are_not_dropped_under_their_user(store, firm, book, monkeypatch) -> None:
    with firm.transaction() as connection:
        connection.execute("LOCK TABLE account IN ACCESS SHARE MODE")
        monkeypatch.setattr("allotment.store.database.LOCK_SECONDS", 0.1)
        with pytest.raises(StoreError, match="another program is using"):
            store.drop_firm("ours")
    assert len(firm.connection().execute("SELECT FROM account").fetchall()) == 6
