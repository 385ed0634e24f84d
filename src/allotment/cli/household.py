"""`allotment household`: who belongs together, what they expect, what the wash-sale rule locks."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from allotment.cli import importing, output
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, as_day, format_scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allotment.book.expected import Expected
    from allotment.jobs.household import HouseholdView
    from allotment.ledger.discretion import Period

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Code = Annotated[str, typer.Argument(metavar="HOUSEHOLD|ACCOUNT", help="Code of a household or account.")]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day (default: today).")]

app = typer.Typer(
    help="Households: who belongs together, what comes from outside, what is locked.", no_args_is_help=True
)


@app.command()
def expect(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The year's page: TOML, CSV or Parquet.")],
    as_json: Json = False,
) -> None:
    """Take in what a household expects of a year from outside, as the next version of its page.

    The format: docs/reference/files/expected.md. A mistake is told with its line; then nothing is taken.
    """
    importing.import_command(context, [file], kind="expected", asof=None, as_json=as_json)


@app.command()
def show(context: typer.Context, code: Code, on: On = None, as_json: Json = False) -> None:
    """Show a household on a day: accounts, the year, what is expected, losses gone for good."""
    view = _view(context, code, on)
    facts = {
        **_heading(view),
        "accounts": _accounts(view),
        "taxpayers": _taxpayers(view),
        "expected": _expected(view),
        "due": _due(view),
        "permanent_losses": _permanent(view),
    }

    def show_it() -> None:
        _head(view)
        _table("Accounts", facts["accounts"])
        _table("The year", facts["taxpayers"])
        _table("Expected from outside", facts["expected"])
        _table("Purchases within 30 days of the day, not booked here", facts["due"])
        lost = facts["permanent_losses"]
        _table("Losses gone for good", [{name: one[name] for name in _LOST} for one in lost])
        for rule in sorted({one["rule"] for one in lost}):
            output.console.print(rule, style="dim", highlight=False)

    output.emit(facts, as_json=as_json, show=show_it)


@app.command()
def washes(context: typer.Context, code: Code, on: On = None, as_json: Json = False) -> None:
    """Show the wash-sale calendar: what is locked, until when, what a purchase would cost."""
    view = _view(context, code, on)
    rows = _locks(view)
    opens = [day for row in rows for day in (row["buy_unlocks"], row["sale_unlocks"]) if day]
    facts = {**_heading(view), "next_unlock": min(opens, default=None), "locks": rows}

    def show_it() -> None:
        _head(view)
        if not rows:
            output.console.print("Nothing is locked.")
            return
        _table("Purchases that would wash a loss", _picked(rows, "exposed_shares", _BUYING))
        _table("Loss sales that would be washed", _picked(rows, "at_sale_shares", _SELLING))
        output.console.print(f"Next to unlock: {facts['next_unlock']}", highlight=False)
        if any(row["silent_accounts"] for row in rows):
            output.console.print(
                "Of some outside accounts nothing is known: let the client attest them on the year's page.",
                style="yellow",
            )

    output.emit(facts, as_json=as_json, show=show_it)


_LOST = ("day", "account", "security", "sold", "buyer", "shares", "lost_usd")
_BUYING = (
    "security",
    "alone",
    "exposed_shares",
    "loss_usd",
    "buy_unlocks",
    "buy_clean_from",
    "deferral_usd",
    "permanent_usd",
)
_SELLING = (
    "security",
    "alone",
    "young_shares",
    "coming_shares",
    "coming_ira_shares",
    "sale_unlocks",
    "sale_clean_from",
    "silent_accounts",
)


def _view(context: typer.Context, code: str, on: datetime | None) -> HouseholdView:
    from allotment.jobs.household import view_household
    from allotment.store.database import Store

    day = on.date() if on else datetime.now().astimezone().date()
    with Store.open(context.obj) as store, store.firm() as firm:
        return view_household(firm, code, day)


def _heading(view: HouseholdView) -> dict[str, Any]:
    return {"household": view.household.code, "name": view.household.name, "on": view.asof.isoformat()}


def _locks(view: HouseholdView) -> list[dict[str, Any]]:
    """One row a security that is locked, those that unlock first before the others."""
    locks, rows = view.locks, []
    for i in range(len(locks)):
        young, coming = int(locks.young_nano[i]), int(locks.coming_nano[i])
        rows.append(
            {
                "security": view.codes.get(int(locks.security_id[i]), str(locks.security_id[i])),
                "alone": view.account_code(int(locks.account_id[i])),
                "exposed_shares": _shares(locks.exposed_nano[i]),
                "loss_usd": _usd(locks.loss_cents[i]),
                "buy_unlocks": _day(locks.buy_unlocks[i]),
                "buy_clean_from": _day(locks.buy_clean_from[i]),
                "deferral_usd": _usd(locks.deferral_cents[i]),
                "permanent_usd": _usd(locks.permanent_cents[i]),
                "at_sale_shares": _shares(young + coming),
                "young_shares": _shares(young),
                "coming_shares": _shares(coming),
                "coming_ira_shares": _shares(locks.coming_ira_nano[i]),
                "sale_unlocks": _day(locks.sale_unlocks[i]),
                "sale_clean_from": _day(locks.sale_clean_from[i]),
                "silent_accounts": int(view.silent[i]),
            }
        )
    return sorted(rows, key=_unlocks_first)


def _unlocks_first(row: dict[str, Any]) -> tuple[str, str]:
    return min(day for day in (row["buy_unlocks"], row["sale_unlocks"], "9999") if day), row["security"]


def _period(one: Period) -> str:
    return f"{one.begins} to {one.ends}" if one.ends else f"since {one.begins}"


def _accounts(view: HouseholdView) -> list[dict[str, Any]]:
    members, owners = view.state.members, {one.taxpayer_id: one.code for one in view.taxpayers}
    belongs = members.on(np.asarray(as_day(view.asof)))
    place = {account: row for row, account in enumerate(view.state.accounts.account_ids.tolist())}
    return [
        {
            "account": one.code,
            "kind": one.kind.value,
            "owner": owners.get(one.taxpayer_id, ""),
            "management": one.management.value,
            "linked": _day(members.since[place[one.account_id]]),
            "unlinked": _day(members.until[place[one.account_id]]),
            "belongs": bool(belongs[place[one.account_id]]),
            "discretion": "; ".join(map(_period, view.discretion.get(one.account_id, []))),
        }
        for one in view.accounts
    ]


def _taxpayers(view: HouseholdView) -> list[dict[str, Any]]:
    return [
        {
            "taxpayer": one.code,
            "outside_short_usd": _usd(one.outside_short_cents),
            "outside_long_usd": _usd(one.outside_long_cents),
            "carry_short_usd": _usd(one.carry_short_cents),
            "carry_long_usd": _usd(one.carry_long_cents),
        }
        for one in view.taxpayers
    ]


def _expected(view: HouseholdView) -> list[dict[str, Any]]:
    """The lines of the year's page."""
    return [
        {"version": page.version} | _line(view, line)
        for page in view.pages
        if page.year == view.asof.year
        for line in page.lines
    ]


