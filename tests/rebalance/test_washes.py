"""What a household's claims and young shares bar, and what they cost where they are priced."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import AccountKind
from allotment.optimize.claims import name_of_claim, wash_cost
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy, prepare
from allotment.rebalance.decide import Versions
from allotment.rebalance.household import decide
from allotment.rebalance.washes import GroupWashes, WashPolicy, WashRule
from allotment.rebalance.year_so_far import YearSoFar
from allotment.tax.pretrade import OpenClaims, WashState, YoungShares, clean_quantity, wash_state

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("conftest.py"))
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
lots_of = _small.lots_of

PRICED = CostPolicy(washes=WashPolicy(rule=WashRule.PRICE, later_years=1.0, discount=0.25))
TAXES = {"loss_value": 1.0, "basis_value": 0.0}
ASOF = np.asarray(np.datetime64("2025-06-30"))


def claims(*rows: tuple[int, int, float, float, str]) -> OpenClaims:
    """(household, group, shares, loss in dollars, day of the sale)."""
    n = len(rows)
    sold = np.array([row[4] for row in rows], "M8[D]")
    return OpenClaims(
        household_ix=np.array([row[0] for row in rows], np.int32),
        group_ix=np.array([row[1] for row in rows], np.int32),
        account_ix=np.zeros(n, np.int32),
        security_id=np.ones(n, np.int64),
        unit_nano=np.array([round(row[2] * 1e9) for row in rows], np.int64),
        loss_cents=np.array([round(row[3] * 100) for row in rows], np.int64),
        sold=sold,
        no_buy_until=sold + 30,
        acquisition_id=np.arange(n),
    )


def column(made, security: int, name: str) -> float:
    at = int(np.flatnonzero(made.market_rows == security - 1)[0])
    return float(getattr(made.problem, name)[at])


def claims_on(made, security: int) -> list[tuple[float, float]]:
    """Weight and cost of each claim on a name."""
    p, market = made.problem, _small.small_market()
    mine = market.security_ids[p.asset_ix[name_of_claim(p)]] == security
    return list(zip(p.claim_weight[mine].tolist(), p.claim_cost[mine].tolist(), strict=True))


def test_the_state_of_one_household_by_group(market) -> None:
    """Securities 1 and 2 are one group; the young shares of 3 come from two purchases, one in an IRA."""
    lots = lots_of(
        (1, 10, 900, "2025-06-20"),
        (2, 5, 900, "2025-06-20"),
        (3, 7, 900, "2025-06-01"),
        (3, 8, 900, "2025-06-02"),
        (4, 8, 900, "2025-05-30"),  # 31 days ago
    )
    lots = replace(
        lots, account_ix=np.array([0, 0, 0, 1, 0], np.int32), acquisition_id=np.array([7, 7, 8, 9, 1])
    )
    found = claims((0, 4, 3, 30, "2025-06-10"), (0, 4, 2, 50, "2025-06-12"), (1, 4, 9, 90, "2025-06-10"))
    state = wash_state(lots, np.zeros(2, np.int32), found, market.groups, ASOF)
    n_groups = int(market.group_ix.max()) + 1
    made = GroupWashes.of_household(state, 0, n_groups, np.array([False, True]))
    one, three, four = market.group_ix[[0, 2, 3]]
    assert (made.young_nano[[one, three, four]] / 1e9).tolist() == [15, 15, 0]
    assert made.sole_purchase[[one, three, four]].tolist() == [7, -1, -1]
    assert made.young_in_ira[[one, three]].tolist() == [False, True]
    mine = made.claim_group == 4
    assert made.claim_nano[mine].tolist() == [3 * 10**9, 2 * 10**9]  # the oldest first
    assert made.claim_loss_cents[mine].tolist() == [30_00, 50_00]
    other = GroupWashes.of_household(state, 1, n_groups, np.array([False, True]))
    assert (other.claim_nano.tolist(), other.young_nano.sum()) == ([9 * 10**9], 0)


def test_a_claim_bars_every_name_of_its_group(market, case) -> None:
    made = prepare(_small.claimed(case(lots_of(), 1e5), market.group_ix[[0]]), market, CostPolicy())
    for security in (1, 2):
        ((weight, cost),) = claims_on(made, security)
        assert (weight > 0.0, cost) == (True, np.inf)
    assert claims_on(made, 3) == []


@pytest.mark.parametrize(
    ("kind", "price"),
    [
        # $10 a share lost at 40 %; later 20 %, discounted by 1.25: 24 % is lost by waiting.
        (AccountKind.TAXABLE, 10 * 0.24),
        (AccountKind.IRA, 10 * 0.40),
    ],
)
def test_a_priced_claim_costs_the_wait_or_the_whole_loss(market, case, kind, price) -> None:
    """Rev. Rul. 2008-5 for the IRA. A share is worth $100, the account $100,000."""
    ready = _small.claimed(case(lots_of(), 1e5, kind=kind, mandate=TAXES), market.group_ix[[0]], 50, 500)
    made = prepare(ready, market, PRICED)
    assert claims_on(made, 1) == [pytest.approx((50 * 100 / 1e5, price / 100))]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 40)), min_size=1, max_size=5), st.floats(0, 1))
def test_a_purchase_pays_for_the_oldest_claims_first(rows, part) -> None:
    """Reg. §1.1091-1(c): share for share."""
    market = _small.small_market()
    shares, losses = np.array(rows, np.float64).T
    days = [f"2025-06-{day + 10}" for day in range(len(rows))]
    open_ones = claims(*((0, 4, n, n * loss, day) for (n, loss), day in zip(rows, days, strict=True)))
    state = wash_state(lots_of(), np.zeros(1, np.int32), open_ones, market.groups, ASOF)
    n_groups = int(market.group_ix.max()) + 1
    washes = GroupWashes.of_household(state, 0, n_groups, np.zeros(1, np.bool_))
    ready = replace(_small.case_maker(market)(lots_of(), 1e5, mandate=TAXES), washes=washes)
    made = prepare(ready, market, PRICED)
    security = int(market.security_ids[market.group_ix == 4][0])
    bought = part * float(shares.sum())
    purchases = np.where(market.security_ids[made.problem.asset_ix] == security, bought / 1_000, 0.0)
    priced = float(wash_cost(made.problem, purchases).sum()) * 1e5  # a share is 0.1 % of the account
    first = np.clip(bought - np.concatenate([[0.0], np.cumsum(shares)[:-1]]), 0.0, shares)
    by_law = 0.24 * float(first @ losses)  # 24 cents of a dollar are lost by waiting
    assert priced == pytest.approx(by_law, abs=1e-6)


@pytest.mark.parametrize(("in_ira", "share"), [(False, 0.24), (True, 0.40)])
def test_priced_young_shares_cost_the_wait_or_the_whole_loss(market, case, in_ira, share) -> None:
    """A lot bought at $150 this spring is worth $100: half a dollar lost per dollar sold."""
    lots = lots_of((3, 10, 1_500, "2025-03-01"))
    ready = _small.with_young(case(lots, 1e5, mandate=TAXES), market.group_ix[[2]], 4, in_ira=in_ira)
    made = prepare(ready, market, PRICED)
    assert column(made, 3, "young") == pytest.approx(400 / 101_000)
    assert column(made, 3, "young_cost") == pytest.approx(0.5 * share)


def test_the_purchase_that_is_sold_does_not_replace_itself(market, case) -> None:
    """Reg. §1.1091-1(b): bought ten days ago, all of it sold at a loss: nothing replaces it."""
    lots = lots_of((3, 10, 1_500, "2025-06-20"))
    alone = _small.with_young(case(lots), market.group_ix[[2]], 10, purchase=1)
    assert column(prepare(alone, market, CostPolicy()), 3, "young") == 0.0
    other = _small.with_young(case(lots), market.group_ix[[2]], 10, purchase=2)
    assert column(prepare(other, market, CostPolicy()), 3, "young") > 0.0


def test_a_wash_is_bought_only_where_it_is_worth_its_price(market, case) -> None:
    """An account in cash buys a tenth of its missing name though a claim of a cent hangs on it, and
    stops short of it when $30 a share do."""

    def bought(loss_usd: float, costs: CostPolicy) -> bool:
        ready = _small.claimed(case(lots_of(), 1e6), market.group_ix[[4]], 1_000, loss_usd)
        made = decide([ready], market, costs, Versions(engine="t", rules="t"), YearSoFar({}), solve_batch)
        return 5 in made.proposals[0].trades.security_id

    assert bought(0.01, PRICED)
    assert not bought(30_000, PRICED)
    assert not bought(0.01, CostPolicy())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_lot_that_would_wash_counts_as_clean(seed) -> None:
    """Against `tax.pretrade.clean_quantity`, lot by lot, for one household of two accounts."""
    rng = np.random.default_rng(seed)
    market = _small.small_market()
    n = 12
    rows = [
        (
            int(rng.integers(1, 5)),
            float(rng.integers(1, 9)),
            2_000.0,
            str(rng.choice(["2025-06-10", "2025-01-10"])),
        )
        for _ in range(n)
    ]
    lots = replace(
        lots_of(*rows),
        account_ix=np.sort(rng.integers(0, 2, n)).astype(np.int32),
        acquisition_id=rng.integers(1, 6, n),
    )
    state = wash_state(lots, np.zeros(2, np.int32), claims(), market.groups, ASOF)
    n_groups = int(market.group_ix.max()) + 1
    washes = GroupWashes.of_household(state, 0, n_groups, np.zeros(2, np.bool_))
    washed = clean_quantity(lots, np.zeros(2, np.int32), state, market.groups) < lots.quantity_nano
    for account in (0, 1):
        mine = lots.account_ix == account
        if not mine.any():
            continue
        made = prepare(
            replace(_small.case_maker(market)(lots.take(mine)), washes=washes), market, CostPolicy()
        )
        barred = {
            int(market.security_ids[row])
            for row, young in zip(made.market_rows, made.problem.young, strict=True)
            if young > 0
        }
        assert set(lots.security_id[mine & washed].tolist()) <= barred


def test_washes_last_thirty_days_and_the_latest_counts() -> None:
    days = np.array(["2025-06-10", "2025-06-20"], "M8[D]")
    two, zeros = np.zeros(2, np.int32), np.zeros(2, np.int64)
    state = WashState(
        asof=np.datetime64("2025-06-30"),
        young=YoungShares(
            household_ix=two, group_ix=two + 3, account_ix=two, security_id=zeros, quantity_nano=zeros,
            unit_nano=zeros, purchased=days, acquisition_id=zeros,
        ),
        claims=OpenClaims(
            household_ix=two + 1, group_ix=two, account_ix=two, security_id=zeros, unit_nano=zeros + 1,
            loss_cents=zeros, sold=days, no_buy_until=days + 30, acquisition_id=zeros,
        ),
    )  # fmt: skip
    first, second = (GroupWashes.of_household(state, h, 4, np.zeros(1, np.bool_)) for h in (0, 1))
    assert first.no_loss_sale_until[3] == second.no_buy_until[0] == np.datetime64("2025-07-20")
    assert np.isnat(first.no_buy_until).all()
    assert np.isnat(second.no_loss_sale_until).all()
