"""The optimiser's answer in exact shares, and the tables that ``allotment optimize`` writes of it.

Weights become shares on the account's step, to the twelfth decimal where any fraction is allowed.
The columns are those of docs/reference/files/optimize.md.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

import numpy as np

from allotment.feeds.problem_columns import EXACT, OPTIONS, ProblemColumns
from allotment.feeds.problem_folder import ProblemFolder
from allotment.optimize.conflict import Conflict
from allotment.optimize.reasons import Reason, Reasons, reasons_of
from allotment.optimize.solution import Solutions, Status
from allotment.units import Floats

_WHOLE_LOT = 1.0 - 1e-9  # a sale of more than this share of a lot closes it
_CONTINUOUS_STEP = Decimal("1e-12")  # shares: what a fraction is written to where any is allowed
_MICRO = Decimal("1e-6")  # dollars: what money is written to
FILE = "file"  # who made trades that were given as a file
Traded = tuple[int, int, Decimal]  # position of the name, of the lot (-1: a purchase), shares
_TRADES = ("symbol", "side", "quantity", "lot_id", "value", "tax", "cost", "reason")
_WEIGHTS = ("symbol", "held", "benchmark", "weight", "quantity_held", "quantity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A purchase of one name, or a sale from one lot."""

    name: int
    lot: int  # position in the problem, -1 for a purchase
    quantity: Decimal
    value: Decimal  # dollars, exact
    tax_usd: float
    cost_usd: float  # spread and charges; a name's ticket is on its first trade
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where an answer comes from that is not the optimiser's own, and how it was found."""

    made_by: str  # FILE, or the backend
    reply: str  # `optimize.backend.Reply`
    broken: tuple[str, ...]  # hard rules that its trades break
    own_objective: float  # of the optimiser's own trades
    found: str = ""  # what went wrong with the backend
    claims_false_bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One solved problem: what was asked, the optimiser's columns, and the trades in shares."""

    given: ProblemFolder
    columns: ProblemColumns
    solution: Solutions
    trades: tuple[Trade, ...]
    quantity: tuple[Decimal, ...]  # shares of each name after trading
    weight: Floats  # of these shares
    seconds: float  # that the optimiser took
    reasons: Reasons | None  # none for an account that has nothing to decide
    door: Door | None = None  # for trades that somebody else made, or was asked for
    conflicts: tuple[Conflict, ...] = ()  # why our own answer relaxed something

    @property
    def status(self) -> Status:
        """How the answer came out."""
        return Status(int(self.solution.status[0]))


def answer(
    given: ProblemFolder,
    columns: ProblemColumns,
    solution: Solutions,
    seconds: float,
    quantities: Sequence[Traded] | None = None,
    door: Door | None = None,
) -> Answer:
    """An answer in shares; quantities: those of somebody else's trades, else they follow from `solution`."""
    reasons = reasons_of(columns.market, columns.problem, solution, 0, OPTIONS)
    with localcontext(EXACT):
        if quantities is None:
            quantities = _quantities(given, columns, solution)
        trades = _trades(given, columns, quantities, reasons)
        after = list(columns.held)
        for trade in trades:
            after[trade.name] += trade.quantity if trade.lot < 0 else -trade.quantity
        whole = columns.value_usd if columns.value_usd > 0 else Decimal(1)
        weight = np.array([float(q * p / whole) for q, p in zip(after, given.assets.price, strict=True)])
    return Answer(
        given=given,
        columns=columns,
        solution=solution,
        trades=trades,
        quantity=tuple(after),
        weight=weight,
        seconds=seconds,
        reasons=reasons,
        door=door,
    )


def trades_csv(found: Answer) -> str:
    """Trades in the order of assets.csv; a name's sales in the order in which its lots leave."""
    assets, lots = found.given.assets, found.given.lots
    return _csv(
        _TRADES,
        (
            (
                assets.symbols[trade.name],
                "buy" if trade.lot < 0 else "sell",
                _plain(trade.quantity),
                "" if trade.lot < 0 else lots.lot_ids[found.columns.lot_rows[trade.lot]],
                _money(trade.value),
                _money(trade.tax_usd),
                _money(trade.cost_usd),
                trade.reason,
            )
            for trade in found.trades
        ),
    )


def weights_csv(found: Answer) -> str:
    """Weights of every name before trading, in the benchmark and after trading."""
    assets, held = found.given.assets, found.columns.problem.held
    return _csv(
        _WEIGHTS,
        (
            (
                symbol,
                repr(float(held[i])),
                repr(float(assets.benchmark[i])),
                repr(float(found.weight[i])),
                _plain(found.columns.held[i]),
                _plain(found.quantity[i]),
            )
            for i, symbol in enumerate(assets.symbols)
        ),
    )


