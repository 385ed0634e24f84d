"""The embedded server: started once however many ask, reused, recovered, stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from allotment.errors import StoreError
from allotment.store import binaries
from allotment.store.server import Server

ROOT_ONLY = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root hands the server to another user"
)


def new_home(prefix: str = "allotment-test-") -> Path:
    home = Path(tempfile.mkdtemp(prefix=prefix))
    home.chmod(0o755)
    return home


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(new_home())
    made.start()
    yield made
    made.stop()
    shutil.rmtree(made.home)


def count(server: Server) -> int:
    with psycopg.connect(server.owner_url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


def add(server: Server) -> None:
    count(server)
    with psycopg.connect(server.owner_url()) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")


def kill(server: Server) -> None:
    """SIGKILL, and wait until the system has carried it out."""
    os.kill(server.state().pid, signal.SIGKILL)
    while server.state().is_running:
        time.sleep(0.01)


def start_elsewhere(home: Path, extra: str = "") -> subprocess.Popen[str]:
    """Another program that starts the server and says its process number."""
    code = f"""
import sys
from pathlib import Path
from allotment.store.server import Server
server = Server(Path({str(home)!r}))
print(server.start().pid, flush=True)
{extra}
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_programs_that_start_at_once_end_with_one_server() -> None:
    home = new_home()
    programs = [start_elsewhere(home) for _ in range(3)]
    said = {program.communicate(timeout=120)[0] for program in programs}
    assert [program.returncode for program in programs] == [0, 0, 0]
    assert len(said) == 1
    assert Server(home).stop()
    shutil.rmtree(home)


def test_a_start_that_is_killed_while_it_says_where_the_data_is_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = new_home()

    def killed(path: Path, text: str) -> int:
        path.touch()
        raise KeyboardInterrupt(text)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", killed)
        with pytest.raises(KeyboardInterrupt, match="base"):
            Server(home).start()
    made = Server(home)
    assert made.start().is_ready
    assert Server(home).base == made.base
    assert made.stop()
    shutil.rmtree(home)


def test_a_running_server_is_reused(server) -> None:
    state = server.state()
    assert state.is_ready
    assert Server(server.home).start() == state


def test_a_killed_client_leaves_nothing_behind(server) -> None:
    before = count(server)
    client = start_elsewhere(
        server.home,
        "import psycopg, time\n"
        "c = psycopg.connect(server.owner_url())\n"
        "c.execute('INSERT INTO kept VALUES (1)')\n"
        "print('inserted', flush=True)\n"
        "time.sleep(600)",
    )
    assert client.stdout.readline().strip() == str(server.state().pid)
    assert client.stdout.readline().strip() == "inserted"
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert Server(server.home).start().is_ready
    assert count(server) == before
    with psycopg.connect(server.owner_url()) as connection:
        # Its transaction went with it: nobody holds the table.
        connection.execute("SET lock_timeout = '10s'")
        connection.execute("LOCK TABLE kept IN ACCESS EXCLUSIVE MODE")


def test_a_killed_server_comes_back_with_what_was_committed(server) -> None:
    add(server)
    before, old = count(server), server.state().pid
    kill(server)
    state = Server(server.home).start()
    assert state.is_ready
    assert state.pid != old
    assert count(server) == before


def count_long(connection: psycopg.Connection) -> None:
    with contextlib.suppress(psycopg.OperationalError):
        connection.execute("SELECT count(*) FROM generate_series(1, 3000000)")


def test_a_killed_server_with_busy_orphans_comes_back(server) -> None:
    """A backend in the middle of a statement outlives its postmaster for a while."""
    busy = psycopg.connect(server.owner_url())
    busy.execute("SET statement_timeout = '20s'")
    work = threading.Thread(target=count_long, args=(busy,))
    work.start()
    time.sleep(0.3)
    kill(server)
    assert Server(server.home).start().is_ready
    work.join()
    busy.close()
    count(server)


def test_a_stale_process_number_that_is_another_program_now(server) -> None:
    add(server)
    before = count(server)
    pid_file = server.data / "postmaster.pid"
    text = pid_file.read_text()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]) + "\n")
    assert not server.state().is_running
    assert not server.stop()
    server.start()
    assert count(server) == before


def test_stopping_rolls_back_and_starting_is_quick_to_answer(server) -> None:
    open_work = psycopg.connect(server.owner_url())
    open_work.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
    assert server.stop()
    assert not server.stop()
    assert not server.state().is_running
    server.start()
    with pytest.raises(psycopg.OperationalError):
        open_work.execute("SELECT 1")
    open_work.close()


