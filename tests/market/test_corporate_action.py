"""Ratios as they are meant."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from allotment.market.corporate_action import ActionKind, CorporateAction, exact_ratio


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (2.0, "2"),
        (1 / 3, "1/3"),
        (0.333333, "1/3"),
        (0.33333, "33333/100000"),  # five decimals may be meant as they stand
        (1.142857, "8/7"),
        (0.57041, "57041/100000"),
        (0.570412, "142603/250000"),
        (1e-4, "1/10000"),
        (1.05, "21/20"),
    ],
)
def test_ratios(written: float, meant: str) -> None:
    assert exact_ratio(written) == Fraction(meant)


def test_the_value_of_a_share_received_follows_from_what_was_handed_out() -> None:
    one = CorporateAction(
        security_id=1, ex_date=date(2024, 1, 2), kind=ActionKind.SPIN_OFF, ratio=0.333333, value_usd=4.0
    )
    assert one.received_price_usd == pytest.approx(12.0, abs=1e-12)
