"""What ``allotment tax forms`` writes: the year's forms as CSV, and TXF.

The columns are told in docs/reference/files/tax-forms.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.feeds.form_1099b_file import form_1099b_csv
from allotment.feeds.ledger_dividends import DividendSums
from allotment.feeds.ledger_year import LedgerYear
from allotment.feeds.txf import txf
from allotment.tax.broker_view import Reason, ReportedSales
from allotment.tax.form_1099b import form_1099b
from allotment.tax.form_8949 import Form8949, form_8949, listed_rows, summed_up
from allotment.tax.schedule_d import ScheduleDLine, rounded, schedule_d, whole_dollars
from allotment.tax.tie_out import Figures, PrintedForm, TieOutRow, Verdict, tie_out, with_printed
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Codes, format_scaled

_FORM_COLUMNS = (
    "box", "description", "acquired", "sold", "proceeds", "basis", "codes", "adjustment", "gain",
    "account", "reason",
)  # fmt: skip
_TIE_COLUMNS = (
    "account", "symbol", "acquired", "sold", "verdict", "reason", "quantity_ours", "quantity_theirs",
    "proceeds_ours", "proceeds_theirs", "basis_ours", "basis_theirs", "wash_ours", "wash_theirs",
    "term_ours", "term_theirs",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FormsRequest:
    """How to fill the forms in. carry_…: losses of last year in cents, positive."""

    whole_dollars: bool = False
    exception_2: bool = False
    carry_short_cents: int = 0
    carry_long_cents: int = 0
    printed: PrintedForm | None = None  # the custodian's own 1099-B
    exported: date
    program: str = "Allotment"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxForms:
    """The files by name, and what a summary tells."""

    files: dict[str, str]
    schedule_d: tuple[ScheduleDLine, ...]
    dividends: DividendSums
    n_sales: int
    n_listed: int  # rows that the return must list; under Exception 2 on the statement
    n_rows: int  # rows of Form 8949 itself
    n_corrected_in_txf: int
    reasons: dict[str, int]  # rows that differ from the 1099-B, by reason
    verdicts: dict[str, int]  # of the tie-out, empty without one


def tax_forms(year: LedgerYear, request: FormsRequest) -> TaxForms:
    """Fill in every form of one ledger's year."""
    own = form_1099b(year.sales.sales)
    sales = year.sales.sales
    tied: tuple[TieOutRow, ...] = ()
    if request.printed is not None:
        tied = tie_out(own, _of_year(request.printed, year.year), year.readings)
        sales = with_printed(sales, request.printed)
    listed = form_8949(sales)
    form = summed_up(listed) if request.exception_2 else listed
    lines = schedule_d(sales, form, request.carry_short_cents, request.carry_long_cents)
    if request.whole_dollars:
        lines = tuple(whole_dollars(line) for line in lines)
    accounts, symbols = year.ledger.account_names, year.ledger.symbols
    record = txf(sales, listed_rows(sales, np.arange(len(sales))), symbols, request.exported, request.program)
    files = {
        "1099b.csv": form_1099b_csv(own, accounts, symbols),
        "form_8949.csv": _form_csv(form, sales, year, request),
        "schedule_d.csv": _schedule_csv(lines),
        "transactions.txf": record.text,
    }
    if request.exception_2:
        files["statement.csv"] = _form_csv(listed, sales, year, request)
    if request.printed is not None:
        files["tie_out.csv"] = _tie_csv(tied, accounts, symbols)
    return TaxForms(
        files=files,
        schedule_d=lines,
        dividends=year.dividends,
        n_sales=len(sales),
        n_listed=len(listed),
        n_rows=len(form),
        n_corrected_in_txf=record.n_corrected,
        reasons=_counted(year.sales.reasons),
        verdicts={
            str(verdict): count for verdict in Verdict if (count := sum(t.verdict == verdict for t in tied))
        },
    )


def _of_year(printed: PrintedForm, year: int) -> PrintedForm:
    mine = printed.sold.astype("M8[Y]") == np.datetime64(str(year), "Y")
    return PrintedForm(**{name: getattr(printed, name)[mine] for name in printed.__dataclass_fields__})


def _counted(reasons: Codes) -> dict[str, int]:
    codes, counts = np.unique(reasons[reasons > 0], return_counts=True)
    return {Reason(int(c)).label: int(n) for c, n in zip(codes, counts, strict=True)}


def _form_csv(form: Form8949, sales: ReportedSales, year: LedgerYear, request: FormsRequest) -> str:
    accounts, symbols, reasons = year.ledger.account_names, year.ledger.symbols, year.sales.reasons

    def amount(cents: int) -> str:
        if request.whole_dollars:
            return str(rounded(cents) // CENTS_PER_USD)
        return format_scaled(cents, CENTS_PER_USD)

    rows: list[tuple[str, ...]] = []
    for i in range(len(form)):
        at, account = int(form.row[i]), accounts[form.account_ix[i]]
        if at < 0:
            told = (f"{account}, see attached statement", "", "")
        else:
            shares = format_scaled(int(sales.quantity_nano[at]), NANO_PER_SHARE)
            told = (
                f"{shares} {symbols[sales.security_id[at]]}",
                str(sales.acquired[at]),
                str(sales.sold[at]),
            )
        rows.append(
            (
                form.box[i],
                *told,
                amount(int(form.proceeds_cents[i])),
                amount(int(form.basis_cents[i])),
                form.codes[i],
                amount(int(form.adjustment_cents[i])) if form.adjustment_cents[i] or form.codes[i] else "",
                amount(int(form.gain_cents[i])),
                account,
                Reason(int(reasons[at])).label if at >= 0 else "",
            )
        )
    return _csv(_FORM_COLUMNS, _by_box(rows))


def _by_box(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(rows, key=lambda row: row[0])


def _schedule_csv(lines: Sequence[ScheduleDLine]) -> str:
    return _csv(
        ("line", "proceeds", "basis", "adjustment", "gain"),
        (
            (
                line.line,
                format_scaled(line.proceeds_cents, CENTS_PER_USD),
                format_scaled(line.basis_cents, CENTS_PER_USD),
                format_scaled(line.adjustment_cents, CENTS_PER_USD),
                format_scaled(line.gain_cents, CENTS_PER_USD),
            )
            for line in lines
        ),
    )


def _tie_csv(tied: Sequence[TieOutRow], accounts: Sequence[str], symbols: Sequence[str]) -> str:
    rows = []
    for row in tied:
        sides = [_figures(row.ours), _figures(row.theirs)]
        rows.append(
            (
                accounts[row.account_ix],
                symbols[row.security_id],
                "VARIOUS" if np.isnat(row.acquired) else str(row.acquired),
                str(row.sold),
                str(row.verdict),
                row.reason.label,
                *(cell for pair in zip(*sides, strict=True) for cell in pair),
            )
        )
    return _csv(_TIE_COLUMNS, rows)


def _figures(figures: Figures | None) -> tuple[str, ...]:
    if figures is None:
        return ("",) * 5
    return (
        format_scaled(figures.quantity_nano, NANO_PER_SHARE),
        format_scaled(figures.proceeds_cents, CENTS_PER_USD),
        format_scaled(figures.basis_cents, CENTS_PER_USD),
        format_scaled(figures.disallowed_cents, CENTS_PER_USD),
        {0: "S", 1: "L"}.get(figures.long_term, ""),
    )


def _csv(columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
