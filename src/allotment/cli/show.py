"""What the main job looks like on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from allotment.book.household import Account
from allotment.cli.output import console
from allotment.jobs.summary import RunSummary
from allotment.rebalance.explain import Explanation, gap_bps
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.trade_lines import NameTrade

if TYPE_CHECKING:
    from allotment.rebalance.what_if import Line

_WHY_ROWS = 5
_LEFT_ROWS = 8
_LARGE_PRICE = 1000.0  # from here on without decimals


def summary(figures: RunSummary) -> None:
    """A run as a table that fits a screen."""
    s = figures
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    table.add_column()
    rows: list[tuple[str, str, str]] = [
        (
            "accounts",
            f"{s.accounts:,}",
            f"{s.accounts_trading:,} trade, {s.proposals - s.accounts_trading:,} have nothing to do",
        ),
        ("value", _usd(s.value_usd), ""),
        (
            "lots",
            f"{s.lots:,}",
            f"{s.lots_per_account:,.0f} lots and {s.names_per_account:,.0f} names in the middle account",
        ),
        (
            "trades",
            f"{s.trades:,}",
            f"{s.trades_per_account:,.0f} in the middle account, turnover {s.turnover:.1%}",
        ),
        ("losses banked", _usd(s.loss_banked_usd), ""),
        (
            "tax of this year saved",
            _usd(s.tax_this_year_saved_usd),
            "with the clients' own gains and carry-ins",
        ),
        ("trading cost", _usd(s.cost_usd), "half-spreads, estimated"),
        ("tracking error", f"{s.tracking_error_after:.2%}", f"a year; before: {s.tracking_error_before:.2%}"),
        (
            "proven gap",
            f"{s.gap_bps_median:.2f} bp",
            f"99 % of accounts below {s.gap_bps_p99:.1f} bp of their value",
        ),
        (
            "time",
            f"{s.seconds:.1f} s",
            f"{s.accounts_per_second:,.0f} accounts/s, compiled {s.accounts_per_second_per_core:,.0f}/s",
        ),
    ]
    for row in rows:
        table.add_row(*row)
    title = f"Run {s.run_id}, prices of {s.asof}" + (", taken up where it stopped" if s.resumed else "")
    console.print(Panel(table, title=title, title_align="left", border_style="green", expand=False))
    if s.exceptions:
        causes = ", ".join(f"{count} {cause}" for cause, count in s.exceptions.items())
        console.print(f"To look at: {causes}", style="yellow")
    console.print("Estimates for decisions, no tax advice.", style="dim")


def account(found: Account, exceptions: Sequence[str]) -> None:
    """Which account, and what is wrong with it."""
    name = found.name or f"{found.kind.value} account"
    console.print(f"[bold]{found.code}[/]  {name}, held at {found.venue_code}", highlight=False)
    for exception in exceptions:
        console.print(f"! {exception}", style="yellow", markup=False)


def explanation(proposal: Proposal, told: Explanation, names: Mapping[int, str], rows: int) -> None:
    """A proposal as a person reads it; `rows` limits the trades shown."""
    console.print(f"As of {proposal.asof}, value {_usd(proposal.value_cents / 100)}\n", highlight=False)
    console.print(told.headline, style="bold")
    _indented([(fact,) for fact in told.facts])
    if told.trades:
        console.print()
        console.print(_trades(told.trades[:rows], names))
    if len(told.trades) > rows:
        more = len(told.trades) - rows
        console.print(
            f"… and {more} smaller {'trade' if more == 1 else 'trades'} (--rows shows more)", style="dim"
        )
    _why(told.trades[: min(rows, _WHY_ROWS)], names)
    if told.left:
        console.print("\nNot traded", style="bold")
        _indented([(names[left.security_id], left.why_not) for left in told.left[:_LEFT_ROWS]])
    console.print("\nTax as estimated for the decision; no tax advice.", style="dim")


def _why(trades: Sequence[NameTrade], names: Mapping[int, str]) -> None:
    """The largest trades in sentences."""
    if not any(t.because for t in trades):
        return
    console.print("\nWhy the largest trades", style="bold")
    _indented([(f"{t.side} {names[t.security_id]}", f"{t.because} {t.instead}".rstrip()) for t in trades])


def _indented(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows whose last part is a sentence, which goes on under itself where it is longer than the line."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(part, no_wrap=part is not row[-1]) for part in row))
    console.print(Padding(table, (0, 0, 0, 2)))


_FIGURES = {
    "tracking_error": "tracking error",
    "active_share": "differs from the index",
    "tax": "tax, as priced",
    "tax_this_year_saved": "tax of this year saved",
    "losses_banked": "losses banked",
    "gain_short": "short-term gains, net",
    "gain_long": "long-term gains, net",
    "trading_cost": "trading cost",
    "turnover": "turnover",
    "trades": "trades, lot by lot",
    "names": "names held",
    "cash": "cash",
    "gap": "proven gap",
}


def comparison(title: str, lines: Sequence[Line]) -> None:
    """A proposal as the account stands, as it would be, and the difference. title: what was asked."""
    console.print(title, style="bold", markup=False, highlight=False)
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    for column in ("as it stands", "what if", "difference"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines:
        before, after = (_figure(part, line.unit) for part in (line.before, line.after))
        apart = f"{'+' if line.after > line.before else ''}{_figure(line.after - line.before, line.unit)}"
        # Gaps say how far to trust either side; their difference says nothing.
        table.add_row(
            _FIGURES[line.name], before, after, "" if before == after or line.unit == "bps" else apart
        )
    console.print(table)


def _figure(amount: float, unit: str) -> str:
    if unit == "fraction":
        return f"{amount:.2%}"
    if unit == "usd":
        return _usd(amount)
    return f"{amount:,.0f}" if unit == "count" else f"{gap_bps(amount)} bp"


def frontier(title: str, points: Sequence[Mapping[str, Any]], today: float) -> None:
    """A frontier as a table; the account's own price of risk is marked."""
    console.print(title, style="bold", markup=False)
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    # In two lines, so that all of it fits 80 columns.
    columns = ("price\nof risk", "tracking\nerror", "tax and\ncost", "tax", "trading", "turnover", "gap", "")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for p in points:
        mark = "← own" if p["is_chosen"] else ""
        table.add_row(
            f"{p['risk_price']:,.0f}" if p["risk_price"] >= _LARGE_PRICE else f"{p['risk_price']:.3g}",
            f"{p['tracking_error']:.2%}",
            f"{p['tax_and_cost_bps']:.1f} bp",
            _usd(p["tax_usd"]),
            _usd(p["trading_cost_usd"]),
            f"{p['turnover']:.1%}",
            f"{gap_bps(p['gap_bps'])} bp",
            f"{mark}{' limit broken' if p['is_relaxed'] else ''}",
        )
    console.print(table)
    console.print(f"Left as it is, the account has a tracking error of {today:.2%}.", highlight=False)


def _trades(trades: Sequence[NameTrade], names: Mapping[int, str]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("", "name"):
        table.add_column(column, no_wrap=True)
    for column in ("value", "gain", "tax", "weight", "after", "index"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why")
    for t in trades:
        sale = t.side == "sell"
        lots = f" [dim]{t.n_lots} lots[/]" if t.n_lots > 1 else ""
        table.add_row(
            f"[{'red' if sale else 'green'}]{t.side}[/]",
            f"{names[t.security_id]}{lots}",
            _usd(t.value_usd),
            _usd(t.gain_short_usd + t.gain_long_usd) if sale else "",
            _usd(t.tax_usd) if sale and round(t.tax_usd) else "",
            f"{t.weight_before:.2%}",
            f"{t.weight_after:.2%}",
            f"{t.weight_index:.2%}",
            t.why,
        )
    return table


def _usd(amount: float) -> str:
    whole = round(amount)
    return f"-${-whole:,}" if whole < 0 else f"${whole:,}"
