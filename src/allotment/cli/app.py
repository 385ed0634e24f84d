"""The command line's frame: options that every command shares, and the list of commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from allotment import __version__, settings
from allotment.cli import (
    actions,
    bench,
    db,
    household,
    importing,
    in_kind,
    ledger,
    optimize,
    output,
    run,
    sleeves,
    tax,
    what_if,
)

app = typer.Typer(
    name="allotment",
    help="Open direct indexing: own the index share by share, one account at a time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.console.print(f"allotment {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Data folder (default: the user's data folder).")] = None,
    firm: Annotated[str | None, typer.Option(help="Firm to work for (default: the one used last).")] = None,
    actor: Annotated[str | None, typer.Option(help="Who acts (default: the local actor).")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of batch work (default: one per core).")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Options that every command shares; they stand before the command."""
    flags = {"home": home, "firm": firm, "actor": actor, "threads": threads, "log_level": log_level}
    loaded = settings.load(flags)
    output.start_log(loaded.home / "logs", loaded.log_level)
    context.obj = loaded


config = typer.Typer(help="Settings and where each came from.", no_args_is_help=True)


@config.command("show")
def config_show(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Show every setting with its source."""
    loaded: settings.Settings = context.obj
    values = {
        name: {"value": getattr(loaded, name), "source": source} for name, source in loaded.sources.items()
    }

    def show() -> None:
        from rich.table import Table

        table = Table("setting", "value", "from", box=None, header_style="bold")
        for name, entry in values.items():
            table.add_row(name, str(entry["value"]), str(entry["source"]))
        table.add_row("log", str(loaded.home / "logs" / "allotment.log"), "home")
        output.console.print(table)

    output.emit(values, as_json=as_json, show=show)


app.add_typer(config, name="config")

for command in (run.init, run.rebalance, run.explain, run.demo, optimize.optimize, bench.bench):
    app.command()(command)
app.command("what-if")(what_if.what_if)
app.command("frontier")(what_if.frontier)
app.command("import")(importing.import_command)
app.add_typer(actions.app, name="actions")
app.add_typer(db.app, name="db")
app.add_typer(ledger.app, name="ledger")
app.add_typer(household.app, name="household")
app.add_typer(in_kind.app, name="in-kind")
app.add_typer(tax.app, name="tax")
app.add_typer(sleeves.app, name="sleeves")
