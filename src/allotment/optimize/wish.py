"""What an account wants beside the law, wish by wish, and problems that ask for some wishes only.

A wish is one end of a band or row, a limit or ban of one name, a limit of risk, a smallest size.
The law, the lots, blocked purchases, barred losses, the venue's order and its share steps are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.optimize.offsets import owners
from allotment.optimize.problem import Problems, RowKind, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.units import Floats


class WishKind(IntEnum):
    """Which wish; those of the first levels of the hierarchy first."""

    NO_BUY = 0
    NO_SELL = 1
    KEPT_LOTS = 2  # the lots of a name that may not be sold
    WEIGHT_MIN = 3
    WEIGHT_MAX = 4
    TRADE_MIN = 5
    HOLDING_MIN = 6
    CASH_MIN = 7
    CASH_MAX = 8
    ROW_MIN = 9
    ROW_MAX = 10
    TE_MAX = 11


class Wish(NamedTuple):
    """One wish of a batch of one problem."""

    kind: WishKind
    at: int  # position of its name (the first five kinds), row (ROW_MIN, ROW_MAX) or account


OF_NAMES = frozenset(
    {WishKind.NO_BUY, WishKind.NO_SELL, WishKind.KEPT_LOTS, WishKind.WEIGHT_MIN, WishKind.WEIGHT_MAX}
)
OF_ROWS = frozenset({WishKind.ROW_MIN, WishKind.ROW_MAX})
# An excess below these is rounding of floats or of the smallest steps.
CASH_EXCESS_MIN = 1e-8
_WEIGHT_EXCESS_MIN = 1e-8
_ROW_EXCESS_MIN = 1e-7
_TE_EXCESS_MIN = 1e-6  # of the limit
_CHECK_PRICE = 10.0  # of a row while wishes are checked, against risk at κ = 1 alone


def wishes_of(problem: Problems) -> tuple[Wish, ...]:
    """The wishes of a batch of one problem that can matter, in the order of `WishKind`.

    Rows that cost nothing to break are none.
    """
    name_of_lot = owners(problem.lots_from)
    kept_lots = np.unique(name_of_lot[~problem.lot_sellable & (problem.lot_weight > 0.0)])
    has_price = problem.row_price > 0.0
    places = {
        WishKind.NO_BUY: np.flatnonzero(~problem.may_buy),
        WishKind.NO_SELL: np.flatnonzero(~problem.may_sell & (problem.held > 0.0)),
        WishKind.KEPT_LOTS: kept_lots,
        WishKind.WEIGHT_MIN: np.flatnonzero(problem.weight_min > 0.0),
        WishKind.WEIGHT_MAX: np.flatnonzero(problem.weight_max < 1.0),
        WishKind.TRADE_MIN: np.flatnonzero(problem.trade_min > 0.0),
        WishKind.HOLDING_MIN: np.flatnonzero(problem.holding_min > 0.0),
        WishKind.CASH_MIN: np.arange(problem.n_accounts),
        WishKind.CASH_MAX: np.arange(problem.n_accounts),
        WishKind.ROW_MIN: np.flatnonzero(has_price & np.isfinite(problem.row_lower)),
        WishKind.ROW_MAX: np.flatnonzero(has_price & np.isfinite(problem.row_upper)),
        WishKind.TE_MAX: np.flatnonzero(np.isfinite(problem.te_max)),
    }
    return tuple(Wish(kind, int(at)) for kind, ats in places.items() for at in ats)


def price_of(problem: Problems, wish: Wish, options: SolveOptions) -> float:
    """What a unit of breaking the wish costs; infinite for what the optimiser never breaks."""
    if wish.kind in OF_ROWS:
        return float(problem.row_price[wish.at])
    prices = {
        WishKind.WEIGHT_MIN: options.limit_price,
        WishKind.WEIGHT_MAX: options.limit_price,
        WishKind.CASH_MIN: options.cash_price,
        WishKind.CASH_MAX: options.cash_price,
        WishKind.TE_MAX: options.te_price,
    }
    return prices.get(wish.kind, math.inf)


def cash_floor(problem: Problems) -> Floats:
    """Below which cash never goes, per account: a custodian does not lend more than it has."""
    return np.minimum(np.minimum(problem.cash, problem.cash_min), 0.0)


def lifted(problem: Problems, wishes: Iterable[Wish]) -> Problems:
    """The problem without these wishes."""
    places: dict[WishKind, list[int]] = {kind: [] for kind in WishKind}
    for wish in wishes:
        places[wish.kind].append(wish.at)
    at = {kind: np.array(ats, np.int64) for kind, ats in places.items()}
    # More than selling all or buying all at once could need.
    room = 10.0 * (1.0 + float(np.abs(problem.cash).max()) + float(problem.held.sum()))
    no_row = np.intersect1d(
        np.concatenate([at[WishKind.ROW_MIN], np.flatnonzero(problem.row_lower == -np.inf)]),
        np.concatenate([at[WishKind.ROW_MAX], np.flatnonzero(problem.row_upper == np.inf)]),
    )
    ends = {kind: np.setdiff1d(at[kind], no_row) for kind in (WishKind.ROW_MIN, WishKind.ROW_MAX)}
    name_of_lot = owners(problem.lots_from)
    columns = {
        "may_buy": (at[WishKind.NO_BUY], True),
        "may_sell": (at[WishKind.NO_SELL], True),
        "lot_sellable": (np.flatnonzero(np.isin(name_of_lot, at[WishKind.KEPT_LOTS])), True),
        "weight_min": (at[WishKind.WEIGHT_MIN], 0.0),
        "weight_max": (at[WishKind.WEIGHT_MAX], room),
        "trade_min": (at[WishKind.TRADE_MIN], 0.0),
        "holding_min": (at[WishKind.HOLDING_MIN], 0.0),
        "cash_min": (at[WishKind.CASH_MIN], cash_floor(problem)[at[WishKind.CASH_MIN]]),
        "cash_max": (at[WishKind.CASH_MAX], room),
        "row_lower": (ends[WishKind.ROW_MIN], -np.inf),
        "row_upper": (ends[WishKind.ROW_MAX], np.inf),
        "row_price": (no_row, 0.0),  # a row without ends is one that costs nothing
        "te_max": (at[WishKind.TE_MAX], np.inf),
    }
    made = {}
    for column, (places_in, value) in columns.items():
        if len(places_in):
            made[column] = getattr(problem, column).copy()
            made[column][places_in] = value
    return problem._replace(**made)


def costless(problem: Problems) -> Problems:
    """The problem with nothing to pay but risk at κ = 1: what remains is whether wishes can be kept.

    Rows of tax count it as gain, so that lots cost nothing. Beside rows of gain they cannot: there the
    tax of the trades stays in the way, and the search can miss trades that keep all wishes.
    """
    is_priced = problem.row_price > 0.0
    is_tax = is_priced & (problem.row_kind == RowKind.TAX)
    is_gain = is_priced & np.isin(problem.row_kind, (RowKind.GAIN_SHORT, RowKind.GAIN_LONG, RowKind.GAIN))
    counts_gain = bool(is_gain.any())
    taxed = bool(is_tax.any()) and counts_gain
    gone = ("half_spread", "impact", "utility", "ticket_charge", "lot_charge")
    columns = {column: np.zeros_like(getattr(problem, column)) for column in gone}
    regimes = ("regime_constant", "regime_short_rate", "regime_long_rate", "regime_lower", "regime_upper")
    columns |= {column: getattr(problem, column)[:0] for column in regimes}
    for column in ("claim_cost", "young_cost"):
        cost = getattr(problem, column)
        columns[column] = np.where(np.isinf(cost), cost, 0.0)
    return problem._replace(
        **columns,
        regimes_from=np.zeros_like(problem.regimes_from),
        lot_tax=problem.lot_tax if taxed else np.zeros_like(problem.lot_tax),
        lot_gain=problem.lot_gain if counts_gain else problem.lot_tax,
        row_kind=problem.row_kind
        if counts_gain
        else np.where(is_tax, np.int8(RowKind.GAIN), problem.row_kind),
        risk_price=np.ones(problem.n_accounts),
        row_price=np.where(problem.row_price > 0.0, _CHECK_PRICE, 0.0),
    )


def excess_of(problem: Problems, answer: Solutions, wish: Wish) -> float:
    """By how much an answer to the problem breaks a wish, 0 when it is kept.

    Units: weight; of a row what it sums; half variance. Bans and sizes are never broken.
    """
    kind, at = wish
    if kind == WishKind.CASH_MIN:
        return _above(problem.cash_min[at] - answer.cash_after[at], CASH_EXCESS_MIN)
    if kind == WishKind.CASH_MAX:
        return _above(answer.cash_after[at] - problem.cash_max[at], CASH_EXCESS_MIN)
    if kind == WishKind.WEIGHT_MIN:
        return _above(problem.weight_min[at] - answer.weight[at], _WEIGHT_EXCESS_MIN)
    if kind == WishKind.WEIGHT_MAX:
        return _above(answer.weight[at] - problem.weight_max[at], _WEIGHT_EXCESS_MIN)
    if kind == WishKind.ROW_MIN:
        return _above(problem.row_lower[at] - answer.row_value[at], _ROW_EXCESS_MIN)
    if kind == WishKind.ROW_MAX:
        return _above(answer.row_value[at] - problem.row_upper[at], _ROW_EXCESS_MIN)
    if kind == WishKind.TE_MAX and answer.tracking_error[at] > problem.te_max[at] * (1 + _TE_EXCESS_MIN):
        return float(answer.tracking_error[at] ** 2 - problem.te_max[at] ** 2) / 2
    return 0.0


def _above(excess: float, least: float) -> float:
    return float(excess) if excess > least else 0.0


def account_of(problem: Problems, wish: Wish) -> int:
    """The account that has the wish."""
    offsets = dict.fromkeys(OF_ROWS, problem.rows_from) | dict.fromkeys(OF_NAMES, problem.names_from)
    if wish.kind not in offsets:
        return wish.at
    return int(np.searchsorted(offsets[wish.kind], wish.at, "right")) - 1
