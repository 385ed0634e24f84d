"""Whoever dies in the middle of posting, nothing is lost, nothing is booked twice, and the books stand.

`make faults` kills two hundred times; a plain run a few times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from allotment.book.household import Account, AccountKind, Household, Taxpayer
from allotment.book.venue import Venue
from allotment.errors import StoreError
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import EventWriter
from allotment.market.security import Security
from allotment.settings import Settings
from allotment.store import book_tables, event_tables, market_tables, state_tables
from allotment.store.database import Store
from allotment.store.server import Server
from allotment.store.session import FirmStore

KILLS = int(os.environ.get("ALLOTMENT_KILLS", "3"))
WRITER = Path(__file__).with_name("posting_writer.py")
FACTS = 12  # a writer's, per kill


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder with a server of its own, which may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="allotment-fault-"))
    folder.chmod(0o755)
    yield folder
    Server(folder).stop()
    shutil.rmtree(folder, ignore_errors=True)


def make_firm(home: Path) -> None:
    """Two accounts of one household and a security."""
    with Store.open(Settings(home=home)) as store:
        store.create_firm("faults", market="market_faults")
        with store.market("market_faults") as market:
            market_tables.save_securities(
                market, [Security(security_id=1, code="OAK", name="Oak Corp", sector="Materials")]
            )
        with store.firm("faults") as firm:
            book_tables.save_venues(firm, [Venue(code="V")])
            book_tables.save_households(firm, [Household(household_id=1, code="H1")])
            book_tables.save_taxpayers(firm, [Taxpayer(taxpayer_id=1, code="T1", household_id=1)])
            book_tables.save_accounts(
                firm,
                [
                    Account(
                        account_id=number,
                        code=f"A{number}",
                        household_id=1,
                        taxpayer_id=1,
                        kind=AccountKind.TAXABLE,
                        venue_code="V",
                        opened=date(2024, 1, 2),
                    )
                    for number in (1, 2)
                ],
            )


def start_writer(home: Path, first: int, last: int, code: str = "A1") -> subprocess.Popen[str]:
    arguments = [sys.executable, str(WRITER), str(home), "faults", str(first), str(last), code]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def booked(firm: FirmStore) -> list[str]:
    found = firm.connection().execute("SELECT source_id FROM event ORDER BY source_id::int")
    return [key for (key,) in found]


def after_all(home: Path, acknowledged: set[int], last: int) -> None:
    """Post everything once more, then: each fact is there once, and the books follow from them."""
    done = start_writer(home, 0, last)
    _, errors = done.communicate(timeout=300)
    assert done.returncode == 0, errors
    with Store.open(Settings(home=home)) as store, store.firm("faults") as firm:
        assert booked(firm) == [str(i) for i in range(last)]
        assert acknowledged <= set(range(last))
        found = verify(firm, None, quiet)
        assert found.is_clean, found


@pytest.mark.parametrize("victim", ["writer", "server"])
def test_killed_at_any_moment(home: Path, victim: str) -> None:
    """SIGKILL for the program that posts, or for PostgreSQL, at a random moment; then go on."""
    make_firm(home)
    chance = random.Random(victim)
    acknowledged: set[int] = set()
    for kill in range(KILLS):
        acknowledged |= until_killed(home, kill, victim, chance)
        with Store.open(Settings(home=home)) as store, store.firm("faults") as firm:
            assert {str(i) for i in acknowledged} <= set(booked(firm))
            found = verify(firm, None, quiet)
            assert found.is_clean, found
    after_all(home, acknowledged, KILLS * FACTS)


def until_killed(home: Path, kill: int, victim: str, chance: random.Random) -> set[int]:
    """Start a writer and strike some time after one of its facts; the facts that it acknowledged."""
    writer = start_writer(home, kill * FACTS, (kill + 1) * FACTS)
    assert writer.stdout is not None
    acknowledged: set[int] = set()
    struck_after = chance.randrange(FACTS - 1)
    timer = threading.Timer(chance.uniform(0.0, 0.2), strike, [home, writer, victim])
    for line in writer.stdout:
        acknowledged.add(int(line))
        if len(acknowledged) == struck_after + 1:
            timer.start()
    writer.wait(timeout=300)
    timer.join()
    return acknowledged


def strike(home: Path, writer: subprocess.Popen[str], victim: str) -> None:
    """Kill without a word."""
    if victim == "writer":
        writer.kill()
        return
    pid = Server(home).state().pid
    if pid:
        os.kill(pid, signal.SIGKILL)


def test_two_writers_on_one_household_both_come_through(home: Path) -> None:
    """On different accounts of it, at once: a purchase by one can wash the other's loss."""
    make_firm(home)
    writers = [start_writer(home, 0, 12, code) for code in ("A1", "A2")]
    for writer in writers:
        _, errors = writer.communicate(timeout=300)
        assert writer.returncode == 0, errors
    with Store.open(Settings(home=home)) as store, store.firm("faults") as firm:
        assert event_tables.last_sequence(firm) == 24
        assert verify(firm, None, quiet).is_clean


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """A file system of 220 MB that something else fills up while a large posting comes in."""
    small = Path(tempfile.mkdtemp(prefix="allotment-small-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=220m,mode=755", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        shutil.rmtree(small)
        pytest.skip("may not mount a small file system")
    try:
        home = small / "home"
        home.mkdir(mode=0o755)
        make_firm(home)
        with Store.open(Settings(home=home)) as store, store.firm("faults") as firm:
            post(firm, deposits(1), source="before", advance=quiet)
            hashes = state_tables.load_hashes(firm)
        filler = small / "filler"
        filler.write_bytes(bytes(max(0, shutil.disk_usage(small).free - (3 << 20))))
        with (
            Store.open(Settings(home=home)) as store,
            store.firm("faults") as firm,
            pytest.raises(StoreError, match=r"nothing was written|went away"),
        ):
            post(firm, deposits(60_000), source="large", advance=quiet)
        filler.unlink()
        with Store.open(Settings(home=home)) as store, store.firm("faults") as firm:
            assert event_tables.last_sequence(firm) == 1
            assert state_tables.load_hashes(firm) == hashes
            assert verify(firm, None, quiet).is_clean
            assert post(firm, deposits(60_000), source="large", advance=quiet).n_new == 60_000
    finally:
        Server(small / "home").stop()
        subprocess.run(["umount", str(small)], check=False)
        shutil.rmtree(small, ignore_errors=True)


def deposits(n: int) -> Events:
    writer = EventWriter()
    for i in range(n):
        writer.write(EventKind.DEPOSIT, 1, 1, date(2024, 1, 2), amount_cents=100 + i)
    return writer.events()
