"""Events of one account as rows, for people: who booked what, when, from where, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from allotment.store.session import FirmStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """One stored event."""

    ledger_seq: int
    known_at: datetime
    actor: str
    effective: date
    settles: date | None
    kind: int
    detail: int
    sleeve_id: int
    security_id: int
    quantity_nano: int
    amount_cents: int
    reverses: int | None
    reversed_by: int | None
    source: str
    source_id: str


_EVENTS = sql.SQL(
    "SELECT e.ledger_seq, coalesce(p.known_at, e.known_at) AS known_at, a.name AS actor, e.effective, "
    "e.settles, e.kind, e.detail, e.sleeve_id, e.security_id, e.quantity_nano, e.amount_cents, e.reverses, "
    "r.ledger_seq AS reversed_by, e.source, e.source_id FROM event e JOIN actor a USING (actor_id) "
    "LEFT JOIN event r ON r.reverses = e.ledger_seq "
    "LEFT JOIN posting p ON e.ledger_seq BETWEEN p.first_seq AND p.last_seq "
    "WHERE e.household_id = (SELECT household_id FROM account WHERE account_id = %s) AND e.account_id = %s "
    "ORDER BY e.ledger_seq"
)


def events_of(firm: FirmStore, account_id: int) -> list[ListedEvent]:
    """Every event of an account, by sequence."""
    return firm.rows(ListedEvent, _EVENTS, [account_id, account_id])
