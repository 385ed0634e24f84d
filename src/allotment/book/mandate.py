"""What an account wants: a versioned, effective-dated statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class RestrictionKind(StrEnum):
    """What must not be done with one name."""

    NO_BUY = "no_buy"
    NO_SELL = "no_sell"
    HOLD = "hold"  # neither
    EXCLUDE = "exclude"  # own none: sell what is held, buy nothing


@dataclass(frozen=True, slots=True)
class Restriction:
    """One name and what must not be done with it."""

    security_id: int
    kind: RestrictionKind


@dataclass(frozen=True, slots=True)
class Tilt:
    """A wish for more (or less) of a score: `strength` is dollars of cost worth per unit of
    active score per dollar of account value, so that it trades off openly with risk and tax."""

    score: str  # a named exposure or an imported score
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """One version of one account's wishes; a later version replaces it from `effective`.

    Weights and limits are fractions of account value.
    """

    account_id: int
    version: int
    effective: date
    benchmark: tuple[tuple[str, float], ...]  # (index code, weight), weights sum to one
    excluded_sectors: tuple[str, ...] = ()
    excluded_industries: tuple[str, ...] = ()
    excluded_flags: tuple[str, ...] = ()  # value flags: scores whose value is 1
    restrictions: tuple[Restriction, ...] = ()
    tilts: tuple[Tilt, ...] = ()
    risk_price: float = 50.0  # kappa of the optimiser
    loss_value: float = 0.9  # what a dollar of tax saved by a loss is worth now
    basis_value: float = 0.08  # present value of the tax on a dollar of basis
    cash_weight_min: float = 0.0
    cash_weight_max: float = 0.01
    name_active_max: float = 0.05  # over the benchmark weight
    trade_usd_min: float = 100.0
    near_long_days: int = 0  # a short-term gain this near to long-term waits
    lot_usd_min: float = 0.0  # lots worth less are not sold
    kept_lots: tuple[tuple[int, int], ...] = ()  # never sold: the event that made the lot, and its line
    requested_by: str = ""
    approved_by: str = ""
