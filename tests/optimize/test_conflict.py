"""Smallest conflicting sets against a general solver: the set cannot be kept, every part of it can."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

from allotment.optimize import Market, Problems, Solutions, SolveOptions, Status, join, solve_one
from allotment.optimize.certify import Trades, certify
from allotment.optimize.claims import one_claim
from allotment.optimize.conflict import Conflict, find_conflicts
from allotment.optimize.exact import solve_exact
from allotment.optimize.problem import RowKind, make_problems
from allotment.optimize.tangled import Feature, random_problem
from allotment.optimize.wish import OF_ROWS, Wish, WishKind, account_of, costless, lifted, wishes_of
from allotment.optimize.yielding import STANDING

cp: Any = pytest.importorskip("cvxpy")

_CONVEX = (
    Feature.LIMITS, Feature.BANS, Feature.TE_MAX, Feature.SECTORS, Feature.TURNOVER, Feature.GAINS,
)  # fmt: skip


def hard_to_please(seed: int) -> tuple[Market, Problems]:
    """A convex account of few names whose wishes often contradict each other."""
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, int(rng.integers(3, 9)), features=_CONVEX)
    n = len(problem.held)
    tight = rng.random() < 0.5
    counts_tax = problem.row_kind == RowKind.TAX  # no room for both in a check, see `wish.costless`
    counts_gain = (problem.row_kind >= RowKind.GAIN_SHORT) & (problem.row_kind <= RowKind.GAIN)
    left_out = counts_tax & counts_gain.any()
    most = np.minimum(problem.weight_max, rng.choice([1.0, 1.3 / n, 0.8 / n]))
    return market, problem._replace(
        lot_is_loss=np.zeros(len(problem.lot_weight), np.bool_),
        step=np.zeros(n),
        row_price=np.where(left_out, 0.0, problem.row_price),
        row_lower=np.where(left_out, -np.inf, problem.row_lower),
        row_upper=np.where(left_out, np.inf, problem.row_upper),
        te_max=problem.te_max * rng.choice([0.2, 1.0]),
        weight_max=most,
        weight_min=np.minimum(problem.weight_min, most),
        may_buy=problem.may_buy & ((rng.random(n) < 0.6) | (not tight)),
        cash_min=np.array([rng.choice([0.0, 0.1])]) if tight else problem.cash_min,
        cash_max=problem.cash_max + 0.1 * tight,
    )


def kept_by(market: Market, p: Problems, wishes: Collection[Wish], yielding: Wish | None = None) -> float:
    """The least sum of violations of some wishes of one convex account; with `yielding`, by how much it
    must give way when the others hold."""
    n, n_lots = len(p.held), len(p.lot_weight)
    name_of_lot = np.repeat(np.arange(n), np.diff(p.lots_from))
    by_name = np.zeros((n, n_lots))
    by_name[name_of_lot, np.arange(n_lots)] = 1.0
    sold, bought = cp.Variable(n_lots), cp.Variable(n)
    weight = p.held - by_name @ sold + bought
    cash = p.cash[0] + cp.sum(sold) - cp.sum(bought)
    rules = [sold >= 0, sold <= p.lot_weight, bought >= 0, weight >= 0]
    rules.append(cash >= min(p.cash[0], p.cash_min[0], 0.0))
    active = weight - p.benchmark
    B, d = market.loadings[p.asset_ix], np.sqrt(market.specific_variance[p.asset_ix])
    error = cp.norm(cp.hstack([B.T @ active, cp.multiply(d, active)]))
    excess, own = 0.0, None
    for wish in wishes:
        kind, at = wish
        lots = np.flatnonzero(name_of_lot == at)
        gone = lots[~p.lot_sellable[lots]] if kind == WishKind.KEPT_LOTS else lots
        value = row_value(p, at, weight, sold, bought) if kind in OF_ROWS else 0.0
        over = {
            WishKind.NO_BUY: lambda at=at: bought[at],
            WishKind.NO_SELL: lambda gone=gone: cp.sum(sold[gone]),
            WishKind.KEPT_LOTS: lambda gone=gone: cp.sum(sold[gone]),
            WishKind.WEIGHT_MIN: lambda at=at: p.weight_min[at] - weight[at],
            WishKind.WEIGHT_MAX: lambda at=at: weight[at] - p.weight_max[at],
            WishKind.CASH_MIN: lambda: p.cash_min[0] - cash,
            WishKind.CASH_MAX: lambda: cash - p.cash_max[0],
            WishKind.ROW_MIN: lambda at=at, value=value: p.row_lower[at] - value,
            WishKind.ROW_MAX: lambda at=at, value=value: value - p.row_upper[at],
            WishKind.TE_MAX: lambda: error - p.te_max[0],
        }[kind]()
        if wish == yielding:
            own = cp.pos(over)
        elif yielding is not None:
            rules.append(over <= 1e-9)
        else:
            excess = excess + cp.pos(over)
    task = cp.Problem(cp.Minimize(excess if own is None else own), rules)
    task.solve(solver=cp.CLARABEL)
    assert task.status in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}
    least = float(task.value)
    if yielding is not None and yielding.kind == WishKind.TE_MAX:
        return ((least + p.te_max[0]) ** 2 - p.te_max[0] ** 2) / 2
    return least


def row_value(p: Problems, r: int, weight: Any, sold: Any, bought: Any) -> Any:
    kind = RowKind(int(p.row_kind[r]))
    if kind == RowKind.LINEAR:
        entries = slice(int(p.entries_from[r]), int(p.entries_from[r + 1]))
        return p.entry_coefficient[entries] @ weight[p.entry_name[entries]]
    if kind == RowKind.TURNOVER:
        return (cp.sum(sold) + cp.sum(bought)) / 2
    per_lot = {
        RowKind.GAIN_SHORT: p.lot_gain * ~p.lot_is_long,
        RowKind.GAIN_LONG: p.lot_gain * p.lot_is_long,
        RowKind.GAIN: p.lot_gain,
        RowKind.TAX: p.lot_tax,
    }
    return per_lot[kind] @ sold


def conflicts_of(market: Market, problem: Problems) -> tuple[Solutions, tuple[Conflict, ...]]:
    answer = solve_one(market, problem)
    return answer, find_conflicts(market, problem, answer)


def test_sets_are_smallest_and_amounts_right_by_a_general_solver() -> None:
    """Deletion on the convex set of all trades: the whole set is infeasible, each part feasible."""
    n_sets, n_unknown, needs = 0, 0, []
    for seed in range(40):
        market, problem = hard_to_please(seed)
        answer, conflicts = conflicts_of(market, problem)
        if answer.status[0] == Status.SOLVED:
            assert conflicts == ()
            continue
        assert conflicts
        for conflict in conflicts:
            wishes = [member.wish for member in conflict.members]
            if conflict.can_be_kept:
                assert kept_by(market, problem, wishes) < 1e-6, seed
                continue
            assert conflict.is_smallest, seed
            assert kept_by(market, problem, wishes) > 1e-8, seed
            n_sets += 1
            for member in conflict.members:
                others = [wish for wish in wishes if wish != member.wish]
                assert kept_by(market, problem, others) < 1e-6, (seed, member)
                if np.isnan(member.needed):
                    n_unknown += 1
                    continue
                needed = kept_by(market, problem, wishes, member.wish)
                assert member.needed == pytest.approx(needed, abs=2e-6, rel=1e-4), (seed, member)
                needs.append(needed)
    assert n_sets > 40
    assert len(needs) > 150
    assert n_unknown < 0.05 * len(needs)


@pytest.mark.parametrize(("seed", "best"), [(97, 12.829), (10, 25.8195), (4, 30.7611)])
def test_where_a_gap_stays_the_best_answer_lies_inside_it(seed: int, best: float) -> None:
    """Limits broken before trading, wishes at 10 a unit against risk at κ = 1: three pieces apart in most
    names, and hardly a dozen names; docs/internals/optimizer.md tells of them."""
    pytest.importorskip("pyscipopt")
    market, problem = hard_to_please(seed)
    limits = [wish for wish in wishes_of(problem) if wish.kind == WishKind.TE_MAX]
    asked = lifted(costless(problem), limits)
    answer = solve_one(market, asked, options=STANDING)
    exact = solve_exact(market, asked, options=STANDING, seconds_max=30.0)
    found = certify(market, asked, Trades(exact.sold, exact.bought), options=STANDING, own=answer)
    assert found.keeps_rules[0]
    assert found.solutions.objective[0] == pytest.approx(best, rel=1e-4)
    assert answer.lower_bound[0] <= best * (1 + 1e-4)
    assert answer.objective[0] >= exact.bound * (1 - 1e-6)


def whole_shares(cash_max: float) -> tuple[Market, Problems]:
    """Two names at 0.3 of the account a share, one of each held; 0.4 is cash."""
    market = Market(np.zeros((2, 0)), np.full(2, 0.04), np.arange(2, dtype=np.int32))
    return market, make_problems(
        names_from=np.array([0, 2]),
        value_usd=np.array([1000.0]),
        risk_price=np.array([10.0]),
        cash=np.array([0.4]),
        cash_min=np.array([0.0]),
        cash_max=np.array([cash_max]),
        lots_from=np.arange(3),
        asset_ix=np.arange(2, dtype=np.int32),
        benchmark=np.array([0.5, 0.5]),
        held=np.array([0.3, 0.3]),
        half_spread=np.zeros(2),
        step=np.array([0.3, 0.3]),
        lot_weight=np.array([0.3, 0.3]),
        lot_tax=np.zeros(2),
        lot_is_loss=np.zeros(2, np.bool_),
    )


def test_whole_shares_can_be_all_that_a_wish_contradicts() -> None:
    """Cash can be 0.4, 0.1, 0.7, … but neither 0 nor 0.05: the band of cash alone is the set."""
    market, problem = whole_shares(0.05)
    _, (conflict,) = conflicts_of(market, problem)
    assert [member.wish.kind for member in conflict.members] == [WishKind.CASH_MIN, WishKind.CASH_MAX] or [
        member.wish.kind for member in conflict.members
    ] == [WishKind.CASH_MAX]
    assert conflict.is_smallest
    assert conflict.members[-1].needed == pytest.approx(0.05)
    assert conflicts_of(*whole_shares(0.1))[1] == ()


def test_a_blocked_purchase_is_law_and_no_wish() -> None:
    """Nothing may be bought: one name by the client's wish, the other because a claim is open (§1091)."""
    market, problem = whole_shares(0.05)
    problem = problem._replace(
        may_buy=np.array([False, True]),
        **one_claim(np.array([0.0, 0.1]), np.full(2, np.inf)),
        step=np.zeros(2),
    )
    _, (conflict,) = conflicts_of(market, problem)
    assert [member.wish for member in conflict.members] == [
        Wish(WishKind.NO_BUY, 0),
        Wish(WishKind.CASH_MAX, 0),
    ]
    ban, cash = conflict.members
    assert ban.needed == pytest.approx(0.35, abs=1e-6)
    assert cash.needed == pytest.approx(0.35, abs=1e-6)
    assert ban.price == np.inf
    assert cash.price == SolveOptions().cash_price


