"""Accounts that come to a household and leave it: matches only while both belong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, fold, open_claims
from allotment.ledger.linking import circles, membership
from allotment.ledger.write import EventWriter
from allotment.tax.fold import ProblemCode
from allotment.tax.identical import IdenticalGroups
from allotment.tax.pretrade import by_name, wash_state

MINE, SPOUSES, IRA, OTHERS = (1, 10), (1, 11), (1, 12), (2, 20)
STOCK = 7
GROUPS = IdenticalGroups.alone(np.array([STOCK]))
SOLD = date(2024, 12, 20)


def account(household_id: int, account_id: int) -> Account:
    return Account(
        account_id=account_id,
        code=f"A{account_id}",
        household_id=household_id,
        taxpayer_id=account_id,
        kind=AccountKind.IRA if (household_id, account_id) == IRA else AccountKind.TAXABLE,
        venue_code="",
        opened=date(2020, 1, 1),
    )


TABLE = AccountTable.of_accounts([account(*one) for one in (MINE, SPOUSES, IRA, OTHERS)])


def day(text: str) -> np.ndarray:
    return np.asarray(np.datetime64(text))


def folded(book: EventWriter) -> BookState:
    state = fold(book.events(), TABLE, GROUPS)
    assert state.problems == ()
    return state


def loss_in_mine() -> EventWriter:
    book = EventWriter()
    book.buy(MINE, date(2024, 1, 10), STOCK, 100, 1000)
    book.sell(MINE, SOLD, STOCK, 100, 600)
    return book


@pytest.mark.parametrize(
    ("bought", "linked", "washed"),
    [
        ("2025-01-05", "2025-01-05", 40_000),  # linked on the day of the purchase
        ("2025-01-05", "2025-01-06", 0),  # a day later: the match would have been complete before
        ("2025-01-05", "2024-12-24", 40_000),  # after the loss, before the purchase that completes it
        ("2024-12-10", "2024-12-20", 40_000),  # bought before: the sale completes it
        ("2024-12-10", "2024-12-21", 0),
    ],
)
def test_a_match_counts_when_both_belong_on_the_day_that_completes_it(
    bought: str, linked: str, washed: int
) -> None:
    book = loss_in_mine()
    book.buy(SPOUSES, date.fromisoformat(bought), STOCK, 100, 600)
    book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date.fromisoformat(linked))
    state = folded(book)
    assert state.taxpayer.disposals.disallowed_cents.sum() == washed
    lots = state.taxpayer.lots
    assert lots.basis_cents[lots.account_ix == 1].sum() == 60_000 + washed


def test_who_has_left_matches_no_more_and_still_washes_its_own() -> None:
    book = loss_in_mine()
    book.write(EventKind.ACCOUNT_UNLINKED, *MINE, date(2024, 12, 28))
    book.buy(SPOUSES, date(2024, 12, 28), STOCK, 60, 400)
    book.buy(MINE, date(2024, 12, 29), STOCK, 100, 600)
    sold = folded(book).taxpayer.disposals
    assert sold.disallowed_cents.sum() == 40_000
    links = folded(book).taxpayer.links
    assert links.account_ix.tolist() == [0]


@pytest.mark.parametrize("kind", [EventKind.ACCOUNT_LINKED, EventKind.ACCOUNT_UNLINKED])
def test_accounts_of_one_taxpayer_match_whenever_they_come_or_leave(kind: EventKind) -> None:
    """26 U.S.C. §1091(a): "the taxpayer has acquired". The spouse's purchase counts while both belong."""
    second = replace(account(1, 13), taxpayer_id=10)
    table = AccountTable.of_accounts([account(*MINE), account(*SPOUSES), second])
    book = loss_in_mine()
    for who in (MINE, (1, 13)):
        book.write(kind, *who, date(2025, 6, 1) if kind == EventKind.ACCOUNT_LINKED else date(2024, 2, 1))
    book.buy(SPOUSES, date(2024, 12, 22), STOCK, 100, 600)
    book.buy((1, 13), date(2024, 12, 23), STOCK, 40, 300)
    state = fold(book.events(), table, GROUPS)
    assert state.taxpayer.disposals.disallowed_cents.sum() == 160_00
    assert state.taxpayer.links.account_ix.tolist() == [2]
    assert circles(table, state.members, day("2024-12-23")).tolist() == [1, 0, 1]
    # In the broker's view each account stands alone, as ever.
    assert state.broker.disposals.disallowed_cents.sum() == 0


