"""The accounts of a household decided together, as one problem of the optimiser.

What one account sells at a loss no account of its household buys in the same run, IRAs included;
who harvests and who buys is weighed over all of them.
Law: 26 U.S.C. §1091(a) over the household, see docs/law/wash-sale.md; decision record 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from allotment.errors import DataError
from allotment.optimize.problem import Market, Problems, join
from allotment.optimize.reasons import Reasons, reasons_of
from allotment.optimize.solution import Fault, Solutions, Status
from allotment.rebalance.case import AccountCase, CostPolicy, Prepared, prepare
from allotment.rebalance.decide import Versions, propose, with_reasons
from allotment.rebalance.joint import Joint, Sales
from allotment.rebalance.outcomes import each_alone
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.year_so_far import YearSoFar
from allotment.units import Codes

Solve = Callable[[Market, Problems], Solutions]

_FAULTS = {
    Fault.ACCOUNT: "a figure of the account is no number, or its cash band is upside down",
    Fault.NAME: "a weight, limit or cost of a name is no number or negative",
    Fault.RISK: "the risk model has no usable figures for a name",
    Fault.LOT: "a lot's figures are no numbers, or the lots exceed the holding",
    Fault.LIMITS: "a name's lower limit is above its upper limit",
    Fault.ROW: "a group bound is upside down",
    Fault.DUPLICATE: "a name stands twice",
    Fault.REGIME: "the tax of the taxpayer's year is upside down or no number",
}
_EMPTY = ("empty", "The account has no value: nothing to decide. Close it, or book its deposit.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """An account without a proposal, or with something to look at in it."""

    account_id: int
    cause: str  # a short code to count by
    message: str


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A household's problem as it was answered in its batch, and what there is to tell of it."""

    arrays: Market
    problems: Problems
    answer: Solutions
    joint: int  # its number in the batch

    @cached_property
    def reasons(self) -> Reasons:
        """Why, weighed when it is asked for."""
        found = reasons_of(self.arrays, self.problems, self.answer, self.joint)
        assert found is not None  # all of its accounts are sound
        return found


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was decided of one account: its figures when they are asked for, why when `proposal` is."""

    prepared: Prepared
    market: MarketSnapshot
    answered: Answered
    account: int  # its number in the batch
    member: int  # its number among the accounts of the household
    versions: Versions
    year: YearSoFar  # to which the figures add what the trades realise

    @cached_property
    def figures(self) -> Proposal:
        """The proposal without its reasons."""
        return propose(
            self.prepared,
            self.market,
            self.answered.answer,
            self.account,
            self.answered.reasons,
            self.member,
            self.versions,
            self.year,
        )

    @cached_property
    def proposal(self) -> Proposal:
        """With its reasons."""
        return with_reasons(self.figures, self.prepared, self.market, self.answered.reasons, self.member)


@dataclass(slots=True)
class Decisions:
    """What came out for a set of households."""

    proposals: list[Proposal] = field(default_factory=list)
    exceptions: list[Undecided] = field(default_factory=list)


def market_arrays(market: MarketSnapshot) -> Market:
    """The snapshot as the optimiser reads it."""
    return Market(
        loadings=np.ascontiguousarray(market.model.loadings),
        specific_variance=market.model.specific_variance,
        group_ix=market.group_ix,
    )


def decide(
    cases: Sequence[AccountCase],
    market: MarketSnapshot,
    costs: CostPolicy,
    versions: Versions,
    year: YearSoFar,
    solve: Solve,
) -> Decisions:
    """A proposal for every account of whole households, or the reason why there is none.

    year: what the taxpayers have realised this year; the trades proposed are added to it. Lots are
    taxed one by one; a household whose year makes that wrong by more than `costs.year_bps_min` is
    decided again by its year.
    """
    decisions = Decisions()
    for outcome in outcomes(cases, market, costs, versions, year, solve, decisions.exceptions):
        decisions.proposals.append(outcome.proposal)
    return decisions


def outcomes(
    cases: Sequence[AccountCase],
    market: MarketSnapshot,
    costs: CostPolicy,
    versions: Versions,
    year: YearSoFar,
    solve: Solve,
    exceptions: list[Undecided],
    before: Sales | None = None,
) -> Iterator[Outcome]:
    """What `decide` decides, one account after another; what there is to tell of each is worked out when it
    is asked for, which is before the next where `year` is to hold all of them.

    exceptions: accounts without an outcome, or with something to look at in it, are added to it.
    before: what the one household sold when little was otherwise; see `Joint.taxed_after`.
    """
    arrays = market_arrays(market)
    waiting = _prepared(cases, market, costs, exceptions)
    if before is not None:
        waiting = [joint.taxed_after(before, year, costs.year_bps_min) for joint in waiting]
    while waiting:
        parts = [joint.problem() for joint in waiting]
        problems = parts[0] if len(parts) == 1 else join(parts)
        answer = each_alone(problems, solve(arrays, problems))
        again = []
        for j, joint in enumerate(waiting):
            first, last = int(problems.joint_from[j]), int(problems.joint_from[j + 1])
            sound = _without_faults(joint, answer, first, exceptions)
            if len(sound) < last - first:
                again += [Joint(sound)] if sound else []
                continue
            problem = problems.problems(j, j + 1)
            lots_from = problems.lots_from[problems.names_from[first : last + 1]]
            sold = answer.sold[lots_from[0] : lots_from[-1]]
            regimes = joint.by_its_year(problem, sold, year, costs.year_bps_min)
            if regimes is not None:
                again.append(Joint(joint.accounts, regimes))
                continue
            answered = Answered(arrays=arrays, problems=problems, answer=answer, joint=j)
            for at, ready in enumerate(joint.as_decided(problem, sold, year)):
                _look_at(ready.case, answer, first + at, exceptions)
                yield Outcome(
                    prepared=ready,
                    market=market,
                    answered=answered,
                    account=first + at,
                    member=at,
                    versions=versions,
                    year=year,
                )
        waiting = again


def _prepared(
    cases: Sequence[AccountCase], market: MarketSnapshot, costs: CostPolicy, exceptions: list[Undecided]
) -> list[Joint]:
    """The accounts that can be decided, by household and account number."""
    households: dict[int, Joint] = {}
    for case in sorted(cases, key=lambda case: (case.account.household_id, case.account.account_id)):
        try:
            ready = prepare(case, market, costs)
        except DataError as error:
            _tell(case, "data", str(error), exceptions)
            continue
        if ready.value_cents <= 0:
            _tell(case, *_EMPTY, exceptions)
            continue
        households.setdefault(case.account.household_id, Joint([])).accounts.append(ready)
    return list(households.values())


def _without_faults(
    joint: Joint, answer: Solutions, first: int, exceptions: list[Undecided]
) -> list[Prepared]:
    """The accounts that can be decided; of the others the cause is told."""
    sound = []
    for a, ready in enumerate(joint.accounts, start=first):
        fault = _fault(answer.status, answer.fault, a)
        if fault:
            _tell(ready.case, *fault, exceptions)
        else:
            sound.append(ready)
    return sound


def _tell(case: AccountCase, cause: str, message: str, exceptions: list[Undecided]) -> None:
    account_id = case.account.account_id
    exceptions.append(Undecided(account_id=account_id, cause=cause, message=message))


def _fault(status: Codes, fault: Codes, a: int) -> tuple[str, str] | None:
    """Cause and sentence when the answer is none for a fault of this account."""
    found = Status(int(status[a]))
    if found == Status.EMPTY:
        return _EMPTY
    if found == Status.INVALID and fault[a]:
        return "invalid_input", f"The account cannot be decided: {_FAULTS[Fault(int(fault[a]))]}."
    if found == Status.FAILED:
        return "failed", "The optimisation broke down; the account is left as it is."
    return None


def _look_at(case: AccountCase, answer: Solutions, a: int, exceptions: list[Undecided]) -> None:
    """A relaxed limit is a proposal with something to look at."""
    if int(answer.status[a]) != Status.RELAXED:
        return
    parts = []
    if answer.cash_relaxation[a] != 0.0:
        side = "above" if answer.cash_relaxation[a] > 0 else "below"
        parts.append(f"cash stays {abs(answer.cash_relaxation[a]):.2%} of the account {side} its band")
    if answer.limit_relaxation[a] > 0.0:
        parts.append(f"names stay {answer.limit_relaxation[a]:.2%} of the account outside their limits")
    cause = "cash_band" if answer.cash_relaxation[a] != 0.0 else "name_limit"
    message = f"Not every limit can be met: {' and '.join(parts) or 'a group bound is broken'}."
    _tell(case, cause, message, exceptions)
