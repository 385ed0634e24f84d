"""Swaps between sleeves: labels and cash move, nothing else does."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind, Sleeve
from allotment.book.venue import Relief, Venue
from allotment.errors import DataError
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, Disposals, View, fold
from allotment.ledger.lot_choice import least_tax_first
from allotment.ledger.swap import (
    PlannedSwap,
    PriceSource,
    SleevedAccount,
    SwapKind,
    SwapPrice,
    SwapRequest,
    TooLittleCashError,
    cross,
    substitute,
    swap_price,
)
from allotment.ledger.write import BroughtLot, EventWriter, concatenate
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import FoldPolicy

SHARE = 10**9
USUAL = FoldPolicy()
OWNER = (1, 10)
ASOF = date(2024, 6, 28)
MUCH = 10**12  # cents that a buyer has
PRICE = SwapPrice(price_micros=50_000_000, source=PriceSource.CLOSE)
SLEEVES = tuple(
    Sleeve(sleeve_id=70 + i, code=code, account_id=10, manager=code.title())
    for i, code in enumerate(("index", "value", "income"))
)
GROUPS = IdenticalGroups.alone(np.array([5, 6]))
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=10,
            code="UMA",
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="V",
            opened=date(2020, 1, 2),
        )
    ],
    [Venue(code="V", relief=Relief.FIFO)],
    [(sleeve.sleeve_id, 10) for sleeve in SLEEVES],
)


def opened(*lots: tuple[int, float, float, date], security_id: int = 5) -> EventWriter:
    """An account that brings lots of (sleeve, shares, basis in dollars, day)."""
    writer = EventWriter()
    brought = [
        BroughtLot(
            security_id=security_id,
            quantity_nano=round(shares * SHARE),
            basis_cents=round(usd * 100),
            acquired=day,
            sleeve_id=70 + sleeve,
        )
        for sleeve, shares, usd, day in lots
    ]
    writer.write(EventKind.OPENING, *OWNER, date(2024, 1, 2), lots=brought)
    return writer


def folded(*parts: object, policy: FoldPolicy = USUAL) -> BookState:
    events = concatenate([part.events() if isinstance(part, EventWriter) else part for part in parts])
    state = fold(events, ACCOUNTS, GROUPS, policy)
    assert state.problems == ()
    return state


def account(state: BookState) -> SleevedAccount:
    return SleevedAccount(household_id=1, account_id=10, sleeves=SLEEVES, lots=state.taxpayer.lots)


def asked(state: BookState, shares: float, price: SwapPrice = PRICE, day_seq: int = 10) -> SwapRequest:
    lots = state.taxpayer.lots
    prices = np.full(len(lots), price.price_micros)
    order = least_tax_first(lots, prices, np.datetime64(ASOF), short_rate=0.4, long_rate=0.2)
    return SwapRequest(
        day=ASOF,
        security_id=5,
        quantity_nano=round(shares * SHARE),
        price=price,
        order=order[lots.security_id[order] == 5],
        day_seq=day_seq,
    )


def renumbered(swap: PlannedSwap, first: int) -> object:
    """The swap's events as they are named once they are booked."""
    from dataclasses import replace

    return replace(swap.events, ledger_seq=np.arange(len(swap.events)) + first + 1)


def by_sleeve(state: BookState) -> dict[tuple[int, int, int], int]:
    """Shares by (sleeve, event, line)."""
    lots, held = state.taxpayer.lots, Counter[tuple[int, int, int]]()
    for at in range(len(lots)):
        key = (int(lots.sleeve_ix[at]), int(lots.origin_event[at]), int(lots.origin_line[at]))
        held[key] += int(lots.quantity_nano[at])
    return dict(held)


