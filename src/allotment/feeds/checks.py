"""Rules over several cells or rows of one file. Mistakes are collected in the table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from allotment.errors import BadRow
from allotment.feeds.household_checks import check_discretion, check_expected, check_links, check_outside
from allotment.feeds.market_schemas import WEIGHT_SUM_TOLERANCE
from allotment.feeds.schema import Type
from allotment.feeds.table import Table, Words, pairs
from allotment.units import Bools, Floats, as_day

_NEVER = date(2200, 1, 1)


def check_table(table: Table, asof: date) -> None:
    """Every rule of the file that can be judged without what was loaded before."""
    _unique(table)
    extra = {
        "identifiers": _identifiers,
        "index_weights": _index_weights,
        "corporate_actions": _corporate_actions,
        "accounts": _accounts,
        "mandates": _mandates,
        "lots": _lots,
        "transfers": _transfers,
        "late_basis": _late_basis,
        "links": check_links,
        "discretion": check_discretion,
        "outside_transactions": check_outside,
        "expected": check_expected,
    }.get(table.schema.kind)
    if extra:
        extra(table, asof)


def _plain(table: Table, columns: Sequence[str]) -> pl.DataFrame:
    """Columns as plain numbers, equal where the cells mean the same."""
    made = {}
    for name in columns:
        values = table.columns[name]
        column = table.schema.by_name[name]
        if isinstance(values, Words) and column.type is Type.CODE and not column.default:
            values = values.codes  # distinct as they are
        elif isinstance(values, Words):
            first = {word: code for code, word in reversed(list(enumerate(values.values)))}
            values = values.mapped([first[word] for word in values.values])
        made[name] = values
    return pl.DataFrame(made)


def _unique(table: Table) -> None:
    key = table.schema.key
    if not table.schema.key_or_row:
        _refuse_repeats(table, key, table.sound(*key))
        return
    unnamed = table.empty[key[-1]]
    _refuse_repeats(table, key, ~unnamed & table.sound(*key))
    _refuse_repeats(table, tuple(table.schema.by_name), unnamed & table.sound(*table.schema.by_name))


def _refuse_repeats(table: Table, key: tuple[str, ...], among: Bools) -> None:
    if not among.any():
        return
    frame = _plain(table, key)
    rows = np.flatnonzero(among)
    if rows.size < len(table):
        frame = frame[rows]
    if frame.hash_rows().n_unique() == frame.height:
        return
    first = frame.with_row_index("row").with_columns(pl.col("row").first().over(list(key)).alias("first"))
    repeats = first.filter(pl.col("row") != pl.col("first"))
    whole = len(key) == len(table.schema.columns)
    column = "" if whole else ", ".join(key)
    what = "the whole row" if whole else "the same " + ", ".join(key)
    for row, earlier in repeats.select("row", "first").iter_rows():
        found = f"repeats line {table.lines[rows[earlier]]} ({what})"
        remedy = "remove one of the two" + (
            f", or tell them apart by `{table.schema.key[-1]}`" if whole else ""
        )
        table.bad.append(BadRow(table.file, int(table.lines[rows[row]]), column, found, remedy))


def _identifiers(table: Table, _asof: date) -> None:
    start, end = table.days("start"), table.days("end")
    sound = table.sound("start", "end", "kind", "value")
    _refuse_order(table, "end", sound & (end < start), "start")
    frame = _plain(table, ("kind", "value", "start", "end")).with_row_index("row")
    frame = frame.filter(pl.Series(sound)).sort("kind", "value", "start", "row")
    far = pl.col("end").fill_null(_NEVER)
    # The period that reaches farthest among those that began before, not only the last of them.
    reach = frame.with_columns(far.cum_max().shift().over("kind", "value").alias("until"))
    overlap = reach.filter(pl.col("until") >= pl.col("start"))
    by_end = {
        (kind, value, until): row
        for row, kind, value, until in frame.select("row", "kind", "value", far).reverse().iter_rows()
    }
    for row, *key in overlap.select("row", "kind", "value", "until").iter_rows():
        earlier = by_end[tuple(key)]
        if start[row] != start[earlier]:  # the same start twice is a repeated key, told already
            found = f"overlaps the period of line {table.lines[earlier]}"
            table.refuse([row], "start", found, "end the earlier period before this one starts")


def _refuse_order(table: Table, column: str, wrong: Bools, other: str) -> None:
    rows = np.flatnonzero(wrong)
    late, early = table.days(column), table.days(other)
    found = [f"{late[row]} is before `{other}`, {early[row]}" for row in rows.tolist()]
    table.refuse(rows, column, found, "correct one of the two days")


def _index_weights(table: Table, asof: date) -> None:
    sessions, kinds = table.days("session"), table.words("kind")
    announced = kinds.mapped([int(word == "pro_forma") for word in kinds.values]) == 1
    late = np.flatnonzero(~announced & (sessions > as_day(asof)) & table.sound("session", "kind"))
    found = [f"{sessions[row]} is after {asof}, the day of the import" for row in late.tolist()]
    table.refuse(late, "session", found, "correct it; only pro_forma weights may lie in the future")
    group = ["index", "session", "kind", "version"]
    frame = _plain(table, [*group, "weight"]).with_row_index("row")
    frame = frame.with_columns(pl.Series("sound", table.sound(*group, "weight", "security")))
    sums = frame.group_by(group).agg(
        pl.col("row").min(), pl.col("weight").sum(), pl.col("sound").all().alias("whole")
    )
    wrong = sums.filter(pl.col("whole") & ((pl.col("weight") - 1.0).abs() > WEIGHT_SUM_TOLERANCE)).sort("row")
    indexes, kind_words = table.words("index").each(), kinds.each()
    for row, total in wrong.select("row", "weight").iter_rows():
        what = f"{indexes[row]} on {sessions[row]}, {kind_words[row]}, version {table.ints('version')[row]}"
        table.refuse(
            [row],
            "weight",
            f"the weights of {what} sum to {total:.6f}",
            f"add the missing members or correct the weights; they sum to 1 within {WEIGHT_SUM_TOLERANCE:g}",
        )


_RATIO_KINDS = {"split", "spin_off", "stock_merger", "mixed_merger", "split_off", "rights"} | {
    "taxable_merger",
    "taxable_spin_off",
    "taxable_stock_dividend",
}
_AMOUNT_KINDS = {
    "cash_dividend",
    "special_cash_dividend",
    "cash_merger",
    "mixed_merger",
    "return_of_capital",
} | {"tender", "exercise_rights", "liquidation", "final_liquidation"}


def _corporate_actions(table: Table, _asof: date) -> None:
    kinds = table.words("kind")
    for column, needing in (("ratio", _RATIO_KINDS), ("amount", _AMOUNT_KINDS)):
        needed = kinds.mapped([int(word in needing) for word in kinds.values]) == 1
        rows = np.flatnonzero(needed & table.empty[column] & table.sound("kind", column))
        words = kinds.each()
        found = [f"found nothing for a {words[row].replace('_', ' ')}" for row in rows.tolist()]
        table.refuse(rows, column, found, f"state the {column}")


def _accounts(table: Table, _asof: date) -> None:
    wrong = (table.days("closed") < table.days("opened")) & table.sound("closed", "opened")
    _refuse_order(table, "closed", wrong, "opened")


def _mandates(table: Table, _asof: date) -> None:
    benchmark = table.words("benchmark")
    sums = np.array([sum(w for _, w in pairs(value) or ()) for value in benchmark.values], np.float64)
    totals: Floats = sums[benchmark.codes] if sums.size else np.empty(0)
    rows = np.flatnonzero((np.abs(totals - 1.0) > 1e-9) & table.sound("benchmark"))
    found = [f"the benchmark weights sum to {totals[row]:g}" for row in rows.tolist()]
    table.refuse(rows, "benchmark", found, "make them sum to 1")
    low, high = table.floats("cash_weight_min"), table.floats("cash_weight_max")
    rows = np.flatnonzero((low > high) & table.sound("cash_weight_min", "cash_weight_max"))
    found = [f"{low[row]:g} is above cash_weight_max, {high[row]:g}" for row in rows.tolist()]
    table.refuse(rows, "cash_weight_min", found, "correct one of the two")


def _lots(table: Table, _asof: date) -> None:
    _refuse_unknown_basis(table, ("basis",))
    _refuse_late_holding(table)


def _transfers(table: Table, _asof: date) -> None:
    _refuse_unknown_basis(table, ("basis", "acquired"))
    _refuse_late_holding(table)
    acquired, came = table.days("acquired"), table.days("day")
    rows = np.flatnonzero((acquired > came) & table.sound("acquired", "day"))
    found = [f"{acquired[row]} is after `day`, {came[row]}" for row in rows.tolist()]
    table.refuse(rows, "acquired", found, "correct one of the two days")
    sound = table.sound("account", "transfer", "day")
    accounts, transfers = table.words("account").codes, table.words("transfer").codes
    first: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(sound).tolist():
        at = first.setdefault((int(accounts[row]), int(transfers[row])), row)
        if came[row] != came[at]:
            found = [f"{came[row]}, and line {table.lines[at]} of the same transfer says {came[at]}"]
            table.refuse([row], "day", found, "give one day, or another number of the transfer")


def _late_basis(table: Table, _asof: date) -> None:
    _refuse_late_holding(table)


def _refuse_unknown_basis(table: Table, columns: Sequence[str]) -> None:
    """What has to be stated of a lot unless its basis is pending or missing."""
    state = table.words("basis_state")
    is_known = state.mapped([int(word == "known") for word in state.values]) == 1
    for column in columns:
        rows = np.flatnonzero(is_known & table.empty[column] & table.sound(column, "basis_state"))
        remedy = f"give the {_NOUN[column]}, or say pending or missing in basis_state"
        table.refuse(rows, column, "found nothing", remedy)


_NOUN = {"basis": "basis", "acquired": "day of purchase"}


def _refuse_late_holding(table: Table) -> None:
    acquired, holding = table.days("acquired"), table.days("holding_from")
    rows = np.flatnonzero((holding > acquired) & table.sound("acquired", "holding_from"))
    found = [f"{holding[row]} is after `acquired`, {acquired[row]}" for row in rows.tolist()]
    table.refuse(rows, "holding_from", found, "correct one of the two days")
