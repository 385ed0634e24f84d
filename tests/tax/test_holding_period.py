"""The first long-term day, by calendar."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.tax.holding_period import first_long_term_day, is_long_term, long_term_from


@pytest.mark.parametrize(
    ("acquired", "first"),
    [
        ("2024-02-05", "2025-02-06"),  # 366 days after the purchase is still short-term
        ("2012-11-30", "2013-12-01"),  # Rev. Rul. 66-7: bought on the last day of a month
        ("2023-02-28", "2024-03-01"),  # 29 February 2024 is still short-term
        ("2024-02-28", "2025-03-01"),
        ("2024-02-29", "2025-03-01"),
        ("2023-12-31", "2025-01-01"),
    ],
)
def test_long_term_begins_a_year_after_the_day_after(acquired: str, first: str) -> None:
    """§1222(3), Rev. Rul. 66-97, 70-598."""
    days = np.array([acquired], "M8[D]")
    assert first_long_term_day(days).tolist() == np.array([first], "M8[D]").tolist()
    assert is_long_term(days, np.array([first], "M8[D]")).all()
    assert not is_long_term(days, np.array([first], "M8[D]") - 1).any()


def test_the_compiled_form_agrees_on_every_day_of_two_centuries() -> None:
    days = np.arange(np.datetime64("1950-01-01"), np.datetime64("2101-01-01"), 3)
    one_by_one = [long_term_from(int(day)) for day in days.astype(np.int64)]
    assert first_long_term_day(days).astype(np.int64).tolist() == one_by_one


def test_the_compiled_form_agrees_wherever_a_year_may_have_a_day_more() -> None:
    """A week around the end of February, and the turn of the year, of every year that a date can have."""
    years = np.arange("0001", "9998", dtype="M8[Y]")
    firsts = years.astype("M8[D]").astype(np.int64)
    around = firsts[:, None] + np.array([-1, 0, 1, 55, 56, 57, 58, 59, 60, 61])
    one_by_one = [long_term_from(day) for day in around.ravel().tolist()]
    assert first_long_term_day(around.ravel().astype("M8[D]")).astype(np.int64).tolist() == one_by_one
