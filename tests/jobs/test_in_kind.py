"""What leaves in kind, on a real database: planned, booked, verified."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from allotment.book.mandate import Mandate
from allotment.errors import DataError, UsageError
from allotment.jobs.importing import ImportRequest, import_files
from allotment.jobs.in_kind import InKindQuestion, PlannedInKind, book_in_kind, plan_in_kind
from allotment.jobs.posting import StaleBooksError
from allotment.jobs.verification import verify
from allotment.ledger.events import EventKind
from allotment.rebalance.in_kind import Leaving
from allotment.settings import Settings
from allotment.store import book_tables, event_list, event_tables, lot_tables, state_tables
from allotment.store.database import Store
from allotment.store.lot_tables import LotView
from allotment.store.session import FirmStore

ASOF = date(2024, 6, 28)
SHARE = 10**9
FILES = {
    "securities": "security,name,kind\nA,A Corp,common\nB,B Corp,common\nFUND,Private Fund,private\n",
    "prices": "security,session,close,adjusted\nA,2024-06-28,50,50\nB,2024-06-28,20,20\n",
    "venues": "venue,lot_mode,relief\nacme,named,fifo\nplain,default,hifo\n",
    "households": "household\nH1\n",
    "taxpayers": "taxpayer,household,short_rate,long_rate\nT1,H1,0.4,0.2\n",
    "accounts": (
        "account,household,taxpayer,kind,venue,opened\n"
        "own,H1,T1,taxable,acme,2020-01-02\nhifo,H1,T1,taxable,plain,2020-01-02\nira,H1,T1,ira,acme,2020-01-02\n"
    ),
    "sleeves": "sleeve,account,manager\nindex,own,Direct Index\nvalue,own,Fields Value\n",
    "lots": (
        "account,sleeve,security,lot,quantity,basis,acquired,basis_state\n"
        "own,index,A,1,10.25,100,2015-05-04,\n"  # long-term, gain of 80 % and more
        "own,value,A,2,4.5,360,2023-09-01,\n"  # short-term loss of 30 a share
        "own,index,B,3,8,80,2016-01-04,\n"  # long-term, half of it gain
        "own,index,B,4,5,,2016-01-04,missing\n"
        "own,value,FUND,5,2.5,5000,2021-01-04,\n"
        "hifo,,A,6,10,100,2015-05-04,\nhifo,,A,7,10.5,450,2016-05-04,\n"
        "ira,,A,8,3,30,2020-02-03,\n"
    ),
    "carried_prices": "account,security,day,price\nown,FUND,2024-05-31,2750.50\n",
}


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture
def firm(settings: Settings, tmp_path: Path) -> Iterator[FirmStore]:
    """Three accounts of one household."""
    with Store.open(settings) as store:
        store.drop_firm("in_kind")
        store.create_firm("in_kind", market="market_in_kind")
        store.firm("in_kind").close()
        for name, text in FILES.items():
            (tmp_path / f"{name}.csv").write_text(text)
        report = import_files(store, ImportRequest(paths=(tmp_path,), asof=ASOF), quiet)
        assert report.is_complete, [f.mistakes for f in report.files]
        with store.firm("in_kind") as opened:
            yield opened
            found = verify(opened, None, quiet)
            assert found.is_clean, found


def plan(firm: FirmStore, how: Leaving, account: str = "own", **facts: Any) -> PlannedInKind:
    return plan_in_kind(firm, InKindQuestion(how=how, account=account, **facts))


def told(planned: PlannedInKind) -> list[tuple[str, str, int, float]]:
    codes = planned.security_codes
    return [
        (lot.how.value, codes[lot.security_id], lot.origin_line, lot.quantity_nano / SHARE)
        for lot in planned.plan.lots
    ]


def held(firm: FirmStore, code: str) -> dict[tuple[int, int], float]:
    """Shares by security and line of the opening, in the taxpayer's view."""
    account = book_tables.find_account(firm, code).account_id
    lots = lot_tables.read_lots(firm, [account]).lots
    found: dict[tuple[int, int], float] = {}
    for security, line, nano in zip(
        lots.security_id.tolist(), lots.origin_line.tolist(), lots.quantity_nano.tolist(), strict=True
    ):
        found[security, line] = found.get((security, line), 0.0) + nano / SHARE
    return found


