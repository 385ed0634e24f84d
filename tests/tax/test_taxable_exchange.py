"""Stock at market value: taxable mergers and spin-offs, liquidations, IRA distributions; split-offs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allotment.errors import BadFileError

Replay = Callable[..., Any]


def test_a_taxable_merger_is_a_sale_and_a_purchase(replayed: Replay) -> None:
    """§1001: 100 shares for 50 at $30 and $5 cash each: 2,000 against 1,200; the new lot starts today."""
    made = replayed("""
        2020-01-10 buy X qty=100 amount=1200
        2025-03-03 taxable_merger X to=Y ratio=1:2 to_fmv=30 cash=5
    """)
    assert made.sold("t2")["proceeds"] == 2_000
    assert made.sold("t2")["gain"] == 800
    assert made.lot("t2", "Y") == [(Decimal(50), Decimal(1500), "2025-03-03")]


def test_its_shares_are_acquired_by_a_taxable_exchange_and_wash(replayed: Replay) -> None:
    """§1091(a): a loss on Y ten days before is replaced by the Y received."""
    made = replayed("""
        2024-01-10 buy Y qty=10 amount=500
        2024-01-10 buy X qty=20 amount=100
        2025-03-03 sell Y qty=10 amount=300
        2025-03-13 taxable_merger X to=Y ratio=1:2 to_fmv=30
    """)
    assert made.sold("t3")["disallowed"] == 200
    assert made.basis("t4") == 300 + 200


def test_a_taxable_spin_off_leaves_the_parent_alone(replayed: Replay) -> None:
    """§301(d): the child's basis is its value; it is no purchase and washes nothing."""
    made = replayed("""
        2020-01-10 buy X qty=100 amount=1200
        2024-01-10 buy C qty=10 amount=500
        2025-03-03 sell C qty=10 amount=300
        2025-03-13 taxable_spinoff X child=C ratio=0.3 child_fmv=25
    """)
    assert made.basis("t1") == 1_200
    assert made.lot("t4") == [(Decimal(30), Decimal(750), "2025-03-13")]
    assert made.sold("t3")["disallowed"] == 0


def test_a_liquidation_returns_basis_first_and_shows_its_loss_at_the_end(replayed: Replay) -> None:
    """§331 [P]: 1,000 of basis; 6 and 3 a share for 100 shares: no gain, then a loss of 100."""
    made = replayed("""
        2020-01-10 buy X qty=100 amount=1000
        2025-03-03 liquidation X per_share=6
        2025-09-03 liquidation X per_share=3 final=true
    """)
    assert made.sold("t2") == {}
    assert made.sold("t3")["gain"] == -100
    assert made.lots == []


def test_a_split_off_moves_the_basis_of_the_shares_given_up(replayed: Replay) -> None:
    """§355(a)(2)(B), §358: 40 of 100 shares for 20 of the subsidiary, dates and basis with them."""
    made = replayed("""
        2020-01-10 buy X qty=100 amount=1000
        2025-03-03 split_off X to=S ratio=1:2 qty=40
    """)
    assert made.lot("t1", "S") == [(Decimal(20), Decimal(400), "2020-01-10")]
    assert made.lot("t1", "X") == [(Decimal(60), Decimal(600), "2020-01-10")]
    assert made.rows == []


def test_a_split_off_shares_out_what_is_received_lot_by_lot(replayed: Replay) -> None:
    """Reg. §1.358-2: 8 shares for 2.666666667; each lot gets its own part and can be named."""
    made = replayed("""
        2020-01-10 buy X qty=3 amount=30
        2021-01-11 buy X qty=5 amount=55
        2025-03-03 split_off X to=S ratio=1:3 qty=8
        2025-06-03 sell S qty=1 amount=100 lots=t2*1
    """)
    assert made.lot("t1", "S") == [(Decimal(1), Decimal(30), "2020-01-10")]
    assert made.lot("t2", "S") == [(Decimal("0.666666667"), Decimal(22), "2021-01-11")]
    assert made.sold("t4")["basis"] == 33


@pytest.mark.parametrize(("method", "basis"), [("fifo", 200), ("lifo", 400)])
def test_shares_that_were_given_up_stand_behind_those_that_stayed_when_they_meet_again(
    replayed: Replay, method: str, basis: int
) -> None:
    """docs/law/relief.md, of one purchase: 20 S came for 40 X at 20 each; 60 more come for the rest at 10."""
    made = replayed(f"""
        2020-01-10 buy          X qty=100 amount=1000
        2025-03-03 split_off    X to=S ratio=1:2 qty=40
        2025-04-03 stock_merger X to=S ratio=1:1
        2025-06-03 sell         S qty=20 amount=900 method={method}
    """)
    assert made.sold("t4")["basis"] == basis


HOME = {"A": {}, "I": {"type": "ira"}}


def test_an_ira_distribution_starts_at_market_value(replayed: Replay) -> None:
    made = replayed(
        """
        2020-01-10 buy X account=I qty=10 amount=100
        2025-03-03 ira_distribution X from=I to=A qty=4 fmv=200
        """,
        HOME,
    )
    assert made.lot("t2") == [(Decimal(4), Decimal(200), "2025-03-03")]
    assert made.lot("t1") == [(Decimal(6), Decimal(60), "2020-01-10")]


def test_only_an_ira_distributes(replayed: Replay) -> None:
    with pytest.raises(BadFileError, match=r"transaction t2.*from taxable to ira"):
        replayed(
            """
            2020-01-10 buy X account=A qty=10 amount=100
            2025-03-03 ira_distribution X from=A to=I qty=4 fmv=200
            """,
            HOME,
        )


def test_calls_are_sold_and_expire(replayed: Replay) -> None:
    """A call's loss is a loss on a security; the same calls bought again wash it (§1091(a))."""
    made = replayed("""
        2025-01-10 option_buy X option=C100 contracts=2 amount=500
        2025-02-10 option_sell X option=C100 contracts=1 amount=400
        2025-03-21 option_expire X option=C100 contracts=1
        2025-03-25 option_buy X option=C200 contracts=1 amount=100
    """)
    assert made.sold("t2")["gain"] == 150
    assert made.sold("t3")["disallowed"] == 250
    assert made.basis("t4") == 350


def test_a_stock_dividend_with_a_cash_option_is_income_and_counts_from_its_payment(replayed: Replay) -> None:
    """§305(b)(1), §301(d): basis is market value; the parent's lots stay, and no loss is washed."""
    made = replayed("""
        2020-01-10 buy X qty=100 amount=1000
        2025-03-03 sell X qty=10 amount=50
        2025-03-10 taxable_stock_dividend X qty=5 fmv=30
    """)
    assert made.lot("t3") == [(Decimal(5), Decimal(30), "2025-03-10")]
    assert made.basis("t1") == 900
    assert made.sold("t2")["disallowed"] == 0
