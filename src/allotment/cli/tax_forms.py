"""``allotment tax forms``: Form 1099-B, Form 8949, Schedule D and TXF of a ledger's year."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allotment import __version__
from allotment.cli import output
from allotment.errors import UsageError
from allotment.units import CENTS_PER_USD, parse_cents

if TYPE_CHECKING:
    from allotment.feeds.tax_forms import TaxForms

NOTICE = "Filled in from the transactions given; this is no tax advice."


class Owner(StrEnum):
    """Whose return."""

    BOTH = "both"
    TAXPAYER = "taxpayer"
    SPOUSE = "spouse"


def forms(
    ledger: Annotated[Path, typer.Argument(help="A ledger file.")],
    year: Annotated[int, typer.Option(min=1990, max=2100, help="Tax year.")],
    out: Annotated[Path, typer.Option(help="Folder for the forms.")],
    owner: Annotated[Owner, typer.Option(help="Whose accounts; both for a joint return.")] = Owner.BOTH,
    whole_dollars: Annotated[bool, typer.Option(help="Round every amount to dollars.")] = False,
    exception_2: Annotated[
        bool, typer.Option("--exception-2", help="One row a box and broker, the rest on a statement.")
    ] = False,
    form_1099b: Annotated[
        Path | None, typer.Option("--form-1099b", help="The custodian's 1099-B as CSV, to tie out.")
    ] = None,
    carry_short: Annotated[str, typer.Option(help="Short-term loss carried in, dollars.")] = "0",
    carry_long: Annotated[str, typer.Option(help="Long-term loss carried in, dollars.")] = "0",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Fill in the year's forms: what needs a row, with box, codes and adjustment, and the totals.

    Ends with 3 when the custodian's 1099-B differs from ours by more than a de minimis amount.
    """
    from allotment.cli.tax import read
    from allotment.feeds.form_1099b_file import read_form_1099b
    from allotment.feeds.ledger_year import ledger_year
    from allotment.feeds.tax_forms import FormsRequest, tax_forms

    known = read(ledger)
    printed = None
    if form_1099b is not None:
        try:
            data = form_1099b.read_bytes()
        except OSError as error:
            raise UsageError(f"{form_1099b} cannot be read: {error.strerror}.") from None
        printed = read_form_1099b(data, str(form_1099b), known.account_names, known.symbols)
    request = FormsRequest(
        whole_dollars=whole_dollars,
        exception_2=exception_2,
        carry_short_cents=_dollars(carry_short, "--carry-short"),
        carry_long_cents=_dollars(carry_long, "--carry-long"),
        printed=printed,
        exported=datetime.now(tz=UTC).date(),
        program=f"Allotment {__version__}",
    )
    made = tax_forms(ledger_year(known, year, "" if owner is Owner.BOTH else str(owner)), request)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in made.files.items():
        (out / name).write_text(text)
    net = {line.line: line.gain_cents / CENTS_PER_USD for line in made.schedule_d}
    facts = {
        "year": year,
        "out": str(out),
        "files": sorted(made.files),
        "sales": made.n_sales,
        "rows_listed": made.n_listed,
        "rows_of_form_8949": made.n_rows,
        "schedule_d": net,
        "dividends": {name: cents / CENTS_PER_USD for name, cents in asdict(made.dividends).items()},
        "differences_by_reason": made.reasons,
        "tie_out": made.verdicts,
        "txf_corrected": made.n_corrected_in_txf,
        "notice": NOTICE,
    }
    output.emit(facts, as_json=as_json, show=lambda: _show(made, year, out))
    if made.verdicts.keys() - {"equal", "de minimis"}:
        raise typer.Exit(3)


def _dollars(text: str, option: str) -> int:
    try:
        cents = parse_cents(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}; give dollars such as 3000.") from None
    if cents < 0:
        raise UsageError(f"{option}: a loss carried in is a positive amount.")
    return cents


def _show(made: TaxForms, year: int, out: Path) -> None:
    from rich.table import Table

    say = output.console.print
    say(f"{year}: {made.n_sales:,} sales, {made.n_listed:,} of which a return must list.", highlight=False)
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("Schedule D line")
    for column in ("proceeds", "basis", "adjustment", "gain or loss"):
        table.add_column(column, justify="right")
    for line in made.schedule_d:
        amounts = (line.proceeds_cents, line.basis_cents, line.adjustment_cents, line.gain_cents)
        if any(amounts) or line.line in {"7", "15", "16"}:
            table.add_row(line.line, *(f"{cents / CENTS_PER_USD:,.2f}" if cents else "" for cents in amounts))
    say(table)
    if paid := {name: cents for name, cents in asdict(made.dividends).items() if cents}:
        sums = ", ".join(f"{name.replace('_', ' ')} {c / CENTS_PER_USD:,.2f}" for name, c in paid.items())
        say(f"Dividends: {sums}", highlight=False)
    for title, counts in (("Differs from the 1099-B", made.reasons), ("Tie-out", made.verdicts)):
        if counts:
            say(f"{title}: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()), highlight=False)
    if made.n_corrected_in_txf:
        say(
            f"TXF has no codes B and T; sales in it as if not reported: {made.n_corrected_in_txf:,}.",
            highlight=False,
        )
    say(f"Written to {out}: {', '.join(sorted(made.files))}", highlight=False)
    say(NOTICE)
