from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.sleeve_trades import sleeve_trades
from allotment.ledger.write import EventWriter

DAY = date(2024, 6, 28)
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=10,
            code="UMA",
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 2),
        )
    ],
    sleeves=[(70, 10), (71, 10)],
)


def test_a_swap_is_a_sale_for_one_manager_and_a_purchase_for_the_other() -> None:
    book = EventWriter()
    book.write(EventKind.DEPOSIT, 1, 10, DAY, amount_cents=99)
    book.write(EventKind.BUY, 1, 10, DAY, security_id=5, quantity_nano=7, amount_cents=70, sleeve_id=71)
    book.write(
        EventKind.RELABEL, 1, 10, DAY, security_id=5, quantity_nano=3, sleeve_id=71, other_account_id=70
    )
    book.write(
        EventKind.SLEEVE_CASH,
        1,
        10,
        DAY,
        security_id=5,
        quantity_nano=3,
        amount_cents=33,
        sleeve_id=70,
        other_account_id=71,
    )
    book.write(EventKind.SLEEVE_CASH, 1, 10, DAY, amount_cents=50, sleeve_id=70, other_account_id=71)
    book.write(EventKind.SELL, 1, 10, DAY, security_id=5, quantity_nano=2, amount_cents=24, sleeve_id=70)
    trades = sleeve_trades(in_force(book.events()).events, ACCOUNTS)
    rows = zip(
        trades.sleeve_ix.tolist(),
        trades.event.tolist(),
        trades.side.tolist(),
        trades.quantity_nano.tolist(),
        trades.amount_cents.tolist(),
        trades.is_swap.tolist(),
        trades.other_sleeve_ix.tolist(),
        strict=True,
    )
    assert list(rows) == [
        (0, 4, 1, 3, 33, True, 1),
        (0, 6, -1, 2, 24, False, -1),
        (1, 2, 1, 7, 70, False, -1),
        (1, 4, -1, 3, 33, True, 0),
    ]
    assert trades.day.tolist() == [DAY] * 4
    assert len(trades) == 4


def test_a_withdrawn_swap_is_no_trade() -> None:
    book = EventWriter()
    swap = book.write(
        EventKind.SLEEVE_CASH,
        1,
        10,
        DAY,
        security_id=5,
        quantity_nano=3,
        amount_cents=33,
        other_account_id=71,
    )
    book.write(EventKind.REVERSAL, 1, 10, DAY, reverses=swap)
    trades = sleeve_trades(in_force(book.events()).events, ACCOUNTS)
    assert np.array_equal(trades.event, [])