def test_a_cheap_wish_that_is_sold_contradicts_nothing() -> None:
    """A row at a price below what keeping it costs: some trades keep it, and that is said."""
    market, problem = whole_shares(1.0)
    row = {"row_kind": np.array([RowKind.TRADES], np.int8), "row_joint": np.zeros(1, np.bool_)}
    row |= {"row_lower": np.array([-np.inf]), "row_upper": np.array([0.0]), "row_price": np.array([1e-6])}
    problem = problem._replace(
        **row,
        rows_from=np.array([0, 1]),
        entries_from=np.zeros(2, np.int64),
        benchmark=np.array([0.4, 0.6]),
        step=np.zeros(2),
    )
    answer, (conflict,) = conflicts_of(market, problem)
    assert conflict.can_be_kept
    (member,) = conflict.members
    assert member.wish == Wish(WishKind.ROW_MAX, 0)
    assert member.needed == answer.row_value[0] == 2.0


def test_household_tell_whose_wish_it_is() -> None:
    """Two accounts, the second of which can buy nothing but may hold no cash."""
    market, problem = whole_shares(1.0)
    _, barred = whole_shares(0.05)
    barred = barred._replace(may_buy=np.zeros(2, np.bool_), step=np.zeros(2))
    both = join([problem, barred])._replace(joint_from=np.array([0, 2]), regimes_from=np.zeros(2, np.int64))
    _, (conflict,) = conflicts_of(market, both)
    assert {member.wish for member in conflict.members} <= {
        Wish(WishKind.NO_BUY, 2),
        Wish(WishKind.NO_BUY, 3),
        Wish(WishKind.CASH_MAX, 1),
    }
    assert {account_of(both, member.wish) for member in conflict.members} == {1}
    assert len(conflict.members) == 3


