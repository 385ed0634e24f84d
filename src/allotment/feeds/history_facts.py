"""The tables beside the prices of a folder of market history, as `feeds.history` needs them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.security import Identifier, IdentifierKind, Security
from allotment.units import Floats, Ints

_SECTORS = frozenset(
    {
        "Communication Services",
        "Consumer Discretionary",
        "Consumer Staples",
        "Energy",
        "Financials",
        "Health Care",
        "Industrials",
        "Information Technology",
        "Materials",
        "Real Estate",
        "Telecommunication Services",
        "Utilities",
    }
)
_UNITS = re.compile(r"\b1 A = ([0-9,]+) B\b")
_FLAG = "flag_"


def read(file: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.DataFrame:
    """The asked-for columns of a Parquet file; categories become text, times become days.

    Raises DataError when the file or a needed column is missing or cannot be read.
    """
    if not file.is_file():
        raise DataError(f"{file} is missing; a folder of market history needs it.")
    try:
        names = pl.read_parquet_schema(file)
        missing = [name for name in needed if name not in names]
        if missing:
            raise DataError(f"{file} has no column {', '.join(missing)}; its columns are {', '.join(names)}.")
        frame = pl.read_parquet(file, columns=[*needed, *(name for name in optional if name in names)])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file} is not a readable Parquet file: {error}") from None
    casts = [
        pl.col(name).cast(pl.String if isinstance(kind, pl.Categorical | pl.Enum) else pl.Date)
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Categorical | pl.Enum | pl.Datetime)
    ]
    return frame.with_columns(casts)


def _of_dataset(frame: pl.DataFrame, dataset: str) -> pl.DataFrame:
    return frame.filter(pl.col("dataset") == dataset) if "dataset" in frame.columns and dataset else frame


def dataset_ranges(folder: Path) -> dict[str, tuple[date, date]]:
    """First and last day of the weights of each dataset; empty when the folder has but one."""
    weights = read(folder / "weights.parquet", ("date",), ("dataset",))
    if "dataset" not in weights.columns:
        return {}
    spans = weights.group_by("dataset").agg(first=pl.col("date").min(), last=pl.col("date").max())
    return {label: (first, last) for label, first, last in spans.iter_rows()}


def weights_table(folder: Path, dataset: str) -> pl.DataFrame:
    """date, symbol, weight, cap_musd (null where unknown)."""
    frame = _of_dataset(
        read(folder / "weights.parquet", ("date", "symbol", "weight"), ("cap_musd", "dataset")), dataset
    )
    if "cap_musd" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.Float64).alias("cap_musd"))
    return frame.select("date", "symbol", "weight", pl.col("cap_musd").cast(pl.Float64))


def actions_table(folder: Path, dataset: str) -> pl.DataFrame:
    """The rows of corporate_actions of one dataset, ascending by ex-date."""
    needed = ("symbol", "ex_date", "action", "ratio", "amount", "value_per_share", "new_symbol", "new_ratio")
    optional = ("old_symbol", "note", "approx", "dataset")
    frame = _of_dataset(read(folder / "corporate_actions.parquet", needed, optional), dataset)
    for name in ("old_symbol", "note"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    return frame.sort("ex_date", "symbol", "action", maintain_order=True)


# ── securities ──────────────────────────────────────────────────────────────────────────────


def choose_symbols(folder: Path, dataset: str, prices: pl.DataFrame, weights: pl.DataFrame) -> list[str]:
    """Symbols with a price in the window that were members in it, their other share classes
    and what they spun off; ascending."""
    priced = set(prices["symbol"].unique())
    first, last = prices["date"].min(), prices["date"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    month_before = first - timedelta(days=45)
    members = set(weights.filter(pl.col("date").is_between(month_before, last))["symbol"])
    members |= _constituents(folder, dataset, first, last)
    members &= priced
    for group in _groups(folder, prices):
        if members & group.keys():
            members |= group.keys() & priced
    children = actions_table(folder, dataset).filter(
        pl.col("new_symbol").is_not_null()
        & pl.col("symbol").is_in(list(members))
        & pl.col("ex_date").is_between(first, last)
    )
    return sorted(members | (set(children["new_symbol"]) & priced))


def _constituents(folder: Path, dataset: str, first: date, last: date) -> set[str]:
    file, column = folder / "constituents.parquet", f"symbol_{dataset}" if dataset else "symbol"
    if not file.exists():
        return set()
    frame = read(file, ("start", "end"), (column, "ticker"))
    column = column if column in frame.columns else "ticker"
    if column not in frame.columns:
        return set()
    inside = (pl.col("start") <= last) & (pl.col("end").is_null() | (pl.col("end") >= first))
    return set(frame.filter(inside & pl.col(column).is_not_null())[column])


def _groups(folder: Path, prices: pl.DataFrame) -> list[dict[str, float]]:
    """Substantially identical share classes: symbol -> how many of the group's units a share is.

    A class may be listed under a ticker that its company has since given up.
    """
    frame = read(folder / "share_classes.parquet", ("symbol_a", "symbol_b"), ("note",))
    renamed = prices.filter(pl.col("ticker").is_not_null() & (pl.col("ticker") != pl.col("symbol")))
    today = dict(renamed.select("ticker", "symbol").unique().sort("ticker", "symbol").iter_rows())
    symbols = set(prices["symbol"].unique())
    groups: list[dict[str, float]] = []
    for row in frame.iter_rows(named=True):
        a, b = (s if s in symbols else today.get(s, s) for s in (row["symbol_a"], row["symbol_b"]))
        stated = _UNITS.search(row.get("note") or "")
        units = float(stated[1].replace(",", "")) if stated else 1.0
        joined = next((group for group in groups if a in group or b in group), None)
        if joined is None:
            groups.append({a: units, b: 1.0})
        elif a in joined:
            joined.setdefault(b, joined[a] / units)
        else:
            joined.setdefault(a, joined[b] * units)
    return groups


def _table(folder: Path) -> pl.DataFrame:
    optional = ("sector", "gics_sub_industry", "nasdaq_industry", "cik")
    flags = tuple(n for n in _schema_names(folder / "securities.parquet") if n.startswith(_FLAG))
    frame = read(folder / "securities.parquet", ("symbol", "name"), (*optional, *flags))
    for name in optional:
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    return frame.unique("symbol", keep="last").sort("symbol")


def _schema_names(file: Path) -> list[str]:
    if not file.is_file():
        raise DataError(f"{file} is missing; a folder of market history needs it.")
    return list(pl.read_parquet_schema(file))


def security_ids(folder: Path, symbols: list[str]) -> Ints:
    """Numbers that do not depend on the window: the rank among all securities of the folder.

    Symbols that the folder has prices but no description for come after all others.
    """
    described = _table(folder)["symbol"].to_list()
    rank = {symbol: at for at, symbol in enumerate(described, start=1)}
    strangers = [symbol for symbol in symbols if symbol not in rank]
    if strangers:
        raise DataError(
            f"{folder / 'securities.parquet'} does not describe {', '.join(strangers[:5])}"
            f"{' and more' if len(strangers) > 5 else ''}, which the index holds; add these rows."
        )
    return np.array([rank[symbol] for symbol in symbols], np.int64)


def securities(
    folder: Path, ids: Ints, symbols: list[str], asof: date, prices: pl.DataFrame
) -> tuple[Security, ...]:
    """One record per symbol, with the sector as it was known at `asof` where that is recorded."""
    by_symbol = {row["symbol"]: row for row in _table(folder).iter_rows(named=True)}
    sectors = _dated_sectors(folder, asof)
    group_of: dict[str, tuple[str, float]] = {}
    for group in _groups(folder, prices):
        held = sorted(group.keys() & set(symbols))
        if len(held) > 1:
            group_of |= {symbol: (held[0], group[symbol]) for symbol in held}
    made = []
    for security_id, symbol in zip(ids.tolist(), symbols, strict=True):
        row = by_symbol[symbol]
        sector, industry = sectors.get(symbol, ("", ""))
        stated = row["sector"] if row["sector"] in _SECTORS else ""
        group_code, units = group_of.get(symbol, ("", 1.0))
        made.append(
            Security(
                security_id=security_id,
                code=symbol,
                name=row["name"] or symbol,
                sector=sector or stated,
                industry=row["gics_sub_industry"] or industry or row["nasdaq_industry"] or "",
                issuer=str(row["cik"]) if row["cik"] is not None else group_code or symbol,
                group_code=group_code,
                group_units=units,
            )
        )
    return tuple(made)


def _dated_sectors(folder: Path, asof: date) -> dict[str, tuple[str, str]]:
    """Sector and industry: the last stated on or before `asof`, else the first stated after.

    Rows whose sector is no sector (a sub-industry that slipped into the column) are left out.
    """
    file = folder / "gics_history.parquet"
    if not file.exists():
        return {}
    frame = read(file, ("symbol", "as_of", "gics_sector"), ("gics_sub_industry",))
    if "gics_sub_industry" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("gics_sub_industry"))
    frame = frame.with_columns(
        pl.col("gics_sector").replace("Telecommunications Services", "Telecommunication Services")
    ).filter(pl.col("gics_sector").is_in(list(_SECTORS)))
    before = frame.filter(pl.col("as_of") <= asof).sort("as_of").unique("symbol", keep="last")
    after = frame.filter(pl.col("as_of") > asof).sort("as_of").unique("symbol", keep="first")
    known = pl.concat([before, after.join(before, on="symbol", how="anti")])
    rows = known.select("symbol", "gics_sector", "gics_sub_industry").iter_rows()
    return {symbol: (sector, industry or "") for symbol, sector, industry in rows}


def flags(folder: Path, symbols: list[str]) -> dict[str, Floats]:
    """Value flags by name, 0 or 1 per symbol; a flag not stated is 0."""
    frame = pl.DataFrame({"symbol": symbols}).join(
        _table(folder), on="symbol", how="left", maintain_order="left"
    )
    return {
        name.removeprefix(_FLAG): frame[name].cast(pl.Float64).fill_null(0.0).to_numpy().copy()
        for name in frame.columns
        if name.startswith(_FLAG)
    }


def identifiers(
    folder: Path, dataset: str, prices: pl.DataFrame, ids: dict[str, int]
) -> tuple[Identifier, ...]:
    """Tickers over time: those the prices state, or else the symbol and its recorded changes."""
    priced = prices.filter(pl.col("symbol").is_in(list(ids)))
    ends = prices["date"].max()
    changes: dict[str, list[tuple[date, str]]] = {}
    renames = actions_table(folder, dataset).filter(pl.col("action") == "ticker_change")
    for symbol, day, old, new in renames.select("symbol", "ex_date", "old_symbol", "new_symbol").iter_rows():
        changes.setdefault(symbol, [(date.min, old)]).append((day, new))
    spans: dict[str, list[tuple[date, str]]] = {}
    lasts = dict(priced.group_by("symbol").agg(pl.col("date").max()).iter_rows())
    stated = priced.with_columns(pl.col("ticker").fill_null("")).group_by("symbol", "ticker")
    for symbol, ticker, first in stated.agg(pl.col("date").min()).sort("symbol", "date").iter_rows():
        if ticker:
            spans.setdefault(symbol, []).append((first, ticker))
        else:
            names = changes.get(symbol, [(date.min, symbol.removesuffix("_OLD"))])
            inside = [(day, name) for day, name in names if day > first and day <= lasts[symbol]]
            current = [name for day, name in names if day <= first][-1]
            spans[symbol] = [(first, current), *inside]
    made = []
    for symbol, names in sorted(spans.items()):
        for at, (start, ticker) in enumerate(names):
            last = None if lasts[symbol] == ends else lasts[symbol]
            end = names[at + 1][0] - timedelta(days=1) if at + 1 < len(names) else last
            made.append(
                Identifier(
                    security_id=ids[symbol], kind=IdentifierKind.TICKER, value=ticker, start=start, end=end
                )
            )
    return tuple(made)


# ── corporate actions ───────────────────────────────────────────────────────────────────────

_KINDS = {
    "split": ActionKind.SPLIT,
    "reverse_split": ActionKind.SPLIT,
    # The price file goes on under the same symbol, so to a holder it is a change of share count.
    "merger_exchange": ActionKind.SPLIT,
    "cash_dividend": ActionKind.CASH_DIVIDEND,
    "special_cash_dividend": ActionKind.SPECIAL_DIVIDEND,
    "spin_off": ActionKind.SPIN_OFF,
    "stock_distribution_new_class": ActionKind.SPIN_OFF,
    "ticker_change": ActionKind.SYMBOL_CHANGE,
    "delisting": ActionKind.DELISTING,
}


def actions(
    folder: Path, dataset: str, ids: Ints, symbols: list[str], first: date, last: date
) -> tuple[CorporateAction, ...]:
    """Actions of the chosen securities with an ex-date in the window, ascending by ex-date.

    The file states amounts per share after a split of the same day; ours are per share held
    before it. A distribution of a class to itself is a split.
    """
    numbers = dict(zip(symbols, ids.tolist(), strict=True))
    table = actions_table(folder, dataset).filter(
        pl.col("ex_date").is_between(first, last) & pl.col("symbol").is_in(symbols)
    )
    unknown = sorted(set(table["action"]) - _KINDS.keys())
    if unknown:
        raise DataError(
            f"{folder / 'corporate_actions.parquet'} has unknown action(s) {', '.join(unknown)}; "
            f"known are {', '.join(_KINDS)}."
        )
    ratios = {
        (row["symbol"], row["ex_date"]): float(row["ratio"])
        for row in table.iter_rows(named=True)
        if _KINDS[row["action"]] is ActionKind.SPLIT and row["ratio"]
    }
    made = []
    for row in table.iter_rows(named=True):
        symbol, kind = row["symbol"], _KINDS[row["action"]]
        day_ratio = ratios.get((symbol, row["ex_date"]), 1.0)
        ratio, amount, value, other = 1.0, 0.0, 0.0, None
        if kind is ActionKind.SPLIT:
            ratio = float(row["ratio"])
        elif kind is ActionKind.SPIN_OFF and row["new_symbol"] == symbol:
            kind, ratio = ActionKind.SPLIT, 1.0 + float(row["new_ratio"])
        elif kind is ActionKind.SPIN_OFF:
            # Without a stated ratio the child's shares cannot be handed out, only their value.
            other = numbers.get(row["new_symbol"]) if row["new_ratio"] else None
            ratio = float(row["new_ratio"] or 1.0) * day_ratio
            value = float(row["value_per_share"] or 0.0) * day_ratio
        elif kind is ActionKind.DELISTING:
            amount = float(row["amount"] or 0.0)
        elif kind is not ActionKind.SYMBOL_CHANGE:
            amount = float(row["amount"]) * day_ratio
        note = row["note"] or (row["action"].replace("_", " ") if row["action"] != kind.value else "")
        made.append(
            CorporateAction(
                security_id=numbers[symbol],
                ex_date=row["ex_date"],
                kind=kind,
                ratio=ratio,
                amount_usd=amount,
                other_security_id=other,
                value_usd=value,
                note=note,
            )
        )
    return tuple(made)
