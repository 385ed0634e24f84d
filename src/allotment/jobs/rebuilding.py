"""Books in a folder: written out with everything that they follow from, and built anew from it.

The folder holds `events.parquet` (every event as it was written), `postings.parquet` (the chain),
`clients.json` (who owns what, by the same numbers) and `records/`, a CSV file a table of what events alone do
not give (`store.record_copy`). Rebuilt in an empty firm of another database, on a market with the same
securities, the books have the same state hashes and the same records, or are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.venue import Venue
from allotment.errors import DataError, UsageError
from allotment.jobs.posting import derive
from allotment.jobs.verification import check_chain
from allotment.ledger.chain import Posting
from allotment.market.security import Security
from allotment.store import (
    book_tables,
    event_chain,
    event_tables,
    ledger_copy,
    market_tables,
    record_copy,
)
from allotment.store.ledger_copy import ActorRow
from allotment.store.session import FirmStore, MarketStore

Advance = Callable[[str, int, int], None]
EVENTS, POSTINGS, CLIENTS, RECORDS = "events.parquet", "postings.parquet", "clients.json", "records"
_SCHEMA_VERSION = 2  # 2: with records
_PIECE_BYTES = 1 << 20
_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksWritten:
    """What a folder holds."""

    folder: str
    n_events: int
    n_postings: int
    n_accounts: int
    records: dict[str, int]  # rows by table


def write_books(firm: FirmStore, folder: Path, advance: Advance) -> BooksWritten:
    """Write the books of a firm, as they are at one moment, into a new folder.

    Raises UsageError when it holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds something already; name a new folder.")
    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    with firm.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        n_events, n_postings = _write_events(firm, folder, advance)
        written = _write_records(firm, folder, advance)
        n_accounts = _write_rest(firm, folder, written)
    return BooksWritten(
        folder=str(folder),
        n_events=n_events,
        n_postings=n_postings,
        n_accounts=n_accounts,
        records={table: one["n_rows"] for table, one in written.items()},
    )