def test_a_crossing_moves_the_lots_and_the_price_and_makes_no_order() -> None:
    book = opened(
        (0, 10, 900, date(2023, 9, 1)), (0, 10, 100, date(2015, 5, 4)), (1, 5, 50, date(2016, 1, 4))
    )
    before = folded(book)
    price = SwapPrice(price_micros=33_333_333, source=PriceSource.BLOCK)
    swap = cross(account(before), 0, 1, asked(before, 12, price), 400_00)
    (leg,) = swap.legs
    assert (leg.kind, leg.seller.code, leg.buyer.code) == (SwapKind.CROSSING, "index", "value")
    assert leg.amount_cents == 40_000  # 12 x 33.333333 is 399.999996
    assert leg.lots == ((1, 0, 10 * SHARE), (1, 1, 2 * SHARE))
    assert swap.events.kind.tolist() == [EventKind.RELABEL, EventKind.SLEEVE_CASH]
    after = folded(book, renumbered(swap, 1))
    assert by_sleeve(after) == {
        (0, 1, 1): 8 * SHARE,
        (1, 1, 0): 10 * SHARE,
        (1, 1, 1): 2 * SHARE,
        (1, 1, 2): 5 * SHARE,
    }
    assert after.cash.sleeve_ix.tolist() == [0, 1]
    assert after.cash.balance_cents.tolist() == [40_000, -40_000]
    assert len(after.taxpayer.disposals) == 0


def test_a_substitution_before_another_managers_sale() -> None:
    """The index sleeve sells 10; the value sleeve holds the account's dearest lot. They exchange first, and
    the sale takes the loss that first-in first-out would have left in the other sleeve."""
    book = opened((0, 10, 100, date(2015, 5, 4)), (1, 10, 800, date(2023, 9, 1)))
    before = folded(book)
    swap = substitute(account(before), 0, asked(before, 10))
    assert [(leg.seller.code, leg.buyer.code, leg.lots) for leg in swap.legs] == [
        ("value", "index", ((1, 1, 10 * SHARE),)),
        ("index", "value", ((1, 0, 10 * SHARE),)),
    ]
    assert [leg.amount_cents for leg in swap.legs] == [50_000, 50_000]
    assert "index sells 10 shares and value holds lots" in swap.legs[0].reason
    sale = EventWriter(first_seq=20)
    sale.write(
        EventKind.SELL,
        *OWNER,
        ASOF,
        security_id=5,
        quantity_nano=10 * SHARE,
        amount_cents=50_000,
        sleeve_id=70,
        day_seq=30,
        named=[(1, 1, 10 * SHARE)],
    )
    after = folded(book, renumbered(swap, 1), sale)
    sold = after.taxpayer.disposals
    assert sold.gain_cents.tolist() == [-30_000]
    assert sold.sleeve_ix.tolist() == [0]
    assert by_sleeve(after) == {(1, 1, 0): 10 * SHARE}  # the other manager keeps its ten shares
    assert after.cash.balance_cents.tolist() == [50_000, 0]


def test_a_seller_that_holds_the_best_lots_swaps_nothing() -> None:
    before = folded(opened((0, 10, 800, date(2023, 9, 1)), (1, 10, 100, date(2015, 5, 4))))
    swap = substitute(account(before), 0, asked(before, 10))
    assert swap.legs == ()
    assert len(swap.events) == 0


