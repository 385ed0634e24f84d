"""What each state (and the District of Columbia, and some cities) takes of a year's gains: figures.

Figures with their sources: `tax/law/states.toml`; rules: `tax.state_year`; docs/law/states.md.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from allotment.book.household import FilingStatus
from allotment.errors import DataError
from allotment.units import CENTS_PER_USD, Ints

# Rates are whole numbers of a thousandth of a per cent, so that 5.525 % is exact.
RATE_PARTS = 100_000
_PARTS_PER_BPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Brackets:
    """Rates by income: above the last bound the last rate."""

    bounds_cents: Ints  # (n,) ascending
    rate: Ints  # (n + 1,) in RATE_PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLaw:
    """One state's (or city's) figures for one year and filing status; rates in RATE_PARTS."""

    code: str
    name: str
    citation: str
    note: str
    figures_year: int  # the year that the figures are of; earlier than asked for when they stand in
    income: Brackets
    deduction_cents: int
    surtax: Brackets  # on taxable income besides
    investment_surtax: Brackets  # on net gains
    excise: Brackets  # on long-term gains alone
    gains_surtax: tuple[int, int]  # (income above which, rate on net gains); rate 0: none
    long_excluded: int  # part of a net long-term gain that is not income
    short_excluded: int
    short_rate: int | None  # one rate of its own
    long_rate_max: int | None
    long_own: Brackets | None  # long-term gains on top of income, by brackets of their own
    loss_limit_cents: int  # net loss that meets other income
    carries: bool  # what is left of a loss goes to the next year
    conforms_to_wash_sales: bool
    deducts_federal_tax: bool


def state_codes() -> tuple[str, ...]:
    """Every state and the District of Columbia, by postal code."""
    return tuple(code for code, facts in _table().items() if "state" not in facts)


def state_law(code: str, year: int, status: FilingStatus, federal_limit_cents: int = 300_000) -> StateLaw:
    """The figures in force. A year without figures of its own has the latest before it.

    Raises DataError for a code that is not known, or a year before all figures.
    """
    facts = _table().get(code)
    if facts is None:
        raise DataError(f"no state {code!r}; known are {', '.join(_table())}.")
    years = [int(key) for key in facts if key.isdigit() and int(key) <= year]
    if not years:
        raise DataError(f"{facts['name']} has no figures for {year}. Add them to tax/law/states.toml.")
    figures: dict[str, Any] = facts[str(max(years))]
    rates = figures["rate_bps"]
    if status in (FilingStatus.JOINT, FilingStatus.HEAD):
        rates = figures.get("joint_rate_bps", rates)
    income = _brackets(figures.get(status.value, figures["single"]), rates)
    place = {FilingStatus.JOINT: 1, FilingStatus.HEAD: 2}.get(status, 0)
    threshold, rate = facts.get("gains_surtax", figures.get("gains_surtax", (0, 0)))
    investment = facts.get("investment_surtax", figures.get("investment_surtax"))
    limit = facts.get("loss_limit", federal_limit_cents // CENTS_PER_USD) * CENTS_PER_USD
    own = figures.get("long_rate_bps")
    return StateLaw(
        code=code,
        name=facts["name"],
        citation=facts["citation"],
        note=facts.get("note", ""),
        figures_year=max(years),
        income=income,
        deduction_cents=figures.get("deduction", (0, 0, 0))[place] * CENTS_PER_USD,
        surtax=_stepped(figures.get("surtax", [])),
        investment_surtax=_stepped([investment] if investment else []),
        excise=_stepped(figures.get("excise", [])),
        gains_surtax=(threshold * CENTS_PER_USD, round(rate * _PARTS_PER_BPS)),
        long_excluded=facts.get("long_excluded_bps", 0) * _PARTS_PER_BPS,
        short_excluded=facts.get("short_excluded_bps", 0) * _PARTS_PER_BPS,
        short_rate=_optional(facts.get("short_rate_bps")),
        long_rate_max=_optional(facts.get("long_rate_max_bps")),
        long_own=_brackets(figures.get(status.value, figures["single"]), own) if own else None,
        loss_limit_cents=min(limit, federal_limit_cents),
        carries=facts.get("carries", True),
        conforms_to_wash_sales=facts.get("conforms_to_wash_sales", True),
        deducts_federal_tax=facts.get("deducts_federal_tax", False),
    )


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = files("allotment.tax").joinpath("law/states.toml").read_text()
    return {key: facts for key, facts in tomllib.loads(text).items() if isinstance(facts, dict)}


def _optional(bps: float | None) -> int | None:
    return None if bps is None else round(bps * _PARTS_PER_BPS)


def _brackets(bounds_usd: list[int], rates_bps: list[float]) -> Brackets:
    return Brackets(
        bounds_cents=np.array(bounds_usd, np.int64) * CENTS_PER_USD,
        rate=np.array([round(rate * _PARTS_PER_BPS) for rate in rates_bps], np.int64),
    )


def _stepped(steps: list[list[float]]) -> Brackets:
    """[[above, rate], …] with nothing taken below the first."""
    return _brackets([int(above) for above, _ in steps], [0, *(rate for _, rate in steps)])
