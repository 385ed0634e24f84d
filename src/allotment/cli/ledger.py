"""`allotment ledger …`: the books, at any time, verified, corrected, proven, and built anew elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from allotment.cli import ledger_shown, output

app = typer.Typer(
    help="The books: show, verify, correct, prove, write out and build anew.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Code = Annotated[str, typer.Argument(help="Account code.")]
_DAY = ["%Y-%m-%d"]
AsOf = Annotated[datetime | None, typer.Option("--as-of", formats=_DAY, help="Effective by this day.")]
KnownAt = Annotated[
    str, typer.Option(help="As it was known: a ledger sequence, a day or a time (default: now).")
]


@app.command()
def show(
    context: typer.Context,
    account: Code,
    as_of: AsOf = None,
    known_at: KnownAt = "",
    broker: Annotated[bool, typer.Option("--broker", help="The custodian's view of basis.")] = False,
    sales: Annotated[bool, typer.Option("--sales", help="What was sold, in place of open lots.")] = False,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show an account's lots, or sales, and cash: on any day, as it was known at any time."""
    from allotment.jobs.past_books import past_books
    from allotment.store import market_tables
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        books = past_books(firm, account, as_of.date() if as_of else None, known_at)
        codes = {s.security_id: s.code for s in market_tables.load_securities(firm)}
    facts = ledger_shown.facts(books, codes, broker=broker)
    output.emit(facts, as_json=as_json, show=lambda: ledger_shown.account(facts, sales=sales, rows=rows))


