"""The accounts of households decided in rounds, so that none washes another's loss.

Round r decides the r-th account of every household, by account number. What an account sells at a
loss, the later accounts of its household may not buy; what it buys, they may not sell at a loss.
Law: 26 U.S.C. §1091(a) over the household, see docs/law/wash_sale.md; decision record 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from allotment.book.household import AccountKind
from allotment.errors import DataError
from allotment.optimize.problem import Market, Problems, join
from allotment.optimize.solution import Fault, Solutions, Status
from allotment.rebalance.case import AccountCase, CostPolicy, Prepared, prepare
from allotment.rebalance.decide import Versions, propose
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.year_so_far import YearSoFar
from allotment.tax.pretrade import WashState
from allotment.units import Bools, Codes

Solve = Callable[[Market, Problems], Solutions]

_FAULTS = {
    Fault.ACCOUNT: "a figure of the account is no number, or its cash band is upside down",
    Fault.NAME: "a weight, limit or cost of a name is no number or negative",
    Fault.RISK: "the risk model has no usable figures for a name",
    Fault.LOT: "a lot's figures are no numbers, or the lots exceed the holding",
    Fault.LIMITS: "a name's lower limit is above its upper limit",
    Fault.ROW: "a group bound is upside down",
    Fault.DUPLICATE: "a name stands twice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """An account without a proposal, or with something to look at in it."""

    account_id: int
    cause: str  # a short code to count by
    message: str


@dataclass(slots=True)
class Decisions:
    """What came out for a set of households."""

    proposals: list[Proposal] = field(default_factory=list)
    exceptions: list[Undecided] = field(default_factory=list)


def blocked_groups(state: WashState, n_households: int, market: MarketSnapshot) -> tuple[Bools, Bools]:
    """Per household and substantially identical group: is a purchase blocked, is a loss sale blocked?

    Both of shape (n_households, n_groups of the snapshot). `state` numbers groups as the snapshot
    does. A purchase is blocked while a loss of the last 30 days is open, a loss sale while shares
    bought in the last 30 days are held.
    """
    n_groups = int(market.group_ix.max()) + 1
    purchases = np.zeros((n_households, n_groups), np.bool_)
    sales = np.zeros((n_households, n_groups), np.bool_)
    claims, young = state.claims, state.young
    known = claims.group_ix < n_groups
    purchases[claims.household_ix[known], claims.group_ix[known]] = True
    known = young.group_ix < n_groups
    sales[young.household_ix[known], young.group_ix[known]] = True
    return purchases, sales


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

    year: what the taxpayers have realised this year; the trades proposed are added to it.
    """
    arrays = market_arrays(market)
    decisions = Decisions()
    traded: dict[int, tuple[Bools, Bools]] = {}  # household -> (groups sold at a loss, groups bought)
    for turn in _rounds(cases):
        prepared = _prepare(turn, traded, market, costs, decisions)
        if not prepared:
            continue
        answer = solve(arrays, join([p.problem for p in prepared]))
        names_from = lots_from = 0
        for a, ready in enumerate(prepared):
            fault = _fault(answer.status, answer.fault, a)
            if fault:
                account_id = ready.case.account.account_id
                decisions.exceptions.append(
                    Undecided(account_id=account_id, cause=fault[0], message=fault[1])
                )
            else:
                proposal = propose(ready, market, answer, a, names_from, lots_from, versions, year)
                decisions.proposals.append(proposal)
                _look_at(proposal, answer, a, decisions)
                _remember(proposal, ready, market, traded)
            names_from += len(ready.market_rows)
            lots_from += len(ready.lots)
    return decisions


def _rounds(cases: Sequence[AccountCase]) -> list[list[AccountCase]]:
    rounds: list[list[AccountCase]] = []
    turn_of: dict[int, int] = {}
    for case in sorted(cases, key=lambda case: case.account.account_id):
        turn = turn_of.get(case.account.household_id, 0)
        turn_of[case.account.household_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(case)
    return rounds


def _prepare(
    turn: list[AccountCase],
    traded: dict[int, tuple[Bools, Bools]],
    market: MarketSnapshot,
    costs: CostPolicy,
    decisions: Decisions,
) -> list[Prepared]:
    ready = []
    for case in turn:
        known = case
        if case.account.household_id in traded:
            sold, bought = traded[case.account.household_id]
            known = replace(
                case, buy_blocked=case.buy_blocked | sold, sale_blocked=case.sale_blocked | bought
            )
        try:
            ready.append(prepare(known, market, costs))
        except DataError as error:
            account_id = case.account.account_id
            decisions.exceptions.append(Undecided(account_id=account_id, cause="data", message=str(error)))
    return ready


def _fault(status: Codes, fault: Codes, a: int) -> tuple[str, str] | None:
    """Cause and sentence when the answer is none."""
    found = Status(int(status[a]))
    if found == Status.EMPTY:
        return "empty", "The account has no value: nothing to decide. Close it, or book its deposit."
    if found == Status.INVALID:
        return "invalid_input", f"The account cannot be decided: {_FAULTS[Fault(int(fault[a]))]}."
    if found == Status.FAILED:
        return "failed", "The optimisation broke down; the account is left as it is."
    return None


def _look_at(proposal: Proposal, answer: Solutions, a: int, decisions: Decisions) -> None:
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
    decisions.exceptions.append(Undecided(account_id=proposal.account_id, cause=cause, message=message))


def _remember(
    proposal: Proposal, ready: Prepared, market: MarketSnapshot, traded: dict[int, tuple[Bools, Bools]]
) -> None:
    """Note what the household has sold at a loss and bought in this run."""
    household = ready.case.account.household_id
    n_groups = len(ready.case.buy_blocked)
    empty = (np.zeros(n_groups, np.bool_), np.zeros(n_groups, np.bool_))
    sold, bought = traded.setdefault(household, empty)
    trades = proposal.trades
    group = market.group_ix[market.row_of(trades.security_id)]
    if ready.case.account.kind == AccountKind.TAXABLE:
        sold[group[(trades.side < 0) & (trades.gain_cents < 0)]] = True
    bought[group[trades.side > 0]] = True
