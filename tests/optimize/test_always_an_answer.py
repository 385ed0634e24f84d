"""Whatever an account is like, it ends in a clear status; one case each, and thousands of nasty ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.optimize import (
    Fault,
    Market,
    Problems,
    Solutions,
    SolveOptions,
    Status,
    solve_batch,
    solve_one,
)
from allotment.optimize.conflict import find_conflicts
from allotment.optimize.judge import judge
from allotment.optimize.problem import make_problems
from allotment.optimize.wish import WishKind, excess_of, wishes_of

_spec = importlib.util.spec_from_file_location("nasty", Path(__file__).with_name("nasty.py"))
assert _spec is not None
assert _spec.loader is not None
nasty = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(nasty)

CERTIFIED = (
    "objective", "risk", "tax", "cost", "wash", "relaxation", "lower_bound", "gap", "hold_objective",
    "tracking_error", "cash_after", "weight", "bought", "sold", "row_value", "risk_multiplier",
    "factor_price", "cash_price", "theta",
)  # fmt: skip
N = 4
MARKET = Market(
    np.array([[0.2, 0.05], [0.18, -0.05], [0.22, 0.0], [0.15, 0.1]]),
    np.full(N, 0.04),
    np.arange(N, dtype=np.int32),
)


def account(n: int = N, **columns: Any) -> Problems:
    """An account of up to four names in equal weights and 1 % of cash, against an equal index."""
    held = np.full(n, 0.99 / n)
    known: dict[str, Any] = {
        "names_from": np.array([0, n]),
        "value_usd": np.array([1e5]),
        "risk_price": np.array([100.0]),
        "cash": np.array([0.01]),
        "cash_min": np.zeros(1),
        "cash_max": np.array([0.02]),
        "lots_from": np.arange(n + 1),
        "asset_ix": np.arange(n, dtype=np.int32),
        "benchmark": np.full(n, 1.0 / n),
        "held": held,
        "half_spread": np.full(n, 3e-4),
        "lot_weight": held,
        "lot_tax": np.full(n, 0.05),
        "lot_is_loss": np.zeros(n, np.bool_),
    }
    return make_problems(**(known | columns))


def cash_only(**columns: Any) -> Problems:
    return account(
        held=np.zeros(N),
        cash=np.ones(1),
        lots_from=np.zeros(N + 1, np.int64),
        lot_weight=np.zeros(0),
        lot_tax=np.zeros(0),
        lot_is_loss=np.zeros(0, np.bool_),
        **columns,
    )


def solved(problem: Problems, market: Market = MARKET) -> Solutions:
    """The answer, which keeps every hard rule and proves its bound if it is one."""
    answer = solve_one(market, problem)
    if answer.status[0] in {Status.SOLVED, Status.RELAXED}:
        verdict = judge(market, problem, answer, 0, SolveOptions())
        assert verdict.broken == ()
        assert verdict.objective == pytest.approx(answer.objective[0], rel=1e-9, abs=1e-9)
        assert answer.lower_bound[0] <= verdict.lower_bound + 1e-9
    else:
        assert not answer.bought.any()
        assert not answer.sold.any()
    return answer


@pytest.mark.parametrize("column", ["held", "benchmark", "half_spread", "lot_tax", "cash", "risk_price"])
def test_a_nan_is_invalid_with_its_place(column: str) -> None:
    problem = account()
    spoiled = getattr(problem, column).copy()
    spoiled[0] = np.nan
    answer = solved(problem._replace(**{column: spoiled}))
    assert answer.status[0] == Status.INVALID
    assert answer.fault[0] in {Fault.ACCOUNT, Fault.NAME, Fault.LOT}
    assert np.isnan(answer.objective[0])


def test_singular_risk_of_names_that_move_alike_is_solved() -> None:
    """Equal loadings, and a factor that nothing loads on: the factor part has rank one of two."""
    market = MARKET._replace(loadings=np.ascontiguousarray(np.tile([0.2, 0.0], (N, 1))))
    answer = solved(account(), market)
    assert answer.status[0] == Status.SOLVED
    assert answer.gap[0] < 1e-6


def test_no_specific_risk_is_a_fault_of_the_model() -> None:
    variance = MARKET.specific_variance.copy()
    variance[2] = 0.0
    answer = solved(account(), MARKET._replace(specific_variance=variance))
    assert answer.status[0] == Status.INVALID
    assert answer.fault[0] == Fault.RISK


def test_a_zero_price_makes_a_name_of_no_weight_and_no_step() -> None:
    """A worthless holding: its lot weighs nothing, a share of it is a step of nothing."""
    held = np.array([0.33, 0.33, 0.33, 0.0])
    step = np.array([1e-4, 1e-4, 1e-4, 0.0])
    answer = solved(account(held=held, lot_weight=held, step=step, may_buy=np.array([True] * 3 + [False])))
    assert answer.status[0] == Status.SOLVED
    assert answer.weight[3] == 0.0
    assert answer.sold[3] == 0.0


def test_an_account_without_value_is_empty() -> None:
    assert solved(account(value_usd=np.zeros(1))).status[0] == Status.EMPTY


def test_an_account_without_names_is_empty() -> None:
    problem = make_problems(
        names_from=np.zeros(2, np.int64),
        value_usd=np.ones(1),
        risk_price=np.ones(1),
        cash=np.ones(1),
        cash_min=np.zeros(1),
        cash_max=np.ones(1),
        lots_from=np.zeros(1, np.int64),
        asset_ix=np.zeros(0, np.int32),
        benchmark=np.zeros(0),
        held=np.zeros(0),
        half_spread=np.zeros(0),
        lot_weight=np.zeros(0),
        lot_tax=np.zeros(0),
        lot_is_loss=np.zeros(0, np.bool_),
    )
    assert solved(problem).status[0] == Status.EMPTY


def test_one_name_holds_all_that_cash_may_not() -> None:
    answer = solved(account(n=1, cash_max=np.zeros(1)))
    assert answer.status[0] == Status.SOLVED
    assert answer.weight[0] == pytest.approx(1.0, abs=1e-9)
    assert answer.gap[0] < 1e-9


def test_all_cash_is_invested() -> None:
    answer = solved(cash_only())
    assert answer.status[0] == Status.SOLVED
    assert answer.cash_after[0] <= 0.02 + 1e-9
    assert answer.gap[0] < 1e-9


def test_all_cash_that_nothing_may_buy_is_relaxed_and_the_conflict_told() -> None:
    problem = cash_only(may_buy=np.zeros(N, np.bool_))
    answer = solved(problem)
    assert answer.status[0] == Status.RELAXED
    assert answer.cash_relaxation[0] == pytest.approx(0.98)
    (conflict,) = find_conflicts(MARKET, problem, answer)
    kinds = [member.wish.kind for member in conflict.members]
    assert kinds == [WishKind.NO_BUY] * N + [WishKind.CASH_MAX]
    assert all(member.needed == pytest.approx(0.98, abs=1e-6) for member in conflict.members)


def test_nothing_but_restricted_names_is_held() -> None:
    """Neither bought nor sold: to hold is the answer, and the best."""
    nothing = np.zeros(N, np.bool_)
    answer = solved(account(may_buy=nothing, may_sell=nothing))
    assert answer.status[0] == Status.SOLVED
    assert not answer.bought.any()
    assert not answer.sold.any()
    assert answer.gap[0] < 1e-9


def test_nothing_but_restricted_names_with_cash_owed_is_relaxed_and_the_conflict_told() -> None:
    nothing = np.zeros(N, np.bool_)
    problem = account(may_buy=nothing, may_sell=nothing, cash_min=np.array([0.1]), cash_max=np.ones(1))
    answer = solved(problem)
    assert answer.status[0] == Status.RELAXED
    assert answer.cash_relaxation[0] == pytest.approx(-0.09)
    (conflict,) = find_conflicts(MARKET, problem, answer)
    assert {member.wish.kind for member in conflict.members} == {WishKind.NO_SELL, WishKind.CASH_MIN}
    assert conflict.members[-1].needed == pytest.approx(0.09, abs=1e-6)


def test_a_limit_of_risk_alone_on_an_account_that_is_its_index() -> None:
    """Held in one name, the whole index, whose smallest trade is more than its cash: risk is nothing."""
    limited = {"risk_price": np.zeros(1), "te_max": np.array([0.04]), "trade_min": np.array([0.005])}
    answer = solved(account(n=1, held=np.array([0.995]), lot_weight=np.array([0.995]), **limited))
    assert answer.status[0] == Status.SOLVED


def test_a_limit_that_no_whole_step_meets_leaves_the_name_as_it_is() -> None:
    """Beside a billion accounts a sum forgets what is held: no trade must still be found."""
    immense = {"weight_min": np.full(1, 1e9), "weight_max": np.full(1, 1e9), "benchmark": np.full(1, 1e9)}
    problem = account(
        n=1, held=np.array([0.995]), lot_weight=np.array([0.995]), step=np.array([0.00181289623]), **immense
    )
    assert solved(problem).weight.tolist() == [0.995]


@st.composite
def nasty_problems(draw: st.DrawFn) -> tuple[Market, Problems]:
    """Up to three accounts of up to eight names, as they come or bent up to three times."""
    n_accounts = draw(st.sampled_from([1, 1, 1, 2, 3]))
    twists = draw(st.lists(st.sampled_from(sorted(nasty.TWISTS)), max_size=3))
    made: tuple[Market, Problems] = nasty.nasty_problem(
        draw(st.integers(0, 2**31)), draw(st.integers(1, 8)), n_accounts, twists
    )
    return made


def check_answer(market: Market, problem: Problems) -> None:
    """A status; finite terms, rules kept, cost and bound found again; or nothing done and nothing claimed."""
    with np.errstate(all="ignore"):  # of the judge, whose inputs are this large
        answer = solve_batch(market, problem)
        status = {Status(int(one)) for one in answer.status}
        if not status <= {Status.SOLVED, Status.RELAXED}:
            assert status <= {Status.EMPTY} or status <= {Status.INVALID}
            assert not answer.bought.any()
            assert not answer.sold.any()
            assert np.isnan(answer.objective).all()
            return
        for column in CERTIFIED:
            assert np.isfinite(getattr(answer, column)).all(), column
        verdict = judge(market, problem, answer, 0, SolveOptions())
    share = problem.value_usd / problem.value_usd.sum()
    cost, bound = float(share @ answer.objective), float(share @ answer.lower_bound)
    # Kernels do not price what a row exceeds by less than 1e-9.
    slack = 1e-8 * (1.0 + abs(cost)) + 1e-9 * float(problem.row_price.sum())
    assert verdict.broken == ()
    assert verdict.objective == pytest.approx(cost, abs=slack)
    assert bound <= verdict.lower_bound + slack + judge_may_prove_less_by(problem)
    assert bound <= cost
    assert cost <= float(share @ answer.hold_objective) + slack


def judge_may_prove_less_by(problem: Problems) -> float:
    """Charges of lots too light to move a weight, of which the judge may see a part; what is lost of a cost
    that the kernels count down from a limit of a billion accounts; and what is lost of every cost that the
    judge adds to a charge of a billion accounts and takes off again."""
    lots_from = problem.lots_from[problem.names_from]
    charge = np.repeat(problem.lot_charge, np.diff(lots_from))
    is_dust = (problem.lot_weight > 0.0) & (problem.lot_weight < 1e-12)
    lost = 1e-15 * np.max(problem.weight_max, initial=0.0) + np.spacing(problem.lot_charge.max())
    return float(charge[is_dust].sum() + lost)


def check_conflicts(market: Market, problem: Problems) -> None:
    """What was relaxed has its price, or wishes that contradict each other are told with theirs."""
    with np.errstate(all="ignore"):
        answer = solve_batch(market, problem)
        conflicts = find_conflicts(market, problem, answer, checks_max=40, sets_max=1)
    if (answer.status == Status.RELAXED).any():
        broken = [excess_of(problem, answer, wish) for wish in wishes_of(problem)]
        assert conflicts or max(broken, default=0.0) == 0.0
    for conflict in conflicts:
        assert conflict.members
        assert all(member.price > 0.0 for member in conflict.members)


@pytest.mark.parametrize(
    ("seed", "n_names", "n_accounts", "twists"),
    [
        (453, 2, 2, ["lots degenerate", "coefficients odd"]),
        (7405, 8, 2, ["lots degenerate"]),
        (7477, 5, 1, ["lots degenerate", "step tiny", "te odd"]),
        (10463, 2, 2, ["lots degenerate", "cash huge", "lots degenerate"]),
        (4061, 8, 1, ["immense somewhere"]),
    ],
)
def test_lots_of_dust_and_immense_limits_are_proven_too(
    seed: int, n_names: int, n_accounts: int, twists: list[str]
) -> None:
    """A charge by the weight of such a lot is a number that swallows every other."""
    check_answer(*nasty.nasty_problem(seed, n_names, n_accounts, twists))


@pytest.mark.parametrize(("end", "beyond"), [("regime_lower", np.inf), ("regime_upper", -np.inf)])
def test_a_regime_that_no_gain_lies_in_is_refused(end: str, beyond: float) -> None:
    market, problem = nasty.nasty_problem(2, 3, 1, [])
    assert len(problem.regime_constant) > 1
    ends = getattr(problem, end).copy()
    ends[0, 1] = beyond
    answer = solve_batch(market, problem._replace(**{end: ends}))
    assert answer.status[0] == Status.INVALID


@given(nasty_problems())
@settings(max_examples=300, deadline=None)
def test_nasty_problems_end_in_an_answer(problem: tuple[Market, Problems]) -> None:
    check_answer(*problem)


@given(nasty_problems())
@settings(max_examples=25, deadline=None)
def test_nasty_problems_tell_their_conflicts(problem: tuple[Market, Problems]) -> None:
    check_conflicts(*problem)


@pytest.mark.slow
@given(nasty_problems())
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_nasty_problems_end_in_an_answer(problem: tuple[Market, Problems]) -> None:
    check_answer(*problem)


@pytest.mark.slow
@given(nasty_problems())
@settings(max_examples=500, deadline=None)
def test_five_hundred_nasty_problems_tell_their_conflicts(problem: tuple[Market, Problems]) -> None:
    check_conflicts(*problem)
