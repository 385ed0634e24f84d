"""What corporate actions do to lots on the shelf, by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from allotment.simulate.world import shelf as shelves
from allotment.simulate.world.happenings import apply_actions, dividends
from allotment.simulate.world.plans import ACCOUNT, DESK, FLOW, LEGACY, Plans
from allotment.simulate.world.shelf import Day, Journal, Shelf, empty_journal, empty_shelf, put_lot
from allotment.simulate.world.tape import (
    ACTION,
    DIVIDEND_ROW,
    EXIT,
    MERGER,
    NAME,
    SESSION,
    SPIN_OFF,
    SPLIT,
    Tape,
)

SHARE = 1_000_000_000
PARENT, OTHER = 0, 1
PRICES_USD = (80.0, 40.0)  # after the action


def test_a_split_multiplies_each_lot_and_is_an_event() -> None:
    desk = _desk((SPLIT, PARENT, -1, 3, 1, 0))
    desk.hold(PARENT, 10 * SHARE, 1_000_00)
    desk.hold(PARENT, 7 * SHARE, 900_00)
    desk.apply()
    assert desk.lots() == [(PARENT, 30 * SHARE, 1_000_00), (PARENT, 21 * SHARE, 900_00)]
    assert desk.position(PARENT) == 51 * SHARE
    assert desk.journal.events["kind"][: desk.journal.used[shelves.EVENTS]].tolist() == [shelves.SPLIT_EVENT]


def test_a_reverse_split_pays_fractions_where_only_whole_shares_are_held() -> None:
    """25 shares for 1 in 10 are 2.5: the half is sold at $80 with a fifth of the basis."""
    desk = _desk((SPLIT, PARENT, -1, 1, 10, 0), step=SHARE)
    desk.hold(PARENT, 25 * SHARE, 1_000_00)
    desk.apply()
    assert desk.lots() == [(PARENT, 2 * SHARE, 800_00)]
    assert desk.cash() == 40_00
    fractional = _desk((SPLIT, PARENT, -1, 1, 10, 0))
    fractional.hold(PARENT, 25 * SHARE, 1_000_00)
    fractional.apply()
    assert fractional.lots() == [(PARENT, 5 * SHARE // 2, 1_000_00)]


def test_a_spin_off_shares_the_basis_by_value_and_keeps_the_day() -> None:
    """Half a child at $40 is worth $20 beside a parent at $80: a fifth of the basis moves."""
    desk = _desk((SPIN_OFF, PARENT, OTHER, 1, 2, 20_000_000))
    desk.hold(PARENT, 10 * SHARE, 1_000_00)
    desk.apply()
    assert desk.lots() == [(PARENT, 10 * SHARE, 800_00), (OTHER, 5 * SHARE, 200_00)]
    assert desk.shelf.lots["acquired"][0, :2].tolist() == [100, 100]


def test_a_child_that_nobody_prices_comes_as_cash() -> None:
    desk = _desk((SPIN_OFF, PARENT, -1, 1, 2, 20_000_000))
    desk.hold(PARENT, 10 * SHARE, 1_000_00)
    desk.apply()
    assert desk.lots() == [(PARENT, 10 * SHARE, 800_00)]
    assert desk.cash() == 200_00


def test_a_stock_merger_exchanges_lots_with_their_basis() -> None:
    desk = _desk((MERGER, PARENT, OTHER, 3, 2, 0))
    desk.hold(PARENT, 10 * SHARE, 1_000_00)
    desk.hold(OTHER, 1 * SHARE, 50_00)
    desk.apply()
    assert desk.lots() == [(OTHER, 15 * SHARE, 1_000_00), (OTHER, 1 * SHARE, 50_00)]
    assert desk.position(PARENT) == 0
    assert desk.position(OTHER) == 16 * SHARE


def test_an_exit_pays_its_own_price_and_names_every_lot() -> None:
    desk = _desk((EXIT, PARENT, -1, 1, 1, 12_340_000))
    desk.hold(PARENT, 10 * SHARE, 1_000_00)
    desk.hold(OTHER, 1 * SHARE, 50_00)
    desk.hold(PARENT, 1 * SHARE, 5_00)
    desk.apply()
    assert desk.lots() == [(OTHER, 1 * SHARE, 50_00)]
    assert desk.cash() == 135_74
    named = desk.journal.named["quantity"][: desk.journal.used[shelves.NAMED]]
    assert named.tolist() == [10 * SHARE, 1 * SHARE]


def test_dividends_are_paid_on_what_is_held() -> None:
    rows = np.array([(PARENT, 250_000), (OTHER, 1_000_000)], DIVIDEND_ROW)
    assert dividends(rows, np.array([100 * SHARE, 0])) == 25_00


@dataclass
class _Account:
    """One account on one day on which one action happens."""

    day: Day
    shelf: Shelf
    journal: Journal

    def hold(self, sec: int, quantity: int, basis: int) -> None:
        put_lot(self.shelf, 0, sec, quantity, basis, 100, 0, 0)

    def apply(self) -> None:
        apply_actions(self.day)

    def lots(self) -> list[tuple[int, int, int]]:
        held = self.shelf.lots[0, : self.shelf.purses["n_lots"][0]]
        return [(int(lot["sec"]), int(lot["quantity"]), int(lot["basis"])) for lot in held]

    def position(self, sec: int) -> int:
        return int(self.shelf.position[0, sec])

    def cash(self) -> int:
        return int(self.shelf.purses["cash"][0])


def _desk(action: tuple[int, int, int, int, int, int], step: int = 1_000) -> _Account:
    sessions = np.zeros(2, SESSION)
    sessions["day"], sessions["first_action"] = [200, 201], [0, 1]
    names = np.zeros(2, NAME)
    names["group"] = [0, 1]
    tape = Tape(
        sessions=sessions,
        price_micros=np.array([[round(usd * 1e6) for usd in PRICES_USD]]),
        trades=np.ones((1, 2), np.bool_),
        bench=np.full((1, 2), 0.5),
        rank=np.array([[0, 1]]),
        members=np.array([2]),
        dividends=np.zeros(0, DIVIDEND_ROW),
        actions=np.array([action], ACTION),
        names=names,
    )
    accounts = np.zeros(1, ACCOUNT)
    accounts["step"] = step
    plans = Plans(
        household_start=np.array([0, 1]),
        accounts=accounts,
        allowed=np.ones((1, 2), np.bool_),
        lottery=np.zeros((1, 2)),
        flow_start=np.zeros(2, np.int64),
        flows=np.zeros(0, FLOW),
        legacy_start=np.zeros(2, np.int64),
        legacy=np.zeros(0, LEGACY),
    )
    shelf, journal = empty_shelf(2, 2), empty_journal(10, 10, 10)
    return _Account(Day(tape, plans, shelf, journal, np.zeros(2, DESK), 0, 0, 0, True), shelf, journal)


@pytest.mark.parametrize("room", [0, 1])
def test_a_full_journal_says_so_and_keeps_what_it_has(room: int) -> None:
    """The caller starts over with more room; nothing is written beyond the end."""
    desk = _desk((EXIT, PARENT, -1, 1, 1, 12_340_000))
    desk.day = desk.day._replace(journal=empty_journal(room, room, room))
    desk.hold(PARENT, 10 * SHARE, 1_000_00)
    desk.hold(PARENT, 1 * SHARE, 5_00)
    desk.apply()
    assert desk.day.journal.used[shelves.OVERFLOW] == 1
