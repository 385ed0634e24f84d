"""Books in a folder: written out with everything that they follow from, and built anew from it.

The folder holds `events.parquet` (every event as it was written), `postings.parquet` (the chain) and
`clients.json` (who owns what, by the same numbers). Rebuilt in an empty firm of another database,
on a market with the same securities, the books have the same state hashes, or are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.venue import Venue
from allotment.errors import DataError, UsageError
from allotment.jobs.posting import derive
from allotment.jobs.verification import check_chain
from allotment.ledger.chain import Posting
from allotment.market.security import Security
from allotment.store import book_tables, event_chain, event_tables, ledger_copy, market_tables
from allotment.store.ledger_copy import ActorRow
from allotment.store.session import FirmStore, MarketStore

Advance = Callable[[str, int, int], None]
EVENTS, POSTINGS, CLIENTS = "events.parquet", "postings.parquet", "clients.json"
_SCHEMA_VERSION = 1
_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksWritten:
    """What a folder holds."""

    folder: str
    n_events: int
    n_postings: int
    n_accounts: int


def write_books(firm: FirmStore, folder: Path, advance: Advance) -> BooksWritten:
    """Write the books of a firm into a new folder. Raises UsageError when it holds something."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds something already; name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
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
    accounts = book_tables.load_accounts(firm)
    clients = {
        "schema_version": _SCHEMA_VERSION,
        "securities": [asdict(one) for one in market_tables.load_securities(firm)],
        "actors": [asdict(one) for one in ledger_copy.read_actors(firm)],
        "venues": [asdict(one) for one in book_tables.load_venues(firm).values()],
        "households": [asdict(one) for one in book_tables.load_households(firm)],
        "taxpayers": [asdict(one) for one in book_tables.load_taxpayers(firm)],
        "accounts": [asdict(one) for one in accounts],
        "sleeves": [asdict(one) for one in book_tables.load_sleeves(firm)],
    }
    (folder / CLIENTS).write_text(json.dumps(clients, indent=1, default=str), "utf-8")
    return BooksWritten(folder=str(folder), n_events=done, n_postings=len(postings), n_accounts=len(accounts))


def rebuild_books(firm: FirmStore, market: MarketStore, folder: Path, advance: Advance) -> int:
    """Build the books of a folder in an empty firm; how many events.

    A market without securities gets those of the books. Raises DataError, with no books written, when
    the firm has events, when the market's securities have other numbers, or when the chain does not hold.
    """
    clients, postings = _read_clients(folder), _read_postings(folder)
    _same_securities(firm, market, [_record(Security, one) for one in clients["securities"]])
    with firm.transaction():
        if event_tables.last_sequence(firm):
            raise DataError(f"firm {firm.firm} has events already; rebuild books in a new firm.")
        _write_clients(firm, clients)
        n_events = _copy_events(firm, folder, advance)
        ledger_copy.write_postings(firm, postings, n_events + 1)
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
