"""The books verified, seen in the past, corrected, proven and built anew elsewhere: on a real database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest

from allotment.errors import DataError, UsageError
from allotment.jobs import proving
from allotment.jobs.correcting import Right, correction, reversal
from allotment.jobs.demo import store_book
from allotment.jobs.past_books import known_sequence, past_books
from allotment.jobs.posting import StaleBooksError, post, rebase
from allotment.jobs.proof_folder import write_proof
from allotment.jobs.rebuilding import rebuild_books, write_books
from allotment.jobs.verification import verify
from allotment.ledger.events import EventKind, Events
from allotment.market.history import MarketHistory
from allotment.settings import Settings
from allotment.simulate.world.book import SampleBook
from allotment.store import (
    book_tables,
    event_chain,
    event_tables,
    filed_tables,
    market_tables,
    state_tables,
)
from allotment.store.database import Store
from allotment.store.session import FirmStore


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture(scope="module")
def owner(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as store:
        yield store


@pytest.fixture(scope="module")
def books(owner: Store, sample_market: MarketHistory, sample_book: SampleBook) -> Iterator[FirmStore]:
    """The sample book for tests that change nothing."""
    owner.drop_firm("books")
    owner.create_firm("books", market="market_books")
    with owner.market("market_books") as writer:
        market_tables.save_history(writer, sample_market)
    with owner.firm("books") as firm:
        store_book(firm, sample_book, quiet)
        yield firm
    owner.drop_firm("books")


def first_event(firm: FirmStore, kind: EventKind) -> tuple[int, str]:
    """An event of the kind, and its account's code."""
    found = (
        firm.connection()
        .execute(
            "SELECT ledger_seq, code FROM event JOIN account USING (account_id) WHERE event.kind = %s "
            "ORDER BY ledger_seq LIMIT 1",
            [int(kind)],
        )
        .fetchone()
    )
    assert found is not None
    return int(found[0]), str(found[1])


def test_the_sample_book_is_what_its_events_say(books) -> None:
    found = verify(books, None, quiet)
    assert found.is_clean
    assert found.n_events == event_tables.last_sequence(books) == sum(found.events_by_kind.values())
    assert found.n_postings == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("lots_now", "packed = set_byte(packed, 20, get_byte(packed, 20) # 1)"),
        ("sold_now", "disposals = set_byte(disposals, 20, get_byte(disposals, 20) # 1)"),
        ("household_state", "cash = set_byte(cash, 30, get_byte(cash, 30) # 1)"),
    ],
)
def test_one_changed_byte_of_what_is_stored_is_found(sample_firm, table: str, change: str) -> None:
    sample_firm.connection().execute(
        f"UPDATE {table} SET {change} WHERE ctid = (SELECT ctid FROM {table} LIMIT 1)"
    )
    found = verify(sample_firm, None, quiet)
    assert not found.is_clean
    assert len(found.different) == 1
    assert found.broken == ()


def test_an_event_changed_behind_the_books_is_found(sample_firm, owner: Store) -> None:
    """Triggers refuse a change; the database's owner can go around them, and the chain tells."""
    with pytest.raises(psycopg.Error):
        sample_firm.connection().execute("UPDATE event SET amount_cents = amount_cents + 1")
    with owner.owner.transaction():
        owner.owner.execute("ALTER TABLE firm_sample.event DISABLE TRIGGER append_only")
        owner.owner.execute(
            "UPDATE firm_sample.event SET amount_cents = amount_cents + 1 WHERE ledger_seq = "
            "(SELECT min(ledger_seq) FROM firm_sample.event WHERE kind = 64)"
        )
        owner.owner.execute("ALTER TABLE firm_sample.event ENABLE TRIGGER append_only")
    found = verify(sample_firm, None, quiet)
    assert any("was changed" in one for one in found.broken)
    assert found.different  # the cash is another too


