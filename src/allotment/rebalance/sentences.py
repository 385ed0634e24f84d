"""Every sentence about a decision, as a template over recorded facts. Nothing is reckoned here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from allotment.optimize.alternatives import Other
from allotment.optimize.preferences import Wish
from allotment.optimize.reasons import Reason
from allotment.optimize.why_not import Question, Rule

_SMALL_USD = 10.0  # below, cents are shown
_TOLD_USD_MIN = 0.005

WHY = {
    Reason.HARVEST_LOSS: "banks a loss",
    Reason.EXCLUDED: "excluded by the mandate",
    Reason.OVER_LIMIT: "above its limit",
    Reason.REDUCE_OVERWEIGHT: "closer to the index",
    Reason.RAISE_CASH: "cash is needed",
    Reason.REDUCE_UNDERWEIGHT: "closer to the index",
    Reason.INVEST_CASH: "cash to invest",
    Reason.TILT: "the mandate leans that way",
    Reason.REALISE_GAIN: "the gain lowers tax",
    Reason.UNDER_LIMIT: "below its least weight",
    Reason.KEEP_ROW: "keeps a limit on a group",
}
_INSTEAD = {
    Other.HOLD: "doing nothing",
    Other.FEWER_LOTS: "keeping its dearest lot",
    Other.OTHER_SIDE: "the opposite trade",
}
_ASKED = {
    Question.HARVEST: "Its lots at a loss ({weight} of the account) are kept",
    Question.REDUCE: "It stays {weight} of the account above the index",
    Question.INCREASE: "It stays {weight} of the account below the index",
}
_RULES = {
    Rule.NO_SALE: "it may not be sold",
    Rule.LOCKED_LOTS: "its lots may not be sold",
    Rule.NO_PURCHASE: "it may not be bought",
    Rule.YOUNG_SHARES: "shares bought in the last 30 days would wash the loss",
    Rule.OPEN_CLAIM: "a purchase would wash a loss taken in the last 30 days",
    Rule.GROUP: "a substantially identical security is traded the other way",
    Rule.WEIGHT_LIMIT: "its weight limit stands in the way",
    Rule.LOT_ORDER: "its venue would sell other lots first",
    Rule.TRADE_MIN: "the trade would be below the smallest trade",
    Rule.HOLDING_MIN: "what is left would be below the smallest holding",
    Rule.SHARE_STEP: "whole shares are too coarse for it",
    Rule.CHARGES: "ticket and lot charges cost more than it brings",
    Rule.BALANCE: "with the other trades there was no room for it",
}
_AGAINST = {
    Rule.TAX: "tax",
    Rule.RISK: "risk",
    Rule.TRADING_COST: "spread and impact",
    Rule.CASH: "what cash is worth elsewhere",
    Rule.ROW: "a limit on a group",
    Rule.TILT: "what the mandate leans to",
}
WISHES = {
    Wish.TILT: "tilts",
    Wish.EXCLUSION: "exclusions",
    Wish.WEIGHT_LIMIT: "weight limits",
    Wish.NO_PURCHASE: "names that may not be bought",
    Wish.NO_SALE: "names that may not be sold",
    Wish.LOCKED_LOTS: "lots that may not be sold",
    Wish.CASH_BAND: "the cash band",
    Wish.TRACKING_LIMIT: "the limit of tracking error",
    Wish.TRADE_MIN: "the smallest trade",
    Wish.HOLDING_MIN: "the smallest holding",
    Wish.ROW: "a limit on a group",
    Wish.ALL: "all of them together",
}


def usd(amount: float) -> str:
    """Dollars as a person reads them: cents only where they matter."""
    size = abs(amount)
    text = f"{size:,.2f}" if size < _SMALL_USD else f"{size:,.0f}"
    return f"{'-' if amount < 0 else ''}${text}"


def because(
    *,
    tax_usd: float,
    cost_usd: float,
    wash_usd: float,
    tilt_usd: float,
    risk_usd: float,
    factor: str,
) -> str:
    """What a trade changes. `factor`: the name of what speaks most for it among the factors, or ""."""
    parts = []
    if abs(tax_usd) >= _TOLD_USD_MIN:
        parts.append(f"tax {_change(tax_usd)}")
    if abs(risk_usd) >= _TOLD_USD_MIN:
        most = f" (mostly {factor})" if factor and risk_usd < 0 else ""
        parts.append(f"risk {_change(risk_usd)}{most}")
    if abs(tilt_usd) >= _TOLD_USD_MIN:
        parts.append(f"the mandate's tilts {'gain' if tilt_usd < 0 else 'lose'} {usd(abs(tilt_usd))}")
    if wash_usd >= _TOLD_USD_MIN:
        parts.append(f"{usd(wash_usd)} of losses are washed")
    if cost_usd >= _TOLD_USD_MIN:
        parts.append(f"trading costs {usd(cost_usd)}")
    return _sentence(parts) or "Hardly changes anything."


def instead(
    *, worth_usd: float, other: Other, other_usd: float, at_least_usd: float, limit_usd: float = 0.0
) -> str:
    """What doing without a trade would cost. limit_usd: price of the name's limits, negative where the
    trade brings it back to them: a price that keeps them, and nobody pays."""
    if other == Other.NONE or math.isnan(worth_usd):
        return ""
    if limit_usd <= -_TOLD_USD_MIN:
        return "Without it the name would be outside its limits."
    if worth_usd < _TOLD_USD_MIN:
        told = "It balances the other trades; alone it brings nothing"
    else:
        told = f"Without it the account would be {usd(worth_usd)} worse off"
        if math.isfinite(at_least_usd) and at_least_usd >= _TOLD_USD_MIN:
            told += f", at least {usd(at_least_usd)} whatever is traded instead"
    if other != Other.HOLD and _TOLD_USD_MIN <= other_usd < worth_usd:
        told += f"; {_INSTEAD[other]} would cost {usd(other_usd)}"
    return told + "."


def why_not(
    *,
    question: Question,
    rule: Rule,
    weight: float,
    brings_usd: float,
    against_usd: float,
    until: date | None,
    row: str = "",
) -> str:
    """Why a name was left. `row`: the limit on a group that is meant, where it has a name."""
    asked = _ASKED[question].format(weight=f"{weight:.2%}")
    if rule in _AGAINST:
        most = f"the limit {row}" if row else _AGAINST[rule]
        brings = f"bring {usd(brings_usd)}, but " if brings_usd >= _TOLD_USD_MIN else ""
        return f"{asked}: the trade would {brings}cost {usd(against_usd)}, most of it for {most}."
    last = f" (until {until})" if until is not None else ""
    missed = f"; but for that it would bring {usd(brings_usd)}" if brings_usd >= _TOLD_USD_MIN else ""
    return f"{asked}: {_RULES[rule]}{last}{missed}."


def price_of_wish(*, wish: Wish, named: str, price_usd: float, parts: Sequence[tuple[str, float]]) -> str:
    """What a preference costs, and where. `named`: the row or name that it is about, or ""."""
    what = f"{WISHES[wish]} {named}".strip()
    if price_usd < _TOLD_USD_MIN:
        return f"{what[0].upper()}{what[1:]}: no cost today."
    made = [f"{name} {usd(part)}" for name, part in parts if abs(part) >= _TOLD_USD_MIN]
    return f"{what[0].upper()}{what[1:]}: {usd(price_usd)} ({', '.join(made)})."


def _change(amount: float) -> str:
    return f"falls by {usd(-amount)}" if amount < 0 else f"rises by {usd(amount)}"


def _sentence(parts: Sequence[str]) -> str:
    if not parts:
        return ""
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."
