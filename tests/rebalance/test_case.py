"""An account's facts as the optimiser's problem: weights, taxes per dollar, limits, hash."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotment.book.household import AccountKind
from allotment.book.lots import BasisState
from allotment.errors import DataError
from allotment.market.security import SecurityKind
from allotment.optimize.modes import Mode, Purpose
from allotment.optimize.problem import RowKind
from allotment.rebalance.case import CostPolicy, prepare

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of

TAXES = {"loss_value": 0.9, "basis_value": 0.05}


def test_weights_are_fractions_of_all_there_is(market, case) -> None:
    made = prepare(case(lots_of((3, 100, 9_000, "2023-01-03")), 30_000), market, CostPolicy())
    assert made.value_cents == 40_000_00
    assert made.problem.cash == pytest.approx([0.75])
    at = int(np.flatnonzero(made.market_rows == 2)[0])
    assert made.problem.held[at] == pytest.approx(0.25)
    assert made.problem.lot_weight == pytest.approx([0.25])
    assert made.problem.ticket_charge == pytest.approx([0.5 / 40_000])


@pytest.mark.parametrize(
    ("basis", "day", "tax"),
    [
        # $10,000 of market value; rates of 0.4 short and 0.2 long
        (8_000, "2025-06-01", (0.4 - 0.05) * 2_000),
        (8_000, "2023-06-01", (0.2 - 0.05) * 2_000),
        (13_000, "2025-06-01", -(0.4 * 0.9 - 0.05) * 3_000),
        (13_000, "2023-06-01", -(0.2 * 0.9 - 0.05) * 3_000),
    ],
)
def test_a_dollar_sold_costs_what_the_client_pays(market, case, basis, day, tax) -> None:
    made = prepare(case(lots_of((3, 100, basis, day)), mandate=TAXES), market, CostPolicy())
    assert made.problem.lot_tax == pytest.approx([tax / 10_000])


def test_gains_per_dollar_stand_for_rows_and_modes(market, case) -> None:
    lots = lots_of((3, 100, 8_000, "2025-06-01"), (4, 100, 13_000, "2023-06-01"))
    made = prepare(case(lots), market, CostPolicy())
    assert made.problem.lot_gain == pytest.approx([0.2, -0.3])
    assert made.problem.lot_is_long.tolist() == [False, True]
    assert prepare(case(lots, kind=AccountKind.IRA), market, CostPolicy()).problem.lot_gain.tolist() == [0, 0]


def test_a_purpose_changes_the_problem_and_its_hash(market, case) -> None:
    plain = case(lots_of((3, 100, 8_000, "2025-06-01")))
    aimed = replace(plain, purpose=Purpose(mode=Mode.TAX_NEUTRAL))
    one, other = prepare(plain, market, CostPolicy()), prepare(aimed, market, CostPolicy())
    assert other.problem.row_kind.tolist() == [RowKind.GAIN]
    assert one.inputs_hash != other.inputs_hash
    limited = prepare(replace(plain, te_max=0.02), market, CostPolicy())
    assert limited.problem.te_max.tolist() == [0.02]
    assert limited.inputs_hash != one.inputs_hash


def test_long_term_begins_on_the_day_after_a_year(market, case) -> None:
    """Bought 30 June 2024: still short on 30 June 2025; bought a day earlier: long."""
    lots = lots_of((3, 10, 900, "2024-06-30"), (4, 10, 900, "2024-06-29"))
    made = prepare(case(lots), market, CostPolicy())
    assert made.lot_is_long.tolist() == [False, True]


def test_nothing_is_taxed_in_an_ira(market, case) -> None:
    lots = lots_of((3, 100, 20_000, "2023-01-03"))
    made = prepare(case(lots, kind=AccountKind.IRA), market, CostPolicy())
    assert made.problem.lot_tax.tolist() == [0.0]
    assert made.problem.lot_is_loss.tolist() == [False]


def test_a_gift_between_its_two_bases_has_neither_gain_nor_loss(market, case) -> None:
    """§1015(a): worth $10,000; the donor's basis was $12,000, the value when given $9,000 or $11,000."""
    lots = lots_of((3, 100, 12_000, "2023-01-03"), (3, 100, 12_000, "2023-01-03"))
    lots = replace(lots, loss_basis_cents=np.array([9_000_00, 11_000_00]))
    made = prepare(case(lots, mandate=TAXES), market, CostPolicy())
    assert made.lot_gain_cents.tolist() == [0, -1_000_00]
    assert made.problem.lot_gain == pytest.approx([0.0, -0.1])


