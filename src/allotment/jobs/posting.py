"""Events into the books: append them, fold the households they touch, store what follows.

Events and the lots derived from them are written in one transaction: there is no moment at which
the books show one without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from allotment.book.household import Account
from allotment.errors import DataError
from allotment.ledger.events import AccountTable, Events
from allotment.ledger.fold import BookState, fold
from allotment.store import book_tables, event_tables, lot_tables, market_tables
from allotment.store.lot_tables import LotView
from allotment.store.session import FirmStore
from allotment.tax.identical import IdenticalGroups

_HOUSEHOLDS_AT_ONCE = 500

Advance = Callable[[str, int, int], None]


def post(firm: FirmStore, events: Events, *, source: str, advance: Advance) -> int:
    """Append the events and re-derive the lots of their households; returns how many were new.

    source: where they come from (a file's hash, "demo"); the same source and event twice is booked
    once. Raises DataError, with nothing written, when the events contradict the books.
    """
    with firm.transaction():
        households = np.unique(events.household_id)
        book_tables.lock_households(firm, households)
        n_new = event_tables.append_events(firm, events, source=source)
        derive(firm, households.tolist(), advance)
    return n_new


def derive(firm: FirmStore, household_ids: Sequence[int], advance: Advance) -> None:
    """Fold the households' events and store their open lots in both views."""
    groups = IdenticalGroups.of_securities(market_tables.load_securities(firm))
    venues = tuple(book_tables.load_venues(firm).values())
    members: dict[int, list[Account]] = {}
    for account in book_tables.load_accounts(firm):
        members.setdefault(account.household_id, []).append(account)
    sleeves = [(s.sleeve_id, s.account_id) for s in book_tables.load_sleeves(firm)]
    household_ids = sorted(household_ids)
    for start in range(0, len(household_ids), _HOUSEHOLDS_AT_ONCE):
        part = household_ids[start : start + _HOUSEHOLDS_AT_ONCE]
        accounts = [account for household in part for account in members.get(household, [])]
        own = {account.account_id for account in accounts}
        table = AccountTable.of_accounts(accounts, venues, [s for s in sleeves if s[1] in own])
        events = event_tables.load_events(firm, np.array(part))
        state = fold(events, table, groups)
        if state.problems:
            shown = "\n  ".join(str(problem) for problem in state.problems[:20])
            raise DataError(
                f"{len(state.problems)} event(s) contradict the books; nothing was written:\n  {shown}"
            )
        _store(firm, state, event_tables.last_sequence(firm))
        advance("deriving lots", min(start + len(part), len(household_ids)), len(household_ids))


def _store(firm: FirmStore, state: BookState, version: int) -> None:
    ids = state.accounts.account_ids
    lot_tables.write_lots(firm, ids, state.taxpayer.lots, version=version, view=LotView.TAXPAYER)
    lot_tables.write_lots(firm, ids, state.broker.lots, version=version, view=LotView.BROKER)
