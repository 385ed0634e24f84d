"""Any household on any day, as it was known at any time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from allotment.book.household import Account
from allotment.errors import UsageError
from allotment.jobs.posting import Books
from allotment.ledger.corrections import in_force
from allotment.ledger.fold import BookState
from allotment.store import book_tables, event_chain, event_tables
from allotment.store.session import FirmStore

_SEQUENCE = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBooks:
    """The books of an account's household."""

    account: Account
    account_ix: int  # the account's row in `state`
    asof: date | None  # None: everything known, whenever effective
    known_seq: int
    state: BookState


def known_sequence(firm: FirmStore, known_at: str) -> int:
    """The newest sequence of a moment: a sequence, a day (its end, UTC) or a time in ISO 8601.

    Raises UsageError for anything else.
    """
    if _SEQUENCE.fullmatch(known_at):
        return int(known_at)
    try:
        moment = datetime.fromisoformat(known_at)
    except ValueError:
        raise UsageError(
            f"{known_at!r} is neither a ledger sequence nor a time; write 1234, 2024-06-28 or "
            "2024-06-28T17:00+00:00."
        ) from None
    if len(known_at) <= len("2024-06-28"):
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return event_chain.sequence_known_at(firm, moment)


def past_books(firm: FirmStore, code: str, asof: date | None, known_at: str) -> PastBooks:
    """The account's household folded from what was known at `known_at` ("": now) and effective by `asof`."""
    account = book_tables.find_account(firm, code)
    newest = event_tables.last_sequence(firm)
    known_seq = min(known_sequence(firm, known_at), newest) if known_at else newest
    household = [account.household_id]
    stands = in_force(event_tables.load_events(firm, household, until_seq=known_seq))
    state = Books(firm).fold_events(stands.until(asof) if asof else stands.events, household)
    return PastBooks(
        account=account,
        account_ix=int((state.accounts.account_ids == account.account_id).argmax()),
        asof=asof,
        known_seq=known_seq,
        state=state,
    )
