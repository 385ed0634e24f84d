"""Problems that nobody should send: random ones with everything in them, bent in the worst ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from allotment.optimize import Market, Problems
from allotment.optimize.problem import (
    ACCOUNT_COLUMNS,
    ENTRY_COLUMNS,
    LOT_COLUMNS,
    NAME_COLUMNS,
    REGIME_COLUMNS,
    ROW_COLUMNS,
    RowKind,
)
from allotment.optimize.tangled import random_problem

Twist = Callable[[np.random.Generator, Market, Problems], tuple[Market, Problems]]

_COLUMNS = (
    *ACCOUNT_COLUMNS, *NAME_COLUMNS, *LOT_COLUMNS, *ROW_COLUMNS, *ENTRY_COLUMNS, *REGIME_COLUMNS,
)  # fmt: skip
_FLOATS = tuple(
    column
    for column in _COLUMNS
    if column not in {"in_order", "asset_ix", "may_buy", "may_sell", "row_kind", "row_joint", "entry_name"}
    and not column.startswith("lot_is")
    and column != "lot_sellable"
)


def nasty_problem(seed: int, n_names: int, n_accounts: int, twists: Sequence[str]) -> tuple[Market, Problems]:
    """One joint problem with these twists, one after the other."""
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, n_names, n_accounts=n_accounts)
    for name in twists:
        market, problem = TWISTS[name](rng, market, problem)
    return market, problem


def _set(column: str, *values: float, some: bool = False) -> Twist:
    """A column all of one of these values, or (`some`) a part of it."""

    def twist(rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
        old = getattr(problem, column)
        new = np.full(old.shape, rng.choice(values)).astype(old.dtype)
        if some:
            new = np.where(rng.random(old.shape) < 0.3, new, old)
        return market, problem._replace(**{column: new})

    return twist


def _anywhere(*values: float, left_alone: str = "") -> Twist:
    """One cell of any column of floats but one."""

    def twist(rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
        filled = [column for column in _FLOATS if getattr(problem, column).size and column != left_alone]
        column = str(rng.choice(filled))
        cells = getattr(problem, column).copy()
        cells.flat[rng.integers(cells.size)] = rng.choice(values)
        return market, problem._replace(**{column: cells})

    return twist


def _market(column: str, *values: float, some: bool = False) -> Twist:
    def twist(rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
        cells = getattr(market, column).copy()
        chosen = rng.random(cells.shape) < (0.3 if some else 1.0)
        cells[chosen] = rng.choice(values)
        return market._replace(**{column: cells}), problem

    return twist


def _no_factors(_rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
    return market._replace(loadings=np.zeros((len(market.group_ix), 0))), problem


def _one_group(_rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
    return market._replace(group_ix=np.zeros_like(market.group_ix)), problem


def _contradicting_rows(
    rng: np.random.Generator, market: Market, problem: Problems
) -> tuple[Market, Problems]:
    """Each row's band somewhere else, often out of reach."""
    middle = rng.choice([-5.0, -0.1, 0.0, 0.3, 2.0], len(problem.row_lower))
    return market, problem._replace(row_lower=middle, row_upper=middle + rng.choice([0.0, 1e-9, 0.01]))


