"""The year's tax with and without trades, account after account of one taxpayer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allotment.book.household import Taxpayer
from allotment.rebalance.year_so_far import YearSoFar

CLIENT = Taxpayer(taxpayer_id=1, code="T1", household_id=1, short_rate=0.4, long_rate=0.2, ordinary_rate=0.35)


def test_a_loss_saves_the_tax_of_the_gain_that_it_meets() -> None:
    year = YearSoFar({1: (0, 10_000_00)})
    assert year.saved_cents(CLIENT, -4_000_00, 0) == 800_00
    assert year.realised_cents(CLIENT) == (-4_000_00, 10_000_00)


def test_the_next_account_goes_on_where_the_last_one_stopped() -> None:
    """$5,000 of gains: the first loss of $4,000 meets gains, of the second only $1,000 do; $3,000 of
    the rest meet ordinary income, and what is left is worth nothing this year."""
    year = YearSoFar({1: (0, 5_000_00)})
    assert year.saved_cents(CLIENT, 0, -4_000_00) == 800_00
    assert year.saved_cents(CLIENT, 0, -6_000_00) == 200_00 + 1_050_00
    assert year.saved_cents(CLIENT, 0, -1_000_00) == 0


def test_a_gain_under_a_carried_loss_costs_what_the_loss_would_have_saved() -> None:
    """With $10,000 carried in, $3,000 are deducted either way: a gain of $7,000 is free."""
    carried = replace(CLIENT, carry_long_cents=10_000_00)
    year = YearSoFar({})
    assert year.saved_cents(carried, 0, 7_000_00) == 0
    assert year.saved_cents(carried, 0, 1_000_00) == -350_00


def test_taxpayers_do_not_share_a_year() -> None:
    year = YearSoFar({1: (10_000_00, 0)})
    other = replace(CLIENT, taxpayer_id=2, code="T2")
    assert year.saved_cents(other, -1_000_00, 0) == pytest.approx(350_00)
    assert year.saved_cents(CLIENT, -1_000_00, 0) == 400_00
