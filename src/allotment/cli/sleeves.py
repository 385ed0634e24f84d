"""`allotment sleeves`: an account by its managers, and swaps between them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allotment.cli import output
from allotment.units import (
    CENTS_PER_USD,
    MICROS_PER_USD,
    NANO_PER_SHARE,
    format_scaled,
    parse_nano,
    parse_scaled,
)

if TYPE_CHECKING:
    from allotment.jobs.sleeves import AccountSleeves, Proposed, SwapQuestion
    from allotment.ledger.swap import Leg

app = typer.Typer(help="Sleeves of an account: what each manager holds, and swaps.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="Account code.")]
Seller = Annotated[str, typer.Option(help="Code of the sleeve that sells.")]
Security = Annotated[str, typer.Option(help="What is swapped: our code, or ticker:META.")]
Shares = Annotated[str, typer.Option(help="How many shares, as 12.5.")]
Price = Annotated[str, typer.Option(help="Average of the block that traded it that day (else the close).")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Post = Annotated[bool, typer.Option("--post", help="Book it; without, it is only shown.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, YYYY-MM-DD.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("show")
def show(
    context: typer.Context,
    account: Code,
    asof: Day = None,
    lots: Annotated[bool, typer.Option("--lots", help="List every lot.")] = False,
    as_json: Json = False,
) -> None:
    """Value, cash and lots by sleeve and manager."""
    from allotment.jobs.sleeves import account_sleeves
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        found = account_sleeves(firm, account, asof.date() if asof else None)
    output.emit(_facts(found), as_json=as_json, show=lambda: _show(found, with_lots=lots))


@app.command("cross")
def cross(
    context: typer.Context,
    account: Code,
    seller: Seller,
    buyer: Annotated[str, typer.Option(help="Code of the sleeve that buys.")],
    security: Security,
    shares: Shares,
    price: Price = "",
    asof: Day = None,
    reason: Reason = "",
    post: Post = False,
    as_json: Json = False,
) -> None:
    """One sleeve buys what another sells: lots change their label, no order, no tax.

    Shown first; `--post` books it.
    """
    from allotment.jobs.sleeves import SwapQuestion
    from allotment.ledger.swap import SwapKind

    question = SwapQuestion(
        kind=SwapKind.CROSSING,
        account=account,
        seller=seller,
        buyer=buyer,
        security=security,
        quantity_nano=_number(shares, NANO_PER_SHARE, "--shares"),
        asof=asof.date() if asof else None,
        block_micros=_number(price, MICROS_PER_USD, "--price") if price else 0,
        reason=reason,
    )
    _swap(context, question, post=post, as_json=as_json)


@app.command("substitute")
def substitute(
    context: typer.Context,
    account: Code,
    seller: Seller,
    security: Security,
    shares: Shares,
    price: Price = "",
    asof: Day = None,
    reason: Reason = "",
    post: Post = False,
    as_json: Json = False,
) -> None:
    """Before a sleeve sells: exchange equal shares, so that it holds the account's best lots.

    Shown first, with the lots that the sale then names; `--post` books it.
    """
    from allotment.jobs.sleeves import SwapQuestion
    from allotment.ledger.swap import SwapKind

    question = SwapQuestion(
        kind=SwapKind.SUBSTITUTION,
        account=account,
        seller=seller,
        security=security,
        quantity_nano=_number(shares, NANO_PER_SHARE, "--shares"),
        asof=asof.date() if asof else None,
        block_micros=_number(price, MICROS_PER_USD, "--price") if price else 0,
        reason=reason,
    )
    _swap(context, question, post=post, as_json=as_json)


@app.command("cash")
def cash(
    context: typer.Context,
    account: Code,
    giver: Annotated[str, typer.Option("--from", help="Code of the sleeve that gives.")],
    taker: Annotated[str, typer.Option("--to", help="Code of the sleeve that receives.")],
    amount: Annotated[str, typer.Option(help="Dollars, as 2500.50.")],
    asof: Day = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Pass cash from one sleeve to another, so that its manager can buy. Booked at once."""
    from allotment.jobs.sleeves import CashQuestion, move_cash
    from allotment.store.database import Store

    cents = _number(amount, CENTS_PER_USD, "--amount")
    question = CashQuestion(
        account=account,
        giver=giver,
        taker=taker,
        amount_cents=cents,
        asof=asof.date() if asof else None,
        reason=reason,
    )
    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        move_cash(firm, question, advance)
    facts = {
        "account": account,
        "from": giver,
        "to": taker,
        "amount": _usd(cents),
    }
    output.emit(
        facts,
        as_json=as_json,
        show=lambda: output.console.print(f"{_usd(cents)} went from {giver} to {taker}.", markup=False),
    )


def _swap(context: typer.Context, question: SwapQuestion, *, post: bool, as_json: bool) -> None:
    from allotment.jobs.sleeves import book_swap, plan_swap
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        proposed = plan_swap(firm, question)
        booked = post and bool(proposed.swap.legs)
        if booked:
            book_swap(firm, proposed, advance)
    facts = _swap_facts(proposed, booked=booked)
    output.emit(facts, as_json=as_json, show=lambda: _show_swap(proposed, booked=booked))


