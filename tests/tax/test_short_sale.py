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


def test_the_day_on_which_stock_turns_long_term_decides_both_rules(replayed: Replay) -> None:
    """Bought on 10 May 2023, long-term from 11 May 2024 (Rev. Rul. 66-7): short on that day, the loss is
    long-term and the stock keeps its date; a day earlier it is short-term, and the stock starts anew."""
    text = """
        2023-05-10 buy        X qty=10 amount=100
        {} short_sell X qty=10 amount=200
        2024-06-03 cover      X qty=10 amount=300
    """
    on_it = replayed(text.format("2024-05-11"))
    assert on_it.terms("t3") == {"L"}
    assert on_it.lot("t1")[0][2] == "2023-05-10"
    before = replayed(text.format("2024-05-10"))
    assert before.terms("t3") == {"S"}
    assert before.lot("t1")[0][2] == "2024-06-03"


def test_stock_of_an_ira_neither_makes_a_loss_long_term_nor_starts_anew(replayed: Replay) -> None:
    """§1233(e)(2)(C) adds a spouse's stock to the taxpayer's; an IRA is neither."""
    done = replayed(
        """
        2022-01-10 buy        X account=I qty=10 amount=100
        2024-03-01 buy        X account=I qty=10 amount=100
        2024-05-10 short_sell X account=A qty=10 amount=200
        2024-06-03 cover      X account=A qty=10 amount=300
    """,
        {"A": {}, "I": {"type": "ira"}},
    )
    assert done.terms("t4") == {"S"}
    assert done.lot("t2")[0][2] == "2024-03-01"


def test_a_billionth_of_a_share_is_closed_and_starts_anew(replayed: Replay) -> None:
    done = replayed("""
        2024-03-01 buy        X qty=1 amount=100
        2024-05-10 short_sell X qty=1 amount=200
        2024-06-03 cover      X qty=0.000000001 amount=0
    """)
    assert done.folded.disposals.quantity_nano.tolist() == [1]
    assert [hp for _, _, hp in done.lot("t1")] == ["2024-06-03", "2024-03-01"]
    assert [row["qty"] for row in done.lots if row["origin"] == "t2"] == ["-0.999999999"]


def test_a_billionth_of_a_share_held_long_makes_as_much_of_a_loss_long_term(replayed: Replay) -> None:
    done = replayed("""
        2022-03-01 buy        X qty=0.000000001 amount=1
        2024-05-10 short_sell X qty=1 amount=10000000000
        2024-06-03 cover      X qty=1 amount=30000000000
    """)
    assert [(row["qty"], row["term"]) for row in done.rows] == [("0.000000001", "L"), ("0.999999999", "S")]


def test_what_is_closed_is_short_no_more(replayed: Replay) -> None:
    """A merger that an open short would stop goes through; nothing is left to close again."""
    text = """
        2024-05-09 buy          X qty=5 amount=900
        2024-05-10 short_sell   X qty=10 amount=2000
        2024-06-03 cover        X qty=10 amount=1600
        {}
    """
    done = replayed(text.format("2024-06-04 stock_merger X to=Y ratio=1:1"))
    assert [(row["symbol"], row["qty"]) for row in done.lots] == [("Y", "5")]
    with pytest.raises(BadFileError, match="1 shares are covered, 0 are short"):
        replayed(text.format("2024-06-04 cover X qty=1 amount=1"))


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
