"""Wash sales: the published examples, the boundaries, and mistakes seen in public code."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Replay = Callable[..., Any]
HOME = {"A": {}, "I": {"type": "ira"}, "S": {"owner": "spouse"}}


def test_pub_550_2025_example_1_a_repurchase_takes_the_loss_into_its_basis(replayed: Replay) -> None:
    """IRS Pub. 550 (2025): bought at 1,000, sold at 750, bought back at 800: basis 1,050."""
    done = replayed("""
        2024-01-10 buy  X qty=100 amount=1000
        2024-06-03 sell X qty=100 amount=750
        2024-06-17 buy  X qty=100 amount=800
    """)
    assert done.sold("t2")["disallowed"] == 250
    assert done.sold("t2")["gain"] == 0
    assert done.basis("t3") == 1050


def test_reg_1091_1_h_example_2_replacements_bought_before_the_sale(replayed: Replay) -> None:
    """Reg. §1.1091-1(h) ex. 2, as printed in Pub. 550 (2025) p. 87 ex. 1."""
    done = replayed("""
        2024-09-20 buy  X qty=100 amount=5000
        2024-12-13 buy  X qty=50 amount=2750
        2024-12-20 buy  X qty=25 amount=1125
        2025-01-03 sell X qty=100 amount=4000
    """)
    assert done.sold("t4")["disallowed"] == 750
    assert done.sold("t4")["gain"] == -250
    assert done.basis("t2") == 3250
    assert done.basis("t3") == 1375


def test_reg_1091_1_h_example_3_replacements_in_order_of_purchase(replayed: Replay) -> None:
    """Pub. 550 (2025) p. 87 ex. 2, the pattern of Reg. §1.1091-1(h) ex. 3: of four lots of 50
    bought on consecutive days, the first two replace 100 shares sold at a loss of 1,000."""
    done = replayed("""
        2024-09-20 buy  X qty=100 amount=5000
        2025-01-03 sell X qty=100 amount=4000
        2025-01-06 buy  X qty=50 amount=2100
        2025-01-07 buy  X qty=50 amount=2100
        2025-01-08 buy  X qty=50 amount=2100
        2025-01-09 buy  X qty=50 amount=2100
    """)
    assert done.sold("t2")["disallowed"] == 1000
    assert [done.basis(lot) for lot in ("t3", "t4", "t5", "t6")] == [2600, 2600, 2100, 2100]


def test_reg_1091_1_h_example_1_a_second_lot_bought_before_the_first_is_sold(replayed: Replay) -> None:
    """Reg. §1.1091-1(h) ex. 1."""
    done = replayed("""
        2024-12-01 buy  X qty=100 amount=10000
        2024-12-15 buy  X qty=100 amount=9000
        2025-01-03 sell X qty=100 amount=9000 lots=t1*100
    """)
    assert done.sold("t3")["disallowed"] == 1000
    assert done.basis("t2") == 10000


def test_pub_550_gains_of_one_order_stand_beside_a_washed_block(replayed: Replay) -> None:
    """Pub. 550: blocks at 158, 100 and 95 sold at 125, 250 bought back."""
    done = replayed("""
        2023-01-10 buy  X qty=100 amount=15800
        2023-02-10 buy  X qty=100 amount=10000
        2023-03-10 buy  X qty=100 amount=9500
        2024-06-03 sell X qty=300 amount=37500
        2024-06-10 buy  X qty=250 amount=31250
    """)
    assert done.sold("t4", "t1")["disallowed"] == 3300
    assert done.sold("t4", "t1")["gain"] == 0
    assert done.sold("t4", "t2")["gain"] == 2500
    assert done.sold("t4", "t3")["gain"] == 3000


def test_rev_rul_2008_5_an_ira_purchase_destroys_the_loss(replayed: Replay) -> None:
    """Rev. Rul. 2008-5: basis 1,000, sold for 600, the IRA buys the next day: 400 are lost."""
    done = replayed(
        """
        2024-01-10 buy  X account=A qty=100 amount=1000
        2024-12-20 sell X account=A qty=100 amount=600
        2024-12-21 buy  X account=I qty=100 amount=600
        """,
        HOME,
    )
    assert done.sold("t2")["permanent"] == 400
    assert done.sold("t2")["gain"] == 0
    assert done.basis("t3") == 600


def test_rev_rul_56_602_shares_of_one_purchase_do_not_replace_one_another(replayed: Replay) -> None:
    """Rev. Rul. 56-602; public code takes the rest of the same purchase as the replacement."""
    done = replayed("""
        2024-05-01 buy  X qty=100 amount=1000
        2024-05-20 sell X qty=40 amount=300
    """)
    assert done.sold("t2")["gain"] == -100
    assert done.basis("t1") == 600


@pytest.mark.parametrize(("day", "washed"), [("2024-03-31", True), ("2024-04-01", False)])
def test_the_window_ends_on_day_thirty_after(replayed: Replay, day: str, washed: bool) -> None:
    """§1091(a): sold on 1 March, 31 March is day 30."""
    done = replayed(f"""
        2023-01-02 buy  X qty=100 amount=5000
        2024-03-01 sell X qty=100 amount=4000
        {day} buy X qty=100 amount=4100
    """)
    assert done.sold("t2")["disallowed"] == (1000 if washed else 0)


@pytest.mark.parametrize(("day", "washed"), [("2024-01-31", True), ("2024-01-30", False)])
def test_the_window_begins_on_day_thirty_before(replayed: Replay, day: str, washed: bool) -> None:
    done = replayed(f"""
        2023-01-02 buy  X qty=100 amount=5000
        {day} buy X qty=100 amount=4100
        2024-03-01 sell X qty=100 amount=4000 lots=t1*100
    """)
    assert done.sold("t3")["disallowed"] == (1000 if washed else 0)


def test_only_the_replaced_shares_lose_their_loss(replayed: Replay) -> None:
    """Reg. §1.1091-1(c), fewer shares bought back than sold."""
    done = replayed("""
        2024-01-02 buy  X qty=100 amount=5000
        2024-03-01 sell X qty=100 amount=4000
        2024-03-31 buy  X qty=30 amount=1230
    """)
    assert done.sold("t2")["disallowed"] == 300
    assert done.sold("t2")["gain"] == -700
    assert done.basis("t3") == 1530


def test_one_replacement_share_washes_one_loss_only(replayed: Replay) -> None:
    """Reg. §1.1091-1(e): 60 + 60 sold at a loss, 100 bought: 60 + 40 washed, 20 allowed."""
    done = replayed("""
        2024-01-02 buy  X qty=60 amount=1200
        2024-01-03 buy  X qty=60 amount=1200
        2024-06-03 sell X qty=60 amount=600 lots=t1*60
        2024-06-04 sell X qty=60 amount=600 lots=t2*60
        2024-06-10 buy  X qty=100 amount=1000
    """)
    assert done.sold("t3")["disallowed"] == 600
    assert done.sold("t4")["disallowed"] == 400
    assert done.sold("t4")["gain"] == -200
    assert done.basis("t5") == 2000


def test_a_reinvested_dividend_washes_its_own_fraction(replayed: Replay) -> None:
    """Loss of 12 a share on 100; 1.25 shares reinvested 11 days before: 15.00 disallowed."""
    done = replayed("""
        2023-01-03 buy      X qty=100 amount=5200
        2024-06-03 reinvest X qty=1.25 amount=50
        2024-06-14 sell     X qty=100 amount=4000 lots=t1*100
    """)
    assert done.sold("t3")["disallowed"] == 15
    assert done.sold("t3")["gain"] == -1185
    assert done.basis("t2") == 65


def test_the_ira_takes_what_the_taxable_purchase_left(replayed: Replay) -> None:
    """100 sold at -1,500; 60 bought back in the taxable account, then 100 in the IRA."""
    done = replayed(
        """
        2024-01-10 buy  X account=A qty=100 amount=5000
        2024-06-03 sell X account=A qty=100 amount=3500
        2024-06-10 buy  X account=A qty=60 amount=2100
        2024-06-12 buy  X account=I qty=100 amount=3500
        """,
        HOME,
    )
    assert done.sold("t2")["disallowed"] == 1500
    assert done.sold("t2")["permanent"] == 600
    assert done.basis("t3") == 3000
    assert done.basis("t4") == 3500


def test_a_deferred_short_term_loss_turns_long_term(replayed: Replay) -> None:
    """§1223(3): held from 10 Sep to 22 Dec 2025, bought back on 15 Jan 2026: the period counts
    from 4 Oct 2025, and 5 Oct 2026 is the first long-term day."""
    text = """
        2025-09-10 buy  X qty=10 amount=1000
        2025-12-22 sell X qty=10 amount=800
        2026-01-15 buy  X qty=10 amount=800
        {} sell X qty=10 amount=1200
    """
    assert replayed(text.format("2026-10-04")).terms("t4") == {"S"}
    last = replayed(text.format("2026-10-05"))
    assert last.terms("t4") == {"L"}
    assert last.sold("t4")["gain"] == 200


def test_a_spouses_purchase_is_a_wash_and_its_lot_takes_the_loss(replayed: Replay) -> None:
    """Pub. 550; whose basis rises is a switch (docs/law/policies.md)."""
    text = """
        2024-01-10 buy  X account=A qty=100 amount=5000
        2024-06-03 sell X account=A qty=100 amount=4000
        2024-06-10 buy  X account=S qty=100 amount=4000
    """
    done = replayed(text, HOME)
    assert (done.sold("t2")["disallowed"], done.sold("t2")["permanent"], done.basis("t3")) == (1000, 0, 5000)
    done = replayed(text, HOME, spouse_effect="permanent")
    assert (done.sold("t2")["disallowed"], done.sold("t2")["permanent"], done.basis("t3")) == (
        1000,
        1000,
        4000,
    )


def test_the_broker_sees_one_account_and_one_security(replayed: Replay) -> None:
    """§6045(g)(2)(B)(ii)."""
    text = """
        2024-01-10 buy  X account=A qty=100 amount=5000
        2024-06-03 sell X account=A qty=100 amount=4000
        2024-06-10 buy  X account=S qty=100 amount=4000
        2024-06-11 buy  Y account=A qty=100 amount=4000
    """
    done = replayed(text, HOME, scope="account_cusip", si_groups=[["X", "Y"]])
    assert done.sold("t2")["disallowed"] == 0


def test_a_claim_passed_over_stays_open(replayed: Replay) -> None:
    """§6045(g)(2)(B)(ii): the purchase in one account leaves the other's claim for the next."""
    done = replayed(
        """
        2024-01-10 buy  X account=A qty=10 amount=1000
        2024-01-10 buy  X account=S qty=10 amount=1000
        2024-06-03 sell X account=A qty=10 amount=500
        2024-06-03 sell X account=S qty=10 amount=500
        2024-06-10 buy  X account=S qty=10 amount=500
        2024-06-11 buy  X account=A qty=10 amount=500
        """,
        HOME,
        scope="account_cusip",
    )
    assert done.sold("t3")["disallowed"] == done.sold("t4")["disallowed"] == 500


