"""The verdict on an answer: the hard rules that its trades break, what they cost, what is proven."""

from __future__ import annotations

from typing import Any, NamedTuple

from allotment.optimize.checker import recompute
from allotment.optimize.hard_rules import broken_rules


class Verdict(NamedTuple):
    """What the judge found for one problem."""

    broken: tuple[str, ...]  # hard rules that the trades break, in words
    objective: float  # recomputed cost of the trades, as a fraction of the value of all accounts
    lower_bound: float  # recomputed from the multipliers


def judge(market: Any, problems: Any, solutions: Any, j: int, options: Any) -> Verdict:
    """The verdict on problem j, whose status is SOLVED or RELAXED; options: the `SolveOptions` used."""
    first = int(problems.names_from[problems.joint_from[j]])
    names = slice(first, int(problems.names_from[problems.joint_from[j + 1]]))
    lots = slice(int(problems.lots_from[first]), int(problems.lots_from[names.stop]))
    trades = solutions.weight[names], solutions.bought[names], solutions.sold[lots]
    broken = broken_rules(market, problems.problems(j, j + 1), *trades)
    return Verdict(broken, *recompute(market, problems, solutions, j, options))
