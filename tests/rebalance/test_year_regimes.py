"""The regimes of a year against the netting of `tax.year`, to the cent."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import FilingStatus, Taxpayer
from allotment.optimize.modes import Mode, Purpose
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy, prepare
from allotment.rebalance.decide import Versions
from allotment.rebalance.explain import explain
from allotment.rebalance.household import decide, market_arrays
from allotment.rebalance.year_regimes import reachable, realised, with_regimes, year_regimes
from allotment.rebalance.year_so_far import YearSoFar
from allotment.tax.year import YearProfile, net, tax_of_year

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of

CLIENT = Taxpayer(
    taxpayer_id=1, code="T1", household_id=1, short_rate=0.408, long_rate=0.238, ordinary_rate=0.37
)
VERSIONS = Versions(engine="t", rules="t")
cents = st.integers(-3_000_000, 3_000_000)
losses = st.integers(0, 2_000_000)


@settings(max_examples=300, deadline=None)
@given(
    status=st.sampled_from(FilingStatus), carried=st.tuples(losses, losses), outside=st.tuples(cents, cents),
    so_far=st.tuples(cents, cents), trades=st.tuples(cents, cents), carried_rate=st.sampled_from([0.0, 0.2]),
)  # fmt: skip
def test_the_change_of_tax_is_that_of_the_year(
    status, carried, outside, so_far, trades, carried_rate
) -> None:
    """Tax of the year with the trades less without, and what they add to the losses carried on."""
    taxpayer = replace(
        CLIENT, filing_status=status, carry_short_cents=carried[0], carry_long_cents=carried[1],
        outside_short_cents=outside[0], outside_long_cents=outside[1],
    )  # fmt: skip
    profile = YearProfile.of_taxpayers([taxpayer])

    def year(short: int, long: int) -> float:
        left = net(np.array([short]), np.array([long]), profile)
        tax = tax_of_year(np.array([short]), np.array([long]), profile)[0]
        return float(tax - carried_rate * (left.carry_short_cents + left.carry_long_cents)[0])

    change = year(so_far[0] + trades[0], so_far[1] + trades[1]) - year(*so_far)
    value_usd = 1e6
    regimes = year_regimes(taxpayer, *so_far, value_usd=value_usd, carried_rate=carried_rate)
    by_regime = regimes.tax(trades[0] / 100 / value_usd, trades[1] / 100 / value_usd) * value_usd * 100
    assert by_regime == pytest.approx(change, abs=1.01)  # the year is rounded to the cent twice
    assert regimes.tax(0.0, 0.0) == pytest.approx(0.0, abs=1e-15)


@settings(max_examples=100, deadline=None)
@given(so_far=st.tuples(cents, cents), seed=st.integers(0, 1000))
def test_what_cannot_be_reached_is_left_out_and_nothing_else(so_far, seed) -> None:
    """Whatever is sold of the lots, the regimes kept say the same as all five."""
    rng = np.random.default_rng(seed)
    market = _small.small_market()
    lots = lots_of(
        *[
            (int(s), 20.0, float(basis), day)
            for s, basis, day in zip(
                rng.integers(1, 31, 6), rng.uniform(1_000, 4_000, 6),
                rng.choice(["2023-01-03", "2025-03-03"], 6), strict=True,
            )
        ]
    )  # fmt: skip
    problem = prepare(_small.case_maker(market)(lots, 10_000), market, CostPolicy()).problem
    regimes = year_regimes(CLIENT, *so_far, value_usd=float(problem.value_usd[0]), carried_rate=0.2)
    kept = reachable(regimes, problem)
    for portion in rng.random((20, 6)).round():
        gains = realised(problem, problem.lot_weight * portion)
        assert kept.tax(*gains) == pytest.approx(regimes.tax(*gains), abs=1e-12)
    assert kept.at(0.0, 0.0) == 0


def test_the_optimiser_pays_the_tax_of_the_year(market, case) -> None:
    """An account deep in short-term losses whose client has long-term gains alone: the first $20,000 of
    loss are worth the long-term rate, $3,000 the ordinary one, the rest what a carried loss is worth."""
    lots = lots_of(*[(s, 300, 45_000, "2025-02-03") for s in range(3, 9)])
    client = replace(CLIENT, outside_long_cents=20_000_00)
    ready = prepare(replace(case(lots, 20_000), taxpayer=client), market, CostPolicy())
    regimes = year_regimes(client, 0, 0, value_usd=float(ready.problem.value_usd[0]), carried_rate=0.2)
    basis_value = np.array([0.08])
    problem = with_regimes(ready.problem, reachable(regimes, ready.problem), basis_value)
    answer = solve_batch(market_arrays(market), problem)
    short, long = realised(problem, answer.sold)
    assert short < -0.2
    profile = YearProfile.of_taxpayers([client])
    gains = [np.array([round(g * float(problem.value_usd[0]) * 100)]) for g in (short, long)]
    tax = tax_of_year(*gains, profile)[0] - tax_of_year(np.zeros(1), np.zeros(1), profile)[0]
    carried = net(*gains, profile).carry_short_cents[0]
    paid = (tax - 0.2 * carried) / 100 / float(problem.value_usd[0])
    assert answer.year_tax[0] == pytest.approx(paid, abs=1e-7)
    assert answer.gap[0] < 5e-4


def harvest(market, case, taxpayer: Taxpayer, *, purpose: Purpose | None = None, **costs: float):
    """A decision on an account that has lost a third of a million in the short term."""
    lots = lots_of(*[(s, 300, 45_000, "2025-02-03") for s in range(3, 25)])
    ready = replace(case(lots, 20_000, mandate={"loss_value": 1.0}), taxpayer=taxpayer, purpose=purpose)
    made = decide([ready], market, CostPolicy(**costs), VERSIONS, YearSoFar({}), solve_batch)
    return made.proposals[0]


def test_the_year_is_netted_where_lot_by_lot_is_wrong(market, case) -> None:
    """Short losses at 40.8 % that only meet $3,000 of income at 37 %: carried on, they are worth 23.8 %."""
    netted = harvest(market, case, CLIENT)
    by_lot = harvest(market, case, CLIENT, year_bps_min=np.inf)
    always = harvest(market, case, CLIENT, year_bps_min=0.0)
    assert netted.trades.quantity_nano.tolist() == always.trades.quantity_nano.tolist()
    loss, less = by_lot.loss_banked_cents, netted.loss_banked_cents
    assert by_lot.tax_cents == pytest.approx(-(0.408 - 0.08) * loss, rel=1e-6)
    assert netted.tax_cents == pytest.approx(-(0.238 - 0.08) * less - (0.37 - 0.238) * 3_000_00, rel=1e-6)
    # Each line counts the rate of the last dollar, which is carried on.
    assert int(netted.trades.tax_cents.sum()) == pytest.approx(-(0.238 - 0.08) * less, rel=1e-6)
    saves = -netted.tax_cents / 100
    (told,) = (fact for fact in explain(netted).facts if "As priced" in fact)
    assert f"saves ${saves:,.0f}; at the rates of the last dollar" in told
    assert less <= loss


def test_a_year_with_short_gains_enough_is_left_lot_by_lot(market, case) -> None:
    rich = replace(CLIENT, outside_short_cents=10**9)
    netted, by_lot = harvest(market, case, rich), harvest(market, case, rich, year_bps_min=np.inf)
    assert netted.trades.quantity_nano.tolist() == by_lot.trades.quantity_nano.tolist()
    assert netted.tax_cents == by_lot.tax_cents


def test_a_purpose_keeps_its_own_prices(market, case) -> None:
    """Tracking alone: losses are worth nothing, whatever the year says."""
    track = Purpose(mode=Mode.TRACK)
    netted = harvest(market, case, CLIENT, purpose=track, year_bps_min=0.0)
    by_lot = harvest(market, case, CLIENT, purpose=track, year_bps_min=np.inf)
    assert netted.trades.quantity_nano.tolist() == by_lot.trades.quantity_nano.tolist()


def test_accounts_of_two_taxpayers_are_taxed_lot_by_lot(market, case) -> None:
    """Spouses who file apart have no year together."""
    lots = lots_of(*[(s, 300, 45_000, "2025-02-03") for s in range(3, 25)])
    mine = replace(case(lots, 20_000, mandate={"loss_value": 1.0}), taxpayer=CLIENT)
    other = replace(case(lots, 20_000, account_id=2), taxpayer=replace(CLIENT, taxpayer_id=2, code="T2"))
    made = decide([mine, other], market, CostPolicy(year_bps_min=0.0), VERSIONS, YearSoFar({}), solve_batch)
    first = made.proposals[0]
    assert first.tax_cents == pytest.approx(-(0.408 - 0.08) * first.loss_banked_cents, rel=1e-6)
