from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind, Sleeve
from allotment.errors import BadFileError
from allotment.feeds import opening_files
from allotment.feeds.references import Known, SecurityLookup
from allotment.feeds.table import Table
from allotment.ledger.events import EventKind
from allotment.market.security import Security

ASOF = date(2024, 6, 28)
Read = Callable[[str, str | bytes], Table]


def account(number: int, closed: date | None = None) -> Account:
    return Account(
        account_id=number,
        code=f"A{number}",
        household_id=10 * number,
        taxpayer_id=number,
        kind=AccountKind.TAXABLE,
        venue_code="acme",
        opened=date(2020, 1, 2),
        closed=closed,
    )


KNOWN = Known(
    securities=SecurityLookup(
        [Security(security_id=5, code="X", name="X"), Security(security_id=6, code="Y", name="Y")]
    ),
    accounts={a.code: a for a in (account(1), account(2), account(3, date(2023, 1, 2)), account(4))},
    sleeves={"S1": Sleeve(sleeve_id=11, code="S1", account_id=1)},
    with_lots=frozenset({4}),
    with_cash=frozenset({4}),
)
HEADER = (
    "account,sleeve,security,lot,quantity,basis,loss_basis,acquired,holding_from,origin,order,basis_state\n"
)


def told(make: Callable[[], object]) -> list[tuple[int, str, str]]:
    with pytest.raises(BadFileError) as caught:
        make()
    return [(bad.line, bad.column, bad.found) for bad in caught.value.rows]


def test_one_event_per_account_with_its_lots(read: Read) -> None:
    text = (
        f"{HEADER}"
        "A2,,X,b1,10,100.10,,2020-03-02,,,o1,\n"
        "A1,S1,Y,a1,1.5,30,,2021-01-04,2020-12-01,,,\n"
        "A2,,Y,b2,2,,,2020-03-03,,gift,o1,missing\n"
        "A1,,X,a2,3,60,55,2019-05-06,,reinvest,o1,\n"
    )
    events = opening_files.lots(read("lots", text), KNOWN, ASOF)
    assert events.account_id.tolist() == [1, 2]
    assert events.household_id.tolist() == [10, 20]
    assert events.kind.tolist() == [EventKind.OPENING] * 2
    assert events.effective.tolist() == [ASOF] * 2
    assert events.lots_start.tolist() == [0, 2, 4]
    lots = events.lots
    assert lots.security_id.tolist() == [6, 5, 5, 6]
    assert lots.sleeve_id.tolist() == [11, 0, 0, 0]
    assert lots.quantity_nano.tolist() == [1_500_000_000, 3 * 10**9, 10**10, 2 * 10**9]
    assert lots.basis_cents.tolist() == [3000, 6000, 10010, 0]
    assert lots.loss_basis_cents.tolist() == [3000, 5500, 10010, 0]
    assert lots.holding_from[0] == np.datetime64("2020-12-01")
    assert (lots.holding_from[1:] == lots.acquired[1:]).all()
    assert np.isnat(lots.purchased).tolist() == [False, False, False, True]
    assert lots.basis_state.tolist() == [0, 0, 0, 2]
    assert lots.covered.tolist() == [1] * 4


def test_orders_have_numbers_of_their_own_account(read: Read) -> None:
    rows = "A1,,X,1,1,1,,2020-03-02,,,o1,\nA1,,X,2,1,1,,2020-03-02,,,o1,\nA2,,X,3,1,1,,2020-03-02,,,o1,\n"
    text = f"{HEADER}{rows}A2,,X,4,1,1,,2020-03-02,,,,\n"
    first, second, third, none = opening_files.lots(read("lots", text), KNOWN, ASOF).lots.order_id.tolist()
    assert first == second != third
    assert none == 0
    assert 1 << 61 <= min(first, third) < 1 << 63


def test_lots_of_unknown_closed_and_begun_accounts(read: Read) -> None:
    rows = "".join(f"{a},,X,{i},1,1,,2020-03-02,,,,\n" for i, a in enumerate(("A1", "A9", "A3", "A4", "A4")))
    assert told(lambda: opening_files.lots(read("lots", HEADER + rows), KNOWN, ASOF)) == [
        (3, "account", "unknown account 'A9'"),
        (4, "account", "account 'A3' was closed on 2023-01-02"),
        (5, "account", "account 'A4' already has its opening lots"),
    ]


def test_lots_of_unknown_securities_and_foreign_sleeves(read: Read) -> None:
    text = f"{HEADER}A2,S1,X,1,1,1,,2020-03-02,,,,\nA1,S7,ZZZ,2,1,1,,2020-03-02,,,,\n"
    assert told(lambda: opening_files.lots(read("lots", text), KNOWN, ASOF)) == [
        (2, "sleeve", "the sleeve belongs to another account"),
        (3, "sleeve", "unknown sleeve 'S7'"),
        (3, "security", "unknown security 'ZZZ'"),
    ]


def test_a_bad_row_does_not_hide_unknown_names_elsewhere(read: Read) -> None:
    text = f"{HEADER}A1,,X,1,ten,1,,2020-03-02,,,,\nA9,,X,2,1,1,,2020-03-02,,,,\n"
    found = told(lambda: opening_files.lots(read("lots", text), KNOWN, ASOF))
    assert [(line, column) for line, column, _ in found] == [(2, "quantity"), (3, "account")]


def test_cash(read: Read) -> None:
    events = opening_files.cash(read("cash", "account,amount\nA2,2500.25\nA1,0\n"), KNOWN, ASOF)
    assert events.account_id.tolist() == [1, 2]
    assert events.amount_cents.tolist() == [0, 250_025]
    assert events.kind.tolist() == [EventKind.OPENING_CASH] * 2
    assert told(lambda: opening_files.cash(read("cash", "account,amount\nA4,1\n"), KNOWN, ASOF)) == [
        (2, "account", "account 'A4' already has its opening cash")
    ]
