"""Corporate actions as facts of the market; what they do to lots is law (`tax`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class ActionKind(StrEnum):
    """What a company did to its holders."""

    SPLIT = "split"  # ratio = new shares per old, below one for a reverse split
    CASH_DIVIDEND = "cash_dividend"
    SPECIAL_DIVIDEND = "special_cash_dividend"
    SPIN_OFF = "spin_off"
    STOCK_MERGER = "stock_merger"
    CASH_MERGER = "cash_merger"
    MIXED_MERGER = "mixed_merger"
    SYMBOL_CHANGE = "symbol_change"
    DELISTING = "delisting"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction:
    """One action of one security on its ex-date."""

    security_id: int
    ex_date: date
    kind: ActionKind
    ratio: float = 1.0  # new shares per old (split, merger), child shares per parent share (spin-off)
    amount_usd: float = 0.0  # cash per share held before the action
    other_security_id: int | None = None  # the child, the acquirer, the successor
    value_usd: float = 0.0  # market value distributed per share held (spin-off)
    note: str = ""
