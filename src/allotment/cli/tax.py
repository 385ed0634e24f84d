"""``allotment tax …``: the law on a ledger file, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from allotment.cli import output, tax_diff, tax_forms
from allotment.errors import BadFileError, BadRow, UsageError
from allotment.feeds.ledger_dividends import dividend_parts
from allotment.feeds.ledger_explain import explain_lot
from allotment.feeds.ledger_flags import flags
from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.feeds.replay_files import NOTICE, checks_json, dividends_csv, lots_csv, realized_csv
from allotment.tax.folded import Folded

app = typer.Typer(
    help="The tax law on ledger files: lots, wash sales, gains. No tax advice.", no_args_is_help=True
)


app.command("forms")(tax_forms.forms)
app.command("diff")(tax_diff.diff)


@app.command("replay")
def replay_files(
    ledgers: Annotated[list[Path], typer.Argument(help="Ledger files, one household each.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; several files get one folder each.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Work out realised gains, wash sales and open lots of ledger files.

    A file with mistakes is refused whole and nothing of it is written; the other files are done.
    """
    folders = _folders(ledgers, out)
    mistakes: list[BadRow] = []
    done: list[dict[str, Any]] = []
    for file, folder in zip(ledgers, folders, strict=True):
        try:
            ledger, folded = _replayed(file)
        except BadFileError as error:
            mistakes += error.rows
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "realized.csv").write_text(realized_csv(ledger, folded))
        (folder / "lots.csv").write_text(lots_csv(ledger, folded))
        parts = dividend_parts(ledger, folded)
        if any(fact.type == "dividend" for fact in ledger.facts):
            (folder / "dividends.csv").write_text(dividends_csv(ledger, parts))
        flagged = flags(ledger, folded, parts)
        (folder / "checks.json").write_text(checks_json(folded, flagged))
        seen = [f"{flag.transaction}: {flag.rule}, {flag.found}" for flag in flagged]
        facts = {"file": str(file), "out": str(folder), "transactions": len(ledger.entries)}
        done.append(facts | ({"flags": seen} if seen else {}))
    if mistakes:
        raise BadFileError(mistakes)
    output.emit({"ledgers": done, "notice": NOTICE}, as_json=as_json, show=lambda: _show(done))


@app.command("explain")
def explain(
    ledger: Annotated[Path, typer.Argument(help="A ledger file.")],
    lot: Annotated[str, typer.Argument(help="Id of the transaction that made the lot.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell the life of one lot, with the rule at each step."""
    known, folded = _replayed(ledger)
    if lot not in known.ids:
        raise UsageError(f"{ledger} has no transaction {lot!r}; a lot is named by the one that made it.")
    steps = explain_lot(known, folded, lot)
    output.emit(
        {"lot": lot, "steps": steps, "notice": NOTICE},
        as_json=as_json,
        show=lambda: output.console.print(
            "\n".join((*steps, NOTICE)), markup=False, highlight=False, soft_wrap=True
        ),
    )


def _replayed(file: Path) -> tuple[Ledger, Folded]:
    ledger = read(file)
    return ledger, replay(ledger)


def read(file: Path) -> Ledger:
    """The ledger of a file. Raises BadFileError with every mistake in it."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        row = BadRow(
            file=str(file), line=0, column="", found=f"not readable: {error}", remedy="give a text file"
        )
        raise BadFileError([row]) from None
    return read_ledger(text, str(file))


def _folders(ledgers: list[Path], out: Path) -> list[Path]:
    if len(ledgers) == 1:
        return [out]
    stems = [file.stem for file in ledgers]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise UsageError(f"several files are called {', '.join(twice)}; their results would share a folder.")
    return [out / stem for stem in stems]


def _show(done: list[dict[str, Any]]) -> None:
    for entry in done:
        output.console.print(
            f"{entry['file']}: {entry['transactions']} transactions → {entry['out']}",
            markup=False,
            highlight=False,
        )
        for flag in entry.get("flags", ()):
            output.console.print(f"  look at {flag}", markup=False, highlight=False, style="yellow")
    output.console.print(NOTICE)
