"""Choices with deadlines."""

from __future__ import annotations

from datetime import date

import pytest

from allotment.ledger.action_plan import Held
from allotment.ledger.election import Election, ElectionState, election_tasks, in_force_for
from allotment.market.corporate_action import ActionKind, CorporateAction

EX, DEADLINE = date(2024, 4, 2), date(2024, 3, 28)
OFFER = [
    CorporateAction(
        security_id=1, ex_date=EX, kind=kind, option=option, is_default=option == "stock", deadline=DEADLINE
    )
    for kind, option in ((ActionKind.CASH_MERGER, "cash"), (ActionKind.STOCK_MERGER, "stock"))
]
PLAIN = CorporateAction(security_id=1, ex_date=EX, kind=ActionKind.SPLIT)
HOLDERS = [
    Held(household_id=1, account_id=number, security_id=1, quantity_nano=5, is_short=number == 12)
    for number in (10, 11, 12)
]
CHOICES = [
    Election(account_id=10, security_id=1, ex_date=EX, option="stock", chosen_by="adviser"),
    Election(account_id=10, security_id=1, ex_date=EX, option="cash", chosen_by="client"),
]


@pytest.mark.parametrize(
    ("asof", "others"),
    [(DEADLINE, ElectionState.OPEN), (date(2024, 3, 29), ElectionState.OVERDUE)],
)
def test_the_newest_choice_counts_and_the_default_else(asof: date, others: ElectionState) -> None:
    tasks = election_tasks([*OFFER, PLAIN], HOLDERS, CHOICES, asof)
    assert [(one.account_id, one.state, one.option_in_force) for one in tasks] == [
        (10, ElectionState.CHOSEN, "cash"),
        (11, others, "stock"),
    ]
    assert tasks[0].chosen is CHOICES[1]


def test_the_option_in_force_makes_the_event() -> None:
    chosen = {(10, 1, EX): CHOICES[1]}
    assert [one.kind for one in in_force_for(10, OFFER, chosen)] == [ActionKind.CASH_MERGER]
    assert [one.kind for one in in_force_for(11, OFFER, chosen)] == [ActionKind.STOCK_MERGER]
    assert in_force_for(11, OFFER[:1], chosen) == ()
