"""Sleeves on a real database: shown, swapped, booked with their record, verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from allotment.errors import DataError, UsageError
from allotment.jobs.importing import ImportRequest, import_files
from allotment.jobs.posting import StaleBooksError, post
from allotment.jobs.sleeves import (
    AccountSleeves,
    CashQuestion,
    SwapQuestion,
    account_sleeves,
    book_swap,
    move_cash,
    plan_swap,
)
from allotment.jobs.verification import verify
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.sleeve_trades import sleeve_trades
from allotment.ledger.swap import PriceSource, SwapKind, TooLittleCashError
from allotment.ledger.write import EventWriter
from allotment.settings import Settings
from allotment.store import book_tables, event_tables, lot_tables, sleeve_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore

ASOF = date(2024, 6, 28)
SHARE = 10**9
FILES = {
    "securities": "security,name,kind\nA,A Corp,common\nFUND,Private Fund,private\n",
    "prices": "security,session,close,adjusted\nA,2024-06-27,49,49\nA,2024-06-28,50,50\n",
    "venues": "venue,lot_mode,relief\nacme,named,fifo\nplain,default,hifo\n",
    "households": "household\nH1\n",
    "taxpayers": "taxpayer,household,short_rate,long_rate\nT1,H1,0.4,0.2\n",
    "accounts": (
        "account,household,taxpayer,venue,opened\nUMA,H1,T1,acme,2020-01-02\nUMB,H1,T1,plain,2020-01-02\n"
    ),
    "sleeves": (
        "sleeve,account,manager\nindex,UMA,Direct Index\nvalue,UMA,Fields Value\n"
        "b-index,UMB,Direct Index\nb-value,UMB,Fields Value\n"
    ),
    "cash": "account,amount\nUMA,1000\n",
    "lots": (
        "account,sleeve,security,lot,quantity,basis,acquired\n"
        "UMA,index,A,1,10,100,2015-05-04\nUMA,value,A,2,10,800,2023-09-01\nUMA,value,FUND,3,2,5000,2021-01-04\n"
        "UMB,b-index,A,1,10,100,2015-05-04\nUMB,b-value,A,2,10,800,2023-09-01\n"
    ),
    "carried_prices": "account,security,day,price\nUMA,FUND,2024-05-31,2750.50\n",
}


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture
def firm(settings: Settings, tmp_path: Path) -> Iterator[FirmStore]:
    """Two accounts of two managers each."""
    with Store.open(settings) as store:
        store.drop_firm("sleeves")
        store.create_firm("sleeves", market="market_sleeves")
        store.firm("sleeves").close()
        paths = []
        for name, text in FILES.items():
            paths.append(tmp_path / f"{name}.csv")
            paths[-1].write_text(text)
        report = import_files(store, ImportRequest(paths=tuple(paths), asof=ASOF), quiet)
        assert report.is_complete, report
        with store.firm("sleeves") as opened:
            yield opened


def asked(kind: SwapKind, shares: float, **other: object) -> SwapQuestion:
    facts: dict[str, object] = {"account": "UMA", "seller": "index", "security": "A"}
    return SwapQuestion(kind=kind, quantity_nano=round(shares * SHARE), **(facts | other))  # type: ignore[arg-type]


def totals(found: AccountSleeves) -> dict[str, tuple[int, int, int]]:
    return {one.sleeve.code: (one.total_cents, one.cash_cents, len(one.lots)) for one in found.sleeves}


def test_an_account_by_its_sleeves(firm: FirmStore) -> None:
    found = account_sleeves(firm, "UMA")
    assert found.asof == ASOF
    assert totals(found) == {
        "index": (500_00 + 1000_00, 1000_00, 1),
        "value": (500_00 + 5501_00, 0, 2),  # the fund at the custodian's price
    }
    assert found.unpriced == ()
    assert totals(account_sleeves(firm, "UMB"))["b-index"] == (500_00, 0, 1)
    assert account_sleeves(firm, "UMA", date(2024, 5, 30)).unpriced == ()  # nothing was held then


def test_a_substitution_swap_before_another_managers_sale(firm: FirmStore) -> None:
    """The index sleeve sells ten; the value sleeve's lot is at a loss. Books, record and verify."""
    proposed = plan_swap(firm, asked(SwapKind.SUBSTITUTION, 10))
    assert [leg.seller.code for leg in proposed.swap.legs] == ["value", "index"]
    assert proposed.swap.legs[0].price.source is PriceSource.CLOSE
    assert book_swap(firm, proposed, quiet).n_new == 4
    assert totals(account_sleeves(firm, "UMA")) == {
        "index": (1500_00, 1000_00, 1),
        "value": (6001_00, 0, 2),
    }
    account = book_tables.find_account(firm, "UMA")
    records = sleeve_tables.load_swaps(firm, account.account_id)
    assert [(one.manager, one.side, one.other_manager) for one in records] == [
        ("Fields Value", -1, "Direct Index"),
        ("Direct Index", 1, "Fields Value"),
        ("Direct Index", -1, "Fields Value"),
        ("Fields Value", 1, "Direct Index"),
    ]
    assert {(one.amount_cents, one.price_micros) for one in records} == {(500_00, 50_000_000)}
    sale = EventWriter(first_seq=10_000)
    sale.write(
        EventKind.SELL,
        account.household_id,
        account.account_id,
        ASOF,
        security_id=records[0].security_id,
        quantity_nano=10 * SHARE,
        amount_cents=500_00,
        sleeve_id=proposed.swap.legs[0].buyer.sleeve_id,
        named=proposed.swap.to_sell,
        day_seq=100,
    )
    post(firm, sale.events(), source="sale", advance=quiet)
    lots = lot_tables.read_lots(firm, [account.account_id]).lots
    assert sorted(lots.basis_cents.tolist()) == [100_00, 5000_00]  # the lot with the loss is gone
    events = in_force(event_tables.load_events(firm)).events
    sleeves = [(s.sleeve_id, s.account_id) for s in book_tables.load_sleeves(firm)]
    table = AccountTable.of_accounts(book_tables.load_accounts(firm), sleeves=sleeves)
    trades = sleeve_trades(events, table)
    rows = zip(trades.sleeve_ix.tolist(), trades.side.tolist(), trades.is_swap.tolist(), strict=True)
    assert list(rows) == [(0, 1, True), (0, -1, True), (0, -1, False), (1, -1, True), (1, 1, True)]
    found = verify(firm, None, quiet)
    assert found.is_clean, found
    assert found.events_by_kind["relabel"] == 2


