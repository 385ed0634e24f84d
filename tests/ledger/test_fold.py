"""Events to lots, disposals and cash, in both views."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from datetime import date

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind
from allotment.book.venue import Relief, Venue
from allotment.ledger.bench import random_book
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, ProblemCode, fold, open_claims, taxpayer_year
from allotment.ledger.write import BroughtLot, EventWriter, concatenate, take
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import FoldPolicy

SHARE = 10**9
TAXABLE, IRA, SPOUSE = (1, 10), (1, 11), (1, 12)
APPLE, PEAR = 501, 502
GROUPS = IdenticalGroups.alone(np.array([APPLE, PEAR]))


def account(account_id: int, kind: AccountKind = AccountKind.TAXABLE, **facts: object) -> Account:
    defaults = {"household_id": 1, "taxpayer_id": 1, "venue_code": "V", "opened": date(2020, 1, 1)}
    return Account(account_id=account_id, code=str(account_id), kind=kind, **(defaults | facts))  # type: ignore[arg-type]


def table(relief: Relief = Relief.FIFO) -> AccountTable:
    accounts = [account(10), account(11, AccountKind.IRA), account(12, taxpayer_id=2)]
    return AccountTable.of_accounts(accounts, [Venue(code="V", relief=relief)], [(70, 10), (71, 10)])


def folded(writer: EventWriter, relief: Relief = Relief.FIFO) -> BookState:
    return fold(writer.events(), table(relief), GROUPS)


def test_the_views_differ_where_an_ira_buys() -> None:
    """Rev. Rul. 2008-5 against §6045(g)(2)(B)(ii): the broker of one account sees no wash."""
    book = EventWriter()
    book.buy(TAXABLE, date(2024, 1, 10), APPLE, 100, 1000)
    sale = book.sell(TAXABLE, date(2024, 12, 20), APPLE, 100, 600)
    book.buy(IRA, date(2024, 12, 21), APPLE, 100, 600)
    state = folded(book)
    assert state.taxpayer.disposals.gain_cents.tolist() == [0]
    assert state.taxpayer.disposals.permanent_cents.tolist() == [40_000]
    assert state.taxpayer.disposals.event.tolist() == [sale]
    assert state.taxpayer.links.permanent.tolist() == [1]
    assert state.broker.disposals.gain_cents.tolist() == [-40_000]
    assert len(state.broker.links) == 0


def test_cash_follows_every_kind_of_event() -> None:
    book = EventWriter()
    day = date(2024, 3, 1)
    for kind, dollars in (
        (EventKind.OPENING_CASH, 500),
        (EventKind.DEPOSIT, 1000),
        (EventKind.DIVIDEND, 20),
        (EventKind.INTEREST, 3),
        (EventKind.PAYMENT_IN_LIEU, 2),
        (EventKind.CASH_ADJUSTMENT_IN, 1),
        (EventKind.FEE, 10),
        (EventKind.WITHHOLDING, 4),
        (EventKind.WITHDRAWAL, 100),
        (EventKind.CASH_ADJUSTMENT_OUT, 2),
    ):
        book.write(kind, *TAXABLE, day, amount_cents=dollars * 100)
    book.write(EventKind.CASH_TRANSFER, *TAXABLE, day, amount_cents=5_000, other_account_id=12)
    book.buy(TAXABLE, day, APPLE, 10, 300)
    book.sell(TAXABLE, day, APPLE, 5, 175.5)
    assert folded(book).cash_cents.tolist() == [123_550, 0, 5_000]


@pytest.mark.parametrize("kind", [EventKind.RIGHTS, EventKind.SYMBOL_CHANGE, EventKind.SPIN_OFF])
def test_a_fraction_paid_out_is_cash_whatever_brought_it(kind: EventKind) -> None:
    book = EventWriter()
    book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10.5, 105)
    terms = {
        "other_security_id": PEAR,
        "lieu_nano": 8 * SHARE,
        "old_price_nano": SHARE,
        "new_price_nano": SHARE,
    }
    book.write(kind, *TAXABLE, date(2024, 2, 1), security_id=APPLE, terms=terms)
    state = folded(book)
    assert state.cash_cents.tolist() == [-10_500 + 400, 0, 0]


def test_corporate_actions_pay_their_cash() -> None:
    book = EventWriter()
    book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    book.buy(TAXABLE, date(2024, 1, 10), PEAR, 10, 100)
    terms = {"new_parts": 1, "old_parts": 3, "lieu_nano": 60 * SHARE}
    book.write(EventKind.SPLIT, *TAXABLE, date(2024, 2, 1), security_id=APPLE, terms=terms)
    book.write(
        EventKind.CASH_MERGER, *TAXABLE, date(2024, 2, 1), security_id=PEAR, terms={"cash_nano": 12 * SHARE}
    )
    state = folded(book)
    assert state.cash_cents.tolist() == [-20_000 + 2_000 + 12_000, 0, 0]
    assert state.taxpayer.lots.quantity_nano.tolist() == [3 * SHARE]
    assert state.taxpayer.lots.basis_cents.tolist() == [9_000]


def test_an_opening_brings_lots_that_sales_can_name() -> None:
    book = EventWriter()
    old = BroughtLot(
        security_id=APPLE, quantity_nano=10 * SHARE, basis_cents=10_000, acquired=date(2015, 5, 4)
    )
    dear = BroughtLot(
        security_id=APPLE,
        quantity_nano=10 * SHARE,
        basis_cents=90_000,
        acquired=date(2023, 6, 1),
        sleeve_id=71,
    )
    opening = book.write(EventKind.OPENING, *TAXABLE, date(2024, 1, 2), lots=[old, dear])
    book.sell(TAXABLE, date(2024, 3, 1), APPLE, 4, 200, [(opening, 1, 4 * SHARE)])
    state = folded(book)
    assert state.taxpayer.disposals.origin_line.tolist() == [1]
    assert state.taxpayer.disposals.gain_cents.tolist() == [20_000 - 36_000]
    assert state.taxpayer.disposals.long_term.tolist() == [0]
    assert state.taxpayer.lots.sleeve_ix.tolist() == [0, 1]
    assert state.taxpayer.lots.origin_line.tolist() == [0, 1]


def test_lots_of_one_parent_order_are_one_purchase() -> None:
    """Rev. Rul. 56-602 for an order that came in two fills."""
    book = EventWriter()
    for quantity in (60, 40):
        book.write(
            EventKind.BUY,
            *TAXABLE,
            date(2024, 5, 1),
            security_id=APPLE,
            quantity_nano=quantity * SHARE,
            amount_cents=quantity * 1_000,
            order_id=9,
        )
    book.sell(TAXABLE, date(2024, 5, 20), APPLE, 60, 300)
    state = folded(book)
    assert state.taxpayer.disposals.disallowed_cents.tolist() == [0]


def test_a_lot_that_arrives_later_but_was_bought_before_replaces_first() -> None:
    """Reg. §1.1091-1(c), (d): in order of acquisition, not of arrival."""
    book = EventWriter()
    book.buy(TAXABLE, date(2024, 3, 20), APPLE, 10, 700)
    days = (date(2023, 1, 10), date(2024, 3, 11))
    lots = [
        BroughtLot(security_id=APPLE, quantity_nano=10 * SHARE, basis_cents=cents, acquired=day)
        for day, cents in zip(days, (100_000, 80_000), strict=True)
    ]
    arrival = book.write(EventKind.TRANSFER_IN, *TAXABLE, date(2024, 3, 25), lots=lots)
    book.sell(TAXABLE, date(2024, 4, 1), APPLE, 10, 600, [(arrival, 0, 10 * SHARE)])
    state = folded(book)
    assert state.taxpayer.disposals.disallowed_cents.tolist() == [40_000]
    assert state.taxpayer.lots.basis_cents.tolist() == [120_000, 70_000]


@pytest.mark.parametrize(("relief", "shares", "left"), [(Relief.FIFO, 20, [1]), (Relief.LIFO, 10, [0, 2])])
def test_beside_a_lot_of_unknown_cost_first_in_is_still_first_out(
    relief: Relief, shares: int, left: list[int]
) -> None:
    """Reg. §1.1012-1(c)(1), by acquisition and not by holding period; the unknown lot goes first under
    FIFO and last otherwise [S]."""
    book = EventWriter()
    first = {"acquired": date(2020, 1, 2)}
    tacked = {"acquired": date(2021, 1, 4), "holding_from": date(2019, 1, 2)}
    unknown = {"acquired": date(2022, 1, 3), "basis_state": 1}
    lots = [
        BroughtLot(security_id=APPLE, quantity_nano=10 * SHARE, basis_cents=10_000, **facts)
        for facts in (first, tacked, unknown)
    ]
    book.write(EventKind.OPENING, *TAXABLE, date(2024, 1, 2), lots=lots)
    book.sell(TAXABLE, date(2024, 3, 1), APPLE, shares, 400)
    assert folded(book, relief).taxpayer.lots.origin_line.tolist() == left


@pytest.mark.parametrize(
    ("arrives", "absorbed", "disallowed"),
    [(date(2024, 3, 31), False, 40_000), (date(2024, 4, 1), False, 0), (date(2024, 3, 31), True, 0)],
)
def test_a_lot_bought_elsewhere_replaces_when_it_arrives_in_time(
    arrives: date, absorbed: bool, disallowed: int
) -> None:
    """§1091(a), and Reg. §1.1091-1(e) for one that has washed a loss elsewhere; what arrives after the
    30 days is left out (docs/law/wash-sale.md)."""
    book = EventWriter()
    book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 1_000)
    book.sell(TAXABLE, date(2024, 3, 1), APPLE, 10, 600)
    lot = BroughtLot(
        security_id=APPLE,
        quantity_nano=10 * SHARE,
        basis_cents=70_000,
        acquired=date(2024, 3, 11),
        absorbed=absorbed,
    )
    book.write(EventKind.TRANSFER_IN, *TAXABLE, arrives, lots=[lot])
    state = folded(book)
    assert state.taxpayer.disposals.disallowed_cents.tolist() == [disallowed]
    assert state.taxpayer.lots.basis_cents.tolist() == [70_000 + disallowed]


@pytest.mark.parametrize(("order", "disallowed"), [(9, 0), (10, 40_000)])
def test_a_fill_that_comes_after_the_sale_is_still_the_same_purchase(order: int, disallowed: int) -> None:
    """Rev. Rul. 56-602; 60 shares of order 9 are sold at a loss of 600 before 40 more come."""
    book = EventWriter()
    day = date(2024, 5, 1)
    bought = {"security_id": APPLE, "quantity_nano": 60 * SHARE, "amount_cents": 300_000}
    book.write(EventKind.BUY, *TAXABLE, day, order_id=9, **bought)
    book.sell(TAXABLE, day, APPLE, 60, 2_400)
    rest = {"security_id": APPLE, "quantity_nano": 40 * SHARE, "amount_cents": 160_000}
    book.write(EventKind.BUY, *TAXABLE, day, order_id=order, **rest)
    state = folded(book)
    assert state.taxpayer.disposals.disallowed_cents.sum() == disallowed
    assert state.taxpayer.disposals.acquisition_id.tolist() == [9] * len(state.taxpayer.disposals)


def test_the_taxpayers_books_close_the_lots_that_the_custodian_closed() -> None:
    """Highest cost by the broker's basis: the spouse's wash raises a lot only in our books."""
    book = EventWriter()
    low = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    high = book.buy(TAXABLE, date(2024, 1, 11), APPLE, 10, 150)
    book.buy(SPOUSE, date(2024, 1, 2), APPLE, 10, 200)
    book.sell(SPOUSE, date(2024, 1, 20), APPLE, 10, 100)
    book.sell(TAXABLE, date(2024, 3, 1), APPLE, 10, 120)
    state = folded(book, Relief.HIFO)
    own = state.taxpayer.disposals.take(state.taxpayer.disposals.account_ix == 0)
    assert own.origin_event.tolist() == [high]
    assert state.taxpayer.lots.origin_event.tolist() == [low]
    assert state.taxpayer.lots.basis_cents.tolist() == [20_000]


def test_contradictions_are_told_by_event_and_the_rest_is_folded() -> None:
    book = EventWriter()
    bought = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    more = book.sell(TAXABLE, date(2024, 2, 1), APPLE, 11, 100)
    unknown = book.sell(TAXABLE, date(2024, 2, 2), APPLE, 1, 10, [(999, 0, SHARE)])
    elsewhere = book.buy((2, 10), date(2024, 2, 3), APPLE, 1, 10)
    nobody = book.buy((1, 99), date(2024, 2, 3), APPLE, 1, 10)
    named = book.sell(TAXABLE, date(2024, 2, 4), APPLE, 2, 20, [(bought, 0, SHARE)])
    book.sell(TAXABLE, date(2024, 2, 5), APPLE, 10, 100)
    state = folded(book)
    found = {problem.event: problem.code for problem in state.problems}
    assert found == {
        more: ProblemCode.SOLD_MORE_THAN_HELD,
        unknown: ProblemCode.LOT_NOT_HELD,
        elsewhere: ProblemCode.WRONG_HOUSEHOLD,
        nobody: ProblemCode.UNKNOWN_ACCOUNT,
        named: ProblemCode.NAMED_QUANTITY_DIFFERS,
    }
    assert "more shares leave" in str(state.problems[0])
    assert state.cash_cents.tolist() == [0, 0, 0]
    assert len(state.taxpayer.lots) == 0


def test_open_claims_and_the_year_come_out_of_the_same_fold() -> None:
    book = EventWriter()
    book.buy(TAXABLE, date(2023, 1, 10), APPLE, 100, 5000)
    book.sell(TAXABLE, date(2024, 3, 1), APPLE, 100, 4000)
    book.buy(SPOUSE, date(2024, 3, 8), APPLE, 40, 1600)
    state = folded(book)
    claims = open_claims(state, np.datetime64("2024-03-31"))
    assert claims.unit_nano.tolist() == [60 * SHARE]
    assert claims.loss_cents.tolist() == [60_000]
    assert claims.no_buy_until.tolist() == [date(2024, 3, 31)]
    assert len(open_claims(state, np.datetime64("2024-04-01")).sold) == 0
    year = taxpayer_year(state, 2024)
    assert year.taxpayer_ids.tolist() == [1, 2]
    assert year.long_cents.tolist() == [-60_000, 0]
    assert taxpayer_year(state, 2023).long_cents.tolist() == [0, 0]


def test_a_sale_of_the_last_day_counts_in_its_year_though_it_settles_in_the_next() -> None:
    """Rev. Rul. 93-84: the trade date; and so in the taxpayer's year of sales."""
    book = EventWriter()
    book.buy(TAXABLE, date(2023, 1, 10), APPLE, 100, 5000)
    book.sell(TAXABLE, date(2024, 12, 31), APPLE, 100, 6000)
    state = folded(book)
    assert taxpayer_year(state, 2024).long_cents.tolist() == [100_000, 0]
    assert taxpayer_year(state, 2025).long_cents.tolist() == [0, 0]


