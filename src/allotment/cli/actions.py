"""`allotment actions`: corporate actions from their announcement to the books."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allotment.cli import actions_told as told
from allotment.cli import output
from allotment.errors import UsageError

if TYPE_CHECKING:
    from allotment.jobs.action_posting import PostedActions

app = typer.Typer(help="Corporate actions: calendar, preview, entitlements, elections, final terms.")

_DAY = ["%Y-%m-%d"]
_BACK, _AHEAD = timedelta(days=30), timedelta(days=60)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
AccountCode = Annotated[str, typer.Argument(help="Account code.")]
SecurityCode = Annotated[str, typer.Argument(help="Security: our code, or as `ticker:META`.")]
ExDate = Annotated[datetime, typer.Argument(formats=_DAY, help="Ex-date of the action.")]
From = Annotated[
    datetime | None, typer.Option("--from", formats=_DAY, help="First ex-date (default: 30 days ago).")
]
To = Annotated[
    datetime | None, typer.Option("--to", formats=_DAY, help="Last ex-date (default: in 60 days).")
]
Today = Annotated[datetime | None, typer.Option(formats=_DAY, help="The day that counts as today.")]


@app.command("calendar")
def calendar_command(
    context: typer.Context,
    accounts: Annotated[list[str] | None, typer.Argument(help="Account codes; all without.")] = None,
    first: From = None,
    last: To = None,
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """Show what announced actions do to accounts, and where each stands.

    Ends with 3 when an action is overdue, blocked or waits for a choice.
    """
    from allotment.jobs.action_calendar import calendar
    from allotment.ledger.forecast import Standing
    from allotment.store import book_tables
    from allotment.store.database import Store

    today, start, end = _window(asof, first, last)
    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        ids = [book_tables.find_account(firm, code).account_id for code in accounts or ()] or None
        found = calendar(firm, start, end, today, advance, ids)
        names = told.names_of(firm)
    facts = {"from": start, "to": end, "actions": [told.forecast(one, names) for one in found]}
    output.emit(facts, as_json=as_json, show=lambda: told.show_calendar(found, names))
    waiting = {Standing.OVERDUE, Standing.BLOCKED, Standing.TO_ELECT}
    if any(one.standing in waiting for one in found):
        raise typer.Exit(3)


@app.command("preview")
def preview_command(
    context: typer.Context,
    account: AccountCode,
    security: SecurityCode,
    ex_date: ExDate,
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """Show lot by lot what an action will do to an account, or has done.

    Ends with 3 when later events could not stand beside it.
    """
    from allotment.jobs.account_books import find_security
    from allotment.jobs.action_calendar import preview_action
    from allotment.store import book_tables
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        owner = book_tables.find_account(firm, account)
        number = find_security(firm, security, ex_date.date())
        found = preview_action(firm, owner.account_id, number, ex_date.date(), _today(asof), security)
        names = told.names_of(firm)
    facts = {"account": owner.code, "actions": [told.preview(one, names) for one in found]}
    output.emit(facts, as_json=as_json, show=lambda: told.show_preview(found, names))
    if any(one.contradictions or one.plan.obstacle for one in found):
        raise typer.Exit(3)


@app.command("post")
def post_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The custodian's entitlements.")],
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """Book a custodian's entitlements, and raise where they differ from what was expected.

    The same file twice books nothing twice; a corrected file puts right what the first one booked. Ends
    with 3 when a difference needs a look, or a household was held back.
    """
    from allotment.jobs.action_posting import post_entitlements
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        report = post_entitlements(firm, file, _today(asof), advance)
        names = told.names_of(firm)
    _leave(report, names, as_json, what="rows")


@app.command("finalise")
def finalise_command(
    context: typer.Context,
    security: SecurityCode,
    ex_date: ExDate,
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """Put the issuer's final terms in place of provisional ones, in all accounts at once.

    Import the terms first, with `final` = yes. Ends with 3 when a filed year changes.
    """
    from allotment.jobs.account_books import find_security
    from allotment.jobs.action_posting import finalise
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        number = find_security(firm, security, ex_date.date())
        report = finalise(firm, number, ex_date.date(), _today(asof), security, advance)
        names = told.names_of(firm)
    _leave(report, names, as_json, what="accounts")


@app.command("elections")
def elections_command(
    context: typer.Context,
    first: From = None,
    last: To = None,
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """List choices that actions leave to accounts, by deadline. Ends with 3 when one is overdue."""
    from allotment.jobs.action_calendar import elections
    from allotment.ledger.election import ElectionState
    from allotment.store.database import Store

    today, start, end = _window(asof, first, last)
    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        tasks = elections(firm, start, end, today, advance)
        names = told.names_of(firm)
    facts = {"from": start, "to": end, "elections": [told.task(one, names) for one in tasks]}
    output.emit(facts, as_json=as_json, show=lambda: told.show_elections(tasks, names))
    if any(one.state is ElectionState.OVERDUE for one in tasks):
        raise typer.Exit(3)


@app.command("elect")
def elect_command(
    context: typer.Context,
    account: AccountCode,
    security: SecurityCode,
    ex_date: ExDate,
    option: Annotated[str, typer.Argument(help="The option, by the name that the announcement gives it.")],
    shares: Annotated[
        str | None, typer.Option(help="Shares given up, where the option takes some of them.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who chose (default: the acting user).")] = "",
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """Record an account's choice; the newest one counts until the deadline."""
    from allotment.jobs.account_books import find_security
    from allotment.jobs.action_calendar import elect
    from allotment.ledger.election import Election
    from allotment.store import book_tables
    from allotment.store.database import Store
    from allotment.units import parse_nano

    try:
        quantity = 0 if shares is None else parse_nano(shares)
    except ValueError as error:
        raise UsageError(f"--shares: {error}.") from None
    if shares is not None and quantity <= 0:
        raise UsageError("--shares must be above zero; leave it out for all that are held.")
    with Store.open(context.obj) as store, store.firm() as firm:
        owner = book_tables.find_account(firm, account)
        wish = Election(
            account_id=owner.account_id,
            security_id=find_security(firm, security, ex_date.date()),
            ex_date=ex_date.date(),
            option=option,
            quantity_nano=quantity,
            chosen_by=by or f"actor {firm.actor}",
            chosen_on=_today(asof),
        )
        task = elect(firm, wish, security)
        names = told.names_of(firm)
    output.emit(told.task(task, names), as_json=as_json, show=lambda: told.show_elections([task], names))


