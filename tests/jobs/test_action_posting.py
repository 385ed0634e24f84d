"""From a custodian's file to the books: a spin-off whose Form 8937 is late, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind, Household, Taxpayer
from allotment.book.venue import Venue
from allotment.errors import BadFileError, UsageError
from allotment.jobs.action_calendar import calendar, elect, elections, index_changes, preview_action
from allotment.jobs.action_posting import finalise, post_entitlements
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.election import Election, ElectionState
from allotment.ledger.entitlement import Item, Severity
from allotment.ledger.events import EventKind
from allotment.ledger.forecast import Standing
from allotment.ledger.write import EventWriter
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Security
from allotment.settings import Settings
from allotment.store import (
    action_tables,
    book_tables,
    event_tables,
    filed_tables,
    index_tables,
    lot_tables,
    market_tables,
)
from allotment.store.database import Store
from allotment.store.session import FirmStore, MarketStore

PARENT, CHILD, ACQUIRER = 1, 2, 3
EX, PAID, TODAY = date(2024, 4, 2), date(2024, 4, 4), date(2024, 4, 10)
SHARE = 10**9
HEADER = "account,security,ex_date,kind,option,other,shares,cash,lieu,pay_date\n"


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture
def market(settings: Settings) -> Iterator[MarketStore]:
    with Store.open(settings) as store:
        store.drop_firm("acts")
        store.create_firm("acts", market="market_acts")
        with store.market("market_acts") as writer:
            market_tables.save_securities(
                writer,
                [
                    Security(security_id=number, code=code, name=code)
                    for number, code in ((PARENT, "GE"), (CHILD, "GEV"), (ACQUIRER, "ACQ"))
                ],
            )
            yield writer


@pytest.fixture
def firm(settings: Settings, market: MarketStore) -> Iterator[FirmStore]:
    """Two households: A and its IRA at a custodian of whole shares, B at one of fractions."""
    with Store.open(settings) as store, store.firm("acts") as opened:
        book_tables.save_venues(opened, [Venue(code="whole", share_step_nano=SHARE), Venue(code="parts")])
        book_tables.save_households(opened, [Household(household_id=h, code=f"H{h}") for h in (1, 2)])
        book_tables.save_taxpayers(
            opened, [Taxpayer(taxpayer_id=h, code=f"T{h}", household_id=h) for h in (1, 2)]
        )
        facts: dict[str, Any] = {"opened": date(2020, 1, 2)}
        book_tables.save_accounts(
            opened,
            [
                Account(
                    account_id=a, code=code, household_id=h, taxpayer_id=h, kind=kind, venue_code=v, **facts
                )
                for a, code, h, kind, v in (
                    (1, "A", 1, AccountKind.TAXABLE, "whole"),
                    (2, "IRA", 1, AccountKind.IRA, "whole"),
                    (3, "B", 2, AccountKind.TAXABLE, "parts"),
                )
            ],
        )
        book = EventWriter()
        book.buy((1, 1), date(2022, 5, 3), PARENT, 60, 3000)
        book.buy((1, 1), date(2024, 3, 20), PARENT, 41, 5000)
        book.buy((1, 2), date(2023, 5, 3), PARENT, 20, 1000)
        book.buy((2, 3), date(2023, 5, 3), PARENT, 10, 500)
        post(opened, book.events(), source="book", advance=quiet)
        yield opened


def announce(market: MarketStore, kind: ActionKind, **terms: Any) -> CorporateAction:
    defaults: dict[str, Any] = {"security_id": PARENT, "ex_date": EX, "pay_date": PAID}
    action = CorporateAction(kind=kind, **(defaults | terms))
    market_tables.save_actions(market, [action])
    return action


def spin_off(market: MarketStore, **terms: Any) -> CorporateAction:
    """One of the child for four of the parent; the closes of the day value them at 90 and 40."""
    sessions = np.array([EX], "M8[D]")
    market_tables.save_prices(
        market,
        PriceHistory(
            sessions=sessions,
            security_ids=np.array([PARENT, CHILD]),
            close_micros=np.array([[90_000_000, 40_000_000]]),
            adjusted_usd=np.array([[90.0, 40.0]]),
            volume=np.ones((1, 2)),
        ),
    )
    return announce(market, ActionKind.SPIN_OFF, ratio=0.25, other_security_id=CHILD, **terms)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(*rows: str, name: str = "entitlements.csv") -> Path:
        path = tmp_path / name
        path.write_text(HEADER + "".join(row + "\n" for row in rows))
        return path

    return write


def lots_of(firm: FirmStore, account_id: int) -> list[tuple[int, float, int]]:
    """(security, shares, basis) of the taxpayer's lots, pieces of one lot together."""
    lots = lot_tables.read_lots(firm, [account_id]).lots
    found: dict[tuple[int, int, int], list[int]] = {}
    columns = (lots.security_id, lots.origin_event, lots.origin_line, lots.quantity_nano, lots.basis_cents)
    for security, event, line, quantity, basis in zip(*(c.tolist() for c in columns), strict=True):
        row = found.setdefault((security, event, line), [0, 0])
        row[0] += quantity
        row[1] += basis
    return sorted((key[0], row[0] / SHARE, row[1]) for key, row in found.items())