def test_share_classes_replace_one_another_in_their_ratio(replayed: Replay) -> None:
    """One share of K is 1,500 of L: 750 L replace half a share of K."""
    done = replayed(
        """
        2023-01-10 buy  K qty=1 amount=600000
        2024-06-03 sell K qty=1 amount=500000
        2024-06-10 buy  L qty=750 amount=250000
        """,
        si_groups=[{"K": 1500, "L": 1}],
    )
    assert done.sold("t2")["disallowed"] == 50000
    assert done.basis("t3") == 300000


def test_a_sliver_of_one_class_replaces_the_least_sliver_of_another(replayed: Replay) -> None:
    """A billionth of L is less than a billionth of K; a billionth of K is what it replaces."""
    done = replayed(
        """
        2023-01-10 buy  K qty=1 amount=600000
        2024-05-28 buy  L qty=0.000000001 amount=0.01
        2024-06-03 sell K qty=1 amount=500000
        """,
        si_groups=[{"K": 1500, "L": 1}],
    )
    assert done.folded.links.sold_nano.tolist() == [1]
    assert done.folded.links.quantity_nano.tolist() == [1]
    assert done.folded.links.amount_cents.tolist() == [0]  # its part of the loss is less than half a cent
    assert done.basis("t2") == Decimal("0.01")


