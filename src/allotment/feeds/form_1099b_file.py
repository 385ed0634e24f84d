"""A custodian's Form 1099-B as CSV, in and out (docs/reference/files/form-1099b.md)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from allotment.errors import BadFileError, BadRow
from allotment.feeds.lines import split_lines
from allotment.tax.form_1099b import Form1099B
from allotment.tax.tie_out import UNKNOWN_TERM, PrintedForm
from allotment.units import (
    CENTS_PER_USD,
    NANO_PER_SHARE,
    format_scaled,
    parse_cents,
    parse_nano,
)

COLUMNS = (
    "account", "symbol", "quantity", "acquired", "sold", "proceeds", "basis", "wash", "term", "covered",
)  # fmt: skip
_NEEDED = frozenset({"account", "symbol", "quantity", "sold", "proceeds"})
_TERMS = {"S": 0, "L": 1, "": UNKNOWN_TERM}
_COVERED = {"Y": 1, "N": 0, "": 1}


def form_1099b_csv(form: Form1099B, accounts: Sequence[str], symbols: Sequence[str]) -> str:
    """The form as this project writes and reads it. Boxes that a noncovered sale leaves blank are
    blank."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for i in range(len(form.row)):
        covered = bool(form.covered[i])
        writer.writerow(
            (
                accounts[form.account_ix[i]],
                symbols[form.security_id[i]],
                format_scaled(int(form.quantity_nano[i]), NANO_PER_SHARE),
                str(form.acquired[i]),
                str(form.sold[i]),
                format_scaled(int(form.proceeds_cents[i]), CENTS_PER_USD),
                format_scaled(int(form.basis_cents[i]), CENTS_PER_USD) if covered else "",
                format_scaled(int(form.disallowed_cents[i]), CENTS_PER_USD) if covered else "",
                ("L" if form.long_term[i] else "S") if covered else "",
                "Y" if covered else "N",
            )
        )
    return out.getvalue()


def read_form_1099b(data: bytes, file: str, accounts: Sequence[str], symbols: Sequence[str]) -> PrintedForm:
    """A custodian's form. Raises BadFileError with every mistake, its line and column."""
    lines = split_lines(data, file)
    mistakes = list(lines.bad)
    header = lines.header
    mistakes += [
        BadRow(file, 1, name, "the column is missing", f"give the columns {', '.join(COLUMNS)}")
        for name in sorted(_NEEDED - set(header))
    ]
    mistakes += [
        BadRow(file, 1, name, "an unknown column", f"known are {', '.join(COLUMNS)}")
        for name in header
        if name not in COLUMNS
    ]
    if mistakes:
        raise BadFileError(mistakes)
    known = {
        "account": {name: i for i, name in enumerate(accounts)},
        "symbol": {name: i for i, name in enumerate(symbols)},
    }
    rows = []
    text = io.StringIO(bytes(lines.body).decode())
    for line, cells in zip(lines.numbers.tolist(), csv.reader(text), strict=True):
        found = dict(zip(header, cells, strict=True))
        rows.append(_row(found, file, line, known, mistakes))
    if mistakes:
        raise BadFileError(mistakes)
    return _form(rows)


def _row(
    cells: Mapping[str, str],
    file: str,
    line: int,
    known: Mapping[str, Mapping[str, int]],
    mistakes: list[BadRow],
) -> dict[str, Any]:
    row: dict[str, Any] = {}

    def read(column: str, parse: Any, remedy: str) -> None:
        given = cells.get(column, "").strip()
        try:
            row[column] = parse(given)
        except (ValueError, KeyError):
            mistakes.append(BadRow(file, line, column, f"found {given!r}", remedy))

    read("account", known["account"].__getitem__, f"give one of {', '.join(known['account'])}")
    read("symbol", known["symbol"].__getitem__, "give a symbol of the ledger")
    read("quantity", parse_nano, "give a number of shares such as 12.5")
    read("acquired", _acquired, "give a date as YYYY-MM-DD, VARIOUS, or nothing")
    read("sold", date.fromisoformat, "give a date as YYYY-MM-DD")
    read("proceeds", parse_cents, "give dollars such as 1234.56")
    read("basis", _amount, "give dollars such as 1234.56, or nothing")
    read("wash", _amount, "give dollars such as 1234.56, or nothing")
    read("term", _TERMS.__getitem__, "give S, L or nothing")
    read("covered", _COVERED.__getitem__, "give Y, N or nothing (Y)")
    return row


def _amount(text: str) -> int:
    return parse_cents(text) if text else 0


def _acquired(text: str) -> date | None:
    return None if text.upper() in {"", "VARIOUS"} else date.fromisoformat(text)


def _form(rows: Sequence[Mapping[str, Any]]) -> PrintedForm:
    def column(name: str, kind: str) -> Any:
        return np.array([row[name] for row in rows], kind)

    return PrintedForm(
        account_ix=column("account", "i4"),
        security_id=column("symbol", "i8"),
        quantity_nano=column("quantity", "i8"),
        acquired=column("acquired", "M8[D]"),
        sold=column("sold", "M8[D]"),
        proceeds_cents=column("proceeds", "i8"),
        basis_cents=column("basis", "i8"),
        disallowed_cents=column("wash", "i8"),
        long_term=column("term", "i1"),
        covered=column("covered", "i1"),
    )
