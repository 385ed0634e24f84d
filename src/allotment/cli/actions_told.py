"""What `allotment actions` prints: facts for programs, tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from allotment.cli.ledger_shown import losses
from allotment.cli.output import console
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, format_scaled

if TYPE_CHECKING:
    from allotment.jobs.action_calendar import ActionPreview
    from allotment.jobs.action_posting import PostedActions
    from allotment.ledger.action_plan import ActionPlan
    from allotment.ledger.contradiction import Contradiction
    from allotment.ledger.election import ElectionTask
    from allotment.ledger.entitlement import Difference
    from allotment.ledger.forecast import Forecast
    from allotment.ledger.preview import LotChange, LotState, Recognised
    from allotment.market.index_consequence import IndexConsequence
    from allotment.store.action_tables import RaisedDifference
    from allotment.store.session import FirmStore

_ROWS = 40


@dataclass(frozen=True, slots=True)
class Names:
    """Codes by id."""

    accounts: dict[int, str]
    securities: dict[int, str]
    taxpayers: dict[int, str]

    def security(self, number: int | None) -> str:
        """The security's code, "" for none."""
        return self.securities.get(number, str(number)) if number else ""


def names_of(firm: FirmStore) -> Names:
    """Every code of the firm."""
    from allotment.store import book_tables, market_tables

    return Names(
        accounts={one.account_id: one.code for one in book_tables.load_accounts(firm)},
        securities={one.security_id: one.code for one in market_tables.load_securities(firm)},
        taxpayers={one.taxpayer_id: one.code for one in book_tables.load_taxpayers(firm)},
    )


# ── facts ────────────────────────────────────────────────────────────────────────────────────


def forecast(one: Forecast, names: Names) -> dict[str, Any]:
    """One line of the calendar."""
    return {"standing": one.standing.value} | _plan(one.plan, names)


def _plan(plan: ActionPlan, names: Names) -> dict[str, Any]:
    action = plan.action
    return {
        "account": names.accounts[plan.account_id],
        "security": names.security(action.security_id),
        "ex_date": action.ex_date,
        "pay_date": action.pay_date,
        "kind": action.kind.value,
        "option": action.option,
        "other": names.security(action.other_security_id),
        "held": _shares(plan.held_nano),
        "shares": _shares(plan.shares_nano),
        "cash": _usd(plan.cash_cents),
        "fraction": _shares(plan.fraction_nano),
        "cash_in_lieu": _usd(plan.lieu_cents),
        "is_provisional": plan.is_provisional,
        "obstacle": plan.obstacle,
        "does": sentence(plan, names),
    }


def sentence(plan: ActionPlan, names: Names) -> str:
    """What an action does to an account, in words."""
    action = plan.action
    if plan.obstacle:
        return plan.obstacle
    held = f"{_shares(plan.held_nano)} {names.security(action.security_id)}"
    received = names.security(action.other_security_id) or names.security(action.security_id)
    parts = []
    if plan.shares_nano:
        parts.append(f"{'+' if plan.shares_nano > 0 else ''}{_shares(plan.shares_nano)} {received}")
    if plan.cash_cents:
        parts.append(f"${_usd(plan.cash_cents)}")
    if plan.fraction_nano:
        parts.append(f"${_usd(plan.lieu_cents)} for {_shares(plan.fraction_nano)} of a share")
    brings = ", ".join(parts) or "no shares and no cash"
    basis = "; basis is provisional" if plan.is_provisional else ""
    return f"{held}: {brings}{basis}"


def preview(one: ActionPreview, names: Names) -> dict[str, Any]:
    """An action lot by lot."""
    return {
        "standing": one.standing.value,
        **_plan(one.plan, names),
        "lots": [
            {
                "security": names.security(lot.security_id),
                "lot": f"{lot.origin_event}:{lot.origin_line}",
                "before": _lot(lot.before),
                "after": _lot(lot.after),
            }
            for lot in one.preview.lots
        ],
        "recognised": [_recognised(row, names) for row in one.preview.recognised],
        "cash": [
            {
                "account": names.accounts[c.account_id],
                "before": _usd(c.before_cents),
                "after": _usd(c.after_cents),
            }
            for c in one.preview.cash
        ],
        "contradictions": [_contradiction(row, names) for row in one.contradictions],
    }


def _lot(lot: LotState | None) -> dict[str, Any] | None:
    if lot is None:
        return None
    return {
        "quantity": _shares(lot.quantity_nano),
        "basis": _usd(lot.basis_cents),
        "acquired": lot.acquired,
        "holding_from": lot.holding_from,
        "can_wash": lot.can_wash,
    }


