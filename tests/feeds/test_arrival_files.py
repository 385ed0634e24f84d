from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from allotment.book.carried import CarriedPrice
from allotment.book.household import Account, AccountKind, Sleeve
from allotment.errors import BadFileError
from allotment.feeds import arrival_files
from allotment.feeds.arrival_files import NamedArrival
from allotment.feeds.references import Known, SecurityLookup
from allotment.feeds.table import Table
from allotment.ledger.events import PROVISIONAL, EventKind
from allotment.market.security import Security, SecurityKind

ASOF = date(2024, 6, 28)
Read = Callable[[str, str | bytes], Table]
HEADER = "account,transfer,day,sleeve,security,lot,quantity,basis,acquired,origin,basis_state\n"


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
        [
            Security(security_id=5, code="X", name="X"),
            Security(security_id=6, code="BOND", name="B", kind=SecurityKind.BOND),
        ]
    ),
    accounts={a.code: a for a in (account(1), account(2), account(3, date(2024, 6, 3)))},
    sleeves={"S1": Sleeve(sleeve_id=11, code="S1", account_id=1)},
)


def told(make: Callable[[], object]) -> list[tuple[int, str, str]]:
    with pytest.raises(BadFileError) as caught:
        make()
    return [(bad.line, bad.column, bad.found) for bad in caught.value.rows]


def test_one_event_per_transfer_with_named_lots(read: Read) -> None:
    text = (
        f"{HEADER}"
        "A2,T9,2024-06-04,,X,b1,10,100.10,2020-03-02,,\n"
        "A1,T1,2024-06-03,S1,X,a1,1.5,,,,missing\n"
        "A2,T9,2024-06-04,,X,b2,2,50,2021-03-02,gift,\n"
        "A2,T8,2024-06-05,,X,b1,3,60,2019-05-06,,pending\n"
    )
    made = arrival_files.transfers(read("transfers", text), KNOWN, frozenset(), ASOF)
    events = made.events
    assert events.kind.tolist() == [EventKind.TRANSFER_IN] * 3
    assert events.account_id.tolist() == [2, 1, 2]
    assert events.household_id.tolist() == [20, 10, 20]
    assert events.effective.tolist() == [date(2024, 6, 4), date(2024, 6, 3), date(2024, 6, 5)]
    assert events.detail.tolist() == [0, PROVISIONAL, PROVISIONAL]
    assert events.lots_start.tolist() == [0, 2, 3, 4]
    assert made.source_ids == ("2 T9", "1 T1", "2 T8")
    lots = events.lots
    assert lots.quantity_nano.tolist() == [10 * 10**9, 2 * 10**9, 1_500_000_000, 3 * 10**9]
    assert lots.basis_state.tolist() == [0, 0, 2, 1]
    assert lots.sleeve_id.tolist() == [0, 0, 11, 0]
    # Of the lot without a basis nothing is known: held since it came, and no purchase.
    assert lots.acquired[2] == lots.holding_from[2] == np.datetime64("2024-06-03")
    assert np.isnat(lots.purchased).tolist() == [False, True, True, False]
    assert [(n.event_seq, n.line, n.transfer, n.name) for n in made.names] == [
        (1, 0, "T9", "b1"),
        (1, 1, "T9", "b2"),
        (2, 0, "T1", "a1"),
        (3, 0, "T8", "b1"),
    ]


def test_every_mistake_of_transfers_with_its_line_and_column(read: Read) -> None:
    text = (
        f"{HEADER}"
        "A1,T1,2024-06-03,,X,1,1,,2020-03-02,,\n"  # no basis
        "A1,T1,2024-06-03,,X,2,1,5,,,\n"  # no day of purchase
        "A1,T1,2024-06-04,,X,3,1,5,2020-03-02,,\n"  # another day
        "A2,T2,2024-06-04,S1,X,1,1,5,2024-06-05,,\n"  # bought after it came; another's sleeve
        "A3,T3,2024-06-04,,X,1,1,5,2020-03-02,,\n"  # closed
        "A9,T3,2024-06-04,,Y,1,1,5,2020-03-02,,\n"
        "A1,T7,2024-06-03,,X,1,1,5,2020-03-02,,\n"
        "A1,T8,2024-06-03,,X,1,1,5,2020-03-02,,\n"
        "A1,T8,2024-06-03,,X,1,1,5,2020-03-02,,\n"
    )
    found = told(lambda: arrival_files.transfers(read("transfers", text), KNOWN, frozenset({"1 T7"}), ASOF))
    assert found == [
        (2, "basis", "found nothing"),
        (3, "acquired", "found nothing"),
        (4, "day", "2024-06-04, and line 2 of the same transfer says 2024-06-03"),
        (5, "sleeve", "the sleeve belongs to another account"),
        (5, "acquired", "2024-06-05 is after `day`, 2024-06-04"),
        (6, "account", "account 'A3' was closed on 2024-06-03"),
        (7, "account", "unknown account 'A9'"),
        (7, "security", "unknown security 'Y'"),
        (8, "transfer", "transfer 'T7' of the account is booked already"),
        (10, "account, transfer, lot", "repeats line 9 (the same account, transfer, lot)"),
    ]


