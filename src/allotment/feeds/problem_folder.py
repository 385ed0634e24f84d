"""The folder of one problem of ``allotment optimize``: assets, lots, washes and problem.toml.

Every mistake of every file is collected; a folder with one is refused whole. What the files mean
in the optimiser's units is `feeds.problem_columns`; docs/reference/files/optimize.md is the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np

from allotment.errors import BadFileError, BadRow
from allotment.feeds.checks import check_table
from allotment.feeds.lines import split_lines
from allotment.feeds.problem_toml import FILE as TERMS_FILE
from allotment.feeds.problem_toml import ProblemTerms, read_terms
from allotment.feeds.schema import Bound, Column, Schema, Type, optional
from allotment.feeds.table import Table, read_table
from allotment.units import Bools, Dates, Floats, Index

_FACTOR = re.compile(r"f(0|[1-9][0-9]*)")
_GROUP = re.compile(r"group:(.+)")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LENGTH_MOST = 40  # characters of a decimal: what is exact stays of a size that arithmetic holds
_LOADING_MOST = 1e6
_BENCHMARK_SUM_MOST = 1.01  # published weights are rounded
_Exact = tuple[Decimal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """assets.csv: n names in the order of the file."""

    symbols: tuple[str, ...]
    price: _Exact  # dollars
    benchmark: Floats
    specific_variance: Floats
    loadings: Floats  # (n, k) as in the file, not yet scaled
    groups: Mapping[str, tuple[str, ...]]  # group → the value of each name, "" for none
    half_spread_bps: Floats
    may_buy: Bools
    may_sell: Bools
    weight_min: Floats
    weight_max: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLots:
    """lots.csv: L lots in the order of the file."""

    lot_ids: tuple[str, ...]
    name: Index  # position of the lot's symbol in the assets
    quantity: _Exact
    basis: _Exact  # dollars, of the whole lot
    acquired: Dates
    holding_from: Dates  # `acquired` where the file has none
    may_sell: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Washes:
    """washes.csv: W names with young shares or open claims."""

    name: Index
    young_qty: Floats
    exposed_qty: Floats
    loss_per_share: Floats
    permanent: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemFolder:
    """One problem as its files say it."""

    folder: Path
    terms: ProblemTerms
    assets: Assets
    lots: FileLots
    washes: Washes


def read_problem(folder: Path) -> ProblemFolder:
    """The problem of a folder. Raises BadFileError with every mistake in its files."""
    bad: list[BadRow] = []
    data = _bytes(folder / TERMS_FILE, bad, "give the problem's terms")
    terms, mistakes, lines = read_terms(data) if data is not None else (None, [], {})
    bad += mistakes
    as_of = terms.as_of if terms is not None else date(2199, 12, 31)
    tables = {
        kind: tabulated(folder / f"{kind}.csv", declare, as_of, bad, needed=kind != "washes")
        for kind, declare in (("assets", _assets_schema), ("lots", _lots_schema), ("washes", _washes_schema))
    }
    asset_table = tables["assets"]
    assets = _assets(asset_table) if asset_table is not None else None
    rows = {symbol: row for row, symbol in enumerate(assets.symbols)} if assets is not None else None
    lots = _lots(tables["lots"], rows)
    washes = _washes(tables["washes"], rows)
    for table in tables.values():
        bad += table.bad if table is not None else []
    if assets is not None and terms is not None:
        bad += _disagreements(terms, lines, assets)
    if bad or terms is None or assets is None:
        raise BadFileError([_placed(row, folder) for row in _sorted(bad)])
    return ProblemFolder(folder=folder, terms=terms, assets=assets, lots=lots, washes=washes)


def _placed(row: BadRow, folder: Path) -> BadRow:
    """The mistake with its folder, in the words of this file: the day that matters is as_of."""
    found, remedy = (
        text.replace("the day of the import", "the as_of of problem.toml") for text in (row.found, row.remedy)
    )
    return replace(row, file=str(folder / row.file), found=found, remedy=remedy)


def _sorted(bad: Sequence[BadRow]) -> list[BadRow]:
    order = {TERMS_FILE: 0, "assets.csv": 1, "lots.csv": 2, "washes.csv": 3}
    return sorted(bad, key=lambda row: (order.get(row.file, 4), row.line))


def _bytes(path: Path, bad: list[BadRow], remedy: str) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        bad.append(BadRow(path.name, 0, "", "the file is missing", remedy))
    except OSError as error:
        found = f"not readable: {error.strerror or type(error).__name__}"
        bad.append(BadRow(path.name, 0, "", found, "give a file that can be read"))
    return None


def tabulated(
    path: Path, declare: Callable[[Sequence[str]], Schema], as_of: date, bad: list[BadRow], *, needed: bool
) -> Table | None:
    """The table of a CSV file with mistakes in it noted; None when there is none."""
    if not needed and not path.exists():
        return None
    data = _bytes(path, bad, "give it; an account without lots has a header alone in lots.csv")
    if data is None:
        return None
    try:
        table = read_table(path, declare(split_lines(data, path.name).header), as_of, data)
    except BadFileError as error:
        bad += error.rows
        return None
    if path.name != "assets.csv":  # an account of cash alone has no lots: a header is enough
        table.bad = [row for row in table.bad if row.line != 1 or row.column]
    check_table(table, as_of)
    return table


def exact_column(name: str, meaning: str, example: str) -> Column:
    """A column of exact decimals of any scale; `decimals` reads its cells."""
    return Column(name=name, type=Type.TEXT, meaning=meaning, example=example)


def _number(name: str, meaning: str, example: str, most: float, bound: Bound = Bound.NOT_NEGATIVE) -> Column:
    return Column(name=name, type=Type.NUMBER, meaning=meaning, example=example, bound=bound, most=most)


def _assets_schema(header: Sequence[str]) -> Schema:
    """What assets.csv holds, given its header: factor and group columns are as many as it likes."""
    n_factors = sum(1 for name in header if _FACTOR.fullmatch(name))
    columns = (
        Column(name="symbol", type=Type.CODE, meaning="Name of the asset.", example="AAPL"),
        exact_column("price", "Dollars per share.", "171.48"),
        _number("benchmark_weight", "Weight in the benchmark, a fraction.", "0.06", 1.0),
        _number("specific_variance", "Annual variance beside the factors.", "0.04", 100.0, Bound.POSITIVE),
        *(
            Column(name=f"f{i}", type=Type.NUMBER, meaning=f"Loading on factor {i}.", example="1.1")
            for i in range(n_factors)
        ),
        *(
            optional(name, Type.TEXT, "Which value of the group the asset belongs to.", "Energy")
            for name in header
            if _GROUP.fullmatch(name)
        ),
        replace(_number("half_spread_bps", "Half-spread, basis points.", "2", 1e4), required=False),
        optional("buy", Type.YESNO, "Whether it may be bought.", "1", "1"),
        optional("sell", Type.YESNO, "Whether it may be sold.", "1", "1"),
        replace(_number("weight_min", "Least weight.", "0", 1.0), required=False, default="0"),
        replace(_number("weight_max", "Most weight.", "0.05", 1.0), required=False, default="1"),
    )
    return Schema(kind="problem_assets", about="The names of a problem.", columns=columns, key=("symbol",))


def _lots_schema(_header: Sequence[str]) -> Schema:
    columns = (
        Column(name="lot_id", type=Type.CODE, meaning="Name of the lot.", example="L1"),
        Column(name="symbol", type=Type.CODE, meaning="An asset of assets.csv.", example="AAPL"),
        exact_column("quantity", "Shares.", "12.5"),
        exact_column("basis", "Dollars paid for the whole lot.", "1500.00"),
        Column(name="acquired", type=Type.DATE, meaning="Trade date.", example="2022-03-01", past=True),
        replace(optional("holding_from", Type.DATE, "Tacked holding date.", "2021-12-01"), past=True),
        optional("sell", Type.YESNO, "Whether it may be sold.", "1", "1"),
    )
    return Schema(kind="problem_lots", about="Its open lots.", columns=columns, key=("lot_id",))


def _washes_schema(_header: Sequence[str]) -> Schema:
    columns = (
        Column(name="symbol", type=Type.CODE, meaning="An asset of assets.csv.", example="AAPL"),
        _number("young_qty", "Shares bought within the last 30 days.", "10", 1e12),
        _number("exposed_qty", "Shares sold at a loss within the last 30 days.", "10", 1e12),
        _number("loss_per_share", "Dollars of loss per share that a wash disallows.", "12.50", 1e9),
        Column(name="permanent", type=Type.YESNO, meaning="Whether a wash loses it for good.", example="0"),
    )
    return Schema(kind="problem_washes", about="Its wash-sale claims.", columns=columns, key=("symbol",))


def _assets(table: Table) -> Assets:
    names = table.schema.by_name
    factors = [name for name in names if _FACTOR.fullmatch(name)]
    for name in factors:
        far = np.flatnonzero(np.abs(table.floats(name)) > _LOADING_MOST)
        table.refuse(far, name, "the loading is out of range", f"give a number within ±{_LOADING_MOST:g}")
    low, high = table.floats("weight_min"), table.floats("weight_max")
    table.refuse(np.flatnonzero(low > high), "weight_min", "is above weight_max", "give the least first")
    benchmark = table.floats("benchmark_weight")
    whole = float(np.nansum(benchmark))
    if whole > _BENCHMARK_SUM_MOST:
        found = f"the benchmark weights sum to {whole:g}"
        table.bad.append(BadRow(table.file, 0, "benchmark_weight", found, "give fractions that sum to 1"))
    return Assets(
        symbols=tuple(table.words("symbol").each()),
        price=decimals(table, "price", 1e-9, 1e9),
        benchmark=benchmark,
        specific_variance=table.floats("specific_variance"),
        loadings=np.array([table.floats(name) for name in factors]).reshape(len(factors), len(table)).T,
        groups={
            match[1]: tuple(table.words(match[0]).each()) for match in map(_GROUP.fullmatch, names) if match
        },
        half_spread_bps=table.floats("half_spread_bps"),
        may_buy=table.yes("buy"),
        may_sell=table.yes("sell"),
        weight_min=low,
        weight_max=high,
    )


def _lots(table: Table | None, rows: Mapping[str, int] | None) -> FileLots:
    if table is None:
        return _NO_LOTS
    acquired, holding = table.days("acquired"), table.days("holding_from")
    return FileLots(
        lot_ids=tuple(table.words("lot_id").each()),
        name=asset_rows(table, rows),
        quantity=decimals(table, "quantity", 1e-12, 1e12),
        basis=decimals(table, "basis", 0.0, 1e15),
        acquired=acquired,
        holding_from=np.where(np.isnat(holding), acquired, holding),
        may_sell=table.yes("sell"),
    )


def _washes(table: Table | None, rows: Mapping[str, int] | None) -> Washes:
    if table is None:
        return _NO_WASHES
    return Washes(
        name=asset_rows(table, rows),
        young_qty=table.floats("young_qty"),
        exposed_qty=table.floats("exposed_qty"),
        loss_per_share=table.floats("loss_per_share"),
        permanent=table.yes("permanent"),
    )


def asset_rows(table: Table, rows: Mapping[str, int] | None) -> Index:
    """The position of each row's symbol among the assets; unknown when there are none to look in."""
    symbols = table.words("symbol").each()
    if rows is None:
        return np.full(len(symbols), -1, np.int32)
    found = np.array([rows.get(symbol, -1) for symbol in symbols], np.int32)
    lost = np.flatnonzero((found < 0) & table.sound("symbol"))
    texts = [f"{symbols[row]!r} is no symbol of assets.csv" for row in lost.tolist()]
    table.refuse(lost, "symbol", texts, "add it there, with its price, or correct the symbol")
    return found