@pytest.mark.parametrize(("cost", "matches"), [("2.01", [1]), ("2.02", [1, 1])])
def test_shares_are_matched_as_long_as_a_cent_of_loss_is_left(
    replayed: Replay, cost: str, matches: list[int]
) -> None:
    """§1091(a): of one cent on two shares, the first takes all; the second share bought stays free."""
    done = replayed(f"""
        2023-01-10 buy  X qty=2 amount={cost}
        2024-05-28 buy  X qty=1 amount=1
        2024-05-29 buy  X qty=1 amount=1
        2024-06-03 sell X qty=2 amount=2
    """)
    assert done.folded.links.amount_cents.tolist() == matches
    assert done.folded.lots.absorbed.sum() == len(matches)


def test_a_share_bought_later_takes_no_cent_where_its_part_of_the_loss_is_none(replayed: Replay) -> None:
    """A third of 31 cents of cost and of 30 of proceeds is ten each; the other two shares have the cent."""
    done = replayed("""
        2023-01-10 buy  X qty=3 amount=0.31
        2024-06-03 sell X qty=3 amount=0.30
        2024-06-10 buy  X qty=1 amount=0.10
        2024-06-11 buy  X qty=2 amount=0.20
    """)
    assert done.sold("t2")["disallowed"] == Decimal("0.01")
    assert (done.basis("t3"), done.basis("t4")) == (Decimal("0.10"), Decimal("0.21"))