def test_a_lot_without_basis_is_the_last_to_be_sold(market, case) -> None:
    lots = lots_of((3, 100, 20_000, "2023-01-03"), (3, 100, 1, "2023-01-03"))
    pending = replace(lots, basis_state=np.array([BasisState.PENDING, BasisState.KNOWN], np.int8))
    made = prepare(case(pending, mandate=TAXES), market, CostPolicy())
    assert made.problem.lot_tax[0] == pytest.approx(0.2 - 0.05)
    assert made.problem.lot_tax[0] > made.problem.lot_tax[1]


def test_a_limit_stops_purchases_but_forces_no_sale(market, case) -> None:
    made = prepare(
        case(lots_of((3, 500, 9_000, "2023-01-03")), 50_000, mandate={"name_active_max": 0.0}),
        market,
        CostPolicy(),
    )
    at = int(np.flatnonzero(made.market_rows == 2)[0])
    assert made.problem.weight_max[at] == pytest.approx(0.5)
    excluded = prepare(
        case(lots_of((4, 500, 9_000, "2023-01-03")), mandate={"excluded_flags": ("flag_tobacco",)}),
        market,
        CostPolicy(),
    )
    at = int(np.flatnonzero(excluded.market_rows == 3)[0])
    assert excluded.problem.weight_max[at] == 0.0


def test_whole_shares_have_a_step_and_billionths_have_none(market, case) -> None:
    whole = prepare(case(lots_of(), 10_000, step_nano=10**9), market, CostPolicy())
    assert whole.problem.step == pytest.approx(100 / 10_000)
    fine = prepare(case(lots_of(), 10_000, step_nano=1), market, CostPolicy())
    assert not fine.problem.step.any()


def test_whole_shares_widen_a_cash_band_that_none_could_meet(market, case) -> None:
    """A share is 1 % of the account, the band half a percent: half of what is missing below, half above."""
    narrow = {"cash_weight_min": 0.02, "cash_weight_max": 0.025}
    made = prepare(case(lots_of(), 10_000, step_nano=10**9, mandate=narrow), market, CostPolicy())
    assert made.problem.cash_min == pytest.approx([0.0175])
    assert made.problem.cash_max == pytest.approx([0.0275])
    assert made.cash_band_added == pytest.approx(0.005)
    fine = prepare(case(lots_of(), 10_000, step_nano=1, mandate=narrow), market, CostPolicy())
    assert (fine.problem.cash_max[0], fine.cash_band_added) == (0.025, 0.0)


def test_cash_that_is_asked_for_is_raised_in_full_by_whole_shares(market, case) -> None:
    """The band begins at nothing: it is widened upwards alone, then $1,000 are asked for."""
    held = case(
        lots_of((3, 100, 9_000, "2023-01-03")),
        step_nano=10**9,
        mandate={"cash_weight_min": 0.0, "cash_weight_max": 0.0},
    )
    asked = replace(held, purpose=Purpose(mode=Mode.RAISE_CASH, amount_usd=1_000.0))
    made = prepare(asked, market, CostPolicy())
    assert made.problem.cash_min == pytest.approx([0.1])
    assert made.problem.cash_max == pytest.approx([0.11])
    assert made.cash_band_added == pytest.approx(0.01)