def decimals(table: Table, name: str, low: float, high: float) -> _Exact:
    """A column of exact decimals from `low` to `high`; what is refused is 1."""
    made = []
    for row, cell in enumerate(table.words(name).each()):
        value = Decimal(1)
        if table.faulty[name][row]:
            pass
        elif len(cell) > _LENGTH_MOST or not _DECIMAL.fullmatch(cell):
            shown = cell if len(cell) <= 60 else cell[:57] + "…"
            example = table.schema.by_name[name].example
            table.refuse([row], name, f"found {shown!r}", f"give a decimal number, as {example}")
        elif not low <= Decimal(cell) <= high:
            table.refuse([row], name, f"{cell!r} is out of range", f"give a number from {low:g} to {high:g}")
        else:
            value = Decimal(cell)
        made.append(value)
    return tuple(made)


def _disagreements(terms: ProblemTerms, lines: Mapping[str, int], assets: Assets) -> list[BadRow]:
    """What problem.toml says about columns that assets.csv does not have."""
    bad = []

    def refuse(path: str, found: str, remedy: str) -> None:
        line = lines.get(path) or lines.get(path.rpartition(".")[0], 0)
        bad.append(BadRow(TERMS_FILE, line, path, found, remedy))

    n_factors, n_variances = assets.loadings.shape[1], len(terms.factor_variance)
    if n_factors != n_variances:
        found = f"{n_variances} variance(s) for {n_factors} factor column(s) of assets.csv"
        refuse("risk.factor_variance", found, "give one for each of f0, f1, …")
    for group, bounds in terms.groups.items():
        values = set(assets.groups.get(group, ())) - {""}
        if group not in assets.groups:
            refuse(
                f"groups.{group}", f"assets.csv has no column group:{group}", "add it, or remove the table"
            )
            continue
        for value in bounds:
            if value not in values:
                found = f"no asset has {value!r} in the column group:{group}"
                refuse(f"groups.{group}.{value}", found, f"values are {', '.join(sorted(values))}")
    return bad


_NO_INDEX, _NO_NUMBERS = np.empty(0, np.int32), np.empty(0)
_NO_DAYS, _NO_CLAIMS = np.empty(0, "M8[D]"), np.empty(0, np.bool_)
_NO_LOTS = FileLots(
    lot_ids=(),
    name=_NO_INDEX,
    quantity=(),
    basis=(),
    acquired=_NO_DAYS,
    holding_from=_NO_DAYS,
    may_sell=_NO_CLAIMS,
)
_NO_WASHES = Washes(
    name=_NO_INDEX,
    young_qty=_NO_NUMBERS,
    exposed_qty=_NO_NUMBERS,
    loss_per_share=_NO_NUMBERS,
    permanent=_NO_CLAIMS,
)