def test_what_no_share_of_the_loss_stands_for_is_no_lot_of_its_own(replayed: Replay) -> None:
    """1.5000004 L are a thousandth of K to the billionth, and replace it as they are."""
    done = replayed(
        """
        2023-01-10 buy  K qty=0.001 amount=600
        2024-05-28 buy  L qty=1.5000004 amount=500
        2024-06-03 sell K qty=0.001 amount=500
        """,
        si_groups=[{"K": 1500, "L": 1}],
    )
    assert done.lot("t2")[0][:2] == (Decimal("1.5000004"), 600)
    assert len(done.lots) == 1
    claim = replayed(
        """
        2023-01-10 buy  L qty=1.5000004 amount=600
        2024-06-03 sell L qty=1.5000004 amount=500
        2024-06-10 buy  K qty=0.001 amount=500
        """,
        si_groups=[{"K": 1500, "L": 1}],
    )
    assert claim.folded.links.sold_nano.tolist() == [1_500_000_400]
    assert len(claim.rows) == 1


def test_a_renamed_share_class_stands_for_as_many_units(replayed: Replay) -> None:
    """One K is 1,500 L; K becomes N by a change of symbol alone (§368(a)(1)(F)): one N replaces one K,
    and 1,500 L replace one N."""
    done = replayed(
        """
        2023-01-10 buy  K qty=3 amount=1800000
        2024-06-03 sell K qty=1 amount=500000
        2024-06-04 symbol_change K to=N
        2024-06-05 buy  N qty=1 amount=500000
        2024-06-06 sell N qty=1 amount=500000 lots=t1*1
        2024-06-10 buy  L qty=1500 amount=500000
        """,
        si_groups=[{"K": 1500, "L": 1}],
    )
    assert [row["disallowed"] for row in done.rows] == ["100000.00", "100000.00"]
    assert done.basis("t4") == done.basis("t6") == 600_000


