"""The files of one problem in the optimiser's units: fractions of account value.

What design and page leave to the reader is decided here: terms of lots, their order, tax per unit
of weight, the price of a wash, rows. docs/reference/files/optimize.md tells each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np

from allotment.feeds.problem_folder import FileLots, ProblemFolder, Washes
from allotment.feeds.problem_toml import ProblemTerms
from allotment.optimize.cash_band import with_room_for_a_step
from allotment.optimize.claims import one_claim
from allotment.optimize.hierarchy import HIERARCHY
from allotment.optimize.modes import Purpose, with_purpose
from allotment.optimize.problem import Market, Problems, RowKind, SolveOptions, make_problems
from allotment.tax.holding_period import first_long_term_day
from allotment.units import Bools, Floats, Ints, as_day

# Products of decimals of 40 characters, and sums of many of them, are exact in this.
EXACT = Context(prec=200)
BPS = 1e4
OPTIONS = SolveOptions()
_VALUE_USD_MIN = Decimal("0.01")  # an account of less than a cent has nothing to decide
_ROW_PRICE_PER_TAX = 2.0
_ROW_PRICE_OF_CASH = 0.5  # at most, as a part of what cash costs: it comes before rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemColumns:
    """One problem as the optimiser takes it; its names are in the order of assets.csv."""

    market: Market
    problem: Problems
    lot_rows: Ints  # (L,) row of lots.csv of each lot of the problem
    row_names: tuple[str, ...]  # the key of problem.toml that made each row, or "mode"
    value_usd: Decimal
    held: tuple[Decimal, ...]  # shares of each name before trading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priced:
    """The lots in the order of the problem, with what they are worth; columns of shape (L,)."""

    rows: Ints  # of lots.csv
    name: Ints
    weight: Floats
    gain: Floats  # per dollar of value
    tax: Floats  # per dollar of value
    is_long: Bools
    is_loss: Bools


def problem_columns(given: ProblemFolder) -> ProblemColumns:
    """The problem of a folder. An account worth less than a cent becomes one without value."""
    with localcontext(EXACT):
        return _columns(given)


def for_purpose(columns: ProblemColumns, purpose: Purpose | None) -> ProblemColumns:
    """The same account traded for a purpose, whose row is called mode."""
    if purpose is None:
        return columns
    problem = with_purpose(columns.problem, purpose)
    names = (*columns.row_names, "mode")[: len(problem.row_kind)]
    return replace(columns, problem=problem, row_names=names)


def _columns(given: ProblemFolder) -> ProblemColumns:
    terms, assets, lots = given.terms, given.assets, given.lots
    n = len(assets.symbols)
    held = [Decimal(0)] * n
    for name, quantity in zip(lots.name.tolist(), lots.quantity, strict=True):
        held[name] += quantity
    value = terms.cash + sum((q * p for q, p in zip(held, assets.price, strict=True)), Decimal(0))
    is_empty = value < _VALUE_USD_MIN
    whole = Decimal(1) if is_empty else value
    priced = _priced(given, whole)
    per_usd = float(1 / whole)
    one = np.ones(1)
    share = np.array([float(price / whole) for price in assets.price])  # weight of one share
    rows, row_names = _rows(given, priced, per_usd)
    spread = assets.half_spread_bps
    problem = make_problems(
        names_from=np.array([0, n]),
        value_usd=one * (0.0 if is_empty else float(value)),
        risk_price=one * terms.risk_price,
        te_max=one * terms.te_max,
        cash=one * float(terms.cash / whole),
        cash_min=one * terms.cash_min,
        cash_max=one * terms.cash_max,
        trade_min=one * terms.trade_usd_min * per_usd,
        holding_min=one * terms.holding_usd_min * per_usd,
        ticket_charge=one * terms.ticket_usd * per_usd,
        lot_charge=one * terms.closed_lot_usd * per_usd,
        in_order=np.array([terms.relief != "lots"]),
        lots_from=np.searchsorted(priced.name, np.arange(n + 1)),
        asset_ix=np.arange(n, dtype=np.int32),
        benchmark=assets.benchmark,
        held=np.bincount(priced.name, priced.weight, minlength=n).astype(np.float64),
        weight_min=assets.weight_min,
        weight_max=assets.weight_max,
        may_buy=assets.may_buy,
        may_sell=assets.may_sell,
        half_spread=np.where(np.isnan(spread), terms.half_spread_bps, spread) / BPS,
        step=float(terms.share_step) * share,
        lot_weight=priced.weight,
        lot_tax=priced.tax,
        lot_gain=priced.gain,
        lot_is_long=priced.is_long,
        lot_is_loss=priced.is_loss,
        lot_sellable=lots.may_sell[priced.rows],
        **_wash_columns(given.washes, terms, np.array([float(p) for p in assets.price]), share),
        **rows,
    )
    return ProblemColumns(
        market=Market(
            np.ascontiguousarray(assets.loadings * np.sqrt(np.array(terms.factor_variance))),
            assets.specific_variance,
            np.arange(n, dtype=np.int32),  # no column names share classes: each symbol is alone
        ),
        problem=with_room_for_a_step(problem),
        lot_rows=priced.rows,
        row_names=row_names,
        value_usd=value,
        held=tuple(held),
    )


def closing_order(lots: FileLots, relief: str) -> Ints:
    """Rows of the lots, name by name, in the order in which a relief method closes them.

    fifo: the earliest acquired first, then the lot id; also the order of relief "lots", which the
    optimiser is free to leave. lifo: the reverse. hifo: the highest basis per share first.
    """
    per_share = [basis / quantity for basis, quantity in zip(lots.basis, lots.quantity, strict=True)]
    rows = sorted(range(len(lots.lot_ids)), key=lambda row: (lots.acquired[row], lots.lot_ids[row]))
    if relief == "lifo":
        rows.reverse()
    elif relief == "hifo":
        rows.sort(key=lambda row: -per_share[row])
    rows.sort(key=lambda row: int(lots.name[row]))
    return np.array(rows, np.int64)


def _priced(given: ProblemFolder, whole: Decimal) -> _Priced:
    """Weight, gain, tax and term of each lot.

    A gain costs its rate; a loss is worth its rate × loss_value; both give up or keep basis_value
    per dollar of basis. A lot worth just its basis counts as a loss, as parts of it may lose a cent.
    """
    terms, lots = given.terms, given.lots
    order = closing_order(lots, terms.relief)
    value = [lots.quantity[row] * given.assets.price[lots.name[row]] for row in order.tolist()]
    basis = [lots.basis[row] for row in order.tolist()]
    gain = np.array([float((v - b) / v) for v, b in zip(value, basis, strict=True)])
    is_long = as_day(terms.as_of) >= first_long_term_day(lots.holding_from[order])
    usable = np.where(gain < 0.0, terms.loss_value, 1.0)
    rate = np.where(is_long, terms.long_rate, terms.short_rate)
    return _Priced(
        rows=order,
        name=lots.name[order].astype(np.int64),
        weight=np.array([float(v / whole) for v in value]),
        gain=gain,
        tax=gain * (rate * usable - terms.basis_value),
        is_long=is_long,
        is_loss=np.array([b >= v for v, b in zip(value, basis, strict=True)], np.bool_),
    )


def wash_rate(terms: ProblemTerms, permanent: Bools) -> Floats:
    """What a dollar of disallowed loss costs, for washes that lose it for good or only defer it.

    For good: the loss would have been worth the higher of both rates × loss_value (the file does
    not tell its term). Deferred: the loss joins the basis of the shares bought, which gives
    basis_value of it back.
    """
    worth = max(terms.short_rate, terms.long_rate) * terms.loss_value
    return np.where(permanent, worth, max(worth - terms.basis_value, 0.0))


def _wash_columns(washes: Washes, terms: ProblemTerms, price: Floats, share: Floats) -> dict[str, Any]:
    """Shares that wash as weights, and their cost per unit of weight."""
    n, name = len(price), washes.name
    exposed, exposed_cost, young, young_cost = (np.zeros(n) for _ in range(4))
    cost = washes.loss_per_share * wash_rate(terms, washes.permanent) / price[name]
    exposed[name], exposed_cost[name] = washes.exposed_qty * share[name], cost
    young[name], young_cost[name] = washes.young_qty * share[name], cost
    return {"young": young, "young_cost": young_cost, **one_claim(exposed, exposed_cost)}


def _rows(given: ProblemFolder, priced: _Priced, per_usd: float) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The rows of the problem and the key that each comes from."""
    terms, assets = given.terms, given.assets
    names: list[str] = []
    kinds: list[RowKind] = []
    lower: list[float] = []
    upper: list[float] = []
    members: list[Sequence[int]] = []

    def add(name: str, kind: RowKind, low: float, high: float, of: Sequence[int] = ()) -> None:
        names.append(name)
        kinds.append(kind)
        lower.append(low)
        upper.append(high)
        members.append(of)

    for group, bounds in terms.groups.items():
        for value, (low, high) in bounds.items():
            of = [at for at, own in enumerate(assets.groups[group]) if own == value]
            index = float(assets.benchmark[of].sum())
            add(f"groups.{group}.{value}", RowKind.LINEAR, low + index, high + index, of)
    if math.isfinite(terms.turnover_max):
        add("trading.turnover_max", RowKind.TURNOVER, -math.inf, terms.turnover_max)
    for key, kind in (
        ("gain_budget", RowKind.GAIN),
        ("gain_budget_short", RowKind.GAIN_SHORT),
        ("gain_budget_long", RowKind.GAIN_LONG),
    ):
        budget: float = getattr(terms, key)
        if math.isfinite(budget):
            add(f"tax.{key}", kind, -math.inf, budget * per_usd)
    entries = np.array([at for of in members for at in of], np.int32)
    # A bound gives way to another, not to the tax that breaking it would save; cash comes first.
    price = _ROW_PRICE_PER_TAX * float(np.abs(priced.tax).max(initial=0.0))
    price = min(max(price, HIERARCHY.rows.price), _ROW_PRICE_OF_CASH * HIERARCHY.cash.price)
    return {
        "rows_from": np.array([0, len(names)]),
        "entries_from": np.cumsum([0, *map(len, members)]),
        "row_kind": np.array(kinds, np.int8),
        "row_lower": np.array(lower),
        "row_upper": np.array(upper),
        "row_price": np.full(len(names), price),
        "entry_name": entries,
        "entry_coefficient": np.ones(len(entries)),
    }, tuple(names)