def test_a_household_alone_gives_its_part_of_the_book() -> None:
    events, accounts, groups = random_book(4, np.random.default_rng(3), n_accounts=3, n_names=12, n_weeks=40)
    book = fold(events, accounts, groups)
    assert not book.problems
    assert len(book.taxpayer.links) > 10
    for household in (1, 2, 3, 4):
        rows = np.flatnonzero(accounts.household_ids == household)
        mine = AccountTable(
            **{
                part.name: getattr(accounts, part.name)[rows]
                if len(getattr(accounts, part.name)) == len(accounts)
                else getattr(accounts, part.name)
                for part in fields(AccountTable)
            }
        )
        alone = fold(take(events, events.household_id == household), mine, groups)
        held = np.isin(book.taxpayer.lots.account_ix, rows)
        for part in fields(book.taxpayer.lots):
            if part.name != "account_ix":
                whole = getattr(book.taxpayer.lots.take(held), part.name)
                assert np.array_equal(
                    whole, getattr(alone.taxpayer.lots, part.name), equal_nan=part.name == "purchased"
                )
        sold = book.taxpayer.disposals.take(np.isin(book.taxpayer.disposals.account_ix, rows))
        assert np.array_equal(sold.gain_cents, alone.taxpayer.disposals.gain_cents)
        assert np.array_equal(book.cash_cents[rows], alone.cash_cents)


