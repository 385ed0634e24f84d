"""A question changes what it names and nothing else; its answer is the decision that a run would make."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotment.book.mandate import Restriction, RestrictionKind, Tilt
from allotment.errors import DataError, UsageError
from allotment.optimize.modes import Mode, Purpose
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import AccountCase, CostPolicy
from allotment.rebalance.decide import Versions
from allotment.rebalance.proposal import ProposalState
from allotment.rebalance.what_if import Change, WhatIf, changed, compare, decide_alone, what_if
from allotment.rebalance.year_so_far import YearSoFar

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of

COSTS, VERSIONS = CostPolicy(), Versions(engine="test", rules="test")


@pytest.fixture
def account(market, case) -> AccountCase:
    """$1m that has drifted: half of it above cost, half below."""
    rng = np.random.default_rng(3)
    weights = market.benchmarks["IDX"] * np.exp(rng.normal(0.0, 0.4, 30))
    weights /= weights.sum()
    basis = np.where(np.arange(30) % 2, 0.7, 1.2)
    lots = lots_of(
        *[
            (int(s), 9_800 * w, 980_000 * w * b, "2023-01-03")
            for s, w, b in zip(market.security_ids, weights, basis, strict=True)
        ]
    )
    return case(lots, 20_000, mandate={"cash_weight_max": 0.01})


def asked(case: AccountCase, change: Change, market, year: YearSoFar | None = None) -> WhatIf:
    year = year or YearSoFar({})
    before = decide_alone(case, market, COSTS, VERSIONS, year)
    return what_if(before, case, change, market, COSTS, VERSIONS, year)


def held_after(found: WhatIf, case: AccountCase, security: int) -> float:
    """Dollars of a security after the trades; every price is $100."""
    trades = found.after.proposal.trades
    mine = trades.security_id == security
    before = case.lots.quantity_nano[case.lots.security_id == security].sum()
    return float(before + (trades.side * trades.quantity_nano)[mine].sum()) / 1e9 * 100.0


def test_nothing_changed_is_the_same_decision(market, account) -> None:
    """A warm start ends within the gaps of where the cold one did."""
    found = asked(account, Change(), market)
    before, after = found.before.proposal, found.after.proposal
    assert after.inputs_hash == before.inputs_hash
    gap = (before.gap_bps + after.gap_bps) / 1e4
    assert after.objective == pytest.approx(before.objective, abs=gap + 1e-9)
    assert after.lower_bound <= before.objective + 1e-12


def test_a_warm_answer_is_as_good_as_a_cold_one(market, account) -> None:
    change = Change(risk_price=200.0, exclude=("Energy",))
    warm = asked(account, change, market).after.proposal
    cold = decide_alone(changed(account, change, market), market, COSTS, VERSIONS, YearSoFar({})).proposal
    assert warm.inputs_hash == cold.inputs_hash
    assert warm.objective <= cold.objective + cold.gap_bps / 1e4 + warm.gap_bps / 1e4
    assert max(warm.lower_bound, cold.lower_bound) <= min(warm.objective, cold.objective) + 1e-12


def test_what_is_excluded_is_sold_and_what_is_allowed_comes_back(market, account) -> None:
    found = asked(account, Change(exclude=("Energy", "S04", "flag_tobacco")), market)
    for one in market.securities:
        if one.sector == "Energy" or one.security_id in (4, 5):
            assert held_after(found, account, one.security_id) == pytest.approx(0.0, abs=0.01)
    barred = replace(
        account,
        mandate=replace(
            account.mandate,
            excluded_sectors=("Energy", "Tech"),
            excluded_flags=("flag_tobacco",),
            restrictions=(Restriction(7, RestrictionKind.HOLD), Restriction(8, RestrictionKind.NO_BUY)),
        ),
    )
    freed = changed(barred, Change(allow=("Energy", "S07", "flag_tobacco")), market).mandate
    assert freed.excluded_sectors == ("Tech",)
    assert freed.excluded_flags == ()
    assert freed.restrictions == (Restriction(8, RestrictionKind.NO_BUY),)
    industry = changed(account, Change(exclude=("S01",)), market).mandate
    assert industry.restrictions == (Restriction(1, RestrictionKind.EXCLUDE),)


def test_a_higher_price_of_risk_tracks_closer_and_costs_more_tax(market, account) -> None:
    found = asked(account, Change(risk_price=1_000.0), market)
    lines = {line.name: line for line in compare(found)}
    assert lines["tracking_error"].after < lines["tracking_error"].before
    assert lines["tax"].after > lines["tax"].before
    assert lines["trades"].after == len(found.after.proposal.trades)


def test_a_limit_of_tracking_error_is_kept(market, account) -> None:
    free = asked(account, Change(risk_price=5.0), market).after.proposal
    limit = 0.8 * free.tracking_error_after
    kept = asked(account, Change(risk_price=5.0, te_max=limit), market).after.proposal
    assert kept.tracking_error_after <= limit * (1 + 1e-6)
    assert kept.status == "solved"


def test_losses_worth_nothing_are_not_harvested(market, account) -> None:
    found = asked(account, Change(loss_value=0.0, basis_value=0.0, risk_price=0.01), market)
    assert found.before.proposal.loss_banked_cents > 0
    assert found.after.proposal.loss_banked_cents < found.before.proposal.loss_banked_cents


def test_cash_comes_and_goes(market, account) -> None:
    paid_in = asked(account, Change(cash_usd=100_000.0), market).after.proposal
    assert paid_in.cash_before_cents == 120_000_00
    assert paid_in.value_cents == account_value(market, account) + 100_000_00
    assert paid_in.cash_after_cents <= 0.0101 * paid_in.value_cents
    taken = changed(account, Change(cash_usd=-20_000.0), market)
    assert taken.cash_cents == 0
    with pytest.raises(UsageError, match="raise_cash"):
        changed(account, Change(cash_usd=-20_000.01), market)


def account_value(market, account) -> int:
    return decide_alone(account, market, COSTS, VERSIONS, YearSoFar({})).proposal.value_cents


def test_more_cash_moves_the_whole_band(market, account) -> None:
    mandate = changed(account, Change(cash_weight_min=0.05), market).mandate
    assert (mandate.cash_weight_min, mandate.cash_weight_max) == (0.05, pytest.approx(0.06))
    after = asked(account, Change(cash_weight_min=0.05), market).after.proposal
    assert 0.05 - 1e-9 <= after.cash_after_cents / after.value_cents <= 0.06 + 1e-6


def test_lots_given_away_are_gone(market, account) -> None:
    found = asked(account, Change(without=("S02",)), market)
    lost = account.lots.quantity_nano[account.lots.security_id == 2].sum() / 1e5
    assert found.after.proposal.value_cents == pytest.approx(found.before.proposal.value_cents - lost, abs=1)
    assert 2 not in found.after.proposal.trades.security_id[found.after.proposal.trades.side < 0]


def test_a_tilt_takes_the_place_of_the_same_score(market, account) -> None:
    score = market.exposures.names[0]
    tilted = replace(account, mandate=replace(account.mandate, tilts=(Tilt(score, 0.1), Tilt("other", 0.2))))
    assert changed(tilted, Change(tilts=(Tilt(score, 0.3),)), market).mandate.tilts == (
        Tilt("other", 0.2),
        Tilt(score, 0.3),
    )


def test_a_purpose_is_part_of_the_question(market, account) -> None:
    wanted = Purpose(mode=Mode.RAISE_CASH, amount_usd=50_000.0)
    found = asked(account, Change(purpose=wanted), market)
    assert found.after.proposal.cash_after_cents >= 50_000_00 - 1
    assert (found.after.proposal.trades.side < 0).all()
    assert found.after.proposal.inputs_hash != found.before.proposal.inputs_hash


def test_what_cannot_be_met_is_told(market, account) -> None:
    found = asked(account, Change(purpose=Purpose(mode=Mode.RAISE_CASH, amount_usd=5e6)), market)
    assert found.after.proposal.status == "relaxed"
    assert "cash stays" in found.after.remarks[0]
    assert found.before.remarks == ()


def test_the_year_is_left_as_it_was(market, account) -> None:
    year = YearSoFar({1: (50_000_00, 0)})
    first = asked(account, Change(), market, year)
    again = asked(account, Change(), market, year)
    saved = [one.proposal.tax_this_year_saved_cents for one in (first.before, first.after, again.before)]
    assert saved[0] == saved[1] == saved[2] != 0


def test_an_account_that_cannot_be_decided_says_why(market, account) -> None:
    empty = replace(account, lots=account.lots.take(np.zeros(0, np.int64)), cash_cents=0)
    with pytest.raises(DataError, match="no value"):
        decide_alone(empty, market, COSTS, VERSIONS, YearSoFar({}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(exclude=("S0",)), "S0"),
        (Change(allow=("energy",)), "Energy"),
        (Change(without=("Energy",)), "no security"),
        (Change(risk_price=-1.0), "risk_price"),
        (Change(te_max=float("nan")), "te_max"),
        (Change(cash_usd=float("inf")), "cash_usd"),
    ],
)
def test_what_means_nothing_is_refused(market, account, change: Change, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        changed(account, change, market)


def test_a_proposal_of_nothing_compares_as_zeros(market, case) -> None:
    weights = market.benchmarks["IDX"]
    rows = zip(market.security_ids, weights, strict=True)
    lots = lots_of(*[(int(s), 10_000 * w, 1e6 * w * 0.5, "2023-01-03") for s, w in rows])
    found = asked(case(lots, 0.0), Change(), market)
    assert found.before.proposal.state == ProposalState.NOTHING_TO_DO
    assert {line.before for line in compare(found) if line.name in ("tax", "trades", "turnover")} == {0.0}


def test_the_year_is_netted_at_once_where_the_sales_of_before_say_so(market, case, monkeypatch) -> None:
    """Names that are given up at a loss in any case: worth nothing they are taxed lot by lot; worth
    something, far too dear."""
    lots = lots_of(*[(s, 300, 45_000, "2025-02-03") for s in range(3, 25)])
    gives_up = tuple(Restriction(s, RestrictionKind.EXCLUDE) for s in range(3, 9))
    held = case(lots, 20_000, mandate={"loss_value": 0.0, "restrictions": gives_up})
    before = decide_alone(held, market, COSTS, VERSIONS, YearSoFar({}))
    assert not before.sales.netted
    change, solved = Change(loss_value=1.0), []

    def counted(*args, **named):
        solved.append(args)
        return solve_batch(*args, **named)

    monkeypatch.setattr("allotment.rebalance.what_if.solve_batch", counted)
    cold = decide_alone(changed(held, change, market), market, COSTS, VERSIONS, YearSoFar({}))
    assert len(solved) == 2
    solved.clear()
    warm = what_if(before, held, change, market, COSTS, VERSIONS, YearSoFar({})).after
    assert len(solved) == 1
    assert warm.sales.netted
    assert cold.sales.netted
    assert warm.proposal.inputs_hash == cold.proposal.inputs_hash
    room = (cold.proposal.gap_bps + warm.proposal.gap_bps) / 1e4
    assert warm.proposal.objective == pytest.approx(cold.proposal.objective, abs=room + 1e-12)
    assert warm.proposal.lower_bound <= cold.proposal.objective + 1e-12


def test_without_the_same_lots_a_netted_year_stays_netted(market, case) -> None:
    lots = lots_of(*[(s, 300, 45_000, "2025-02-03") for s in range(3, 25)])
    held = case(lots, 20_000, mandate={"loss_value": 1.0})
    found = asked(held, Change(without=(market.securities[2].code,)), market)
    assert found.before.sales.netted
    assert found.after.sales.netted