def _number(text: str, scale: int, option: str) -> int:
    try:
        number = parse_nano(text) if scale == NANO_PER_SHARE else parse_scaled(text, scale)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if number <= 0:
        raise typer.BadParameter(f"{text!r} is not above zero", param_hint=option)
    return number


def _usd(cents: int) -> str:
    return format_scaled(cents, CENTS_PER_USD)


def _shares(nano: int) -> str:
    return format_scaled(nano, NANO_PER_SHARE)


def _facts(found: AccountSleeves) -> dict[str, Any]:
    return {
        "account": found.account.code,
        "asof": found.asof.isoformat(),
        "value": _usd(sum(one.total_cents for one in found.sleeves)),
        "unpriced": list(found.unpriced),
        "sleeves": [
            {
                "sleeve": one.sleeve.code,
                "manager": one.sleeve.manager,
                "value": _usd(one.total_cents),
                "cash": _usd(one.cash_cents),
                "lots": [
                    {
                        "security": found.security_codes[security],
                        "lot": [event, line],
                        "quantity": _shares(side * quantity),
                        "value": _usd(value),
                        "basis": _usd(basis),
                        "acquired": str(acquired),
                    }
                    for security, event, line, side, quantity, value, basis, acquired in zip(
                        one.lots.security_id.tolist(),
                        one.lots.origin_event.tolist(),
                        one.lots.origin_line.tolist(),
                        one.lots.side.tolist(),
                        one.lots.quantity_nano.tolist(),
                        one.value_cents.tolist(),
                        one.lots.basis_cents.tolist(),
                        one.lots.acquired.tolist(),
                        strict=True,
                    )
                ],
            }
            for one in found.sleeves
        ],
    }


def _show(found: AccountSleeves, *, with_lots: bool) -> None:
    from rich.table import Table

    facts = _facts(found)
    table = Table("sleeve", "manager", box=None, header_style="bold")
    for column in ("value", "cash", "lots"):
        table.add_column(column, justify="right")
    for one in facts["sleeves"]:
        table.add_row(one["sleeve"], one["manager"], one["value"], one["cash"], str(len(one["lots"])))
    table.add_row("all", "", facts["value"], "", "")
    output.console.print(f"{found.account.code} on {found.asof}", style="bold", markup=False)
    output.console.print(table)
    if found.unpriced:
        output.console.print(f"Without a price: {', '.join(found.unpriced)}", style="yellow", markup=False)
    if with_lots:
        for one in facts["sleeves"]:
            lots = Table("security", "lot", "acquired", box=None, header_style="bold", title=one["sleeve"])
            for column in ("shares", "value", "basis"):
                lots.add_column(column, justify="right")
            for lot in one["lots"]:
                name = "{}/{}".format(*lot["lot"])
                lots.add_row(
                    lot["security"], name, lot["acquired"], lot["quantity"], lot["value"], lot["basis"]
                )
            output.console.print(lots)


def _leg(leg: Leg) -> dict[str, Any]:
    return {
        "seller": leg.seller.code,
        "seller_manager": leg.seller.manager,
        "buyer": leg.buyer.code,
        "buyer_manager": leg.buyer.manager,
        "shares": _shares(leg.quantity_nano),
        "price": format_scaled(leg.price.price_micros, MICROS_PER_USD),
        "price_source": leg.price.source.value,
        "amount": _usd(leg.amount_cents),
        "lots": [[event, line, _shares(nano)] for event, line, nano in leg.lots],
        "reason": leg.reason,
    }


def _swap_facts(proposed: Proposed, *, booked: bool) -> dict[str, Any]:
    swap = proposed.swap
    return {
        "account": proposed.account.code,
        "day": proposed.day.isoformat(),
        "security": proposed.security,
        "booked": booked,
        "legs": [_leg(leg) for leg in swap.legs],
        "to_sell": [[event, line, _shares(nano)] for event, line, nano in swap.to_sell],
    }


def _show_swap(proposed: Proposed, *, booked: bool) -> None:
    from rich.table import Table

    swap = proposed.swap
    if not swap.legs:
        output.console.print("Nothing to swap: the sleeve holds the account's best lots already.")
        return
    table = Table("from", "to", box=None, header_style="bold")
    for column in ("shares", "price", "amount"):
        table.add_column(column, justify="right")
    table.add_column("lots (event/line: shares)")
    for leg in map(_leg, swap.legs):
        lots = ", ".join(f"{event}/{line}: {shares}" for event, line, shares in leg["lots"])
        table.add_row(leg["seller"], leg["buyer"], leg["shares"], leg["price"], leg["amount"], lots)
    output.console.print(
        f"{proposed.security} on {proposed.day}, {swap.legs[0].price.source.value}", style="bold"
    )
    output.console.print(table)
    output.console.print(swap.legs[0].reason, style="dim", markup=False)
    if swap.to_sell:
        named = ", ".join(f"{event}/{line}: {_shares(nano)}" for event, line, nano in swap.to_sell)
        output.console.print(f"The sale then names {named}.", highlight=False)
    output.console.print("Booked." if booked else "Nothing was booked; --post books it.", style="bold")