def test_the_order_of_rows_does_not_matter() -> None:
    events, accounts, groups = random_book(2, np.random.default_rng(5), n_accounts=2, n_names=8, n_weeks=30)
    shuffled = take(events, np.random.default_rng(1).permutation(len(events)))
    first, second = fold(events, accounts, groups), fold(shuffled, accounts, groups)
    assert np.array_equal(first.taxpayer.lots.basis_cents, second.taxpayer.lots.basis_cents)
    assert np.array_equal(first.taxpayer.disposals.event, second.taxpayer.disposals.event)


def test_parts_joined_are_the_whole() -> None:
    one, two = EventWriter(), EventWriter(first_seq=100)
    lot = BroughtLot(security_id=PEAR, quantity_nano=SHARE, basis_cents=100, acquired=date(2020, 1, 2))
    one.write(EventKind.OPENING, *TAXABLE, date(2024, 1, 2), lots=[lot])
    two.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    two.write(EventKind.SPLIT, *TAXABLE, date(2024, 2, 1), security_id=APPLE, terms={"new_parts": 2})
    joined = concatenate([one.events(), two.events()])
    state = fold(joined, table(), GROUPS)
    assert state.taxpayer.lots.quantity_nano.tolist() == [20 * SHARE, SHARE]
    assert state.taxpayer.lots.origin_event.tolist() == [100, 1]


