"""A whole market read from a folder of Parquet files.

The folder holds any number of ``prices_*.parquet``, each over its own period, and beside them
``weights``, ``corporate_actions``, ``securities``, ``share_classes`` and, where known,
``constituents`` and ``gics_history``. Two price files may give one symbol to different
companies; the column ``dataset`` of the other files says which rows belong to which, and one
history is never made of two datasets.

Here the window is chosen and the matrices are made; `history_facts` reads the tables beside
the prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from allotment.errors import DataError
from allotment.feeds import history_facts as facts
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.units import MICROS_PER_USD, Dates, Floats, Ints

INDEX_CODE = "SP500"
_LEAD_IN = timedelta(days=45)  # to carry the last month-end's weights to the first session
_ADJOINING = timedelta(days=10)  # files this close together are one run of sessions
_CAP_CARRY_SESSIONS = 63  # a quarter: share counts move slowly


def read_history(folder: Path, first: date | None = None, last: date | None = None) -> MarketHistory:
    """The market in `folder` from `first` to `last`, both included; None leaves that end open.

    With both ends open it is the latest period whole. Securities are those with a price in the
    window that were in the index in it, their other share classes, and what they spun off.
    Index weights are of index "SP500" and of kind CLOSE, as published and, when the folder
    knows the month-end before, once more at the first session, moved there by prices. Unknown
    volumes and caps are NaN; caps that are known at month-ends only are carried by prices for
    up to a quarter. Value flags become scores named without their prefix ("tobacco"), 0 or 1.

    Raises DataError when a needed file or column is missing, when there are no prices in the
    window, and when the window crosses files that name companies differently.
    """
    folder = Path(folder)
    run = _choose(_runs(folder), first, last)
    since = (first - _LEAD_IN) if first else run.first
    prices = _prices(run, since, last or run.last, facts.actions_table(folder, run.dataset))
    in_window = prices if first is None else prices.filter(pl.col("date") >= first)
    if in_window.is_empty():
        raise DataError(
            f"{folder} has no prices from {first} to {last}; it covers {run.first} to {run.last}."
        )
    weights = facts.weights_table(folder, run.dataset)
    chosen = facts.choose_symbols(folder, run.dataset, in_window, weights)
    if not chosen:
        raise DataError(f"{folder} has no index weights for its prices; choose another window.")
    days = prices["date"].unique().sort().to_numpy().astype("M8[D]")
    n_lead = prices["date"].n_unique() - in_window["date"].n_unique()
    grid = _Grid(days, facts.security_ids(folder, chosen), chosen)
    matrices = _matrices(prices, grid)
    caps = _carried(_caps(prices, weights, grid), matrices.adjusted_usd)
    securities = facts.securities(folder, grid.ids, chosen, _day(days[-1]), in_window)
    history = PriceHistory(
        sessions=days[n_lead:],
        security_ids=grid.ids,
        close_micros=matrices.close_micros[n_lead:],
        adjusted_usd=matrices.adjusted_usd[n_lead:],
        volume=matrices.volume[n_lead:],
    )
    return MarketHistory(
        securities=securities,
        identifiers=facts.identifiers(folder, run.dataset, prices, dict(zip(chosen, grid.ids, strict=True))),
        prices=history,
        market_cap_usd=np.where(history.close_micros > 0, caps[n_lead:], np.nan),
        actions=facts.actions(folder, run.dataset, grid.ids, chosen, _day(days[n_lead]), _day(days[-1])),
        index_weights=_index_weights(weights, grid, matrices, n_lead),
        scores=facts.flags(folder, chosen),
    )


# ── which files ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Run:
    """Price files of one dataset whose periods adjoin, in order of time."""

    dataset: str
    files: tuple[Path, ...]
    first: date
    last: date


def _runs(folder: Path) -> list[_Run]:
    files = sorted(folder.glob("prices_*.parquet"))
    if not files:
        raise DataError(f"{folder} has no prices_*.parquet; give a folder with price files.")
    ranges = facts.dataset_ranges(folder)
    found = []
    for file in files:
        period = facts.read(file, ("date",))["date"]
        first, last = period.min(), period.max()
        if not (isinstance(first, date) and isinstance(last, date)):
            raise DataError(f"{file} has no rows; remove it.")
        found.append(_Run(_dataset(file, first, last, ranges), (file,), first, last))
    runs: list[_Run] = []
    for part in sorted(found, key=lambda run: (run.dataset, run.first, run.last)):
        before = runs[-1] if runs else None
        if before and before.dataset == part.dataset and part.first - before.last <= _ADJOINING:
            files_both = (*before.files, *part.files)
            runs[-1] = _Run(part.dataset, files_both, before.first, max(before.last, part.last))
        else:
            runs.append(part)
    return runs


def _dataset(file: Path, first: date, last: date, ranges: dict[str, tuple[date, date]]) -> str:
    """The dataset whose name the file bears, or else whose days it shares most."""
    named = file.stem.removeprefix("prices_")
    if named in ranges or not ranges:
        return named if ranges else ""

    def shared(label: str) -> timedelta:
        begin, end = ranges[label]
        return min(end, last) - max(begin, first)

    best = max(sorted(ranges), key=shared)
    if shared(best) < -_LEAD_IN:  # weights are those of month-ends
        raise DataError(f"{file} covers {first} to {last}, for which the folder has no weights.")
    return best


def _choose(runs: list[_Run], first: date | None, last: date | None) -> _Run:
    if first is None and last is None:
        return max(runs, key=lambda run: run.last)
    touched = [
        run for run in runs if (first is None or run.last >= first) and (last is None or run.first <= last)
    ]
    known = "; ".join(f"{run.first} to {run.last}" for run in runs)
    if not touched:
        raise DataError(f"no prices from {first or 'the start'} to {last or 'the end'}; there are {known}.")
    covering = [
        run
        for run in touched
        if (first is None or run.first <= first + _ADJOINING)
        and (last is None or run.last >= last - _ADJOINING)
    ]
    if len(touched) > 1 and not covering:
        raise DataError(
            f"the window {first or 'start'} to {last or 'end'} crosses price files that do not "
            f"belong together ({known}); choose a window inside one of them."
        )
    return max(covering or touched, key=lambda run: (run.last - run.first, run.last))


# ── prices ──────────────────────────────────────────────────────────────────────────────────


def _prices(run: _Run, since: date, until: date, actions: pl.DataFrame) -> pl.DataFrame:
    """date, symbol, ticker, close, adj_close, volume, market_cap_musd of the run's days asked for.

    Rows without a positive close are dropped: a missing price is a missing row.
    """
    joined: pl.DataFrame | None = None
    for file in run.files:
        part = _price_file(file, run.first, until)
        if joined is None:
            joined = part
        elif not part.is_empty():
            before = joined.filter(pl.col("date") < part["date"].min())
            joined = pl.concat([_rebased(before, part, actions), part])
    assert joined is not None
    return _one_per_ticker(joined.filter(pl.col("date") >= since))


def _one_per_ticker(prices: pl.DataFrame) -> pl.DataFrame:
    """Without the rows of a symbol whose ticker of the day belongs to a symbol of longer history:
    the tail that a renamed company leaves under its old symbol."""
    length = prices.group_by("symbol").len("n_rows")
    claimed = prices.filter(pl.col("ticker").is_not_null()).filter(
        pl.struct("date", "ticker").is_duplicated()
    )
    stale = (
        claimed.join(length, on="symbol")
        .sort("n_rows", "symbol")
        .filter(~pl.struct("date", "ticker").is_last_distinct())
    )
    return prices.join(stale, on=["date", "symbol"], how="anti", maintain_order="left")


def _price_file(file: Path, since: date, until: date) -> pl.DataFrame:
    needed = ("date", "symbol", "close", "adj_close", "volume")
    frame = facts.read(file, needed, optional=("ticker", "market_cap_musd"))
    if "ticker" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("ticker"))
    if "market_cap_musd" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.Float64).alias("market_cap_musd"))
    return (
        frame.select(
            "date",
            "symbol",
            "ticker",
            *(pl.col(c).cast(pl.Float64) for c in ("close", "adj_close", "volume", "market_cap_musd")),
        )
        .filter(pl.col("date").is_between(since, until))
        .filter(pl.col("close").is_finite() & (pl.col("close") > 0))
        .unique(["date", "symbol"], keep="last", maintain_order=True)
    )


def _rebased(before: pl.DataFrame, after: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """`before` with its adjusted closes on the scale of `after`, so that the seam is a return.

    Each file anchors its adjusted closes at its own last close. The return over the seam comes
    from the unadjusted closes and the actions of that day.
    """
    if before.is_empty():
        return before
    old = before.filter(pl.col("date") == before["date"].max())
    new = after.filter(pl.col("date") == after["date"].min())
    paid = (
        actions.filter(pl.col("ex_date") == new["date"][0])
        .group_by("symbol")
        .agg(
            (pl.col("amount").sum() + pl.col("value_per_share").sum()).alias("paid"),
            pl.col("ratio").fill_null(1.0).product().alias("ratio"),
        )
    )
    seam = (
        old.select("symbol", c0="close", a0="adj_close")
        .join(new.select("symbol", c1="close", a1="adj_close"), on="symbol")
        .join(paid, on="symbol", how="left")
        .with_columns(
            (
                (pl.col("c1") + pl.col("paid").fill_null(0.0)) * pl.col("ratio").fill_null(1.0) / pl.col("c0")
            ).alias("growth")
        )
        .select("symbol", factor=pl.col("a1") / pl.col("a0") / pl.col("growth"))
    )
    return (
        before.join(seam, on="symbol", how="left", maintain_order="left")
        .with_columns(pl.col("adj_close") * pl.col("factor").fill_null(1.0))
        .drop("factor")
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Rows and columns of the matrices."""

    days: Dates  # (T,), lead-in included
    ids: Ints  # (N,) ascending
    symbols: list[str]  # (N,)

    def positions(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, Ints, Ints]:
        """The rows of `frame` (date, symbol, …) inside the grid, with their row and column."""
        columns = pl.DataFrame({"symbol": self.symbols, "n": np.arange(len(self.symbols))})
        inside = frame.join(columns, on="symbol", how="inner", maintain_order="left")
        at = np.searchsorted(self.days, inside["date"].to_numpy().astype("M8[D]"), side="right") - 1
        return inside, at, inside["n"].to_numpy()


