"""What an account is to be traded for, as templates over the same problem.

A mode changes a few columns of `Problems` and adds at most one row; the solver, the certificate
and every hard rule stay what they are. docs/concepts/modes.md has the table.

| mode | amount | what changes |
|---|---|---|
| track | none | losses are worth nothing: trades serve tracking and cash alone |
| harvest | net losses wanted | a row: net gain ≤ −amount |
| tax_neutral | none | a row: net gain ≤ 0 |
| gain_budget | gains allowed | a row: net gain ≤ amount |
| realise_gains | gains wanted | a row: net gain ≥ amount; what is sold may be bought back |
| transition | gains allowed this year | that row, and the price of risk divided by the years left |
| raise_cash | dollars to pay out | the cash band and the benchmark make room for it, nothing is bought |
| invest_cash | none | nothing is sold |
| liquidate | none | all names to zero, no rows, no purchases |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from allotment.errors import UsageError
from allotment.optimize.hierarchy import HIERARCHY
from allotment.optimize.offsets import n_under, owners
from allotment.optimize.problem import Problems, RowKind
from allotment.units import Floats

# Per unit of gain: what an account is traded for counts as much as cash that is owed, and does not give
# way to the tax that breaking it would save.
_PURPOSE_PRICE = HIERARCHY.cash.price
_PURPOSE_PRICE_PER_TAX = 2.0
_SPECK = 1e-12
_CASH_MAX = 2.0  # more than all that an account has
_RISK_PRICE_MIN = 1.0  # κ of a liquidation whose mandate limits its tracking error instead


class Mode(StrEnum):
    """The templates by name."""

    TRACK = "track"
    HARVEST = "harvest"
    TAX_NEUTRAL = "tax_neutral"
    GAIN_BUDGET = "gain_budget"
    REALISE_GAINS = "realise_gains"
    TRANSITION = "transition"
    RAISE_CASH = "raise_cash"
    INVEST_CASH = "invest_cash"
    LIQUIDATE = "liquidate"


WITH_AMOUNT = frozenset(
    {Mode.HARVEST, Mode.GAIN_BUDGET, Mode.REALISE_GAINS, Mode.TRANSITION, Mode.RAISE_CASH}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A mode with its figures. Raises UsageError for an amount that the mode lacks or does not take."""

    mode: Mode
    amount_usd: float = math.nan  # of each account: what the table above says
    years_left: int = 1  # of a transition, this year included

    def __post_init__(self) -> None:
        known = math.isfinite(self.amount_usd)
        if self.mode in WITH_AMOUNT and not (known and self.amount_usd >= 0.0):
            raise UsageError(f"mode {self.mode} needs an amount in dollars, zero or more.")
        if self.mode not in WITH_AMOUNT and not math.isnan(self.amount_usd):
            raise UsageError(f"mode {self.mode} takes no amount.")
        if self.years_left < 1 or (self.mode != Mode.TRANSITION and self.years_left != 1):
            raise UsageError("the years left are those of a transition, one or more.")


def with_purpose(problems: Problems, purpose: Purpose) -> Problems:
    """The same accounts, traded for the purpose."""
    return _TEMPLATES[purpose.mode](problems, purpose)


def with_row(problems: Problems, kind: RowKind, lower: float, upper: float, price: float) -> Problems:
    """One more row without entries for each account that has some value; lower and upper in dollars."""
    n_rows = n_under(problems.rows_from)
    at = problems.rows_from[1:]
    per_usd = _per_usd(problems)
    columns = {
        "row_kind": np.full(len(at), kind, np.int8),
        "row_joint": np.zeros(len(at), np.bool_),
        "row_lower": np.where(math.isfinite(lower), lower * per_usd, lower),
        "row_upper": np.where(math.isfinite(upper), upper * per_usd, upper),
        "row_price": np.full(len(at), price),
    }
    sizes = np.insert(n_under(problems.entries_from), at, 0)
    return problems._replace(
        rows_from=np.concatenate([[0], np.cumsum(n_rows + 1)]).astype(np.int64),
        entries_from=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        **{name: np.insert(getattr(problems, name), at, column) for name, column in columns.items()},
    )


def _per_usd(problems: Problems) -> Floats:
    """Weight of a dollar in each account; an account without value is not decided anyway."""
    value = problems.value_usd
    per_usd: Floats = np.divide(1.0, value, out=np.zeros(len(value)), where=value > 0.0)
    return per_usd


def _gain_row(problems: Problems, lower: float, upper: float) -> Problems:
    most = float(np.abs(problems.lot_tax).max(initial=0.0))
    return with_row(problems, RowKind.GAIN, lower, upper, max(_PURPOSE_PRICE, _PURPOSE_PRICE_PER_TAX * most))


def _track(problems: Problems, _: Purpose) -> Problems:
    return problems._replace(lot_tax=np.maximum(problems.lot_tax, 0.0))


