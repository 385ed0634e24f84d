"""Which wishes contradict each other, when an account's answer had to relax some.

A smallest conflicting set: no trades keep all of its wishes, and without any one of them the others
can be kept. Found by halving (Junker, "QuickXplain", AAAI 2004): each question "can these wishes be
kept together?" is a solve of the same problem with nothing to pay but risk and broken wishes.

What an answer means. Where the problem is convex (any fraction of a share, no smallest trade or
holding, no counts, no loss lots beside purchases in their group) the solve is exact, and so is the
set, to the rounding that `wish` allows. Elsewhere the solve searches: wishes that it cannot keep
might be kept by trades that it has missed. `is_proven` tells where the lower bound excludes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions, Status
from allotment.optimize.solve import solve_one
from allotment.optimize.wish import (
    CASH_EXCESS_MIN,
    OF_NAMES,
    OF_ROWS,
    Wish,
    WishKind,
    account_of,
    cash_floor,
    costless,
    excess_of,
    lifted,
    price_of,
    wishes_of,
)
from allotment.optimize.yielding import STANDING, amount_needed, yielding

_SOLVED = frozenset({Status.SOLVED, Status.RELAXED})
_RISK_PRICES = (1.0, 10.0, 0.1, 0.001)  # of the attempts to keep wishes
_PROOF_RISK_PRICE = 0.01
_GAP_CLOSED = 1e-8
_RISK_PRICE_MOST = 3000.0  # at which risk does not yet outweigh the wishes that stand
_PRICE_PRECISION = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One wish of a set. `saved` is a fraction of the value of all accounts."""

    wish: Wish
    needed: float  # by how much it alone must give way for the others to be kept, in its units; NaN: unknown
    saved: float  # objective of the answer less that of the best without this wish; NaN: unknown
    price: float  # of a unit of breaking it; infinite: it is never broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Wishes that cannot be kept together, or (`can_be_kept`) whose price was cheaper than keeping them."""

    members: tuple[Member, ...]
    can_be_kept: bool  # some trades keep every wish; the members are those that were relaxed
    is_smallest: bool  # without any one member the others were kept; False when the search was cut short
    is_proven: bool  # the lower bound excludes trades that keep all members


def find_conflicts(
    market: Market,
    problem: Problems,
    answer: Solutions,
    *,
    options: SolveOptions | None = None,
    checks_max: int = 3000,
    sets_max: int = 3,
) -> tuple[Conflict, ...]:
    """The conflicts behind an answer of status RELAXED to a batch of one problem; none for others.

    After each set, one of its wishes that the answer relaxed (of the last level, where there are
    several) is laid aside and the rest asked again, until the rest can be kept or sets_max sets are
    found. checks_max: solves for the search, after which a set may hold wishes that it does not need.
    """
    assert problem.n_joint == 1
    if Status(int(answer.status.max())) not in _SOLVED or (answer.status == Status.SOLVED).all():
        return ()
    wishes = wishes_of(problem)
    relaxed = [wish for wish in wishes if excess_of(problem, answer, wish) > 0.0]
    search = _Search(market, problem, wishes, checks_max)
    options = SolveOptions() if options is None else options
    rest = list(wishes)
    found: list[Conflict] = []
    while len(found) < sets_max and not search.keeps(rest):
        chosen = search.smallest(rest)
        needs = [_needed(market, problem, chosen, wish) for wish in chosen]
        found.append(
            Conflict(
                members=_priced(market, problem, answer, chosen, needs, options),
                can_be_kept=False,
                is_smallest=search.is_smallest(chosen),
                is_proven=search.proves(chosen),
            )
        )
        aside = max([wish for wish in chosen if wish in relaxed] or chosen, key=lambda wish: wish.kind)
        rest.remove(aside)
    if found or not relaxed:
        return tuple(found)
    paid = [excess_of(problem, answer, wish) for wish in relaxed]
    members = _priced(market, problem, answer, relaxed, paid, options)
    return (Conflict(members=members, can_be_kept=True, is_smallest=True, is_proven=True),)


