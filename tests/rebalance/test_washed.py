"""Losses that a proposal washes do not count as banked, nor as tax saved this year."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotment.book.household import AccountKind
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy
from allotment.rebalance.decide import Versions
from allotment.rebalance.household import decide
from allotment.rebalance.washes import WashPolicy, WashRule
from allotment.rebalance.year_so_far import YearSoFar

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of

PRICED = CostPolicy(washes=WashPolicy(rule=WashRule.PRICE))


def proposed(market, ready, realised_cents=0):
    year = YearSoFar({1: (realised_cents, 0)})
    made = decide([ready], market, PRICED, Versions(engine="t", rules="t"), year, solve_batch)
    return made.proposals[0]


def test_young_shares_wash_the_first_shares_of_a_loss_sale(market, case) -> None:
    """Three hundred shares of security 3 at a loss of $50 each, ten young ones in the household: ten
    losses are washed, and the year is spared the rest of them at 40 %."""
    ready = _small.with_young(case(lots_of((3, 300, 45_000, "2025-02-03")), 1e6), market.group_ix[[2]], 10)
    proposal = proposed(market, ready, realised_cents=10**9)
    sold = proposal.trades.quantity_nano[proposal.trades.side < 0].sum() / 1e9
    assert sold > 200
    assert proposal.loss_banked_cents == pytest.approx(50_00 * (sold - 10), abs=2)
    assert proposal.gain_short_cents == -proposal.loss_banked_cents
    assert proposal.tax_this_year_saved_cents == pytest.approx(0.4 * proposal.loss_banked_cents, abs=2)
    trades = proposal.trades
    assert proposal.tax_cents > trades.tax_cents.sum()  # the price of the wash


@pytest.mark.parametrize("kind", [AccountKind.TAXABLE, AccountKind.IRA])
def test_a_purchase_into_a_claim_takes_its_loss_from_the_year(market, case, kind) -> None:
    """A claim of $1 a share on 50 shares of security 5: all of it is bought into."""
    ready = _small.claimed(case(lots_of(), 1e6, kind=kind), market.group_ix[[4]], 50, 50.0)
    proposal = proposed(market, ready, realised_cents=10**9)
    assert proposal.trades.quantity_nano[proposal.trades.security_id == 5].sum() >= 50 * 10**9
    assert proposal.tax_this_year_saved_cents == pytest.approx(-0.4 * 50_00, abs=1)
    assert proposal.loss_banked_cents == proposal.gain_short_cents == 0


def test_a_purchase_stops_before_the_claim_that_is_too_dear(market, case) -> None:
    """Fifty shares of security 5 wash $1 each; the next thousand would wash $30 each, sold later."""
    group = int(market.group_ix[4])
    ready = case(lots_of(), 1e6)
    two = replace(
        ready.washes,
        claims_from=np.where(np.arange(len(ready.washes.claims_from)) > group, 2, 0),
        claim_nano=np.array([50, 1_000]) * 10**9,
        claim_loss_cents=np.array([50_00, 30_000_00]),
    )
    proposal = proposed(market, replace(ready, washes=two), realised_cents=10**9)
    assert proposal.trades.quantity_nano[proposal.trades.security_id == 5].sum() == 50 * 10**9
    assert proposal.tax_this_year_saved_cents == pytest.approx(-0.4 * 50_00, abs=1)


def test_nothing_is_washed_where_washes_are_barred(market, case) -> None:
    ready = _small.with_young(case(lots_of((3, 300, 45_000, "2025-02-03")), 1e6), market.group_ix[[2]], 10)
    ready = replace(_small.claimed(ready, market.group_ix[[4]]), cash_cents=10**8)
    made = decide([ready], market, CostPolicy(), Versions(engine="t", rules="t"), YearSoFar({}), solve_batch)
    trades = made.proposals[0].trades
    assert 3 not in trades.security_id[trades.side < 0]
    assert 5 not in trades.security_id
    assert made.proposals[0].tax_cents == np.sum(trades.tax_cents)
