"""In-kind arrivals on a real database: booked once, put right when the basis comes, verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from allotment.jobs.importing import ImportReport, ImportRequest, import_files
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.events import PROVISIONAL, EventKind
from allotment.ledger.write import EventWriter
from allotment.settings import Settings
from allotment.store import arrival_tables, book_tables, event_tables, filed_tables, lot_tables, market_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore

ASOF = date(2024, 6, 28)
SHARE = 10**9
FILES = {
    "securities.csv": "security,name,kind\nA,A Corp,common\nB,B Corp,common\nBOND,Bond,bond\n",
    "venues.csv": "venue\nacme\n",
    "households.csv": "household\nH1\n",
    "taxpayers.csv": "taxpayer,household\nT1,H1\n",
    "accounts.csv": "account,household,taxpayer,venue,opened\nA1,H1,T1,acme,2020-01-02\n",
    "lots.csv": (
        "account,security,lot,quantity,basis,acquired,basis_state\n"
        "A1,A,1,10,100,2020-01-02,\nA1,B,2,10,,2020-01-02,missing\n"
    ),
}
TRANSFER = (
    "account,transfer,day,security,lot,quantity,basis,acquired,basis_state\n"
    "A1,ACAT-1,2023-11-06,A,000123,40,,,missing\n"
    "A1,ACAT-1,2023-11-06,A,000124,10,900,2021-05-03,\n"
)
LATE = "account,transfer,lot,basis,acquired\nA1,ACAT-1,000123,5200,2019-02-04\n"
Load = Callable[..., ImportReport]


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture
def firm(settings: Settings, tmp_path: Path) -> Iterator[tuple[FirmStore, Load]]:
    """A firm with one account, and a way to import files into it."""
    with Store.open(settings) as store:
        store.drop_firm("arrivals")
        store.create_firm("arrivals", market="market_arrivals")
        store.firm("arrivals").close()

        def load(asof: date = ASOF, **texts: str) -> ImportReport:
            paths = []
            for name, text in texts.items():
                path = tmp_path / f"{name.removesuffix('.csv')}.csv"
                path.write_text(text)
                paths.append(path)
            return import_files(store, ImportRequest(paths=tuple(paths), asof=asof), quiet)

        report = load(date(2023, 1, 3), **FILES)
        assert report.is_complete, report
        with store.firm("arrivals") as opened:
            yield opened, load


def sold(firm: FirmStore, line: int, day: date, usd: int) -> None:
    """A sale of ten of the transferred shares, by name."""
    account = book_tables.find_account(firm, "A1")
    (arrival,) = event_tables.sequences_of(firm, "transfer").values()
    security = {s.code: s.security_id for s in market_tables.load_securities(firm)}["A"]
    writer = EventWriter(first_seq=10_000)
    writer.write(
        EventKind.SELL,
        account.household_id,
        account.account_id,
        day,
        security_id=security,
        quantity_nano=10 * SHARE,
        amount_cents=usd * 100,
        named=[(arrival, line, 10 * SHARE)],
    )
    post(firm, writer.events(), source=f"sale of {day}", advance=quiet)


def test_a_transfer_whose_basis_comes_later(firm: tuple[FirmStore, Load]) -> None:
    """Ten of forty shares are sold before their basis is known, the return is filed, then it comes."""
    books, load = firm
    report = load(transfers=TRANSFER)
    assert report.files[0].note == "1 transfer(s); 1 lot(s) wait for their basis"
    sold(books, 0, date(2023, 12, 4), 1_500)
    filed_tables.mark_filed(books, 1, 2023, date(2024, 4, 15))
    report = load(late_basis=LATE)
    assert report.files[0].note == (
        "1 event(s) corrected, 1 lot(s); 1 sale(s) of 2023 changed, gain -$1300.00; "
        "the return of T1 for 2023 is filed: it may have to be amended"
    )
    events = event_tables.load_events(books)
    correction = events.reverses > 0
    assert events.kind[correction].tolist() == [EventKind.TRANSFER_IN]
    assert events.detail[events.kind == EventKind.TRANSFER_IN].tolist() == [PROVISIONAL, 0]
    lots = lot_tables.read_lots(books).lots
    came = lots.take(lots.origin_event == events.reverses[correction][0])
    assert came.quantity_nano.tolist() == [30 * SHARE, 10 * SHARE]
    assert came.basis_cents.tolist() == [3_900_00, 900_00]
    assert came.acquired.astype(str).tolist() == ["2019-02-04", "2021-05-03"]
    found = verify(books, None, quiet)
    assert found.is_clean, found


def test_late_basis_of_an_opening(firm: tuple[FirmStore, Load]) -> None:
    books, load = firm
    text = "account,lot,basis,acquired,quantity\nA1,2,321,2018-03-05,10\n"
    report = load(late_basis=text)
    assert report.files[0].note == "1 event(s) corrected, 1 lot(s)", report.files[0].mistakes
    lots = lot_tables.read_lots(books).lots
    assert sorted(lots.basis_cents.tolist()) == [10_000, 32_100]
    assert not lots.basis_state.any()
    assert verify(books, None, quiet).is_clean


def test_a_file_with_a_mistake_leaves_nothing(firm: tuple[FirmStore, Load]) -> None:
    books, load = firm
    report = load(transfers=f"{TRANSFER}A1,ACAT-2,2023-11-07,A,1,-5,1,2020-01-02,\n")
    assert [(m.line, m.column) for m in report.files[0].mistakes] == [(4, "quantity")]
    assert event_tables.sequences_of(books, "transfer") == {}
    assert load(transfers=TRANSFER).is_complete
    report = load(late_basis=f"{LATE}A1,ACAT-1,999,1,2020-01-02\n")
    assert [(m.line, m.column) for m in report.files[0].mistakes] == [(3, "lot")]
    assert not (event_tables.load_events(books).reverses > 0).any()


def test_a_transfer_is_booked_once_whatever_file_it_comes_in(firm: tuple[FirmStore, Load]) -> None:
    books, load = firm
    load(transfers=TRANSFER)
    assert load(transfers=TRANSFER).files[0].state.value == "loaded before"
    again = load(transfers=f"{TRANSFER}A1,ACAT-2,2023-11-07,A,1,5,1,2020-01-02,\n")
    assert {(m.line, m.column) for m in again.files[0].mistakes} == {(2, "transfer"), (3, "transfer")}
    assert len(arrival_tables.load_lot_names(books)) == 3
    load(late_basis=LATE)
    assert load(late_basis=LATE).files[0].state.value == "loaded before"


def test_prices_of_what_is_carried(firm: tuple[FirmStore, Load]) -> None:
    books, load = firm
    text = "account,security,day,price\nA1,BOND,2024-05-31,0.97\nA1,BOND,2024-06-28,0.985\n"
    assert load(carried_prices=text).is_complete
    assert [p.price_micros for p in arrival_tables.load_carried_prices(books, ASOF)] == [985_000]
    assert [p.price_micros for p in arrival_tables.load_carried_prices(books, date(2024, 6, 1))] == [970_000]
    assert load(carried_prices="account,security,day,price\nA1,BOND,2024-06-28,0.99\n").is_complete
    (price,) = arrival_tables.load_carried_prices(books, ASOF, np.array([1]))
    assert price.price_micros == 990_000
