"""summary.json of ``allotment optimize``: what the written trades cost, and how good they are.

Every term is computed from the trades as they are written, not taken from the optimiser, so that
the files agree with one another; only the bound and what holding costs are its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from allotment.feeds.problem_answer import FILE, Answer, multipliers_csv, trades_csv, weights_csv
from allotment.feeds.problem_columns import BPS, OPTIONS
from allotment.feeds.problem_conflict import told_conflict
from allotment.feeds.problem_reasons import reasons
from allotment.optimize.claims import wash_cost
from allotment.optimize.offsets import owners
from allotment.optimize.problem import RowKind
from allotment.optimize.solution import Status
from allotment.units import Bools, Floats

SCHEMA_VERSION = 1
_EXCESS_MIN = 1e-9  # a smaller excess over a limit is rounding of floats, and free
_ROW_EXCESS_MIN = 1e-7  # a smaller one of a row is rounding of shares: priced, but no relaxation
_HALF_VARIANCE_MIN = 1e-10  # so too of tracking error: a millionth part of a limit of 1 %
_BOUND_MARGIN = 1e-9  # by so much the bound may lie above the cost through rounding of floats


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A limit that is not kept."""

    constraint: str  # the key of the problem's files
    amount: float
    price: float  # per unit of the amount
    least: float = _EXCESS_MIN  # what is less comes from rounding and is not told


def files(found: Answer) -> dict[str, str]:
    """The text of every file by its name; summary.json stands last, for it tells that all are there."""
    return {
        "trades.csv": trades_csv(found),
        "weights.csv": weights_csv(found),
        "multipliers.csv": multipliers_csv(found),
        "reasons.json": _json(reasons(found)),
        "summary.json": _json(summary(found)),
    }


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(_finite(told), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def summary(found: Answer) -> dict[str, Any]:
    """Status, cost, bound and what was relaxed; fractions of account value unless a name says usd."""
    value, columns = float(found.columns.value_usd), found.columns.problem
    parts = terms(found)
    objective = sum(parts.values()) if found.status != Status.EMPTY else math.nan
    bound = float(found.solution.lower_bound[0])
    if bound <= objective + _BOUND_MARGIN:  # above it is a defect, to be seen as a negative gap
        bound = min(bound, objective)
    gains = {is_long: _gain(found, is_long) for is_long in (False, True)}
    flows = [trade.value if trade.lot >= 0 else -trade.value for trade in found.trades]
    cash_usd = float(sum(flows, found.given.terms.cash))
    told: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "status": _status(found),
        "objective": objective,
        "terms": parts,
        "lower_bound": bound,
        "gap_bps": (objective - bound) * BPS,
        "hold_objective": float(found.solution.hold_objective[0]),
        "tracking_error": tracking_error(found),
        "turnover": _turnover(found),
        "cash_after": cash_usd / value if value > 0 else 0.0,
        "cash_after_usd": cash_usd,
        "cash_band": [float(end[0]) for end in (columns.cash_min, columns.cash_max)],
        "value_usd": value,
        "gain_short_usd": gains[False] * value,
        "gain_long_usd": gains[True] * value,
        "n_trades": len(found.trades),
        "relaxed": relaxed(found),
        "conflict": [told_conflict(found.given, found.columns, one) for one in found.conflicts],
        "relaxation_prices": {
            "cash": OPTIONS.cash_price,
            "limit": OPTIONS.limit_price,
            "row": float(found.columns.problem.row_price.max(initial=0.0)),
            "te": OPTIONS.te_price,
        },
        "seconds": found.seconds,
    }
    if found.door is not None:
        told["door"] = asdict(found.door)
    return {name: _finite(entry) for name, entry in told.items()}


def _status(found: Answer) -> str:
    """Of the trades as they are written: relaxed exactly when something is told to be."""
    if found.door is not None and found.door.made_by == FILE and found.door.broken:
        return "broken"
    if found.status in (Status.SOLVED, Status.RELAXED):
        return "relaxed" if relaxed(found) else "solved"
    return found.status.name.lower()


def terms(found: Answer) -> dict[str, float]:
    """The parts of the objective."""
    value = float(found.columns.value_usd)
    per_usd = 1.0 / value if value > 0 else 0.0
    return {
        "risk": float(found.columns.problem.risk_price[0]) / 2 * tracking_error(found) ** 2,
        "tax": sum(trade.tax_usd for trade in found.trades) * per_usd,
        "cost": sum(trade.cost_usd for trade in found.trades) * per_usd,
        "wash": _wash(found),
        "relaxation": math.fsum(one.amount * one.price for one in _beyond(found)),
    }


