"""Elections and differences of corporate actions in and out of PostgreSQL.

Elections are appended; the newest of an account and action counts. Differences are raised once per
source (the file that told them) and stay until somebody settles them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from allotment.errors import UsageError
from allotment.ledger.election import Election
from allotment.ledger.entitlement import Difference, Item, Severity
from allotment.market.corporate_action import ActionKind
from allotment.store import records
from allotment.store.session import FirmStore, some_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedDifference:
    """A difference as it is stored."""

    difference_id: int
    account_id: int
    security_id: int
    ex_date: date
    kind: ActionKind
    item: Item
    expected: str
    came: str
    severity: Severity
    remedy: str
    source: str
    raised_at: datetime
    settled_at: datetime | None
    settled_note: str


def save_election(firm: FirmStore, election: Election) -> int:
    """Append a choice; its id."""
    row = (
        firm.connection()
        .execute(
            sql.SQL(
                "INSERT INTO election ({}) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING election_id"
            ).format(records.columns(Election)),
            records.values(election),
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])


def load_elections(firm: FirmStore, account_ids: Sequence[int] | None = None) -> tuple[Election, ...]:
    """Every choice in the order in which they were made."""
    query = sql.SQL("SELECT {} FROM election WHERE {} ORDER BY election_id").format(
        records.columns(Election), some_ids(account_ids, "account_id")
    )
    return tuple(firm.rows(Election, query))


def raise_differences(firm: FirmStore, differences: Sequence[Difference], source: str) -> int:
    """Store differences that a source tells; those it has told before are left. How many are new."""
    n_new = 0
    with firm.transaction() as connection:
        for one in differences:
            n_new += connection.execute(
                sql.SQL(
                    "INSERT INTO action_difference ({}, source) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
                ).format(records.columns(Difference)),
                [*records.values(one), source],
            ).rowcount
    return n_new


def load_differences(
    firm: FirmStore, account_ids: Sequence[int] | None = None, *, settled: bool = False
) -> tuple[RaisedDifference, ...]:
    """Those that are open (or, if asked, settled), the gravest first."""
    query = sql.SQL(
        "SELECT {} FROM action_difference WHERE {} AND (settled_at IS NOT NULL) = {} "
        "ORDER BY severity DESC, difference_id"
    ).format(records.columns(RaisedDifference), some_ids(account_ids, "account_id"), settled)
    return tuple(firm.rows(RaisedDifference, query))


def settle_difference(firm: FirmStore, difference_id: int, note: str) -> None:
    """Say that a difference is settled, and how. Raises UsageError when it is not open."""
    done = firm.connection().execute(
        "UPDATE action_difference SET settled_at = now(), settled_by = %s, settled_note = %s "
        "WHERE difference_id = %s AND settled_at IS NULL",
        [firm.actor_id, note, difference_id],
    )
    if done.rowcount != 1:
        raise UsageError(
            f"there is no open difference {difference_id}; `allotment actions differences` lists them."
        )


def settle_earlier(firm: FirmStore, difference: tuple[int, int, date, str], source: str) -> int:
    """Settle what other files told of (account, security, ex-date, kind), now that `source` agrees with
    the books; how many there were."""
    done = firm.connection().execute(
        "UPDATE action_difference SET settled_at = now(), settled_by = %s, settled_note = %s WHERE "
        "(account_id, security_id, ex_date, kind) = (%s, %s, %s, %s) AND settled_at IS NULL AND source <> %s",
        [firm.actor_id, f"{source} agrees", *difference, source],
    )
    return int(done.rowcount)
