"""A problem in which one wish gives way as little as it must, and all others stand."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from allotment.optimize.problem import Problems, RowKind, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.optimize.wish import Wish, WishKind, account_of, costless, lifted, wishes_of
from allotment.units import Ints

# Far below what the others cost, far above risk at κ = 1.
_PRICE = 1.0
_OTHERS_PRICE = 100.0
STANDING = SolveOptions(gap_bps=0.0, solves_max=20, cash_price=_OTHERS_PRICE, limit_price=_OTHERS_PRICE)


def yielding(problem: Problems, wish: Wish, others: Collection[Wish]) -> Problems:
    """A batch of one problem that asks for the other wishes dearly and for this one cheaply.

    Limits of tracking error are left to the price of risk. A ban that gives way costs what is bought
    or sold against it; a size gives way altogether.
    """
    kept = {one for one in others if one != wish and one.kind != WishKind.TE_MAX}
    base = lifted(costless(problem), [one for one in wishes_of(problem) if one not in kept])
    base = base._replace(row_price=np.where(base.row_price > 0.0, _OTHERS_PRICE, 0.0))
    kind, at = wish
    a = account_of(problem, wish)
    if kind == WishKind.NO_BUY:
        return base._replace(half_spread=_raised(base.half_spread, np.array([at])))
    if kind in {WishKind.NO_SELL, WishKind.KEPT_LOTS}:
        lots = np.arange(problem.lots_from[at], problem.lots_from[at + 1])
        kept_back = (
            ~problem.lot_sellable[lots] if kind == WishKind.KEPT_LOTS else np.ones(len(lots), np.bool_)
        )
        return base._replace(lot_tax=_raised(base.lot_tax, lots[kept_back]))
    first = int(problem.names_from[a])
    if kind in {WishKind.CASH_MIN, WishKind.CASH_MAX}:
        names = np.arange(int(problem.names_from[a + 1]) - first, dtype=np.int32)
        whole = float(problem.held[first : first + len(names)].sum() + problem.cash[a])
        most = whole - float(problem.cash_min[a]) if kind == WishKind.CASH_MIN else math.inf
        least = whole - float(problem.cash_max[a]) if kind == WishKind.CASH_MAX else -math.inf
        return _with_row(base, a, RowKind.LINEAR, least, most, names, np.ones(len(names)))
    if kind in {WishKind.WEIGHT_MIN, WishKind.WEIGHT_MAX}:
        least = float(problem.weight_min[at]) if kind == WishKind.WEIGHT_MIN else -math.inf
        most = float(problem.weight_max[at]) if kind == WishKind.WEIGHT_MAX else math.inf
        return _with_row(base, a, RowKind.LINEAR, least, most, np.array([at - first], np.int32), np.ones(1))
    if kind in {WishKind.ROW_MIN, WishKind.ROW_MAX}:
        least = float(problem.row_lower[at]) if kind == WishKind.ROW_MIN else -math.inf
        most = float(problem.row_upper[at]) if kind == WishKind.ROW_MAX else math.inf
        entries = slice(int(problem.entries_from[at]), int(problem.entries_from[at + 1]))
        names, coefficients = problem.entry_name[entries], problem.entry_coefficient[entries]
        row_kind, is_joint = RowKind(int(base.row_kind[at])), bool(problem.row_joint[at])
        return _with_row(base, a, row_kind, least, most, names, coefficients, is_joint=is_joint)
    return base


def amount_needed(problem: Problems, answer: Solutions, wish: Wish) -> float:
    """How far the wish gives way in an answer to `yielding`; NaN for sizes, of which none is measured.

    Units: weight (of bans: bought or sold against it); of a row what it sums; half variance.
    """
    kind, at = wish
    if kind == WishKind.NO_BUY:
        return float(answer.bought[at])
    if kind in {WishKind.NO_SELL, WishKind.KEPT_LOTS}:
        lots = slice(int(problem.lots_from[at]), int(problem.lots_from[at + 1]))
        counted = ~problem.lot_sellable[lots] if kind == WishKind.KEPT_LOTS else np.ones(1, np.bool_)
        return float((answer.sold[lots] * counted).sum())
    if kind == WishKind.CASH_MIN:
        return max(0.0, float(problem.cash_min[at] - answer.cash_after[at]))
    if kind == WishKind.CASH_MAX:
        return max(0.0, float(answer.cash_after[at] - problem.cash_max[at]))
    if kind == WishKind.WEIGHT_MIN:
        return max(0.0, float(problem.weight_min[at] - answer.weight[at]))
    if kind == WishKind.WEIGHT_MAX:
        return max(0.0, float(answer.weight[at] - problem.weight_max[at]))
    if kind == WishKind.TE_MAX:
        return max(0.0, float(answer.tracking_error[at] ** 2 - problem.te_max[at] ** 2) / 2)
    if kind in {WishKind.TRADE_MIN, WishKind.HOLDING_MIN}:
        return math.nan
    # The row that gives way stands last among those of its account.
    value = float(answer.row_value[int(problem.rows_from[account_of(problem, wish) + 1])])
    end = problem.row_upper[at] - value if kind == WishKind.ROW_MAX else value - problem.row_lower[at]
    return max(0.0, -float(end))


def _raised(costs: np.ndarray, places: Ints) -> np.ndarray:
    made = costs.copy()
    made[places] = _PRICE
    return made


def _with_row(
    problem: Problems,
    a: int,
    kind: RowKind,
    lower: float,
    upper: float,
    names: np.ndarray,
    coefficients: np.ndarray,
    *,
    is_joint: bool = False,
) -> Problems:
    """The problem with one more row at the end of those of account a, at the low price."""
    at = int(problem.rows_from[a + 1])
    entry = int(problem.entries_from[at])
    rows_from = problem.rows_from + (np.arange(problem.n_accounts + 1) > a)
    ends = np.insert(problem.entries_from, at + 1, entry + len(names))
    ends[at + 2 :] += len(names)
    row = {
        "row_kind": kind, "row_joint": is_joint, "row_lower": lower, "row_upper": upper, "row_price": _PRICE,
    }  # fmt: skip
    columns = {column: np.insert(getattr(problem, column), at, value) for column, value in row.items()}
    return problem._replace(
        **columns,
        rows_from=rows_from,
        entries_from=ends,
        entry_name=np.insert(problem.entry_name, entry, names),
        entry_coefficient=np.insert(problem.entry_coefficient, entry, coefficients),
    )