def _recognised(row: Recognised, names: Names) -> dict[str, Any]:
    return {
        "account": names.accounts[row.account_id],
        "security": names.security(row.security_id),
        "lot": f"{row.origin_event}:{row.origin_line}",
        "quantity": _shares(row.quantity_nano),
        "proceeds": _usd(row.proceeds_cents),
        "basis": _usd(row.basis_cents),
        "disallowed": _usd(row.disallowed_cents),
        "gain": _usd(row.gain_cents),
        "term": "L" if row.is_long_term else "S",
        "day": row.day,
    }


def _contradiction(row: Contradiction, names: Names) -> dict[str, Any]:
    return {
        "event": row.event,
        "kind": row.kind.name.lower(),
        "account": names.accounts[row.account_id],
        "security": names.security(row.security_id),
        "effective": row.effective,
        "what": row.what,
        "remedy": row.remedy,
    }


def difference(one: Difference | RaisedDifference, names: Names) -> dict[str, Any]:
    """What was expected, what came, what to do."""
    return {
        "account": names.accounts[one.account_id],
        "security": names.security(one.security_id),
        "ex_date": one.ex_date,
        "kind": one.kind.value,
        "item": one.item.value,
        "expected": one.expected,
        "came": one.came,
        "severity": one.severity.name.lower(),
        "remedy": one.remedy,
    }


def raised(one: RaisedDifference, names: Names) -> dict[str, Any]:
    """A difference as it is stored."""
    own = {"number": one.difference_id, "raised_at": one.raised_at, "source": one.source}
    return own | difference(one, names) | {"settled_at": one.settled_at, "note": one.settled_note}


def posted(report: PostedActions, names: Names) -> dict[str, Any]:
    """What a posting came to."""
    from allotment.jobs.losses_told import loss_facts

    changes = report.posted.changes
    return {
        "rows": report.n_rows,
        "events_booked": report.n_booked,
        "booked_before": report.n_before,
        "differences": [difference(one, names) for one in report.differences],
        "contradictions": [_contradiction(one, names) for one in report.contradictions],
        "sales_changed": [
            {
                "year": int(changes.year[row]),
                "account": names.accounts[int(changes.account_id[row])],
                "security": names.security(int(changes.security_id[row])),
                "sale": int(changes.event[row]),
                "basis_before": _usd(int(changes.before[row, 2])),
                "basis_after": _usd(int(changes.after[row, 2])),
                "gain_before": _usd(int(changes.before[row, 5])),
                "gain_after": _usd(int(changes.after[row, 5])),
            }
            for row in range(len(changes))
        ],
        "filed_years_changed": [
            {"taxpayer": names.taxpayers[taxpayer], "year": year} for taxpayer, year in report.posted.filed
        ],
        "permanent_losses": loss_facts(report.posted.lost, names.accounts, names.securities),
    }


def task(one: ElectionTask, names: Names) -> dict[str, Any]:
    """A choice and where it stands."""
    return {
        "account": names.accounts[one.account_id],
        "security": names.security(one.security_id),
        "ex_date": one.ex_date,
        "deadline": one.deadline,
        "held": _shares(one.held_nano),
        "options": [option.option for option in one.options],
        "default": one.default,
        "chosen": one.chosen.option if one.chosen else "",
        "shares": _shares(one.chosen.quantity_nano) if one.chosen and one.chosen.quantity_nano else "",
        "chosen_by": one.chosen.chosen_by if one.chosen else "",
        "chosen_on": one.chosen.chosen_on if one.chosen else None,
        "in_force": one.option_in_force,
        "state": one.state.value,
    }