@pytest.mark.parametrize("kind", [EventKind.TRANSFER_OUT, EventKind.DONATE])
def test_shares_that_leave_take_their_basis_and_recognise_nothing(kind: EventKind) -> None:
    book = EventWriter()
    lot = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    book.write(
        kind,
        *TAXABLE,
        date(2024, 2, 1),
        security_id=APPLE,
        quantity_nano=4 * SHARE,
        named=[(lot, 0, 4 * SHARE)],
    )
    state = folded(book)
    assert len(state.taxpayer.disposals) == 0
    assert state.taxpayer.lots.basis_cents.tolist() == [6_000]


def test_a_relabelled_lot_changes_its_sleeve_only() -> None:
    book = EventWriter()
    lot = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    book.write(
        EventKind.RELABEL,
        *TAXABLE,
        date(2024, 2, 1),
        security_id=APPLE,
        quantity_nano=4 * SHARE,
        other_account_id=71,
        named=[(lot, 0, 4 * SHARE)],
    )
    lots = folded(book).taxpayer.lots
    assert sorted(zip(lots.sleeve_ix.tolist(), lots.basis_cents.tolist(), strict=True)) == [
        (0, 6_000),
        (1, 4_000),
    ]


def relabelled(book: EventWriter, lot: int, shares: int) -> None:
    """Shares of a lot go from the account's first sleeve to its second."""
    book.write(
        EventKind.RELABEL,
        *TAXABLE,
        date(2024, 2, 1),
        security_id=APPLE,
        quantity_nano=shares * SHARE,
        sleeve_id=70,
        other_account_id=71,
        named=[(lot, 0, shares * SHARE)],
    )


