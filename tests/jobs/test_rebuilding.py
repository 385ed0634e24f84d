"""Books written to a folder and built anew in another firm are the same books."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from allotment.errors import DataError
from allotment.jobs.rebuilding import rebuild_books, write_books
from allotment.jobs.verification import verify
from allotment.settings import Settings
from allotment.store import event_tables, state_tables
from allotment.store.database import Store


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
