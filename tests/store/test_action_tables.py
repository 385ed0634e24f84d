"""Elections and differences are kept: appended, raised once, settled by somebody."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import psycopg
import pytest

from allotment.errors import UsageError
from allotment.ledger.election import Election
from allotment.ledger.entitlement import Difference, Item, Severity
from allotment.market.corporate_action import ActionKind
from allotment.store import action_tables
from allotment.store.session import FirmStore

EX = date(2024, 4, 2)
WISH = Election(
    account_id=1, security_id=3, ex_date=EX, option="cash", chosen_by="client", chosen_on=date(2024, 3, 1)
)
OFF = Difference(
    account_id=1,
    security_id=3,
    ex_date=EX,
    kind=ActionKind.SPLIT,
    item=Item.SHARES,
    expected="10",
    came="9",
    severity=Severity.STOP,
    remedy="look",
)


def test_elections_come_back_in_the_order_in_which_they_were_made(firm: FirmStore, book: object) -> None:
    other = replace(WISH, option="stock", quantity_nano=5)
    assert action_tables.save_election(firm, WISH) < action_tables.save_election(firm, other)
    action_tables.save_election(firm, replace(WISH, account_id=2))
    assert action_tables.load_elections(firm, [1]) == (WISH, other)
    assert len(action_tables.load_elections(firm)) == 3
    with pytest.raises(psycopg.Error):
        firm.connection().execute("DELETE FROM election")


def test_a_source_raises_a_difference_once(firm: FirmStore, book: object) -> None:
    note = replace(OFF, item=Item.CASH, severity=Severity.NOTE)
    assert action_tables.raise_differences(firm, [note, OFF], "file 1") == 2
    assert action_tables.raise_differences(firm, [note, OFF], "file 1") == 0
    assert action_tables.raise_differences(firm, [OFF], "file 2") == 1
    found = action_tables.load_differences(firm)
    assert [(one.item, one.severity, one.source) for one in found] == [
        (Item.SHARES, Severity.STOP, "file 1"),
        (Item.SHARES, Severity.STOP, "file 2"),
        (Item.CASH, Severity.NOTE, "file 1"),
    ]
    action_tables.settle_difference(firm, found[0].difference_id, "the custodian was wrong")
    (settled,) = action_tables.load_differences(firm, settled=True)
    assert (settled.settled_note, settled.difference_id) == (
        "the custodian was wrong",
        found[0].difference_id,
    )
    with pytest.raises(UsageError, match="no open difference"):
        action_tables.settle_difference(firm, found[0].difference_id, "again")


def test_a_later_file_that_agrees_settles_what_others_told(firm: FirmStore, book: object) -> None:
    action_tables.raise_differences(firm, [OFF], "file 1")
    action_tables.raise_differences(firm, [OFF], "file 2")
    assert action_tables.settle_earlier(firm, (1, 3, EX, "split"), "file 2") == 1
    assert [one.source for one in action_tables.load_differences(firm)] == ["file 2"]
    assert action_tables.settle_earlier(firm, (2, 3, EX, "split"), "file 3") == 0