def test_several_sleeves_give_their_best_lots() -> None:
    book = opened(
        (0, 4, 40, date(2015, 5, 4)),
        (1, 4, 400, date(2023, 9, 1)),
        (2, 3, 290, date(2023, 9, 2)),
        (0, 3, 27, date(2015, 5, 4)),
        (0, 3, 24, date(2015, 5, 4)),
    )
    before = folded(book)
    swap = substitute(account(before), 0, asked(before, 9))
    assert [(leg.seller.code, leg.buyer.code, leg.quantity_nano // SHARE) for leg in swap.legs] == [
        ("value", "index", 4),
        ("index", "value", 4),
        ("income", "index", 3),
        ("index", "income", 3),
    ]
    after = folded(book, renumbered(swap, 1))
    assert by_sleeve(after) == {
        (0, 1, 0): 2 * SHARE,
        (0, 1, 1): 4 * SHARE,
        (0, 1, 2): 3 * SHARE,
        (0, 1, 4): 1 * SHARE,
        (1, 1, 0): 2 * SHARE,
        (1, 1, 3): 2 * SHARE,
        (2, 1, 3): 1 * SHARE,
        (2, 1, 4): 2 * SHARE,
    }
    assert after.cash.balance_cents.tolist() == [0, 0, 0]


def test_a_lot_that_several_sleeves_share_is_swapped_part_by_part() -> None:
    """The seller's only lot is shared with the first sleeve by the time the second gives."""
    book = opened(
        (0, 10, 100, date(2015, 5, 4)), (1, 4, 400, date(2023, 9, 1)), (2, 3, 290, date(2023, 9, 2))
    )
    before = folded(book)
    swap = substitute(account(before), 0, asked(before, 9))
    assert [leg.quantity_nano // SHARE for leg in swap.legs] == [4, 4, 3, 3]
    after = by_sleeve(folded(book, renumbered(swap, 1)))
    assert {key: shares // SHARE for key, shares in after.items()} == {
        (0, 1, 0): 3,
        (0, 1, 1): 4,
        (0, 1, 2): 3,
        (1, 1, 0): 4,
        (2, 1, 0): 3,
    }


def test_a_part_of_a_shared_lot_goes_back() -> None:
    book = opened((0, 10, 100, date(2015, 5, 4)))
    first = cross(account(folded(book)), 0, 1, asked(folded(book), 6), MUCH)
    half = folded(book, renumbered(first, 1))
    second = cross(account(half), 1, 0, asked(half, 2, day_seq=20), MUCH)
    assert second.events.kind.tolist() == [EventKind.RELABEL, EventKind.SLEEVE_CASH]
    after = folded(book, renumbered(first, 1), renumbered(second, 10))
    assert by_sleeve(after) == {(0, 1, 0): 6 * SHARE, (1, 1, 0): 4 * SHARE}
    assert after.cash.balance_cents.tolist() == [20_000, -20_000]


def test_a_third_sleeve_gets_its_part_of_a_shared_lot() -> None:
    book = opened((0, 10, 100, date(2015, 5, 4)))
    first = cross(account(folded(book)), 0, 1, asked(folded(book), 8), MUCH)
    half = folded(book, renumbered(first, 1))
    second = cross(account(half), 1, 2, asked(half, 5, day_seq=20), MUCH)
    after = folded(book, renumbered(first, 1), renumbered(second, 10))
    assert by_sleeve(after) == {(0, 1, 0): 2 * SHARE, (1, 1, 0): 3 * SHARE, (2, 1, 0): 5 * SHARE}


def test_more_than_a_sleeve_holds_and_no_price() -> None:
    before = folded(opened((0, 10, 100, date(2015, 5, 4)), (1, 9, 1, date(2015, 5, 5))))
    with pytest.raises(DataError, match="sleeve index has 10 shares"):
        cross(account(before), 0, 1, asked(before, 10.5), MUCH)
    with pytest.raises(DataError, match="sleeve value has 9 shares"):
        substitute(account(before), 1, asked(before, 10))
    with pytest.raises(DataError, match="positive"):
        cross(account(before), 0, 1, asked(before, 0), MUCH)
    with pytest.raises(DataError, match="no price"):
        swap_price(0, 0)


def test_a_sleeve_buys_with_its_own_cash() -> None:
    before = folded(opened((0, 10, 100, date(2015, 5, 4))))
    price = SwapPrice(price_micros=33_333_333, source=PriceSource.CLOSE)
    with pytest.raises(TooLittleCashError, match=r"has 99.99 in cash and the crossing costs 100.00") as found:
        cross(account(before), 0, 1, asked(before, 3, price), 99_99)
    assert "cross at most 2.99970003 shares" in str(found.value).replace("2.999700029", "2.99970003")
    assert (
        cross(account(before), 0, 1, asked(before, 2.999700029, price), 99_99).legs[0].amount_cents == 99_99
    )
    with pytest.raises(TooLittleCashError, match=r"costs 0.33; move cash"):
        cross(account(before), 0, 1, asked(before, 0.01, price), -5)


def test_the_block_of_the_day_goes_before_the_close() -> None:
    assert swap_price(101_000_000, 100_000_000).source is PriceSource.BLOCK
    assert swap_price(0, 100_000_000) == SwapPrice(price_micros=100_000_000, source=PriceSource.CLOSE)


# ── what no swap changes ─────────────────────────────────────────────────────────────────────

days = st.integers(0, 120).map(lambda n: ASOF - timedelta(days=n))
purchase = st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(1, 9_999_99), days)
swaps = st.lists(
    st.tuples(
        st.booleans(), st.integers(0, 2), st.integers(0, 2), st.integers(1, 4_000), st.integers(1, 99_999_999)
    ),
    max_size=6,
)


def bought(rows: list[tuple[int, int, int, date]], loss_sale: bool) -> EventWriter:
    """Purchases up to today and, maybe, a sale at a loss a week ago that some of them wash."""
    writer = EventWriter()
    for sleeve, shares, cents, day in sorted(rows, key=lambda row: row[3]):
        writer.write(
            EventKind.BUY,
            *OWNER,
            day,
            security_id=5,
            quantity_nano=shares * SHARE // 4,
            amount_cents=cents,
            sleeve_id=70 + sleeve,
            day_seq=0,
        )
    if loss_sale:
        first = min(rows, key=lambda row: row[3])
        writer.write(
            EventKind.SELL,
            *OWNER,
            max(first[3], ASOF - timedelta(days=7)),
            security_id=5,
            quantity_nano=first[1] * SHARE // 8 + 1,
            amount_cents=first[2] // 4,
            sleeve_id=70 + first[0],
            day_seq=1,
        )
    return writer


def swapped(
    book: EventWriter, wishes: list[tuple[bool, int, int, int, int]]
) -> tuple[BookState, list[PlannedSwap]]:
    """The book after those of the swaps that its holdings allow."""
    parts, made, seq = [book.events()], [], 1_000
    state = folded(book)
    for crossing, seller, buyer, shares, micros in wishes:
        request = asked(state, shares / 8, SwapPrice(price_micros=micros, source=PriceSource.CLOSE), seq)
        try:
            if crossing and seller != buyer:
                swap = cross(account(state), seller, buyer, request, MUCH)
            else:
                swap = substitute(account(state), seller, request)
        except DataError:
            continue
        if len(swap.events):
            parts.append(renumbered(swap, seq))
            made.append(swap)
            seq += 100
            state = folded(*parts)
    return state, made


def facts(view: View) -> list[tuple[object, ...]]:
    """What is known of the shares, pieces that differ only in their sleeve put together."""
    lots, sums = view.lots, Counter[tuple[object, ...]]()
    apart = {"sleeve_ix", "quantity_nano", "basis_cents", "loss_basis_cents"}
    names = [f.name for f in fields(lots) if f.name not in apart]
    basis = Counter[tuple[object, ...]]()
    for at in range(len(lots)):
        key = tuple(str(getattr(lots, name)[at]) for name in names)
        sums[key] += int(lots.quantity_nano[at])
        basis[key] += int(lots.basis_cents[at]) + int(lots.loss_basis_cents[at])
    return sorted((*key, sums[key], basis[key]) for key in sums)


@given(st.lists(purchase, min_size=1, max_size=8), st.booleans(), swaps)
@example(
    [(0, 1, 1, ASOF), (0, 1, 5747, ASOF), (0, 16, 209, ASOF), (0, 9, 1, ASOF)], False, [(True, 0, 1, 1, 1)]
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_swaps_change_labels_and_nothing_else(
    rows: list[tuple[int, int, int, date]], loss_sale: bool, wishes: list[tuple[bool, int, int, int, int]]
) -> None:
    """Shares, basis, holding periods, wash state and tax of the account stay to the cent, in both
    views; sleeves sum to the account; each sleeve has what its swaps gave it."""
    book = bought(rows, loss_sale)
    before = folded(book)
    after, made = swapped(book, wishes)
    for view in ("taxpayer", "broker"):
        one, other = getattr(before, view), getattr(after, view)
        assert facts(one) == facts(other)
        for part in fields(Disposals):
            assert np.array_equal(getattr(one.disposals, part.name), getattr(other.disposals, part.name))
        assert one.links.amount_cents.tolist() == other.links.amount_cents.tolist()
    assert after.cash_cents.tolist() == before.cash_cents.tolist()
    held, cash = Counter[int](), Counter[int]()
    for at, sleeve in enumerate(before.taxpayer.lots.sleeve_ix.tolist()):
        held[sleeve] += int(before.taxpayer.lots.quantity_nano[at])
    for sleeve, cents in zip(before.cash.sleeve_ix.tolist(), before.cash.balance_cents.tolist(), strict=True):
        cash[sleeve] += cents
    for leg in (leg for swap in made for leg in swap.legs):
        seller, buyer = SLEEVES.index(leg.seller), SLEEVES.index(leg.buyer)
        held[seller] -= leg.quantity_nano
        held[buyer] += leg.quantity_nano
        cash[seller] += leg.amount_cents
        cash[buyer] -= leg.amount_cents
        assert sum(shares for _, _, shares in leg.lots) == leg.quantity_nano
    lots = after.taxpayer.lots
    for sleeve in range(3):
        assert int(lots.quantity_nano[lots.sleeve_ix == sleeve].sum()) == held[sleeve]
        assert int(after.cash.balance_cents[after.cash.sleeve_ix == sleeve].sum()) == cash[sleeve]
    # A lot in two parts may round a wash by a cent otherwise than whole: for each leg that cut it, with each
    # purchase that it meets.
    plain, cut = sold_out(before, book, []), sold_out(after, book, made)
    most = sum(len(swap.legs) for swap in made) * len(rows)
    assert all(abs(one - other) <= most for one, other in zip(plain, cut, strict=True))


def sold_out(state: BookState, book: EventWriter, made: list[PlannedSwap]) -> tuple[int, int]:
    """Gain, and disallowed losses, when everything is sold the next day."""
    lots, parts = state.taxpayer.lots, [book.events()]
    parts += [renumbered(swap, 1_000 + 100 * at) for at, swap in enumerate(made)]
    sale = EventWriter(first_seq=9_000)
    shares = int(lots.quantity_nano.sum())
    if not shares:
        return 0, 0
    sale.write(
        EventKind.SELL,
        *OWNER,
        ASOF + timedelta(days=1),
        security_id=5,
        quantity_nano=shares,
        amount_cents=77_777,
    )
    sold = folded(*parts, sale).taxpayer.disposals
    return int(sold.gain_cents.sum()), int(sold.disallowed_cents.sum())


@given(st.lists(purchase, min_size=2, max_size=8), st.integers(0, 2), st.integers(1, 400))
@example([(0, 2, 1, ASOF), (0, 3, 1, ASOF), (1, 1, 1, ASOF)], 0, 9)
@hypothesis_settings(max_examples=40, deadline=None)
def test_a_substitution_keeps_every_sleeves_shares_and_cash(
    rows: list[tuple[int, int, int, date]], seller: int, shares: int
) -> None:
    book = bought(rows, loss_sale=False)
    before = folded(book)
    after, made = swapped(book, [(False, seller, seller, shares, 12_345_678)])
    lots, old = after.taxpayer.lots, before.taxpayer.lots
    for sleeve in range(3):
        assert (
            lots.quantity_nano[lots.sleeve_ix == sleeve].sum()
            == old.quantity_nano[old.sleeve_ix == sleeve].sum()
        )
    assert all(
        int(after.cash.balance_cents[after.cash.sleeve_ix == s].sum())
        == int(before.cash.balance_cents[before.cash.sleeve_ix == s].sum())
        for s in range(3)
    )
    # The seller holds now what were the account's best shares (a part of a lot may have another price a
    # share than the whole, by the cent that rounding gives it, and another place in the order).
    request = asked(before, shares / 8, SwapPrice(price_micros=12_345_678, source=PriceSource.CLOSE))
    all_of, its_own = Counter[int](), Counter[int]()
    for row in request.order.tolist():
        all_of[int(old.origin_event[row])] += int(old.quantity_nano[row])
    for row in np.flatnonzero(lots.sleeve_ix == seller).tolist():
        its_own[int(lots.origin_event[row])] += int(lots.quantity_nano[row])
    left = request.quantity_nano
    for lot in all_of if made else ():  # in the order in which they go
        here = min(left, all_of[lot])
        assert its_own[lot] >= here
        left -= here


# ── what a sleeve holds follows from its own transactions ────────────────────────────────────

trades = st.lists(
    st.tuples(st.sampled_from(["buy", "buy", "sell", "name", "move"]), st.integers(0, 2), st.integers(1, 40)),
    min_size=2,
    max_size=14,
)


def lot_of(state: BookState, sleeve: int) -> tuple[int, int]:
    """The first lot that a sleeve holds shares of, and how many; (0, 0) for none."""
    lots = state.taxpayer.lots
    own = np.flatnonzero(lots.sleeve_ix == sleeve)
    if not len(own):
        return 0, 0
    event = int(lots.origin_event[own[0]])
    return event, int(lots.quantity_nano[own][lots.origin_event[own] == event].sum())


STRICTEST = FoldPolicy(same_order_candidates=True, sold_earlier_candidates=True)


@given(trades, st.sampled_from([USUAL, STRICTEST]))
@hypothesis_settings(max_examples=80, deadline=None)
def test_a_sleeves_shares_change_by_its_own_transactions_alone(
    wishes: list[tuple[str, int, int]], policy: FoldPolicy
) -> None:
    """Whatever lots the account's order closes; it closes those that it would without sleeves, and washes
    as much."""
    book, plain, held = EventWriter(), EventWriter(), [0, 0, 0]
    name = dict[int, int]()  # of a lot in the account without sleeves
    for at, (kind, sleeve, n) in enumerate(wishes):
        own = {"security_id": 5, "amount_cents": 100_000 + 100 * n * (at + 1)}
        day, shares, lot = ASOF - timedelta(days=9 * (len(wishes) - at)), n * SHARE // 4, 0
        if kind in ("name", "move"):
            lot, most = lot_of(folded(book, policy=policy), sleeve) if at else (0, 0)
            shares = min(shares, most)
        if shares == 0 or (kind != "buy" and shares > held[sleeve]):
            continue
        named = {"named": [(lot, 0, shares)]} if lot else {}
        facts = {"quantity_nano": shares, "sleeve_id": 70 + sleeve, **own}
        if kind == "move":
            other = (sleeve + 1) % 3
            facts |= {"amount_cents": 0, "other_account_id": 70 + other}
            book.write(EventKind.RELABEL, *OWNER, day, **facts, **named)
            held[sleeve], held[other] = held[sleeve] - shares, held[other] + shares
            continue
        event = EventKind.BUY if kind == "buy" else EventKind.SELL
        held[sleeve] += shares if kind == "buy" else -shares
        booked = book.write(event, *OWNER, day, **facts, **named)
        alike = {"named": [(name[lot], 0, shares)]} if lot else {}
        name[booked] = plain.write(event, *OWNER, day, **(facts | {"sleeve_id": 0}), **alike)
    if not name:
        return
    state, whole = folded(book, policy=policy), folded(plain, policy=policy)
    lots = state.taxpayer.lots
    assert [int(lots.quantity_nano[lots.sleeve_ix == sleeve].sum()) for sleeve in range(3)] == held
    assert (lots.quantity_nano > 0).all()
    closed, washed = by_sale(state, name)
    expected, expected_wash = by_sale(whole, {one: one for one in name.values()})
    assert closed == expected
    for sale in washed | expected_wash:  # a lot in parts rounds by a cent for each
        assert abs(washed[sale] - expected_wash[sale]) <= len(wishes)


def by_sale(state: BookState, name: dict[int, int]) -> tuple[Counter[tuple[int, int]], Counter[int]]:
    """Shares that each sale closed of each lot, and cents of each sale that are disallowed."""
    sold, closed, washed = state.taxpayer.disposals, Counter[tuple[int, int]](), Counter[int]()
    for at, sale in enumerate(sold.event.tolist()):
        closed[name[sale], name[int(sold.origin_event[at])]] += int(sold.quantity_nano[at])
        washed[name[sale]] += int(sold.disallowed_cents[at])
    return closed, washed
