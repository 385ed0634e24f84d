"""`allotment import`: files in, or a list of what is wrong with them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allotment.cli import output

if TYPE_CHECKING:
    from allotment.jobs.importing import FileOutcome, ImportReport

_SHOWN = 20  # mistakes per file on the terminal
_IN_JSON = 1000  # mistakes per file in JSON; `n_mistakes` counts all


def import_command(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files.")],
    kind: Annotated[str, typer.Option(help="Kind of the files (default: by name or columns).")] = "",
    asof: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day that lots and cash describe (default: today)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Import securities, prices, index weights, clients, mandates and lots from files.

    A file is loaded whole or not at all; every mistake is told with its line and column.
    """
    from allotment.jobs.importing import ImportRequest, import_files
    from allotment.store.database import Store

    day = asof.date() if asof else datetime.now().astimezone().date()
    request = ImportRequest(paths=tuple(paths), asof=day, kind=kind)
    with Store.open(context.obj) as store, output.progress(quiet=as_json) as advance:
        report = import_files(store, request, advance)
    output.emit(_facts(report), as_json=as_json, show=lambda: _show(report))
    for file in report.files:
        _show_mistakes(file)
    if not report.is_complete:
        raise typer.Exit(2)


def _facts(report: ImportReport) -> dict[str, Any]:
    def one(file: FileOutcome) -> dict[str, Any]:
        return {
            "file": file.file,
            "kind": file.kind,
            "state": file.state.value,
            "rows": file.n_rows,
            "seconds": round(file.seconds, 3),
            "note": file.note,
            "n_mistakes": len(file.mistakes),
            "mistakes": [
                {"line": m.line, "column": m.column, "found": m.found, "remedy": m.remedy}
                for m in file.mistakes[:_IN_JSON]
            ],
        }

    return {
        "firm": report.firm,
        "asof": report.asof.isoformat(),
        "files": [one(file) for file in report.files],
    }


def _show(report: ImportReport) -> None:
    from rich.table import Table

    table = Table("file", "kind", box=None, header_style="bold")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("")
    told: list[str] = []
    for file in report.files:
        state = f"{len(file.mistakes)} mistake(s), nothing loaded" if file.mistakes else file.state.value
        summary, *lines = file.note.split("\n")
        told += lines
        note = f"{state}: {summary}" if summary else state
        table.add_row(file.file, file.kind or "?", f"{file.n_rows:,}", f"{file.seconds:.1f}", note)
    output.console.print(table)
    for line in told[:_SHOWN]:
        output.console.print(line, style="bold yellow", markup=False, highlight=False, soft_wrap=True)
    if len(told) > _SHOWN:
        output.console.print(f"… and {len(told) - _SHOWN:,} more; --json lists them.", style="yellow")


def _show_mistakes(file: FileOutcome) -> None:
    for mistake in file.mistakes[:_SHOWN]:
        output.errors.print(str(mistake), markup=False, highlight=False)
    more = len(file.mistakes) - _SHOWN
    if more > 0:
        output.errors.print(f"{file.file}: … and {more:,} more mistakes", markup=False, highlight=False)
