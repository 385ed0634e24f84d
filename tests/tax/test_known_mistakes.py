"""Mistakes seen in public code, each with the figure that the mistake would give."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

Replay = Callable[..., Any]


def test_a_replacement_of_ten_shares_does_not_wash_a_hundred(replayed: Replay) -> None:
    """One replacement per whole lot, without share counts (LT12/washsale-notebook): 1,000 disallowed."""
    made = replayed("""
        2024-01-10 buy X qty=100 amount=5000
        2025-03-03 sell X qty=100 amount=4000
        2025-03-10 buy X qty=10 amount=400
    """)
    assert made.sold("t2")["disallowed"] == 100


def test_three_hundred_and_sixty_six_days_can_be_short_term(replayed: Replay) -> None:
    """ "More than 365 days" (LT12/washsale-notebook) calls the first sale long-term."""
    made = replayed("""
        2024-02-05 buy X qty=2 amount=100
        2025-02-05 sell X qty=1 amount=60
        2025-02-06 sell X qty=1 amount=60
    """)
    assert (made.terms("t2"), made.terms("t3")) == ({"S"}, {"L"})


def test_each_sale_has_the_basis_of_its_own_lot(replayed: Replay) -> None:
    """The first purchase as the basis of every sale (CoderJeffrey/washsale-calculator): gain of 500."""
    made = replayed("""
        2024-01-10 buy X qty=10 amount=100
        2024-02-12 buy X qty=10 amount=400
        2025-03-03 sell X qty=10 amount=600
        2025-03-04 sell X qty=10 amount=600
    """)
    assert made.sold("t4")["gain"] == 200


def test_the_rest_of_a_purchase_replaces_nothing_of_it(replayed: Replay) -> None:
    """The shares left of the same purchase taken as the replacement: the loss would be disallowed."""
    made = replayed("""
        2025-03-03 buy X qty=100 amount=1000
        2025-03-10 sell X qty=60 amount=300
    """)
    assert made.sold("t2")["disallowed"] == 0
    assert made.basis("t1") == Decimal(400)


def test_a_share_that_has_washed_one_loss_washes_no_other(replayed: Replay) -> None:
    """A purchase matched again with every loss of its window: 2,000 disallowed."""
    made = replayed("""
        2024-01-10 buy X qty=100 amount=6000
        2024-01-11 buy X qty=100 amount=6000
        2025-03-03 sell X qty=100 amount=5000 lots=t1*100
        2025-03-04 sell X qty=100 amount=5000 lots=t2*100
        2025-03-10 buy X qty=100 amount=5000
    """)
    assert made.sold("t3")["disallowed"] + made.sold("t4")["disallowed"] == 1_000


def test_a_washed_loss_does_not_vanish(replayed: Replay) -> None:
    """A disallowed loss dropped instead of added to the basis: gain of 300 at the end."""
    made = replayed("""
        2024-01-10 buy X qty=10 amount=1000
        2025-03-03 sell X qty=10 amount=700
        2025-03-10 buy X qty=10 amount=700
        2025-06-10 sell X qty=10 amount=1000
    """)
    assert made.sold("t4")["gain"] == 0
    assert made.sold("t4")["basis"] == 1_000


def test_the_thirty_first_day_is_clean(replayed: Replay) -> None:
    """A window of a calendar month: 1 March to 1 April would be inside it."""
    made = replayed("""
        2024-01-10 buy X qty=10 amount=1000
        2025-03-01 sell X qty=10 amount=700
        2025-04-01 buy X qty=10 amount=700
    """)
    assert made.sold("t2")["disallowed"] == 0
