"""Import of the documented files: read, check, resolve, store; each file whole or not at all.

Facts of the market and of clients replace what had the same key. Lots and cash become opening
events, booked once: the same file twice is reported and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from time import perf_counter

import numpy as np

from allotment.book.household import Sleeve
from allotment.errors import BadFileError, BadRow, DataError
from allotment.feeds import book_files, market_files, opening_files
from allotment.feeds.checks import check_table
from allotment.feeds.folder import ImportFile, find_files, unknown_kind
from allotment.feeds.mandate_toml import read_mandates
from allotment.feeds.references import Known, SecurityLookup
from allotment.feeds.schemas import BOOK_KINDS, MARKET_KINDS, SCHEMAS
from allotment.feeds.table import Table, read_table
from allotment.jobs.posting import post
from allotment.ledger.events import EventKind
from allotment.market.prices import PriceHistory
from allotment.risk.exposures import NAMES as EXPOSURES
from allotment.store import book_tables, import_tables, index_tables, market_tables
from allotment.store.database import Store
from allotment.store.import_tables import ImportedFile, ImportRecord
from allotment.store.session import FirmStore, MarketStore, Session
from allotment.units import Floats

Advance = Callable[[str, int, int], None]


class FileState(StrEnum):
    """What became of a file."""

    LOADED = "loaded"
    LOADED_BEFORE = "loaded before"  # the same content; nothing was done
    REFUSED = "refused"  # it has mistakes; nothing of it was loaded
    SKIPPED = "skipped"  # it needs a file that was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import, as of which day."""

    paths: tuple[Path, ...]
    asof: date
    kind: str = ""  # of every file; "" tells it by name or columns


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """One file and what became of it."""

    file: str
    kind: str
    state: FileState
    n_rows: int = 0
    seconds: float = 0.0
    note: str = ""
    mistakes: tuple[BadRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Every file, in the order of import."""

    firm: str
    asof: date
    files: tuple[FileOutcome, ...]

    @property
    def is_complete(self) -> bool:
        """True when no file was refused or skipped."""
        return all(file.state in {FileState.LOADED, FileState.LOADED_BEFORE} for file in self.files)


def import_files(store: Store, request: ImportRequest, advance: Advance) -> ImportReport:
    """Import files and folders into the current firm and its market.

    A file that is refused does not stop the others, except those that need its kind. Raises
    UsageError when a path is not there.
    """
    files = find_files(request.paths, request.kind)
    outcomes: list[FileOutcome] = []
    failed: set[str] = set()
    with store.firm() as firm, store.market(firm.market) as market:
        for at, file in enumerate(files):
            advance("importing files", at, len(files))
            missing = sorted(failed & set(SCHEMAS[file.kind].needs)) if file.kind else []
            if missing:
                note = f"needs {', '.join(missing)}, which was not loaded"
                outcome = FileOutcome(file=file.path.name, kind=file.kind, state=FileState.SKIPPED, note=note)
            else:
                outcome = _import_file(firm, market, file, request.asof, advance)
            if outcome.state in {FileState.REFUSED, FileState.SKIPPED}:
                failed.add(outcome.kind)
            outcomes.append(outcome)
        if {outcome.kind for outcome in outcomes} & {"accounts", "sleeves"}:
            _complete_sleeves(firm)
        advance("importing files", len(files), len(files))
        return ImportReport(firm=firm.firm, asof=request.asof, files=tuple(outcomes))


def _import_file(
    firm: FirmStore, market: MarketStore, file: ImportFile, asof: date, advance: Advance
) -> FileOutcome:
    started = perf_counter()
    try:
        outcome = _load_whole(firm, market, file, asof, advance)
    except BadFileError as error:
        outcome = _outcome(file, FileState.REFUSED, mistakes=error.rows)
    except (DataError, OSError) as error:
        mistake = BadRow(file.path.name, 0, "", str(error), "nothing of the file was loaded")
        outcome = _outcome(file, FileState.REFUSED, mistakes=(mistake,))
    return replace(outcome, seconds=perf_counter() - started)


def _outcome(
    file: ImportFile, state: FileState, *, n_rows: int = 0, note: str = "", mistakes: tuple[BadRow, ...] = ()
) -> FileOutcome:
    return FileOutcome(
        file=file.path.name, kind=file.kind, state=state, n_rows=n_rows, note=note, mistakes=mistakes
    )


def _load_whole(
    firm: FirmStore, market: MarketStore, file: ImportFile, asof: date, advance: Advance
) -> FileOutcome:
    if not file.kind:
        raise unknown_kind(file)
    session: Session = market if file.kind in MARKET_KINDS else firm
    data = file.path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if before := _loaded_before(session, file, sha256):
        return _outcome(file, FileState.LOADED_BEFORE, n_rows=before.n_rows, note=_when(before))
    table = _read(file, data, asof)
    check_table(table, asof)
    with session.transaction():
        _take_turns(session)
        if before := _loaded_before(session, file, sha256):
            return _outcome(file, FileState.LOADED_BEFORE, n_rows=before.n_rows, note=_when(before))
        _load(firm, market, table, asof, sha256, advance)
        table.check()  # whatever a kind's loader does, a file with a mistake is not stored
        import_tables.log_import(
            session,
            ImportedFile(
                sha256=sha256,
                kind=file.kind,
                name=file.path.name,
                n_rows=len(table),
                n_bytes=len(data),
                schema_version=table.schema.version,
            ),
        )
    return _outcome(file, FileState.LOADED, n_rows=len(table))


def _read(file: ImportFile, data: bytes, asof: date) -> Table:
    schema = SCHEMAS[file.kind]
    if file.path.suffix.lower() == ".toml":
        if file.kind != "mandates":
            row = BadRow(file.path.name, 0, "", f"{file.kind} in TOML", "write it as CSV or Parquet")
            raise BadFileError([row])
        return read_mandates(data, file.path.name, asof)
    return read_table(file.path, schema, asof, data)


def _loaded_before(session: Session, file: ImportFile, sha256: str) -> ImportRecord | None:
    """The import of the same content, unless another file of that name has replaced it since.

    Lots and cash are booked once, whatever came after.
    """
    found = import_tables.find_import(session, file.kind, sha256)
    if found is None or file.kind in {"lots", "cash"}:
        return found
    later = (one for one in import_tables.load_imports(session) if one.kind == file.kind)
    latest = next((one for one in later if one.name == file.path.name or one.sha256 == sha256), found)
    return latest if latest.sha256 == sha256 else None


def _when(before: ImportRecord) -> str:
    return f"the same content as {before.name}, loaded {before.imported_at:%Y-%m-%d %H:%M} by {before.actor}"


def _take_turns(session: Session) -> None:
    """Imports into one schema go one after the other: new codes get the next free numbers."""
    session.connection().execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"import {session.schema}"])


# ── one kind each ───────────────────────────────────────────────────────────────────────────


def _load(
    firm: FirmStore, market: MarketStore, table: Table, asof: date, sha256: str, advance: Advance
) -> None:
    kind = table.schema.kind
    if kind in MARKET_KINDS:
        _load_market(market, table)
        return
    assert kind in BOOK_KINDS
    known = _known(firm, kind, asof)
    if kind == "venues":
        book_tables.save_venues(firm, book_files.venues(table))
    elif kind == "households":
        book_tables.save_households(firm, book_files.households(table, known))
    elif kind == "taxpayers":
        book_tables.save_taxpayers(firm, book_files.taxpayers(table, known))
    elif kind == "accounts":
        book_tables.save_accounts(firm, book_files.accounts(table, known))
    elif kind == "sleeves":
        book_tables.save_sleeves(firm, book_files.sleeves(table, known))
    elif kind == "mandates":
        book_tables.save_mandates(firm, book_files.mandates(table, known, asof))
    elif kind == "cash":
        post(firm, opening_files.cash(table, known, asof), source=f"cash {sha256}", advance=advance)
    else:
        post(firm, opening_files.lots(table, known, asof), source=f"lots {sha256}", advance=advance)


def _load_market(market: MarketStore, table: Table) -> None:
    kind = table.schema.kind
    securities = market_tables.load_securities(market)
    if kind == "securities":
        known = {security.code: security.security_id for security in securities}
        market_tables.save_securities(market, market_files.securities(table, known))
        return
    lookup = SecurityLookup(securities, market_tables.load_identifiers(market))
    if kind == "identifiers":
        market_tables.save_identifiers(market, market_files.identifiers(table, lookup))
    elif kind == "prices":
        for block in market_files.price_blocks(table, lookup):
            market_tables.save_prices(market, *_over_stored(market, block))
    elif kind == "index_weights":
        index_tables.save_index_weights(market, market_files.index_weights(table, lookup))
    elif kind == "corporate_actions":
        market_tables.save_actions(market, market_files.corporate_actions(table, lookup))
    else:
        for scores in market_files.scores(table, lookup):
            index_tables.save_scores(market, scores.name, scores.day, scores.security_ids, scores.values)


def _over_stored(market: MarketStore, block: market_files.PriceBlock) -> tuple[PriceHistory, Floats]:
    """The block laid over what is stored in its window, because saving replaces the window whole."""
    new = block.prices
    first, last = (index_tables.day(new.sessions[at]) for at in (0, -1))
    old = market_tables.load_prices(market, first, last, new.security_ids)
    if not old.sessions.size:
        return new, block.market_cap_usd
    caps = market_tables.load_market_caps(market, old)
    sessions = np.union1d(old.sessions, new.sessions)
    shape = (sessions.size, new.security_ids.size)
    at_old, at_new = np.searchsorted(sessions, old.sessions), np.searchsorted(sessions, new.sessions)
    given = np.zeros(shape, np.bool_)
    given[at_new] = new.close_micros > 0

    def laid(over: np.ndarray, under: np.ndarray, nothing: float) -> np.ndarray:
        made = np.full(shape, nothing, over.dtype)
        made[at_old] = under
        top = np.full(shape, nothing, over.dtype)
        top[at_new] = over
        return np.where(given, top, made)

    merged = PriceHistory(
        sessions=sessions,
        security_ids=new.security_ids,
        close_micros=laid(new.close_micros, old.close_micros, 0),
        adjusted_usd=laid(new.adjusted_usd, old.adjusted_usd, np.nan),
        volume=laid(new.volume, old.volume, np.nan),
    )
    return merged, laid(block.market_cap_usd, caps, np.nan)


def _known(firm: FirmStore, kind: str, asof: date) -> Known:
    """What the kind may refer to."""
    needs = {kind, *SCHEMAS[kind].needs}
    securities = market_tables.load_securities(firm) if "securities" in needs else ()
    names = market_tables.load_identifiers(firm) if "securities" in needs else ()
    vocabulary = {}
    if kind == "mandates":
        ids = np.array([security.security_id for security in securities], np.int64)
        scores = frozenset(index_tables.load_scores(firm, asof, ids))
        vocabulary = {
            "benchmark": frozenset(index_tables.index_codes(firm)),
            "excluded_sectors": frozenset(security.sector for security in securities),
            "excluded_industries": frozenset(security.industry for security in securities),
            "excluded_flags": scores,
            "tilts": scores | frozenset(EXPOSURES),
        }
    households = book_tables.load_households(firm) if "households" in needs else ()
    taxpayers = book_tables.load_taxpayers(firm) if "taxpayers" in needs else ()
    accounts = book_tables.load_accounts(firm) if "accounts" in needs else ()
    sleeves = book_tables.load_sleeves(firm) if "sleeves" in needs else ()
    return Known(
        securities=SecurityLookup(securities, names),
        venues=book_tables.load_venues(firm) if "venues" in needs else {},
        households={one.code: one for one in households},
        taxpayers={one.code: one for one in taxpayers},
        accounts={one.code: one for one in accounts},
        sleeves={one.code: one for one in sleeves},
        vocabulary=vocabulary,
        with_lots=_begun(firm, EventKind.OPENING) if kind in {"accounts", "lots"} else frozenset(),
        with_cash=_begun(firm, EventKind.OPENING_CASH) if kind in {"accounts", "cash"} else frozenset(),
    )


def _begun(firm: FirmStore, kind: EventKind) -> frozenset[int]:
    """Accounts that have an event of the kind."""
    found = firm.connection().execute("SELECT DISTINCT account_id FROM event WHERE kind = %s", [int(kind)])
    return frozenset(account for (account,) in found)


def _complete_sleeves(firm: FirmStore) -> None:
    """Every account has at least one sleeve: where none was given, one of the account's name."""
    with firm.transaction():
        _take_turns(firm)
        sleeves = book_tables.load_sleeves(firm)
        owners = {sleeve.account_id for sleeve in sleeves}
        bare = [a for a in book_tables.load_accounts(firm) if a.account_id not in owners]
        known = {sleeve.code: sleeve.sleeve_id for sleeve in sleeves}
        codes = [account.code for account in bare]
        taken = [code for code in codes if code in known]
        if taken:
            raise DataError(f"sleeve {taken[0]!r} belongs to another account than {taken[0]!r}; rename it.")
        numbers = market_files.numbered(codes, known)
        book_tables.save_sleeves(
            firm,
            [
                Sleeve(sleeve_id=number, code=account.code, account_id=account.account_id)
                for number, account in zip(numbers, bare, strict=True)
            ],
        )


# ── how fast ────────────────────────────────────────────────────────────────────────────────


def bench(n_lots: int = 3_000_000, n_accounts: int = 10_000, n_securities: int = 600) -> dict[str, float]:
    """Seconds to import a clean CSV of lots into a database of its own, and its parts.

    `read_seconds`: file to checked columns. `seconds`: the whole import, with securities and
    accounts resolved, one opening event per account written, folded, and lots stored in both views.
    """
    from tempfile import TemporaryDirectory

    from allotment.settings import Settings
    from allotment.store.server import Server

    asof = date(2024, 6, 28)
    with TemporaryDirectory(prefix="allotment-bench-") as name, ExitStack() as afterwards:
        folder = Path(name)
        folder.chmod(0o711)  # the server's user, another one when we are root, must get in
        afterwards.callback(Server(folder / "home").stop)
        sizes = _write_bench_files(folder, n_lots, n_accounts, n_securities)
        with Store.open(Settings(home=folder / "home")) as store:
            store.create_firm("bench", market="market_bench")
            store.firm("bench").close()

            def load(*paths: Path) -> float:
                started = perf_counter()
                report = import_files(store, ImportRequest(paths=paths, asof=asof), lambda *_: None)
                assert report.is_complete, report
                return perf_counter() - started

            load(folder / "small", folder / "warm")
            started = perf_counter()
            table = read_table(folder / "lots.csv", SCHEMAS["lots"], asof)
            check_table(table, asof)
            read_seconds = perf_counter() - started
            seconds = load(folder / "lots.csv")
    return {
        "lots": n_lots,
        "accounts": n_accounts,
        "megabytes": sizes / 1e6,
        "read_seconds": round(read_seconds, 2),
        "seconds": round(seconds, 2),
        "lots_per_second": round(n_lots / seconds),
    }


def _write_bench_files(folder: Path, n_lots: int, n_accounts: int, n_securities: int) -> int:
    """A book whose last account is loaded first, to have the kernels warm; bytes of lots.csv."""
    import polars as pl

    rng = np.random.default_rng(7)
    small, warm = folder / "small", folder / "warm"
    small.mkdir()
    warm.mkdir()
    names = [f"S{at:04d}" for at in range(n_securities)]
    accounts = [f"A{at:06d}" for at in range(n_accounts + 1)]
    pl.DataFrame({"security": names, "name": names}).write_csv(small / "securities.csv")
    pl.DataFrame({"venue": ["acme"]}).write_csv(small / "venues.csv")
    homes = pl.DataFrame({"household": accounts})
    homes.write_csv(small / "households.csv")
    homes.with_columns(taxpayer=pl.col("household")).write_csv(small / "taxpayers.csv")
    homes.with_columns(
        taxpayer=pl.col("household"),
        account=pl.col("household"),
        venue=pl.lit("acme"),
        opened=pl.lit("2015-01-02"),
    ).write_csv(small / "accounts.csv")
    days = np.datetime64("2016-01-04") + rng.integers(0, 3000, n_lots)
    lots = pl.DataFrame(
        {
            "account": np.array(accounts)[np.sort(rng.integers(0, n_accounts, n_lots))],
            "security": np.array(names)[rng.integers(0, n_securities, n_lots)],
            "lot": np.arange(n_lots),
            "quantity": rng.integers(1, 10**9, n_lots) / 1e6,
            "basis": rng.integers(1, 10**7, n_lots) / 100,
            "acquired": days.astype("M8[D]"),
        }
    )
    lots.write_csv(folder / "lots.csv", float_scientific=False)
    lots.head(1000).with_columns(account=pl.lit(accounts[-1])).write_csv(
        warm / "lots.csv", float_scientific=False
    )
    return (folder / "lots.csv").stat().st_size
