"""The exact reference against every trade in whole shares that four names allow."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allotment.optimize.backend import Reply, consider
from allotment.optimize.exact import Exact, backend, solve_exact
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions, join, make_problems
from allotment.optimize.reference import Side, solve_reference
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world
from allotment.optimize.tangled import Feature, random_problem, with_year

pytest.importorskip("pyscipopt")

_spec = importlib.util.spec_from_file_location("exact_cost", Path(__file__).with_name("exact_cost.py"))
assert _spec is not None
assert _spec.loader is not None
exact_cost = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exact_cost)

SHARE = 0.04  # weight of one share
OPTIONS = SolveOptions(te_price=100.0)  # the usual one would drown all other terms of so coarse a problem
# Rows over lots may want a fraction of a share from one lot and the rest of it from another.
FIXED_ORDER = {Feature.GAINS, Feature.YEAR, Feature.JOINT_ROWS}


def tiny(seed: int, features: Collection[Feature] = (), *, n_accounts: int = 1) -> tuple[Market, Problems]:
    """A problem of four names in all, each of one to four shares, that may buy two more of each.

    The first name of each account holds a fraction of a share beside, which only closing out sells.
    """
    rng = np.random.default_rng(seed)
    market = Market(rng.normal(0.15, 0.05, (4, 1)), rng.uniform(0.05, 0.2, 4), np.arange(4, dtype=np.int32))
    if Feature.GROUPS in features:
        market = market._replace(group_ix=np.array([0, 0, 1, 1], np.int32))
    accounts = [_tiny_account(rng, 4 // n_accounts, set(features)) for _ in range(n_accounts)]
    problem = join(accounts)._replace(
        joint_from=np.array([0, n_accounts], np.int64), regimes_from=np.zeros(2, np.int64)
    )
    if Feature.YEAR in features:
        problem = with_year(problem, 0.003, -0.006, 0.002)
    return market, problem


def _tiny_account(rng: np.random.Generator, n: int, features: set[Feature]) -> Problems:
    shares = [rng.integers(1, 3, 1 if i == 0 else rng.integers(1, 3)) for i in range(n)]
    shares[0] = shares[0] + 0.3
    n_lots = [len(lots) for lots in shares]
    lot_weight = SHARE * np.concatenate(shares).astype(np.float64)
    held = np.array([SHARE * lots.sum() for lots in shares])
    # The rest of the account is a holding in cash that its wide band lets be.
    benchmark = np.maximum(0.0, held + SHARE * rng.normal(0.0, 1.2, n))
    gain = rng.uniform(-0.4, 0.4, len(lot_weight))
    is_long = rng.random(len(gain)) < 0.5
    cash = 1.0 - held.sum()
    columns: dict[str, Any] = {
        "names_from": np.array([0, n], np.int64),
        "value_usd": rng.uniform(1e5, 2e5, 1),
        "risk_price": np.array([20.0]),
        "cash": np.array([cash]),
        "cash_min": np.array([cash - 0.5 * SHARE]),
        "cash_max": np.array([cash + 1.5 * SHARE]),
        "lots_from": np.concatenate([[0], np.cumsum(n_lots)]).astype(np.int64),
        "asset_ix": rng.permutation(4)[:n].astype(np.int32),
        "benchmark": benchmark,
        "held": held,
        "weight_max": held + 2 * SHARE,
        "half_spread": np.full(n, 1e-3),
        "lot_weight": lot_weight,
        "lot_tax": np.where(is_long, 0.2, 0.4) * gain,
        "lot_gain": gain,
        "lot_is_long": is_long,
        "lot_is_loss": gain < 0.0,
        "in_order": np.array([bool(features & (FIXED_ORDER | {Feature.IN_ORDER}))]),
        "step": np.full(n, SHARE),
    }
    return make_problems(**(columns | _feature_columns(rng, columns, features)))


def _feature_columns(
    rng: np.random.Generator, columns: dict[str, Any], features: set[Feature]
) -> dict[str, Any]:
    held, n, n_lots = columns["held"], len(columns["held"]), len(columns["lot_weight"])
    first = np.arange(n) == 0
    last = np.arange(n) == n - 1
    values: dict[Feature, dict[str, Any]] = {
        Feature.LIMITS: {
            # Cut through the first, a floor above the last; others may not fall far.
            "weight_max": np.where(first, 0.5 * held, held + 2 * SHARE),
            "weight_min": np.where(last, held + SHARE, np.where(first, 0.0, held - SHARE)),
        },
        Feature.BANS: {
            "may_buy": rng.random(n) < 0.6,
            "may_sell": rng.random(n) < 0.8,
            "lot_sellable": rng.random(n_lots) < 0.8,
        },
        Feature.EXPOSED: {
            # A share each, the second dearer, cheaper or as dear as the first.
            "claims_from": np.arange(n + 1) * 2,
            "claim_weight": np.full(2 * n, SHARE),
            "claim_cost": rng.choice([0.0, 0.02, 0.1, 0.1, np.inf], 2 * n),
        },
        Feature.YOUNG_BARS: {"young": np.where(rng.random(n) < 0.7, SHARE, 0.0)},
        Feature.YOUNG_PRICES: {"young": np.full(n, SHARE), "young_cost": rng.choice([0.02, 0.2], n)},
        Feature.TICKETS: {"ticket_charge": np.array([0.002])},
        Feature.LOT_CHARGES: {"lot_charge": np.array([0.002])},
        Feature.TRADE_MIN: {"trade_min": np.array([1.5 * SHARE])},
        Feature.HOLDING_MIN: {"holding_min": np.array([2.5 * SHARE])},
        Feature.UTILITY: {"utility": rng.normal(0.0, 0.1, n)},
        Feature.IMPACT: {"impact": rng.uniform(0.2, 1.0, n)},
        Feature.TE_MAX: {"te_max": np.array([0.005]), "risk_price": np.zeros(1)},
        Feature.BIG: {"big_from": np.array([2 * SHARE])},
        # A gain of the last name saves more later than it costs now.
        Feature.REBUYS: {
            "may_rebuy": last,
            "lot_tax": columns["lot_tax"] - 0.6 * np.maximum(columns["lot_gain"], 0.0),
        },
    }
    chosen: dict[str, Any] = {}
    for feature in sorted(features & values.keys()):
        chosen |= values[feature]
    rows = {
        Feature.TURNOVER: [(RowKind.TURNOVER, -np.inf, 1.5 * SHARE)],
        Feature.GAINS: [
            (RowKind.GAIN_SHORT, -np.inf, -0.01),
            (RowKind.GAIN_LONG, 0.0, 0.005),
            (RowKind.GAIN, -0.01, 0.0),
            (RowKind.TAX, -0.003, 0.001),
        ],
        Feature.COUNTS: [(RowKind.TRADES, -np.inf, 1.0), (RowKind.HOLDINGS, -np.inf, n - 1.0)],
        Feature.BIG: [(RowKind.BIG, -np.inf, 2 * SHARE)],
        Feature.SECTORS: [(RowKind.LINEAR, float(held.sum()), float(held.sum()) + 0.5 * SHARE)],
        Feature.JOINT_ROWS: [(RowKind.GAIN, 0.0, 0.002), (RowKind.TRADES, -np.inf, 0.5)],
    }
    asked = [(row, f == Feature.JOINT_ROWS) for f in sorted(features & rows.keys()) for row in rows[f]]
    linear = [n if row[0] == RowKind.LINEAR else 0 for row, _ in asked]
    return chosen | {
        "rows_from": np.array([0, len(asked)], np.int64),
        "entries_from": np.concatenate([[0], np.cumsum(linear)]).astype(np.int64),
        "row_kind": np.array([row[0] for row, _ in asked], np.int8),
        "row_joint": np.array([joint for _, joint in asked], np.bool_),
        "row_lower": np.array([row[1] for row, _ in asked], np.float64),
        "row_upper": np.array([row[2] for row, _ in asked], np.float64),
        "row_price": np.array([0.01 if row[2] >= 0.5 else 0.5 for row, _ in asked], np.float64),
        "entry_name": np.tile(np.arange(n), len(linear))[: sum(linear)].astype(np.int32),
        "entry_coefficient": np.ones(sum(linear)),
    }


def least_cost(market: Market, problem: Problems) -> float:
    """The cheapest of all legal trades, each lot by whole shares or whole."""
    best = np.inf
    for trades in product(*(_trades(problem, i) for i in range(len(problem.held)))):
        sold = np.concatenate([lots for lots, _ in trades])
        bought = np.array([weight for _, weight in trades])
        cost = exact_cost.cost_of(market, problem, sold, bought, OPTIONS)
        if cost < best and not exact_cost.broken_rules(market, problem, sold, bought):
            best = cost
    return float(best)


def _trades(problem: Problems, i: int) -> Iterator[tuple[tuple[float, ...], float]]:
    lots = problem.lot_weight[problem.lots_from[i] : problem.lots_from[i + 1]]
    for sold in product(*(sorted({*np.arange(0.0, lot + 1e-9, SHARE), lot}) for lot in lots)):
        yield sold, 0.0
        if problem.may_rebuy[i] and any(sold):
            for more in (-1, 0, 1):
                yield sold, max(0.0, sum(sold) + more * SHARE)
    for shares in (1, 2):
        yield (0.0,) * len(lots), shares * SHARE


def check(market: Market, problem: Problems) -> Exact:
    """SCIP's answer, legal, worth what it says and the cheapest of all."""
    exact = solve_exact(market, problem, options=OPTIONS)
    assert exact.status in {"optimal", "gaplimit"}
    assert exact_cost.broken_rules(market, problem, exact.sold, exact.bought) == []
    cost = exact_cost.cost_of(market, problem, exact.sold, exact.bought, OPTIONS)
    assert exact.objective == pytest.approx(cost, abs=3e-8)
    assert exact.objective == pytest.approx(least_cost(market, problem), abs=2e-7)
    assert exact.bound <= exact.objective
    return exact