def _line(view: HouseholdView, line: Expected) -> dict[str, Any]:
    owners = {one.taxpayer_id: one.code for one in view.taxpayers}
    return {
        "what": line.what.value,
        "confidence": line.confidence.value,
        "taxpayer": owners.get(line.taxpayer_id, ""),
        "account": view.account_code(line.account_id),
        "inside": line.kind.value,
        "security": view.codes.get(line.security_id, ""),
        "start": _date(line.start),
        "end": _date(line.end),
        "every_days": line.every_days,
        "shares": _shares(line.quantity_nano),
        "amount_usd": _usd(line.amount_cents),
        "term": "long" if line.is_long else "short",
        "note": line.note,
    }


def _due(view: HouseholdView) -> list[dict[str, Any]]:
    """Purchases in the window of a loss sale on the day; past ones ask to be confirmed."""
    due = view.possible
    counted = {_key(view.coming, i) for i in range(len(view.coming))}
    return [
        {
            "security": view.codes.get(int(due.security_id[i]), str(due.security_id[i])),
            "account": view.account_code(int(due.account_id[i])),
            "first": _day(due.first[i]),
            "last": _day(due.last[i]),
            "shares": _shares(due.quantity_nano[i]),
            "in_ira": bool(due.taxable[i] == 0),
            "counted": _key(due, i) in counted,
            "to_confirm": bool(due.last[i] < as_day(view.asof)),
        }
        for i in range(len(due))
    ]


def _key(due: Any, i: int) -> tuple[int, ...]:
    columns = (due.account_id, due.security_id, due.first, due.last, due.quantity_nano, due.taxable)
    return tuple(int(column[i].astype(np.int64)) for column in columns)


def _permanent(view: HouseholdView) -> list[dict[str, Any]]:
    from allotment.jobs.losses_told import loss_facts

    return loss_facts(view.permanent, {one.account_id: one.code for one in view.accounts}, view.codes)


def _picked(rows: Sequence[dict[str, Any]], needs: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in columns} for row in rows if row[needs] != "0"]


def _head(view: HouseholdView) -> None:
    name = f"  {view.household.name}" if view.household.name else ""
    output.console.print(f"[bold]{view.household.code}[/]{name}, on {view.asof}", highlight=False)


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """The rows, without columns that say nothing in any of them."""
    from rich.table import Table

    if not rows:
        return
    names = [name for name in rows[0] if any(row[name] not in ("", None, 0, "0", "0.00") for row in rows)]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        right = name.endswith(("_usd", "shares", "accounts"))
        table.add_column(name.removesuffix("_usd").replace("_", " "), justify="right" if right else "left")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in names))
    output.console.print(f"\n{title}", style="bold")
    output.console.print(table)


def _shares(nano: Any) -> str:
    return format_scaled(int(nano), NANO_PER_SHARE)


def _usd(cents: Any) -> str:
    return format_scaled(int(cents), CENTS_PER_USD)


def _day(day: np.datetime64) -> str | None:
    return None if np.isnat(day) else str(day.astype("M8[D]"))


def _date(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
