"""Schedule D, Parts I and II: the totals of Form 8949 by box, and of what needs no row.

Law: Instructions for Schedule D [S]: lines 1a and 8a for what Exception 1 spares, 1b, 2, 3 and 8b, 9, 10
for boxes A, B, C and D, E, F; lines 6 and 14 carry losses in from last year; lines 7 and 15 are
the nets, 16 their sum. Sums are made in cents and rounded once (`whole_dollars`).
Left out: lines 4, 5, 11 to 13 (other forms), 17 to 22 (`tax.year` has the limit and the rates).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.tax.broker_view import ReportedSales
from allotment.tax.form_8949 import Form8949, needs_row
from allotment.units import CENTS_PER_USD, Ints

_BOX_OF = {"1b": "A", "2": "B", "3": "C", "8b": "D", "9": "E", "10": "F"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDLine:
    """One line, cents: columns (d), (e), (g), (h)."""

    line: str
    proceeds_cents: int = 0
    basis_cents: int = 0
    adjustment_cents: int = 0
    gain_cents: int = 0


def schedule_d(
    sales: ReportedSales, form: Form8949, carry_short_cents: int = 0, carry_long_cents: int = 0
) -> tuple[ScheduleDLine, ...]:
    """Lines 1a to 16. `form` lists every sale that needs a row, singly or summed up.

    carry_…: losses of last year, positive. Raises ValueError for a negative one.
    """
    if carry_short_cents < 0 or carry_long_cents < 0:
        raise ValueError("losses carried in are positive amounts")
    spared = ~needs_row(sales)
    short = [
        _spared("1a", sales, np.flatnonzero(spared & (sales.long_term == 0))),
        *(_boxed(line, form) for line in ("1b", "2", "3")),
        ScheduleDLine(line="6", gain_cents=-carry_short_cents),
    ]
    long = [
        _spared("8a", sales, np.flatnonzero(spared & (sales.long_term == 1))),
        *(_boxed(line, form) for line in ("8b", "9", "10")),
        ScheduleDLine(line="14", gain_cents=-carry_long_cents),
    ]
    net_short, net_long = _net("7", short), _net("15", long)
    return (*short, net_short, *long, net_long, _net("16", [net_short, net_long]))


def whole_dollars(line: ScheduleDLine) -> ScheduleDLine:
    """The line with every amount rounded: below 50 cents down, from 50 cents up (in size)."""
    return ScheduleDLine(
        line=line.line,
        proceeds_cents=rounded(line.proceeds_cents),
        basis_cents=rounded(line.basis_cents),
        adjustment_cents=rounded(line.adjustment_cents),
        gain_cents=rounded(line.gain_cents),
    )


def rounded(cents: int) -> int:
    """Cents to the nearest dollar, still in cents; half away from zero."""
    dollars = (abs(cents) + CENTS_PER_USD // 2) // CENTS_PER_USD
    return (-dollars if cents < 0 else dollars) * CENTS_PER_USD


def _spared(line: str, sales: ReportedSales, rows: Ints) -> ScheduleDLine:
    proceeds, basis = int(sales.proceeds_cents[rows].sum()), int(sales.basis_cents[rows].sum())
    return ScheduleDLine(line=line, proceeds_cents=proceeds, basis_cents=basis, gain_cents=proceeds - basis)


def _boxed(line: str, form: Form8949) -> ScheduleDLine:
    rows = np.flatnonzero(np.array(form.box, "U1") == _BOX_OF[line])
    return ScheduleDLine(
        line=line,
        proceeds_cents=int(form.proceeds_cents[rows].sum()),
        basis_cents=int(form.basis_cents[rows].sum()),
        adjustment_cents=int(form.adjustment_cents[rows].sum()),
        gain_cents=int(form.gain_cents[rows].sum()),
    )


def _net(line: str, parts: list[ScheduleDLine]) -> ScheduleDLine:
    return ScheduleDLine(line=line, gain_cents=sum(part.gain_cents for part in parts))