def test_the_past_stays_as_it_was_known(sample_firm) -> None:
    deposit, code = first_event(sample_firm, EventKind.DEPOSIT)
    known = event_tables.last_sequence(sample_firm)
    before = past_books(sample_firm, code, None, "")
    moment = datetime.now(UTC).isoformat()
    post(
        sample_firm,
        correction(sample_firm, deposit, Right(amount="1.00")),
        source="by hand: test",
        source_ids=["1"],
        advance=quiet,
    )
    assert known_sequence(sample_firm, moment) == known
    for known_at in (str(known), moment):
        again = past_books(sample_firm, code, None, known_at)
        assert again.state.cash_cents.tolist() == before.state.cash_cents.tolist()
    now = past_books(sample_firm, code, None, "")
    assert now.state.cash_cents[now.account_ix] < before.state.cash_cents[before.account_ix]
    assert past_books(sample_firm, code, None, "0").state.cash_cents.tolist() == [0] * len(
        before.state.accounts
    )
    assert verify(sample_firm, None, quiet).is_clean


def test_a_day_shows_what_was_effective_by_then(books, sample_book) -> None:
    code = sample_book.accounts[0].code
    opened = past_books(books, code, sample_book.accounts[0].opened, "")
    later = past_books(books, code, None, "")
    assert opened.state.taxpayer.disposals.day.shape[0] <= later.state.taxpayer.disposals.day.shape[0]
    days = opened.state.taxpayer.lots.acquired
    assert bool((days <= np.datetime64(sample_book.accounts[0].opened)).all())


@pytest.mark.parametrize("text", ["yesterday", "12.5", "2024-13-01"])
def test_a_moment_that_is_none_is_refused(books, text: str) -> None:
    with pytest.raises(UsageError, match="neither a ledger sequence nor a time"):
        known_sequence(books, text)


def test_a_reversed_sale_of_a_filed_year_is_flagged(sample_firm) -> None:
    """The last sale of an account, so that no later event needs what it left."""
    sale, account_id, taxpayer_id, year = sample_firm.connection().execute(
        "SELECT e.ledger_seq, a.account_id, a.taxpayer_id, extract(year FROM e.effective)::int FROM event e "
        "JOIN account a USING (account_id) WHERE e.kind = 4 AND a.kind = 'taxable' "
        "ORDER BY e.effective DESC, e.ledger_seq DESC LIMIT 1"
    ).fetchone()  # fmt: skip
    filed_tables.mark_filed(sample_firm, taxpayer_id, year, datetime(2025, 4, 1, tzinfo=UTC).date())
    came = post(
        sample_firm, reversal(sample_firm, sale), source="by hand: bust", source_ids=["1"], advance=quiet
    )
    assert came.n_new == 1
    assert set(came.changes.event.tolist()) == {sale}
    assert set(came.changes.account_id.tolist()) == {account_id}
    assert came.filed == ((taxpayer_id, year),)
    assert verify(sample_firm, None, quiet).is_clean
    with pytest.raises(DataError, match="reversed already"):
        post(sample_firm, reversal(sample_firm, sale), source="again", advance=quiet)


def test_a_purchase_whose_shares_were_sold_by_name_cannot_be_withdrawn(books) -> None:
    named = event_tables.load_events(books).named_event
    kinds = dict(
        books.connection()
        .execute("SELECT ledger_seq, kind FROM event WHERE ledger_seq = ANY(%s)", [named.tolist()])
        .fetchall()
    )
    bought = next(seq for seq in named.tolist() if kinds[seq] == EventKind.BUY)
    known = event_tables.last_sequence(books)
    hashes = state_tables.load_hashes(books)
    with pytest.raises(DataError, match="nothing was written"):
        post(books, reversal(books, bought), source="test", advance=quiet)
    assert event_tables.last_sequence(books) == known
    assert state_tables.load_hashes(books) == hashes
    assert verify(books, None, quiet).is_clean


def test_decisions_on_books_that_moved_on_are_refused(sample_firm) -> None:
    deposit, _ = first_event(sample_firm, EventKind.DEPOSIT)
    household = event_tables.household_of(sample_firm, deposit)
    assert household is not None
    (version,) = book_tables.lock_households(sample_firm, [household]).tolist()

    def pay(usd: str, source: str) -> Events:
        events: Events = correction(sample_firm, deposit, Right(amount=usd))
        return events

    post(
        sample_firm,
        pay("5.00", "a"),
        source="a",
        source_ids=["1"],
        advance=quiet,
        read_at={household: version},
    )
    with pytest.raises(StaleBooksError, match="has written to it"):
        post(
            sample_firm,
            pay("6.00", "b"),
            source="b",
            source_ids=["1"],
            advance=quiet,
            read_at={household: version},
        )


