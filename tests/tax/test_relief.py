"""Which lots a sale closes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allotment.errors import BadFileError

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


def test_first_in_first_out_goes_account_by_account(replayed: Replay) -> None:
    """§1012(c)(1): an older lot of another account is not sold."""
    done = replayed(
        """
        2022-01-10 buy  X account=A qty=10 amount=300
        2023-01-10 buy  X account=B qty=10 amount=500
        2024-06-03 sell X account=B qty=10 amount=600
    """,
        {"A": {}, "B": {}},
    )
    assert {row["lot"] for row in done.rows} == {"t2"}
    assert done.sold("t3")["gain"] == 100


def test_by_rank_a_loss_goes_before_what_has_none(replayed: Replay) -> None:
    """The published order: every loss, short or long, then what has neither gain nor loss, short first."""
    lots = """
        2022-01-10 buy X qty=1 amount=40
        2022-01-11 buy X qty=1 amount=50
        2024-01-10 buy X qty=1 amount=40
    """
    order = ["t2", "t3", "t1"]
    for n in range(1, 4):
        sale = f"2024-06-03 sell X qty={n} amount={40 * n} method=min_tax_rank"
        left = {row["origin"] for row in replayed(lots + sale).lots}
        assert left == set(order[n:])


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


HOME = {"A": {}, "B": {}}


def test_lots_stand_in_order_of_acquisition_however_they_came(replayed: Replay) -> None:
    """Reg. §1.1012-1(c)(1): the older lot is transferred in last, and first out by default."""
    text = """
        2024-01-10 buy      X account=A qty=10 amount=100
        2024-02-12 buy      X account=A qty=10 amount=200
        2024-03-01 sell     X account=A qty=10 amount=300
        2024-04-01 buy      X account=B qty=10 amount=400
        2024-05-01 transfer X from=A to=B lots=t2*10
        2024-08-01 sell     X account=B qty=10 amount=900 method={}
        2024-08-02 sell     X account=B qty=10 amount=900
    """
    for method, first, second in (("fifo", 200, 400), ("lifo", 400, 200)):
        done = replayed(text.format(method), HOME)
        assert (done.sold("t6")["basis"], done.sold("t7")["basis"]) == (first, second)


# Two washes make three pieces of t2: 10 shares at 50, 10 at 100, 10 at 110.
PIECES = """
    2023-01-10 buy  X qty=20 amount=2000
    2024-05-10 buy  X qty=30 amount=1500
    2024-05-20 sell X qty=10 amount=500 lots=t1*10
    2024-05-21 sell X qty=10 amount=400 lots=t1*10
    2024-07-01 sell X qty=10 amount=700 method={}
"""


@pytest.mark.parametrize(("method", "closed"), [("lifo", 500), ("fifo", 1100)])
def test_a_lot_in_pieces_is_still_one_lot_by_name(replayed: Replay, method: str, closed: int) -> None:
    """What a sale has closed of a lot is gone from it, and the rest can be named together."""
    text = PIECES.format(method)
    done = replayed(text + "2024-07-02 sell X qty=20 amount=1400 lots=t2*20")
    assert done.sold("t5")["basis"] == closed
    assert done.sold("t6")["basis"] == 1500 + 500 + 600 - closed
    assert done.lots == []
    with pytest.raises(BadFileError, match="21 shares of a named lot leave, 20 are held"):
        replayed(text + "2024-07-02 sell X qty=21 amount=1400 lots=t2*21")


@pytest.mark.parametrize(("second", "basis"), [("2024-03-01", 1000), ("2018-03-01", 1100)])
def test_of_a_named_lot_the_shares_held_longest_go_first(replayed: Replay, second: str, basis: int) -> None:
    """Two losses tack to ten shares each of the thirty (§1223(3)): 500 from 2020, 600 from `second`."""
    done = replayed(f"""
        2017-01-10 buy  X qty=10 amount=100
        {min(second, "2020-01-10")} buy X qty=10 amount=1000
        {max(second, "2020-01-10")} buy X qty=10 amount=1000
        2024-05-10 buy  X qty=30 amount=1500
        2024-05-15 sell X qty=10 amount=500 lots=t1*10
        2024-05-20 sell X qty=10 amount=500 lots={"t2" if second > "2020" else "t3"}*10
        2024-05-21 sell X qty=10 amount=400 lots={"t3" if second > "2020" else "t2"}*10
        2024-07-01 sell X qty=10 amount=700 lots=t4*10
    """)
    assert done.sold("t8")["basis"] == basis
    assert sorted(basis for _, basis, _ in done.lot("t4")) == [500, 2100 - basis]


def test_a_named_lot_is_that_of_the_account_and_of_the_security(replayed: Replay) -> None:
    """Part of a lot stands in another account, and a company spun off has the lot's name too."""
    text = """
        2023-01-10 buy      X account=A qty=10 amount=1000
        2024-05-10 buy      X account=A qty=40 amount=2000
        2024-05-20 transfer X from=A to=B lots=t2*20
        2024-06-03 sell     X account=A qty=10 amount=400 lots=t1*10
        2024-06-10 spinoff  X child=C ratio=1 parent_fmv=30 child_fmv=10
        2024-08-01 sell     {} account=B qty={qty} amount=1500 lots=t2*{qty}
    """
    for symbol, basis in (("X", 750), ("C", 250)):
        done = replayed(text.format(symbol, qty=20), HOME)
        assert done.sold("t6", "t2")["basis"] == basis
        left = [(row["account"], row["qty"]) for row in done.lots if row["symbol"] == symbol]
        assert left == [("A", "10"), ("A", "10")]
        with pytest.raises(BadFileError, match="21 shares of a named lot leave, 20 are held"):
            replayed(text.format(symbol, qty=21), HOME)


