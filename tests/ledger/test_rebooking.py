"""Corrections of booked actions lead to the books that the right terms would have made at once."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.book.lots import Lots
from allotment.ledger.action_plan import ActionPlan, Held, plan, planned_events
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, EventKind, Events
from allotment.ledger.fold import BookState, fold
from allotment.ledger.rebooking import rebook, with_booked_cash, write_rebooking
from allotment.ledger.write import EventWriter, concatenate
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.tax.identical import IdenticalGroups

SHARE = 10**9
EX = date(2024, 4, 2)
GROUPS = IdenticalGroups.alone(np.array([1, 2]))
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=10, code="A", household_id=1, taxpayer_id=1, kind=AccountKind.TAXABLE, venue_code="",
            opened=date(2020, 1, 1),
        )
    ]
)  # fmt: skip
HELD = Held(household_id=1, account_id=10, security_id=1, quantity_nano=100 * SHARE, whole_shares=True)


def act(kind: ActionKind, **terms: Any) -> CorporateAction:
    return CorporateAction(security_id=1, ex_date=EX, kind=kind, **terms)


def bought() -> Events:
    book = EventWriter()
    book.buy((1, 10), date(2023, 1, 3), 1, 60, 3000)
    book.buy((1, 10), date(2023, 5, 3), 1, 40, 2600)
    return book.events()


def put_right(events: Events, plans: list[ActionPlan], keep_cash: bool = False) -> Events:
    """The events with what corrects them."""
    standing = in_force(events)
    rows = np.flatnonzero(standing.events.day_seq < 0).tolist()
    if keep_cash:
        plans = with_booked_cash(plans, standing, rows)
    writer = EventWriter(first_seq=len(events) + 1)
    write_rebooking(writer, rebook(plans, standing, rows))
    return concatenate([events, writer.events()]) if len(writer.events()) else events


def state_of(events: Events) -> BookState:
    state = fold(events, ACCOUNTS, GROUPS)
    assert state.problems == ()
    return state


def same(one: BookState, other: BookState) -> None:
    assert one.cash_cents.tolist() == other.cash_cents.tolist()
    for part in fields(Lots):
        if part.name not in ("origin_event", "acquisition_id"):
            left, right = getattr(one.taxpayer.lots, part.name), getattr(other.taxpayer.lots, part.name)
            assert np.array_equal(left, right, equal_nan=part.name == "purchased"), part.name


cash = st.integers(1, 500).map(lambda cents: cents / 100)
actions = st.lists(
    st.one_of(
        cash.map(lambda usd: act(ActionKind.CASH_DIVIDEND, amount_usd=usd)),
        cash.map(lambda usd: act(ActionKind.SPECIAL_DIVIDEND, amount_usd=usd)),
        cash.map(lambda usd: act(ActionKind.RETURN_OF_CAPITAL, amount_usd=usd)),
        st.sampled_from([0.1, 0.333333, 2.0, 1.5]).map(
            lambda ratio: act(ActionKind.SPLIT, ratio=ratio, lieu_usd=30)
        ),
        cash.map(
            lambda usd: act(
                ActionKind.SPIN_OFF,
                ratio=0.25,
                other_security_id=2,
                price_usd=50,
                other_price_usd=usd,
                lieu_usd=8,
            )
        ),
    ),
    max_size=4,
    unique_by=lambda action: action.kind,
)


@settings(max_examples=60, deadline=None)
@given(first=actions, second=actions)
def test_whatever_was_booked_becomes_what_should_be(
    first: list[CorporateAction], second: list[CorporateAction]
) -> None:
    """From any set of a day's actions to any other; doing it again changes nothing."""
    events = bought()
    wrong = concatenate([events, planned_events([plan(one, HELD) for one in first], len(events) + 1)])
    right = [plan(one, HELD) for one in second]
    if not right:
        return
    corrected = put_right(wrong, right)
    same(state_of(corrected), state_of(concatenate([events, planned_events(right, len(events) + 1)])))
    assert len(put_right(corrected, right)) == len(corrected)


def test_final_terms_leave_cash_as_it_came() -> None:
    """Two cents of rounding, and cash in lieu at the custodian's price."""
    events = bought()
    paid = plan(act(ActionKind.SPECIAL_DIVIDEND, amount_usd=1.0), HELD)
    paid = replace(paid, events=(replace(paid.events[0], amount_cents=10_002, settles=date(2024, 4, 9)),))
    booked = concatenate([events, planned_events([paid], 3)])
    final = [
        plan(act(ActionKind.SPECIAL_DIVIDEND, amount_usd=0.4), HELD),
        plan(act(ActionKind.RETURN_OF_CAPITAL, amount_usd=0.6, is_final=True), HELD),
    ]
    corrected = in_force(put_right(booked, final, keep_cash=True)).events
    of_action = corrected.day_seq < 0
    assert corrected.amount_cents[of_action].sum() == 10_002
    assert corrected.kind[of_action].tolist() == [EventKind.DIVIDEND, EventKind.RETURN_OF_CAPITAL]
    assert corrected.settles[of_action][0] == np.datetime64("2024-04-09")