def test_a_spin_off_with_a_late_form(firm: FirmStore, market: MarketStore, file: Any) -> None:
    """Provisional by the day's closes (90 and 40/4: a tenth goes to the child), final by the form (a fifth).
    Basis of lots, of the fraction paid out and of a sale made in between all follow; the IRA too."""
    spin_off(market)
    listed = calendar(firm, EX, EX, EX, quiet)
    assert [
        (one.plan.account_id, one.plan.shares_nano / SHARE, one.plan.fraction_nano / SHARE) for one in listed
    ] == [
        (1, 25.0, 0.25),
        (2, 5.0, 0.0),
        (3, 2.5, 0.0),
    ]
    assert {one.standing for one in listed} == {Standing.EXPECTED}
    rows = ("A,GE,2024-04-02,spin_off,,GEV,25,0,9.90,2024-04-05", "IRA,GE,2024-04-02,spin_off,,,5,0,0,")
    report = post_entitlements(firm, file(*rows, "B,GE,2024-04-02,spin_off,,,2.5,0,0,"), TODAY, quiet)
    assert (report.n_rows, report.n_booked, report.n_before) == (3, 3, 0)
    assert [(one.item, one.severity) for one in report.differences] == [
        (Item.PAY_DATE, Severity.NOTE),
        (Item.LIEU, Severity.NOTE),
    ]
    # 0.25 of the oldest child lot is paid out (FIFO): basis 300 / 15 * 0.25 = 5.00.
    assert lots_of(firm, 1) == [
        (1, 41.0, 450_000),
        (1, 60.0, 270_000),
        (2, 10.25, 50_000),
        (2, 14.75, 29_500),
    ]
    sold = event_tables.load_events(firm, [1])
    assert (sold.kind == EventKind.SPIN_OFF).sum() == 2
    assert {one.standing for one in calendar(firm, EX, EX, TODAY, quiet)} == {Standing.PROVISIONAL}

    sale = EventWriter()
    sale.sell((1, 1), date(2024, 6, 3), CHILD, 10, 500)
    post(firm, sale.events(), source="sale", advance=quiet)
    filed_tables.mark_filed(firm, 1, 2024, date(2025, 4, 1))
    with pytest.raises(UsageError, match="not final"):
        finalise(firm, PARENT, EX, TODAY, "GE", quiet)
    spin_off(market, price_usd=80.0, other_price_usd=80.0, is_final=True)
    final = finalise(firm, PARENT, EX, TODAY, "GE", quiet)
    assert (final.n_rows, final.n_booked, final.n_before) == (3, 3, 0)
    # 400 less go to sales: the fraction 5.00 → 10.00, the ten shares sold 200 → 400; the return is filed.
    changes = final.posted.changes
    assert (changes.after[:, 2] - changes.before[:, 2]).tolist() == [500, 20_000]
    assert final.posted.filed == ((1, 2024),)
    assert lots_of(firm, 1) == [
        (1, 41.0, 400_000),
        (1, 60.0, 240_000),
        (2, 4.75, 19_000),
        (2, 10.25, 100_000),
    ]
    assert lots_of(firm, 2) == [(1, 20.0, 80_000), (2, 5.0, 20_000)]
    assert {one.standing for one in calendar(firm, EX, EX, TODAY, quiet)} == {Standing.BOOKED}
    again = finalise(firm, PARENT, EX, TODAY, "GE", quiet)
    assert (again.n_booked, again.n_before) == (0, 3)
    events = event_tables.load_events(firm)
    assert (events.reverses > 0).sum() == 3  # both versions are kept
    assert verify(firm, None, quiet).is_clean