def test_a_ban_of_one_account_can_contradict_a_row_of_another() -> None:
    """A household may turn over nothing, by a row that stands with its last account, yet the first must
    sell what it may not hold."""
    market, first = whole_shares(1.0)
    _, last = whole_shares(1.0)
    row = {"row_kind": np.array([RowKind.TURNOVER], np.int8), "row_joint": np.ones(1, np.bool_)}
    row |= {"row_lower": np.array([-np.inf]), "row_upper": np.array([0.0]), "row_price": np.ones(1)}
    last = last._replace(**row, rows_from=np.array([0, 1]), entries_from=np.zeros(2, np.int64))
    first = first._replace(may_sell=np.array([True, False]), weight_max=np.zeros(2))
    both = join([first, last])._replace(joint_from=np.array([0, 2]), regimes_from=np.zeros(2, np.int64))
    _, conflicts = conflicts_of(market, both)
    sets = {tuple(member.wish for member in conflict.members) for conflict in conflicts}
    assert sets == {
        (Wish(WishKind.NO_SELL, 1), Wish(WishKind.WEIGHT_MAX, 1)),
        (Wish(WishKind.WEIGHT_MAX, 0), Wish(WishKind.ROW_MAX, 0)),
    }
    needs = {member.wish: member.needed for conflict in conflicts for member in conflict.members}
    assert needs[Wish(WishKind.ROW_MAX, 0)] == pytest.approx(0.3 / 2 / 2, abs=1e-6)  # half, of two accounts
    assert needs[Wish(WishKind.NO_SELL, 1)] == pytest.approx(0.3, abs=1e-6)


