"""`allotment in-kind`: shares that leave an account without a sale, lot by lot."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allotment.cli import output
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, format_scaled, parse_cents

if TYPE_CHECKING:
    from allotment.jobs.in_kind import InKindQuestion, PlannedInKind
    from allotment.rebalance.in_kind import LeavingLot

app = typer.Typer(help="Shares that leave in kind: transfers out, donations, gifts.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="Account code.")]
Amount = Annotated[str, typer.Option(help="Dollars at most, as 10000 or 2500.50.")]
Reason = Annotated[str, typer.Option(help="To whom, or why: kept with the booking.")]
Post = Annotated[bool, typer.Option("--post", help="It has left: book it. Without, it is only shown.")]
Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The day it leaves (default: the last session with prices)."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

_NOTHING = {
    "transfer": "Nothing to transfer.",
    "donation": "Nothing to donate: no whole share of a long-term lot with a gain fits the amount.",
    "gift": "Nothing to give: no whole share of a lot with a gain fits the amount.",
}
_GAIN = {
    "transfer": "goes along, untaxed",
    "donation": "is never taxed; a long-term lot is deducted at its value",
    "gift": "goes along: the recipient takes over basis and holding period",
}


@app.command("transfer")
def transfer(
    context: typer.Context,
    account: Code,
    security: Annotated[
        list[str] | None, typer.Option(help="Only this one: our code, or ticker:META; may be repeated.")
    ] = None,
    sold: Annotated[
        list[str] | None,
        typer.Option(help="What the sale of a fraction brought, net, as KO=61.20; may be repeated."),
    ] = None,
    asof: Day = None,
    reason: Reason = "",
    post: Post = False,
    as_json: Json = False,
) -> None:
    """Move whole shares to another broker; the fraction of each name is sold from named lots.

    Shown first. `--post` books what moved, and the sales whose proceeds `--sold` tells; a fraction whose
    sale is not told stays, and the next plan sells it.
    """
    from allotment.jobs.in_kind import InKindQuestion
    from allotment.rebalance.in_kind import Leaving

    question = InKindQuestion(
        how=Leaving.TRANSFER,
        account=account,
        securities=tuple(security or ()),
        asof=asof.date() if asof else None,
        proceeds_cents=dict(_proceeds(one) for one in sold or ()),
        reason=reason,
    )
    _run(context, question, post=post, as_json=as_json)


@app.command("donate")
def donate(
    context: typer.Context,
    account: Code,
    amount: Amount,
    asof: Day = None,
    reason: Reason = "",
    post: Post = False,
    as_json: Json = False,
) -> None:
    """Pick whole shares for a charity: long-term lots, the largest share of gain first.

    Shown first; `--post` books it.
    """
    from allotment.jobs.in_kind import InKindQuestion
    from allotment.rebalance.in_kind import Leaving

    most, day = _cents(amount, "--amount"), asof.date() if asof else None
    question = InKindQuestion(
        how=Leaving.DONATION, account=account, value_cents_max=most, asof=day, reason=reason
    )
    _run(context, question, post=post, as_json=as_json)


@app.command("give")
def give(
    context: typer.Context,
    account: Code,
    amount: Amount,
    asof: Day = None,
    reason: Reason = "",
    post: Post = False,
    as_json: Json = False,
) -> None:
    """Pick whole shares for a person: the lots with the lowest basis per dollar first.

    Shown first; `--post` books it.
    """
    from allotment.jobs.in_kind import InKindQuestion
    from allotment.rebalance.in_kind import Leaving

    most, day = _cents(amount, "--amount"), asof.date() if asof else None
    question = InKindQuestion(
        how=Leaving.GIFT, account=account, value_cents_max=most, asof=day, reason=reason
    )
    _run(context, question, post=post, as_json=as_json)


def _run(context: typer.Context, question: InKindQuestion, *, post: bool, as_json: bool) -> None:
    from allotment.cli import ledger_shown
    from allotment.jobs.in_kind import book_in_kind, plan_in_kind
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        planned = plan_in_kind(firm, question)
        facts = _facts(planned)
        if post and planned.plan.lots:
            facts["posted"] = ledger_shown.posted(firm, book_in_kind(firm, planned, advance))
    output.emit(facts, as_json=as_json, show=lambda: _show(facts))


def _proceeds(text: str) -> tuple[str, int]:
    name, _, amount = text.rpartition("=")
    if not name:
        raise typer.BadParameter(f"{text!r} is not of the form SECURITY=DOLLARS", param_hint="--sold")
    return name, _cents(amount, "--sold")


def _cents(text: str, option: str) -> int:
    try:
        cents = parse_cents(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if cents <= 0:
        raise typer.BadParameter(f"{text!r} is not above zero", param_hint=option)
    return cents


def _usd(cents: int) -> str:
    return format_scaled(cents, CENTS_PER_USD)


def _facts(planned: PlannedInKind) -> dict[str, Any]:
    plan, codes = planned.plan, planned.security_codes
    leaving = [lot for lot in plan.lots if lot.how is planned.how]
    return {
        "account": planned.account.code,
        "day": planned.day.isoformat(),
        "what": planned.how.value,
        "lots": [_lot(lot, codes) for lot in plan.lots],
        "value": _usd(sum(lot.value_cents for lot in leaving)),
        "basis": _usd(sum(lot.basis_cents for lot in leaving if lot.has_basis)),
        "gain": _usd(sum(lot.gain_cents for lot in leaving if lot.has_basis)),
        "stays": [
            {"security": codes[security], "shares": format_scaled(nano, NANO_PER_SHARE), "why": why}
            for security, nano, why in plan.stays
        ],
        "unpriced": list(planned.unpriced),
        "sales_not_told": list(planned.waiting),
        "posted": None,
    }


def _lot(lot: LeavingLot, codes: dict[int, str]) -> dict[str, Any]:
    return {
        "how": lot.how.value,
        "security": codes[lot.security_id],
        "lot": f"{lot.origin_event}.{lot.origin_line}",
        "sleeve": lot.sleeve_ix,
        "acquired": lot.acquired.isoformat(),
        "term": "long" if lot.is_long_term else "short",
        "shares": format_scaled(lot.quantity_nano, NANO_PER_SHARE),
        "value": _usd(lot.value_cents),
        "basis": _usd(lot.basis_cents) if lot.has_basis else None,
        "gain": _usd(lot.gain_cents) if lot.has_basis else None,
        "why": lot.reason,
    }


_NUMBERS = ("shares", "value", "basis", "gain")
_COLUMNS = ("security", "lot", "acquired", "term", *_NUMBERS)


def _show(facts: dict[str, Any]) -> None:
    say = output.console.print
    say(f"{facts['what']} of {facts['account']} on {facts['day']}", style="bold", markup=False)
    if not facts["lots"]:
        say(_NOTHING[facts["what"]])
    for how in dict.fromkeys(lot["how"] for lot in facts["lots"]):
        _show_lots(how, [lot for lot in facts["lots"] if lot["how"] == how])
    if facts["lots"]:
        say(
            f"Leaves: {facts['value']}, basis {facts['basis']}; the gain of {facts['gain']} "
            f"{_GAIN[facts['what']]}.",
            highlight=False,
        )
    for one in facts["stays"]:
        said = f"Stays: {one['shares']} {one['security']}: {one['why']}"
        say(said, style="yellow", markup=False, highlight=False)
    if facts["unpriced"]:
        say(f"Without a price: {', '.join(facts['unpriced'])}", style="yellow", markup=False)
    _show_booking(facts)


def _show_lots(how: str, lots: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", title="to be sold" if how == "sale" else how)
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=True)
    reasons = dict.fromkeys(lot["why"] for lot in lots)
    if len(reasons) > 1:
        table.add_column("why")
    for lot in lots:
        row = ["not known" if lot[name] is None else lot[name] for name in _COLUMNS]
        table.add_row(*row, *([lot["why"]] if len(reasons) > 1 else []))
    output.console.print(table)
    if len(reasons) == 1:
        output.console.print(f"  {next(iter(reasons))}", style="dim", markup=False)


def _show_booking(facts: dict[str, Any]) -> None:
    from allotment.cli import ledger_shown

    say, waiting = output.console.print, ", ".join(facts["sales_not_told"])
    if facts["posted"] is None:
        if waiting:
            say(f"The fractions of {waiting} are sold first; tell what they brought: --sold {waiting}=…")
        if facts["lots"]:
            say("Nothing was booked; --post books it when it has left.", style="bold")
        return
    ledger_shown.changes(facts["posted"])
    if waiting:
        say(f"The fractions of {waiting} stay until their sale is told with --sold.", style="yellow")