def test_the_server_is_durable_and_asks_for_passwords(server) -> None:
    with psycopg.connect(server.owner_url()) as connection:
        for name, value in {
            "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on",
            "password_encryption": "scram-sha-256", "listen_addresses": "", "TimeZone": "UTC",
            "server_encoding": "UTF8", "lc_messages": "C",
        }.items():  # fmt: skip
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,), name
        locale = connection.execute(
            "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'allotment'"
        ).fetchone()
        assert locale == ("b", "C.UTF-8")
    for url in (server.url("allotment_owner", "wrong"), server.url("postgres", "")):
        with pytest.raises(psycopg.OperationalError, match=r"password|SASL"):
            psycopg.connect(url)
    assert (server.base / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert Path(server.state().host).stat().st_mode & 0o777 == 0o700
    assert (server.data).stat().st_mode & 0o077 == 0


def test_the_callers_locale_does_not_matter(monkeypatch) -> None:
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    made = Server(new_home())
    made.start()
    assert count(made) == 0
    made.stop()
    shutil.rmtree(made.home)


def test_a_long_folder_gets_a_short_socket() -> None:
    home = new_home() / ("a long name " * 8).strip()
    made = Server(home)
    state = made.start()
    assert len(state.host) < 80
    assert count(made) == 0
    made.stop()
    shutil.rmtree(home.parent)
    shutil.rmtree(state.host)


def test_an_interrupted_initdb_is_begun_again() -> None:
    home = new_home()
    made = Server(home)
    (made.base / "data.new" / "base").mkdir(parents=True)
    assert made.start().is_ready
    made.stop()
    # Killed before the owner role was made: prepared at the next start.
    (made.base / "prepared").unlink()
    assert Server(home).start().is_ready
    assert count(made) == 0
    made.stop()
    shutil.rmtree(home)


def test_data_of_another_postgres_is_refused(tmp_path) -> None:
    made = Server(new_home())
    made.data.mkdir(parents=True)
    (made.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(StoreError, match=r"made by PostgreSQL 17.*brings 18"):
        made.start()
    shutil.rmtree(made.home)


def test_a_server_that_cannot_start_says_why() -> None:
    made = Server(new_home())
    made.start()
    made.stop()
    with (made.data / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'nonsense'\n")
    with pytest.raises(StoreError, match="invalid value for parameter"):
        made.start()
    shutil.rmtree(made.home)


@ROOT_ONLY
def test_root_hands_the_server_to_another_user(server) -> None:
    user = binaries.service_user()
    process = Path(f"/proc/{server.state().pid}")
    assert process.stat().st_uid == user.uid != 0


@ROOT_ONLY
def test_a_home_closed_to_that_user_keeps_its_data_elsewhere(tmp_path, monkeypatch) -> None:
    """Like /root: the data folder is below the system's, named by the home's hash, for good."""
    elsewhere = new_home()
    monkeypatch.setattr(binaries, "SYSTEM_FOLDER", elsewhere)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    made = Server(closed)
    assert made.base.parent == elsewhere
    made.start()
    assert count(made) == 0
    closed.chmod(0o755)
    assert Server(closed).base == made.base
    made.stop()
    shutil.rmtree(elsewhere)


@ROOT_ONLY
def test_programs_closed_to_that_user_are_copied(monkeypatch, tmp_path) -> None:
    elsewhere = new_home()
    monkeypatch.setattr(binaries, "SYSTEM_FOLDER", elsewhere)
    user = binaries.service_user()
    monkeypatch.setattr(binaries, "reaches", lambda _user, _folder: False)
    assert binaries.folder(user).is_relative_to(elsewhere)
    for program in ("postgres", "initdb", "pg_ctl"):
        done = binaries.run(program, ["--version"], user=user, cwd=Path("/"))
        assert (done.returncode, done.stdout.split()[-1][:2]) == (0, "18"), done.stderr
    shutil.rmtree(elsewhere)


@ROOT_ONLY
def test_an_ordinary_user_runs_the_server_as_themselves() -> None:
    """The path that users take: become nobody, then start, be killed, recover and stop."""
    home = new_home()
    shutil.chown(home, "nobody")
    code = f"""
import os, signal, tempfile, secrets, subprocess, shutil, uuid
from pathlib import Path
import psycopg
from allotment.store.server import Server
from allotment.store import binaries
binaries.folder(None)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
server = Server(Path({str(home)!r}))
assert server.user is None
pid = server.start().pid
os.kill(pid, signal.SIGKILL)
while server.state().is_running: pass
assert server.start().pid != pid
assert psycopg.connect(server.owner_url()).execute("SELECT 1").fetchone() == (1,)
assert server.stop()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode == 0, done.stderr
    assert (home / "postgres" / "data").stat().st_uid == 65534
    shutil.rmtree(home)