def test_later_lots_of_one_order_may_replace_earlier_ones(replayed: Replay) -> None:
    """An order closes an old lot and one bought last week; both readings give the same total."""
    text = """
        2023-01-10 buy  X qty=100 amount=5000
        2024-05-28 buy  X qty=100 amount=4200
        2024-06-03 sell X qty=200 amount=8000
    """
    done = replayed(text)
    assert done.sold("t3", "t1")["disallowed"] == 1000
    assert done.sold("t3", "t2")["basis"] == 5200
    assert done.sold("t3")["gain"] == -1200
    apart = replayed(text, same_order_candidates="excluded")
    assert apart.sold("t3")["disallowed"] == 0
    assert apart.sold("t3")["gain"] == -1200


def test_shares_sold_before_the_loss_replace_only_by_policy(replayed: Replay) -> None:
    text = """
        2023-01-10 buy  X qty=100 amount=5000
        2024-05-28 buy  X qty=100 amount=4200
        2024-05-30 sell X qty=100 amount=4300 lots=t2*100
        2024-06-03 sell X qty=100 amount=4000 lots=t1*100
    """
    assert replayed(text).sold("t4")["disallowed"] == 0
    done = replayed(text, sold_earlier_candidates="included")
    assert done.sold("t4")["disallowed"] == 1000
    assert done.sold("t3")["gain"] == -900


def test_the_window_of_worthless_stock_is_about_the_last_day_of_the_year(replayed: Replay) -> None:
    """§165(g)(1), §1091(a): sold on 31 December, what was bought in May is far away."""
    done = replayed("""
        2023-01-10 buy       X qty=10 amount=1000
        2024-05-10 buy       X qty=10 amount=500
        2024-05-20 worthless X
    """)
    assert done.sold("t3")["gain"] == -1500
    assert done.sold("t3")["disallowed"] == 0


def test_shares_bought_before_the_shares_sold_replace_unless_excluded(replayed: Replay) -> None:
    text = """
        2024-05-20 buy  X qty=100 amount=4200
        2024-05-28 buy  X qty=100 amount=5000
        2024-06-03 sell X qty=100 amount=4000 lots=t2*100
    """
    assert replayed(text).sold("t3")["disallowed"] == 1000
    assert replayed(text, acquired_before_sold_lot="excluded").sold("t3")["disallowed"] == 0


def test_a_gain_on_cost_can_be_a_loss_on_adjusted_basis(replayed: Replay) -> None:
    """WS-11: chains; the deferred 1,000 turns a gain of 500 into a loss of 500 that washes again."""
    done = replayed("""
        2024-01-10 buy  X qty=100 amount=5000
        2024-06-03 sell X qty=100 amount=4000
        2024-06-10 buy  X qty=100 amount=4000
        2024-07-08 sell X qty=100 amount=4500
        2024-07-15 buy  X qty=100 amount=4500
    """)
    assert done.sold("t4")["disallowed"] == 500
    assert done.basis("t5") == 5000


def test_a_split_inside_the_window_counts_in_new_shares(replayed: Replay) -> None:
    done = replayed("""
        2024-01-10 buy   X qty=100 amount=5000
        2024-06-03 sell  X qty=100 amount=4000
        2024-06-10 split X ratio=2:1
        2024-06-17 buy   X qty=100 amount=2000
    """)
    assert done.sold("t2")["disallowed"] == 500
    assert done.basis("t4") == 2500


@pytest.mark.parametrize(
    ("splits", "bought"),
    [
        ("2024-06-10 split X ratio=2:1\n2024-06-10 split X ratio=3:1", 600),
        ("2024-06-10 split X account=A ratio=2:1\n2024-06-10 split X account=B ratio=2:1", 200),
    ],
)
def test_a_claim_is_scaled_once_for_each_split_of_a_day(replayed: Replay, splits: str, bought: int) -> None:
    """Two splits are two; one that two accounts report is one."""
    done = replayed(
        f"""
        2024-01-10 buy  X account=A qty=200 amount=10000
        2024-01-10 buy  X account=B qty=100 amount=1000
        2024-06-03 sell X account=A qty=100 amount=4000
        {splits}
        2024-06-17 buy  X account=A qty={bought} amount=4000
        """,
        {"A": {}, "B": {}},
    )
    assert done.sold("t3")["disallowed"] == 1000
    assert done.lot("t6")[0][:2] == (bought, 5000)


