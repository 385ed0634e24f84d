"""Basis that arrives after its lots puts right the event that brought them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind
from allotment.book.lots import BasisState
from allotment.errors import DataError
from allotment.ledger.corrections import in_force
from allotment.ledger.events import PROVISIONAL, AccountTable, EventKind, Events
from allotment.ledger.fold import BookState, fold
from allotment.ledger.late_basis import LateBasis, correct_basis
from allotment.ledger.write import BroughtLot, EventWriter, concatenate
from allotment.tax.identical import IdenticalGroups

SHARE = 10**9
OWNER = (1, 10)
CAME = date(2024, 3, 4)
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


def lot(shares: int, usd: int, state: BasisState) -> BroughtLot:
    return BroughtLot(
        security_id=5,
        quantity_nano=shares * SHARE,
        basis_cents=usd * 100,
        acquired=CAME if state else date(2020, 5, 4),
        purchased=not state,
        basis_state=state,
    )


def transferred() -> EventWriter:
    """Two transfers; of the first, one lot's basis is known, one pending and one missing."""
    book = EventWriter()
    lots = [lot(10, 500, BasisState.KNOWN), lot(10, 0, BasisState.MISSING), lot(10, 900, BasisState.PENDING)]
    book.write(EventKind.TRANSFER_IN, *OWNER, CAME, lots=lots, detail=PROVISIONAL)
    book.write(EventKind.TRANSFER_IN, *OWNER, CAME, lots=[lot(5, 0, BasisState.MISSING)], detail=PROVISIONAL)
    return book


def late(*rows: tuple[int, int, int, str]) -> LateBasis:
    """(event, line, basis in dollars, day of purchase)."""
    days = np.array([row[3] for row in rows], "M8[D]")
    basis = np.array([row[2] * 100 for row in rows])
    return LateBasis(
        event=np.array([row[0] for row in rows]),
        line=np.array([row[1] for row in rows]),
        basis_cents=basis,
        loss_basis_cents=basis,
        acquired=days,
        holding_from=days,
        purchased=days,
        covered=np.ones(len(rows), np.int8),
    )


def folded(events: Events) -> BookState:
    state = fold(events, ACCOUNTS, IdenticalGroups.alone(np.array([5])))
    assert state.problems == ()
    return state


def test_a_sale_of_shares_without_basis_is_taxed_anew_when_the_basis_comes() -> None:
    book = transferred()
    book.sell(OWNER, date(2024, 4, 1), 5, 10, 1200, [(1, 1, 10 * SHARE)])
    before = folded(book.events())
    assert before.taxpayer.disposals.gain_cents.tolist() == [120_000]
    assert before.taxpayer.disposals.long_term.tolist() == [0]
    correction = correct_basis(in_force(book.events()), late((1, 1, 1500, "2019-02-01")))
    assert (correction.kind.tolist(), correction.reverses.tolist()) == ([EventKind.TRANSFER_IN], [1])
    assert correction.detail.tolist() == [PROVISIONAL]  # one lot still waits
    after = folded(concatenate([book.events(), replace(correction, ledger_seq=np.array([9]))]))
    assert after.taxpayer.disposals.gain_cents.tolist() == [-30_000]
    assert after.taxpayer.disposals.long_term.tolist() == [1]
    assert after.taxpayer.lots.quantity_nano.sum() == before.taxpayer.lots.quantity_nano.sum()
    assert sorted(after.taxpayer.lots.basis_state.tolist()) == [0, 1, 2]


def test_a_second_correction_puts_right_what_stands() -> None:
    book = transferred()
    first = correct_basis(in_force(book.events()), late((1, 1, 1500, "2019-02-01"), (2, 0, 40, "2018-02-01")))
    assert first.reverses.tolist() == [1, 2]
    assert first.detail.tolist() == [PROVISIONAL, 0]
    events = concatenate([book.events(), replace(first, ledger_seq=np.array([7, 8]))])
    second = correct_basis(in_force(events), late((1, 2, 950, "2021-02-01")))
    assert second.reverses.tolist() == [7]
    assert second.detail.tolist() == [0]
    after = folded(concatenate([events, replace(second, ledger_seq=np.array([20]))]))
    lots = after.taxpayer.lots
    assert dict(zip(lots.origin_line.tolist(), lots.basis_cents.tolist(), strict=True)).keys() == {0, 1, 2}
    assert sorted(lots.basis_cents.tolist()) == [4_000, 50_000, 95_000, 150_000]
    assert set(lots.origin_event.tolist()) == {1, 2}
    assert (lots.basis_state == BasisState.KNOWN).all()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(1, 3, 1, "2019-02-01")], r"no event in force brought lot \(1, 3\)"),
        ([(3, 0, 1, "2019-02-01")], r"no event in force brought lot \(3, 0\)"),
        ([(4, 0, 1, "2019-02-01")], r"no event in force brought lot \(4, 0\)"),
        ([(1, 1, 1, "2019-02-01"), (1, 1, 2, "2019-02-01")], "its basis twice"),
        ([(1, 1, 1, "2024-03-05")], "before it was acquired: 2024-03-05"),
    ],
)
def test_what_cannot_be_right_corrects_nothing(rows: list[tuple[int, int, int, str]], says: str) -> None:
    book = transferred()
    book.buy(OWNER, date(2024, 3, 6), 5, 1, 10)
    with pytest.raises(DataError, match=says):
        correct_basis(in_force(book.events()), late(*rows))
