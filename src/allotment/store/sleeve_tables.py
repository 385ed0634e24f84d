"""Swaps between sleeves as their managers see them, in PostgreSQL: written once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from allotment.ledger.swap import Leg
from allotment.store import records
from allotment.store.session import FirmStore

_COLUMNS = (
    "cash_seq",
    "kind",
    "account_id",
    "day",
    "security_id",
    "seller_id",
    "seller_manager",
    "buyer_id",
    "buyer_manager",
    "quantity_nano",
    "price_micros",
    "price_source",
    "amount_cents",
    "lots",
    "reason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagersSwap:
    """One manager's side of a swap."""

    cash_seq: int  # the event that paid for it
    kind: str
    account_id: int
    day: date
    security_id: int
    sleeve_id: int
    manager: str
    side: int  # +1 received the shares, -1 gave them
    other_sleeve_id: int
    other_manager: str
    quantity_nano: int
    price_micros: int
    price_source: str
    amount_cents: int
    reason: str


def save_swaps(firm: FirmStore, legs: Sequence[Leg], cash_seqs: Sequence[int]) -> None:
    """Append the record of each leg beside the event that paid for it."""
    copying = sql.SQL("COPY sleeve_swap ({}) FROM STDIN").format(
        sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    )
    with firm.connection().cursor() as cursor, cursor.copy(copying) as copy:
        for leg, seq in zip(legs, cash_seqs, strict=True):
            copy.write_row(
                [
                    seq,
                    leg.kind.value,
                    leg.account_id,
                    leg.day,
                    leg.security_id,
                    leg.seller.sleeve_id,
                    leg.seller.manager,
                    leg.buyer.sleeve_id,
                    leg.buyer.manager,
                    leg.quantity_nano,
                    leg.price.price_micros,
                    leg.price.source.value,
                    leg.amount_cents,
                    json.dumps(leg.lots),
                    leg.reason,
                ]
            )


def load_swaps(firm: FirmStore, account_id: int) -> tuple[ManagersSwap, ...]:
    """Every manager's side of every swap of an account, by event."""
    query = sql.SQL(
        "SELECT {} FROM sleeve_swap_by_manager WHERE account_id = %s ORDER BY cash_seq, side"
    ).format(records.columns(ManagersSwap))
    return tuple(firm.rows(ManagersSwap, query, [account_id]))