def test_who_has_one_account_that_belongs_is_looked_at_with_all() -> None:
    second = replace(account(1, 13), taxpayer_id=10)
    table = AccountTable.of_accounts([account(*MINE), account(*SPOUSES), second, account(*OTHERS)])
    book = EventWriter()
    book.write(EventKind.ACCOUNT_LINKED, 1, 13, date(2025, 6, 1))
    book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 3, 1))
    members = membership(in_force(book.events()).events, table)
    assert circles(table, members, day("2025-02-28")).tolist() == [0, 2, 0, 1]
    assert circles(table, members, day("2025-03-01")).tolist() == [0, 0, 0, 1]


def test_a_reversed_link_never_was_and_a_corrected_one_counts_from_its_new_day() -> None:
    book = loss_in_mine()
    linked = book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 3, 1))
    book.buy(SPOUSES, date(2025, 1, 5), STOCK, 100, 600)
    assert folded(book).taxpayer.disposals.disallowed_cents.sum() == 0
    again = book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 1, 2), reverses=linked)
    assert folded(book).taxpayer.disposals.disallowed_cents.sum() == 40_000
    book.write(EventKind.REVERSAL, *SPOUSES, date(2025, 1, 2), reverses=again)
    assert folded(book).taxpayer.disposals.disallowed_cents.sum() == 40_000


def test_an_account_comes_once_and_leaves_once() -> None:
    book = EventWriter()
    first = book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 1, 5))
    second = book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 2, 5))
    book.write(EventKind.ACCOUNT_UNLINKED, *IRA, date(2025, 1, 5))
    late = book.write(EventKind.ACCOUNT_LINKED, *IRA, date(2025, 1, 6))
    state = fold(book.events(), TABLE, GROUPS)
    wrong = [(problem.event, problem.code) for problem in state.problems]
    assert wrong == [(second, ProblemCode.LINKED_TWICE), (late, ProblemCode.LINKED_TWICE)]
    assert state.members.since.astype(str).tolist() == ["NaT", "2025-01-05", "NaT", "NaT"]
    assert first not in [event for event, _ in wrong]


def test_before_the_trade_an_account_that_does_not_belong_stands_alone() -> None:
    """The loss of one account blocks the purchase of another from the day of the link, not before."""
    book = loss_in_mine()
    book.buy(OTHERS, date(2024, 12, 22), STOCK, 5, 30)
    book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 1, 5))
    state = folded(book)
    assert circles(TABLE, state.members, day("2025-01-04")).tolist() == [0, 2, 0, 1]
    assert circles(TABLE, state.members, day("2025-01-05")).tolist() == [0, 0, 0, 1]
    for asof, exposed in (("2025-01-04", 0), ("2025-01-05", 100 * 10**9)):
        circle = circles(TABLE, state.members, day(asof))
        claims = open_claims(state, day(asof))
        wash = wash_state(state.taxpayer.lots, circle, claims, state.groups, day(asof))
        spouses = by_name(wash, int(circle[1]), np.array([STOCK]), state.groups)
        assert spouses.exposed_nano.tolist() == [exposed]


Trade = tuple[int, int, str, int, int]


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    """(account, day, kind, shares, cents), never more sold than held."""
    held = [0, 0, 0]
    made: list[Trade] = []
    at = 0
    for _ in range(draw(st.integers(2, 14))):
        at += draw(st.sampled_from([0, 1, 7, 15, 30, 31]))
        who = draw(st.integers(0, 2))
        sells = held[who] > 0 and draw(st.booleans())
        shares = draw(st.integers(1, held[who])) if sells else draw(st.integers(1, 9))
        held[who] += -shares if sells else shares
        price = draw(st.sampled_from([600, 900, 1000, 1001]))
        made.append((who, at, "sell" if sells else "buy", shares, shares * price))
    return made


