"""What came beside what should have come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from allotment.ledger.action_plan import CENTS_DIVISOR, Held, plan
from allotment.ledger.entitlement import Compared, Entitlement, Item, Severity, compare
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.units import mul_div

SHARE = 10**9
EX = date(2024, 4, 2)


def judged(
    kind: ActionKind, shares: float, terms: dict[str, Any], whole: bool = False, **came: Any
) -> Compared:
    action = CorporateAction(security_id=1, ex_date=EX, kind=kind, **terms)
    held = Held(
        household_id=1, account_id=10, security_id=1, quantity_nano=round(shares * SHARE), whole_shares=whole
    )
    row = Entitlement(account_id=10, security_id=1, ex_date=EX, kind=kind, **came)
    return compare(plan(action, held), row)


def told(compared: Compared) -> list[tuple[Item, Severity]]:
    return [(one.item, one.severity) for one in compared.differences]


CASH_NOTE, CASH_LOOK = [(Item.CASH, Severity.NOTE)], [(Item.CASH, Severity.LOOK)]
BOOT = {"shares_nano": 5 * SHARE, "cash_cents": 3000}
DIVIDEND = {"amount_usd": 0.24}
SPLIT = {"ratio": 0.1, "lieu_usd": 900.0}
MERGER = {"ratio": 0.5, "other_security_id": 2, "other_price_usd": 40.0, "amount_usd": 3.0}


@pytest.mark.parametrize(
    ("compared", "differences", "booked"),
    [
        (judged(ActionKind.CASH_DIVIDEND, 101, DIVIDEND, cash_cents=2424), [], True),
        (judged(ActionKind.CASH_DIVIDEND, 101, DIVIDEND, cash_cents=2420), CASH_NOTE, True),
        (judged(ActionKind.CASH_DIVIDEND, 101, DIVIDEND, cash_cents=2400), CASH_LOOK, True),
        (judged(ActionKind.CASH_DIVIDEND, 101, DIVIDEND), [(Item.MISSING, Severity.LOOK)], False),
        (
            judged(ActionKind.CASH_MERGER, 10, {"amount_usd": 9.0}, cash_cents=9100),
            [(Item.CASH, Severity.STOP)], True,
        ),
        (judged(ActionKind.SPLIT, 105, SPLIT, True, shares_nano=-95 * SHARE, lieu_cents=45_000), [], True),
        (
            judged(ActionKind.SPLIT, 105, SPLIT, True, shares_nano=-95 * SHARE, lieu_cents=44_000),
            [(Item.LIEU, Severity.LOOK)], True,
        ),
        (  # rounded up instead of paid out
            judged(ActionKind.SPLIT, 105, SPLIT, True, shares_nano=-94 * SHARE),
            [(Item.SHARES, Severity.STOP), (Item.LIEU, Severity.LOOK)], True,
        ),
        (  # kept instead of paid out
            judged(ActionKind.SPLIT, 105, SPLIT, True, shares_nano=-94_500_000_000),
            [(Item.SHARES, Severity.LOOK), (Item.LIEU, Severity.LOOK)], True,
        ),
        (  # paid out by a custodian that should keep fractions
            judged(ActionKind.SPLIT, 105, SPLIT, shares_nano=-95 * SHARE, lieu_cents=45_000),
            [(Item.LIEU, Severity.LOOK)], True,
        ),
        (
            judged(ActionKind.SPLIT, 105, SPLIT, shares_nano=-94_500_000_001),
            [(Item.SHARES, Severity.NOTE)], True,
        ),
        (
            judged(ActionKind.MIXED_MERGER, 10, MERGER, other_security_id=7, **BOOT),
            [(Item.SECURITY, Severity.STOP)], False,
        ),
        (
            judged(ActionKind.MIXED_MERGER, 10, MERGER, option="cash", **BOOT),
            [(Item.OPTION, Severity.STOP)], False,
        ),
        (
            judged(ActionKind.MIXED_MERGER, 10, MERGER | {"other_security_id": None}, shares_nano=5 * SHARE),
            [(Item.OBSTACLE, Severity.STOP)], False,
        ),
    ],
)  # fmt: skip
def test_what_is_told_and_whether_it_is_booked(
    compared: Compared, differences: list[tuple[Item, Severity]], booked: bool
) -> None:
    assert told(compared) == differences
    assert compared.may_be_booked is booked


def test_rounding_is_booked_as_it_came_to_the_cent() -> None:
    """Boot of 3.00 on 10 shares came as 30.03: the price per share is made to give it."""
    (event,) = judged(ActionKind.MIXED_MERGER, 10, MERGER, shares_nano=5 * SHARE, cash_cents=3003).plan.events
    assert event.terms is not None
    assert mul_div(10 * SHARE, event.terms["cash_nano"], CENTS_DIVISOR) == 3003
    (event,) = judged(
        ActionKind.SPLIT, 105.333, SPLIT, True, shares_nano=-95_333_000_000, lieu_cents=47_973
    ).plan.events
    assert event.terms is not None
    assert mul_div(533_300_000, event.terms["lieu_nano"], CENTS_DIVISOR) == 47_973


def test_a_dividend_of_several_sleeves_keeps_its_sum() -> None:
    action = CorporateAction(security_id=1, ex_date=EX, kind=ActionKind.CASH_DIVIDEND, amount_usd=1.0)
    held = Held(
        household_id=1, account_id=10, security_id=1, quantity_nano=10 * SHARE,
        by_sleeve=((1, 6 * SHARE), (2, 4 * SHARE)),
    )  # fmt: skip
    made = plan(action, held)
    for cash in (400, 999, 1001, 1300):
        row = Entitlement(account_id=10, security_id=1, ex_date=EX, kind=action.kind, cash_cents=cash)
        assert sum(event.amount_cents for event in compare(made, row).plan.events) == cash


def test_the_day_of_payment_is_the_custodians() -> None:
    terms = DIVIDEND | {"pay_date": date(2024, 4, 5)}
    compared = judged(ActionKind.CASH_DIVIDEND, 101, terms, cash_cents=2424, pay_date=date(2024, 4, 8))
    assert told(compared) == [(Item.PAY_DATE, Severity.NOTE)]
    assert [event.settles for event in compared.plan.events] == [date(2024, 4, 8)]
    assert replace(compared.differences[0], remedy="").expected == "2024-04-05"