@pytest.mark.parametrize("feature", list(Feature))
def test_no_trade_in_whole_shares_is_better(feature: Feature) -> None:
    """And the feature matters: without it, another optimum."""
    n_accounts = 2 if feature == Feature.JOINT_ROWS else 1
    changed = False
    for seed in range(12):
        market, problem = tiny(seed, {feature}, n_accounts=n_accounts)
        exact = check(market, problem)
        without_market, without = tiny(seed, n_accounts=n_accounts)
        if feature == Feature.WHOLE_SHARES:
            without = without._replace(step=0.0 * without.step)
        elif feature == Feature.REBUYS:
            without = problem._replace(may_rebuy=np.zeros(4, np.bool_))
        elif feature != Feature.IN_ORDER:
            without = without._replace(in_order=problem.in_order)
        plain = solve_exact(without_market, without, options=OPTIONS)
        changed |= abs(plain.objective - exact.objective) > 1e-5
        if changed and seed > 0:
            return
    pytest.fail("it never changed the optimum")


@pytest.mark.parametrize("seed", range(8))
def test_no_trade_is_better_with_many_rules_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = {feature for feature in Feature if rng.random() < 0.4} | {Feature.IN_ORDER}
    check(*tiny(seed, features, n_accounts=1 + seed % 2))


