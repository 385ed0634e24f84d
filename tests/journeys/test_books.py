"""The books of the demo: verified, built anew in another database, corrected, proven, backed up."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from allotment.ledger.events import EventKind


def verified(allotment, *options: str) -> dict[str, object]:
    done = allotment(*options, "ledger", "verify", "--all", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert facts["is_clean"]
    return facts


@pytest.fixture
def other_home() -> Iterator[Path]:
    """Another database; not in pytest's own folder, which is closed to the server's user."""
    home = Path(tempfile.mkdtemp(prefix="allotment-other-"))
    home.chmod(0o755)
    yield home
    subprocess.run(
        [str(Path(sys.executable).with_name("allotment")), "--home", str(home), "db", "stop"],
        capture_output=True,
        check=False,
    )
    shutil.rmtree(home, ignore_errors=True)


def test_the_demo_book_has_events_of_every_kind_and_follows_from_them(demo, allotment) -> None:
    facts = verified(allotment)
    assert set(facts["events_by_kind"]) == {kind.name.lower() for kind in EventKind}
    assert facts["n_accounts"] == demo["accounts"] + 3


def test_the_book_built_anew_in_another_database_is_the_same(
    demo, allotment, other_home: Path, tmp_path: Path
) -> None:
    here = verified(allotment)
    folder = str(tmp_path / "books")
    assert allotment("ledger", "export", folder).returncode == 0
    there = ("--home", str(other_home))
    assert allotment(*there, "init", "copy").returncode == 0
    done = allotment(*there, "ledger", "rebuild", folder, "--json")
    assert done.returncode == 0, done.stderr
    copy = verified(allotment, *there)
    assert (copy["state_hash"], copy["last_link"]) == (here["state_hash"], here["last_link"])


def test_a_restored_backup_is_what_its_events_say(demo, allotment, tmp_path: Path) -> None:
    before = verified(allotment)
    file = str(tmp_path / "books.dump")
    assert allotment("db", "backup", file).returncode == 0
    deposit = next(
        event["event"]
        for event in json.loads(allotment("ledger", "events", "EVERY-1", "--json").stdout)["events"]
        if event["kind"] == "withdrawal"
    )
    done = allotment("ledger", "correct", str(deposit), "--amount", "900", "--reason", "a typing error")
    assert done.returncode == 0, done.stderr
    assert verified(allotment)["state_hash"] != before["state_hash"]
    assert allotment("db", "restore", file, "--yes").returncode == 0
    assert verified(allotment)["state_hash"] == before["state_hash"]


def test_a_proof_is_written_with_its_script(demo, allotment, tmp_path: Path) -> None:
    sales = json.loads(allotment("ledger", "show", "EVERY-1", "--json").stdout)["sales"]
    row = f"{sales[0]['sale']}/{sales[0]['lot']}"
    assert allotment("ledger", "prove", row, "--out", str(tmp_path)).returncode == 0
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "check_proof.py"), str(tmp_path / "proof.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ledger", "verify"), "--all, or --account CODE"),
        (("ledger", "show", "NOBODY"), "there is no account 'NOBODY'"),
        (("ledger", "show", "EVERY-1", "--known-at", "soon"), "neither a ledger sequence nor a time"),
        (("ledger", "reverse", "999999999", "--reason", "x"), "there is no event"),
        (("ledger", "file-year", "NOBODY", "2024", "--on", "2025-04-15"), "there is no taxpayer"),
        (("ledger", "prove", "x", "--out", "nowhere"), "names no row"),
        (("ledger", "rebuild", "nowhere"), "holds no books"),
    ],
)
def test_bad_use_is_told(demo, allotment, words: tuple[str, ...], says: str) -> None:
    done = allotment(*words)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
