"""Books written to a folder and built anew in another firm are the same books."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from allotment.errors import DataError
from allotment.jobs.importing import ImportRequest, import_files
from allotment.jobs.rebuilding import rebuild_books, write_books
from allotment.jobs.sleeves import SwapQuestion, book_swap, plan_swap
from allotment.jobs.verification import verify
from allotment.ledger.election import Election
from allotment.ledger.entitlement import Difference, Item, Severity
from allotment.ledger.swap import SwapKind
from allotment.market.corporate_action import ActionKind
from allotment.settings import Settings
from allotment.store import (
    action_tables,
    actors,
    book_tables,
    event_tables,
    filed_tables,
    import_tables,
    record_copy,
    state_tables,
)
from allotment.store.actors import ActorKind
from allotment.store.database import Store
from allotment.store.record_copy import KEPT_AS, RECORDS, KeptAs
from allotment.store.session import FirmStore


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def test_books_built_anew_in_another_firm_have_the_same_hashes(
    books, settings: Settings, tmp_path: Path
) -> None:
    written = write_books(books, tmp_path / "written", quiet)
    assert written.n_events == event_tables.last_sequence(books)
    with Store.open(settings) as store:
        store.drop_firm("other")
        store.create_firm("other", market="market_books")
        with store.firm("other") as other, store.market("market_books") as market:
            assert rebuild_books(other, market, tmp_path / "written", quiet) == written.n_events
            assert state_tables.load_hashes(other) == state_tables.load_hashes(books)
            ours, theirs = verify(books, None, quiet), verify(other, None, quiet)
            assert theirs.is_clean
            assert (theirs.state_hash, theirs.last_link) == (ours.state_hash, ours.last_link)
            with pytest.raises(DataError, match="has events already"):
                rebuild_books(other, market, tmp_path / "written", quiet)
        store.drop_firm("other")


def test_a_folder_whose_events_were_changed_is_refused(books, settings: Settings, tmp_path: Path) -> None:
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
        with store.firm("other") as other, store.market("market_books") as market:
            with pytest.raises(DataError, match="does not hold"):
                rebuild_books(other, market, tmp_path / "written", quiet)
            assert event_tables.last_sequence(other) == 0
        store.drop_firm("other")


ASOF = date(2024, 6, 28)
FILES = {
    "securities": "security,name,kind\nA,A Corp,common\nFUND,Fund,private\n",
    "prices": "security,session,close,adjusted\nA,2024-06-28,50,50\n",
    "venues": "venue\nacme\n",
    "households": "household\nH1\n",
    "taxpayers": "taxpayer,household\nT1,H1\n",
    "accounts": "account,household,taxpayer,venue,opened\nUMA,H1,T1,acme,2020-01-02\n",
    "sleeves": 'sleeve,account,manager\nindex,UMA,"Direct, Index"\nvalue,UMA,Fields\n',
    "index_weights": "index,session,security,weight\nX,2024-06-28,A,1\n",
    "mandates": "account,effective,benchmark\nUMA,2024-01-02,X\n",
    "cash": "account,amount\nUMA,1000\n",
    "lots": (
        "account,sleeve,security,lot,quantity,basis,acquired\n"
        "UMA,index,A,=7,10,100,2015-05-04\nUMA,value,A,8,10,800,2023-09-01\nUMA,value,FUND,9,2,5000,2021-01-04\n"
    ),
    "transfers": (
        "account,transfer,day,security,lot,quantity,basis,acquired,basis_state\n"
        "UMA,ACAT-1,2023-11-06,A,000123,40,,,missing\n"
    ),
    "carried_prices": "account,security,day,price\nUMA,FUND,2024-05-31,2750.50\n",
    "expected": ("household,year,what,security,start,shares\nH1,2024,vesting,A,2024-07-14,25\n"),
}


@pytest.fixture
def full(settings: Settings, tmp_path: Path) -> Iterator[FirmStore]:
    """A firm with something in every table that is written out row for row."""
    with Store.open(replace(settings, firm="full")) as store:
        store.drop_firm("full")
        store.create_firm("full", market="market_full")
        store.firm("full").close()
        for name, text in FILES.items():
            (tmp_path / f"{name}.csv").write_text(text)
        report = import_files(store, ImportRequest(paths=(tmp_path,), asof=ASOF), quiet)
        assert report.is_complete, [file.mistakes for file in report.files]
        with store.firm("full") as firm:
            swap = SwapQuestion(
                kind=SwapKind.SUBSTITUTION, account="UMA", seller="index", security="A", quantity_nano=10**10
            )
            book_swap(firm, plan_swap(firm, swap), quiet)
            account = book_tables.find_account(firm, "UMA").account_id
            choice = Election(
                account_id=account, security_id=1, ex_date=ASOF, option="cash", quantity_nano=0,
                chosen_by='the "client"\nby telephone', chosen_on=ASOF,
            )  # fmt: skip
            # A number is lost, as it happens.
            firm.connection().execute("SELECT nextval(pg_get_serial_sequence('election', 'election_id'))")
            action_tables.save_election(firm, choice)
            difference = Difference(
                account_id=account, security_id=1, ex_date=ASOF, kind=ActionKind.SPLIT, item=Item.CASH,
                expected="1.00", came="", severity=Severity.LOOK, remedy="ask",
            )  # fmt: skip
            action_tables.raise_differences(firm, [difference], "file")
            filed_tables.mark_filed(firm, 1, 2023, date(2024, 4, 15))
            actors.create_actor(firm, "clerk", ActorKind.PERSON, ["trader"])
            actors.deactivate_actor(firm, "clerk")
            yield firm
        store.drop_firm("full")


def rows(firm: FirmStore, table: str) -> list[tuple[object, ...]]:
    return sorted(firm.connection().execute(f"SELECT t::text FROM {table} t").fetchall())


def test_every_table_of_a_firm_is_derived_or_written_out_or_left_on_purpose(books: FirmStore) -> None:
    found = books.connection().execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    )
    assert {name for (name,) in found} == set(KEPT_AS)
    page = (Path(__file__).parents[2] / "docs/internals/store.md").read_text("utf-8")
    section = page.partition("## What goes with the books")[2].partition("\n## ")[0]
    lines = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    told = {line[1].strip().strip("`"): line[2].strip() for line in lines}
    assert told == {table: how.value for table, how in KEPT_AS.items()}


def test_what_events_do_not_give_is_the_same_row_for_row(
    full: FirmStore, settings: Settings, tmp_path: Path
) -> None:
    written = write_books(full, tmp_path / "written", quiet)
    assert min(written.records.values()) > 0, written.records
    assert written.records["lot_name"] == 1
    write_books(full, tmp_path / "again", quiet)
    for table in RECORDS:
        first, again = (tmp_path / one / "records" / f"{table}.csv" for one in ("written", "again"))
        assert first.read_bytes() == again.read_bytes()
    with Store.open(settings) as store:
        store.drop_firm("other")
        store.create_firm("other", market="market_other")
        with store.firm("other") as other, store.market("market_other") as market:
            rebuild_books(other, market, tmp_path / "written", quiet)
            kept = {name for name, how in KEPT_AS.items() if how is KeptAs.RECORDS}
            for table in kept | {"event", "posting", "sleeve", "account", "taxpayer"}:
                assert rows(other, table) == rows(full, table), table
            columns = "actor_id, name, kind, roles, is_active"
            theirs, ours = (
                one.connection().execute(f"SELECT {columns} FROM actor ORDER BY actor_id").fetchall()
                for one in (other, full)
            )
            assert theirs == ours
            assert state_tables.load_hashes(other) == state_tables.load_hashes(full)
            assert verify(other, None, quiet).is_clean
            assert verify(other, None, quiet).state_hash == verify(full, None, quiet).state_hash
            # What comes next gets a number of its own.
            (choice,) = action_tables.load_elections(full)
            assert action_tables.save_election(other, choice) == 3
            newcomer = actors.create_actor(other, "newcomer", ActorKind.PERSON, ["trader"])
            assert newcomer.actor_id > max(actor for actor, *_ in ours)
            lots = import_tables.load_imports(full)
            assert import_tables.find_import(other, "lots", _of(lots, "lots")) is not None
        store.drop_firm("other")


def _of(imports: tuple[import_tables.ImportRecord, ...], kind: str) -> str:
    return next(one.sha256 for one in imports if one.kind == kind)


def test_records_that_were_changed_or_lost_are_refused(
    full: FirmStore, settings: Settings, tmp_path: Path
) -> None:
    write_books(full, tmp_path / "written", quiet)
    file = tmp_path / "written" / "records" / "filed_year.csv"
    text = file.read_text()
    with Store.open(settings) as store:
        store.drop_firm("other")
        store.create_firm("other", market="market_other")
        with store.firm("other") as other, store.market("market_other") as market:
            file.write_text(text.replace("2024-04-15", "2024-10-15"))
            with pytest.raises(DataError, match=r"filed_year.csv is not the file of 1 row"):
                rebuild_books(other, market, tmp_path / "written", quiet)
            file.unlink()
            with pytest.raises(DataError, match=r"filed_year.csv is not the file"):
                rebuild_books(other, market, tmp_path / "written", quiet)
            assert event_tables.last_sequence(other) == 0
            assert book_tables.load_accounts(other) == ()
            pieces = [line.encode() for line in text.splitlines(keepends=True)]
            with pytest.raises(DataError, match="does not know"):
                record_copy.write_records(other, "filed_year", b"mood," + pieces[0], pieces[1:])
            file.write_text(text)
            rebuild_books(other, market, tmp_path / "written", quiet)
            with pytest.raises(DataError, match="has rows in filed_year already"):
                record_copy.write_records(other, "filed_year", pieces[0], pieces[1:])
        store.drop_firm("other")
