"""`allotment what-if` and `allotment frontier`: questions about one account; nothing is stored."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from allotment.cli import output
from allotment.cli.purpose import Amount, ModeName, YearsLeft, purpose
from allotment.errors import UsageError

if TYPE_CHECKING:
    from allotment.jobs.frontier import AccountFrontier
    from allotment.optimize.modes import Purpose
    from allotment.rebalance.explain import Explanation
    from allotment.rebalance.what_if import Change, WhatIf
    from allotment.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, YYYY-MM-DD.")]
Words = list[str] | None
Figure = float | None
Exclude = Annotated[Words, typer.Option(help="A security, sector, industry or flag to own none of.")]
Allow = Annotated[Words, typer.Option(help="One that is no longer excluded or restricted.")]
Without = Annotated[Words, typer.Option(help="A security whose lots leave the account.")]
Tilt = Annotated[Words, typer.Option(help="SCORE=STRENGTH in place of the mandate's.")]
RiskPrice = Annotated[Figure, typer.Option(help="Price of risk.")]
LossValue = Annotated[Figure, typer.Option(help="What a dollar of tax saved by a loss is worth now.")]
BasisValue = Annotated[Figure, typer.Option(help="Present value of the tax on a dollar of basis.")]
CashMin = Annotated[Figure, typer.Option(help="Least cash, fraction; the upper end moves along.")]
TeMax = Annotated[Figure, typer.Option(help="Most tracking error, annual fraction.")]
NameMax = Annotated[Figure, typer.Option(help="Most weight of a name above the index, fraction.")]
TradeMin = Annotated[Figure, typer.Option(help="Smallest trade, dollars.")]
Deposit = Annotated[float, typer.Option(help="Dollars paid in before trading.")]
Withdraw = Annotated[float, typer.Option(help="Dollars of cash taken out before trading.")]


def what_if(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="Account code.")],
    exclude: Exclude = None,
    allow: Allow = None,
    without: Without = None,
    tilt: Tilt = None,
    risk_price: RiskPrice = None,
    loss_value: LossValue = None,
    basis_value: BasisValue = None,
    cash_min: CashMin = None,
    te_max: TeMax = None,
    name_active_max: NameMax = None,
    trade_min: TradeMin = None,
    deposit: Deposit = 0.0,
    withdraw: Withdraw = 0.0,
    mode: ModeName = "",
    amount: Amount = None,
    years_left: YearsLeft = 1,
    asof: Day = None,
    rows: Annotated[int, typer.Option(min=1, help="How many trades to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Show what would be proposed for one account if its mandate, cash or lots were otherwise.

    Before and after side by side, both certified; nothing is stored. Ends with 3 when a limit could
    not be met.
    """
    from allotment.rebalance.what_if import Change

    change = Change(
        exclude=tuple(exclude or ()),
        allow=tuple(allow or ()),
        without=tuple(without or ()),
        tilts=tuple(_tilt(word) for word in tilt or ()),
        risk_price=risk_price,
        loss_value=loss_value,
        basis_value=basis_value,
        cash_weight_min=cash_min,
        te_max=te_max,
        name_active_max=name_active_max,
        trade_usd_min=trade_min,
        cash_usd=deposit - withdraw,
        purpose=purpose(mode, amount, years_left),
    )
    answer = _ask(context.obj, account, change, asof.date() if asof else None)
    output.emit(_facts(answer), as_json=as_json, show=lambda: _show(answer, rows))
    if answer.found.after.remarks:
        raise typer.Exit(3)


def frontier(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="Account code; none with --problem.")] = "",
    problem: Annotated[
        Path | None, typer.Option(help="A problem folder instead, without a database.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for frontier.csv and frontier.html, a page with the figure.")
    ] = None,
    points: Annotated[int, typer.Option(min=3, help="How many, an odd number.")] = 21,
    mode: ModeName = "",
    amount: Amount = None,
    years_left: YearsLeft = 1,
    asof: Day = None,
    as_json: Json = False,
) -> None:
    """Draw what less tracking error costs one account in tax and trading today.

    Every point is certified, and no plan at all lies below the floor. Nothing is stored.
    """
    from allotment.jobs.frontier import folder_frontier
    from allotment.optimize.frontier import table

    if bool(account) == (problem is not None):
        raise UsageError("give an account or --problem FOLDER, one of them.")
    if points % 2 == 0:
        raise UsageError("--points is an odd number: the middle one is the account as it stands.")
    aim = purpose(mode, amount, years_left)
    if problem is not None:
        found = folder_frontier(problem, points, aim)
    else:
        found = _account_frontier(context.obj, account, points, aim, asof.date() if asof else None)
    if out is not None:
        _write(found, out)
    drawn = table(found.frontier, found.value_usd)
    rows = [dict(zip(drawn, row, strict=True)) for row in zip(*drawn.values(), strict=True)]
    facts: dict[str, Any] = {
        "account": found.code,
        "asof": found.asof,
        "value_usd": found.value_usd,
        "today": {
            "tracking_error": found.frontier.hold_tracking_error,
            "keeps_every_limit": found.frontier.hold_feasible,
        },
        "points": rows,
        "out": str(out) if out is not None else None,
    }

    def show_it() -> None:
        from allotment.cli import show

        show.frontier(found.title, rows, found.frontier.hold_tracking_error)
        if out is not None:
            output.console.print(f"Written to {out}/", style="dim", markup=False)

    output.emit(facts, as_json=as_json, show=show_it)


