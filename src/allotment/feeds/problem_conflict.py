"""Conflicts between the wishes of a problem folder, by the keys of its files."""

from __future__ import annotations

from typing import Any

from allotment.feeds.problem_columns import ProblemColumns
from allotment.feeds.problem_folder import ProblemFolder
from allotment.optimize.conflict import Conflict
from allotment.optimize.wish import OF_NAMES, OF_ROWS, Wish, WishKind
from allotment.rebalance.conflict_text import tell_conflict

_KEYS = {
    WishKind.NO_BUY: "buy",
    WishKind.NO_SELL: "sell",
    WishKind.KEPT_LOTS: "lots.sell",
    WishKind.WEIGHT_MIN: "weight_min",
    WishKind.WEIGHT_MAX: "weight_max",
    WishKind.TRADE_MIN: "trading.trade_usd_min",
    WishKind.HOLDING_MIN: "trading.holding_usd_min",
    WishKind.CASH_MIN: "account.cash_min",
    WishKind.CASH_MAX: "account.cash_max",
    WishKind.TE_MAX: "risk.te_max",
}


def told_conflict(given: ProblemFolder, columns: ProblemColumns, conflict: Conflict) -> dict[str, Any]:
    """One conflict for summary.json: what it is made of, how sure it is, and the same in sentences."""
    return {
        "constraints": [
            {
                "constraint": _key(given, columns, member.wish),
                "end": {WishKind.ROW_MIN: "min", WishKind.ROW_MAX: "max"}.get(member.wish.kind),
                "needed": member.needed,
                "saved": member.saved,
                "price": member.price,
            }
            for member in conflict.members
        ],
        "can_be_kept": conflict.can_be_kept,
        "smallest": conflict.is_smallest,
        "proven": conflict.is_proven,
        "told": list(tell_conflict(columns.problem, conflict, given.assets.symbols, columns.row_names)),
    }


def _key(given: ProblemFolder, columns: ProblemColumns, wish: Wish) -> str:
    if wish.kind in OF_ROWS:
        return columns.row_names[wish.at]
    if wish.kind in OF_NAMES:
        return f"{_KEYS[wish.kind]} {given.assets.symbols[wish.at]}"
    return _KEYS[wish.kind]