def bought_in_the_second(book: EventWriter, shares: int) -> int:
    """A purchase of the account's second sleeve, after the first one's."""
    facts = {"security_id": APPLE, "quantity_nano": shares * SHARE, "amount_cents": 20_000}
    return book.write(EventKind.BUY, *TAXABLE, date(2024, 1, 11), sleeve_id=71, **facts)


def held_by_sleeve(state: BookState) -> dict[tuple[int, int], int]:
    """Shares by (sleeve, event that made the lot)."""
    lots, held = state.taxpayer.lots, Counter[tuple[int, int]]()
    for sleeve, event, shares in zip(lots.sleeve_ix, lots.origin_event, lots.quantity_nano, strict=True):
        held[int(sleeve), int(event)] += int(shares) // SHARE
    return dict(held)


@pytest.mark.parametrize(("sleeve", "kept"), [(70, (0, 6)), (71, (4, 2))])
def test_a_sale_closes_its_own_sleeves_part_of_a_lot(sleeve: int, kept: tuple[int, int]) -> None:
    book = EventWriter()
    lot = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    relabelled(book, lot, 6)
    facts = {"security_id": APPLE, "quantity_nano": 4 * SHARE, "amount_cents": 8_000}
    book.write(
        EventKind.SELL, *TAXABLE, date(2024, 3, 1), sleeve_id=sleeve, named=[(lot, 0, 4 * SHARE)], **facts
    )
    state = folded(book)
    for view in (state.taxpayer, state.broker):
        assert set(view.disposals.sleeve_ix.tolist()) == {sleeve - 70}
        assert int(view.disposals.gain_cents.sum()) == 4_000
    expected = {(place, lot): shares for place, shares in enumerate(kept) if shares}
    assert held_by_sleeve(state) == expected