def test_a_crossing_at_the_blocks_average(firm: FirmStore) -> None:
    question = asked(SwapKind.CROSSING, 4.5, buyer="value", block_micros=51_333_333, reason="month-end")
    with pytest.raises(TooLittleCashError, match=r"value has 0\.00 in cash and the crossing costs 231"):
        plan_swap(firm, question)
    pass_on = CashQuestion(
        account="UMA", giver="index", taker="value", amount_cents=300_00, reason="month-end"
    )
    assert move_cash(firm, pass_on, quiet).n_new == 1
    proposed = plan_swap(firm, question)
    (leg,) = proposed.swap.legs
    assert (leg.amount_cents, leg.price.source, leg.reason) == (231_00, PriceSource.BLOCK, "month-end")
    book_swap(firm, proposed, quiet)
    assert totals(account_sleeves(firm, "UMA")) == {
        "index": (700_00 + 231_00 + 275_00, 931_00, 1),
        "value": (500_00 + 225_00 + 5501_00 + 69_00, 69_00, 3),
    }
    with pytest.raises(StaleBooksError):
        book_swap(firm, proposed, quiet)
    assert verify(firm, None, quiet).is_clean


def test_where_the_custodian_relieves_by_its_method_that_order_counts(firm: FirmStore) -> None:
    question = asked(SwapKind.SUBSTITUTION, 3, account="UMB", seller="b-index")
    legs = plan_swap(firm, question).swap.legs
    assert [leg.quantity_nano // SHARE for leg in legs] == [3, 3]  # highest cost first


def test_cash_between_sleeves_is_what_the_giver_has(firm: FirmStore) -> None:
    asked_for = CashQuestion(account="UMA", giver="index", taker="value", amount_cents=1000_01)
    with pytest.raises(DataError, match=r"index has 1000\.00 in cash; it cannot pass on 1000\.01"):
        move_cash(firm, asked_for, quiet)
    with pytest.raises(UsageError, match="cannot pay itself"):
        move_cash(firm, replace(asked_for, taker="index"), quiet)
    move_cash(firm, replace(asked_for, amount_cents=1000_00), quiet)
    assert {one: cash for one, (_, cash, _) in totals(account_sleeves(firm, "UMA")).items()} == {
        "index": 0,
        "value": 1000_00,
    }
    assert verify(firm, None, quiet).is_clean


def test_what_cannot_be_swapped(firm: FirmStore) -> None:
    with pytest.raises(UsageError, match="its sleeves are index, value"):
        plan_swap(firm, asked(SwapKind.CROSSING, 1, buyer="growth"))
    with pytest.raises(UsageError, match="cannot buy from itself"):
        plan_swap(firm, asked(SwapKind.CROSSING, 1, buyer="index"))
    with pytest.raises(UsageError, match="there is no security 'Z'"):
        plan_swap(firm, asked(SwapKind.CROSSING, 1, buyer="value", security="Z"))
    with pytest.raises(UsageError, match="there is no account 'NONE'"):
        account_sleeves(firm, "NONE")
    with pytest.raises(DataError, match="neither a block nor an official close"):
        plan_swap(firm, asked(SwapKind.CROSSING, 1, buyer="value", asof=date(2024, 6, 29)))
    with pytest.raises(DataError, match="has 10 shares"):
        plan_swap(firm, asked(SwapKind.CROSSING, 11, buyer="value"))