def _upside_down(rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
    lower, upper = (("cash_min", "cash_max"), ("weight_min", "weight_max"), ("row_lower", "row_upper"))[
        int(rng.integers(3))
    ]
    return market, problem._replace(
        **{lower: getattr(problem, upper) + 0.1, upper: getattr(problem, lower) - 0.1}
    )


def _same_limits(_rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
    """Each name exactly as in the benchmark, or as held."""
    return market, problem._replace(weight_min=problem.benchmark, weight_max=problem.benchmark)


def _degenerate_lots(rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
    """Some lots weigh next to nothing; the rest of their names cannot be sold."""
    factor = rng.choice([0.0, 1e-300, 1e-15, 1e-9, 1e-6, 1e-3, 1.0], len(problem.lot_weight))
    return market, problem._replace(lot_weight=problem.lot_weight * factor)


def _one_row_kind(rng: np.random.Generator, market: Market, problem: Problems) -> tuple[Market, Problems]:
    """All rows without entries count the same."""
    kinds = np.where(
        np.diff(problem.entries_from) > 0,
        RowKind.LINEAR,
        int(rng.integers(RowKind.TURNOVER, RowKind.BIG + 1)),
    )
    return market, problem._replace(row_kind=kinds.astype(np.int8), row_joint=problem.row_joint & (kinds > 0))


TWISTS: dict[str, Twist] = {
    "value tiny": _set("value_usd", 1e-9, 0.01, 1.0),
    "value huge": _set("value_usd", 1e12, 1e15),
    "values far apart": _set("value_usd", 1e-3, 1e12, some=True),
    "value none": _set("value_usd", 0.0, -5.0, some=True),
    "risk dear": _set("risk_price", 1e5, 1e8),
    "risk cheap": _set("risk_price", 1e-3, 1e-9),
    "risk free": _set("risk_price", 0.0),
    "te tiny": _set("te_max", 1e-9, 1e-4),
    "te odd": _set("te_max", 0.0, -1.0, 10.0),
    "cash overdrawn": _set("cash", -0.5, -2.0),
    "cash huge": _set("cash", 1e3, 1e6),
    "cash wanted": _set("cash_min", 0.9, 2.0, -1.0),
    "cash none": _set("cash_max", 0.0),
    "smallest trade huge": _set("trade_min", 0.3, 5.0),
    "smallest holding huge": _set("holding_min", 0.3, 5.0),
    "big from nothing": _set("big_from", 0.0, 1e-12),
    "ticket huge": _set("ticket_charge", 0.1, 10.0),
    "lot charge huge": _set("lot_charge", 0.1, 10.0),
    "in order": _set("in_order", 1),
    "benchmark none": _set("benchmark", 0.0),
    "benchmark odd": _set("benchmark", -0.2, 5.0, some=True),
    "limits out of reach": _set("weight_min", 0.9, 1.0, some=True),
    "limits none left": _set("weight_max", 0.0, 1e-12, some=True),
    "limits the index": _same_limits,
    "buys banned": _set("may_buy", 0),
    "sales banned": _set("may_sell", 0),
    "lots kept": _set("lot_sellable", 0, some=True),
    "utility huge": _set("utility", 10.0, -10.0, some=True),
    "spread huge": _set("half_spread", 0.5, 100.0),
    "impact huge": _set("impact", 10.0, 1e3, some=True),
    "wash huge": _set("claim_cost", 10.0, 1e6, some=True),
    "young huge": _set("young", 0.5, 100.0, some=True),
    "step huge": _set("step", 0.4, 3.0, some=True),
    "step tiny": _set("step", 1e-16, 1e-300, some=True),
    "lots degenerate": _degenerate_lots,
    "lots all alike": _set("lot_tax", 0.0, -0.1),
    "tax huge": _set("lot_tax", 100.0, -100.0, some=True),
    "gain huge": _set("lot_gain", 1e3, -1e6, some=True),
    "rows contradict": _contradicting_rows,
    "rows for nothing": _set("row_price", 0.0, some=True),
    "rows dear": _set("row_price", 1e3, 1e6, some=True),
    "rows alike": _one_row_kind,
    "coefficients odd": _set("entry_coefficient", 0.0, -1.0, 1e-9, 1e4, some=True),
    "regimes steep": _set("regime_short_rate", 50.0, -1.0, some=True),
    "upside down": _upside_down,
    "nan somewhere": _anywhere(np.nan),
    "infinity somewhere": _anywhere(np.inf, -np.inf),
    "below nothing somewhere": _anywhere(-1.0, -1e-12),
    "immense somewhere": _anywhere(1e9, 1e12, left_alone="step"),
    "loadings none": _market("loadings", 0.0),
    "loadings huge": _market("loadings", 10.0, -100.0, some=True),
    "loadings nan": _market("loadings", np.nan, some=True),
    "specific tiny": _market("specific_variance", 1e-12, 1e-6, some=True),
    "specific huge": _market("specific_variance", 1e4, some=True),
    "specific none": _market("specific_variance", 0.0, -1.0, some=True),
    "factors none": _no_factors,
    "groups one": _one_group,
}
