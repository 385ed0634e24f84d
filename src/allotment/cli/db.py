"""`allotment db …`: the database server of this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from allotment.cli import output
from allotment.settings import Settings

app = typer.Typer(help="The database: start, stop, look, check, back up, restore.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
_OTHER = "ALLOTMENT_DATABASE_URL names a server of your own; it is not ours to start or stop."


@app.command()
def start(context: typer.Context, as_json: AsJson = False) -> None:
    """Start the server, or find it running. Other commands do so by themselves."""
    settings: Settings = context.obj
    if settings.database_url:
        return _say(as_json, {"database": "other", "running": None}, _OTHER)
    from allotment.store.server import Server

    state = Server(settings.home).start()
    facts = {"database": "own", "running": True, "pid": state.pid, "host": state.host, "port": state.port}
    return _say(as_json, facts, f"running as process {state.pid}, files in {state.base}")


@app.command()
def stop(context: typer.Context, as_json: AsJson = False) -> None:
    """Stop the server; open transactions are rolled back."""
    settings: Settings = context.obj
    if settings.database_url:
        return _say(as_json, {"database": "other", "stopped": False}, _OTHER)
    from allotment.store.server import Server

    stopped = Server(settings.home).stop()
    return _say(
        as_json, {"database": "own", "stopped": stopped}, "stopped" if stopped else "it was not running"
    )


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Is the server running, and what does it hold? Starts nothing."""
    settings: Settings = context.obj
    facts: dict[str, Any] = {"database": "other" if settings.database_url else "own"}
    if not settings.database_url:
        from allotment.store.server import Server

        state = Server(settings.home).state()
        facts |= {"running": state.is_ready, "pid": state.pid or None, "files": str(state.base)}
        if not state.is_ready:
            return _say(as_json, facts, "not running; `allotment db start` starts it")
    from allotment.store.database import Store

    with Store.open(settings) as store:
        row = store.owner.execute(
            "SELECT current_setting('server_version'), pg_database_size(current_database())"
        ).fetchone()
        assert row is not None
        facts |= {
            "version": row[0],
            "bytes": row[1],
            "firms": {one.name: {"market": one.market, "title": one.title} for one in store.firms()},
        }
    firms = ", ".join(facts["firms"]) or "none"
    return _say(
        as_json, facts, f"PostgreSQL {facts['version']}, {facts['bytes'] / 1e6:,.0f} MB; firms: {firms}"
    )


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Is the database durable, up to date, and every firm kept apart? Exit code 3 if not."""
    from allotment.store.check import check as look
    from allotment.store.database import Store

    with Store.open(context.obj) as store:
        findings = look(store)
    n_bad = sum(not one.is_good for one in findings)
    facts = {
        "good": n_bad == 0,
        "findings": [{"subject": one.subject, "good": one.is_good, "found": one.found} for one in findings],
    }

    def show() -> None:
        for one in findings:
            mark = "[green]good[/]" if one.is_good else "[bold red]bad [/]"
            output.console.print(f"{mark}  {one.subject}: {one.found}", highlight=False)

    output.emit(facts, as_json=as_json, show=show)
    if n_bad:
        raise typer.Exit(3)


@app.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file.")],
    as_json: AsJson = False,
) -> None:
    """Write everything to one file, while work goes on."""
    from allotment.store.backup import back_up

    made = back_up(context.obj, file)
    return _say(
        as_json,
        {"file": str(file), "bytes": made.n_bytes, "firms": list(made.firms), "seconds": made.seconds},
        f"{file}: {made.n_bytes / 1e6:,.1f} MB, firms {', '.join(made.firms) or 'none'}",
    )


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup.")],
    as_json: AsJson = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace everything by a backup. Nothing changes unless it can be restored whole."""
    from allotment.store.backup import restore as bring_back

    if not (yes or as_json):
        typer.confirm(f"Replace all data in {context.obj.home} by {file}?", abort=True, err=True)
    made = bring_back(context.obj, file)
    return _say(
        as_json,
        {"file": str(file), "bytes": made.n_bytes, "firms": list(made.firms), "seconds": made.seconds},
        f"restored: firms {', '.join(made.firms) or 'none'}",
    )


def _say(as_json: bool, facts: dict[str, Any], sentence: str) -> None:
    output.emit(facts, as_json=as_json, show=lambda: output.console.print(sentence, highlight=False))