def test_a_holding_without_a_price_is_told(market, case) -> None:
    silent = replace(market, price_micros=np.where(market.security_ids == 3, 0, market.price_micros))
    with pytest.raises(DataError, match="S03"):
        prepare(case(lots_of((3, 1, 1, "2023-01-03"))), silent, CostPolicy())
    with pytest.raises(DataError, match="security 99"):
        prepare(case(lots_of((99, 1, 1, "2023-01-03"))), market, CostPolicy())


def test_a_short_position_is_told(market, case) -> None:
    lots = lots_of((3, 1, 1, "2023-01-03"))
    with pytest.raises(DataError, match="short position"):
        prepare(case(replace(lots, side=-lots.side)), market, CostPolicy())


def test_the_hash_follows_every_fact_and_no_accident(market, case) -> None:
    lots = lots_of((3, 10, 900, "2024-06-30"), (4, 10, 900, "2024-06-29"))
    base = case(lots, 1_000)
    known = prepare(base, market, CostPolicy()).inputs_hash
    elsewhere = replace(lots, account_ix=lots.account_ix + 5)  # its place in today's batch
    assert prepare(replace(base, lots=elsewhere), market, CostPolicy()).inputs_hash == known
    assert prepare(replace(base, lots=lots.take(np.array([1, 0]))), market, CostPolicy()).inputs_hash == known
    changed = [
        prepare(case(lots, 1_001), market, CostPolicy()),
        prepare(case(lots, 1_000, mandate={"risk_price": 51.0}), market, CostPolicy()),
        prepare(replace(base, lots=replace(lots, basis_cents=lots.basis_cents + 1)), market, CostPolicy()),
        prepare(_small.claimed(base, np.array([3])), market, CostPolicy()),
        prepare(_small.with_young(base, np.array([3])), market, CostPolicy()),
        prepare(base, replace(market, digest="another market"), CostPolicy()),
        prepare(base, market, CostPolicy(ticket_usd=1.0)),
    ]
    assert len({known, *(one.inputs_hash for one in changed)}) == 1 + len(changed)


def test_a_lot_without_basis_is_never_harvested(market, case) -> None:
    """Pending at a stated loss, or missing: it counts as all gain, and can be sold."""
    lots = lots_of((3, 10, 5_000, "2020-01-02"), (3, 10, 0, "2020-01-02"), (3, 10, 5_000, "2020-01-02"))
    lots = replace(lots, basis_state=np.array([BasisState.PENDING, BasisState.MISSING, 0], np.int8))
    made = prepare(case(lots, 100), market, CostPolicy())
    assert made.lot_gain_cents.tolist() == [1_000_00, 1_000_00, -4_000_00]
    assert (made.problem.lot_tax[:2] > 0).all()
    assert made.problem.lot_tax[2] < 0
    assert made.problem.lot_sellable.all()


def test_what_is_carried_counts_and_stays(market, case) -> None:
    """A bond of a tenth of the account: in its value, its weights and its risk, never in its trades."""
    bond = replace(market.securities[7], kind=SecurityKind.BOND, sector="Energy")
    securities = (*market.securities[:7], bond, *market.securities[8:])
    market = replace(
        market, securities=securities, price_micros=np.where(market.security_ids == 8, 0, market.price_micros)
    )
    lots = lots_of((3, 80, 5_000, "2020-01-02"))
    plain = case(lots, 1_000, mandate={"excluded_sectors": ("Energy",)})
    made = prepare(replace(plain, carried=((8, 1_000_00), (999, 500_00))), market, CostPolicy())
    assert made.value_cents == 10_500_00
    at = market.security_ids[made.market_rows].tolist().index(8)
    problem = made.problem
    assert problem.held[at] == pytest.approx(1_000 / 10_500)
    assert problem.lots_from[at] == problem.lots_from[at + 1]
    assert not problem.may_buy[at]
    assert not problem.may_sell[at]
    assert problem.weight_max[at] >= problem.held[at]
    assert problem.cash[0] == pytest.approx(1_000 / 10_500)
    other = prepare(replace(plain, carried=((8, 1_001_00),)), market, CostPolicy())
    assert other.inputs_hash != made.inputs_hash