def multipliers_csv(found: Answer) -> str:
    """Names and values of the multipliers that prove the lower bound; see `multipliers`."""
    return _csv(("name", "value"), ((name, repr(value)) for name, value in multipliers(found).items()))


def multipliers(found: Answer) -> dict[str, float]:
    """Every multiplier of the certificate by its name.

    factor.fI is π of factor I, cash is μ of the sum of weights, row.KEY that of the row which a key
    of problem.toml makes, risk_price is κ, that of a tracking-error limit included. An account that
    was not solved has none.
    """
    solution = found.solution
    factors = [f"factor.f{i}" for i in range(solution.factor_price.shape[1])]
    names = [*factors, "cash", *(f"row.{name}" for name in found.columns.row_names), "risk_price"]
    made = dict(zip(names, solution.theta.tolist(), strict=True))
    return {name: value for name, value in made.items() if math.isfinite(value)}


def _quantities(given: ProblemFolder, columns: ProblemColumns, solution: Solutions) -> list[Traded]:
    """Every trade, in whole steps of each name.

    A lot sold whole leaves whole, so its odd fraction is made up by the name's other lot.
    """
    problem, lots = columns.problem, given.lots
    step = given.terms.share_step or _CONTINUOUS_STEP
    value = float(columns.value_usd)
    made = []
    for name, price in enumerate(given.assets.price):
        of_name = range(int(problem.lots_from[name]), int(problem.lots_from[name + 1]))
        sold = [lot for lot in of_name if solution.sold[lot] > 0.0]
        shares = {lot: lots.quantity[columns.lot_rows[lot]] for lot in sold}
        part = {lot: float(solution.sold[lot] / problem.lot_weight[lot]) for lot in sold}
        closed = {lot: shares[lot] for lot in sold if part[lot] >= _WHOLE_LOT}
        rest = [lot for lot in sold if lot not in closed]
        total = sum(float(solution.sold[lot]) for lot in sold) * value / float(price)
        left = _steps(total, step) - sum(closed.values(), Decimal(0))
        cut = {lot: _steps(part[lot] * float(shares[lot]), step) for lot in rest[:-1]}
        if rest:
            cut[rest[-1]] = left - sum(cut.values(), Decimal(0))
        for lot in sold:
            quantity = closed[lot] if lot in closed else min(cut[lot], shares[lot])
            if quantity > 0:
                made.append((name, lot, quantity))
        bought = _steps(float(solution.bought[name]) * value / float(price), step)
        if bought > 0:
            made.append((name, -1, bought))
    return made


def _steps(shares: float, step: Decimal) -> Decimal:
    """The nearest whole number of steps."""
    return Decimal(round(shares / float(step))) * step


def _trades(
    given: ProblemFolder, columns: ProblemColumns, quantities: Sequence[Traded], reasons: Reasons | None
) -> tuple[Trade, ...]:
    problem, terms = columns.problem, given.terms
    made: list[Trade] = []
    for name, lot, quantity in quantities:
        value = quantity * given.assets.price[name]
        cost = float(problem.half_spread[name]) * float(value)
        cost += terms.ticket_usd if not made or made[-1].name != name else 0.0
        cost += terms.closed_lot_usd if lot >= 0 else 0.0
        tax = float(problem.lot_tax[lot]) * float(value) if lot >= 0 else 0.0
        made.append(
            Trade(
                name=name,
                lot=lot,
                quantity=quantity,
                value=value,
                tax_usd=tax,
                cost_usd=cost,
                reason=_reason(reasons, name, lot),
            )
        )
    return tuple(made)


def _reason(reasons: Reasons | None, name: int, lot: int) -> str:
    """What speaks most for a trade, in words; nothing is known of trades that cannot be priced."""
    if reasons is None:
        return "unknown"
    code = int(reasons.of_sale[lot] if lot >= 0 else reasons.of_purchase[name])
    return Reason(code).name.lower().replace("_", " ") if code else "unknown"


def _plain(number: Decimal) -> str:
    """The exact decimal without exponent or idle zeros."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _money(usd: Decimal | float) -> str:
    exact = usd if isinstance(usd, Decimal) else Decimal(repr(usd))
    with localcontext(EXACT):
        return _plain(exact.quantize(_MICRO, ROUND_HALF_UP) + 0)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