@dataclass(frozen=True, slots=True)
class _Matrices:
    close_micros: Ints
    adjusted_usd: Floats
    volume: Floats


def _matrices(prices: pl.DataFrame, grid: _Grid) -> _Matrices:
    shape = (grid.days.shape[0], grid.ids.shape[0])
    inside, t, n = grid.positions(prices)
    close = np.zeros(shape, np.int64)
    close[t, n] = np.rint(inside["close"].to_numpy() * MICROS_PER_USD).astype(np.int64)
    adjusted = np.full(shape, np.nan)
    found = inside["adj_close"].to_numpy().copy()
    found[~(found > 0)] = np.nan
    adjusted[t, n] = found
    volume = np.full(shape, np.nan)
    volume[t, n] = inside["volume"].to_numpy()
    return _Matrices(close, adjusted, volume)


def _caps(prices: pl.DataFrame, weights: pl.DataFrame, grid: _Grid) -> Floats:
    """Observed caps in dollars: of the price file, or of the weights for names it has none for."""
    caps = np.full((grid.days.shape[0], grid.ids.shape[0]), np.nan)
    inside, t, n = grid.positions(prices)
    caps[t, n] = inside["market_cap_musd"].to_numpy() * 1e6
    caps[~(caps > 0)] = np.nan
    unknown = np.isnan(caps).all(axis=0)
    inside, t, n = grid.positions(weights)
    use = unknown[n] & (t >= 0) & (inside["date"].to_numpy() <= grid.days[-1])
    caps[t[use], n[use]] = inside["cap_musd"].to_numpy()[use] * 1e6
    return caps


