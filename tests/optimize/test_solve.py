"""Answers of the optimiser: always one, always legal, never dearer than doing nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.optimize import Fault, Market, Problems, SolveOptions, Status, join, solve_batch, solve_one
from allotment.optimize.judge import judge
from allotment.optimize.problem import ROW_COLUMNS, make_problems
from allotment.optimize.reasons import reasons_of
from allotment.optimize.synthetic import (
    PROFILE_A,
    PROFILE_B,
    synthetic_problems,
    synthetic_world,
)
from allotment.optimize.tangled import tangled_problem

SMALL = {"n_names": 60, "n_lots": 180, "n_factors": 5}


def small_batch(n_accounts: int = 6, seed: int = 5) -> tuple[Market, Problems]:
    rng = np.random.default_rng(seed)
    world = synthetic_world(60, 5, rng)
    return world.market, synthetic_problems(world, PROFILE_B._replace(**SMALL), n_accounts, rng)


@given(st.integers(0, 10**6), st.integers(1, 25), st.booleans())
@settings(max_examples=120, deadline=None)
def test_every_answer_is_legal_and_its_certificate_holds(seed: int, n_names: int, whole: bool) -> None:
    market, problem = tangled_problem(np.random.default_rng(seed), n_names, whole_shares=whole)
    answer = solve_one(market, problem)
    assert answer.status[0] in {Status.SOLVED, Status.RELAXED}
    verdict = judge(market, problem, answer, 0, SolveOptions())
    assert verdict.broken == ()
    assert verdict.objective == pytest.approx(answer.objective[0], abs=1e-8)
    assert answer.lower_bound[0] <= verdict.lower_bound
    assert answer.lower_bound[0] <= answer.objective[0] <= answer.hold_objective[0]
    terms = answer.risk + answer.tax + answer.year_tax + answer.cost + answer.wash
    terms += answer.relaxation - answer.utility
    assert terms[0] == pytest.approx(answer.objective[0], abs=1e-14)


@pytest.mark.parametrize("profile", [PROFILE_A, PROFILE_B])
def test_large_accounts_are_certified_within_a_basis_point(profile) -> None:
    rng = np.random.default_rng(11)
    world = synthetic_world(profile.n_names, profile.n_factors, rng)
    problems = synthetic_problems(world, profile, 3, rng)
    answers = solve_batch(world.market, problems)
    assert (answers.status == Status.SOLVED).all()
    assert (answers.gap < 1e-4).all()
    for a in range(3):
        verdict = judge(world.market, problems, answers, a, SolveOptions())
        assert verdict.broken == ()
        assert verdict.lower_bound == pytest.approx(answers.lower_bound[a], abs=1e-10)


def test_the_same_bits_on_any_number_of_threads_and_in_any_order() -> None:
    market, problems = small_batch(150)
    one = solve_batch(market, problems)
    two = solve_batch(market, problems, threads=3)
    for column in ("objective", "lower_bound", "weight", "sold", "factor_price", "theta"):
        assert getattr(one, column).tobytes() == getattr(two, column).tobytes()
    shuffled = np.random.default_rng(0).permutation(150)
    again = solve_batch(market, join([problems.account(a) for a in shuffled]))
    assert again.objective.tobytes() == one.objective[shuffled].tobytes()
    assert again.lower_bound.tobytes() == one.lower_bound[shuffled].tobytes()


def test_accounts_with_different_numbers_of_rows_share_a_batch() -> None:
    market, problems = small_batch(4)
    bare = problems.account(1)
    no_rows = {"rows_from": np.zeros(2, np.int64), "entries_from": np.zeros(1, np.int64)}
    no_rows |= {name: getattr(bare, name)[:0] for name in ROW_COLUMNS}
    no_rows |= {name: getattr(bare, name)[:0] for name in ("entry_name", "entry_coefficient")}
    bare = bare._replace(**no_rows)
    mixed = solve_batch(market, join([problems.account(0), bare, problems.account(2)]))
    alone = solve_one(market, bare)
    assert mixed.objective[1] == alone.objective[0]
    assert mixed.objective[2] == solve_batch(market, problems).objective[2]


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("value_usd", np.nan, Fault.ACCOUNT),
        ("risk_price", 0.0, Fault.ACCOUNT),
        ("cash_min", 0.5, Fault.ACCOUNT),
        ("held", np.nan, Fault.NAME),
        ("half_spread", -1e-4, Fault.NAME),
        ("claim_cost", np.nan, Fault.NAME),
        ("step", np.inf, Fault.NAME),
        ("weight_min", 2.0, Fault.LIMITS),
        ("lot_tax", np.nan, Fault.LOT),
        ("lot_weight", 0.9, Fault.LOT),
        ("row_lower", np.nan, Fault.ROW),
    ],
)
def test_a_bad_input_spoils_its_own_account_only(column: str, value: float, fault: Fault) -> None:
    market, problems = small_batch(2)
    good = solve_batch(market, problems)
    spoiled = getattr(problems, column).copy()
    spoiled[0] = value
    answers = solve_batch(market, problems._replace(**{column: spoiled}))
    assert answers.status.tolist() == [Status.INVALID, good.status[1]]
    assert answers.fault.tolist() == [fault, Fault.NONE]
    assert np.isnan(answers.objective[0])
    assert answers.objective[1] == good.objective[1]
    first = slice(0, int(problems.names_from[1]))
    assert not answers.bought[first].any()


def test_a_bad_risk_model_and_a_name_twice_are_found() -> None:
    market, problems = small_batch(1)
    flat = market.specific_variance.copy()
    flat[3] = 0.0
    assert solve_one(market._replace(specific_variance=flat), problems).fault[0] == Fault.RISK
    twice = problems.asset_ix.copy()
    twice[1] = twice[0]
    assert solve_one(market, problems._replace(asset_ix=twice)).fault[0] == Fault.DUPLICATE


def test_an_account_of_no_value_or_no_names_is_empty() -> None:
    market, problems = small_batch(3)
    value = problems.value_usd.copy()
    value[0] = 0.0
    assert solve_batch(market, problems._replace(value_usd=value)).status[0] == Status.EMPTY
    kept = ("value_usd", "risk_price", "cash", "cash_min", "cash_max")
    columns = {name: getattr(problems.account(0), name) for name in kept}
    offsets = {"names_from": np.zeros(2, np.int64), "lots_from": np.zeros(1, np.int64)}
    facts = ("benchmark", "held", "half_spread", "lot_weight", "lot_tax")
    nothing = {name: np.empty(0) for name in facts}
    nothing |= {"asset_ix": np.empty(0, np.int32), "lot_is_loss": np.empty(0, np.bool_)}
    answer = solve_one(market, make_problems(**(columns | offsets | nothing)))
    assert answer.status[0] == Status.EMPTY


def without_lots(problem: Problems, **columns: np.ndarray) -> Problems:
    """The account holding cash only."""
    n = len(problem.held)
    empty = {name: getattr(problem, name)[:0] for name in Problems._fields if name.startswith("lot_")}
    empty.pop("lot_charge")
    bare = problem._replace(held=np.zeros(n), cash=np.ones(1), lots_from=np.zeros(n + 1, np.int64), **empty)
    return bare._replace(**columns)


def test_all_cash_is_invested_in_the_index() -> None:
    market, problems = small_batch(1)
    answer = solve_one(market, without_lots(problems))
    assert answer.status[0] == Status.SOLVED
    assert answer.weight.sum() == pytest.approx(1.0, abs=0.001)
    assert np.sqrt(2 * answer.risk[0] / problems.risk_price[0]) < 0.01
    assert answer.tax[0] == 0.0


def test_cash_that_nothing_may_buy_is_a_priced_relaxation() -> None:
    market, problems = small_batch(1)
    barred = without_lots(problems, may_buy=np.zeros(len(problems.held), np.bool_))
    answer = solve_one(market, barred)
    assert answer.status[0] == Status.RELAXED
    assert answer.cash_relaxation[0] == pytest.approx(1.0 - problems.cash_max[0])
    assert answer.relaxation[0] >= SolveOptions().cash_price * answer.cash_relaxation[0]
    assert answer.objective[0] == answer.hold_objective[0]


def test_an_excluded_name_is_sold_and_a_barred_one_stays() -> None:
    market, problems = small_batch(1)
    limit = problems.weight_max.copy()
    limit[:2] = 0.0
    may_sell = problems.may_sell.copy()
    may_sell[1] = False
    answer = solve_one(market, problems._replace(weight_max=limit, may_sell=may_sell, young=0 * limit))
    assert answer.weight[0] == 0.0
    assert answer.weight[1] == problems.held[1]
    assert answer.status[0] == Status.RELAXED
    assert answer.limit_relaxation[0] == pytest.approx(problems.held[1])


def test_a_loss_in_one_share_class_bars_buying_the_other() -> None:
    """§1091 speaks of substantially identical securities; GOOG and GOOGL are one group here."""
    loadings, variance = np.array([[0.2], [0.2], [0.2]]), np.full(3, 0.04)
    groups = np.array([0, 0, 1], np.int32)
    market = Market(loadings, variance, groups)
    rng = np.random.default_rng(1)
    world = synthetic_world(3, 1, rng)
    profile = PROFILE_A._replace(n_names=3, n_lots=3, n_factors=1, share_step=0.0)
    problem = synthetic_problems(world, profile, 1, rng)._replace(
        benchmark=np.array([0.2, 0.6, 0.2]),
        held=np.array([0.4, 0.3, 0.295]),
        lot_weight=np.array([0.4, 0.3, 0.295]),
        lot_tax=np.array([-0.1, 0.1, 0.1]),
        lot_is_loss=np.array([True, False, False]),
    )
    together = solve_one(market, problem)
    apart = solve_one(market._replace(group_ix=np.arange(3, dtype=np.int32)), problem)
    assert apart.sold[0] > 0.0
    assert apart.bought[1] > 0.0
    assert not (together.sold[0] > 0.0 and together.bought[1] > 0.0)
    assert together.objective[0] > apart.objective[0]


def test_what_a_thread_solved_before_is_in_no_answer() -> None:
    """Its workspace is kept: larger and smaller problems, with reasons weighed between them."""

    def answer(seed: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(seed)
        market, problem = tangled_problem(rng, int(rng.integers(2, 30)), whole_shares=bool(seed % 2))
        found = solve_one(market, problem)
        told = reasons_of(market, problem, found, 0)
        weighed = () if told is None else (*told.alternatives, *told.why_not)
        return (*found, *weighed)

    seeds = np.random.default_rng(3).integers(0, 10**6, 30).tolist()
    kept = [answer(seed) for seed in seeds]
    for seed, mine in zip(seeds, kept, strict=True):
        with ThreadPoolExecutor(1) as pool:  # a thread that has solved nothing
            fresh = pool.submit(answer, seed).result()
        for one, other in zip(mine, fresh, strict=True):
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
