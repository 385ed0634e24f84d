"""A mandate in numbers: screens, restrictions, blends, tilts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.errors import DataError
from allotment.rebalance.wishes import Wishes, wishes


def wanted(market, **fields) -> Wishes:
    base = {"benchmark": (("IDX", 1.0),)}
    mandate = Mandate(account_id=1, version=1, effective=date(2020, 1, 2), **{**base, **fields})
    return wishes(mandate, market)


def test_a_plain_mandate_is_the_index_with_room(market) -> None:
    made = wanted(market, name_active_max=0.03)
    assert made.benchmark == pytest.approx(market.benchmarks["IDX"])
    assert made.weight_max == pytest.approx(market.benchmarks["IDX"] + 0.03)
    assert made.may_buy.all()
    assert made.may_sell.all()
    assert not made.excluded.any()
    assert not made.utility.any()


def test_a_blend_weighs_its_indexes(market) -> None:
    equal = np.full(len(market.security_ids), 1 / len(market.security_ids))
    two = replace(market, benchmarks={**market.benchmarks, "EQ": equal})
    made = wanted(two, benchmark=(("IDX", 0.25), ("EQ", 0.75)))
    assert made.benchmark == pytest.approx(0.25 * market.benchmarks["IDX"] + 0.75 * equal)


def test_screens_add_up_and_leave_the_benchmark_alone(market) -> None:
    made = wanted(market, excluded_sectors=("Energy",), excluded_flags=("flag_tobacco",))
    energy = np.array([s.sector == "Energy" for s in market.securities])
    assert made.excluded.tolist() == (energy | market.flags["flag_tobacco"]).tolist()
    assert not made.weight_max[made.excluded].any()
    assert not made.may_buy[made.excluded].any()
    assert made.may_sell.all()
    assert made.benchmark.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "buy", "sell", "excluded"),
    [
        (RestrictionKind.NO_BUY, False, True, False),
        (RestrictionKind.NO_SELL, True, False, False),
        (RestrictionKind.HOLD, False, False, False),
        (RestrictionKind.EXCLUDE, False, True, True),
    ],
)
def test_a_restriction_concerns_one_name(market, kind, buy, sell, excluded) -> None:
    made = wanted(market, restrictions=(Restriction(7, kind),))
    row = int(np.flatnonzero(market.security_ids == 7)[0])
    assert (made.may_buy[row], made.may_sell[row], made.excluded[row]) == (buy, sell, excluded)
    others = np.arange(len(market.security_ids)) != row
    assert made.may_buy[others].all()
    assert made.may_sell[others].all()


def test_what_must_be_held_is_held_though_its_sector_is_screened(market) -> None:
    name = next(s.security_id for s in market.securities if s.sector == "Energy")
    made = wanted(
        market,
        excluded_sectors=("Energy",),
        restrictions=(Restriction(name, RestrictionKind.HOLD),),
    )
    row = int(np.flatnonzero(market.security_ids == name)[0])
    assert not made.excluded[row]
    assert made.weight_max[row] > 0


def test_a_restriction_on_a_name_outside_changes_nothing(market) -> None:
    made = wanted(market, restrictions=(Restriction(999, RestrictionKind.EXCLUDE),))
    assert not made.excluded.any()


def test_tilts_add_up(market) -> None:
    made = wanted(market, tilts=(Tilt("size", 0.01), Tilt("momentum", -0.02)))
    hoped = 0.01 * market.exposure("size") - 0.02 * market.exposure("momentum")
    assert made.utility == pytest.approx(hoped)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"benchmark": (("NOPE", 1.0),)}, "NOPE.*IDX"),
        ({"excluded_flags": ("flag_nope",)}, "flag_nope"),
        ({"tilts": (Tilt("nope", 1.0),)}, "nope"),
    ],
)
def test_what_the_market_does_not_have_is_told(market, fields, named) -> None:
    with pytest.raises(DataError, match=named):
        wanted(market, **fields)
