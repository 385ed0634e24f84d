"""The door for trades that somebody else made: a person, another firm, an engine of another kind.

They are held to the same hard rules as ours, priced by the same kernel, and measured against the
bound of our own solve of the same problem. Who made them does not matter, and what he says of them
is not asked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.compiled import hidden, kernel
from allotment.optimize.hard_rules import broken_rules
from allotment.optimize.load import load
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.settle import evaluate
from allotment.optimize.solution import Solutions, Status, empty_solutions
from allotment.optimize.solve import solve_batch, workspace_for
from allotment.optimize.workspace import Workspace
from allotment.units import Bools, Floats, Ints

_WEIGHT_MOST = 1e6  # of account value, of a lot or a purchase: what is more is no trade
_DUST = 1e-12  # weights closer than this are the same
# The values of `Status`: kernels do not read enumerations.
_SOLVED, _RELAXED = 0, 1
# What our own solve tells of an account whatever its trades are.
_OF_THE_ACCOUNT = ("fault", "hold_objective", "hold_risk", "hold_feasible")
_OF_THE_BOUND = (
    "n_solves", "risk_multiplier", "factor_price", "cash_price", "row_multiplier", "cases_from",
    "case_bound", "theta_from", "theta",
)  # fmt: skip
_NO_NUMBER = "trades what is no number, or more than a million times the account's value"
_NOTHING = "trades an account that has nothing to decide"


class Trades(NamedTuple):
    """Somebody's trades of a batch, as fractions of account value, in the order of its columns."""

    sold: Floats  # (L,) of each lot
    bought: Floats  # (n,) of each name


class Certified(NamedTuple):
    """What somebody's trades cost and break, beside our own answers to the same J problems.

    `solutions` are the trades in the columns of our own answers. Its status tells of elastic limits
    alone: trades that break a hard rule are not certified, and have NaN for gap and lower bound.
    Trades that are no numbers have NaN for every term, and the weights held.
    """

    solutions: Solutions
    broken: tuple[tuple[str, ...], ...]  # (J,) hard rules that the trades break, in words
    own: Solutions

    @property
    def keeps_rules(self) -> Bools:
        """(J,) True where no hard rule is broken."""
        return np.array([not rules for rules in self.broken], np.bool_)


def certify(
    market: Market,
    problems: Problems,
    trades: Trades,
    *,
    options: SolveOptions | None = None,
    own: Solutions | None = None,
) -> Certified:
    """Check, price and bound somebody's trades of every problem.

    own: our answers to these problems under these options, if they are there; else they are solved.
    The gap is the cost of the trades less the bound that our multipliers prove; it is below 0 by
    more than rounding (1e-9) only if that bound is false.
    """
    assert trades.sold.shape == (len(problems.lot_weight),)
    assert trades.bought.shape == (len(problems.held),)
    options = SolveOptions() if options is None else options
    own = solve_batch(market, problems, options=options) if own is None else own
    made = _with_trades(problems, trades, own, market.loadings.shape[1])
    broken = [_broken(market, problems, trades, made, own, j) for j in range(problems.n_joint)]
    priced = [j for j in range(problems.n_joint) if broken[j] not in ((_NO_NUMBER,), (_NOTHING,))]
    totals = np.full(problems.n_joint, np.nan)
    for j in priced:
        if own.status[problems.joint_from[j]] not in (Status.EMPTY, Status.INVALID):
            joint = np.array([j], np.int64)
            work = workspace_for(market, problems, joint)
            _price(market, problems, made, work, options, joint, totals)
    for j in np.flatnonzero(np.isfinite(totals)).tolist():
        _bound(problems, made, own, j, float(totals[j]) if not broken[j] else np.nan)
    return Certified(_as_own(made, own), tuple(broken), own)


def trades_of(solutions: Solutions) -> Trades:
    """The trades of answers."""
    return Trades(solutions.sold, solutions.bought)


def _with_trades(problems: Problems, trades: Trades, own: Solutions, n_factors: int) -> Solutions:
    """Columns that hold the trades, where they are numbers, and nothing else yet."""
    made = empty_solutions(problems, n_factors)
    name = owners(problems.lots_from)
    made.sold[:] = np.where(_is_sound(trades.sold), trades.sold, 0.0)
    made.bought[:] = np.where(_is_sound(trades.bought), trades.bought, 0.0)
    weight = problems.held + made.bought - np.bincount(name, made.sold, minlength=len(made.bought))
    weight[np.abs(weight) < _DUST] = 0.0
    made.weight[:] = np.where(np.abs(weight - problems.held) < _DUST, problems.held, weight)
    made.cash_after[:] = own.cash_after
    made.status[:] = own.status
    return made


def _is_sound(weight: Floats) -> Bools:
    return np.abs(weight) <= _WEIGHT_MOST  # False for NaN


def _broken(
    market: Market, problems: Problems, trades: Trades, made: Solutions, own: Solutions, j: int
) -> tuple[str, ...]:
    first, last = problems.joint_from[j], problems.joint_from[j + 1]
    names = slice(int(problems.names_from[first]), int(problems.names_from[last]))
    lots = slice(int(problems.lots_from[names.start]), int(problems.lots_from[names.stop]))
    bought, sold = trades.bought[names], trades.sold[lots]
    if not (_is_sound(bought).all() and _is_sound(sold).all()):
        made.bought[names], made.sold[lots], made.weight[names] = 0.0, 0.0, problems.held[names]
        return (_NO_NUMBER,)
    if own.status[first] in (Status.EMPTY, Status.INVALID):
        made.weight[names] = problems.held[names]
        return (_NOTHING,) if bought.any() or sold.any() else ()
    return broken_rules(market, problems.problems(j, j + 1), made.weight[names], bought, sold)


@kernel
def _price(
    market: Market,
    problem: Problems,
    solution: Solutions,
    work: Workspace,
    options: SolveOptions,
    joints: Ints,
    totals: Floats,
) -> None:
    """Write every term of the trades that `solution` holds for these problems, and their totals."""
    for j in joints:
        shape = load(market, problem, work, options, j)
        total, within = evaluate(shape, market, problem, work, solution, options, j)
        totals[j] = total
        _mark(problem, solution, j, within)


@hidden
def _mark(problem: Problems, solution: Solutions, j: int, within: bool) -> None:
    for a in range(problem.joint_from[j], problem.joint_from[j + 1]):
        solution.status[a] = _SOLVED if within else _RELAXED


def _bound(problems: Problems, made: Solutions, own: Solutions, j: int, total: float) -> None:
    """Gap and lower bound of problem j, whose trades cost `total`."""
    accounts = slice(int(problems.joint_from[j]), int(problems.joint_from[j + 1]))
    bound = float(own.case_bound[own.cases_from[j] : own.cases_from[j + 1]].min())
    gap = total - bound
    made.gap[accounts] = max(gap, 0.0) if gap > -1e-9 else gap
    made.lower_bound[accounts] = made.objective[accounts] - made.gap[accounts]


def _as_own(made: Solutions, own: Solutions) -> Solutions:
    """With what our own solve knows: the account doing nothing, and the multipliers of the bound."""
    return made._replace(**{column: getattr(own, column) for column in _OF_THE_ACCOUNT + _OF_THE_BOUND})
