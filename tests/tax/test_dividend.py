"""The 61-day test: §1(h)(11)(B)(iii), §246(c)."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from allotment.tax.dividend import (
    Bucket,
    Payment,
    bucket,
    days_held_around,
    is_qualified,
    is_qualified_preferred,
    long_term_part_of_loss,
    year_of_dividend,
)


def day(text: str) -> np.ndarray:
    return np.array([text or "NaT"], "M8[D]")


@pytest.mark.parametrize(
    ("acquired", "sold", "held"),
    [
        ("2024-07-11", "2024-09-13", 61),  # Pub. 550 prints 63; in the window it is 61
        ("2024-07-11", "2024-09-09", 60),
        ("2020-01-02", "", 121),
        ("2020-01-02", "2024-07-11", 60),  # 13 May to 11 July
        ("2020-01-02", "2024-07-12", 61),
        ("2024-07-12", "", 60),  # bought on the ex-date
        ("2024-10-01", "", 0),
    ],
)
def test_days_count_inside_the_window_only(acquired: str, sold: str, held: int) -> None:
    ex_date = day("2024-07-12")
    assert days_held_around(day(acquired), day(sold), ex_date, 60).tolist() == [held]
    assert is_qualified(day(acquired), day(sold), ex_date).tolist() == [held > 60]


def test_preferred_stock_needs_more_than_ninety_days() -> None:
    ex_date = day("2024-07-12")
    assert is_qualified_preferred(day("2024-07-11"), day("2024-10-10"), ex_date).tolist() == [True]
    assert is_qualified_preferred(day("2024-07-11"), day("2024-10-09"), ex_date).tolist() == [False]


def test_days_of_diminished_risk_do_not_count() -> None:
    """§246(c)(4): 61 days held, one of them under a put."""
    lot = day("2024-07-11"), day("2024-09-13"), day("2024-07-12")
    assert is_qualified(*lot).tolist() == [True]
    assert is_qualified(*lot, hedged_days=1).tolist() == [False]


@pytest.mark.parametrize(
    ("payment", "qualified", "where"),
    [
        (Payment.DIVIDEND, True, Bucket.QUALIFIED),
        (Payment.DIVIDEND, False, Bucket.ORDINARY),
        (Payment.IN_LIEU, True, Bucket.ORDINARY),
        (Payment.REIT, True, Bucket.SECTION_199A),
    ],
)
def test_each_payment_has_its_bucket(payment: Payment, qualified: bool, where: Bucket) -> None:
    assert bucket(payment, qualified) is where


@pytest.mark.parametrize(
    ("paid", "declared", "record", "is_fund", "year"),
    [
        (date(2025, 1, 10), date(2024, 12, 15), date(2024, 12, 27), True, 2024),
        (date(2025, 1, 10), date(2024, 12, 15), date(2024, 12, 27), False, 2025),
        (date(2025, 1, 10), date(2024, 9, 30), date(2024, 12, 27), True, 2025),
        (date(2025, 2, 1), date(2024, 12, 15), date(2024, 12, 27), True, 2025),
        (date(2025, 1, 10), date(2024, 12, 15), date(2025, 1, 2), True, 2025),
    ],
)
def test_a_funds_january_dividend_may_belong_to_december(paid, declared, record, is_fund, year) -> None:
    """Pub. 17/550: declared and of record in the last quarter, paid in January."""
    assert year_of_dividend(paid, declared, record, is_fund=is_fund) == year


def test_a_loss_is_long_term_as_far_as_extraordinary_dividends_went() -> None:
    """§1(h)(11)(D)(ii)."""
    assert long_term_part_of_loss(500, 300) == 300
    assert long_term_part_of_loss(200, 300) == 200