def test_names_of_an_opening_are_those_that_wait(read: Read) -> None:
    text = (
        "account,security,lot,quantity,basis,acquired,basis_state\n"
        "A2,X,b1,1,1,2020-03-02,\n"
        "A1,X,a1,1,,2020-03-02,missing\n"
        "A2,X,b2,1,7,2020-03-02,pending\n"
        "A2,X,,2,7,2020-03-02,pending\n"
    )
    names = arrival_files.opening_names(read("lots", text), KNOWN)
    assert [(n.event_seq, n.line, n.account_id, n.transfer, n.name) for n in names] == [
        (1, 0, 1, "", "a1"),
        (2, 1, 2, "", "b2"),
    ]


ARRIVED = {
    (1, "T1", "a1"): NamedArrival(event_seq=40, line=3, came=date(2024, 6, 3), quantity_nano=10**9),
    (1, "", "o1"): NamedArrival(event_seq=7, line=0, came=date(2024, 1, 2), quantity_nano=2 * 10**9),
}
LATE = "account,transfer,lot,quantity,basis,loss_basis,acquired,holding_from,origin,covered\n"


def test_a_late_basis_finds_its_lot(read: Read) -> None:
    text = f"{LATE}A1,T1,a1,1,55.50,,2019-02-01,,,\nA1,,o1,,90,80,2018-02-01,2017-02-01,gift,no\n"
    late = arrival_files.late_basis(read("late_basis", text), KNOWN, ARRIVED)
    assert (late.event.tolist(), late.line.tolist()) == ([40, 7], [3, 0])
    assert late.basis_cents.tolist() == [5_550, 9_000]
    assert late.loss_basis_cents.tolist() == [5_550, 8_000]
    assert late.holding_from.tolist() == [date(2019, 2, 1), date(2017, 2, 1)]
    assert np.isnat(late.purchased).tolist() == [False, True]
    assert late.covered.tolist() == [1, 0]


def test_every_mistake_of_a_late_basis_with_its_line_and_column(read: Read) -> None:
    text = (
        f"{LATE}"
        "A1,T1,zz,,1,,2019-02-01,,,\n"
        "A1,,zz,,1,,2019-02-01,,,\n"
        "A1,T1,a1,2,1,,2024-06-04,,,\n"
        "A9,T1,a1,,1,,2019-02-01,,,\n"
        "A1,,o1,,,,2019-02-01,2020-01-01,,\n"
    )
    assert told(lambda: arrival_files.late_basis(read("late_basis", text), KNOWN, ARRIVED)) == [
        (2, "lot", "no lot 'zz' came with transfer 'T1' of the account"),
        (3, "lot", "no lot 'zz' came with the opening of the account"),
        (4, "quantity", "the lot came with 1 shares"),
        (4, "acquired", "2024-06-04 is after 2024-06-03, the day on which the lot came"),
        (5, "account", "unknown account 'A9'"),
        (6, "basis", "found nothing"),
        (6, "holding_from", "2020-01-01 is after `acquired`, 2019-02-01"),
    ]


def test_prices_of_what_is_carried_alone(read: Read) -> None:
    text = "account,security,day,price\nA1,BOND,2024-06-28,0.985\n"
    price = CarriedPrice(account_id=1, security_id=6, day=ASOF, price_micros=985_000)
    assert arrival_files.carried_prices(read("carried_prices", text), KNOWN, ASOF) == [price]
    wrong = f"{text}A1,X,2024-06-28,10\nA9,BOND,2024-06-28,-1\n"
    assert told(lambda: arrival_files.carried_prices(read("carried_prices", wrong), KNOWN, ASOF)) == [
        (3, "security", "the security is a common, which is traded"),
        (4, "account", "unknown account 'A9'"),
        (4, "price", "'-1' is negative"),
    ]
