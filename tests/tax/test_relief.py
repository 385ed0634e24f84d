"""Which lots a sale closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Replay = Callable[..., Any]

LOTS = """
    2022-01-10 buy X qty=10 amount=300
    2022-06-10 buy X qty=10 amount=500
    2024-01-10 buy X qty=10 amount=450
    2024-02-12 buy X qty=10 amount=200
"""


@pytest.mark.parametrize(
    ("method", "closed"),
    [
        ("fifo", "t1"),
        ("lifo", "t4"),
        ("hifo", "t2"),
        ("lofo", "t4"),
        ("hifo_long_first", "t2"),
        ("hifo_short_first", "t3"),
        ("max_loss", "t2"),
        ("max_gain", "t4"),
        ("min_tax_rank", "t3"),  # a short-term loss before the larger long-term one
        ("min_tax_dollars", "t2"),  # -10 at 23.8 % against -5 at 40.8 %: 2.38 against 2.04
    ],
)
def test_each_method_picks_its_lot(replayed: Replay, method: str, closed: str) -> None:
    by_policy = replayed(LOTS + "\n2024-06-03 sell X qty=5 amount=200", lot_method=method)
    by_order = replayed(LOTS + f"\n2024-06-03 sell X qty=5 amount=200 method={method}")
    assert {row["lot"] for row in by_policy.rows} == {row["lot"] for row in by_order.rows} == {closed}


def test_average_spreads_basis_and_closes_first_in(replayed: Replay) -> None:
    """§1012(c)(2): 1,450 over 40 shares."""
    done = replayed(LOTS + "\n2024-06-03 sell X qty=20 amount=800", lot_method="average")
    assert done.sold("t5")["basis"] == 725
    assert {row["lot"] for row in done.rows} == {"t1", "t2"}


def test_named_lots_count_only_when_identified_by_settlement(replayed: Replay) -> None:
    """Reg. §1.1012-1(c)(8) [M]: sold on Monday 3 June 2024, settlement is 4 June (T+1)."""
    sale = "\n2024-06-03 sell X qty=10 amount=400 lots=t3*10 identified={}"
    assert {row["lot"] for row in replayed(LOTS + sale.format("2024-06-04")).rows} == {"t3"}
    assert {row["lot"] for row in replayed(LOTS + sale.format("2024-06-05")).rows} == {"t1"}


def test_a_custodian_may_go_by_holding_period(replayed: Replay) -> None:
    """A replacement lot whose period was tacked stands first by holding-period date."""
    text = """
        2023-01-10 buy  X qty=10 amount=500
        2023-11-10 buy  X qty=10 amount=500
        2024-06-03 sell X qty=10 amount=400 lots=t1*10
        2024-06-10 buy  X qty=10 amount=400
        2024-08-01 sell X qty=10 amount=600
    """
    assert {row["lot"] for row in replayed(text).rows if row["sell"] == "t5"} == {"t2"}
    by_holding = replayed(text, fifo_key="holding_from")
    assert {row["lot"] for row in by_holding.rows if row["sell"] == "t5"} == {"t4"}


def test_residue_of_rounding_stays_with_the_rest(replayed: Replay) -> None:
    """$100.00 over three shares sold singly: 33.33, 33.34, 33.33."""
    done = replayed("""
        2024-01-10 buy  X qty=3 amount=100
        2024-06-03 sell X qty=1 amount=50
        2024-06-04 sell X qty=1 amount=50
        2024-06-05 sell X qty=1 amount=50
    """)
    assert [row["basis"] for row in done.rows] == ["33.33", "33.34", "33.33"]
