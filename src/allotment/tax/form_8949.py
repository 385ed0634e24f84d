"""Form 8949 rows and Schedule D lines out of sales in the taxpayer's and the broker's view.

Law: 26 U.S.C. §6045(g) for what the broker reports; Instructions for Form 8949 [S]: boxes A, D for
covered sales, B, E for others; codes B (basis of the 1099-B is wrong), T (its term is wrong), W
(wash sale), in alphabetical order; column (g) makes (d) - (e) + (g) our gain. Exception 1: covered
sales without adjustment never need a row, their totals go on Schedule D lines 1a and 8a.
Left out: Exception 2 (code M), sales without a 1099-B (boxes C, F), digital assets (G to L),
market discount (D), nominees (N).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from allotment.units import Bools, Codes, Dates, Index, Ints

NOTICE = "No tax advice."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSales:
    """Sales of one taxpayer and year, one row a lot and term, shape (n_sales,).

    `broker_…` is what the 1099-B shows for the same shares.
    """

    account_ix: Index
    sale: Ints  # id of the sale
    security_id: Ints
    acquired: Dates
    sold: Dates
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints
    disallowed_cents: Ints
    long_term: Codes
    covered: Codes
    broker_basis_cents: Ints
    broker_disallowed_cents: Ints
    broker_long_term: Codes

    def __len__(self) -> int:
        return int(self.sale.shape[0])

    @property
    def gain_cents(self) -> Ints:
        """Recognised."""
        return self.proceeds_cents - self.basis_cents + self.disallowed_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Form8949:
    """Rows that must be listed, shape (n_rows,), columns (d) to (h) of the form."""

    row: Ints  # of ReportedSales
    box: tuple[str, ...]  # A, B, D, E
    codes: tuple[str, ...]  # column (f)
    proceeds_cents: Ints  # (d)
    basis_cents: Ints  # (e)
    adjustment_cents: Ints  # (g)
    gain_cents: Ints  # (h)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDLine:
    """One line of Schedule D, cents."""

    line: str
    proceeds_cents: int
    basis_cents: int
    adjustment_cents: int
    gain_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalGainForms:
    """Both forms of one taxpayer's year."""

    form_8949: Form8949
    schedule_d: tuple[ScheduleDLine, ...]  # 1a, 1b, 2, 7, 8a, 8b, 9, 15, 16


_BOX_LINE = {"A": "1b", "B": "2", "D": "8b", "E": "9"}


def needs_row(sales: ReportedSales) -> Bools:
    """False where Exception 1 spares the row: covered, and the 1099-B is right and shows no
    wash sale."""
    right = (
        (sales.basis_cents == sales.broker_basis_cents)
        & (sales.disallowed_cents == 0)
        & (sales.broker_disallowed_cents == 0)
        & (sales.long_term == sales.broker_long_term)
    )
    listed: Bools = ~(right & (sales.covered == 1))
    return listed


def capital_gain_forms(sales: ReportedSales) -> CapitalGainForms:
    """Form 8949 and Schedule D, in the order of `sales`."""
    listed = np.flatnonzero(needs_row(sales))
    form = _form_8949(sales, listed)
    spared = np.setdiff1d(np.arange(len(sales)), listed)
    lines = [
        _spared_line("1a", sales, spared[sales.long_term[spared] == 0]),
        *(_listed_line(box, form) for box in ("A", "B")),
        _spared_line("8a", sales, spared[sales.long_term[spared] == 1]),
        *(_listed_line(box, form) for box in ("D", "E")),
    ]
    short = _sum("7", lines[:3])
    long = _sum("15", lines[3:])
    return CapitalGainForms(
        form_8949=form, schedule_d=(*lines[:3], short, *lines[3:], long, _sum("16", [short, long]))
    )


def _form_8949(sales: ReportedSales, listed: Ints) -> Form8949:
    covered, long = sales.covered[listed] == 1, sales.long_term[listed] == 1
    # A covered sale keeps the printed basis and is put right in (g); of others the basis was
    # not reported, so the right one stands in (e).
    wrong_basis = covered & (sales.basis_cents[listed] != sales.broker_basis_cents[listed])
    basis = np.where(covered, sales.broker_basis_cents[listed], sales.basis_cents[listed])
    proceeds, gain = sales.proceeds_cents[listed], sales.gain_cents[listed]
    washed = (sales.disallowed_cents[listed] != 0) | (sales.broker_disallowed_cents[listed] != 0)
    wrong_term = sales.long_term[listed] != sales.broker_long_term[listed]
    boxes = np.where(long, np.where(covered, "D", "E"), np.where(covered, "A", "B"))
    return Form8949(
        row=listed,
        box=tuple(boxes.tolist()),
        codes=tuple(
            "B" * bool(b) + "T" * bool(t) + "W" * bool(w)
            for b, t, w in zip(wrong_basis, wrong_term, washed, strict=True)
        ),
        proceeds_cents=proceeds,
        basis_cents=basis,
        adjustment_cents=gain - (proceeds - basis),
        gain_cents=gain,
    )


def _spared_line(line: str, sales: ReportedSales, rows: Ints) -> ScheduleDLine:
    proceeds, basis = int(sales.proceeds_cents[rows].sum()), int(sales.basis_cents[rows].sum())
    return ScheduleDLine(
        line=line,
        proceeds_cents=proceeds,
        basis_cents=basis,
        adjustment_cents=0,
        gain_cents=proceeds - basis,
    )


def _listed_line(box: str, form: Form8949) -> ScheduleDLine:
    rows = np.flatnonzero(np.array(form.box, "U1") == box)
    return ScheduleDLine(
        line=_BOX_LINE[box],
        proceeds_cents=int(form.proceeds_cents[rows].sum()),
        basis_cents=int(form.basis_cents[rows].sum()),
        adjustment_cents=int(form.adjustment_cents[rows].sum()),
        gain_cents=int(form.gain_cents[rows].sum()),
    )


def _sum(line: str, parts: list[ScheduleDLine]) -> ScheduleDLine:
    names = [part.name for part in fields(ScheduleDLine) if part.name != "line"]
    return ScheduleDLine(line=line, **{name: sum(getattr(part, name) for part in parts) for name in names})
