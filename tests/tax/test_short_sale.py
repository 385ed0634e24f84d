"""Short sales: §1233."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allotment.errors import BadFileError

Replay = Callable[..., Any]


def test_a_short_closed_with_shares_just_bought_is_short_term(replayed: Replay) -> None:
    """§1233(a); oldest short first, cost shared by shares."""
    done = replayed("""
        2023-01-10 short_sell X qty=100 amount=5000
        2024-05-10 short_sell X qty=50 amount=2000
        2024-06-03 cover      X qty=120 amount=3600
    """)
    assert done.sold("t3", "t1")["gain"] == 2000
    assert done.sold("t3", "t2")["gain"] == 800 - 600
    assert done.terms("t3") == {"S"}
    assert [(row["origin"], row["qty"], row["basis"]) for row in done.lots] == [("t2", "-30", "-1200.00")]


def test_a_loss_is_long_term_when_old_stock_was_held(replayed: Replay) -> None:
    """§1233(d), to the extent of the shares held for more than a year."""
    done = replayed("""
        2022-01-10 buy        X qty=60 amount=600
        2024-05-10 short_sell X qty=100 amount=2000
        2024-06-03 cover      X qty=100 amount=3000
    """)
    by_term = {row["term"]: Decimal(row["gain"]) for row in done.rows}
    assert by_term == {"L": -600, "S": -400}


def test_young_stock_starts_anew_when_the_short_is_closed(replayed: Replay) -> None:
    """§1233(b)(2): the earliest shares not yet long-term, up to the shares closed."""
    done = replayed("""
        2022-01-10 buy        X qty=10 amount=100
        2024-03-01 buy        X qty=60 amount=600
        2024-04-01 buy        X qty=60 amount=600
        2024-05-10 short_sell X qty=80 amount=2000
        2024-06-03 cover      X qty=80 amount=1600
    """)
    assert done.lot("t1")[0][2] == "2022-01-10"
    assert done.basis("t2") == 600
    assert {hp for _, _, hp in done.lot("t2")} == {"2024-06-03"}
    assert [(qty, hp) for qty, _, hp in done.lot("t3")] == [(20, "2024-06-03"), (40, "2024-04-01")]


def test_a_split_multiplies_shorts_too(replayed: Replay) -> None:
    done = replayed("""
        2024-05-10 short_sell X qty=10 amount=2000
        2024-05-20 split      X ratio=2:1
        2024-06-03 cover      X qty=20 amount=1600
    """)
    assert done.sold("t3")["gain"] == 400
    assert done.lots == []


@pytest.mark.parametrize(
    "line", ["2024-06-03 cover X qty=11 amount=1", "2024-06-03 stock_merger X to=Y ratio=1:1"]
)
def test_what_shorts_cannot_do_is_refused(replayed: Replay, line: str) -> None:
    with pytest.raises(BadFileError, match="short"):
        replayed(f"""
            2024-05-10 short_sell X qty=10 amount=2000
            {line}
        """)


# -- §1091(e)(2): another short within thirty days of the closing ---------------------------------------


def test_a_loss_is_deferred_onto_the_next_short(replayed: Replay) -> None:
    """The short opened on day 30 takes the loss of the shares that it matches; its closing shows it."""
    done = replayed("""
        2024-05-01 short_sell X qty=100 amount=5000
        2024-05-10 cover      X qty=100 amount=6000
        2024-06-09 short_sell X qty=60 amount=3600
        2024-08-01 cover      X qty=60 amount=3000
    """)
    assert done.sold("t2")["disallowed"] == 600
    assert done.sold("t2")["gain"] == -400
    assert done.sold("t4")["proceeds"] == 3000
    assert done.sold("t4")["gain"] == 0
    late = replayed("""
        2024-05-01 short_sell X qty=100 amount=5000
        2024-05-10 cover      X qty=100 amount=6000
        2024-06-10 short_sell X qty=60 amount=3600
    """)
    assert late.sold("t2")["gain"] == -1000
    assert late.lots[0]["basis"] == "-3600.00"


def test_a_short_of_the_thirty_days_before_takes_it_too(replayed: Replay) -> None:
    """The window begins thirty days before the closing; the oldest short inside it comes first."""
    done = replayed("""
        2024-03-01 short_sell X qty=30 amount=1500
        2024-04-09 short_sell X qty=30 amount=1500
        2024-04-10 short_sell X qty=10 amount=500
        2024-04-11 short_sell X qty=30 amount=1500
        2024-05-10 cover      X qty=30 amount=1800
    """)
    assert done.sold("t5")["disallowed"] == 300
    assert [(row["origin"], row["qty"], row["basis"]) for row in done.lots] == [
        ("t2", "-30", "-1500.00"),
        ("t3", "-10", "-400.00"),
        ("t4", "-20", "-800.00"),
        ("t4", "-10", "-500.00"),
    ]
    assert done.folded.conservation.held.tolist() == [0, 30000]


def test_a_short_share_takes_one_loss(replayed: Replay) -> None:
    """Twenty shares lose, fifteen are sold short again: the earlier loss first."""
    done = replayed(
        """
        2024-01-02 short_sell X qty=10 amount=500
        2024-01-02 short_sell Y qty=10 amount=500
        2024-05-02 cover      X qty=10 amount=600
        2024-05-03 cover      Y qty=10 amount=700
        2024-05-06 short_sell Y qty=15 amount=750
        2024-05-07 short_sell X qty=2 amount=100
    """,
        si_groups=[["X", "Y"]],
    )
    assert done.sold("t3")["disallowed"] == 100
    assert done.sold("t4")["disallowed"] == 100 + 40
    assert [(row["qty"], row["basis"]) for row in done.lots] == [
        ("-2", "-60.00"),
        ("-10", "-400.00"),
        ("-5", "-150.00"),
    ]


def test_a_purchase_is_no_short_and_a_short_no_purchase(replayed: Replay) -> None:
    done = replayed("""
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 cover      X qty=10 amount=600
        2024-05-03 buy        X qty=10 amount=600
        2024-05-06 sell       X qty=10 amount=500
        2024-05-07 short_sell Y qty=10 amount=500
    """)
    assert done.sold("t2")["gain"] == -100
    assert done.sold("t4")["gain"] == -100
    assert done.folded.disposals.open_nano.tolist() == [0, 10 * 10**9]


def test_a_split_in_between_multiplies_what_waits(replayed: Replay) -> None:
    done = replayed("""
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 cover      X qty=10 amount=600
        2024-05-03 split      X ratio=2:1
        2024-05-06 short_sell X qty=10 amount=300
    """)
    assert done.sold("t2")["disallowed"] == 50


def test_readings_of_the_window_hold_for_shorts(replayed: Replay) -> None:
    """Pieces that the same order closes, and shorts older than the one closed, are switches."""
    both = """
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 short_sell X qty=10 amount=500
        2024-05-10 cover      X qty=20 amount=1400
    """
    assert replayed(both).sold("t3", "t1")["disallowed"] == 200
    assert replayed(both).sold("t3")["gain"] == -400
    assert replayed(both, same_order_candidates="excluded").sold("t3")["disallowed"] == 0
    older = """
        2024-05-01 short_sell X account=B qty=10 amount=500
        2024-05-02 short_sell X account=A qty=10 amount=500
        2024-05-10 cover      X account=A qty=10 amount=700
    """
    accounts = {"A": {}, "B": {}}
    assert replayed(older, accounts).sold("t3")["disallowed"] == 200
    assert replayed(older, accounts, acquired_before_sold_lot="excluded").sold("t3")["disallowed"] == 0
    assert replayed(older, accounts, scope="account_cusip").sold("t3")["disallowed"] == 0


def test_a_spouses_short_takes_the_loss_or_ends_it(replayed: Replay) -> None:
    text = """
        2024-05-01 short_sell X account=A qty=10 amount=500
        2024-05-10 cover      X account=A qty=10 amount=700
        2024-05-13 short_sell X account=S qty=10 amount=700
    """
    accounts = {"A": {}, "S": {"owner": "spouse"}}
    assert replayed(text, accounts).lots[0]["basis"] == "-500.00"
    lost = replayed(text, accounts, spouse_effect="permanent")
    assert (lost.sold("t2")["permanent"], lost.lots[0]["basis"]) == (200, "-700.00")


def test_young_shares_that_start_anew_can_still_replace_a_loss(replayed: Replay) -> None:
    """Only part of the lot starts anew; all of it is a purchase of the last thirty days."""
    done = replayed("""
        2024-01-10 buy        X qty=100 amount=10000
        2024-05-10 buy        X qty=100 amount=9000
        2024-05-13 short_sell X qty=140 amount=14000
        2024-05-14 cover      X qty=140 amount=13000
        2024-05-20 sell       X qty=100 amount=8000 lots=t1*100
    """)
    assert done.sold("t5")["disallowed"] == 2000
