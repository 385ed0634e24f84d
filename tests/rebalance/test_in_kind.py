"""What leaves in kind: whole shares, the residue sold, donations and gifts by their best lots."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.book.lots import BasisState, Lots
from allotment.errors import DataError
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import fold
from allotment.ledger.lot_choice import least_tax_first
from allotment.ledger.write import BroughtLot, EventWriter, concatenate
from allotment.rebalance.in_kind import (
    Holding,
    InKindPlan,
    Leaving,
    Place,
    booked,
    donate,
    give,
    transfer_out,
)
from allotment.tax.identical import IdenticalGroups

SHARE = 10**9
ASOF = date(2024, 6, 28)
PLACE = Place(household_id=1, account_id=10, sleeve_ids=(), day=ASOF)
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=10,
            code="A",
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 2),
        )
    ]
)
Row = tuple[int, float, float, date]


def opened(*rows: Row) -> EventWriter:
    """An account that opens with lots of (security, shares, basis in dollars, day)."""
    book = EventWriter()
    lots = [
        BroughtLot(
            security_id=security,
            quantity_nano=round(shares * SHARE),
            basis_cents=round(usd * 100),
            acquired=day,
        )
        for security, shares, usd, day in rows
    ]
    book.write(EventKind.OPENING, 1, 10, date(2024, 1, 2), lots=lots)
    return book


def lots_after(*parts: EventWriter | object) -> Lots:
    events = concatenate([part.events() if isinstance(part, EventWriter) else part for part in parts])
    state = fold(events, ACCOUNTS, IdenticalGroups.alone(np.array([5, 6, 7])))
    assert state.problems == ()
    return state.taxpayer.lots


def holding(lots: Lots, *, untraded: tuple[int, ...] = (), usd: float = 100.0) -> Holding:
    return Holding(
        lots=lots,
        price_micros=np.full(len(lots), round(usd * 1e6)),
        is_traded=~np.isin(lots.security_id, untraded),
    )


def leave(held: Holding, security_ids: list[int] | None = None) -> InKindPlan:
    """A transfer out, the residue from the lots with the least tax."""
    micros, day = held.price_micros, np.datetime64(ASOF)
    order = least_tax_first(held.lots, micros, day, short_rate=0.4, long_rate=0.2)
    return transfer_out(held, ASOF, order, security_ids)


def told(plan: InKindPlan) -> list[tuple[str, int, int, float]]:
    return [(lot.how.value, lot.security_id, lot.origin_line, lot.quantity_nano / SHARE) for lot in plan.lots]


def test_whole_shares_move_and_the_residue_is_sold_where_it_costs_least() -> None:
    lots = lots_after(
        opened(
            (5, 10.25, 500, date(2020, 1, 2)),  # gain of 51 a share
            (5, 4.5, 600, date(2020, 1, 3)),  # loss of 33 a share
            (6, 3, 100, date(2020, 1, 2)),
        )
    )
    plan = leave(holding(lots))
    assert told(plan) == [
        ("sale", 5, 1, 0.75),
        ("transfer", 5, 1, 3.75),
        ("transfer", 5, 0, 10.25),
        ("transfer", 6, 2, 3),
    ]
    assert plan.stays == ()
    (sale,) = plan.of(Leaving.SALE)
    assert (sale.value_cents, sale.basis_cents) == (7_500, 10_000)
    assert "goes first" in sale.reason
    assert (sale.gain_cents, sale.is_long_term, sale.acquired) == (-2_500, True, date(2020, 1, 3))


def test_a_residue_may_need_several_lots_and_unknown_basis_is_last() -> None:
    lots = lots_after(opened(*[(5, 0.3, 30 + i, date(2020, 1, 2)) for i in range(3)]))
    unknown = replace(lots, basis_state=np.array([0, 0, BasisState.MISSING], np.int8))
    plan = leave(holding(unknown))
    assert told(plan) == [("sale", 5, 1, 0.3), ("sale", 5, 0, 0.3), ("sale", 5, 2, 0.3)]


def test_only_what_is_asked_for_moves() -> None:
    lots = lots_after(opened((5, 1, 1, date(2020, 1, 2)), (6, 1, 1, date(2020, 1, 2))))
    assert told(leave(holding(lots), [6])) == [("transfer", 6, 1, 1)]


def test_a_fraction_of_what_is_not_traded_stays_and_is_told() -> None:
    lots = lots_after(opened((7, 2.5, 200, date(2020, 1, 2))))
    plan = leave(holding(lots, untraded=(7,)))
    assert told(plan) == [("transfer", 7, 0, 2)]
    assert plan.stays == (
        (7, SHARE // 2, "a fraction of what we do not trade can be neither moved nor sold"),
    )


def test_short_positions_are_not_moved() -> None:
    lots = lots_after(opened((5, 1, 1, date(2020, 1, 2))))
    plan = leave(holding(replace(lots, side=-lots.side)))
    assert plan.lots == ()
    assert plan.stays[0][0] == 5


def test_a_donation_is_of_the_largest_long_gains_in_whole_shares() -> None:
    lots = lots_after(
        opened(
            (5, 10.5, 210, date(2020, 1, 2)),  # 80 % gain
            (6, 10, 100, date(2020, 1, 2)),  # 90 %
            (6, 10, 1500, date(2020, 1, 2)),  # a loss
            (7, 10, 10, date(2024, 1, 2)),  # short-term
        )
    )
    plan = donate(holding(lots), ASOF, 1_750_00)
    assert told(plan) == [("donation", 6, 1, 10), ("donation", 5, 0, 7)]
    assert [lot.reason for lot in plan.lots] == [
        "long-term, gain 90% of its value",
        "long-term, gain 80% of its value",
    ]
    assert sum(lot.value_cents for lot in plan.lots) == 1_700_00


def test_a_gift_is_of_the_lowest_basis_whatever_its_term() -> None:
    lots = lots_after(
        opened((5, 10, 210, date(2020, 1, 2)), (6, 10, 1500, date(2020, 1, 2)), (7, 10, 10, date(2024, 1, 2)))
    )
    assert told(give(holding(lots), ASOF, 1_200_00)) == [("gift", 7, 2, 10), ("gift", 5, 0, 2)]
    assert told(give(holding(lots, untraded=(7,)), ASOF, 1_000_00)) == [("gift", 5, 0, 10)]
    with pytest.raises(DataError, match="positive"):
        give(holding(lots), ASOF, 0)


def test_what_is_given_is_booked_with_its_lots() -> None:
    book = opened((5, 10.5, 210, date(2020, 1, 2)), (6, 10, 100, date(2020, 1, 2)))
    plan = donate(holding(lots_after(book)), ASOF, 1_200_00)
    events = booked(plan, PLACE)
    assert events.kind.tolist() == [EventKind.DONATE, EventKind.DONATE]
    assert events.amount_cents.tolist() == [1_000_00, 200_00]
    left = lots_after(book, replace(events, ledger_seq=np.arange(len(events)) + 2))
    assert left.quantity_nano.tolist() == [8_500_000_000]
    assert left.basis_cents.tolist() == [17_000]


@given(
    st.lists(
        st.tuples(
            st.integers(5, 7),
            st.integers(1, 5_000_000_000),
            st.integers(1, 100_000),
            st.dates(date(2020, 1, 2), date(2024, 1, 2)),
        ),
        min_size=1,
        max_size=8,
    )
)
@hypothesis_settings(max_examples=30, deadline=None)
def test_sold_and_moved_is_all_there_was(rows: list[tuple[int, int, int, date]]) -> None:
    """Shares and basis are conserved; what moves is whole in every name, what is sold below one share."""
    book = opened(*[(security, nano / SHARE, cents / 100, day) for security, nano, cents, day in rows])
    lots = lots_after(book)
    plan = leave(holding(lots))
    for security in np.unique(lots.security_id).tolist():
        sold, moved = (
            sum(lot.quantity_nano for lot in plan.of(how) if lot.security_id == security)
            for how in (Leaving.SALE, Leaving.TRANSFER)
        )
        assert moved % SHARE == 0
        assert 0 <= sold < SHARE
        assert sold + moved == lots.quantity_nano[lots.security_id == security].sum()
    sold_names = {lot.security_id for lot in plan.of(Leaving.SALE)}
    events = booked(plan, PLACE, dict.fromkeys(sold_names, 12_345))
    assert events.amount_cents.sum() == 12_345 * len(sold_names)
    assert len(lots_after(book, replace(events, ledger_seq=np.arange(len(events)) + 2))) == 0


def test_what_the_sale_brought_is_shared_by_its_sleeves_to_the_cent() -> None:
    """Three sleeves hold a third of a share each: one order, three events."""
    lots = lots_after(opened(*[(5, 1 / 3, 10, date(2020, 1, 2 + i)) for i in range(3)]))
    plan = leave(holding(replace(lots, sleeve_ix=np.arange(3, dtype=np.int32))))
    place = replace(PLACE, sleeve_ids=(71, 72, 73), day_seq=4)
    events = booked(plan, place, {5: 100_01})
    assert events.kind.tolist() == [EventKind.SELL] * 3
    assert sorted(events.sleeve_id.tolist()) == [71, 72, 73]
    assert events.amount_cents.tolist() == [33_34, 33_34, 33_33]
    assert events.day_seq.tolist() == [4, 5, 6]
    assert set(events.settles.astype(str)) == {"2024-07-01"}
    assert len(booked(plan, place)) == 0  # nobody knows what it brought: the fraction stays


def test_shares_without_a_price_move_and_are_not_given() -> None:
    lots = lots_after(opened((5, 10.5, 210, date(2020, 1, 2))))
    plan = leave(holding(lots, usd=0))
    assert [(lot.value_cents, lot.gain_cents) for lot in plan.lots] == [(0, 0), (0, 0)]
    assert donate(holding(lots, usd=0), ASOF, 100_00).lots == ()


def test_a_gift_between_its_two_bases_has_no_gain() -> None:
    """§1015(a): given at a value of 80 with a basis of 100; worth 90 now."""
    lots = lots_after(opened((5, 1, 100, date(2020, 1, 2))))
    given = replace(lots, loss_basis_cents=np.array([80_00]))
    assert [lot.gain_cents for lot in leave(holding(given, usd=90)).lots] == [0]
    assert [lot.gain_cents for lot in leave(holding(given, usd=70)).lots] == [-10_00]
