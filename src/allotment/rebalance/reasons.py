"""The reasons of one account's decision as columns to be stored and told; in dollars, no words.

What each figure means, and how they add up: `optimize.reasons` and docs/concepts/reasons.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from allotment.optimize.reasons import Reasons
from allotment.optimize.why_not import Rule
from allotment.units import Codes, Dates, Floats, Index, Ints

_Columns = TypeVar("_Columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeReasons:
    """Why each name was traded; columns of shape (n_names,), ascending by security.

    The changes from doing nothing, in dollars, negative when good: `tax`, `cost`, `wash`, `tilt`,
    `limit` and `risk` are what the trade changes in the objective.
    """

    security_id: Ints
    tax_usd: Floats  # of lots and year
    cost_usd: Floats  # spread, impact, ticket and closed lots
    wash_usd: Floats
    tilt_usd: Floats
    limit_usd: Floats  # price of lying outside the name's limits
    risk_usd: Floats  # its part of the change in κ/2 × TE²
    specific_usd: Floats  # of that: the name's own risk
    factor: Index  # number of the factor that speaks most for the trade, −1 when none does
    factor_usd: Floats  # its push, at the answer's prices
    cash_usd: Floats  # push of the price of cash
    row_usd: Floats  # push of the prices of limits on sums of names
    worth_usd: Floats  # what not trading it would cost, at the answer's prices
    other: Codes  # optimize.alternatives.Other: the cheapest way other than this trade
    other_usd: Floats  # its extra cost
    at_least_usd: Floats  # no plan without this sale, or purchase, costs less than so much more


@dataclass(frozen=True, slots=True, kw_only=True)
class Untraded:
    """Names that a person would ask about, and why they were left; columns of shape (n_asked,)."""

    security_id: Ints
    question: Codes  # optimize.why_not.Question
    rule: Codes  # optimize.why_not.Rule
    weight: Floats  # of what was asked for, fraction of account value
    brings_usd: Floats  # what the trade would bring: net without a rule that forbids it, else gross
    against_usd: Floats  # what it would cost in all, most of it by the rule; NaN where a rule forbids it
    until: Dates  # last day on which the rule forbids it, NaT when not known


def trade_reasons(reasons: Reasons, member: int, value_usd: float, security_ids: Ints) -> TradeReasons:
    """The reasons of the names traded in account number `member` of a decision.

    value_usd: of the account; security_ids: (n,), of its names, ascending.
    """
    mine = reasons.decision.names_of(member)
    traded = np.flatnonzero(reasons.decision.traded[mine] > 0.0)
    i = traded + mine.start
    names, pushes, others = reasons.terms.names, reasons.pushes, reasons.alternatives
    factor, push = _strongest_factor(pushes.factors[i])
    columns = {
        "tax_usd": names.tax_short + names.tax_long + names.year,
        "cost_usd": names.half_spread + names.impact + names.ticket + names.lot_charge,
        "wash_usd": names.wash,
        "tilt_usd": names.utility,
        "limit_usd": names.limit,
        "risk_usd": names.specific + names.factors.sum(axis=1),
        "specific_usd": names.specific,
        "cash_usd": pushes.cash,
        "row_usd": pushes.row + pushes.year,
        "worth_usd": others.hold,
        "other_usd": others.extra,
        "at_least_usd": others.at_least,
    }
    return TradeReasons(
        security_id=security_ids[traded],
        factor=factor,
        factor_usd=push * value_usd,
        other=others.best[i],
        **{name: column[i] * value_usd for name, column in columns.items()},
    )


def _strongest_factor(pushes: Floats) -> tuple[Index, Floats]:
    """The factor whose price pulls each name most towards its trade, and by how much."""
    if pushes.shape[1] == 0:
        return np.full(len(pushes), -1, np.int32), np.zeros(len(pushes))
    factor = np.argmin(pushes, axis=1).astype(np.int32)
    push = pushes[np.arange(len(pushes)), factor]
    return np.where(push < 0.0, factor, -1).astype(np.int32), np.minimum(push, 0.0)


def untraded(
    reasons: Reasons,
    member: int,
    value_usd: float,
    security_ids: Ints,
    no_buy_until: Dates,
    no_loss_sale_until: Dates,
) -> Untraded:
    """Why others of its names were left. The last days on which purchases and loss sales wash: (n,)."""
    mine = reasons.decision.names_of(member)
    asked = reasons.why_not.name
    told = reasons.why_not.take((asked >= mine.start) & (asked < mine.stop))
    name = told.name - mine.start
    unknown = np.full(len(name), np.datetime64("NaT"), "M8[D]")
    until = np.where(told.rule == Rule.OPEN_CLAIM, no_buy_until[name], unknown)
    until = np.where(told.rule == Rule.YOUNG_SHARES, no_loss_sale_until[name], until)
    return Untraded(
        security_id=security_ids[name],
        question=told.question,
        rule=told.rule,
        weight=told.size,
        brings_usd=told.brings * value_usd,
        against_usd=told.against * value_usd,
        until=until.astype("M8[D]"),
    )


def nothing(record: type[_Columns]) -> _Columns:
    """A record of columns with no rows."""
    kinds = {"Index": "i4", "Codes": "i1", "Floats": "f8", "Ints": "i8", "Dates": "M8[D]"}
    declared: Any = record
    return record(**{f.name: np.empty(0, kinds[str(f.type)]) for f in fields(declared)})
