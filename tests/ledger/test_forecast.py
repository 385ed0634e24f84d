"""The calendar follows the books and what earlier actions will do to them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.action_plan import planned_events
from allotment.ledger.election import Election
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.forecast import Forecast, Holders, Standing, forecast
from allotment.ledger.write import EventWriter, concatenate
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.tax.identical import IdenticalGroups

SHARE = 10**9
OLD, NEW, CHILD = 1, 2, 3
GROUPS = IdenticalGroups.alone(np.array([OLD, NEW, CHILD]))
TABLE = AccountTable.of_accounts(
    [
        Account(
            account_id=number, code=str(number), household_id=1, taxpayer_id=1, kind=AccountKind.TAXABLE,
            venue_code="", opened=date(2020, 1, 1),
        )
        for number in (10, 11)
    ]
)  # fmt: skip


def act(day: date, kind: ActionKind, security: int = OLD, **terms: Any) -> CorporateAction:
    return CorporateAction(security_id=security, ex_date=day, kind=kind, **terms)


def book() -> EventWriter:
    writer = EventWriter()
    writer.buy((1, 10), date(2024, 1, 3), OLD, 100, 5000)
    return writer


def told(writer: EventWriter, *actions: CorporateAction, asof: date, **holders: Any) -> list[Forecast]:
    return list(forecast(writer.events(), TABLE, GROUPS, actions, Holders(**holders), asof).forecasts)


def test_each_action_sees_what_those_before_it_did() -> None:
    """A split, a spin-off, a new name, then a dividend under it: on 200 shares."""
    found = told(
        book(),
        act(date(2024, 5, 6), ActionKind.CASH_DIVIDEND, NEW, amount_usd=0.5),
        act(date(2024, 2, 5), ActionKind.SPLIT, ratio=2.0),
        act(date(2024, 4, 1), ActionKind.SYMBOL_CHANGE, other_security_id=NEW),
        act(
            date(2024, 3, 4), ActionKind.SPIN_OFF, ratio=0.5, other_security_id=CHILD, price_usd=9,
            other_price_usd=2,
        ),
        asof=date(2024, 1, 31),
    )  # fmt: skip
    assert [(one.plan.action.kind, one.plan.held_nano / SHARE) for one in found] == [
        (ActionKind.SPLIT, 100.0),
        (ActionKind.SPIN_OFF, 200.0),
        (ActionKind.SYMBOL_CHANGE, 200.0),
        (ActionKind.CASH_DIVIDEND, 200.0),
    ]
    assert found[-1].plan.cash_cents == 10_000
    assert {one.standing for one in found} == {Standing.EXPECTED}


def test_who_buys_on_the_ex_day_gets_nothing() -> None:
    writer = book()
    writer.buy((1, 11), date(2024, 2, 5), OLD, 10, 500)
    writer.buy((1, 10), date(2024, 2, 2), OLD, 1, 50)
    day = act(date(2024, 2, 5), ActionKind.CASH_DIVIDEND, amount_usd=1.0)
    (one,) = told(writer, day, asof=date(2024, 2, 1))
    assert (one.plan.account_id, one.plan.cash_cents) == (10, 10_100)


def test_two_dividends_of_a_day_are_told_apart() -> None:
    writer = book()
    day = date(2024, 2, 5)
    plain = act(day, ActionKind.CASH_DIVIDEND, amount_usd=0.1)
    special = act(day, ActionKind.SPECIAL_DIVIDEND, amount_usd=2.0)
    (first, second) = told(writer, plain, special, asof=day)
    events = concatenate([writer.events(), planned_events([second.plan], 2)])
    found = forecast(events, TABLE, GROUPS, [plain, special], Holders(), day).forecasts
    assert [one.standing for one in found] == [Standing.EXPECTED, Standing.BOOKED]
    assert first.plan.cash_cents == 1_000


def test_what_others_booked_counts() -> None:
    writer = book()
    day = date(2024, 2, 5)
    writer.write(EventKind.DIVIDEND, 1, 10, day, security_id=OLD, amount_cents=1_000)
    (one,) = told(writer, act(day, ActionKind.CASH_DIVIDEND, amount_usd=0.1), asof=date(2024, 3, 1))
    assert (one.standing, one.booked) == (Standing.BOOKED, (1,))


def test_where_actions_stand() -> None:
    day = date(2024, 2, 5)
    found = told(
        book(),
        act(day, ActionKind.CASH_DIVIDEND, amount_usd=0.1),
        act(day, ActionKind.RETURN_OF_CAPITAL, amount_usd=0.1, pay_date=date(2024, 2, 20)),
        act(day, ActionKind.RIGHTS, ratio=0.1),
        act(day, ActionKind.DELISTING),
        asof=date(2024, 2, 10),
    )
    assert [one.standing for one in found] == [
        Standing.OVERDUE,
        Standing.EXPECTED,
        Standing.BLOCKED,
        Standing.NOTHING,
    ]


def test_a_choice_decides_what_is_expected() -> None:
    day = date(2024, 2, 5)
    offer = [
        act(day, ActionKind.TENDER, amount_usd=60.0, option="tender"),
        act(day, ActionKind.NOTHING, option="keep"),
    ]
    (open_,) = told(book(), *offer, asof=day)
    assert open_.standing is Standing.TO_ELECT
    assert "nobody has chosen" in open_.plan.obstacle
    wish = Election(account_id=10, security_id=OLD, ex_date=day, option="tender", quantity_nano=30 * SHARE)
    (one,) = told(book(), *offer, asof=day, elections=(wish,))
    assert (one.plan.cash_cents, one.plan.events[0].quantity_nano) == (180_000, 30 * SHARE)