def consequence(one: IndexConsequence, names: Names) -> dict[str, Any]:
    """What an action implies for an index."""
    return {
        "index": one.index_code,
        "effective": one.effective,
        "security": names.security(one.security_id),
        "change": one.change.value,
        "other": names.security(one.other_security_id),
        "weight": one.weight_moved,
        "is_certain": one.is_certain,
        "because": one.because,
    }


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def _print(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(*columns, box=None, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows[:_ROWS]:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(table)
    if len(rows) > _ROWS:
        console.print(f"… and {len(rows) - _ROWS:,} more (--json has all)", style="dim")


def show_calendar(found: Sequence[Forecast], names: Names) -> None:
    """The calendar as a table."""
    if not found:
        console.print("No announced action concerns these accounts.")
        return
    rows = [
        (
            one.plan.action.ex_date,
            one.plan.action.pay_date,
            names.accounts[one.plan.account_id],
            one.plan.action.kind.value.replace("_", " "),
            one.standing.value,
            sentence(one.plan, names),
        )
        for one in found
    ]
    _print(("ex-date", "paid", "account", "action", "standing", "what it does"), rows)


def show_preview(found: Sequence[ActionPreview], names: Names) -> None:
    """Actions lot by lot."""
    for one in found:
        kind = one.plan.action.kind.value.replace("_", " ")
        console.print(
            f"{kind}, {one.standing.value}: {sentence(one.plan, names)}", style="bold", markup=False
        )
        rows = [
            (
                names.security(lot.security_id),
                f"{lot.origin_event}:{lot.origin_line}",
                *_both(lot, "quantity"),
                *_both(lot, "basis"),
                *_both(lot, "holding_from"),
            )
            for lot in one.preview.lots
        ]
        _print(("security", "lot", "shares", "→", "basis", "→", "held from", "→"), rows)
        for row in one.preview.recognised:
            facts = _recognised(row, names)
            console.print(
                f"realised: {facts['quantity']} {facts['security']} for ${facts['proceeds']}, "
                f"basis ${facts['basis']}, gain ${facts['gain']} ({facts['term']})",
                highlight=False,
            )
        for cash in one.preview.cash:
            console.print(f"cash ${_usd(cash.before_cents)} → ${_usd(cash.after_cents)}", highlight=False)
        _show_contradictions(one.contradictions, names)


def _both(lot: LotChange, name: str) -> tuple[object, object]:
    before, after = _lot(lot.before), _lot(lot.after)
    return (before[name] if before else "", after[name] if after else "")


def show_posted(report: PostedActions, names: Names, what: str) -> None:
    """What a posting came to."""
    console.print(
        f"{report.n_rows} {what}: {report.n_booked} events booked, {report.n_before} were booked already.",
        highlight=False,
    )
    if report.differences:
        _print_differences([difference(one, names) for one in report.differences])
    _show_contradictions(report.contradictions, names)
    facts = posted(report, names)
    if facts["sales_changed"]:
        console.print("Sales whose figures changed:", style="bold")
        columns = ("year", "account", "security", "basis_before", "basis_after", "gain_before", "gain_after")
        _print(columns, [[row[name] for name in columns] for row in facts["sales_changed"]])
    for row in facts["filed_years_changed"]:
        said = f"! {row['taxpayer']}'s return of {row['year']} is filed and its figures changed: look at it"
        console.print(said, style="yellow", markup=False)
    losses(facts["permanent_losses"])


def _show_contradictions(found: Sequence[Contradiction], names: Names) -> None:
    for one in found:
        said = f"! held back, {names.accounts[one.account_id]}: {one}"
        console.print(said, style="yellow", markup=False, highlight=False)


def show_elections(tasks: Sequence[ElectionTask], names: Names) -> None:
    """Choices by deadline."""
    if not tasks:
        console.print("No action leaves a choice to any account.")
        return
    columns = ("deadline", "account", "security", "held", "options", "in_force", "chosen_by", "state")
    facts = [task(one, names) for one in tasks]
    rows = [[", ".join(f[c]) if c == "options" else f[c] for c in columns] for f in facts]
    _print(columns, rows)


def show_differences(found: Sequence[RaisedDifference], names: Names) -> None:
    """Differences with their numbers."""
    if not found:
        console.print("No difference.")
        return
    _print_differences([{"number": one.difference_id} | difference(one, names) for one in found])


def _print_differences(facts: Sequence[dict[str, Any]]) -> None:
    columns = ("severity", "account", "security", "ex_date", "item", "expected", "came", "remedy")
    shown = ("number", *columns) if "number" in facts[0] else columns
    _print(shown, [[row[name] for name in shown] for row in facts])


def show_consequences(found: Sequence[IndexConsequence], names: Names) -> None:
    """Index changes as a table."""
    if not found:
        console.print("No announced action concerns a member of an index.")
        return
    facts = [consequence(one, names) for one in found]
    rows = [
        (
            f["effective"],
            f["index"],
            f["security"],
            f["change"],
            f["other"],
            f"{f['weight']:.3%}",
            f["because"],
        )
        for f in facts
    ]
    _print(("effective", "index", "member", "change", "other", "weight", "because"), rows)


def _usd(cents: int) -> str:
    return format_scaled(cents, CENTS_PER_USD)


def _shares(nano: int) -> str:
    return format_scaled(nano, NANO_PER_SHARE)
