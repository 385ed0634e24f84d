"""Whole decisions on a small market: what is harvested, what is blocked, what stays together."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotment.book.household import AccountKind
from allotment.book.mandate import Restriction, RestrictionKind, Tilt
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy
from allotment.rebalance.decide import Versions
from allotment.rebalance.household import Decisions, decide
from allotment.rebalance.proposal import Proposal, ProposalState, Reason
from allotment.rebalance.year_so_far import YearSoFar

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of

VERSIONS = Versions(engine="test", rules="test")


def decided(market, *cases, realised=None) -> Decisions:
    return decide(cases, market, CostPolicy(), VERSIONS, YearSoFar(realised or {}), solve_batch)


def only(decisions: Decisions) -> Proposal:
    assert decisions.exceptions == []
    (proposal,) = decisions.proposals
    return proposal


def index_lots(market, value_usd: float, basis_share: float = 1.0, day: str = "2023-01-03"):
    """The index itself, each name in one lot."""
    weights = market.benchmarks["IDX"]
    return lots_of(
        *[
            (int(s), value_usd * w / 100, value_usd * w * basis_share, day)
            for s, w in zip(market.security_ids, weights, strict=True)
        ]
    )


def sold(proposal: Proposal) -> set[int]:
    return set(proposal.trades.security_id[proposal.trades.side < 0].tolist())


def bought(proposal: Proposal) -> set[int]:
    return set(proposal.trades.security_id[proposal.trades.side > 0].tolist())


def test_cash_is_invested_like_the_index(market, case) -> None:
    proposal = only(decided(market, case(lots_of(), 1_000_000)))
    assert bought(proposal) == set(market.security_ids.tolist())
    assert proposal.cash_after_cents <= 1_000_000_00 * 0.01 + 100
    assert proposal.tracking_error_after < 0.01
    assert set(proposal.trades.reason.tolist()) <= {Reason.REDUCE_UNDERWEIGHT, Reason.INVEST_CASH}


def test_an_account_that_is_the_index_does_nothing(market, case) -> None:
    proposal = only(decided(market, case(index_lots(market, 1e6, basis_share=0.5))))
    assert proposal.state == ProposalState.NOTHING_TO_DO
    assert len(proposal.trades) == 0
    assert proposal.objective == pytest.approx(proposal.hold_objective, abs=1e-9)


def test_a_deep_loss_is_harvested_and_its_group_is_not_bought(market, case) -> None:
    """Names 1 and 2 are substantially identical: selling 1 at a loss forbids buying 2."""
    lots = index_lots(market, 1e6)
    basis = np.where(lots.security_id == 1, lots.basis_cents * 2, lots.basis_cents)
    proposal = only(decided(market, case(replace(lots, basis_cents=basis))))
    assert 1 in sold(proposal)
    assert not {1, 2} & bought(proposal)
    assert proposal.loss_banked_cents > 0
    row = int(np.flatnonzero(proposal.trades.security_id == 1)[0])
    assert proposal.trades.reason[row] == Reason.HARVEST_LOSS
    assert proposal.tax_cents < 0


def test_a_recent_purchase_in_the_household_stops_the_harvest(market, case) -> None:
    lots = index_lots(market, 1e6)
    basis = np.where(lots.security_id == 1, lots.basis_cents * 2, lots.basis_cents)
    ready = case(replace(lots, basis_cents=basis))
    blocked = ready.sale_blocked.copy()
    blocked[market.group_ix[0]] = True
    assert 1 not in sold(only(decided(market, replace(ready, sale_blocked=blocked))))


def test_a_recent_loss_in_the_household_stops_the_purchase(market, case) -> None:
    ready = case(lots_of(), 1_000_000)
    blocked = ready.buy_blocked.copy()
    blocked[market.group_ix[0]] = True
    assert not {1, 2} & bought(only(decided(market, replace(ready, buy_blocked=blocked))))


def test_the_ira_does_not_buy_what_the_taxable_account_sells_at_a_loss(market, case) -> None:
    """Rev. Rul. 2008-5: a purchase in the IRA destroys the loss for good."""
    lots = index_lots(market, 1e6)
    basis = np.where(lots.security_id == 1, lots.basis_cents * 2, lots.basis_cents)
    taxable = case(replace(lots, basis_cents=basis))
    ira = case(lots_of(), 500_000, kind=AccountKind.IRA, account_id=2)
    first, second = decided(market, taxable, ira).proposals
    assert 1 in sold(first)
    assert not {1, 2} & bought(second)
    alone = only(decided(market, ira))
    assert {1, 2} <= bought(alone)


def test_an_ira_has_no_tax(market, case) -> None:
    lots = index_lots(market, 1e6)
    basis = np.where(lots.security_id == 1, lots.basis_cents * 2, lots.basis_cents)
    proposal = only(decided(market, case(replace(lots, basis_cents=basis), kind=AccountKind.ROTH_IRA)))
    assert proposal.tax_cents == proposal.loss_banked_cents == proposal.tax_this_year_saved_cents == 0
    assert proposal.state == ProposalState.NOTHING_TO_DO


def test_screens_sell_what_is_held_and_buy_none(market, case) -> None:
    mandate = {"excluded_sectors": ("Energy",), "excluded_flags": ("flag_tobacco",)}
    proposal = only(decided(market, case(index_lots(market, 1e6), mandate=mandate)))
    screened = {s.security_id for s in market.securities if s.sector == "Energy"} | {4, 5}
    assert screened <= sold(proposal)
    assert not screened & bought(proposal)
    rows = np.isin(proposal.trades.security_id, list(screened))
    assert set(proposal.trades.reason[rows].tolist()) == {Reason.EXCLUDED}
    assert np.isinf(proposal.hold_objective)


def test_a_name_to_hold_is_kept_whatever_the_screens_say(market, case) -> None:
    mandate = {
        "excluded_flags": ("flag_tobacco",),
        "restrictions": (Restriction(4, RestrictionKind.HOLD), Restriction(7, RestrictionKind.NO_BUY)),
    }
    lots = index_lots(market, 1e6)
    proposal = only(decided(market, case(lots.take(lots.security_id != 7), 40_000, mandate=mandate)))
    assert 4 not in sold(proposal) | bought(proposal)
    assert 5 in sold(proposal)
    assert 7 not in bought(proposal)


def test_a_tilt_leans_the_account(market, case) -> None:
    plain = only(decided(market, case(lots_of(), 1e6)))
    leaning = only(decided(market, case(lots_of(), 1e6, mandate={"tilts": (Tilt("momentum", 0.01),)})))
    momentum = dict(
        zip(market.security_ids.tolist(), market.exposures.column("momentum").tolist(), strict=True)
    )

    def lean(p: Proposal) -> float:
        return sum(
            momentum[int(s)] * w for s, w in zip(p.trades.security_id, p.trades.weight_after, strict=True)
        )

    assert lean(leaning) > lean(plain) + 0.05


def test_whole_shares_only(market, case) -> None:
    proposal = only(decided(market, case(lots_of(), 200_000, step_nano=10**9)))
    assert (proposal.trades.quantity_nano % 10**9 == 0).all()
    assert proposal.cash_after_cents >= 0


def test_tax_saved_counts_what_the_client_has_realised(market, case) -> None:
    """A loss of $X saves short-rate tax against short gains, and only $3,000 of income without."""
    lots = index_lots(market, 1e6)
    basis = np.where(lots.security_id <= 10, lots.basis_cents * 2, lots.basis_cents)
    ready = case(replace(lots, basis_cents=basis))
    rich = only(decided(market, ready, realised={1: (100_000_000, 0)}))
    loss = -(rich.gain_short_cents + rich.gain_long_cents)
    assert loss > 300_000
    assert rich.tax_this_year_saved_cents == pytest.approx(0.4 * loss, abs=2)
    poor = only(decided(market, ready))
    assert poor.tax_this_year_saved_cents == pytest.approx(0.35 * 300_000, abs=2)


def test_an_account_that_cannot_be_decided_does_not_stop_its_neighbour(market, case) -> None:
    unknown = case(lots_of((99, 10, 1000, "2024-01-02")), account_id=2, household_id=2)
    empty = case(lots_of(), account_id=3, household_id=3)
    odd = case(lots_of(), 1000, account_id=4, household_id=4, mandate={"benchmark": (("NONE", 1.0),)})
    made = decided(market, case(lots_of(), 1e6), unknown, empty, odd)
    assert [p.account_id for p in made.proposals] == [1]
    assert {e.account_id: e.cause for e in made.exceptions} == {2: "data", 3: "empty", 4: "data"}
    assert "Import" in next(e.message for e in made.exceptions if e.account_id == 2)


def test_the_order_of_the_cases_does_not_matter(market, case) -> None:
    cases = [
        case(index_lots(market, 1e6 + 1e5 * i, 1.3), 30_000 * i, account_id=i + 1, household_id=i % 3)
        for i in range(7)
    ]
    one = {p.account_id: p.decision_hash for p in decided(market, *cases).proposals}
    other = {p.account_id: p.decision_hash for p in decided(market, *reversed(cases)).proposals}
    assert one == other
    assert len(one) == 7


def test_a_lot_worth_its_basis_to_the_cent_counts_as_a_loss(market, case) -> None:
    """A part of it may lose a cent by rounding, and that cent would be washed."""
    lots = index_lots(market, 1e6)
    worth = case(replace(lots, basis_cents=np.rint(lots.quantity_nano / 1e9 * 1e4).astype(np.int64)), 5_000)
    blocked = np.ones_like(worth.sale_blocked)
    mandate = replace(worth.mandate, tilts=(Tilt("momentum", 0.02),))
    proposal = only(decided(market, replace(worth, sale_blocked=blocked, mandate=mandate)))
    assert not sold(proposal)
