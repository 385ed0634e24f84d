"""Amounts and rates that Congress may change: dated tables in `tax/law/*.toml`.

The one place where the core reads files, which are part of the package.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np

from allotment.book.household import FilingStatus
from allotment.errors import DataError
from allotment.units import CENTS_PER_USD, Ints


class LawMissingError(DataError):
    """No figures are known for the year asked for."""

    def __init__(self, table: str, year: int, last: int) -> None:
        self.table, self.year, self.last = table, year, last
        super().__init__(
            f"{table} has no figures for {year}; it goes to {last}. "
            f"Add the year's figures to tax/law/{table}.toml."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One table for one year and filing status."""

    bounds_cents: Ints  # (n_bounds,) ascending
    rate_bps: Ints  # (n_bounds + 1,) for brackets, in hundredths of a per cent
    citation: str


@cache
def _table(name: str) -> dict[str, object]:
    return tomllib.loads(files("allotment.tax").joinpath(f"law/{name}.toml").read_text())


def schedule(name: str, year: int, status: FilingStatus) -> Schedule:
    """The figures of `name` in force on the first day of `year`.

    Figures that are set year by year raise LawMissingError for a year not entered; those
    that stand until changed (net_investment_income) hold on.
    """
    table = _table(name)
    dates = sorted(date.fromisoformat(key) for key in table if key[:2] in ("19", "20"))
    known = [day for day in dates if day.year <= year]
    stands = name == "net_investment_income"
    if not known or (known[-1].year != year and not stands):
        raise LawMissingError(name, year, dates[-1].year)
    figures = table[known[-1].isoformat()]
    rates = table["rate_bps"]
    assert isinstance(figures, dict)
    assert isinstance(rates, list)
    return Schedule(
        bounds_cents=np.array(figures[status.value], np.int64) * CENTS_PER_USD,
        rate_bps=np.array(rates, np.int64),
        citation=str(table["citation"]),
    )
