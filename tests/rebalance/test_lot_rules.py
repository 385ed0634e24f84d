"""Lots that stay, and the order in which a venue closes them."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotment.book.lots import BasisState
from allotment.book.venue import LotMode, Relief, Venue
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy, prepare
from allotment.rebalance.decide import Versions
from allotment.rebalance.household import decide
from allotment.rebalance.lot_rules import closing_order
from allotment.rebalance.year_so_far import YearSoFar

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of


def sellable(market, case, lots, **mandate) -> list[bool]:
    return prepare(case(lots, 1e5, mandate=mandate), market, CostPolicy()).problem.lot_sellable.tolist()


def test_a_short_gain_near_long_term_waits(market, case) -> None:
    """Bought 1 August 2024: long-term from 2 August 2025, 33 days after 30 June. Losses do not wait."""
    lots = lots_of((3, 10, 900, "2024-08-01"), (3, 10, 1_100, "2024-08-01"), (3, 10, 900, "2023-08-01"))
    assert sellable(market, case, lots) == [True, True, True]
    assert sellable(market, case, lots, near_long_days=33) == [False, True, True]
    assert sellable(market, case, lots, near_long_days=32) == [True, True, True]


def test_a_small_lot_stays_unless_its_name_must_go(market, case) -> None:
    """Security 4 is tobacco."""
    lots = lots_of((3, 0.4, 900, "2023-08-01"), (4, 0.4, 900, "2023-08-01"))
    assert sellable(market, case, lots, lot_usd_min=50.0) == [False, False]
    without = sellable(market, case, lots, lot_usd_min=50.0, excluded_flags=("flag_tobacco",))
    assert without == [False, True]


def test_a_kept_lot_stays_whatever_else_is_asked(market, case) -> None:
    lots = lots_of((4, 10, 900, "2023-08-01"), (4, 10, 900, "2023-08-01"))
    kept = sellable(market, case, lots, kept_lots=((1, 0),), excluded_flags=("flag_tobacco",))
    assert kept == [False, True]


HISTORY = (
    # event: bought, dollars a share
    (3, 1, 90, "2023-03-01"),  # 1
    (3, 1, 140, "2023-01-03"),  # 2
    (3, 1, 60, "2024-12-01"),  # 3
    (3, 1, 101, "2025-02-01"),  # 4
)


@pytest.mark.parametrize(
    ("venue", "events"),
    [
        (Venue(code="V", lot_mode=LotMode.DEFAULT), [2, 1, 3, 4]),
        (Venue(code="V", lot_mode=LotMode.METHOD, relief=Relief.LIFO), [4, 3, 1, 2]),
        (Venue(code="V", lot_mode=LotMode.METHOD, relief=Relief.HIFO), [2, 4, 1, 3]),
        # Tax per share at 100: 10 long, -40 long, 40 short, -1 short.
        (Venue(code="V", lot_mode=LotMode.METHOD, relief=Relief.MIN_TAX), [2, 4, 1, 3]),
    ],
)
def test_lots_leave_in_the_order_of_the_method(venue, events) -> None:
    lots = lots_of(*HISTORY)
    is_long = np.array([True, True, False, False])
    order = closing_order(lots, np.full(4, 1e4 / 1e9), is_long, venue)
    assert lots.origin_event[order].tolist() == events


def test_first_in_first_out_by_holding_period_where_the_venue_does_so() -> None:
    """The third lot took over the holding period of a washed sale."""
    holding = np.array(["2023-03-01", "2023-01-03", "2022-06-01", "2025-02-01"], "M8[D]")
    lots = replace(lots_of(*HISTORY), holding_from=holding)
    by_holding = Venue(code="V", lot_mode=LotMode.DEFAULT, fifo_by_holding_from=True)
    plain = Venue(code="V", lot_mode=LotMode.DEFAULT)
    price, is_long = np.full(4, 1e4 / 1e9), np.ones(4, np.bool_)
    assert lots.origin_event[closing_order(lots, price, is_long, by_holding)].tolist() == [3, 2, 1, 4]
    assert lots.origin_event[closing_order(lots, price, is_long, plain)].tolist() == [2, 1, 3, 4]


@pytest.mark.parametrize(("relief", "place"), [(Relief.FIFO, 0), (Relief.LIFO, 3), (Relief.HIFO, 3)])
def test_a_lot_of_unknown_basis_is_first_in_fifo_and_last_else(relief, place) -> None:
    unknown = np.array([0, 0, 0, BasisState.MISSING], np.int8)
    lots = replace(lots_of(*HISTORY), basis_state=unknown)
    venue = Venue(code="V", lot_mode=LotMode.METHOD, relief=relief)
    order = closing_order(lots, np.full(4, 1e4 / 1e9), np.ones(4, np.bool_), venue)
    assert lots.origin_event[order].tolist().index(4) == place


def test_a_default_only_venue_sells_the_gain_before_the_loss(market, case) -> None:
    """FIFO: the oldest lot has a gain, the younger one a loss that is worth having."""
    lots = lots_of((3, 20, 1_800, "2022-01-03"), (3, 20, 6_000, "2025-01-03"))

    def first_sold(lot_mode: LotMode) -> set[int]:
        ready = case(lots, 1e5, venue={"lot_mode": lot_mode})
        made = decide(
            [ready], market, CostPolicy(), Versions(engine="t", rules="t"), YearSoFar({}), solve_batch
        )
        trades = made.proposals[0].trades
        return set(trades.origin_event[trades.side < 0].tolist())

    assert first_sold(LotMode.NAMED) == {2}
    assert first_sold(LotMode.DEFAULT) >= {1}