def test_a_call_bought_after_the_loss_takes_it_and_its_stock_the_days(replayed: Replay) -> None:
    """§1091(a): a contract to acquire; §1223(3) literally, the option's own days do not count."""
    done = replayed("""
        2024-01-10 buy  X qty=100 amount=5000
        2024-06-03 sell X qty=100 amount=4000
        2024-06-10 option_buy X option=XC contracts=1 amount=300
        2024-08-01 option_exercise X option=XC contracts=1 amount=4000
    """)
    assert done.sold("t2")["disallowed"] == 1000
    assert done.lot("t4") == [(Decimal(100), Decimal(5300), "2024-03-09")]


def test_a_call_that_has_washed_a_loss_washes_none_as_stock(replayed: Replay) -> None:
    """Reg. §1.1091-1(e): exercised, the shares have washed theirs; and they can be sold by name."""
    done = replayed("""
        2024-01-10 buy  X qty=200 amount=10000
        2024-06-03 sell X qty=100 amount=4000
        2024-06-04 option_buy X option=XC contracts=1 amount=300
        2024-06-05 sell X qty=100 amount=4000
        2024-06-10 option_exercise X option=XC contracts=1 amount=4000
        2024-08-01 sell X qty=100 amount=6000 lots=t5*100
    """)
    assert done.sold("t4")["disallowed"] == 0
    assert done.sold("t6")["basis"] == 5300


def test_stock_from_a_young_call_replaces_from_its_exercise(replayed: Replay) -> None:
    """§1091(a): the call is gone, the stock is bought; each share washes one loss, in order of purchase."""
    done = replayed("""
        2024-01-10 buy  X qty=90 amount=4500
        2024-05-20 option_buy X option=XC contracts=1 amount=300
        2024-05-22 buy  X qty=20 amount=900
        2024-05-25 option_exercise X option=XC contracts=1 amount=4000
        2024-06-03 sell X qty=30 amount=1200 lots=t1*30
        2024-06-04 sell X qty=60 amount=2400 lots=t1*60
        2024-06-05 buy  X qty=200 amount=8000
    """)
    assert done.sold("t5")["disallowed"] == 300
    assert done.sold("t6")["disallowed"] == 600
    assert done.basis("t3") == 1100
    assert [(qty, basis) for qty, basis, _ in done.lot("t4")] == [(10, 530), (30, 1290), (60, 3180)]
    assert done.basis("t7") == 8000


def test_gifts_and_inheritances_are_no_replacement(replayed: Replay) -> None:
    """§1091(a): "by purchase or by an exchange on which the entire gain or loss is recognized"."""
    done = replayed("""
        2024-01-10 buy     X qty=100 amount=5000
        2024-06-03 sell    X qty=100 amount=4000
        2024-06-10 gift_in X qty=50 donor_basis=100 fmv=2000 donor_acq=2020-01-01
        2024-06-11 inherit X qty=50 fmv=2000
    """)
    assert done.sold("t2")["gain"] == -1000


def test_a_sale_at_exactly_basis_is_no_loss(replayed: Replay) -> None:
    """WS-19: the purchase stays free to replace a later loss."""
    done = replayed("""
        2024-01-10 buy  X qty=100 amount=5000
        2024-01-11 buy  X qty=100 amount=6000
        2024-06-03 sell X qty=100 amount=5000 lots=t1*100
        2024-06-04 sell X qty=100 amount=5000 lots=t2*100
        2024-06-10 buy  X qty=100 amount=5000
    """)
    assert done.sold("t4")["disallowed"] == 1000
    assert done.basis("t5") == 6000


def test_shares_spun_off_from_a_purchase_are_none_and_leave_those_of_the_child_alone(
    replayed: Replay,
) -> None:
    """§1091(a): C was bought on 22 May; the C that came with P on the 25th replaces nothing, nor does its
    sale take the place of the purchase."""
    done = replayed("""
        2023-01-10 buy     C qty=10 amount=1000
        2024-05-20 buy     P qty=10 amount=1000
        2024-05-22 buy     C qty=10 amount=500
        2024-05-25 spinoff P child=C ratio=1 parent_fmv=50 child_fmv=50
        2024-05-28 sell    C qty=5 amount=300 lots=t2*5
        2024-05-29 sell    C qty=5 amount=300 lots=t2*5
        2024-06-03 sell    C qty=10 amount=500 lots=t1*10
    """)
    assert done.sold("t7")["disallowed"] == 500
    assert done.basis("t3", "C") == 1000


