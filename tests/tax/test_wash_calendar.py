"""Locks by household and group, planned purchases, and the price of a wash."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.tax.identical import IdenticalGroups
from allotment.tax.pretrade import OpenClaims, WashState, YoungShares
from allotment.tax.wash_calendar import PlannedPurchases, planned_wash, wash_calendar, wash_price

SHARE = 10**9
GROUPS = IdenticalGroups(
    security_ids=np.array([1, 2, 3]),
    group_ix=np.array([0, 0, 1], np.int32),
    unit_parts=np.array([1500, 1, 1]),
    unit_whole=np.ones(3, np.int64),
)


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "M8[D]")


def state() -> WashState:
    n = np.array
    claims = OpenClaims(
        household_ix=n([0, 0, 1], np.int32), group_ix=n([0, 0, 1], np.int32),
        account_ix=n([0, 0, 1], np.int32), security_id=n([1, 2, 3]), unit_nano=n([10, 5, 7]) * SHARE,
        loss_cents=n([100, 50, 7]), sold=days("2024-06-03", "2024-06-10", "2024-06-04"),
        no_buy_until=days("2024-07-03", "2024-07-10", "2024-07-04"), acquisition_id=n([1, 2, 3]),
    )  # fmt: skip
    young = YoungShares(
        household_ix=n([0, 1], np.int32), group_ix=n([1, 1], np.int32), account_ix=n([0, 1], np.int32),
        security_id=n([3, 3]), quantity_nano=n([4, 6]) * SHARE, unit_nano=n([4, 6]) * SHARE,
        purchased=days("2024-06-01", "2024-06-05"), acquisition_id=n([4, 5]),
    )  # fmt: skip
    return WashState(asof=np.asarray(np.datetime64("2024-06-12")), young=young, claims=claims)


def test_each_lock_has_its_first_and_last_day() -> None:
    """Sold on 3 and 10 June: the first of the shares is free on 4 July, all of them on 11 July."""
    found = wash_calendar(state(), 2)
    assert list(zip(found.household_ix, found.group_ix, strict=True)) == [(0, 0), (0, 1), (1, 1)]
    assert found.exposed_nano.tolist() == [15 * SHARE, 0, 7 * SHARE]
    assert found.loss_cents.tolist() == [150, 0, 7]
    assert found.buy_unlocks.tolist()[0].isoformat() == "2024-07-04"
    assert found.buy_clean_from.tolist()[0].isoformat() == "2024-07-11"
    assert np.isnat(found.buy_unlocks[1])
    assert found.young_nano.tolist() == [0, 4 * SHARE, 6 * SHARE]
    assert np.isnat(found.sale_clean_from[0])
    assert found.sale_clean_from.tolist()[1].isoformat() == "2024-07-02"


def test_planned_purchases_of_the_window_wash_in_shares_of_what_is_sold() -> None:
    """One share of security 1 is 1,500 of security 2; the thirtieth day counts, the next does not."""
    planned = PlannedPurchases(
        household_ix=np.array([0, 0, 0, 1, 0], np.int32),
        security_id=np.array([1, 2, 2, 1, 3]),
        day=days("2024-06-12", "2024-07-12", "2024-07-13", "2024-06-20", "2024-06-11"),
        quantity_nano=np.array([1, 750, 9_999, 5, 5]) * SHARE,
        taxable=np.array([1, 0, 0, 1, 1], np.int8),
    )
    asof = np.asarray(np.datetime64("2024-06-12"))
    found = planned_wash(planned, 0, np.array([2, 1, 3]), GROUPS, asof)
    assert found.planned_nano.tolist() == [2250 * SHARE, 1_500_000_000, 0]
    assert found.in_ira_nano.tolist() == [750 * SHARE, 500_000_000, 0]


def test_a_wash_costs_the_time_and_the_character_of_the_loss_or_all_of_it() -> None:
    loss, rates = np.array([1_000.0, 1_000.0]), (np.array([0.408] * 2), np.array([0.408, 0.238]))
    deferred = wash_price(loss, *rates, 2.0, 0.05, np.zeros(2, np.int8))
    assert deferred[0] == pytest.approx(408 * (1 - 1.05**-2))
    assert deferred[1] == pytest.approx(408 - 238 * 1.05**-2)
    assert wash_price(loss, *rates, 2.0, 0.05, np.ones(2, np.int8)).tolist() == [408.0, 408.0]
