"""`allotment rebalance`, `explain`, `demo`, `init`: the main job and what came of it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allotment.cli import output
from allotment.cli.purpose import Amount, ModeName, YearsLeft, purpose
from allotment.settings import Settings

if TYPE_CHECKING:
    from allotment.jobs.summary import RunSummary

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, YYYY-MM-DD.")]


def init(
    context: typer.Context,
    firm: Annotated[str, typer.Argument(help="Name of the new firm.")],
    as_json: Json = False,
) -> None:
    """Make a firm: its schema, its role, and a local actor. Starts the database when needed."""
    from allotment.store.database import Store

    with Store.open(context.obj) as store:
        made = store.create_firm(firm)
        store.firm(firm).close()  # the firm used last is the default of every command

    def show_it() -> None:
        output.console.print(
            f"Firm [bold]{made.name}[/] is there; commands work for it now. Next: `allotment import FOLDER`."
        )

    output.emit({"firm": made.name, "market": made.market}, as_json=as_json, show=show_it)


def rebalance(
    context: typer.Context,
    accounts: Annotated[
        list[str] | None, typer.Argument(help="Account codes; all open accounts without.")
    ] = None,
    asof: Day = None,
    mode: ModeName = "",
    amount: Amount = None,
    years_left: YearsLeft = 1,
    price_washes: Annotated[
        bool, typer.Option("--price-washes", help="Allow trades that wash a loss where they are worth it.")
    ] = False,
    year_bps: Annotated[
        float | None,
        typer.Option(min=0.0, help="Net the year where lot by lot is wrong by more of the value (25)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide accounts: trades by lot with reasons, stored as proposals.

    A run that was interrupted is gone on with by the same command.
    """
    from allotment.cli import show
    from allotment.jobs.book_run import RunRequest, rebalance_book
    from allotment.jobs.summary import summarise
    from allotment.rebalance.case import CostPolicy
    from allotment.rebalance.washes import WashPolicy, WashRule
    from allotment.store.database import Store

    settings: Settings = context.obj
    costs = CostPolicy(washes=WashPolicy(rule=WashRule.PRICE if price_washes else WashRule.NEVER))
    if year_bps is not None:
        costs = replace(costs, year_bps_min=year_bps)
    request = RunRequest(
        asof=asof.date() if asof else None,
        account_codes=tuple(accounts or ()),
        purpose=purpose(mode, amount, years_left),
        costs=costs,
        threads=settings.n_threads,
    )
    with Store.open(settings) as store, store.firm() as firm, output.progress(quiet=as_json) as advance:
        report = rebalance_book(firm, request, advance)
        summary = summarise(firm, report)
    output.emit(asdict(summary), as_json=as_json, show=lambda: show.summary(summary))
    _leave(summary)


def demo(
    context: typer.Context,
    accounts: Annotated[int, typer.Option(min=1, help="How many accounts.")] = 1000,
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 7,
    prices: Annotated[
        Path | None, typer.Option(help="A folder of real history instead of an invented market.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of it.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a sample world, rebalance its whole book, and show the result.

    Replaces the firm `demo` wholly; other firms are not touched.
    """
    from allotment.cli import show
    from allotment.jobs.book_run import RunRequest, rebalance_book
    from allotment.jobs.demo import FIRM, DemoRequest, build
    from allotment.jobs.summary import summarise
    from allotment.store import book_tables, proposal_tables
    from allotment.store.database import Store

    settings: Settings = context.obj
    started = perf_counter()
    request = DemoRequest(
        accounts=accounts,
        seed=seed,
        prices=prices,
        first=first.date() if first else None,
        last=last.date() if last else None,
    )
    with output.progress(quiet=as_json) as advance:
        build(settings, request, advance)
        with Store.open(settings) as store, store.firm(FIRM) as firm:
            report = rebalance_book(firm, RunRequest(threads=settings.n_threads), advance)
            summary = summarise(firm, report)
            proposals = proposal_tables.load_proposals(firm, report.run_id)
            codes = {a.account_id: a.code for a in book_tables.load_accounts(firm)}
    most = max(proposals, key=lambda p: p.tax_this_year_saved_cents, default=None)
    seconds_in_all = perf_counter() - started

    def show_it() -> None:
        show.summary(summary)
        output.console.print(f"World built, stored and decided in {seconds_in_all:.1f} s.\n")
        if most is not None:
            output.console.print("Try next:", style="bold")
            for command, what in (
                (f"allotment explain {codes[most.account_id]}", "the account that saves most tax"),
                ("allotment rebalance --json", "the same book again, for a program"),
                ("allotment db status", "where the data is"),
            ):
                output.console.print(f"  {command:<30}{what}", highlight=False)

    output.emit(asdict(summary) | {"seconds_in_all": seconds_in_all}, as_json=as_json, show=show_it)
    _leave(summary)


def explain(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="Account code.")],
    rows: Annotated[int, typer.Option(min=1, help="How many trades to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Tell what is proposed for one account, why, what it costs and what it saves."""
    from allotment.cli import show
    from allotment.cli import told as told_facts
    from allotment.rebalance.explain import explain as tell
    from allotment.store import book_tables, market_tables, model_tables, proposal_tables, run_tables
    from allotment.store.database import Store

    with Store.open(context.obj) as store, store.firm() as firm:
        found = book_tables.find_account(firm, account)
        proposal = proposal_tables.latest_proposal(firm, found.account_id)
        factors = model_tables.load_model(firm, proposal.model_version).factor_names if proposal else ()
        codes = {s.security_id: s.code for s in market_tables.load_securities(firm)}
        last = run_tables.latest_run(firm, kind="rebalance")
        known = run_tables.load_exceptions(firm, last.run_id) if last else ()
    exceptions = [e for e in known if e.account_id == found.account_id]
    facts: dict[str, Any] = {"account": found.code, "exceptions": [e.message for e in exceptions]}
    told = tell(proposal, factors) if proposal else None
    if proposal is not None and told is not None:
        facts |= told_facts.in_words(told, codes) | {"proposal": told_facts.figures(proposal)}

    def show_it() -> None:
        show.account(found, [e.message for e in exceptions])
        if proposal is None or told is None:
            output.console.print("No proposal yet: run `allotment rebalance`.")
        else:
            show.explanation(proposal, told, codes, rows)

    output.emit(facts, as_json=as_json, show=show_it)


def _leave(summary: RunSummary) -> None:
    """Exit code 3 when there is something to look at."""
    if summary.exceptions:
        raise typer.Exit(3)
