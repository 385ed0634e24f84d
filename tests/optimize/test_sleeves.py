"""Sleeves decided whole and one by one, and what each has afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.optimize.judge import judge
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.sleeves import (
    Sleeves,
    by_sleeve,
    held_by_sleeve,
    hold_funds,
    name_of_lot,
    settle,
    whole_account,
    with_funds,
)
from allotment.optimize.solution import Status
from allotment.optimize.solve import solve_batch
from allotment.optimize.synthetic import PROFILE_A, World, synthetic_problems, synthetic_world

PROFILE = PROFILE_A._replace(
    n_names=24, n_lots=70, n_factors=3, trade_bps_min=0.0, share_step=0.0, cash_band=(0.0, 0.005)
)


def account(seed: int, n_sleeves: int = 3) -> tuple[World, Problems, Sleeves]:
    """An account whose lots lie in sleeves that follow parts of the index, overlapping."""
    rng = np.random.default_rng(seed)
    world = synthetic_world(PROFILE.n_names, PROFILE.n_factors, rng)
    problem = synthetic_problems(world, PROFILE, 1, rng)
    member = rng.random((n_sleeves, PROFILE.n_names)) < 0.6
    member[0] = True
    weight = np.where(member, world.benchmark, 0.0)
    sleeves = Sleeves(
        target=rng.dirichlet(np.full(n_sleeves, 5.0)),
        benchmark=weight / weight.sum(axis=1, keepdims=True),
        cash=problem.cash[0] * rng.dirichlet(np.ones(n_sleeves)),
        lot_sleeve=rng.integers(0, n_sleeves, len(problem.lot_weight)).astype(np.int32),
    )
    return world, problem, sleeves


def cost(market: Market, problem: Problems, sold: np.ndarray, bought: np.ndarray) -> float:
    """Risk, tax and spread of trades, recomputed: the objective of problems without anything else."""
    out = np.bincount(name_of_lot(problem), weights=sold, minlength=len(problem.held))
    active = problem.held + bought - out - problem.benchmark
    exposure = market.loadings[problem.asset_ix].T @ active
    variance = exposure @ exposure + market.specific_variance[problem.asset_ix] @ active**2
    spread = problem.half_spread @ (out + bought)
    return float(problem.risk_price[0] / 2 * variance + problem.lot_tax @ sold + spread)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n_sleeves=st.integers(1, 4))
def test_settling_conserves_shares_and_cash(seed, n_sleeves) -> None:
    world, problem, sleeves = account(seed, n_sleeves)
    answer = solve_batch(world.market, whole_account(problem, sleeves))
    done = settle(problem, sleeves, answer.sold, answer.bought)
    assert done.held.sum(axis=0) == pytest.approx(answer.weight, abs=1e-12)
    assert done.bought.sum(axis=0) == pytest.approx(answer.bought, abs=1e-12)
    assert done.cash.sum() == pytest.approx(answer.cash_after[0], abs=1e-12)
    assert done.transfer.sum() == pytest.approx(0.0, abs=1e-12)
    assert min(done.moved.min(initial=0.0), done.held.min(), done.bought.min(), done.cash.min()) >= -1e-15
    # Name by name: what a sleeve had, less what it sold and gave away, plus what came and was bought.
    before = held_by_sleeve(problem, sleeves, problem.lot_weight)
    came, went = np.zeros(before.shape), held_by_sleeve(problem, sleeves, done.moved.sum(axis=1))
    np.add.at(came.T, name_of_lot(problem), done.moved)
    assert done.held == pytest.approx(before - done.sold - went + came + done.bought, abs=1e-12)
    # A lot gives away no more than is left of it, and nothing to its own sleeve.
    assert (done.moved.sum(axis=1) <= problem.lot_weight - answer.sold + 1e-15).all()
    assert not done.moved[np.arange(len(sleeves.lot_sleeve)), sleeves.lot_sleeve].any()
    # A sleeve's value changes by its transfer alone.
    value = before.sum(axis=1) + sleeves.cash
    assert done.held.sum(axis=1) + done.cash == pytest.approx(value + done.transfer, abs=1e-12)


def test_lots_move_before_they_are_traded_and_in_equal_parts() -> None:
    """One name, half wanted by each sleeve; the first holds two lots of it, the second none."""
    _, problem, _ = account(1)
    problem = problem._replace(
        names_from=np.array([0, 1]), lots_from=np.array([0, 2]), lot_weight=np.array([0.6, 0.3]),
        held=np.array([0.9]), cash=np.array([0.1]),
    )  # fmt: skip
    sleeves = Sleeves(np.array([0.5, 0.5]), np.ones((2, 1)), np.array([0.05, 0.05]), np.zeros(2, np.int32))
    done = settle(problem, sleeves, sold=np.array([0.1, 0.0]), bought=np.zeros(1))
    assert done.held.ravel() == pytest.approx([0.4, 0.4])
    assert done.moved[:, 1] == pytest.approx([0.25, 0.15])  # half of what is left of each lot
    assert done.cash == pytest.approx([0.1, 0.1])
    assert done.transfer == pytest.approx([-0.45, 0.45])


@pytest.mark.parametrize("seed", range(8))
def test_decided_whole_costs_no_more_than_sleeve_by_sleeve(seed) -> None:
    """By the whole account's objective, for the trades that the sleeves make on their own; those that
    cancel out between sleeves are netted, which only makes them cheaper."""
    world, problem, sleeves = account(seed)
    whole = whole_account(problem, sleeves)
    together = solve_batch(world.market, whole)
    parts = by_sleeve(problem, sleeves)
    apart = solve_batch(world.market, parts)
    assert (apart.status == Status.SOLVED).all()
    assert judge(world.market, parts, apart, 0, SolveOptions()).broken == ()
    sold, bought = np.zeros(len(problem.lot_weight)), np.zeros(len(problem.held))
    value = parts.value_usd / problem.value_usd[0]
    account_of_name = np.repeat(np.arange(parts.n_accounts), np.diff(parts.names_from))
    np.add.at(bought, parts.asset_ix, apart.bought * value[account_of_name])
    for s in range(parts.n_accounts):
        lots = parts.lots_from[parts.names_from[s : s + 2]]
        sold[sleeves.lot_sleeve == s] = apart.sold[lots[0] : lots[1]] * value[s]
    assert cost(world.market, whole, together.sold, together.bought) == pytest.approx(
        together.objective[0], abs=1e-12
    )
    assert together.objective[0] <= cost(world.market, whole, sold, bought) + together.gap[0] + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_one_sleeve_is_the_account(seed) -> None:
    world, problem, sleeves = account(seed, 1)
    whole = solve_batch(world.market, whole_account(problem, sleeves))
    alone = solve_batch(world.market, by_sleeve(problem, sleeves))
    assert alone.objective == pytest.approx(whole.objective, abs=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_no_sleeve_buys_what_another_sells_at_a_loss(seed) -> None:
    world, problem, sleeves = account(seed)
    parts = by_sleeve(problem, sleeves)
    answer = solve_batch(world.market, parts)
    lots = np.repeat(parts.asset_ix, np.diff(parts.lots_from))
    lost = set(lots[(answer.sold > 0) & parts.lot_is_loss].tolist())
    assert lost
    assert not lost & set(parts.asset_ix[answer.bought > 0].tolist())


def test_a_fund_that_stays_counts_by_what_it_holds() -> None:
    """A tenth of the account in a fund of the first names: risk as if these were held directly."""
    world, problem, _ = account(3)
    inside = np.where(np.arange(24) < 10, world.benchmark, 0.0)
    inside /= inside.sum()
    kept = problem._replace(held=problem.held * 0.9, lot_weight=problem.lot_weight * 0.9)
    kept = hold_funds(kept, np.array([0.1]), inside[None, :])
    answer = solve_batch(world.market, kept)
    active = answer.weight + 0.1 * inside - world.benchmark
    exposure = world.market.loadings.T @ active
    variance = exposure @ exposure + world.market.specific_variance @ active**2
    assert answer.tracking_error[0] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_a_fund_that_is_traded_has_the_loadings_of_what_it_holds() -> None:
    """A fund of the whole index bears the index's factor risk, so an account in cash can buy it alone."""
    world, _, _ = account(4)
    market = with_funds(world.market, world.benchmark[None, :], np.array([1e-4]))
    assert market.loadings[-1] == pytest.approx(world.benchmark @ world.market.loadings)
    expected = world.benchmark**2 @ world.market.specific_variance + 1e-4
    assert market.specific_variance[-1] == pytest.approx(expected)
    assert market.group_ix[-1] not in world.market.group_ix
