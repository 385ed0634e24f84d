"""Which lots are best sold, donated or given: small tables that a person can check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotment.book.lots import BasisState, Lots
from allotment.ledger.lot_choice import best_to_donate, best_to_give, least_tax_first, unrealised_cents

ASOF = np.datetime64("2024-06-28")
SHARE = 10**9


def lots_of(*rows: tuple[int, int, int, str]) -> Lots:
    """(security, shares, basis in dollars, day acquired)."""
    n = len(rows)
    days = np.array([row[3] for row in rows], "M8[D]")
    basis = np.array([row[2] * 100 for row in rows], np.int64)
    return Lots(
        account_ix=np.zeros(n, np.int32),
        sleeve_ix=np.zeros(n, np.int32),
        security_id=np.array([row[0] for row in rows], np.int64),
        side=np.ones(n, np.int8),
        quantity_nano=np.array([row[1] * SHARE for row in rows], np.int64),
        basis_cents=basis,
        loss_basis_cents=basis,
        acquired=days,
        holding_from=days,
        purchased=days,
        acquisition_id=np.arange(n),
        origin_event=np.full(n, 1),
        origin_line=np.arange(n, dtype=np.int32),
        absorbed=np.zeros(n, np.int8),
        covered=np.ones(n, np.int8),
        basis_state=np.zeros(n, np.int8),
    )


def at_100(lots: Lots) -> np.ndarray:
    return np.full(len(lots), 100_000_000)


def test_the_largest_saving_goes_first_and_unknown_basis_last() -> None:
    lots = lots_of(
        (5, 10, 500, "2020-01-02"),  # long gain of 50 a share: tax 10
        (5, 10, 1500, "2020-01-02"),  # long loss of 50: saves 10
        (5, 10, 1400, "2024-01-02"),  # short loss of 40: saves 16
        (5, 10, 0, "2020-01-02"),  # basis missing
        (5, 10, 800, "2024-01-02"),  # short gain of 20: tax 8
        (4, 10, 10, "2024-01-02"),
    )
    lots = replace(lots, basis_state=np.array([0, 0, 0, BasisState.MISSING, 0, 0], np.int8))
    order = least_tax_first(lots, at_100(lots), ASOF, short_rate=0.4, long_rate=0.2)
    assert order.tolist() == [5, 2, 1, 4, 0, 3]


def test_ties_fall_to_the_older_lot() -> None:
    lots = lots_of((5, 1, 50, "2021-01-02"), (5, 1, 50, "2020-01-02"), (5, 1, 50, "2021-01-02"))
    assert least_tax_first(lots, at_100(lots), ASOF, short_rate=0.4, long_rate=0.2).tolist() == [1, 0, 2]


def test_donations_are_long_term_and_by_gain_per_dollar() -> None:
    """§170(e)(1)(A): a short-term gain is not deductible; a loss is better sold."""
    lots = lots_of(
        (5, 10, 600, "2020-01-02"),
        (6, 1, 20, "2020-01-02"),
        (7, 10, 1500, "2020-01-02"),
        (8, 10, 10, "2024-01-02"),
        (9, 10, 100, "2023-06-27"),
        (9, 10, 100, "2023-06-28"),
        (4, 10, 0, "2020-01-02"),
    )
    lots = replace(lots, basis_state=np.array([0, 0, 0, 0, 0, 0, BasisState.PENDING], np.int8))
    # Bought on 27 June 2023: long-term from 28 June 2024 on; a day later it is not.
    assert best_to_donate(lots, at_100(lots), ASOF).tolist() == [4, 1, 0]


def test_gifts_are_of_the_lowest_basis_and_never_of_a_loss() -> None:
    """§1015(a): the receiver takes the giver's basis, but not the loss."""
    lots = lots_of((5, 10, 600, "2020-01-02"), (6, 10, 1200, "2020-01-02"), (7, 10, 100, "2024-01-02"))
    assert best_to_give(lots, at_100(lots)).tolist() == [2, 0]


@pytest.mark.parametrize(("value", "gain"), [(900, -100), (1000, 0), (1100, 0), (1200, 0), (1300, 100)])
def test_between_the_two_bases_of_a_gift_there_is_nothing(value: int, gain: int) -> None:
    """Reg. §1.1015-1(a)(2)."""
    cents = np.array([value]), np.array([1200]), np.array([1000])
    assert unrealised_cents(*cents).tolist() == [gain]