def _harvest(problems: Problems, purpose: Purpose) -> Problems:
    return _gain_row(problems, -math.inf, -purpose.amount_usd)


def _tax_neutral(problems: Problems, _: Purpose) -> Problems:
    return _gain_row(problems, -math.inf, 0.0)


def _gain_budget(problems: Problems, purpose: Purpose) -> Problems:
    return _gain_row(problems, -math.inf, purpose.amount_usd)


def _realise_gains(problems: Problems, purpose: Purpose) -> Problems:
    """The holding may stay: a gain that is realised needs no wait before the name is bought back."""
    held = problems._replace(may_rebuy=problems.may_buy & problems.may_sell)
    return _gain_row(held, purpose.amount_usd, math.inf)


def _transition(problems: Problems, purpose: Purpose) -> Problems:
    """Early years buy tax with tracking error, the last one has the mandate's own price of risk."""
    patient = problems._replace(
        risk_price=problems.risk_price / purpose.years_left, te_max=problems.te_max * purpose.years_left
    )
    return _gain_budget(patient, purpose)


def _raise_cash(problems: Problems, purpose: Purpose) -> Problems:
    """Cash that is to leave is no bet against the index: the benchmark shrinks by as much, and so do
    bounds that count against it."""
    wanted = purpose.amount_usd * _per_usd(problems)
    leaves = np.minimum(wanted, 1.0)
    of_benchmark = problems.benchmark * np.repeat(leaves, n_under(problems.names_from))
    row = owners(problems.entries_from)
    account = owners(problems.rows_from)[row]
    name = problems.names_from[account] + problems.entry_name
    shift = np.bincount(row, problems.entry_coefficient * of_benchmark[name], len(problems.row_kind))
    return problems._replace(
        cash_min=problems.cash_min + wanted,
        cash_max=problems.cash_max + wanted,
        benchmark=problems.benchmark - of_benchmark,
        row_lower=problems.row_lower - shift,
        row_upper=problems.row_upper - shift,
        may_buy=np.zeros_like(problems.may_buy),
        weight_min=np.minimum(problems.weight_min, problems.held),
    )


def _invest_cash(problems: Problems, _: Purpose) -> Problems:
    return problems._replace(
        may_sell=np.zeros_like(problems.may_sell),
        weight_max=np.maximum(problems.weight_max, problems.held),
    )


def _liquidate(problems: Problems, _: Purpose) -> Problems:
    n = problems.n_accounts
    return problems._replace(
        risk_price=np.maximum(problems.risk_price, _RISK_PRICE_MIN),
        te_max=np.full(n, math.inf),
        cash_max=np.maximum(problems.cash_max, _CASH_MAX),
        benchmark=np.zeros_like(problems.benchmark),
        weight_min=np.zeros_like(problems.weight_min),
        weight_max=_stuck(problems),
        utility=np.zeros_like(problems.utility),
        may_buy=np.zeros_like(problems.may_buy),
        rows_from=np.zeros(n + 1, np.int64),
        entries_from=np.zeros(1, np.int64),
        **{name: getattr(problems, name)[:0] for name in _OF_ROWS},
    )


def _stuck(problems: Problems) -> Floats:
    """Weight of each name that no sale can take away, (n,): what is left of it is no broken limit."""
    name = owners(problems.lots_from)
    account = owners(problems.names_from)
    is_barred = (problems.young > 0.0) & np.isinf(problems.young_cost)
    may_leave = problems.lot_sellable & problems.may_sell[name] & ~(problems.lot_is_loss & is_barred[name])
    # Where lots leave in order, one that stays keeps those behind it.
    stays = np.concatenate([[0], np.cumsum(~may_leave & (problems.lot_weight > 0.0))])
    is_behind = stays[1:] > stays[problems.lots_from[name]]
    may_leave &= ~(problems.in_order[account[name]] & is_behind)
    leaves = np.bincount(name, problems.lot_weight * may_leave, minlength=len(problems.held))
    left = np.where(leaves < problems.held - _SPECK, problems.held - leaves + problems.step, 0.0)
    is_small = leaves < problems.trade_min[account]
    return np.where(is_small & (left > 0.0), problems.held, np.minimum(left, problems.held))


_OF_ROWS = (
    "row_kind", "row_joint", "row_lower", "row_upper", "row_price", "entry_name", "entry_coefficient",
)  # fmt: skip
_TEMPLATES: Mapping[Mode, Callable[[Problems, Purpose], Problems]] = {
    Mode.TRACK: _track,
    Mode.HARVEST: _harvest,
    Mode.TAX_NEUTRAL: _tax_neutral,
    Mode.GAIN_BUDGET: _gain_budget,
    Mode.REALISE_GAINS: _realise_gains,
    Mode.TRANSITION: _transition,
    Mode.RAISE_CASH: _raise_cash,
    Mode.INVEST_CASH: _invest_cash,
    Mode.LIQUIDATE: _liquidate,
}