def test_a_sale_by_method_closes_the_accounts_lot_and_the_sleeves_shares() -> None:
    """First in, first out is the account's: the sleeve that sells gives its later shares for the earlier
    ones of the other. What it has too few of leaves the other sleeve."""
    book = EventWriter()
    early = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    late = bought_in_the_second(book, 6)
    sale = {"security_id": APPLE, "sleeve_id": 71}
    book.write(
        EventKind.SELL, *TAXABLE, date(2024, 3, 1), quantity_nano=4 * SHARE, amount_cents=8_000, **sale
    )
    state = folded(book)
    assert held_by_sleeve(state) == {(0, early): 6, (0, late): 4, (1, late): 2}
    assert state.taxpayer.disposals.sleeve_ix.tolist() == [1]
    assert state.taxpayer.disposals.gain_cents.tolist() == [4_000]
    book.write(
        EventKind.SELL, *TAXABLE, date(2024, 3, 2), quantity_nano=3 * SHARE, amount_cents=6_000, **sale
    )
    state = folded(book)
    assert held_by_sleeve(state) == {(0, early): 3, (0, late): 6}
    sold = state.taxpayer.disposals
    assert sorted(zip(sold.sleeve_ix.tolist(), (sold.quantity_nano // SHARE).tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
        (1, 4),
    ]


def test_labels_that_were_exchanged_leave_whole_lots_behind() -> None:
    """To the last billionth: what was given can be named and sold, and no more than there is."""
    book = EventWriter()
    early = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    late = bought_in_the_second(book, 6)
    relabelled(book, early, 2)
    sale = {"security_id": APPLE, "sleeve_id": 71}
    book.write(
        EventKind.SELL, *TAXABLE, date(2024, 3, 1), quantity_nano=8 * SHARE, amount_cents=8_000, **sale
    )
    state = folded(book)
    lots = state.taxpayer.lots
    rows = zip(lots.sleeve_ix, lots.origin_event, lots.quantity_nano, strict=True)
    assert sorted(map(tuple, rows)) == [(0, early, 2 * SHARE), (0, late, 6 * SHARE)]
    book.sell(TAXABLE, date(2024, 3, 2), APPLE, 6, 90, [(late, 0, 6 * SHARE)])
    book.sell(TAXABLE, date(2024, 3, 3), APPLE, 2, 30)
    assert folded(book).problems == ()
    assert len(folded(book).taxpayer.lots) == 0
    book.sell(TAXABLE, date(2024, 3, 4), APPLE, 1, 30)
    assert [one.code for one in folded(book).problems] == [ProblemCode.SOLD_MORE_THAN_HELD]


@pytest.mark.parametrize("short_of", [0, 1])
def test_what_a_sleeve_sells_beyond_its_own_stays_the_others(short_of: int) -> None:
    book = EventWriter()
    book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    own = {"security_id": APPLE, "sleeve_id": 71}
    book.write(
        EventKind.BUY, *TAXABLE, date(2024, 1, 11), quantity_nano=4 * SHARE - short_of, amount_cents=9, **own
    )
    book.write(EventKind.SELL, *TAXABLE, date(2024, 3, 1), quantity_nano=4 * SHARE, amount_cents=8_000, **own)
    state = folded(book)
    sold = state.taxpayer.disposals
    by_sleeve = Counter[int]()
    for sleeve, shares in zip(sold.sleeve_ix.tolist(), sold.quantity_nano.tolist(), strict=True):
        by_sleeve[sleeve] += shares
    assert (by_sleeve[0], by_sleeve[1]) == (short_of, 4 * SHARE - short_of)
    assert (state.taxpayer.lots.quantity_nano > 0).all()


Trade = tuple[EventKind, int, date, int, int]  # kind, sleeve, day, shares, dollars


def of_sleeves(trades: list[Trade], *, alone: bool = False) -> EventWriter:
    """Trades of the account's sleeves, or the same trades in an account without sleeves."""
    book = EventWriter()
    for kind, sleeve, day, shares, usd in trades:
        facts = {"quantity_nano": shares * SHARE, "amount_cents": usd * 100}
        book.write(kind, *TAXABLE, day, security_id=APPLE, sleeve_id=0 if alone else sleeve, **facts)
    return book


SAME_ORDER = FoldPolicy(same_order_candidates=True)


@pytest.mark.parametrize(
    ("relief", "trades", "disallowed"),
    [
        # The young shares that the seller gives for the old ones replace their loss all the same.
        (
            Relief.FIFO,
            [
                (EventKind.BUY, 70, date(2024, 1, 10), 10, 1_000),
                (EventKind.BUY, 71, date(2024, 3, 1), 10, 500),
                (EventKind.SELL, 71, date(2024, 3, 10), 8, 480),
            ],
            32_000,
        ),
        # So do young shares that are sold for two sleeves.
        (
            Relief.LIFO,
            [
                (EventKind.BUY, 71, date(2024, 1, 10), 14, 1_400),
                (EventKind.BUY, 70, date(2024, 3, 1), 10, 500),
                (EventKind.SELL, 71, date(2024, 3, 10), 20, 1_200),
            ],
            40_000,
        ),
    ],
)
def test_exchanged_labels_wash_no_less(relief: Relief, trades: list[Trade], disallowed: int) -> None:
    for alone in (False, True):
        state = fold(of_sleeves(trades, alone=alone).events(), table(relief), GROUPS, SAME_ORDER)
        assert state.problems == ()
        assert int(state.taxpayer.disposals.disallowed_cents.sum()) == disallowed


def test_what_is_left_after_an_exchange_can_be_sold_and_no_more() -> None:
    trades = [
        (EventKind.BUY, 70, date(2024, 1, 10), 10, 1_000),
        (EventKind.BUY, 71, date(2024, 3, 1), 6, 300),
        (EventKind.BUY, 71, date(2024, 3, 2), 4, 200),
        (EventKind.SELL, 71, date(2024, 6, 10), 4, 480),
        (EventKind.SELL, 71, date(2024, 6, 11), 6, 480),
        (EventKind.SELL, 70, date(2024, 6, 12), 10, 480),
    ]
    lots = folded(of_sleeves(trades[:4])).taxpayer.lots
    assert (lots.quantity_nano // SHARE).tolist() == [6, 2, 4, 4]  # of the first given lot two stay
    assert lots.sleeve_ix.tolist() == [0, 1, 0, 1]
    assert folded(of_sleeves(trades)).problems == ()
    assert len(folded(of_sleeves(trades)).taxpayer.lots) == 0
    more = [*trades[:4], (EventKind.SELL, 71, date(2024, 6, 11), 17, 480)]
    assert [one.code for one in folded(of_sleeves(more)).problems] == [ProblemCode.SOLD_MORE_THAN_HELD]


def test_a_lot_relabelled_as_a_whole_can_still_be_named() -> None:
    """And a sale of another lot leaves it where it is."""
    book = EventWriter()
    lot = book.buy(TAXABLE, date(2024, 1, 10), APPLE, 10, 100)
    other = book.buy(TAXABLE, date(2024, 1, 11), APPLE, 10, 200)
    for one in (lot, other):
        whole = {"security_id": APPLE, "quantity_nano": 10 * SHARE, "named": [(one, 0, 10 * SHARE)]}
        book.write(EventKind.RELABEL, *TAXABLE, date(2024, 2, 1), other_account_id=71, **whole)
    book.sell(TAXABLE, date(2024, 3, 1), APPLE, 4, 80, [(lot, 0, 4 * SHARE)])
    state = folded(book)
    assert state.taxpayer.disposals.gain_cents.tolist() == [4_000]
    assert state.taxpayer.lots.sleeve_ix.tolist() == [1, 1]
    assert state.taxpayer.lots.quantity_nano.tolist() == [6 * SHARE, 10 * SHARE]
