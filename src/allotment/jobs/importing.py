"""Import of the documented files: read, check, resolve, store; each file whole or not at all.

Facts of the market and of clients replace what had the same key. Lots and cash become opening
events, booked once: the same file twice is reported and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from time import perf_counter

from allotment.errors import BadFileError, BadRow, DataError
from allotment.feeds.checks import check_table
from allotment.feeds.folder import ImportFile, find_files, unknown_kind
from allotment.feeds.schemas import MARKET_KINDS, SCHEMAS
from allotment.feeds.table import Table, read_table
from allotment.feeds.toml_rows import read_toml
from allotment.jobs import import_kinds
from allotment.store import import_tables
from allotment.store.database import Store
from allotment.store.import_tables import ImportedFile, ImportRecord
from allotment.store.session import FirmStore, MarketStore, Session

Advance = Callable[[str, int, int], None]
_BOOKED_ONCE = frozenset(
    {"lots", "cash", "transfers", "late_basis", "links", "discretion", "outside_transactions"}
)


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
            import_kinds.complete_sleeves(firm)
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
    groups = import_kinds.groups_of(firm) if file.kind == "securities" else {}
    with session.transaction():
        session.take_turns("import")
        if before := _loaded_before(session, file, sha256):
            return _outcome(file, FileState.LOADED_BEFORE, n_rows=before.n_rows, note=_when(before))
        note = import_kinds.load(firm, market, table, asof, sha256, advance)
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
    if groups:  # the market's rows are another role's to write, so this cannot be one transaction with them
        note = import_kinds.regroup(firm, groups, advance)
    return _outcome(file, FileState.LOADED, n_rows=len(table), note=note)


def _read(file: ImportFile, data: bytes, asof: date) -> Table:
    schema = SCHEMAS[file.kind]
    if file.path.suffix.lower() == ".toml":
        if not schema.toml:
            row = BadRow(file.path.name, 0, "", f"{file.kind} in TOML", "write it as CSV or Parquet")
            raise BadFileError([row])
        return read_toml(data, file.path.name, schema, asof)
    return read_table(file.path, schema, asof, data)


def _loaded_before(session: Session, file: ImportFile, sha256: str) -> ImportRecord | None:
    """The import of the same content, unless another file of that name has replaced it since.

    What becomes events is booked once, whatever came after.
    """
    found = import_tables.find_import(session, file.kind, sha256)
    if found is None or file.kind in _BOOKED_ONCE:
        return found
    later = (one for one in import_tables.load_imports(session) if one.kind == file.kind)
    latest = next((one for one in later if one.name == file.path.name or one.sha256 == sha256), found)
    return latest if latest.sha256 == sha256 else None


def _when(before: ImportRecord) -> str:
    return f"the same content as {before.name}, loaded {before.imported_at:%Y-%m-%d %H:%M} by {before.actor}"
