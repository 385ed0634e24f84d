"""What the books look like on a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table

from allotment.cli.output import console
from allotment.ledger.events import EventKind
from allotment.units import NANO_PER_SHARE, format_scaled

if TYPE_CHECKING:
    from allotment.jobs.past_books import PastBooks
    from allotment.jobs.posting import Posted
    from allotment.jobs.verification import Verification
    from allotment.store.event_list import ListedEvent
    from allotment.store.session import FirmStore

_STATES = {0: "", 1: "basis pending", 2: "basis missing"}
_CHANGES = 20
_OF_SALES = ("sale", "lot", "security", "sold", "quantity", "proceeds", "gain", "term")
_OF_LOTS = ("security", "lot", "sleeve", "quantity", "basis", "acquired", "note")


def facts(books: PastBooks, codes: Mapping[int, str], *, broker: bool) -> dict[str, Any]:
    """Lots, sales and cash of one account; money and shares as decimal strings."""
    view = books.state.broker if broker else books.state.taxpayer
    at = books.account_ix
    lots = view.lots.take(view.lots.account_ix == at)
    sold = view.disposals.take(view.disposals.account_ix == at)
    cash, unsettled = books.state.cash, books.state.unsettled
    return {
        "account": books.account.code,
        "as_of": books.asof.isoformat() if books.asof else None,
        "known_at": books.known_seq,
        "view": "broker" if broker else "taxpayer",
        "cash": [
            {"sleeve": int(cash.sleeve_ix[i]), "usd": _money(cash.balance_cents[i])}
            for i in (cash.account_ix == at).nonzero()[0].tolist()
        ],
        "unsettled": [
            {
                "event": int(unsettled.event[i]),
                "kind": _kind(unsettled.kind[i]),
                "settles": str(unsettled.settles[i]),
                "usd": _money(unsettled.amount_cents[i]),
            }
            for i in (unsettled.account_ix == at).nonzero()[0].tolist()
        ],
        "lots": [
            {
                "security": _code(codes, lots.security_id[i]),
                "lot": f"{lots.origin_event[i]}.{lots.origin_line[i]}",
                "sleeve": int(lots.sleeve_ix[i]),
                "quantity": _shares(lots.quantity_nano[i]),
                "basis": _money(lots.basis_cents[i]),
                "acquired": str(lots.acquired[i]),
                "holding_from": str(lots.holding_from[i]),
                "note": _STATES[int(lots.basis_state[i])],
            }
            for i in range(len(lots))
        ],
        "sales": [
            {
                "sale": int(sold.event[i]),
                "lot": f"{sold.origin_event[i]}.{sold.origin_line[i]}",
                "security": _code(codes, sold.security_id[i]),
                "acquired": str(sold.acquired[i]),
                "sold": str(sold.day[i]),
                "quantity": _shares(sold.quantity_nano[i]),
                "proceeds": _money(sold.proceeds_cents[i]),
                "basis": _money(sold.basis_cents[i]),
                "disallowed": _money(sold.disallowed_cents[i]),
                "gain": _money(sold.gain_cents[i]),
                "term": "long" if sold.long_term[i] else "short",
            }
            for i in range(len(sold))
        ],
    }


def account(told: Mapping[str, Any], *, sales: bool, rows: int) -> None:
    """An account as tables that fit a screen."""
    known = f"as of {told['as_of']}" if told["as_of"] else "everything known"
    console.print(
        f"[bold]{told['account']}[/], {known}, ledger sequence {told['known_at']}, {told['view']}'s view"
    )
    for one in told["cash"]:
        console.print(f"cash, sleeve {one['sleeve']}: {one['usd']}", highlight=False)
    for one in told["unsettled"]:
        console.print(f"  {one['settles']}  {one['kind']} {one['usd']} not settled", highlight=False)
    what = "sales" if sales else "lots"
    listed = told[what][-rows:] if sales else told[what][:rows]
    columns = _OF_SALES if sales else _OF_LOTS
    if listed:
        _table([{name: one[name] for name in columns} for one in listed])
    more = len(told[what]) - len(listed)
    if more > 0:
        console.print(f"… and {more:,} more {what}; --rows shows them, --json all.", style="dim")
    if not told[what]:
        console.print(f"no {what}")


def event(one: ListedEvent, codes: Mapping[int, str]) -> dict[str, Any]:
    """One event as JSON holds it."""
    return {
        "event": one.ledger_seq,
        "known_at": one.known_at.isoformat(timespec="seconds"),
        "effective": one.effective.isoformat(),
        "settles": one.settles.isoformat() if one.settles else None,
        "kind": _kind(one.kind),
        "security": _code(codes, one.security_id) if one.security_id else "",
        "quantity": _shares(one.quantity_nano) if one.quantity_nano else "",
        "amount": _money(one.amount_cents) if one.amount_cents else "",
        "reverses": one.reverses,
        "reversed_by": one.reversed_by,
        "actor": one.actor,
        "source": one.source,
        "source_id": one.source_id,
    }


def events(listed: list[dict[str, Any]], rows: int) -> None:
    """The newest events as a table."""
    shown = ("event", "effective", "kind", "security", "quantity", "amount")
    if listed:
        _table([{name: one[name] for name in shown} | {"": _fate(one)} for one in reversed(listed[-rows:])])
    if len(listed) > rows:
        console.print(
            f"… and {len(listed) - rows:,} earlier ones; --rows shows them, --json all.", style="dim"
        )


def _fate(one: Mapping[str, Any]) -> str:
    parts = []
    if one["reverses"]:
        parts.append(f"for {one['reverses']}")
    if one["reversed_by"]:
        parts.append(f"gone by {one['reversed_by']}")
    return ", ".join(parts)


def verification(found: Verification) -> None:
    """What was checked, and what is wrong."""
    console.print(
        f"{found.n_households:,} households with {found.n_accounts:,} accounts and {found.n_events:,} events "
        "derived anew:"
    )
    for kind, count in found.events_by_kind.items():
        console.print(f"  {kind.replace('_', ' '):<22}{count:>12,}", highlight=False)
    if found.last_link:
        console.print(f"{found.n_postings:,} postings chained; keep the last link: {found.last_link}")
    console.print(f"state hash {found.state_hash}")
    for wrong in (*found.broken, *found.contradictions):
        console.print(f"WRONG  {wrong}", style="bold red", highlight=False)
    for household, what in found.different[:_CHANGES]:
        console.print(f"DIFFERENT  household {household}: {what}", style="bold red", highlight=False)
    if len(found.different) > _CHANGES:
        console.print(f"… and {len(found.different) - _CHANGES:,} more differences", style="bold red")
    if found.is_clean:
        console.print("The books are what their events say.", style="bold green")


def posted(firm: FirmStore, came: Posted) -> dict[str, Any]:
    """What a posting changed, with codes in place of numbers."""
    from allotment.jobs.losses_told import loss_facts
    from allotment.store import book_tables, market_tables

    changes = came.changes
    accounts = {a.account_id: a.code for a in book_tables.load_accounts(firm)}
    codes = {s.security_id: s.code for s in market_tables.load_securities(firm)}
    taxpayers = {t.taxpayer_id: t.code for t in book_tables.load_taxpayers(firm)}
    return {
        "new_events": came.n_new,
        "changed_sales": [
            {
                "year": int(changes.year[i]),
                "account": accounts[int(changes.account_id[i])],
                "security": _code(codes, changes.security_id[i]),
                "sale": int(changes.event[i]),
                "lot": f"{changes.origin_event[i]}.{changes.origin_line[i]}",
                "gain_before": _money(changes.before[i, 5]),
                "gain_after": _money(changes.after[i, 5]),
                "disallowed_before": _money(changes.before[i, 3]),
                "disallowed_after": _money(changes.after[i, 3]),
                "only_washed": bool(changes.only_washed[i]),
            }
            for i in range(len(changes))
        ],
        "filed_years": [{"taxpayer": taxpayers[one], "year": year} for one, year in came.filed],
        "permanent_losses": loss_facts(came.lost, accounts, codes),
    }


def changes(told: Mapping[str, Any]) -> None:
    """What a posting came to."""
    console.print(f"{told['new_events']:,} event(s) booked; {len(told['changed_sales']):,} sale(s) changed.")
    shown = ("year", "account", "security", "sale", "lot", "gain_before", "gain_after")
    if told["changed_sales"]:
        _table([{name: one[name] for name in shown} for one in told["changed_sales"][:_CHANGES]])
    for one in told["filed_years"]:
        console.print(
            f"The return of {one['taxpayer']} for {one['year']} is filed: an amended return may be due.",
            style="bold yellow",
        )
    losses(told["permanent_losses"])


def losses(lost: Sequence[Mapping[str, Any]]) -> None:
    """Losses that a posting destroyed, one a line."""
    from allotment.jobs.losses_told import loss_line

    for one in lost[:_CHANGES]:
        console.print(loss_line(one), style="bold yellow", markup=False, highlight=False, soft_wrap=True)
    if len(lost) > _CHANGES:
        console.print(f"… and {len(lost) - _CHANGES:,} more losses gone for good; --json lists them.")


def proof(told: Mapping[str, Any]) -> None:
    """Where the proof is and how to check it."""
    facts_file, script = told["files"]
    console.print(f"{told['events']} events prove row {told['row']}; the chain ends in\n{told['last_link']}.")
    console.print(
        f"Check it without this program: python {script} {facts_file}", highlight=False, soft_wrap=True
    )


def _table(listed: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    numbers = ("quantity", "basis", "proceeds", "gain", "amount", "disallowed", "gain_before", "gain_after")
    for name in listed[0]:
        side: Literal["left", "right"] = "right" if name in numbers else "left"
        table.add_column(name.replace("_", " "), justify=side, no_wrap=True)
    for one in listed:
        table.add_row(*("" if value is None else str(value) for value in one.values()))
    console.print(table)


def _code(codes: Mapping[int, str], security_id: Any) -> str:
    return codes.get(int(security_id), str(int(security_id)))


def _kind(kind: Any) -> str:
    return EventKind(int(kind)).name.lower().replace("_", " ")


def _money(cents: Any) -> str:
    return format_scaled(int(cents), 100)


def _shares(quantity_nano: Any) -> str:
    return format_scaled(int(quantity_nano), NANO_PER_SHARE)
