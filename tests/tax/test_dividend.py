"""The 61-day test: §1(h)(11)(B)(iii), §246(c)."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.tax.dividend import days_held_around, is_qualified, is_qualified_preferred


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