def test_the_same_file_twice_and_a_corrected_one(firm: FirmStore, market: MarketStore, file: Any) -> None:
    announce(market, ActionKind.CASH_DIVIDEND, amount_usd=0.24)
    wrong = file("A,GE,2024-04-02,cash_dividend,,,0,20.00,0,", "IRA,GE,2024-04-02,cash_dividend,,,0,4.79,0,")
    report = post_entitlements(firm, wrong, TODAY, quiet)
    assert [(one.account_id, one.item, one.severity) for one in report.differences] == [
        (1, Item.CASH, Severity.LOOK),
        (2, Item.CASH, Severity.NOTE),
    ]
    assert post_entitlements(firm, wrong, TODAY, quiet).n_booked == 0
    assert len(action_tables.load_differences(firm)) == 2
    right = file("A,GE,2024-04-02,cash_dividend,,,0,24.24,0,", "IRA,GE,2024-04-02,cash_dividend,,,0,4.80,0,",
                 name="again.csv")  # fmt: skip
    report = post_entitlements(firm, right, TODAY, quiet)
    assert (report.n_booked, report.differences) == (2, ())
    assert action_tables.load_differences(firm) == ()
    assert {one.settled_note.split()[0] for one in action_tables.load_differences(firm, settled=True)} == {
        "entitlements"
    }
    amounts = event_tables.load_events(firm, [1])
    assert sorted(amounts.amount_cents[amounts.kind == EventKind.DIVIDEND].tolist()) == [479, 480, 2000, 2424]
    assert verify(firm, None, quiet).is_clean


def test_what_does_not_come_and_what_nobody_expected(firm: FirmStore, market: MarketStore, file: Any) -> None:
    announce(market, ActionKind.SPLIT, ratio=2.0)
    path = file("A,GE,2024-04-02,split,,,90,0,0,", "B,GEV,2024-04-02,cash_dividend,,,0,1,0,")
    report = post_entitlements(firm, path, TODAY, quiet)
    told = {(one.account_id, one.item): one for one in report.differences}
    assert told.keys() == {(1, Item.SHARES), (2, Item.MISSING), (3, Item.UNEXPECTED), (3, Item.MISSING)}
    assert told[1, Item.SHARES].severity is Severity.STOP
    assert (told[1, Item.SHARES].expected, told[1, Item.SHARES].came) == ("101", "90")
    assert report.n_booked == 1  # by the announced ratio: the law works on terms
    assert [one[:2] for one in lots_of(firm, 1)] == [(1, 82.0), (1, 120.0)]
    stored = action_tables.load_differences(firm)
    action_tables.settle_difference(firm, stored[0].difference_id, "custodian corrected it")
    assert len(action_tables.load_differences(firm)) == len(stored) - 1
    with pytest.raises(UsageError, match="no open difference"):
        action_tables.settle_difference(firm, stored[0].difference_id, "again")


def test_a_late_split_holds_back_sales_that_cannot_be(
    firm: FirmStore, market: MarketStore, file: Any
) -> None:
    """After 1:10, A has 10.1 shares; the 50 that were sold in old shares cannot be. B is booked."""
    sale = EventWriter()
    sale.sell((1, 1), date(2024, 4, 8), PARENT, 50, 6000)
    post(firm, sale.events(), source="sale", advance=quiet)
    announce(market, ActionKind.SPLIT, ratio=0.1, lieu_usd=900)
    rows = (
        "A,GE,2024-04-02,split,,,-91,0,90,",
        "IRA,GE,2024-04-02,split,,,-18,0,0,",
        "B,GE,2024-04-02,split,,,-9,0,0,",
    )
    report = post_entitlements(firm, file(*rows), TODAY, quiet)
    (found,) = report.contradictions
    assert (found.account_id, found.kind, found.effective) == (1, EventKind.SELL, date(2024, 4, 8))
    assert "more shares leave than are held" in str(found)
    assert "correct its quantity" in found.remedy
    assert report.n_booked == 1
    assert lots_of(firm, 3) == [(1, 1.0, 50_000)]
    assert [one[:2] for one in lots_of(firm, 1)] == [(1, 10.0), (1, 41.0)]
    (seen,) = preview_action(firm, 1, PARENT, EX, TODAY, "GE")
    assert [one.kind for one in seen.contradictions] == [EventKind.SELL]
    events = event_tables.load_events(firm, [1])
    sold = int(events.ledger_seq[events.kind == EventKind.SELL][0])
    put_right = EventWriter()
    put_right.write(
        EventKind.SELL, 1, 1, date(2024, 4, 8), security_id=PARENT, quantity_nano=5 * SHARE,
        amount_cents=600_000, reverses=sold,
    )  # fmt: skip
    post(firm, replace(put_right.events(), ledger_seq=np.array([10**6])), source="mended", advance=quiet)
    report = post_entitlements(firm, file(*rows, name="again.csv"), TODAY, quiet)
    assert (report.n_booked, report.n_before, report.contradictions) == (2, 1, ())
    assert sum(one[1] for one in lots_of(firm, 1)) == 5.0
    assert verify(firm, None, quiet).is_clean


