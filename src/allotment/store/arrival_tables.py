"""Names of lots that came in kind, and prices of what is carried, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from psycopg import sql

from allotment.book.carried import CarriedPrice
from allotment.book.lots import LotName
from allotment.store import records
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints


def save_lot_names(firm: FirmStore, names: Sequence[LotName]) -> None:
    """Append names; each stays as it is for ever."""
    if not names:
        return
    copying = sql.SQL("COPY lot_name ({}) FROM STDIN").format(records.columns(LotName))
    with firm.connection().cursor() as cursor, cursor.copy(copying) as copy:
        for one in names:
            copy.write_row(records.values(one))


def load_lot_names(firm: FirmStore, account_ids: Sequence[int] | Ints | None = None) -> tuple[LotName, ...]:
    """Names of lots by event and line."""
    query = sql.SQL("SELECT {} FROM lot_name WHERE {} ORDER BY event_seq, line").format(
        records.columns(LotName), some_ids(account_ids, "account_id")
    )
    return tuple(firm.rows(LotName, query))


def save_carried_prices(firm: FirmStore, prices: Sequence[CarriedPrice]) -> int:
    """Insert or replace by account, security and day."""
    return records.upsert(firm, "carried_price", prices, ["account_id", "security_id", "day"], "written_by")


def load_carried_prices(
    firm: FirmStore, asof: date, account_ids: Sequence[int] | Ints | None = None
) -> tuple[CarriedPrice, ...]:
    """The latest price on or before `asof` of each account and security."""
    query = sql.SQL(
        "SELECT DISTINCT ON (account_id, security_id) {} FROM carried_price WHERE day <= {} AND {} "
        "ORDER BY account_id, security_id, day DESC"
    ).format(records.columns(CarriedPrice), asof, some_ids(account_ids, "account_id"))
    return tuple(firm.rows(CarriedPrice, query))


def carried_micros(
    firm: FirmStore, asof: date, account_ids: Sequence[int] | Ints | None = None
) -> dict[tuple[int, int], int]:
    """The same prices, in millionths of a dollar by (account, security)."""
    found = load_carried_prices(firm, asof, account_ids)
    return {(one.account_id, one.security_id): one.price_micros for one in found}