class _Search:
    """Questions about which wishes of one problem can be kept together, and how many were asked."""

    def __init__(self, market: Market, problem: Problems, wishes: Sequence[Wish], checks_max: int) -> None:
        self._market, self._problem, self._wishes = market, costless(problem), wishes
        self._left = checks_max
        self._known: dict[frozenset[Wish], bool] = {}

    def keeps(self, wishes: Sequence[Wish]) -> bool:
        """Do the trades found keep all of these wishes?

        A solve whose gap is closed has the last word; otherwise others follow at other prices of risk,
        which lead the search elsewhere.
        """
        asked = frozenset(wishes)
        if asked not in self._known:
            self._left -= 1
            self._known[asked] = any(self._attempts(wishes))
        return self._known[asked]

    def _attempts(self, wishes: Sequence[Wish]) -> Iterator[bool]:
        """One attempt after another to keep the wishes, until one tells for sure that it fails."""
        for risk_price in _RISK_PRICES:
            answer = self._solve(wishes, risk_price)
            lends = np.any(answer.cash_after < cash_floor(self._problem) - CASH_EXCESS_MIN)
            yield not lends and all(excess_of(self._problem, answer, wish) == 0.0 for wish in wishes)
            if answer.gap[0] < _GAP_CLOSED:
                return

    def smallest(self, wishes: Sequence[Wish]) -> list[Wish]:
        """A smallest set of these wishes, which cannot all be kept; without the later ones where it can."""
        active = self._active(wishes)
        start = active if len(active) < len(wishes) and not self.keeps(active) else list(wishes)
        return self._halve([], start, is_new=False)

    def is_smallest(self, chosen: Sequence[Wish]) -> bool:
        """Are the chosen wishes kept once any one of them is laid aside, and not before?"""
        if self._left <= 0 or self.keeps(chosen):
            return False
        return all(self.keeps([wish for wish in chosen if wish != one]) for one in chosen)

    def proves(self, chosen: Sequence[Wish]) -> bool:
        """Does the lower bound say that every choice of trades breaks a wish of the set?

        Trades that keep all of them cost their risk alone. It has a ceiling, as cash has a floor: the
        bound is above it.
        """
        problem, floor = self._problem, cash_floor(self._problem)
        answer = self._solve(chosen, _PROOF_RISK_PRICE)
        limited = {wish.at for wish in chosen if wish.kind == WishKind.TE_MAX}
        share = problem.value_usd / problem.value_usd.sum()
        ceiling = 0.0
        for a in range(problem.n_accounts):
            names = slice(int(problem.names_from[a]), int(problem.names_from[a + 1]))
            most = float(problem.held[names].sum() + problem.cash[a] - floor[a])
            asset = problem.asset_ix[names]
            loadings, specific = self._market.loadings[asset], self._market.specific_variance[asset]
            risk = np.sqrt((loadings**2).sum(axis=1) + specific)
            te_most = most * float(risk.max(initial=0.0)) + float(np.abs(problem.benchmark[names]) @ risk)
            te_most = min(te_most, float(problem.te_max[a])) if a in limited else te_most
            ceiling += share[a] * _PROOF_RISK_PRICE * te_most**2 / 2
        return bool(share @ answer.lower_bound > ceiling)

    def _solve(self, wishes: Sequence[Wish], risk_price: float) -> Solutions:
        """The least risk that keeps the wishes; a limit of tracking error is kept if any trades can."""
        asked = {wish for wish in wishes if wish.kind != WishKind.TE_MAX}
        problem = lifted(self._problem, [wish for wish in self._wishes if wish not in asked])
        problem = problem._replace(risk_price=np.full(problem.n_accounts, risk_price))
        return solve_one(self._market, problem, options=STANDING)

    def _halve(self, background: list[Wish], wishes: list[Wish], *, is_new: bool) -> list[Wish]:
        """The wishes of a smallest set that lie outside the background. is_new: it has grown."""
        if self._left <= 0:
            return wishes
        if is_new and not self.keeps(background):
            return []
        if len(wishes) == 1:
            return wishes
        middle = len(wishes) // 2
        first, second = wishes[:middle], wishes[middle:]
        of_second = self._halve([*background, *first], second, is_new=True)
        of_first = self._halve([*background, *of_second], first, is_new=bool(of_second))
        return [*of_first, *of_second]

    def _active(self, wishes: Sequence[Wish]) -> list[Wish]:
        """The wishes that press on the answer when all are asked: broken, priced or at their end."""
        answer = self._solve(wishes, 1.0)
        return [wish for wish in wishes if _presses(self._problem, answer, wish)]