def _account_frontier(
    settings: Settings, account: str, points: int, aim: Purpose | None, asof: date | None
) -> AccountFrontier:
    from allotment.jobs.what_if import WhatIfSession
    from allotment.rebalance.what_if import Change
    from allotment.store.database import Store

    with Store.open(settings) as store, store.firm() as firm:
        return WhatIfSession(firm, asof).frontier(account, Change(purpose=aim), points)


class _Answer(NamedTuple):
    """What was asked, and what is told of it."""

    account: str
    change: Change
    found: WhatIf
    told: Explanation  # of the account after the change
    codes: dict[int, str]  # security id -> code


def _ask(settings: Settings, account: str, change: Change, asof: date | None) -> _Answer:
    from allotment.jobs.what_if import WhatIfSession
    from allotment.rebalance.explain import explain
    from allotment.store.database import Store

    with Store.open(settings) as store, store.firm() as firm:
        session = WhatIfSession(firm, asof)
        found = session.ask(account, change)
        codes = {one.security_id: one.code for one in session.market.securities}
        told = explain(found.after.proposal, session.market.model.factor_names)
    return _Answer(account, change, found, told, codes)


def _facts(answer: _Answer) -> dict[str, Any]:
    """The answer for a program."""
    from allotment.cli.told import figures, in_words
    from allotment.rebalance.what_if import compare

    before, after = answer.found.before, answer.found.after
    return {
        "account": answer.account,
        "asof": after.figures.asof,
        "change": _asked(answer.change),
        "figures": {line.name: asdict(line) for line in compare(answer.found)},
        "remarks": after.remarks,
        "before": figures(before.figures),
        "after": figures(after.figures),
        **in_words(answer.told, answer.codes),
    }


def _show(answer: _Answer, rows: int) -> None:
    """The answer for a person, with at most so many trades."""
    from allotment.cli import show
    from allotment.rebalance.what_if import compare

    after = answer.found.after
    heading = f"{answer.account}, {_in_words(answer.change) or 'nothing changed'}"
    show.comparison(heading, compare(answer.found))
    for remark in after.remarks:
        output.console.print(f"! {remark}", style="yellow", markup=False)
    output.console.print()
    show.explanation(after.proposal, answer.told, answer.codes, rows)


def _tilt(word: str) -> Any:
    from allotment.book.mandate import Tilt as MandateTilt

    score, _, strength = word.partition("=")
    try:
        return MandateTilt(score, float(strength))
    except ValueError:
        raise UsageError(f"--tilt {word} is not SCORE=STRENGTH, as `--tilt esg=0.01`.") from None


def _asked(change: Change) -> dict[str, Any]:
    """What was asked to be otherwise; the rest left out."""
    return {name: part for name, part in asdict(change).items() if part not in (None, (), 0.0)}


def _in_words(change: Change) -> str:
    """What was asked, as a heading."""
    told = []
    for name, part in _asked(change).items():
        if name == "purpose":
            told.append(f"mode {part['mode']}")
        elif name == "tilts":
            told += [f"tilt {one['score']} {one['strength']:g}" for one in part]
        else:
            shown = ", ".join(part) if isinstance(part, tuple) else f"{part:,g}"
            told.append(f"{name.replace('_', ' ')} {shown}")
    return "; ".join(told)


def _write(found: AccountFrontier, out: Path) -> None:
    """The table and the figure; the page needs no network."""
    from allotment.charts.frontier import frontier_figure
    from allotment.optimize.frontier import table

    figure = frontier_figure(found.frontier, title=found.title, value_usd=found.value_usd)
    drawn = table(found.frontier, found.value_usd)
    lines = [",".join(drawn)]
    lines += [",".join(str(part) for part in row) for row in zip(*drawn.values(), strict=True)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "frontier.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        figure.write_html(out / "frontier.html", include_plotlyjs=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{out} cannot be written ({reason}); give another --out.") from error
