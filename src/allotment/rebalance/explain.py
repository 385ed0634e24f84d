"""A proposal told to a person: sentences made from recorded facts, never composed afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.alternatives import Other
from allotment.optimize.reasons import Reason
from allotment.optimize.why_not import Question, Rule
from allotment.rebalance import sentences
from allotment.rebalance.proposal import Proposal, ProposalState
from allotment.rebalance.reasons import TradeReasons
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Ints

_FLOAT_DUST = 1e-9
_REASONS = {int(reason): reason for reason in Reason}
_OTHERS = {int(other): other for other in Other}
# Told where the trades' own lines add up to another tax than that of all together.
_APART_CENTS, _APART = 10 * CENTS_PER_USD, 0.01


class Weighed(NamedTuple):
    """What a trade changes, and what doing without it would cost (a row of `TradeReasons`)."""

    tax_usd: float
    cost_usd: float
    wash_usd: float
    tilt_usd: float
    risk_usd: float
    factor: str  # what speaks most for it among the factors; "" for none
    worth_usd: float
    other: Other
    other_usd: float
    at_least_usd: float
    limit_usd: float


class NameTrade(NamedTuple):
    """One name's trade as a person reads it; sales of several lots are one line."""

    security_id: int
    side: str  # "sell" or "buy"
    n_lots: int  # lots sold from, 0 for a purchase
    shares: float
    value_usd: float
    gain_short_usd: float
    gain_long_usd: float
    tax_usd: float  # negative when it saves
    cost_usd: float
    reason: Reason
    why: str
    weighed: Weighed | None  # None where nothing is known
    weight_before: float
    weight_after: float
    weight_index: float

    def record(self) -> dict[str, Any]:
        """The line for a program: names of codes, and a record in the place of `weighed`."""
        weighed = None if self.weighed is None else self.weighed._asdict()
        return self._asdict() | {"reason": self.reason.name.lower(), "weighed": weighed}

    @property
    def because(self) -> str:
        """What the trade changes, as a sentence."""
        one = self.weighed
        if one is None:
            return ""
        return sentences.because(
            tax_usd=one.tax_usd,
            cost_usd=one.cost_usd,
            wash_usd=one.wash_usd,
            tilt_usd=one.tilt_usd,
            risk_usd=one.risk_usd,
            factor=one.factor,
        )

    @property
    def instead(self) -> str:
        """What doing without it would cost, as a sentence."""
        one = self.weighed
        if one is None:
            return ""
        return sentences.instead(
            worth_usd=one.worth_usd,
            other=one.other,
            other_usd=one.other_usd,
            at_least_usd=one.at_least_usd,
            limit_usd=one.limit_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NameLeft:
    """A name that a person would ask about, and why it was not traded."""

    security_id: int
    question: Question
    rule: Rule
    weight: float
    brings_usd: float
    against_usd: float | None
    until: date | None
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is proposed for one account, why, what it costs and what it saves."""

    headline: str
    facts: tuple[str, ...]
    trades: tuple[NameTrade, ...]  # largest value first
    left: tuple[NameLeft, ...]  # losses first, then distances from the index, the largest first


def explain(proposal: Proposal, factor_names: Sequence[str] = ()) -> Explanation:
    """The proposal in sentences and one line per name. factor_names: those of its risk model."""
    trades = _by_name(proposal, factor_names)
    if proposal.state == ProposalState.NOTHING_TO_DO:
        headline = "Nothing is traded: no trade is worth what it costs."
    else:
        sides = [_side(trades, side) for side in ("sell", "buy")]
        told = " and ".join(side for side in sides if side)
        headline = f"{told[:1].upper()}{told[1:]}."
    return Explanation(headline=headline, facts=tuple(_facts(proposal)), trades=trades, left=_left(proposal))


def _facts(p: Proposal) -> list[str]:
    cash_before, cash_after = p.cash_before_cents / CENTS_PER_USD, p.cash_after_cents / CENTS_PER_USD
    facts = [
        f"Tracking error goes from {p.tracking_error_before:.2%} to {p.tracking_error_after:.2%} a year.",
        f"{p.drift_before:.1%} of the account differs from the index, {p.drift_after:.1%} after the trades.",
        f"Cash goes from {_usd(cash_before)} to {_usd(cash_after)}.",
    ]
    if p.cash_band_added > 0.0:
        low, high = (
            weight * p.value_cents / CENTS_PER_USD for weight in (p.cash_weight_min, p.cash_weight_max)
        )
        facts.append(
            "The cash band is narrower than the cheapest share: "
            f"cash from {_usd(low)} to {_usd(high)} counts as inside."
        )
    if p.loss_banked_cents:
        facts.append(f"Losses of {_usd(p.loss_banked_cents / CENTS_PER_USD)} are realised.")
    if p.gain_short_cents or p.gain_long_cents:
        facts.append(
            f"Net of all sales: short-term {_signed(p.gain_short_cents)}, "
            f"long-term {_signed(p.gain_long_cents)}."
        )
    if p.tax_cents:
        facts.append(f"{_tax(p)}.")
    if p.cost_cents:
        facts.append(f"Spreads cost {_usd(p.cost_cents / CENTS_PER_USD)}.")
    if np.isfinite(p.hold_objective) and np.isfinite(p.objective):
        better = (p.hold_objective - p.objective) * p.value_cents / CENTS_PER_USD
        facts.append(f"Risk, tax and cost together are {_usd(better)} better than doing nothing.")
    elif np.isfinite(p.objective):
        facts.append("Doing nothing is no choice: a limit, an exclusion or the cash band would be broken.")
    if np.isfinite(p.gap_bps):
        facts.append(
            f"No other trades of the accounts decided together can be better by more than "
            f"{gap_bps(p.gap_bps)} basis points of their value."
        )
    return facts


def gap_bps(proven: float) -> str:
    """A proven gap in basis points, never rounded down to more than is proven."""
    return f"{math.ceil(max(proven, 0.0) * 100.0 - _FLOAT_DUST) / 100.0:.2f}"


def _tax(p: Proposal) -> str:
    """What the decision counts as tax, and its trades line by line, where the year taxes them otherwise."""
    lines = int(p.trades.tax_cents.sum())
    told = f"As priced for this client, the tax side {_effect(p.tax_cents)}"
    if abs(p.tax_cents - lines) < max(_APART_CENTS, _APART * abs(p.tax_cents)):
        return told
    return f"{told}; at the rates of the last dollar, as the trades below are told, it {_effect(lines)}"


def _effect(cents: int) -> str:
    return f"{'saves' if cents < 0 else 'costs'} {_usd(abs(cents) / CENTS_PER_USD)}"


def _by_name(proposal: Proposal, factor_names: Sequence[str]) -> tuple[NameTrade, ...]:
    t = proposal.trades
    if not len(t):
        return ()
    weighed = _weighed(proposal.reasons, factor_names)
    # The largest lot comes first in its name, and speaks for it.
    order = np.lexsort((-t.value_cents, t.security_id, t.side))
    ends = np.diff(t.security_id[order]) | np.diff(t.side[order])
    starts = np.concatenate([[0], np.flatnonzero(ends) + 1])
    first = order[starts]

    def total(column: Ints, per: int) -> list[float]:
        sums: list[float] = (np.add.reduceat(column[order], starts) / per).tolist()
        return sums

    is_sale = t.side[first] < 0
    gain_short = np.where(t.is_long_term == 0, t.gain_cents, 0)
    securities, codes = t.security_id[first].tolist(), t.reason[first].tolist()
    columns = (
        securities,
        ["sell" if sale else "buy" for sale in is_sale.tolist()],
        np.where(is_sale, np.diff(np.append(starts, len(order))), 0).tolist(),
        total(t.quantity_nano, NANO_PER_SHARE),
        total(t.value_cents, CENTS_PER_USD),
        total(gain_short, CENTS_PER_USD),
        total(t.gain_cents - gain_short, CENTS_PER_USD),
        total(t.tax_cents, CENTS_PER_USD),
        total(t.cost_cents, CENTS_PER_USD),
        [_REASONS[code] for code in codes],
        [sentences.WHY[code] for code in codes],
        [weighed.get(security) for security in securities],
        t.weight_before[first].tolist(),
        t.weight_after[first].tolist(),
        t.weight_index[first].tolist(),
    )
    lines = map(NameTrade._make, zip(*columns, strict=True))
    return tuple(sorted(lines, key=lambda line: -line.value_usd))


def _weighed(reasons: TradeReasons, factor_names: Sequence[str]) -> dict[int, Weighed]:
    """By security."""
    named = {factor: f"factor {factor}" for factor in set(reasons.factor.tolist())}
    named |= dict(enumerate(factor_names)) | {-1: ""}
    columns = (
        *(getattr(reasons, f"{name}_usd").tolist() for name in ("tax", "cost", "wash", "tilt", "risk")),
        [named[factor] for factor in reasons.factor.tolist()],
        reasons.worth_usd.tolist(),
        [_OTHERS[other] for other in reasons.other.tolist()],
        *(getattr(reasons, f"{name}_usd").tolist() for name in ("other", "at_least", "limit")),
    )
    rows = map(Weighed._make, zip(*columns, strict=True))
    return dict(zip(reasons.security_id.tolist(), rows, strict=True))


def _left(proposal: Proposal) -> tuple[NameLeft, ...]:
    u = proposal.untraded
    made = []
    for row, security in enumerate(u.security_id.tolist()):
        against = float(u.against_usd[row])
        facts: dict[str, Any] = {
            "question": Question(int(u.question[row])),
            "rule": Rule(int(u.rule[row])),
            "weight": float(u.weight[row]),
            "brings_usd": float(u.brings_usd[row]),
            "until": None if np.isnat(u.until[row]) else u.until[row].item(),
        }
        sentence = sentences.why_not(**facts, against_usd=against)
        told = None if np.isnan(against) else against
        made.append(NameLeft(security_id=security, **facts, against_usd=told, why_not=sentence))
    return tuple(made)


def _side(trades: tuple[NameTrade, ...], side: str) -> str:
    """What is sold, or bought, in all; "" for nothing."""
    mine = [trade for trade in trades if trade.side == side]
    names = len({trade.security_id for trade in mine})
    count = "one name" if names == 1 else f"{names} names"
    return f"{side} {_usd(sum(trade.value_usd for trade in mine))} of {count}" if mine else ""


def _usd(amount: float) -> str:
    return f"${amount:,.0f}"


def _signed(cents: int) -> str:
    return f"{'-' if cents < 0 else '+'}${abs(cents) / CENTS_PER_USD:,.0f}"
