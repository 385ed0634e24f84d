"""The program's own PostgreSQL server: started when needed, shared, stopped, recovered.

One server per data folder. Its files::

    HOME/server.lock          held while a server is started or stopped
    HOME/server.json          where the server's files are
    BASE/data                 the cluster
    BASE/run                  its socket (or a short folder under /tmp when the path is long)
    BASE/server.log           what it says
    BASE/passwords.json       of its superuser, used to prepare the cluster, and of the owner role

BASE is HOME/postgres. As root the server runs as another user, and when that user cannot enter
HOME, BASE is a folder below /var/lib/allotment named by the hash of HOME.

A killed client leaves nothing to repair. A killed server leaves a stale ``postmaster.pid``, and
PostgreSQL replays its log at the next start; both are handled by `Server.start`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from allotment.errors import StoreError
from allotment.store import binaries, secret_file
from allotment.store.lock import exclusive

SUPERUSER = "postgres"
OWNER = "allotment_owner"
DATABASE = "allotment"
_PORT = 5432
_SOCKET_PATH_MAX = 100  # the system's limit is 104 (macOS) or 108 (Linux) characters
_START_SECONDS_MAX = 3600  # replay of the log after a crash may take long
_READY_LINE = 7  # of postmaster.pid, counted from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What is known of the server. `pid` is 0 when it is not running."""

    base: Path
    pid: int
    is_ready: bool
    host: str  # folder of the socket, or the loopback address
    port: int

    @property
    def is_running(self) -> bool:
        """True while the process lives, ready or not."""
        return self.pid > 0


