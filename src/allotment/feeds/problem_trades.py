"""A file of somebody's trades for a problem folder: the trades.csv that ``allotment optimize`` writes.

Of its columns symbol, side, quantity and lot_id are read; what else the file tells of its trades
(value, tax, cost, reason) is computed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import localcontext
from pathlib import Path

import numpy as np

from allotment.errors import BadFileError, BadRow
from allotment.feeds.problem_answer import Traded
from allotment.feeds.problem_columns import EXACT, ProblemColumns
from allotment.feeds.problem_folder import ProblemFolder, asset_rows, decimals, exact_column, tabulated
from allotment.feeds.schema import Column, Schema, Type, choice, optional
from allotment.feeds.table import Table
from allotment.optimize.certify import Trades


def read_trades(file: Path, given: ProblemFolder, columns: ProblemColumns) -> tuple[Traded, ...]:
    """The trades of a file, in the order of assets.csv. Raises BadFileError with every mistake in it.

    Whether they keep the rules, or sell more than there is, is not a mistake of the file.
    """
    bad: list[BadRow] = []
    table = tabulated(file, _schema, given.terms.as_of, bad, needed=True)
    if table is None:
        raise BadFileError(bad)
    name = asset_rows(table, {symbol: row for row, symbol in enumerate(given.assets.symbols)})
    quantity = decimals(table, "quantity", 1e-12, 1e12)
    lot = _lots(table, given, columns, name)
    if bad or table.bad:
        raise BadFileError(sorted(bad + table.bad, key=lambda row: row.line))
    made = list(zip(name.tolist(), lot, quantity, strict=True))
    return tuple(sorted(made, key=lambda one: one[:2]))


def as_weights(traded: Sequence[Traded], given: ProblemFolder, columns: ProblemColumns) -> Trades:
    """The same in the optimiser's units. A lot sold whole is sold by its very weight."""
    problem, lots = columns.problem, given.lots
    sold, bought = np.zeros(len(problem.lot_weight)), np.zeros(len(problem.held))
    with localcontext(EXACT):
        for name, lot, quantity in traded:
            if lot >= 0 and quantity == lots.quantity[columns.lot_rows[lot]]:
                sold[lot] = problem.lot_weight[lot]
                continue
            value = float(
                quantity * given.assets.price[name] / max(columns.value_usd, EXACT.create_decimal(1))
            )
            if lot >= 0:
                sold[lot] += value
            else:
                bought[name] += value
    return Trades(sold, bought)


def _schema(header: Sequence[str]) -> Schema:
    known: tuple[Column, ...] = (
        Column(name="symbol", type=Type.CODE, meaning="An asset of assets.csv.", example="AAPL"),
        choice("side", ("buy", "sell"), "Whether it is bought or sold."),
        exact_column("quantity", "Shares.", "12.5"),
        optional("lot_id", Type.TEXT, "The lot that a sale takes its shares from.", "L1"),
    )
    told = tuple(
        optional(name, Type.TEXT, "Not read.", "")
        for name in ("value", "tax", "cost", "reason")
        if name in header
    )
    return Schema(
        kind="problem_trades", about="Trades.", columns=known + told, key=("symbol", "side", "lot_id")
    )


def _lots(table: Table, given: ProblemFolder, columns: ProblemColumns, name: np.ndarray) -> list[int]:
    """The position in the problem of each sale's lot; −1 for a purchase."""
    place = {row: at for at, row in enumerate(columns.lot_rows.tolist())}
    known = {lot_id: place[row] for row, lot_id in enumerate(given.lots.lot_ids)}
    of_name = given.lots.name
    made = []
    cells = zip(table.words("side").each(), table.words("lot_id").each(), name.tolist(), strict=True)
    for row, (side, lot_id, asset) in enumerate(cells):
        lot = -1
        if side == "buy" and lot_id:
            table.refuse([row], "lot_id", f"a purchase names the lot {lot_id!r}", "leave the cell empty")
        elif side == "sell" and lot_id not in known:
            found = f"{lot_id!r} is no lot of lots.csv" if lot_id else "a sale names no lot"
            table.refuse([row], "lot_id", found, "give the lot_id that it sells from, one lot per row")
        elif side == "sell":
            lot = known[lot_id]
            if asset >= 0 and int(of_name[columns.lot_rows[lot]]) != asset:
                table.refuse([row], "lot_id", f"{lot_id!r} is a lot of another symbol", "correct one of both")
        made.append(lot)
    return made