def _write_events(firm: FirmStore, folder: Path, advance: Advance) -> tuple[int, int]:
    """Events and their chain; how many of each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    last_seq = event_tables.last_sequence(firm)
    postings = [one for one in event_chain.load_postings(firm) if one.last_seq <= last_seq]
    writer: pq.ParquetWriter | None = None
    done = 0
    try:
        for table in ledger_copy.read_events(firm, last_seq):
            writer = writer or pq.ParquetWriter(folder / EVENTS, table.schema, compression="zstd")
            writer.write_table(table)
            done += table.num_rows
            advance("writing events", done, last_seq)
    finally:
        if writer is not None:
            writer.close()
    pq.write_table(
        pa.Table.from_pylist([asdict(one) for one in postings], _posting_schema()), folder / POSTINGS
    )
    return done, len(postings)


def _write_records(firm: FirmStore, folder: Path, advance: Advance) -> dict[str, dict[str, Any]]:
    """A file a table; the rows and the hash of each."""
    found: dict[str, dict[str, Any]] = {}
    for at, table in enumerate(record_copy.RECORDS):
        path = _records_file(folder, table)
        with path.open("wb") as file:
            n_rows = record_copy.read_records(firm, table, file.write)
        found[table] = {"n_rows": n_rows, "sha256": _sha256(path)}
        advance("writing records", at + 1, len(record_copy.RECORDS))
    return found


def _write_rest(firm: FirmStore, folder: Path, written: dict[str, dict[str, Any]]) -> int:
    """Clients, and what the other files should hold; the number of accounts."""
    accounts = book_tables.load_accounts(firm)
    clients = {
        "schema_version": _SCHEMA_VERSION,
        "records": written,
        "securities": [asdict(one) for one in market_tables.load_securities(firm)],
        "actors": [asdict(one) for one in ledger_copy.read_actors(firm)],
        "venues": [asdict(one) for one in book_tables.load_venues(firm).values()],
        "households": [asdict(one) for one in book_tables.load_households(firm)],
        "taxpayers": [asdict(one) for one in book_tables.load_taxpayers(firm)],
        "accounts": [asdict(one) for one in accounts],
        "sleeves": [asdict(one) for one in book_tables.load_sleeves(firm)],
    }
    (folder / CLIENTS).write_text(json.dumps(clients, indent=1, default=str), "utf-8")
    return len(accounts)


def rebuild_books(firm: FirmStore, market: MarketStore, folder: Path, advance: Advance) -> int:
    """Build the books of a folder in an empty firm; how many events.

    A market without securities gets those of the books. Raises DataError, with no books written, when
    the firm has events or records, when the market's securities have other numbers, when the chain does
    not hold, or when a file of records is not the one that was written.
    """
    clients, postings = _read_clients(folder), _read_postings(folder)
    _same_securities(firm, market, [_record(Security, one) for one in clients["securities"]])
    with firm.transaction():
        if event_tables.last_sequence(firm):
            raise DataError(f"firm {firm.firm} has events already; rebuild books in a new firm.")
        _write_clients(firm, clients)
        n_events = _copy_events(firm, folder, advance)
        ledger_copy.write_postings(firm, postings, n_events + 1)
        _copy_records(firm, folder, clients["records"], advance)
        broken, _, _ = check_chain(firm, advance)
        if broken:
            shown = "\n  ".join(broken[:20])
            raise DataError(f"the chain of {folder} does not hold; nothing was written:\n  {shown}")
        derive(firm, sorted(one["household_id"] for one in clients["households"]), advance)
    return n_events


def _posting_schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("first_seq", pa.int64()),
            ("last_seq", pa.int64()),
            ("known_at_micros", pa.int64()),
            ("actor_id", pa.int32()),
            ("source", pa.string()),
            ("root", pa.binary(32)),
            ("link", pa.binary(32)),
        ]
    )


def _read_clients(folder: Path) -> dict[str, Any]:
    try:
        clients: dict[str, Any] = json.loads((folder / CLIENTS).read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no books: {CLIENTS} is not there.") from None
    except ValueError as error:
        raise DataError(f"{folder / CLIENTS} is not JSON ({error}); write the books again.") from None
    if clients.get("schema_version") != _SCHEMA_VERSION:
        raise DataError(
            f"{folder / CLIENTS} is of version {clients.get('schema_version')}, this program reads "
            f"{_SCHEMA_VERSION}. Use the release that wrote it."
        )
    return clients


def _read_postings(folder: Path) -> list[Posting]:
    import pyarrow.parquet as pq

    return [Posting(**row) for row in pq.read_table(folder / POSTINGS).to_pylist()]


def _copy_events(firm: FirmStore, folder: Path, advance: Advance) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(folder / EVENTS)
    done = 0
    for at in range(file.num_row_groups):
        table: pa.Table = file.read_row_group(at)
        done += ledger_copy.write_events(firm, table)
        advance("copying events", done, file.metadata.num_rows)
    return done


def _copy_records(
    firm: FirmStore, folder: Path, written: dict[str, dict[str, Any]], advance: Advance
) -> None:
    for at, (table, told) in enumerate(written.items()):
        path = _records_file(folder, table)
        if table not in record_copy.RECORDS:
            raise DataError(f"this program keeps no records {table}. Use the release that wrote {folder}.")
        if not path.exists() or _sha256(path) != told["sha256"]:
            raise DataError(
                f"{path} is not the file of {told['n_rows']} row(s) that was written; nothing was written. "
                "Write the books again."
            )
        with path.open("rb") as file:
            record_copy.write_records(
                firm, table, file.readline(), iter(partial(file.read, _PIECE_BYTES), b"")
            )
        advance("copying records", at + 1, len(written))


def _records_file(folder: Path, table: str) -> Path:
    return folder / RECORDS / f"{table}.csv"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _same_securities(firm: FirmStore, market: MarketStore, wanted: list[Security]) -> None:
    here = {one.security_id: one.code for one in market_tables.load_securities(firm)}
    if not here:
        market_tables.save_securities(market, wanted)
        return
    wrong = sorted(one.code for one in wanted if here.get(one.security_id) != one.code)
    if wrong:
        raise DataError(
            f"{len(wrong)} securities of the books have another number in market {firm.market}, or are not "
            f"there: {', '.join(wrong[:10])}. Use a market of its own, or one imported from the same files."
        )


def _write_clients(firm: FirmStore, clients: dict[str, Any]) -> None:
    ledger_copy.write_actors(firm, [_record(ActorRow, one) for one in clients["actors"]])
    book_tables.save_venues(firm, [_record(Venue, one) for one in clients["venues"]])
    book_tables.save_households(firm, [_record(Household, one) for one in clients["households"]])
    book_tables.save_taxpayers(firm, [_record(Taxpayer, one) for one in clients["taxpayers"]])
    book_tables.save_accounts(firm, [_record(Account, one) for one in clients["accounts"]])
    book_tables.save_sleeves(firm, [_record(Sleeve, one) for one in clients["sleeves"]])


def _record(kind: type[_Record], values: dict[str, Any]) -> _Record:
    hints = get_type_hints(kind)
    made = {}
    for name, value in values.items():
        hint = hints[name]
        if value is not None and hint in (date, date | None):
            value = date.fromisoformat(value)
        elif isinstance(hint, type) and hint is not int and hint is not str and hint is not float:
            value = hint(value) if hint is not bool else bool(value)
        elif isinstance(value, list):
            value = tuple(value)
        made[name] = value
    return kind(**made)