@app.command()
def events(
    context: typer.Context,
    account: Code,
    rows: Annotated[int, typer.Option(min=1, help="How many to show, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the events of an account in the order in which they became known."""
    from allotment.store import book_tables, event_list, market_tables
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        found = event_list.events_of(firm, book_tables.find_account(firm, account).account_id)
        codes = {s.security_id: s.code for s in market_tables.load_securities(firm)}
    listed = [ledger_shown.event(one, codes) for one in found]
    output.emit(
        {"account": account, "events": listed},
        as_json=as_json,
        show=lambda: ledger_shown.events(listed, rows),
    )


@app.command()
def verify(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="Only the household of this account.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every household, and the chain of postings.")] = False,
    as_json: Json = False,
) -> None:
    """Derive everything anew from the events and compare it with what is stored, byte for byte.

    Exit code 3 when something differs.
    """
    from allotment.errors import UsageError
    from allotment.jobs.verification import verify as check
    from allotment.store import book_tables
    from allotment.store.database import Store

    if bool(account) == every:
        raise UsageError("say what to verify: --all, or --account CODE.")
    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        households = [book_tables.find_account(firm, account).household_id] if account else None
        found = check(firm, households, advance)
    facts = asdict(found) | {"is_clean": found.is_clean}
    output.emit(facts, as_json=as_json, show=lambda: ledger_shown.verification(found))
    if not found.is_clean:
        raise typer.Exit(3)


@app.command()
def reverse(
    context: typer.Context,
    event: Annotated[int, typer.Argument(help="Ledger sequence of the event.")],
    reason: Annotated[str, typer.Option(help="Why; it is the source of the reversal.")],
    as_json: Json = False,
) -> None:
    """Withdraw an event. Everything after it is derived anew, and what changed is told."""
    from allotment.jobs.correcting import reversal

    _post(context, reason, event, as_json, lambda firm: reversal(firm, event))


@app.command()
def correct(
    context: typer.Context,
    event: Annotated[int, typer.Argument(help="Ledger sequence of the event.")],
    reason: Annotated[str, typer.Option(help="Why; it is the source of the correction.")],
    quantity: Annotated[str, typer.Option(help="Shares, as they should have been.")] = "",
    amount: Annotated[str, typer.Option(help="Dollars, as they should have been.")] = "",
    effective: Annotated[datetime | None, typer.Option(formats=_DAY, help="The right day.")] = None,
    settles: Annotated[datetime | None, typer.Option(formats=_DAY, help="The right settlement.")] = None,
    as_json: Json = False,
) -> None:
    """Put an event right: a new one takes its place and goes by its name."""
    from allotment.jobs.correcting import Right, correction

    right = Right(
        quantity=quantity,
        amount=amount,
        effective=effective.date() if effective else None,
        settles=settles.date() if settles else None,
    )
    _post(context, reason, event, as_json, lambda firm: correction(firm, event, right))


@app.command("file-year")
def file_year(
    context: typer.Context,
    taxpayer: Annotated[str, typer.Argument(help="Taxpayer code.")],
    year: Annotated[int, typer.Argument(help="Tax year.")],
    filed_on: Annotated[datetime, typer.Option("--on", formats=_DAY, help="Day of filing.")],
    note: Annotated[str, typer.Option(help="Anything worth keeping with it.")] = "",
    as_json: Json = False,
) -> None:
    """Record that a return was filed: later changes of its figures are flagged."""
    from allotment.store import book_tables, filed_tables
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        found = book_tables.find_taxpayer(firm, taxpayer)
        filed_tables.mark_filed(firm, found.taxpayer_id, year, filed_on.date(), note)
    facts = {"taxpayer": taxpayer, "year": year, "filed_on": filed_on.date().isoformat()}
    output.emit(
        facts,
        as_json=as_json,
        show=lambda: output.console.print(f"The return of {taxpayer} for {year} is filed."),
    )


@app.command()
def prove(
    context: typer.Context,
    row: Annotated[str, typer.Argument(help="SALE, or SALE/LOT.LINE, in ledger sequences.")],
    out: Annotated[Path, typer.Option(help="Folder for the proof and the script that checks it.")],
    as_json: Json = False,
) -> None:
    """Write the proof of a row of Form 1099-B: its events, each chained to the ledger.

    The script beside it checks the proof without this program: `python check_proof.py proof.json`.
    """
    from allotment.jobs import proving
    from allotment.jobs.proof_folder import write_proof
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        proof = proving.prove(firm, proving.parse_row(row))
    files = write_proof(proof, out)
    facts = {
        "row": row,
        "events": len(proof["events"]),
        "last_link": proof["last_link"],
        "files": [str(file) for file in files],
    }
    output.emit(facts, as_json=as_json, show=lambda: ledger_shown.proof(facts))


@app.command("export")
def export_books(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    as_json: Json = False,
) -> None:
    """Write the books: events, chain, clients and records, for another database or an auditor."""
    from allotment.jobs.rebuilding import write_books
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        written = write_books(firm, out, advance)
    facts = asdict(written)
    output.emit(
        facts,
        as_json=as_json,
        show=lambda: output.console.print(
            f"{written.n_events:,} events and {written.n_postings:,} postings are in {written.folder}."
        ),
    )


@app.command()
def rebuild(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="What `ledger export` wrote.")],
    as_json: Json = False,
) -> None:
    """Build the books of a folder in this firm, which has none yet; refused when the chain is broken."""
    from allotment.jobs.rebuilding import rebuild_books
    from allotment.store.database import Store

    with (
        Store.open(context.obj) as store,
        store.firm() as firm,
        store.market(firm.market) as market,
        output.progress(quiet=as_json) as advance,
    ):
        n_events = rebuild_books(firm, market, folder, advance)
    output.emit(
        {"folder": str(folder), "n_events": n_events},
        as_json=as_json,
        show=lambda: output.console.print(
            f"{n_events:,} events are booked; check them: `allotment ledger verify --all`."
        ),
    )


@app.command()
def rebase(context: typer.Context, as_json: Json = False) -> None:
    """Derive every household by the rules of this program, and tell which sales that changes."""
    from allotment.jobs.posting import rebase as again
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        posted = again(firm, advance)
        facts = ledger_shown.posted(firm, posted)
    output.emit(facts, as_json=as_json, show=lambda: ledger_shown.changes(facts))


def _post(context: typer.Context, reason: str, event: int, as_json: bool, make: Any) -> None:
    from allotment.jobs.posting import post
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        events = make(firm)
        posted = post(firm, events, source=f"by hand: {reason}", source_ids=[str(event)], advance=advance)
        facts = ledger_shown.posted(firm, posted)
    output.emit(facts, as_json=as_json, show=lambda: ledger_shown.changes(facts))