def tracking_error(found: Answer) -> float:
    """Annual, of the weights after trading."""
    market, active = found.columns.market, found.weight - found.columns.problem.benchmark
    exposure = (market.loadings * active[:, None]).sum(axis=0)
    return math.sqrt(float((exposure**2).sum() + (market.specific_variance * active**2).sum()))


def relaxed(found: Answer) -> list[dict[str, Any]]:
    """What could not be met: the key of its file, the amount beyond, and the price of a unit of it.

    The sum of amount × price is the objective's relaxation, but for what rounding of shares leaves.
    """
    return [
        {"constraint": one.constraint, "amount": one.amount, "price": one.price}
        for one in _beyond(found)
        if one.amount > one.least
    ]


def _beyond(found: Answer) -> list[Relaxation]:
    """Every limit that the trades do not keep."""
    if found.status == Status.EMPTY:
        return []
    problem, weight = found.columns.problem, found.weight
    cash, limit = 1.0 - float(weight.sum()), OPTIONS.limit_price
    made = [
        Relaxation("account.cash_min", float(problem.cash_min[0]) - cash, OPTIONS.cash_price),
        Relaxation("account.cash_max", cash - float(problem.cash_max[0]), OPTIONS.cash_price),
    ]
    for i, symbol in enumerate(found.given.assets.symbols):
        below, above = problem.weight_min[i] - weight[i], weight[i] - problem.weight_max[i]
        made.append(Relaxation(f"weight_min {symbol}", float(below), limit))
        made.append(Relaxation(f"weight_max {symbol}", float(above), limit))
    for r, (name, measure) in enumerate(zip(found.columns.row_names, _measures(found), strict=True)):
        excess = max(float(problem.row_lower[r]) - measure, measure - float(problem.row_upper[r]))
        made.append(Relaxation(name, excess, float(problem.row_price[r]), _ROW_EXCESS_MIN))
    made = [one for one in made if one.amount > _EXCESS_MIN]
    # In half variance, as it is priced.
    half_variance = (tracking_error(found) ** 2 - float(problem.te_max[0]) ** 2) / 2
    if half_variance > 0.0:
        made.append(Relaxation("risk.te_max", half_variance, OPTIONS.te_price, _HALF_VARIANCE_MIN))
    return made


def _measures(found: Answer) -> Iterator[float]:
    """What each row of the problem sums to."""
    problem = found.columns.problem
    for r, kind in enumerate(problem.row_kind.tolist()):
        entries = slice(int(problem.entries_from[r]), int(problem.entries_from[r + 1]))
        if kind == RowKind.LINEAR:
            of_names = problem.entry_coefficient[entries] * found.weight[problem.entry_name[entries]]
            yield float(of_names.sum())
        elif kind == RowKind.TURNOVER:
            yield _turnover(found)
        elif kind == RowKind.GAIN_SHORT:
            yield _gain(found, False)
        elif kind == RowKind.GAIN_LONG:
            yield _gain(found, True)
        else:
            assert kind == RowKind.GAIN
            yield _gain(found, False) + _gain(found, True)


def _traded(found: Answer) -> tuple[Floats, Floats]:
    """Weight bought of each name (n,), and sold of each lot (L,)."""
    problem = found.columns.problem
    bought, sold = np.zeros(len(problem.held)), np.zeros(len(problem.lot_weight))
    for trade in found.trades:
        weight = float(trade.value) / float(found.columns.value_usd)
        if trade.lot < 0:
            bought[trade.name] = weight
        else:
            sold[trade.lot] = weight
    return bought, sold


def _turnover(found: Answer) -> float:
    """One-way: half of the weight sold and bought."""
    bought, sold = _traded(found)
    return float(bought.sum() + sold.sum()) / 2


def _gain(found: Answer, is_long: bool) -> float:
    """Net gain of one term that the trades realise."""
    _, sold = _traded(found)
    chosen: Bools = found.columns.problem.lot_is_long == is_long
    return float((sold * found.columns.problem.lot_gain)[chosen].sum())


def _wash(found: Answer) -> float:
    """Cost of the first weights bought and of the first loss lots sold that are washed."""
    problem = found.columns.problem
    bought, sold = _traded(found)
    name = owners(problem.lots_from)
    losses = np.bincount(name, sold * problem.lot_is_loss, minlength=len(bought))
    washed = np.minimum(losses, problem.young)
    return float(wash_cost(problem, bought).sum() + (washed * problem.young_cost)[washed > 0].sum())


def _finite(value: Any) -> Any:
    """The same with None for what is no number, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value
