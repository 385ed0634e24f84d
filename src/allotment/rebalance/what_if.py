"""What would be proposed for one account if its mandate, cash or lots were otherwise.

The account is decided as it stands and as it would be, by the same function as in a run; the
second decision starts from the first one's multipliers. The other accounts of its household
count with what they hold and did, not with what they would do today.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.errors import DataError, UsageError
from allotment.optimize.frontier import POINTS, Frontier, frontier
from allotment.optimize.modes import Purpose
from allotment.optimize.problem import Market, Problems
from allotment.optimize.solution import Solutions
from allotment.optimize.solve import solve_batch, solve_one
from allotment.rebalance.case import AccountCase, CostPolicy, prepare
from allotment.rebalance.decide import Versions
from allotment.rebalance.household import Outcome, Undecided, market_arrays, outcomes
from allotment.rebalance.joint import Joint, Sales
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.year_so_far import YearSoFar
from allotment.units import CENTS_PER_USD, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is asked to be otherwise; what is None or empty stays as it is."""

    exclude: tuple[str, ...] = ()  # codes of securities, sectors, industries, value flags
    allow: tuple[str, ...] = ()  # the same, no longer excluded or restricted
    tilts: tuple[Tilt, ...] = ()  # in place of the mandate's tilts of the same scores
    risk_price: float | None = None
    loss_value: float | None = None
    basis_value: float | None = None
    cash_weight_min: float | None = None  # the upper end of the band moves along
    name_active_max: float | None = None
    trade_usd_min: float | None = None
    te_max: float | None = None  # annual
    cash_usd: float = 0.0  # paid in; negative: taken out before trading
    without: tuple[str, ...] = ()  # codes of securities whose lots leave the account, as by a gift
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided of one account, what there is to look at in it, and where its solve ended."""

    outcome: Outcome
    remarks: tuple[str, ...]
    multipliers: Floats  # (k+1,) factor prices, then the cash price
    sales: Sales

    @property
    def figures(self) -> Proposal:
        """The proposal without its reasons, worked out when it is asked for."""
        return self.outcome.figures

    @property
    def proposal(self) -> Proposal:
        """The proposal with its reasons, which are weighed when they are asked for."""
        return self.outcome.proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The account's proposal as it stands, and as it would be."""

    before: Decided
    after: Decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure before and after the change."""

    name: str
    unit: str  # "fraction", "usd", "bps" or "count"
    before: float
    after: float


_Screen = Literal["excluded_sectors", "excluded_industries", "excluded_flags"]
_PLAIN = ("risk_price", "loss_value", "basis_value", "name_active_max", "trade_usd_min")


def changed(case: AccountCase, change: Change, market: MarketSnapshot) -> AccountCase:
    """The account as it would be.

    Raises UsageError for a word that is no security, sector, industry or flag, for figures that are
    no numbers or below zero, and when more cash is taken out than there is.
    """
    mandate = _excluded(_allowed(case.mandate, change.allow, market), change.exclude, market)
    figures: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(change, name)) is not None}
    if change.cash_weight_min is not None:
        width = mandate.cash_weight_max - mandate.cash_weight_min
        figures |= {
            "cash_weight_min": change.cash_weight_min,
            "cash_weight_max": change.cash_weight_min + width,
        }
    for name, value in (figures | {"te_max": change.te_max or 0.0, "cash_usd": abs(change.cash_usd)}).items():
        if not (math.isfinite(value) and value >= 0.0):
            raise UsageError(f"{name} {value} is no number of zero or more.")
    kept = tuple(one for one in mandate.tilts if one.score not in {tilt.score for tilt in change.tilts})
    mandate = replace(mandate, tilts=kept + change.tilts, **figures)
    cash_cents = case.cash_cents + round(change.cash_usd * CENTS_PER_USD)
    if change.cash_usd < 0.0 and cash_cents < 0:
        raise UsageError(
            f"the account has ${case.cash_cents / CENTS_PER_USD:,.2f} of cash; to pay out more, ask for the "
            "mode raise_cash."
        )
    lots = case.lots
    if change.without:
        lots = lots.take(~np.isin(lots.security_id, [_security(code, market) for code in change.without]))
    return replace(
        case,
        mandate=mandate,
        cash_cents=cash_cents,
        lots=lots,
        te_max=case.te_max if change.te_max is None else change.te_max,
        purpose=change.purpose or case.purpose,
    )


def decide_alone(
    case: AccountCase,
    market: MarketSnapshot,
    costs: CostPolicy,
    versions: Versions,
    year: YearSoFar,
    near: Decided | None = None,
) -> Decided:
    """The account's proposal, its household holding still.

    year: what the taxpayers have realised; it is left as it is. near: how it was decided when little
    was otherwise: its multipliers are where the search starts; taxed by its year it is so again, and also
    where its sales would now be taxed wrongly lot by lot. Raises DataError when the account cannot be
    decided.
    """
    start = near.multipliers if near is not None and np.isfinite(near.multipliers).all() else None
    ends: list[tuple[Floats, Sales]] = []

    def solve(arrays: Market, problems: Problems) -> Solutions:
        answer = solve_batch(arrays, problems, start=start)
        multipliers = np.append(answer.factor_price[0], answer.cash_price[0])
        weight = problems.lot_weight
        share = np.divide(answer.sold, weight, out=np.zeros(len(weight)), where=weight > 0.0)
        ends.append((multipliers, Sales(share, len(problems.regime_constant) > 0)))
        return answer

    exceptions: list[Undecided] = []
    before = None if near is None else near.sales
    made = list(outcomes([case], market, costs, versions, year.copy(), solve, exceptions, before))
    remarks = tuple(one.message for one in exceptions)
    if not made:
        raise DataError(" ".join(remarks))
    multipliers, sales = ends[-1]
    return Decided(outcome=made[0], remarks=remarks, multipliers=multipliers, sales=sales)


def what_if(
    before: Decided,
    case: AccountCase,
    change: Change,
    market: MarketSnapshot,
    costs: CostPolicy,
    versions: Versions,
    year: YearSoFar,
) -> WhatIf:
    """The account decided again after a change. before: how it is decided as it stands.

    Where it is netted by its taxpayer's year as it stands, it is so after the change: both are told by
    the same tax. It is netted at once where the change makes the sales of before wrong lot by lot.
    """
    after = decide_alone(changed(case, change, market), market, costs, versions, year, before)
    return WhatIf(before=before, after=after)


def account_frontier(
    case: AccountCase, market: MarketSnapshot, costs: CostPolicy, year: YearSoFar, points: int = POINTS
) -> Frontier:
    """Tax and cost against tracking error for the account, its household holding still.

    Netted by the taxpayer's year where a decision would be. Raises DataError when the account cannot
    be decided.
    """
    joint = Joint([prepare(case, market, costs)])
    arrays, problem = market_arrays(market), joint.problem()
    answer = solve_one(arrays, problem)
    regimes = joint.by_its_year(problem, answer.sold, year, costs.year_bps_min)
    if regimes is not None:
        problem = Joint(joint.accounts, regimes).problem()
    found = frontier(arrays, problem, points=points)
    if found is None:
        raise DataError(
            f"account {case.account.code} cannot be decided; "
            f"`allotment what-if {case.account.code}` says why."
        )
    return found


def compare(found: WhatIf) -> tuple[Line, ...]:
    """What a person compares: risk, tax, cost, trades and the proven gap, before and after."""
    one, other = found.before.figures, found.after.figures

    def line(name: str, unit: str, figure: str, per: float = 1.0) -> Line:
        return Line(
            name=name, unit=unit, before=getattr(one, figure) / per, after=getattr(other, figure) / per
        )

    return (
        line("tracking_error", "fraction", "tracking_error_after"),
        line("active_share", "fraction", "drift_after"),
        line("tax", "usd", "tax_cents", CENTS_PER_USD),
        line("tax_this_year_saved", "usd", "tax_this_year_saved_cents", CENTS_PER_USD),
        line("losses_banked", "usd", "loss_banked_cents", CENTS_PER_USD),
        line("gain_short", "usd", "gain_short_cents", CENTS_PER_USD),
        line("gain_long", "usd", "gain_long_cents", CENTS_PER_USD),
        line("trading_cost", "usd", "cost_cents", CENTS_PER_USD),
        line("turnover", "fraction", "turnover"),
        Line(name="trades", unit="count", before=float(len(one.trades)), after=float(len(other.trades))),
        line("names", "count", "n_names_after"),
        line("cash", "usd", "cash_after_cents", CENTS_PER_USD),
        line("gap", "bps", "gap_bps"),
    )


def _excluded(mandate: Mandate, words: Iterable[str], market: MarketSnapshot) -> Mandate:
    for word in words:
        screen = _screen_of(word, market)
        if screen is None:
            mine = _security(word, market)
            ban = Restriction(mine, RestrictionKind.EXCLUDE)
            mandate = replace(mandate, restrictions=(*_without(mandate, mine), ban))
        else:
            mandate = _with_screen(mandate, screen, (*_listed(mandate, screen), word))
    return mandate


def _allowed(mandate: Mandate, words: Iterable[str], market: MarketSnapshot) -> Mandate:
    for word in words:
        screen = _screen_of(word, market)
        if screen is None:
            mandate = replace(mandate, restrictions=_without(mandate, _security(word, market)))
        else:
            left = tuple(one for one in _listed(mandate, screen) if one != word)
            mandate = _with_screen(mandate, screen, left)
    return mandate


def _without(mandate: Mandate, security_id: int) -> tuple[Restriction, ...]:
    return tuple(one for one in mandate.restrictions if one.security_id != security_id)


def _listed(mandate: Mandate, screen: _Screen) -> tuple[str, ...]:
    listed: tuple[str, ...] = getattr(mandate, screen)
    return listed


def _with_screen(mandate: Mandate, screen: _Screen, words: tuple[str, ...]) -> Mandate:
    if screen == "excluded_sectors":
        return replace(mandate, excluded_sectors=words)
    if screen == "excluded_industries":
        return replace(mandate, excluded_industries=words)
    return replace(mandate, excluded_flags=words)


def _screen_of(word: str, market: MarketSnapshot) -> _Screen | None:
    """The list of the mandate that a word belongs to; None for what can only be a security's code."""
    if any(one.code == word for one in market.securities):
        return None
    if any(one.sector == word for one in market.securities):
        return "excluded_sectors"
    if any(one.industry == word for one in market.securities):
        return "excluded_industries"
    return "excluded_flags" if word in market.flags else None


def _security(code: str, market: MarketSnapshot) -> int:
    for one in market.securities:
        if one.code == code:
            return one.security_id
    words = {one.code for one in market.securities} | {one.sector for one in market.securities}
    words |= {one.industry for one in market.securities} | set(market.flags)
    near = difflib.get_close_matches(code, sorted(words - {""}), n=5, cutoff=0.5)
    hint = f" Near it: {', '.join(near)}." if near else ""
    raise UsageError(f"{code!r} is no security, sector, industry or value flag of the market.{hint}")
