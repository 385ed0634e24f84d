"""Tax Exchange Format, version 042, as tax programs import it.

Format: Intuit, TXF specification V042 of 30 November 2011 [P]. Record format 4 (without) and 5 (with
a wash amount); reference numbers 321, 711, 712 for short-term sales of boxes A, B, C and 323, 713,
714 for long-term ones of D, E, F. TXF knows no codes B, T, M: a sale whose 1099-B is wrong is
exported with its true basis and term as if its basis had not been reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.tax.broker_view import ReportedSales
from allotment.tax.form_8949 import Form8949
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, format_scaled

_REFERENCE = {"A": 321, "B": 711, "C": 712, "D": 323, "E": 713, "F": 714}
_UNREPORTED = {"A": "B", "D": "E"}


@dataclass(frozen=True, slots=True)
class Txf:
    """The file, and how many sales TXF could only carry as not reported (codes B, T)."""

    text: str
    n_corrected: int


def txf(sales: ReportedSales, form: Form8949, symbols: Sequence[str], exported: date, program: str) -> Txf:
    """Every sale as one record. form: `tax.form_8949.listed_rows` of all sales, one row each."""
    assert np.array_equal(form.row, np.arange(len(sales)))
    lines = ["V042", f"A{program}", f"D{_day(np.datetime64(exported))}", "^"]
    n_corrected = 0
    for i in range(len(sales)):
        box, basis, washed = form.box[i], int(sales.basis_cents[i]), int(sales.disallowed_cents[i])
        if set(form.codes[i]) & {"B", "T"}:
            box = _UNREPORTED.get(box, box)
            n_corrected += 1
        shares = format_scaled(int(sales.quantity_nano[i]), NANO_PER_SHARE)
        lines += [
            "TD",
            f"N{_REFERENCE[box]}",
            "C1",
            "L1",
            f"P{shares} {symbols[sales.security_id[i]]}",
            f"D{_day(sales.acquired[i])}",
            f"D{_day(sales.sold[i])}",
            f"${_usd(basis)}",
            f"${_usd(int(sales.proceeds_cents[i]))}",
        ]
        if washed:
            lines.append(f"${_usd(washed)}")
        lines.append("^")
    return Txf("\n".join(lines) + "\n", n_corrected)


def _day(day: np.datetime64) -> str:
    return "" if np.isnat(day) else day.astype("M8[D]").item().strftime("%m/%d/%Y")


def _usd(cents: int) -> str:
    return format_scaled(cents, CENTS_PER_USD)