def _carried(caps: Floats, adjusted: Floats) -> Floats:
    """Caps moved by prices to the sessions between and around the observed ones."""
    level = pl.DataFrame(adjusted).fill_nan(None).fill_null(strategy="forward").to_numpy()
    level = np.where(level > 0, level, np.nan)
    out = caps.copy()
    for t_range in (range(1, len(caps)), range(len(caps) - 2, -1, -1)):
        step = t_range.step
        age = np.zeros(caps.shape[1], np.int64)
        for t in t_range:
            missing = np.isnan(out[t])
            age = np.where(missing, age + 1, 0)
            carried = out[t - step] * (level[t] / level[t - step])
            out[t] = np.where(missing & (age <= _CAP_CARRY_SESSIONS), carried, out[t])
    return out


# ── weights ─────────────────────────────────────────────────────────────────────────────────


def _index_weights(
    weights: pl.DataFrame, grid: _Grid, matrices: _Matrices, n_lead: int
) -> tuple[IndexWeights, ...]:
    inside, t, n = grid.positions(weights.filter(pl.col("date") <= _day(grid.days[-1])))
    weight = inside["weight"].to_numpy()
    found: dict[int, Floats] = {}
    for at in np.unique(t[t >= 0]):
        row = np.zeros(grid.ids.shape[0])
        row[n[t == at]] = weight[t == at]
        found[int(at)] = row
    earlier = [at for at in found if at < n_lead]
    if earlier and n_lead not in found:
        start = max(earlier)
        with np.errstate(invalid="ignore"):
            growth = matrices.adjusted_usd[n_lead] / matrices.adjusted_usd[start]
        found[n_lead] = found[start] * np.nan_to_num(growth)
    made = []
    for at in sorted(at for at in found if at >= n_lead):
        row = np.where(matrices.close_micros[at] > 0, found[at], 0.0)
        held = np.flatnonzero(row > 0)
        if held.size:
            made.append(
                IndexWeights(
                    index_code=INDEX_CODE,
                    session=_day(grid.days[at]),
                    kind=WeightKind.CLOSE,
                    version=1,
                    security_ids=grid.ids[held],
                    weight=row[held] / row[held].sum(),
                )
            )
    if not made:
        raise DataError(
            f"no index weights from {grid.days[n_lead]} to {grid.days[-1]}; choose a longer window."
        )
    return tuple(made)


def _day(day: np.datetime64) -> date:
    found = day.astype(object)
    assert isinstance(found, date)
    return found