def test_a_late_action_reports_the_sales_it_changes(firm: FirmStore, market: MarketStore, file: Any) -> None:
    """A return of capital that arrives after a sale lowers its basis: 60 shares, 0.50 each."""
    sale = EventWriter()
    sale.sell((1, 1), date(2024, 4, 8), PARENT, 60, 6000)
    post(firm, sale.events(), source="sale", advance=quiet)
    announce(market, ActionKind.RETURN_OF_CAPITAL, amount_usd=0.5)
    report = post_entitlements(firm, file("A,GE,2024-04-02,return_of_capital,,,0,50.50,0,"), TODAY, quiet)
    assert report.posted.changes.before[:, 2].tolist() == [300_000]
    assert report.posted.changes.after[:, 2].tolist() == [297_000]


def test_a_dividend_becomes_capital_at_the_end_of_the_year(
    firm: FirmStore, market: MarketStore, file: Any
) -> None:
    """A REIT's 1.00 turns out to be 0.40 of dividend and 0.60 of capital; the cash stays what it was."""
    announce(market, ActionKind.SPECIAL_DIVIDEND, amount_usd=1.0)
    path = file("A,GE,2024-04-02,special_cash_dividend,,,0,101.02,0,")
    assert post_entitlements(firm, path, TODAY, quiet).n_booked == 1
    facts: dict[str, Any] = {"security_id": PARENT, "ex_date": EX, "pay_date": PAID, "is_final": True}
    market_tables.save_actions(
        market,
        [
            CorporateAction(kind=ActionKind.SPECIAL_DIVIDEND, amount_usd=0.4, **facts),
            CorporateAction(kind=ActionKind.RETURN_OF_CAPITAL, amount_usd=0.6, **facts),
        ],
    )
    assert finalise(firm, PARENT, EX, TODAY, "GE", quiet).n_booked == 2
    assert [one[2] for one in lots_of(firm, 1)] == [500_000 - 2_460, 300_000 - 3_600]
    cash = firm.connection().execute("SELECT sum(amount_cents) FROM event WHERE kind = 10").fetchone()
    assert cash == (6_062,)
    assert verify(firm, None, quiet).is_clean


def offer(market: MarketStore, deadline: date = date(2024, 3, 28)) -> None:
    """Cash, or stock of the acquirer by default."""
    facts: dict[str, Any] = {"security_id": PARENT, "ex_date": EX, "pay_date": PAID, "deadline": deadline}
    market_tables.save_actions(
        market,
        [
            CorporateAction(
                kind=ActionKind.STOCK_MERGER, ratio=0.5, other_security_id=ACQUIRER, option="stock",
                is_default=True, **facts,
            ),
            CorporateAction(kind=ActionKind.CASH_MERGER, amount_usd=70.0, option="cash", **facts),
        ],
    )  # fmt: skip


def test_an_election_makes_the_event(firm: FirmStore, market: MarketStore, file: Any) -> None:
    offer(market)
    assert {one.state for one in elections(firm, EX, EX, date(2024, 3, 1), quiet)} == {ElectionState.OPEN}
    wish = Election(
        account_id=1, security_id=PARENT, ex_date=EX, option="cash", chosen_by="client",
        chosen_on=date(2024, 3, 27),
    )  # fmt: skip
    with pytest.raises(UsageError, match="no option 'gold'"):
        elect(firm, replace(wish, option="gold"), "GE")
    with pytest.raises(UsageError, match="deadline"):
        elect(firm, replace(wish, chosen_on=date(2024, 3, 29)), "GE")
    with pytest.raises(UsageError, match="holds 101"):
        elect(firm, replace(wish, quantity_nano=102 * SHARE), "GE")
    assert elect(firm, wish, "GE").option_in_force == "cash"
    tasks = elections(firm, EX, EX, date(2024, 3, 29), quiet)
    assert [(one.account_id, one.option_in_force, one.state) for one in tasks] == [
        (1, "cash", ElectionState.CHOSEN),
        (2, "stock", ElectionState.OVERDUE),
        (3, "stock", ElectionState.OVERDUE),
    ]
    rows = (
        "A,GE,2024-04-02,stock_merger,stock,ACQ,50,0,0,",
        "IRA,GE,2024-04-02,stock_merger,stock,ACQ,10,0,0,",
        "B,GE,2024-04-02,stock_merger,stock,,5,0,0,",
    )
    report = post_entitlements(firm, file(*rows), TODAY, quiet)
    assert report.n_booked == 2
    assert (Item.OPTION, 1) in [(one.item, one.account_id) for one in report.differences]
    assert lots_of(firm, 3) == [(ACQUIRER, 5.0, 50_000)]
    right = file("A,GE,2024-04-02,cash_merger,cash,,0,7070,0,", name="right.csv")
    assert post_entitlements(firm, right, TODAY, quiet).n_booked == 1
    assert lots_of(firm, 1) == []
    assert verify(firm, None, quiet).is_clean


