"""Gifts, estates, donations and transfers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Replay = Callable[..., Any]


@pytest.mark.parametrize(
    ("price", "gain", "term"),
    [
        ("12000", "2000", "L"),
        ("10000", "0", "L"),
        ("9000", "0", "L"),
        ("8000", "0", "L"),
        ("7999.99", "-0.01", "S"),
        ("7000", "-1000", "S"),
    ],
)
def test_a_gift_below_the_donors_basis_has_two_bases(
    replayed: Replay, price: str, gain: str, term: str
) -> None:
    """§1015(a): donor's basis 10,000, worth 8,000 at the gift; a loss counts from the gift."""
    done = replayed(f"""
        2024-03-01 gift_in X qty=100 donor_basis=10000 fmv=8000 donor_acq=2020-01-02
        2024-06-03 sell    X qty=100 amount={price}
    """)
    assert done.sold("t2")["gain"] == Decimal(gain)
    assert done.terms("t2") == {term}


def test_inherited_shares_are_long_term_at_once(replayed: Replay) -> None:
    """§§1014(a), 1223(9)."""
    done = replayed("""
        2024-03-01 inherit X qty=100 fmv=8000
        2024-03-01 sell    X qty=100 amount=9000
    """)
    assert done.sold("t2")["gain"] == 1000
    assert done.terms("t2") == {"L"}


def test_a_donation_recognises_nothing_and_the_basis_leaves(replayed: Replay) -> None:
    done = replayed("""
        2022-03-01 buy    X qty=100 amount=1000
        2024-03-01 donate X qty=60 price=50
    """)
    assert done.rows == []
    assert done.basis("t1") == 400
    assert done.folded.conservation.given.tolist() == [0, 60000]


def test_a_donation_gives_the_long_term_lots_with_the_most_gain_first(replayed: Replay) -> None:
    """§170(e)(1)(A): long-term gains by share of gain, then short-term ones at their basis, losses last."""
    lots = """
        2020-01-02 buy    X qty=10 amount=900
        2020-02-03 buy    X qty=10 amount=200
        2021-03-01 buy    X qty=10 amount=1500
        2020-03-02 buy    X qty=10 amount=500
        2024-01-02 buy    X qty=10 amount=600
        2024-02-01 buy    X qty=10 amount=950
        2024-02-02 buy    X qty=10 amount=1000
        2024-02-05 buy    X qty=10 amount=1100
    """.replace("2021-03-01", "2020-03-01")
    order = ["t2", "t4", "t1", "t6", "t5", "t7", "t8", "t3"]
    for n in range(1, 9):
        gift = f"2024-03-01 donate X qty={10 * n} price=100 method=donation"
        left = {row["origin"] for row in replayed(lots + gift).lots}
        assert left == set(order[n:])


def test_a_gift_worth_neither_gain_nor_loss_is_donated_before_a_loss(replayed: Replay) -> None:
    """§1015(a): basis 300, worth 150 when given; at 200 it has neither, though it cost more than the
    lot with a loss of 50, which is better sold."""
    done = replayed("""
        2020-01-02 gift_in X qty=10 donor_basis=300 fmv=150 donor_acq=2019-01-02
        2020-02-03 buy     X qty=10 amount=250
        2024-03-01 donate  X qty=10 price=20 method=donation
    """)
    assert {row["origin"] for row in done.lots} == {"t2"}


def test_without_a_method_a_donation_follows_the_standing_one(replayed: Replay) -> None:
    done = replayed("""
        2020-01-02 buy    X qty=10 amount=900
        2020-02-03 buy    X qty=10 amount=200
        2024-03-01 donate X qty=10 price=100
    """)
    assert {row["origin"] for row in done.lots} == {"t2"}


def test_a_transfer_in_kind_changes_only_the_account(replayed: Replay) -> None:
    """The purchase stays what it was: its loss is not washed by its own rest elsewhere."""
    done = replayed(
        """
        2024-05-10 buy      X account=A qty=100 amount=5000
        2024-05-20 transfer X from=A to=B lots=t1*40
        2024-06-03 sell     X account=B qty=40 amount=1000
        """,
        {"A": {}, "B": {}},
    )
    assert done.sold("t3")["gain"] == -1000
    assert {row["account"] for row in done.lots} == {"A"}


def test_a_whole_lot_goes_to_another_account_with_all_that_it_is(replayed: Replay) -> None:
    done = replayed(
        """
        2022-05-10 buy      X account=A qty=100 amount=5000
        2024-05-20 transfer X from=A to=B lots=t1*100
        2024-06-03 sell     X account=B qty=40 amount=3000 lots=t1*40
        2024-06-04 buy      X account=A qty=10 amount=700
        """,
        {"A": {}, "B": {}},
    )
    assert done.sold("t3")["gain"] == 1000
    assert done.terms("t3") == {"L"}
    assert [(row["account"], row["qty"], row["basis"]) for row in done.lots] == [
        ("A", "10", "700.00"),
        ("B", "60", "3000.00"),
    ]