@pytest.mark.parametrize("days", ["2024-05-20", "2024-06-17"])
def test_a_loss_of_one_cent_is_a_loss(replayed: Replay, days: str) -> None:
    """§1091(a) knows no small losses, before or after."""
    bought = f"t2: {days} buy X qty=100 amount=4000"
    sold = "t3: 2024-06-03 sell X qty=100 amount=4999.99 lots=t1*100"
    later = [bought, sold] if days < "2024-06" else [sold, bought]
    done = replayed("\n".join(["t1: 2024-01-10 buy X qty=100 amount=5000", *later]))
    assert done.sold("t3")["disallowed"] == Decimal("0.01")
    assert done.basis("t2") == Decimal("4000.01")


@pytest.mark.parametrize(
    ("symbol", "qty", "ratio", "replaced"),
    [
        ("X", "10", "2:1", "20"),
        ("Y", "10", "2:1", "10"),  # like X, but not split
        ("X", "0.000000001", "1:3", "0.000000001"),
    ],
)
def test_shares_sold_before_a_split_count_in_new_ones(
    replayed: Replay, symbol: str, qty: str, ratio: str, replaced: str
) -> None:
    """`sold_earlier_candidates=included`: what was bought and sold before X was split."""
    left = 60 if ratio == "2:1" else 10
    done = replayed(
        f"""
        2025-03-03 buy   {symbol} qty={qty} amount=700
        2025-03-04 buy   X qty=30 amount=3000
        2025-03-05 sell  {symbol} qty={qty} amount=800 lots=t1*{qty}
        2025-03-06 split X ratio={ratio}
        2025-03-10 sell  X qty={left} amount=100
        """,
        sold_earlier_candidates="included",
        si_groups=[["X", "Y"]],
    )
    assert done.folded.links.quantity_nano.sum() == Decimal(replaced) * 10**9


def test_a_claim_of_a_billionth_stays_one_when_shares_are_merged(replayed: Replay) -> None:
    done = replayed("""
        2024-01-10 buy   X qty=0.000000001 amount=10
        2024-06-03 sell  X qty=0.000000001 amount=5
        2024-06-04 split X ratio=1:3
        2024-06-10 buy   X qty=1 amount=5
    """)
    assert done.folded.links.sold_nano.tolist() == [1]
    assert done.basis("t4") == 10


def test_a_part_of_shares_sold_before_replaces_only_as_many(replayed: Replay) -> None:
    """`sold_earlier_candidates=included`: ten of thirty bought in the window and sold again replace ten;
    the loss joins the basis of what was sold, in the gain of that sale."""
    made = replayed(
        """
        2024-01-10 buy X qty=10 amount=1000
        2025-03-03 buy X qty=30 amount=2100
        2025-03-05 sell X qty=30 amount=2400 lots=t2*30
        2025-03-10 sell X qty=10 amount=700
        """,
        sold_earlier_candidates="included",
    )
    assert made.sold("t4")["disallowed"] == 300
    assert made.sold("t3")["gain"] == 300 - 300


def test_shares_sold_before_at_a_loss_keep_their_open_claim_when_they_are_parted(replayed: Replay) -> None:
    """The thirty sold at a loss wait for a replacement; ten of them replace another loss, and a later
    purchase of thirty still washes what is left of both."""
    made = replayed(
        """
        2024-01-10 buy X qty=10 amount=1000
        2025-03-03 buy X qty=30 amount=2400
        2025-03-05 sell X qty=30 amount=2100 lots=t2*30
        2025-03-10 sell X qty=10 amount=700
        2025-03-20 buy X qty=40 amount=2800
        """,
        sold_earlier_candidates="included",
    )
    assert made.sold("t4")["disallowed"] == 300
    assert made.sold("t3")["disallowed"] == 600
    assert made.basis("t5") == 2800 + 600