def _presses(problem: Problems, answer: Solutions, wish: Wish) -> bool:
    kind, at = wish
    if kind in OF_ROWS:
        return bool(answer.row_multiplier[at] != 0.0)
    if kind not in OF_NAMES:
        return True
    weight = float(answer.weight[at])
    end = {
        WishKind.WEIGHT_MIN: problem.weight_min, WishKind.WEIGHT_MAX: problem.weight_max,
    }.get(kind, problem.held)  # fmt: skip
    return abs(weight - float(end[at])) < 1e-7 or excess_of(problem, answer, wish) > 0.0


def _needed(market: Market, problem: Problems, chosen: Sequence[Wish], wish: Wish) -> float:
    """By how much the wish gives way when it alone does; NaN where the others are still not kept.

    The least price of risk that keeps the limits of tracking error among the others is searched for:
    the more risk costs, the further the wish gives way.
    """
    others = [one for one in chosen if one != wish]
    asked = yielding(problem, wish, others)
    row = int(problem.rows_from[account_of(problem, wish) + 1])
    n_added = len(asked.row_kind) - len(problem.row_kind)  # a wish that is a row stands as one more
    shifted = [
        one._replace(at=one.at + n_added) if one.kind in OF_ROWS and one.at >= row else one for one in others
    ]
    limits = asked._replace(te_max=problem.te_max)

    def solved(log_price: float) -> tuple[bool, float]:
        priced = asked._replace(risk_price=np.full(asked.n_accounts, math.exp(log_price)))
        answer = solve_one(market, priced, options=STANDING)
        kept = all(excess_of(limits, answer, one) == 0.0 for one in shifted)
        kept = kept and bool(np.all(answer.cash_after >= cash_floor(problem) - CASH_EXCESS_MIN))
        return kept, amount_needed(problem, answer, wish)

    tried = [solved(math.log(risk_price)) for risk_price in _RISK_PRICES]
    least = min((needed for kept, needed in tried if kept), default=math.nan)
    if not math.isnan(least) or all(one.kind != WishKind.TE_MAX for one in others):
        return least
    low, high = 0.0, math.log(_RISK_PRICE_MOST)
    kept, needed = solved(high)
    if not kept:
        return math.nan
    while high - low > _PRICE_PRECISION:
        middle = (low + high) / 2
        kept, amount = solved(middle)
        low, high, needed = (low, middle, amount) if kept else (middle, high, needed)
    return needed


def _priced(
    market: Market,
    problem: Problems,
    answer: Solutions,
    chosen: Sequence[Wish],
    needs: Sequence[float],
    options: SolveOptions,
) -> tuple[Member, ...]:
    """The wishes of a set with what each needs, and what going without it would save."""
    share = problem.value_usd / problem.value_usd.sum()
    members = []
    for wish, needed in zip(chosen, needs, strict=True):
        freed = solve_one(market, lifted(problem, [wish]), options=options)
        saved = float(share @ (answer.objective - freed.objective))
        price = price_of(problem, wish, options)
        members.append(
            Member(wish=wish, needed=needed, saved=saved if saved != saved else max(0.0, saved), price=price)
        )
    return tuple(members)