def test_a_transfer_in_two_steps_the_move_and_the_sale_of_the_fraction(firm: FirmStore) -> None:
    """Shares move on one day; what the fraction brought is told later, and the next plan books it."""
    planned = plan(firm, Leaving.TRANSFER, securities=("A",))
    assert told(planned) == [
        ("sale", "A", 1, 0.75),  # the loss goes first
        ("transfer", "A", 1, 3.75),
        ("transfer", "A", 0, 10.25),
    ]
    assert planned.waiting == ("A",)
    assert book_in_kind(firm, planned, quiet).n_new == 2  # one event a sleeve
    assert held(firm, "own")[1, 1] == 0.75
    with pytest.raises(StaleBooksError):
        book_in_kind(firm, planned, quiet)
    rest = plan(firm, Leaving.TRANSFER, securities=("A",), proceeds_cents={"A": 37_20})
    assert told(rest) == [("sale", "A", 1, 0.75)]
    book_in_kind(firm, rest, quiet)
    assert (1, 1) not in held(firm, "own")
    account = book_tables.find_account(firm, "own")
    stored = state_tables.read_household(firm, account.household_id)
    assert stored is not None
    sold = stored.sold[LotView.TAXPAYER]
    assert (sold.proceeds_cents.tolist(), sold.basis_cents.tolist()) == ([37_20], [60_00])
    events = event_list.events_of(firm, account.account_id)
    assert [EventKind(one.kind) for one in events[-3:]] == [EventKind.TRANSFER_OUT] * 2 + [EventKind.SELL]
    assert events[-1].settles == date(2024, 7, 1)


def test_everything_moves_but_what_cannot(firm: FirmStore) -> None:
    planned = plan(firm, Leaving.TRANSFER, proceeds_cents={"A": 37_20}, reason="ACAT 17")
    assert [(code, nano) for code, nano, _ in planned.plan.stays] == [(3, SHARE // 2)]
    assert planned.unpriced == ()
    book_in_kind(firm, planned, quiet)
    assert held(firm, "own") == {(3, 4): 0.5}
    last = event_list.events_of(firm, book_tables.find_account(firm, "own").account_id)[-1]
    assert last.source.endswith(": ACAT 17")
    assert held(firm, "hifo") == {(1, 0): 10.0, (1, 1): 10.5}  # nobody else's


def test_the_venue_that_names_no_lots_relieves_the_fraction_by_its_method(firm: FirmStore) -> None:
    assert told(plan(firm, Leaving.TRANSFER, "hifo"))[0] == ("sale", "A", 1, 0.5)  # highest cost


def test_a_donation_leaves_out_what_is_kept_short_term_or_unknown(firm: FirmStore) -> None:
    account = book_tables.find_account(firm, "own").account_id
    lots = lot_tables.read_lots(firm, [account]).lots
    kept = ((int(lots.origin_event[0]), 2),)  # B, bought in 2016
    mandate = Mandate(account_id=account, version=1, effective=ASOF, benchmark=(("X", 1.0),), kept_lots=kept)
    book_tables.save_mandates(firm, [mandate])
    planned = plan(firm, Leaving.DONATION, value_cents_max=1_000_00)
    assert told(planned) == [("donation", "A", 0, 10)]  # B's lot is kept by the mandate
    (lot,) = planned.plan.lots
    assert (lot.value_cents, lot.basis_cents, lot.gain_cents) == (500_00, 97_56, 402_44)
    book_in_kind(firm, planned, quiet)
    assert held(firm, "own")[1, 0] == 0.25
    gave = event_tables.load_events(firm)
    assert gave.amount_cents[gave.kind == EventKind.DONATE].tolist() == [500_00]


def test_a_gift_takes_the_lowest_basis_and_is_no_sale(firm: FirmStore) -> None:
    planned = plan(firm, Leaving.GIFT, value_cents_max=120_00)
    assert told(planned) == [("gift", "A", 0, 2), ("gift", "B", 2, 1)]
    posted = book_in_kind(firm, planned, quiet)
    assert (posted.n_new, len(posted.changes)) == (2, 0)
    assert held(firm, "own")[1, 0] == 8.25


def test_what_cannot_leave(firm: FirmStore) -> None:
    with pytest.raises(UsageError, match="retirement account"):
        plan(firm, Leaving.DONATION, "ira", value_cents_max=100_00)
    with pytest.raises(UsageError, match="no fraction of B is sold"):
        plan(firm, Leaving.TRANSFER, proceeds_cents={"B": 1})
    with pytest.raises(UsageError, match="hifo holds no B"):
        plan(firm, Leaving.TRANSFER, "hifo", securities=("B",))
    with pytest.raises(UsageError, match="there is no security 'Z'"):
        plan(firm, Leaving.TRANSFER, securities=("Z",))
    with pytest.raises(DataError, match="nothing to book"):
        book_in_kind(firm, plan(firm, Leaving.GIFT, value_cents_max=1), quiet)
    assert told(plan(firm, Leaving.TRANSFER, "ira")) == [("transfer", "A", 0, 3)]
