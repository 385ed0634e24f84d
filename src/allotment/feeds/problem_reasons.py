"""reasons.json of ``allotment optimize``: why each name is traded, what wishes cost, and why not the others.

Figures are dollars of the optimiser's answer before its weights become shares. What they mean and how
they add up: docs/concepts/reasons.md; the keys: docs/reference/files/optimize.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allotment.feeds.problem_answer import Answer
from allotment.feeds.problem_columns import OPTIONS
from allotment.optimize.alternatives import Other, measures, row_pushes
from allotment.optimize.preferences import Wish, price_preferences
from allotment.optimize.reasons import Reasons
from allotment.optimize.terms import NameTerms
from allotment.optimize.why_not import Question, Rule
from allotment.optimize.without import cost_without
from allotment.rebalance import sentences

SCHEMA_VERSION = 1
_TERMS = tuple(name for name in NameTerms._fields if name != "factors")
_SHOWN = 3
_SOLVED_AGAIN = 5


def reasons(found: Answer) -> dict[str, Any]:
    """The whole file; without its lists for an account that has nothing to decide."""
    told: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    if found.reasons is None:
        return told
    return told | {
        "trades": _with_solves(found, _trades(found, found.reasons)),
        "shared_usd": _shared(found, found.reasons),
        "untraded": _untraded(found, found.reasons),
        "preferences": _preferences(found) if found.door is None else [],
    }


def largest(found: Answer) -> list[str]:
    """The trades that are worth most, one sentence each."""
    if found.reasons is None:
        return []
    told = _trades(found, found.reasons)
    told.sort(key=lambda one: -one["instead_usd"]["hold"])
    return [f"{one['side']} {one['symbol']}: {one['because']}" for one in told[:_SHOWN]]


def _trades(found: Answer, why: Reasons) -> list[dict[str, Any]]:
    """Per name traded, in the order of assets.csv."""
    d, value = why.decision, float(found.columns.value_usd)
    counted = measures(d)
    made = []
    for i in np.flatnonzero(d.traded > 0.0).tolist():
        names, pushes, others = why.terms.names, why.pushes, why.alternatives
        terms: dict[str, Any] = {name: float(getattr(names, name)[i]) * value for name in _TERMS}
        terms["factors"] = _by_factor(names.factors[i] * value)
        by_row = row_pushes(d, i, float(d.weight[i] - d.problem.held[i]), counted[i]) * value
        rows = zip(found.columns.row_names, by_row.tolist(), strict=True)
        told = {
            "symbol": found.given.assets.symbols[i],
            "side": "sell" if d.sold_of_name[i] >= d.bought[i] else "buy",
            "sold_usd": float(d.sold_of_name[i]) * value,
            "bought_usd": float(d.bought[i]) * value,
            "terms_usd": terms,
            "interaction_usd": float(why.terms.interaction[i]) * value,
            "pushes_usd": {
                "factors": _by_factor(pushes.factors[i] * value),
                "specific": float(pushes.specific[i]) * value,
                "cash": float(pushes.cash[i]) * value,
                "rows": {name: push for name, push in rows if push != 0.0},
            },
            "instead_usd": {
                name: float(getattr(others, name)[i]) * value
                for name in ("hold", "fewer_lots", "other_side", "at_least")
            },
            "next_best": Other(int(others.best[i])).name.lower(),
        }
        made.append(told | _sentences(told, float(others.extra[i]) * value, Other(int(others.best[i]))))
    return made


def _with_solves(found: Answer, trades: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with what the best plan without each of the trades worth most would cost more."""
    columns, value = found.columns, float(found.columns.value_usd)
    if found.door is not None:
        return trades
    most = sorted(trades, key=lambda one: -one["instead_usd"]["hold"])[:_SOLVED_AGAIN]
    names = np.array([found.given.assets.symbols.index(one["symbol"]) for one in most], np.int32)
    without = cost_without(columns.market, columns.problem, found.solution, names, OPTIONS)
    for one, extra in zip(most, without.extra.tolist(), strict=True):
        one["instead_usd"]["solved_again"] = extra * value
    return trades


def _by_factor(values: np.ndarray) -> dict[str, float]:
    return {f"f{f}": float(value) for f, value in enumerate(values)}


def _sentences(told: dict[str, Any], extra_usd: float, best: Other) -> dict[str, str]:
    terms, pushes = told["terms_usd"], told["pushes_usd"]["factors"]
    most = min(pushes, key=lambda factor: pushes[factor], default="")
    costs = ("half_spread", "impact", "ticket", "lot_charge")
    return {
        "because": sentences.because(
            tax_usd=terms["tax_short"] + terms["tax_long"] + terms["year"],
            cost_usd=sum(terms[name] for name in costs),
            wash_usd=terms["wash"],
            tilt_usd=terms["utility"],
            risk_usd=terms["specific"] + sum(terms["factors"].values()),
            factor=most if most and pushes[most] < 0.0 else "",
        ),
        "instead": sentences.instead(
            worth_usd=told["instead_usd"]["hold"],
            other=best,
            other_usd=extra_usd,
            at_least_usd=told["instead_usd"]["at_least"],
        ),
    }


def _shared(found: Answer, why: Reasons) -> dict[str, Any]:
    """What the trades change only together."""
    value, shared = float(found.columns.value_usd), why.terms.shared
    rows = zip(found.columns.row_names, (shared.row * value).tolist(), strict=True)
    return {
        "cash": float(shared.cash[0]) * value,
        "te": float(shared.te[0]) * value,
        "rows": {name: change for name, change in rows if change != 0.0},
    }


def _untraded(found: Answer, why: Reasons) -> list[dict[str, Any]]:
    value, told = float(found.columns.value_usd), why.why_not
    made = []
    for x, i in enumerate(told.name.tolist()):
        question, rule, row = Question(int(told.question[x])), Rule(int(told.rule[x])), int(told.row[x])
        facts: dict[str, Any] = {
            "weight": float(told.size[x]),
            "brings_usd": float(told.brings[x]) * value,
            "against_usd": float(told.against[x]) * value,
            "row": found.columns.row_names[row] if row >= 0 else "",
        }
        made.append(
            {
                "symbol": found.given.assets.symbols[i],
                "question": question.name.lower(),
                "rule": rule.name.lower(),
                **facts,
                "why_not": sentences.why_not(question=question, rule=rule, until=None, **facts),
            }
        )
    return made


def _preferences(found: Answer) -> list[dict[str, Any]]:
    """The price of each wish, the largest first; all of them together at the end."""
    value, columns = float(found.columns.value_usd), found.columns
    prices = price_preferences(columns.market, columns.problem, found.solution, options=OPTIONS)
    last = prices.wish == Wish.ALL
    made = []
    for x in np.lexsort((-prices.price, last)).tolist():
        wish, at = Wish(int(prices.wish[x])), int(prices.at[x])
        named = columns.row_names[at] if wish == Wish.ROW else ""
        parts = [
            (name, float(getattr(prices, name)[x]) * value) for name in ("risk", "tax", "cost", "relaxation")
        ]
        price = float(prices.price[x]) * value
        made.append(
            {
                "wish": wish.name.lower(),
                "row": named,
                "price_usd": price,
                "price_bps": float(prices.price[x]) * 1e4,
                "terms_usd": dict(parts),
                "tracking_error": float(prices.tracking_error[x]),
                "uncertain_bps": float(prices.uncertain[x]) * 1e4,
                "interaction_usd": prices.interaction * value if wish == Wish.ALL else math.nan,
                "told": sentences.price_of_wish(wish=wish, named=named, price_usd=price, parts=parts),
            }
        )
    return made
