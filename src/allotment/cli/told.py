"""A proposal for a program: its figures, and what is told of it name by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allotment.rebalance.explain import Explanation
    from allotment.rebalance.proposal import Proposal

_COLUMNS = ("trades", "reasons", "untraded")  # told name by name


def figures(proposal: Proposal) -> dict[str, Any]:
    """A proposal's figures, without its columns."""
    return {f.name: getattr(proposal, f.name) for f in fields(proposal) if f.name not in _COLUMNS}


def in_words(told: Explanation, codes: Mapping[int, str]) -> dict[str, Any]:
    """The sentences, and the names traded and left. codes: security id -> code."""
    trades = [trade.record() | {"security": codes[trade.security_id]} for trade in told.trades]
    left = [
        asdict(name)
        | {"security": codes[name.security_id]}
        | {"question": name.question.name.lower(), "rule": name.rule.name.lower()}
        for name in told.left
    ]
    return {"headline": told.headline, "facts": told.facts, "trades": trades, "left": left}