class Server:
    """The embedded server of one data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self.user = binaries.service_user()
        self.base = self._find_base()
        self.data = self.base / "data"
        self.log = self.base / "server.log"

    def state(self) -> ServerState:
        """Is it running? Asks nobody but the system, and changes nothing."""
        lines = self._pid_lines()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
        if not pid or not self._is_ours(pid):
            return ServerState(base=self.base, pid=0, is_ready=False, host="", port=0)
        whole = len(lines) > _READY_LINE
        return ServerState(
            base=self.base,
            pid=pid,
            is_ready=whole and lines[_READY_LINE].strip() == "ready",
            host=(lines[4].strip() or lines[5].strip()) if whole else "",
            port=int(lines[3]) if whole else 0,
        )

    def start(self) -> ServerState:
        """A running, prepared server: reused, recovered, or made new.

        Two commands that start at once end with one server. Raises StoreError, with the end of
        the server's log, when it does not come up.
        """
        state = self.state()
        if state.is_ready and self._is_prepared():
            return state
        self.home.mkdir(parents=True, exist_ok=True, mode=0o711 if self.user else 0o700)
        with exclusive(self.home / "server.lock"):
            self._make_base()
            if not (self.data / "PG_VERSION").exists():
                self._make_cluster()
            self._check_version()
            if not self.state().is_running:
                self._launch()
            state = self._wait_until_ready()
            if not self._is_prepared():
                self._prepare(state)
        return state

    def stop(self) -> bool:
        """Stop the server, open transactions rolled back; False when it was not running."""
        if not self.state().is_running:
            return False
        with exclusive(self.home / "server.lock"):
            for mode in ("fast", "immediate"):
                if not self.state().is_running:
                    break
                self._run("pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-w", "-t", "120")
            if self.state().is_running:
                raise StoreError(f"the server (process {self.state().pid}) does not stop; see {self.log}.")
        return True

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        """A connection URL, for psycopg and ADBC alike. The server must be running."""
        state = self.state()
        host = quote(state.host, safe="")
        return f"postgresql://{quote(role)}:{quote(password)}@/{database}?host={host}&port={state.port}"

    def owner_url(self, database: str = DATABASE) -> str:
        """URL of the role that owns the schemas; no superuser."""
        return self.url(OWNER, self.password(OWNER), database)

    def superuser_url(self, database: str = "postgres") -> str:
        """URL of the superuser: to prepare the cluster and to swap databases at a restore."""
        return self.url(SUPERUSER, self.password(SUPERUSER), database)

    def password(self, role: str) -> str:
        """The password of the superuser or the owner."""
        return secret_file.password(self.base / "passwords.json", role)

    # ── where its files are ──────────────────────────────────────────────────────────────────

    def _find_base(self) -> Path:
        pointer = self.home / "server.json"
        if pointer.exists():
            # Kept, so that a later change of the folder's permissions does not seem to lose data.
            return Path(str(json.loads(pointer.read_text())["base"]))
        if binaries.reaches(self.user, self.home):
            return self.home / "postgres"
        name = hashlib.sha256(str(self.home).encode()).hexdigest()[:16]
        return binaries.SYSTEM_FOLDER / name

    def _make_base(self) -> None:
        if self.base.is_relative_to(binaries.SYSTEM_FOLDER):
            binaries.SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o755)
        self.base.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._own(self.base)
        pointer = self.home / "server.json"
        if not pointer.exists():
            # Whoever starts at the same time, or after this was killed, finds all of it or nothing.
            fresh = self.home / "server.json.new"
            fresh.write_text(json.dumps({"base": str(self.base)}))
            fresh.replace(pointer)

    def _own(self, path: Path) -> None:
        if sys.platform != "win32" and self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)

    def _socket_folder(self) -> Path:
        folder = self.base / "run"
        if len(f"{folder}/.s.PGSQL.{_PORT}") > _SOCKET_PATH_MAX:
            name = hashlib.sha256(str(self.base).encode()).hexdigest()[:12]
            folder = Path("/tmp") / f"allotment-{name}"  # noqa: S108  private, and checked below
        folder.mkdir(exist_ok=True, mode=0o700)
        if sys.platform != "win32":
            uid = self.user.uid if self.user else os.geteuid()
            found = folder.lstat()
            if found.st_uid == os.geteuid():
                self._own(folder)
            elif found.st_uid != uid or found.st_mode & 0o077 or folder.is_symlink():
                raise StoreError(
                    f"{folder} belongs to somebody else; remove it, or choose a shorter data folder."
                )
        return folder

    # ── its process ──────────────────────────────────────────────────────────────────────────

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return binaries.run(program, arguments, user=self.user, cwd=self.base)

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _is_ours(self, pid: int) -> bool:
        """Is this process our server? Process numbers are used again after a crash."""
        if sys.platform == "win32":
            return self._run("pg_ctl", "status", "-D", str(self.data)).returncode == 0
        command = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self/cmdline").exists():
            try:
                words = command.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                return False
            return "postgres" in words[0] and str(self.data) in words
        shown = subprocess.run(
            ["ps", "-o", "args=", "-p", str(pid)], check=False, capture_output=True, text=True
        ).stdout
        return "postgres" in shown and str(self.data) in shown

    def _launch(self) -> None:
        self._write_configuration()
        deadline = time.monotonic() + 60
        while True:
            self._remove_stale_locks()
            mark = self.log.stat().st_size if self.log.exists() else 0
            done = self._run(
                "pg_ctl",
                "start",
                "-D",
                str(self.data),
                "-l",
                str(self.log),
                "-w",
                "-t",
                str(_START_SECONDS_MAX),
            )
            if done.returncode == 0:
                return
            said = self._log_since(mark)
            # Orphans of a killed server notice its death within moments and then let go.
            if "still in use" not in said or time.monotonic() > deadline:
                raise StoreError(
                    f"PostgreSQL does not start ({done.stderr.strip() or done.stdout.strip()[-300:]}). "
                    f"The end of {self.log}:\n{said[-2000:]}"
                )
            time.sleep(0.25)

    def _remove_stale_locks(self) -> None:
        """Forget the process number of a killed server when something else bears it now.

        PostgreSQL believes any living process, a zombie too. It still refuses to start beside
        orphans of the old server: those hold the shared memory named by the data folder.
        """
        if sys.platform != "win32":
            socket_lock = self._socket_folder() / f".s.PGSQL.{_PORT}.lock"
            socket_lock.unlink(missing_ok=True)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _wait_until_ready(self) -> ServerState:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while True:
            state = self.state()
            if state.is_ready:
                return state
            if not state.is_running or time.monotonic() > deadline:
                raise StoreError(f"PostgreSQL stopped while it started; see {self.log}.")
            time.sleep(0.05)

    def _log_since(self, mark: int) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(mark)
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    # ── its cluster ──────────────────────────────────────────────────────────────────────────

    def _make_cluster(self) -> None:
        """`initdb` beside the final place, then renamed: a killed one leaves no half cluster."""
        fresh = self.base / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.base) as password:
            password.write(self.password(SUPERUSER) + "\n")
            password.flush()
            self._own(Path(password.name))
            done = self._run(
                "initdb",
                *("-D", str(fresh), "-U", SUPERUSER, f"--pwfile={password.name}", "--auth=scram-sha-256"),
                # The caller's locale must not decide how text sorts.
                *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *("--data-checksums", "--no-instructions"),
            )
        if done.returncode != 0:
            raise StoreError(f"initdb failed: {done.stderr.strip()[-2000:]}")
        with (fresh / "postgresql.conf").open("a") as file:
            file.write("\n# Written by allotment at every start; your own settings go below this line.\n")
            file.write("include_if_exists = 'allotment.conf'\n")
        fresh.rename(self.data)
        (self.base / "prepared").unlink(missing_ok=True)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != str(binaries.POSTGRES_MAJOR):
            raise StoreError(
                f"{self.data} was made by PostgreSQL {found}, and this program brings "
                f"{binaries.POSTGRES_MAJOR}. Make a backup with the release that made it "
                "(`allotment db backup`), and restore that into a new data folder."
            )

    def _write_configuration(self) -> None:
        memory_mb = _memory_mb()
        if sys.platform == "win32":
            where = {
                "listen_addresses": "127.0.0.1",
                "port": str(_free_port()),
                "unix_socket_directories": "",
            }
        else:
            folder = str(self._socket_folder())
            where = {"listen_addresses": "", "port": str(_PORT), "unix_socket_directories": folder}
            where["unix_socket_permissions"] = "0700"
        values = where | {
            "max_connections": "64",
            "shared_buffers": f"{min(max(memory_mb // 8, 64), 1024)}MB",
            "effective_cache_size": f"{max(memory_mb // 2, 128)}MB",
            "work_mem": "64MB",
            "maintenance_work_mem": "256MB",
            # Bulk loads: fewer, smoother checkpoints and no log of pages that a crash drops anyway.
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "on",
            # Room for the log's own writer to write while a load goes on; else the load writes it itself.
            "wal_buffers": "64MB",
            "wal_writer_delay": "10ms",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "random_page_cost": "1.1",
            "jit": "off",
            # Containers give little shared memory, and our queries read ranges.
            "max_parallel_workers_per_gather": "0",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            "log_min_error_statement": "panic",  # statements may hold clients' names
            "log_checkpoints": "off",
        }
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
        file = self.data / "allotment.conf"
        file.write_text("\n".join(lines) + "\n")
        self._own(file)

    def _is_prepared(self) -> bool:
        return (self.base / "prepared").exists()

    def _prepare(self, state: ServerState) -> None:
        """Make the owner role and the database, the only work that is done as the superuser."""
        import psycopg
        from psycopg import sql

        assert state.is_ready
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            verifier = connection.pgconn.encrypt_password(
                self.password(OWNER).encode(), OWNER.encode(), b"scram-sha-256"
            ).decode()
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD {}").format(
                    verb, sql.Identifier(OWNER), sql.Literal(verifier)
                )
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )
        (self.base / "prepared").touch()


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (AttributeError, ValueError, OSError):
        return 4096


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