def book_of(made: list[Trade], links: list[tuple[int, int, EventKind]]) -> EventWriter:
    book, first = EventWriter(), date(2024, 1, 1)
    for who, at, kind in links:
        book.write(kind, *(MINE, SPOUSES, IRA)[who], first + timedelta(at))
    for who, at, kind, shares, cents in made:
        trade = book.buy if kind == "buy" else book.sell
        trade((MINE, SPOUSES, IRA)[who], first + timedelta(at), STOCK, shares, cents / 100)
    return book


LINKS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 120),
        st.sampled_from([EventKind.ACCOUNT_LINKED, EventKind.ACCOUNT_UNLINKED]),
    ),
    max_size=3,
    unique_by=lambda one: one[0],
)


@settings(max_examples=150, deadline=None)
@given(trades(), LINKS)
def test_every_match_of_two_accounts_is_of_members_and_nothing_is_lost(
    made: list[Trade], links: list[tuple[int, int, EventKind]]
) -> None:
    book = book_of(made, links)
    state = folded(book)
    found, sold = state.taxpayer.links, state.taxpayer.disposals
    for i in range(len(found)):
        seller, buyer = int(sold.account_ix[found.disposal_ix[i]]), int(found.account_ix[i])
        belongs = state.members.on(found.matched[i])
        assert seller == buyer or (belongs[seller] and belongs[buyer])
    lots = state.taxpayer.lots
    bought = sum(shares for _, _, kind, shares, _ in made if kind == "buy")
    assert lots.quantity_nano.sum() + sold.quantity_nano.sum() == bought * 10**9
    # What was paid is in lots, in sales or lost for good; what is disallowed is carried or lost.
    paid = sum(cents for _, _, kind, _, cents in made if kind == "buy")
    moved = sold.disallowed_cents.sum() - sold.permanent_cents.sum()
    assert lots.basis_cents.sum() + sold.basis_cents.sum() == paid + moved
    assert (sold.gain_cents == sold.proceeds_cents - sold.basis_cents + sold.disallowed_cents).all()


@settings(max_examples=60, deadline=None)
@given(trades())
def test_linked_from_the_beginning_is_as_if_never_said(made: list[Trade]) -> None:
    said = folded(book_of(made, [(who, -400, EventKind.ACCOUNT_LINKED) for who in range(3)]))
    plain = folded(book_of(made, []))
    for name in ("basis_cents", "disallowed_cents", "permanent_cents", "day"):
        ours, theirs = (getattr(one.taxpayer.disposals, name) for one in (said, plain))
        assert np.array_equal(ours, theirs)


@settings(max_examples=60, deadline=None)
@given(trades())
def test_never_linked_is_three_households_of_one(made: list[Trade]) -> None:
    """Linked long after all trades: each account is folded as if it were alone."""
    late = [(who, 2000, EventKind.ACCOUNT_LINKED) for who in range(3)]
    together = folded(book_of(made, late)).taxpayer.disposals
    for who in range(3):
        alone = folded(book_of([one for one in made if one[0] == who], [])).taxpayer.disposals
        mine = together.account_ix == who
        assert together.disallowed_cents[mine].tolist() == alone.disallowed_cents.tolist()
        assert together.basis_cents[mine].tolist() == alone.basis_cents.tolist()


def test_membership_is_that_of_events_in_force() -> None:
    book = EventWriter()
    first = book.write(EventKind.ACCOUNT_LINKED, *MINE, date(2025, 1, 5))
    book.write(EventKind.REVERSAL, *MINE, date(2025, 1, 5), reverses=first)
    book.write(EventKind.ACCOUNT_UNLINKED, *SPOUSES, date(2025, 2, 5))
    members = membership(in_force(book.events()).events, TABLE)
    assert members.on(day("2025-02-04")).tolist() == [True] * 4
    assert members.on(day("2025-02-05")).tolist() == [True, False, True, True]