def test_bans_of_all_accounts_can_contradict_a_row_of_the_last() -> None:
    """A household is to turn something over, and nothing may be bought or sold."""
    market, first = whole_shares(1.0)
    nothing = {"may_buy": np.zeros(2, np.bool_), "may_sell": np.zeros(2, np.bool_), "step": np.zeros(2)}
    row = {"row_kind": np.array([RowKind.TURNOVER], np.int8), "row_joint": np.ones(1, np.bool_)}
    row |= {"row_lower": np.array([0.05]), "row_upper": np.array([np.inf]), "row_price": np.ones(1)}
    last = first._replace(**nothing, **row, rows_from=np.array([0, 1]), entries_from=np.zeros(2, np.int64))
    both = join([first._replace(**nothing), last])
    both = both._replace(joint_from=np.array([0, 2]), regimes_from=np.zeros(2, np.int64))
    _, (conflict,) = conflicts_of(market, both)
    needs = {member.wish: member.needed for member in conflict.members}
    bans = [Wish(kind, i) for kind in (WishKind.NO_BUY, WishKind.NO_SELL) for i in range(4)]
    assert set(needs) == {*bans, Wish(WishKind.ROW_MIN, 0)}
    assert needs.pop(Wish(WishKind.ROW_MIN, 0)) == pytest.approx(0.05, abs=1e-6)
    # Half of what is traded counts, in one of two equal accounts: 0.2 of it.
    assert list(needs.values()) == pytest.approx([0.2] * 8, abs=1e-5)


def test_a_search_cut_short_says_so() -> None:
    market, problem = hard_to_please(3)
    conflict = find_conflicts(market, problem, solve_one(market, problem), checks_max=3)[0]
    assert not conflict.is_smallest
