"""``allotment tax diff``: what a late fact, or another reading of the law, changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allotment.cli import output
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, format_scaled

if TYPE_CHECKING:
    from rich.table import Table

    from allotment.feeds.dividend_changes import DividendCorrection, DividendFigures
    from allotment.feeds.ledger_changes import NamedCorrection
    from allotment.tax.correction import Figures

NOTICE = "Compared from the transactions given; this is no tax advice."


def diff(
    old: Annotated[Path, typer.Argument(help="The ledger as it was.")],
    new: Annotated[Path, typer.Argument(help="The ledger as it is now.")],
    filed: Annotated[
        list[int] | None, typer.Option(help="A tax year whose return is filed; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell every disposal, lot and dividend that changed, why, and whether a filed year is among them.

    Ends with 3 when a filed year has changed.
    """
    from allotment.cli.tax import read
    from allotment.feeds.ledger_changes import changes

    found = changes(read(old), read(new), filed or ())
    years = sorted(
        {c.year for c in found.corrections if c.is_filed} | {c.year for c in found.dividends if c.is_filed}
    )
    facts: dict[str, Any] = {
        "added": list(found.added),
        "removed": list(found.removed),
        "altered": list(found.altered),
        "policy": list(found.policy),
        "corrections": [_record(one) for one in found.corrections],
        "dividends": [_dividend_record(one) for one in found.dividends],
        "filed_years_changed": years,
        "notice": NOTICE,
    }

    def show() -> None:
        say = output.console.print
        for what in ("added", "removed", "altered", "policy"):
            if facts[what]:
                say(f"{what}: {', '.join(map(str, facts[what]))}", markup=False, highlight=False)
        if not found.corrections and not found.dividends:
            say("No figure changes.")
        if found.corrections:
            names, money = ("sale", "lot"), ("gain before", "after", "basis before", "after")
            say(_table(names, money, map(_row, found.corrections)))
        if found.dividends:
            say(_table(("dividend", "lot"), ("before", "after"), map(_dividend_row, found.dividends)))
        for year in years:
            say(f"{year} was filed and has changed: an amended return may be due.", style="bold yellow")
        say(NOTICE)

    output.emit(facts, as_json=as_json, show=show)
    if years:
        raise typer.Exit(3)


def _table(names: Sequence[str], money: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("year", *names, "account"):
        table.add_column(column)
    for column in money:
        table.add_column(column, justify="right")
    table.add_column("why")
    for row in rows:
        table.add_row(*row)
    return table


def _row(one: NamedCorrection) -> tuple[str, ...]:
    def money(figures: Figures | None, name: str) -> str:
        return "" if figures is None else _usd(getattr(figures, name))

    is_lot = not one.sale
    gains = ("", "") if is_lot else (money(one.before, "gain_cents"), money(one.after, "gain_cents"))
    basis = money(one.before, "basis_cents"), money(one.after, "basis_cents")
    return (_year(one), one.sale, one.lot, one.account, *gains, *basis, _why(one))


def _dividend_row(one: DividendCorrection) -> tuple[str, ...]:
    def told(figures: DividendFigures | None) -> str:
        sums = {} if figures is None else _buckets(figures)
        return "\n".join(f"{_usd(cents)} {name.replace('_', ' ')}" for name, cents in sums.items() if cents)

    return (_year(one), one.dividend, one.lot, one.account, told(one.before), told(one.after), _why(one))


def _year(one: NamedCorrection | DividendCorrection) -> str:
    return f"{one.year}{' filed' if one.is_filed else ''}" if one.year else "open"


def _why(one: NamedCorrection | DividendCorrection) -> str:
    return " and ".join(one.rules) + (f" (by {', '.join(one.causes)})" if one.causes else "")


def _usd(cents: int) -> str:
    return f"{cents / CENTS_PER_USD:,.2f}"


def _buckets(figures: DividendFigures) -> dict[str, int]:
    return {part.name: getattr(figures.sums, part.name) for part in fields(figures.sums)}


def _record(one: NamedCorrection) -> dict[str, Any]:
    names = ("sale", "lot", "account", "year", "rules", "causes", "is_filed")
    sides = {"before": _figures(one.before), "after": _figures(one.after)}
    return {name: getattr(one, name) for name in names} | sides


def _figures(side: Figures | None) -> dict[str, str] | None:
    if side is None:
        return None
    money = ("proceeds_cents", "basis_cents", "disallowed_cents", "permanent_cents", "gain_cents")
    amounts = {
        name.removesuffix("_cents"): format_scaled(getattr(side, name), CENTS_PER_USD) for name in money
    }
    return {"quantity": format_scaled(side.quantity_nano, NANO_PER_SHARE), **amounts}


def _dividend_record(one: DividendCorrection) -> dict[str, Any]:
    def figures(side: DividendFigures | None) -> dict[str, str] | None:
        if side is None:
            return None
        amounts = {name: format_scaled(cents, CENTS_PER_USD) for name, cents in _buckets(side).items()}
        return {"quantity": format_scaled(side.quantity_nano, NANO_PER_SHARE), **amounts}

    names = ("dividend", "lot", "account", "year", "rules", "causes", "is_filed")
    sides = {"before": figures(one.before), "after": figures(one.after)}
    return {name: getattr(one, name) for name in names} | sides
