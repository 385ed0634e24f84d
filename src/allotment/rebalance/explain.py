"""A proposal told to a person: sentences made from recorded facts, never composed afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from allotment.optimize.why_not import Question, Rule
from allotment.rebalance import sentences
from allotment.rebalance.proposal import Proposal, ProposalState
from allotment.rebalance.trade_lines import NameTrade, TradeLines
from allotment.units import CENTS_PER_USD

_FLOAT_DUST = 1e-9
# Told where the trades' own lines add up to another tax than that of all together.
_APART_CENTS, _APART = 10 * CENTS_PER_USD, 0.01


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
    trades: Sequence[NameTrade]  # largest value first
    left: tuple[NameLeft, ...]  # losses first, then distances from the index, the largest first


def explain(proposal: Proposal, factor_names: Sequence[str] = ()) -> Explanation:
    """The proposal in sentences and one line per name. factor_names: those of its risk model."""
    trades = TradeLines(proposal, factor_names)
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


def _side(trades: TradeLines, side: str) -> str:
    """What is sold, or bought, in all; "" for nothing."""
    names, value_usd = trades.of_side(side)
    count = "one name" if names == 1 else f"{names} names"
    return f"{side} {_usd(value_usd)} of {count}" if names else ""


def _usd(amount: float) -> str:
    return f"${amount:,.0f}"


def _signed(cents: int) -> str:
    return f"{'-' if cents < 0 else '+'}${abs(cents) / CENTS_PER_USD:,.0f}"