@app.command("differences")
def differences_command(
    context: typer.Context,
    settle: Annotated[int | None, typer.Option(help="Number of a difference that is settled.")] = None,
    note: Annotated[str, typer.Option(help="How it was settled.")] = "",
    settled: Annotated[bool, typer.Option("--settled", help="List the settled ones instead.")] = False,
    as_json: Json = False,
) -> None:
    """List where custodians and the books disagree about actions, or settle one.

    Ends with 3 while one that needs a look is open.
    """
    from allotment.ledger.entitlement import Severity
    from allotment.store import action_tables
    from allotment.store.database import Store

    if settle is not None and not note:
        raise UsageError("--settle needs a --note: say how the difference was settled.")
    with Store.open(context.obj) as store, store.firm() as firm:
        if settle is not None:
            action_tables.settle_difference(firm, settle, note)
        found = action_tables.load_differences(firm, settled=settled)
        names = told.names_of(firm)
    facts = {"differences": [told.raised(one, names) for one in found]}
    output.emit(facts, as_json=as_json, show=lambda: told.show_differences(found, names))
    if not settled and any(one.severity > Severity.NOTE for one in found):
        raise typer.Exit(3)


@app.command("index")
def index_command(
    context: typer.Context,
    first: From = None,
    last: To = None,
    asof: Today = None,
    as_json: Json = False,
) -> None:
    """Show what actions imply for the indexes: who leaves, who enters, with how much weight."""
    from allotment.jobs.action_calendar import index_changes
    from allotment.store.database import Store

    _, start, end = _window(asof, first, last)
    with Store.open(context.obj) as store, store.firm() as firm:
        found = index_changes(firm, start, end)
        names = told.names_of(firm)
    facts = {"from": start, "to": end, "changes": [told.consequence(one, names) for one in found]}
    output.emit(facts, as_json=as_json, show=lambda: told.show_consequences(found, names))


def _leave(report: PostedActions, names: told.Names, as_json: bool, *, what: str) -> None:
    from allotment.ledger.entitlement import Severity

    output.emit(
        told.posted(report, names), as_json=as_json, show=lambda: told.show_posted(report, names, what)
    )
    grave = any(one.severity > Severity.NOTE for one in report.differences)
    if grave or report.contradictions or report.posted.filed:
        raise typer.Exit(3)


def _today(asof: datetime | None) -> date:
    return asof.date() if asof else datetime.now().astimezone().date()


def _window(asof: datetime | None, first: datetime | None, last: datetime | None) -> tuple[date, date, date]:
    today = _today(asof)
    start = first.date() if first else today - _BACK
    end = last.date() if last else today + _AHEAD
    if start > end:
        raise UsageError(f"--from {start} is after --to {end}.")
    return today, start, end
