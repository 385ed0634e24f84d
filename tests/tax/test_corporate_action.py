"""Corporate actions lot by lot: the worked figures of docs/law."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Replay = Callable[..., Any]


def test_a_split_keeps_basis_and_dates(replayed: Replay) -> None:
    """§§305(a), 307(a), 1223(4)."""
    done = replayed("""
        2023-01-10 buy   X qty=100 amount=1000
        2024-06-03 split X ratio=3:2
    """)
    assert done.lot("t1") == [(Decimal(150), Decimal(1000), "2023-01-10")]


def test_a_reverse_split_pays_the_fraction_with_its_real_basis(replayed: Replay) -> None:
    """Rev. Rul. 66-365: never a basis of zero. 10 shares 1:3: 19.00 for a third of a share."""
    done = replayed("""
        2023-01-10 buy   X qty=10 amount=166.67
        2024-06-03 split X ratio=1:3 cil_price=57
    """)
    assert done.sold("t2")["proceeds"] == 19
    assert done.sold("t2")["basis"] == Decimal("16.67")
    assert done.sold("t2")["gain"] == Decimal("2.33")
    assert done.lot("t1")[0][0] == 3


def test_a_fraction_uses_the_exact_quantity(replayed: Replay) -> None:
    """227 x 1/3 = 75.666667, not 75.67."""
    done = replayed("""
        2023-01-10 buy   X qty=227 amount=1000
        2024-06-03 split X ratio=1:3
    """)
    assert done.lot("t1")[0][0] == Decimal("75.666666667")


def test_a_spin_off_shares_each_lots_basis_by_value(replayed: Replay) -> None:
    """§358(c), Reg. §1.358-2: dates go over, lot by lot."""
    done = replayed("""
        2022-01-10 buy     P qty=100 amount=4000
        2023-01-10 buy     P qty=100 amount=8000
        2024-06-03 spinoff P child=C ratio=0.5 parent_fmv=60 child_fmv=40
    """)
    assert done.lot("t1", "P") == [(Decimal(100), Decimal(3000), "2022-01-10")]
    assert done.lot("t1", "C") == [(Decimal(50), Decimal(1000), "2022-01-10")]
    assert done.lot("t2", "C") == [(Decimal(50), Decimal(2000), "2023-01-10")]


def test_rights_get_basis_by_election_and_stock_counts_from_exercise(replayed: Replay) -> None:
    """Pub. 550: 100 shares at 22 cost 2,200, stock worth 30, rights 3 each for 10 more at 26:
    2,178.22 stay, 21.78 go to the rights, an exercised share costs 28.18 (§§307(b), 1223(5))."""
    done = replayed("""
        2022-01-10 buy    X qty=100 amount=2200
        2024-06-03 rights X rights=R per_share=0.1 allocate=true stock_fmv=30 right_fmv=3
        2024-07-01 exercise_rights X rights=R qty=10 amount=260
    """)
    assert done.basis("t1", "X") == Decimal("2178.22")
    assert done.lot("t3") == [(Decimal(10), Decimal("281.78"), "2024-06-30")]


def test_rights_below_fifteen_per_cent_get_nothing_unless_elected(replayed: Replay) -> None:
    """§307(b)(1)."""
    text = """
        2022-01-10 buy    X qty=100 amount=2200
        2024-06-03 rights X rights=R per_share=1 stock_fmv=20 right_fmv={}
    """
    assert replayed(text.format("2.99")).basis("t1", "R") == 0
    assert replayed(text.format("3.00")).basis("t1", "R") == Decimal("286.96")


def test_a_return_of_capital_beyond_basis_is_gain(replayed: Replay) -> None:
    """§301(c)(2), (3): 100, less 80, then 30: gain 10."""
    done = replayed("""
        2022-01-10 buy X qty=10 amount=100
        2023-06-01 roc X per_share=8
        2024-06-03 roc X per_share=3
    """)
    assert done.basis("t1") == 0
    assert done.sold("t3")["gain"] == 10
    assert done.terms("t3") == {"L"}


def test_a_stock_merger_carries_lots_over_without_averaging(replayed: Replay) -> None:
    """§§354, 358(a)(1), Reg. §1.358-2(a)(2)."""
    done = replayed("""
        2022-01-10 buy X qty=100 amount=1000
        2023-01-10 buy X qty=100 amount=3000
        2024-06-03 stock_merger X to=Y ratio=1:2
    """)
    assert done.lot("t1", "Y") == [(Decimal(50), Decimal(1000), "2022-01-10")]
    assert done.lot("t2", "Y") == [(Decimal(50), Decimal(3000), "2023-01-10")]


def test_boot_is_gain_up_to_the_cash_and_never_a_loss(replayed: Replay) -> None:
    """§356(a)(1), (c), §358(a)(1): basis 5,000, stock worth 4,700 + 800 cash: gain 500, basis
    4,700; a lot under water recognises nothing and keeps basis less cash."""
    done = replayed("""
        2022-01-10 buy X qty=100 amount=5000
        2023-01-10 buy X qty=100 amount=9000
        2024-06-03 mixed_merger X to=Y ratio=1:1 to_fmv=47 cash=8
    """)
    assert done.sold("t3", "t1")["gain"] == 500
    assert done.sold("t3", "t1")["proceeds"] == 800
    assert done.sold("t3", "t1")["basis"] == 300
    assert done.basis("t1", "Y") == 4700
    assert done.sold("t3", "t2")["gain"] == 0
    assert done.basis("t2", "Y") == 8200


def test_a_cash_merger_is_a_sale_and_its_loss_can_wash(replayed: Replay) -> None:
    """§1001; §1091(a)."""
    done = replayed("""
        2022-01-10 buy X qty=100 amount=5000
        2024-05-20 buy X qty=10 amount=400
        2024-06-03 cash_merger X cash=40
    """)
    assert done.sold("t3")["proceeds"] == 4400
    assert done.sold("t3", "t1")["disallowed"] == 100
    assert done.sold("t3")["gain"] == -1000


def test_a_new_symbol_is_the_same_stock(replayed: Replay) -> None:
    """§368(a)(1)(F): a loss on the old symbol is washed by a purchase of the new one."""
    done = replayed("""
        2022-01-10 buy  X qty=200 amount=10000
        2024-06-03 sell X qty=100 amount=4000
        2024-06-10 symbol_change X to=Y
        2024-06-17 buy  Y qty=100 amount=4000
    """)
    assert done.sold("t2")["disallowed"] == 1000
    assert done.basis("t4") == 5000
    assert done.lot("t1", "Y") == [(Decimal(100), Decimal(5000), "2022-01-10")]


def test_worthless_stock_is_sold_on_the_last_day_of_the_year(replayed: Replay) -> None:
    """§165(g)(1): bought on 15 June, worthless in May: on 31 December it is long-term."""
    done = replayed("""
        2023-06-15 buy X qty=100 amount=5000
        2024-05-20 worthless X
    """)
    assert done.sold("t2")["gain"] == -5000
    assert done.terms("t2") == {"L"}


def test_shares_from_a_merger_or_spin_off_replace_nothing(replayed: Replay) -> None:
    """§1091(a): not acquired by purchase or by a taxable exchange."""
    done = replayed("""
        2022-01-10 buy  Y qty=100 amount=5000
        2024-05-28 buy  X qty=100 amount=4000
        2024-06-03 stock_merger X to=Y ratio=1:1
        2024-06-04 sell Y qty=100 amount=3000 lots=t1*100
    """)
    assert done.sold("t4")["gain"] == -2000


@pytest.mark.parametrize(
    ("action", "symbol"),
    [
        ("stock_merger X to=Y ratio=1:3", "Y"),
        ("split X ratio=1:3", "X"),
        ("split_off X to=Y ratio=1:3 qty=0.000000001", "Y"),
        ("taxable_spinoff X child=Y ratio=1 child_fmv=9", "X"),
    ],
)
def test_no_lot_vanishes_be_it_a_billionth_of_a_share(replayed: Replay, action: str, symbol: str) -> None:
    """§358(a)(1): its basis would have nowhere to go."""
    done = replayed(f"""
        2022-01-10 buy X qty=0.000000001 amount=7
        2024-06-03 {action}
    """)
    assert done.lot("t1", symbol) == [(Decimal("0.000000001"), Decimal(7), "2022-01-10")]
    assert len(done.lots) == (2 if "child" in action else 1)


def test_boot_leaves_no_loss_basis_below_nothing(replayed: Replay) -> None:
    """§§356(c), 1015(a): a gift worth 100 takes 800 of cash; worthless, it has no loss left."""
    done = replayed("""
        2022-01-10 gift_in X qty=100 donor_basis=9000 fmv=100 donor_acq=2020-01-02
        2024-06-03 mixed_merger X to=Y ratio=1:1 to_fmv=47 cash=8
        2024-07-01 worthless Y
    """)
    assert done.sold("t2")["gain"] == 0
    assert done.sold("t3")["gain"] == 0
    assert done.sold("t3")["basis"] == 0


def test_stock_from_rights_leaves_in_the_order_in_which_the_rights_were_acquired(replayed: Replay) -> None:
    """Of 100 rights each, worth a fifth of both together, those of the older lot came to the account last."""
    text = """
        2022-01-10 buy      X account=A qty=100 amount=1375
        2022-06-10 buy      X account=B qty=100 amount=1750
        2024-06-03 rights   X rights=R per_share=1 allocate=true stock_fmv=40 right_fmv=10
        2024-06-10 transfer R from=A to=B lots=t1*100
        2024-07-01 exercise_rights X account=B rights=R qty=200 amount=8000
        2024-08-01 sell     X account=B qty={} amount=9000 lots=t5*{}
    """
    for shares, basis in ((100, 275 + 4000), (200, 275 + 350 + 8000)):
        done = replayed(text.format(shares, shares), {"A": {}, "B": {}})
        assert done.sold("t6")["basis"] == basis


def test_the_smallest_contract_takes_all_that_is_paid(replayed: Replay) -> None:
    """§1012(a): strike and premium of a billionth of a contract, to the cent."""
    done = replayed("""
        2024-05-20 option_buy X option=XC contracts=0.000000001 amount=3
        2024-07-25 option_exercise X option=XC contracts=0.000000001 amount=40
    """)
    assert done.basis("t2") == 43


def test_a_child_of_less_than_half_a_billionth_of_a_share_is_none(replayed: Replay) -> None:
    """Its basis stays with the parent; from half a billionth on it is a share like others."""
    text = """
        2022-01-10 buy     P qty=0.00000000{} amount=100
        2024-06-03 spinoff P child=C ratio=0.3 parent_fmv=60 child_fmv=40
    """
    none = replayed(text.format(1))
    assert (none.basis("t1", "P"), none.lot("t1", "C")) == (100, [])
    one = replayed(text.format(2))
    assert one.lot("t1", "C") == [(Decimal("0.000000001"), Decimal("16.67"), "2022-01-10")]


def test_of_parent_and_child_joined_again_the_parents_shares_are_sold_first(replayed: Replay) -> None:
    """One lot, one date; in order of their making."""
    done = replayed("""
        2022-01-10 buy          P qty=10 amount=100
        2023-06-01 spinoff      P child=C ratio=1 parent_fmv=30 child_fmv=10
        2024-06-03 stock_merger P to=C ratio=1:1
        2024-07-01 sell         C qty=10 amount=200
    """)
    assert done.sold("t4")["basis"] == 75
    assert done.basis("t1", "C") == 25