def test_a_loss_in_one_account_bars_the_purchase_in_another() -> None:
    """Two accounts that hold the same four assets between them are not two problems."""
    apart, together = [], []
    for seed in range(6):
        market, problem = tiny(seed, n_accounts=2)
        one_group = market._replace(group_ix=np.zeros(4, np.int32))
        apart.append(check(market, problem).objective)
        together.append(check(one_group, problem).objective)
    assert all(one >= two - 1e-7 for one, two in zip(together, apart, strict=True))
    assert any(one > two + 1e-5 for one, two in zip(together, apart, strict=True))


def test_without_steps_it_is_what_clarabel_finds_on_the_same_sides() -> None:
    pytest.importorskip("cvxpy")
    rng = np.random.default_rng(3)
    world = synthetic_world(12, 3, rng)
    profile = PROFILE_A._replace(n_names=12, n_lots=30, n_factors=3, share_step=0.0, sector_band=0.01)
    problem = synthetic_problems(world, profile, 1, rng)
    exact = solve_exact(world.market, problem, gap=1e-8)
    sold = np.add.reduceat(exact.sold, problem.lots_from[:-1])
    sides = np.where(sold > 0.0, Side.SELL, np.where(exact.bought > 0.0, Side.BUY, Side.HOLD))
    reference = solve_reference(world.market, problem, sides.astype(np.int8))
    assert exact.objective == pytest.approx(reference.objective, abs=1e-7)


def test_as_a_backend_its_trades_and_its_bound_are_certified() -> None:
    """Whole shares and two accounts among the features; SCIP's zero is not ours."""
    features = [Feature.GROUPS, Feature.TICKETS, Feature.TRADE_MIN, Feature.WHOLE_SHARES, Feature.SECTORS]
    for seed, n_accounts in ((1, 1), (2, 2), (3, 1)):
        drawn = np.random.default_rng(seed)
        market, problem = random_problem(drawn, 5, n_accounts=n_accounts, features=features)
        made = consider(market, problem, backend)
        assert made.replies[0] in {Reply.TAKEN, Reply.DEARER}, made.certified.broken
        assert not made.claims_false_bound[0]
        assert (made.certified.solutions.gap <= made.own.gap + 1e-6).all()