def test_a_dividend_after_a_split_is_paid_on_the_new_shares(firm: FirmStore, market: MarketStore) -> None:
    announce(market, ActionKind.SPLIT, ratio=2.0)
    announce(market, ActionKind.CASH_DIVIDEND, amount_usd=0.1, ex_date=date(2024, 5, 2), pay_date=None)
    found = calendar(firm, EX, date(2024, 6, 1), date(2024, 4, 1), quiet, [1])
    assert [(one.plan.action.kind, one.plan.held_nano / SHARE) for one in found] == [
        (ActionKind.SPLIT, 101.0),
        (ActionKind.CASH_DIVIDEND, 202.0),
    ]
    late = calendar(firm, EX, date(2024, 6, 1), date(2024, 6, 1), quiet, [1])
    assert {one.standing for one in late} == {Standing.OVERDUE}


def test_the_preview_shows_lots_before_and_after(firm: FirmStore, market: MarketStore) -> None:
    spin_off(market)
    (seen,) = preview_action(firm, 1, PARENT, EX, TODAY, "GE")
    rows = [
        (
            one.security_id,
            one.before.basis_cents if one.before else 0,
            one.after.basis_cents if one.after else 0,
            one.after.holding_from if one.after else None,
            one.after.can_wash if one.after else None,
        )
        for one in seen.preview.lots
    ]
    assert rows == [
        (PARENT, 300_000, 270_000, date(2022, 5, 3), True),
        (CHILD, 0, 29_500, date(2022, 5, 3), False),
        (PARENT, 500_000, 450_000, date(2024, 3, 20), True),
        (CHILD, 0, 50_000, date(2024, 3, 20), False),
    ]
    (gain,) = seen.preview.recognised
    assert (gain.quantity_nano, gain.proceeds_cents, gain.basis_cents, gain.is_long_term) == (
        SHARE // 4, 1_000, 500, True,
    )  # fmt: skip
    (cash,) = seen.preview.cash
    assert cash.after_cents - cash.before_cents == 1_000
    announce(market, ActionKind.SPLIT, security_id=CHILD, ratio=2.0)
    with pytest.raises(UsageError, match="held no GEV"):
        preview_action(firm, 1, CHILD, EX, TODAY, "GEV")
    with pytest.raises(UsageError, match="no action of GE is announced"):
        preview_action(firm, 1, PARENT, date(2024, 4, 3), TODAY, "GE")


def test_a_bad_file_is_told_whole(firm: FirmStore, market: MarketStore, file: Any) -> None:
    path = file("Z,GE,2024-04-02,split,,,90,0,0,", "A,GX,2024-04-02,splat,,,90,-1,0,2024-04-01")
    with pytest.raises(BadFileError) as caught:
        post_entitlements(firm, path, TODAY, quiet)
    assert {(row.line, row.column) for row in caught.value.rows} == {
        (2, "account"),
        (3, "security"),
        (3, "kind"),
        (3, "cash"),
        (3, "pay_date"),
    }


def test_what_actions_imply_for_an_index(firm: FirmStore, market: MarketStore) -> None:
    spin_off(market)
    weights = IndexWeights(
        index_code="I",
        session=date(2024, 3, 28),
        kind=WeightKind.CLOSE,
        version=1,
        security_ids=np.array([PARENT, ACQUIRER]),
        weight=np.array([0.5, 0.5]),
    )
    index_tables.save_index_weights(market, [weights])
    (one,) = index_changes(firm, EX, EX)
    assert (one.index_code, one.other_security_id, one.weight_moved) == ("I", CHILD, pytest.approx(0.05))