@pytest.mark.parametrize("same_order", ["eligible", "excluded"])
def test_a_purchase_moved_to_another_account_still_replaces(replayed: Replay, same_order: str) -> None:
    """A transfer in kind is no sale: what was bought stays bought (§1091(a)), in part as in whole."""
    made = replayed(
        """
        2024-01-10 buy      X account=A qty=10 amount=1000
        2024-05-10 buy      X account=A qty=40 amount=2000
        2024-05-20 transfer X from=A to=B lots=t2*40
        2024-06-03 sell     X account=A qty=10 amount=400
        """,
        {"A": {}, "B": {}},
        same_order_candidates=same_order,
    )
    assert made.sold("t4")["disallowed"] == 600
    assert {row["account"] for row in made.lots} == {"B"}
    assert [(qty, basis) for qty, basis, _ in made.lot("t2")] == [(10, 1100), (30, 1500)]


def test_claims_parted_to_a_billionth_wait_on(replayed: Replay) -> None:
    """As above: of two billionths sold at a loss of 20 one replaces another loss, of 300; both wait."""
    made = replayed(
        """
        2024-01-10 buy  X qty=0.000000001 amount=1000
        2025-03-03 buy  X qty=0.000000002 amount=160
        2025-03-05 sell X qty=0.000000002 amount=140 lots=t2*0.000000002
        2025-03-10 sell X qty=0.000000001 amount=700
        2025-03-20 buy  X qty=1 amount=100
        """,
        sold_earlier_candidates="included",
    )
    assert made.sold("t4")["disallowed"] == 300
    assert made.sold("t3")["disallowed"] == 320
    assert made.basis("t5") == 420


@pytest.mark.parametrize("between", ["", "t0: 2025-03-06 sell X account=S qty=10 amount=500"])
def test_claims_parted_in_their_row_lose_none_before_or_behind(replayed: Replay, between: str) -> None:
    """Five of the twenty shares of t4 replace others; what waits, in A and in the spouse's account, is
    replaced in the end, whether it waited before that or after."""
    made = replayed(
        f"""
        t1: 2024-01-10 buy  X account=A qty=5 amount=500
        t2: 2024-01-10 buy  X account=S qty=20 amount=2000
        t3: 2025-03-03 buy  X account=A qty=20 amount=1600
        t4: 2025-03-05 sell X account=A qty=20 amount=1400 lots=t3*20
        {between}
        t5: 2025-03-10 sell X account=A qty=5 amount=350
        t6: 2025-03-11 sell X account=S qty=10 amount=500
        t7: 2025-03-20 buy  X account=A qty=20 amount=1000
        t8: 2025-03-20 buy  X account=S qty=20 amount=1000
        """,
        HOME,
        sold_earlier_candidates="included",
        scope="account_cusip",
    )
    assert made.sold("t5")["disallowed"] == 150
    assert made.sold("t4")["disallowed"] == 200 + 150
    assert made.sold("t6")["disallowed"] == 500
    assert made.basis("t7") == 1350
    assert made.basis("t8") == (2000 if between else 1500)


@pytest.mark.parametrize(("bought", "term"), [("2024-03-11", "L"), ("2024-03-12", "S")])
def test_a_sale_that_bears_a_later_loss_bears_its_days_too(replayed: Replay, bought: str, term: str) -> None:
    """§1223(3): of 364 days, or of 363, that join the two days of t2 sold before the loss."""
    made = replayed(
        f"""
        {bought}   buy  X qty=10 amount=1000
        2025-03-03 buy  X qty=10 amount=700
        2025-03-05 sell X qty=10 amount=800 lots=t2*10
        2025-03-10 sell X qty=10 amount=700
        """,
        sold_earlier_candidates="included",
    )
    assert made.sold("t3")["gain"] == -200
    assert made.terms("t3") == {term}
    assert made.folded.disposals.long_term.tolist()[0] == (term == "L")