def test_losses_of_two_purchases_of_one_day_stand_in_order_of_purchase(replayed: Replay) -> None:
    """Reg. §1.1091-1(b): the ten shares that were bought first came to the account last; their loss of 100,
    not that of 300 on the others, is the one that ten shares bought later replace."""
    done = replayed(
        """
        2023-01-10 buy      X account=A qty=10 amount=500
        2023-01-10 buy      X account=B qty=10 amount=700
        2023-06-01 transfer X from=A to=B lots=t1*10
        2024-06-03 sell     X account=B qty=20 amount=800
        2024-06-10 buy      X account=B qty=10 amount=400
    """,
        HOME,
    )
    assert done.sold("t4", "t1")["disallowed"] == 100
    assert done.sold("t4", "t2")["disallowed"] == 0
    assert done.basis("t5") == 500


@pytest.mark.parametrize("how", ["", "method=lifo", "method=hifo", "lots=t1*10.000000001"])
def test_the_last_billionth_of_an_order_is_sold_too(replayed: Replay, how: str) -> None:
    """A wash has cut t1 in two pieces of ten shares."""
    done = replayed(f"""
        2024-05-10 buy  X qty=20 amount=2000
        2024-05-11 buy  X qty=10 amount=1500
        2024-05-20 sell X qty=10 amount=500 lots=t2*10
        2024-08-01 buy  X qty=20 amount=2000
        2024-09-01 sell X qty=10.000000001 amount=3000 {how}
    """)
    assert done.sold("t5")["qty"] == Decimal("10.000000001")
    assert sum(Decimal(row["qty"]) for row in done.lots) == Decimal("29.999999999")


@pytest.mark.parametrize("method", ["fifo", "lifo", "hifo", "lofo"])
def test_an_order_books_every_lot_whatever_the_method_picks_first(replayed: Replay, method: str) -> None:
    """The dearest lot stands between two others, in the room that a lot sold before has left."""
    done = replayed(f"""
        2024-01-10 buy  X qty=10 amount=50
        2024-01-11 buy  X qty=10 amount=200
        2024-02-01 sell X qty=10 amount=100
        2024-03-01 buy  X qty=10 amount=900
        2024-04-01 buy  X qty=10 amount=100
        2024-06-03 sell X qty=30 amount=3000 method={method}
    """)
    assert [row["lot"] for row in done.rows] == ["t1", "t2", "t4", "t5"]
    assert done.sold("t6")["gain"] == 3000 - 200 - 900 - 100


@pytest.mark.parametrize(("other", "closed"), [(160, "t2"), (140, "t1")])
def test_the_loss_of_a_gift_counts_from_its_value_when_given(
    replayed: Replay, other: int, closed: str
) -> None:
    """§1015(a): at 10 a share the gift, 30 to the donor and 15 when given, has a loss of 5, not 20."""
    done = replayed(f"""
        2022-01-10 gift_in X qty=10 donor_basis=300 fmv=150 donor_acq=2020-01-02
        2022-02-10 buy     X qty=10 amount={other}
        2024-06-03 sell    X qty=10 amount=100 method=max_loss
    """)
    assert {row["lot"] for row in done.rows} == {closed}
