"""Files into a real database: whole or not at all, booked once, corrected by importing again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from allotment.book.lots import Lots
from allotment.feeds.export import BookRecords, Format, write_folder
from allotment.jobs.import_bench import bench
from allotment.jobs.importing import FileState, ImportReport, ImportRequest, import_files
from allotment.market.index import WeightKind
from allotment.settings import Settings
from allotment.simulate.world.book import BookPolicy, make_book
from allotment.simulate.world.market import MarketPolicy, make_market
from allotment.store import book_tables, event_tables, import_tables, index_tables, lot_tables, market_tables
from allotment.store.database import Store
from allotment.store.lot_tables import LotView

ASOF = date(2024, 6, 28)
Import = Callable[..., ImportReport]
FILES = {
    "securities.csv": "security,name,sector\nA,A Corp,Energy\nB,B Corp,Utilities\n",
    "identifiers.csv": "security,kind,value,start\nB,ticker,BEE,2020-01-02\n",
    "prices.csv": (
        "security,session,close,adjusted,volume\n"
        "A,2024-06-26,10.5,10,100\nA,2024-06-27,11,11,100\nA,2024-06-28,12,12,100\n"
        "B,2024-06-26,20,20,100\nB,2024-06-28,21,21,100\n"
    ),
    "index_weights.csv": "index,session,security,weight\nI,2024-06-28,A,0.25\nI,2024-06-28,B,0.75\n",
    "corporate_actions.csv": "security,ex_date,kind,amount\nA,2024-05-02,cash_dividend,0.24\n",
    "scores.csv": "security,date,name,value\nA,2024-01-02,tobacco,1\n",
    "venues.csv": "venue\nacme\n",
    "households.csv": "household\nH1\nH2\n",
    "taxpayers.csv": "taxpayer,household\nT1,H1\nT2,H2\n",
    "accounts.csv": (
        "account,household,taxpayer,venue,opened\n"
        "A1,H1,T1,acme,2020-01-02\nA2,H2,T2,acme,2020-01-02\nA3,H2,T2,acme,2020-01-02\n"
    ),
    "mandates.toml": (
        '[[mandate]]\naccount = "A1"\neffective = 2024-01-02\nbenchmark = "I"\nexclude = ["ticker:BEE"]\n'
    ),
    "cash.csv": "account,amount\nA1,2500.25\n",
    "lots.csv": (
        "account,security,lot,quantity,basis,acquired\n"
        "A2,A,2,3.5,20,2021-02-03\nA1,ticker:BEE,1,10,150.10,2020-03-02\nA1,A,3,1,9.99,2022-03-02\n"
    ),
}


@pytest.fixture(scope="session")
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


@pytest.fixture
def load(store: Store, tmp_path: Path) -> Import:
    """Import the named files, written as given, into a firm that begins empty."""
    store.drop_firm("importing")
    store.create_firm("importing", market="market_importing")
    store.firm("importing").close()
    folder = tmp_path / "files"
    folder.mkdir()

    def of(asof: date = ASOF, **texts: str) -> ImportReport:
        paths = []
        for name, text in (texts or FILES).items():
            path = folder / (name if "." in name else f"{name}.csv")
            path.write_text(text)
            paths.append(path)
        return import_files(store, ImportRequest(paths=tuple(paths), asof=asof), lambda *_: None)

    return of


def states(report: ImportReport) -> dict[str, str]:
    return {file.kind: file.state.value for file in report.files}


def mistakes(report: ImportReport) -> list[tuple[str, int, str]]:
    return [(bad.file, bad.line, bad.column) for file in report.files for bad in file.mistakes]


def lots_of(store: Store) -> Lots:
    with store.firm("importing") as firm:
        return lot_tables.read_lots(firm).lots


def test_a_folder_becomes_a_market_and_a_book(store: Store, load: Import) -> None:
    report = load()
    assert set(states(report).values()) == {"loaded"}
    assert report.is_complete
    with store.firm("importing") as firm:
        ids = {s.code: s.security_id for s in market_tables.load_securities(firm)}
        prices = market_tables.load_prices(firm, date(2024, 1, 1), ASOF)
        weights = index_tables.latest_index_weights(firm, "I", ASOF)
        (action,) = market_tables.load_actions(firm, date(2024, 1, 1), ASOF)
        scores = index_tables.load_scores(firm, ASOF, np.array([ids["A"], ids["B"]]))
        accounts = {a.code: a for a in book_tables.load_accounts(firm)}
        sleeves = book_tables.load_sleeves(firm)
        (mandate,) = book_tables.load_mandates(firm, ASOF)
        events = event_tables.load_events(firm)
        stored = {view: lot_tables.read_lots(firm, view=view) for view in LotView}
    assert prices.close_micros.tolist() == [
        [10_500_000, 20_000_000],
        [11_000_000, 0],
        [12_000_000, 21_000_000],
    ]
    assert (weights.kind, weights.weight.tolist()) == (WeightKind.CLOSE, [0.25, 0.75])
    assert action.amount_usd == 0.24
    np.testing.assert_array_equal(scores["tobacco"], [1.0, np.nan])
    assert sorted(sleeve.code for sleeve in sleeves) == ["A1", "A2", "A3"]
    assert mandate.restrictions[0].security_id == ids["B"]
    assert sorted(events.amount_cents.tolist()) == [0, 0, 250_025]
    first, second = accounts["A1"].account_id, accounts["A2"].account_id
    for view in stored.values():
        owner = view.account_ids[view.lots.account_ix]
        rows = zip(
            owner.tolist(),
            view.lots.security_id.tolist(),
            view.lots.quantity_nano.tolist(),
            view.lots.basis_cents.tolist(),
            strict=True,
        )
        assert sorted(rows) == [
            (first, ids["A"], 10**9, 999),
            (first, ids["B"], 10**10, 15_010),
            (second, ids["A"], 3_500_000_000, 2000),
        ]


def test_the_same_files_again_change_nothing(store: Store, load: Import) -> None:
    load()
    before = lots_of(store)
    report = load()
    assert set(states(report).values()) == {"loaded before"}
    assert "the same content as lots.csv, loaded" in report.files[-1].note
    with store.firm("importing") as firm:
        assert len(event_tables.load_events(firm)) == 3
    after = lots_of(store)
    assert all(np.array_equal(getattr(before, f.name), getattr(after, f.name)) for f in fields(Lots))


def test_every_import_is_logged_with_who_did_it(store: Store, load: Import) -> None:
    load()
    with store.firm("importing") as firm, store.market("market_importing") as market:
        logged = [*import_tables.load_imports(firm), *import_tables.load_imports(market)]
    assert {record.kind for record in logged} == {Path(name).stem for name in FILES}
    assert {record.actor for record in logged} == {"local"}
    assert {record.kind: record.n_rows for record in logged}["lots"] == 3


def test_a_bad_row_refuses_its_file_whole(store: Store, load: Import) -> None:
    lots = FILES["lots.csv"] + "A1,A,4,-1,5,2020-03-02\nA1,QQQ,5,1,5,2020-03-02\n"
    report = load(**{**FILES, "lots.csv": lots})
    assert states(report)["lots"] == "refused"
    assert mistakes(report) == [("lots.csv", 5, "quantity"), ("lots.csv", 6, "security")]
    assert not report.is_complete
    assert len(lots_of(store)) == 0
    assert states(load(lots=FILES["lots.csv"]))["lots"] == "loaded"
    assert len(lots_of(store)) == 3


def test_files_that_need_a_refused_one_are_skipped_and_others_loaded(load: Import) -> None:
    report = load(**{**FILES, "households.csv": "household\nH1\nH1\n"})
    found = states(report)
    assert found["households"] == "refused"
    assert {kind for kind, state in found.items() if state == "skipped"} == {
        "taxpayers",
        "accounts",
        "mandates",
        "cash",
        "lots",
    }
    assert found["prices"] == found["venues"] == "loaded"
    assert report.files[-1].note == "needs accounts, which was not loaded"


def test_corrected_prices_replace_their_cells_only(store: Store, load: Import) -> None:
    load()
    report = load(
        prices="security,session,close,adjusted\nA,2024-06-26,99,9\nA,2024-06-28,98,8\nB,2024-06-27,7,7\n"
    )
    assert states(report) == {"prices": "loaded"}
    with store.firm("importing") as firm:
        prices = market_tables.load_prices(firm, date(2024, 1, 1), ASOF)
    assert prices.close_micros.tolist() == [
        [99_000_000, 20_000_000],
        [11_000_000, 7_000_000],
        [98_000_000, 21_000_000],
    ]
    np.testing.assert_array_equal(prices.volume, [[np.nan, 100], [100, np.nan], [np.nan, 100]])


def test_an_older_file_may_be_put_back(store: Store, load: Import) -> None:
    load()
    load(securities="security,name\nA,Renamed\n")
    assert states(load(securities=FILES["securities.csv"])) == {"securities": "loaded"}
    assert states(load(securities=FILES["securities.csv"])) == {"securities": "loaded before"}
    with store.firm("importing") as firm:
        assert [s.name for s in market_tables.load_securities(firm)] == ["A Corp", "B Corp"]


def test_an_opening_is_booked_once_per_account(store: Store, load: Import) -> None:
    load()
    other = "account,security,lot,quantity,basis,acquired\nA3,A,1,1,1,2020-03-02\nA1,A,9,1,1,2020-03-02\n"
    report = load(lots=other)
    assert mistakes(report) == [("lots.csv", 3, "account")]
    assert mistakes(load(cash="account,amount\nA1,1\n")) == [("cash.csv", 2, "account")]
    assert len(lots_of(store)) == 3
    assert states(load(lots=other.replace("A1,A,9,1,1,2020-03-02\n", "")))["lots"] == "loaded"
    assert len(lots_of(store)) == 4


def test_files_of_no_kind_and_a_toml_of_another(load: Import) -> None:
    report = load(**{"strange.csv": "a,b\n1,2\n", "lots.toml": "x = 1\n"})
    assert [file.state for file in report.files] == [FileState.REFUSED] * 2
    assert mistakes(report) == [("lots.toml", 0, ""), ("strange.csv", 0, "")]


def test_mandates_name_what_is_there(load: Import) -> None:
    load()
    text = "account,effective,benchmark,excluded_sectors,excluded_flags,tilts\n"
    good = "A2,2024-01-02,I,Energy,tobacco,momentum=0.001\n"
    assert mistakes(load(mandates=f"{text}{good}A3,2024-01-02,J,Enegry,tobaco,moment=1\n")) == [
        ("mandates.csv", 3, "benchmark"),
        ("mandates.csv", 3, "excluded_sectors"),
        ("mandates.csv", 3, "excluded_flags"),
        ("mandates.csv", 3, "tilts"),
    ]
    assert states(load(mandates=text + good)) == {"mandates": "loaded"}


@pytest.mark.parametrize("file_format", Format)
def test_the_sample_world_comes_back_from_its_files(
    store: Store, load: Import, tmp_path: Path, file_format: Format
) -> None:
    """Every lot of the generator's own books stands in the database, to the nano-share and cent."""
    policy = MarketPolicy(first=date(2021, 1, 4), last=ASOF, n_names=150, n_members=100)
    market = make_market(policy, 5)
    book = make_book(market, BookPolicy(accounts=10), 5)
    made = BookRecords(**{field.name: getattr(book, field.name) for field in fields(BookRecords)})
    write_folder(tmp_path / "world", market, made, file_format)
    request = ImportRequest(paths=(tmp_path / "world",), asof=book.asof)
    report = import_files(store, request, lambda *_: None)
    assert report.is_complete, mistakes(report)
    with store.firm("importing") as firm:
        stored = lot_tables.read_lots(firm)
        accounts = {a.account_id: a.code for a in book_tables.load_accounts(firm)}
        codes = {s.security_id: s.code for s in market_tables.load_securities(firm)}
        mandates = book_tables.load_mandates(firm, book.asof)
    own = {s.security_id: s.code for s in market.securities}
    assert rows(book.lots, [a.code for a in book.accounts], own) == rows(
        stored.lots, [accounts[number] for number in stored.account_ids.tolist()], codes
    )
    assert len(mandates) == len(book.accounts)


def rows(lots: Lots, accounts: list[str], codes: dict[int, str]) -> list[tuple[object, ...]]:
    columns = ("quantity_nano", "basis_cents", "loss_basis_cents", "acquired", "holding_from", "covered")
    return sorted(
        zip(
            [accounts[at] for at in lots.account_ix.tolist()],
            [codes[number] for number in lots.security_id.tolist()],
            *(getattr(lots, name).tolist() for name in columns),
            strict=True,
        )
    )


@pytest.mark.slow
def test_the_benchmark_runs() -> None:
    found = bench(n_lots=5000, n_accounts=50, n_securities=20)
    assert found["lots"] == 5000
    assert found["seconds"] > 0