def test_the_same_rules_change_nothing(books) -> None:
    hashes = state_tables.load_hashes(books)
    came = rebase(books, quiet)
    assert len(came.changes) == 0
    assert state_tables.load_hashes(books) == hashes


def test_books_built_anew_in_another_firm_have_the_same_hashes(
    books, settings: Settings, tmp_path: Path
) -> None:
    written = write_books(books, tmp_path / "written", quiet)
    assert written.n_events == event_tables.last_sequence(books)
    with Store.open(settings) as store:
        store.drop_firm("other")
        store.create_firm("other", market="market_books")
        with store.firm("other") as other:
            assert rebuild_books(other, tmp_path / "written", quiet) == written.n_events
            assert state_tables.load_hashes(other) == state_tables.load_hashes(books)
            ours, theirs = verify(books, None, quiet), verify(other, None, quiet)
            assert theirs.is_clean
            assert (theirs.state_hash, theirs.last_link) == (ours.state_hash, ours.last_link)
            with pytest.raises(DataError, match="has events already"):
                rebuild_books(other, tmp_path / "written", quiet)
        store.drop_firm("other")


def test_a_folder_whose_events_were_changed_is_refused(books, settings: Settings, tmp_path: Path) -> None:
    import polars as pl

    write_books(books, tmp_path / "written", quiet)
    file = tmp_path / "written" / "events.parquet"
    pl.read_parquet(file).with_columns(
        pl.when(pl.col("ledger_seq") == 3)
        .then(pl.lit(1))
        .otherwise(pl.col("amount_cents"))
        .alias("amount_cents")
    ).write_parquet(file)
    with Store.open(settings) as store:
        store.drop_firm("other")
        store.create_firm("other", market="market_books")
        with store.firm("other") as other:
            with pytest.raises(DataError, match="does not hold"):
                rebuild_books(other, tmp_path / "written", quiet)
            assert event_tables.last_sequence(other) == 0
        store.drop_firm("other")


@pytest.fixture
def proof_folder(books, tmp_path: Path) -> Path:
    sale, _ = first_event(books, EventKind.SELL)
    write_proof(proving.prove(books, proving.Row(sale)), tmp_path / "proof")
    return tmp_path / "proof"


def check(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(folder / "check_proof.py"), str(folder / "proof.json"), *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_alone_confirms_a_proof(proof_folder: Path, books) -> None:
    done = check(proof_folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds" in done.stdout
    kept = event_chain.load_postings(books)[-1].link.hex()
    assert check(proof_folder, kept).returncode == 0
    assert check(proof_folder, "00" * 32).returncode == 1


@pytest.mark.parametrize("part", ["bytes", "path", "posting", "row"])
def test_the_script_notices_what_was_changed(proof_folder: Path, part: str) -> None:
    file = proof_folder / "proof.json"
    proof = json.loads(file.read_text())
    if part == "bytes":
        data = bytearray.fromhex(proof["events"][0]["bytes"])
        data[60] ^= 1
        proof["events"][0]["bytes"] = data.hex()
    elif part == "path":
        proof["events"][0]["path"][0][1] = "00" * 32
    elif part == "posting":
        proof["postings"][0]["known_at_micros"] += 1
    else:
        proof["rows"][0]["proceeds_cents"] += 1
    file.write_text(json.dumps(proof))
    done = check(proof_folder)
    assert done.returncode == 1
    assert "WRONG" in done.stdout


@pytest.mark.parametrize("text", ["", "x", "12/y", "1.5"])
def test_a_row_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no row"):
        proving.parse_row(text)


def test_a_sale_that_is_not_there_has_no_proof(books) -> None:
    with pytest.raises(UsageError, match="no event"):
        proving.prove(books, proving.Row(10**9))
    deposit, _ = first_event(books, EventKind.DEPOSIT)
    with pytest.raises(UsageError, match="closed no lot"):
        proving.prove(books, proving.Row(deposit))


def test_nothing_put_right_is_no_correction(books) -> None:
    deposit, _ = first_event(books, EventKind.DEPOSIT)
    with pytest.raises(UsageError, match="nothing is put right"):
        correction(books, deposit, Right())
    with pytest.raises(UsageError, match="as decimals"):
        correction(books, deposit, Right(amount="ten"))
    with pytest.raises(UsageError, match="no event"):
        correction(books, 10**9, Right(amount="1"))
