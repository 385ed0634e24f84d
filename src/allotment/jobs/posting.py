"""Events into the books: append them, fold the households they touch, store what follows.

Events and the state derived from them are written in one transaction: there is no moment at which
the books show one without the other. A late, reversing or correcting event derives everything
after it anew; what changed of sales that were known before is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.book.venue import Venue
from allotment.errors import DataError
from allotment.ledger.changes import ChangedSales, changed_sales
from allotment.ledger.events import AccountTable, Events
from allotment.ledger.fold import BookState, fold
from allotment.ledger.permanent import PermanentLosses, newly_lost
from allotment.ledger.write import take
from allotment.store import book_tables, event_tables, filed_tables, market_tables, state_tables
from allotment.store.packed_state import PackedState, pack_state
from allotment.store.session import FirmStore
from allotment.store.state_tables import Replaced
from allotment.tax import RULES_VERSION
from allotment.tax.identical import IdenticalGroups
from allotment.units import Ints

_HOUSEHOLDS_AT_ONCE = 200
_EVENTS_AT_ONCE = 100_000  # memory that a part has used serves the next
_PARTS_AHEAD = 8
_SHOWN = 20

Advance = Callable[[str, int, int], None]


class StaleBooksError(DataError):
    """Somebody else wrote to a household since its books were read."""

    def __init__(self, household_id: int, read_at: int, stands_at: int) -> None:
        self.household_id, self.read_at, self.stands_at = household_id, read_at, stands_at
        super().__init__(
            f"household {household_id} was read at sequence {read_at} and stands at {stands_at} now: another "
            "program has written to it. Read it again and decide anew; nothing was written."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a posting came to."""

    n_new: int  # events that were not booked before
    changes: ChangedSales  # of sales that were known before
    filed: tuple[tuple[int, int], ...]  # (taxpayer, year) whose return is filed and whose figures changed
    lost: PermanentLosses  # losses that the posting destroyed: gone for good, and not so before


def post(
    firm: FirmStore,
    events: Events,
    *,
    source: str,
    advance: Advance,
    source_ids: Sequence[str] | None = None,
    read_at: Mapping[int, int] | None = None,
) -> Posted:
    """Append the events and derive their households anew.

    source: where they come from (a file's hash, "demo"); the same source and id twice is booked once.
    read_at: by household, the sequence at which the books were read that these events were decided
    on. Raises StaleBooksError when one has moved on, DataError, with nothing written, when the events
    contradict the books.
    """
    with firm.transaction(), _Ahead(firm) as ahead:
        households = np.unique(events.household_id)
        versions = book_tables.lock_households(firm, households)
        _refuse_stale(households.tolist(), versions.tolist(), read_at or {})

        def begin(added: Events) -> None:
            if not versions.any():  # what has no past need not be read again
                ahead.begin(households.tolist(), added)

        came = event_tables.append_events(firm, events, source=source, source_ids=source_ids, meanwhile=begin)
        if came.n_new == 0:
            return _posted(firm, 0, _nothing(), 0, ahead.books)
        known_until = event_tables.last_sequence(firm) - came.n_new
        replaced = _store_derived(firm, ahead, households.tolist(), advance)
        return _posted(firm, came.n_new, replaced, known_until, ahead.books)


def _posted(firm: FirmStore, n_new: int, replaced: Replaced, known_until: int, books: Books) -> Posted:
    changes = changed_sales(replaced.before.sold, replaced.after.sold, known_until)
    return Posted(
        n_new=n_new,
        changes=changes,
        filed=filed_tables.filed_among(firm, changes),
        lost=newly_lost(replaced.before.lost, replaced.after.lost, books.ira_ids),
    )


def derive(firm: FirmStore, household_ids: Sequence[int], advance: Advance) -> Replaced:
    """Fold the households' events and store what follows; the sales of years that changed.

    Raises DataError when events contradict one another.
    """
    with _Ahead(firm) as ahead:
        return _store_derived(firm, ahead, household_ids, advance)


def _store_derived(
    firm: FirmStore, ahead: _Ahead, household_ids: Sequence[int], advance: Advance
) -> Replaced:
    version = event_tables.last_sequence(firm)
    replaced: list[Replaced] = []
    done = 0
    for state in ahead.states(household_ids):
        replaced.append(state_tables.write_state(firm, state, version=version, rules_version=RULES_VERSION))
        done += len(state.household_ids)
        advance("deriving lots", done, len(household_ids))
    if not replaced:
        return _nothing()
    before, after = [one.before for one in replaced], [one.after for one in replaced]
    return Replaced(before=_joined(before), after=_joined(after))


class _Ahead:
    """Folds parts of the households in a thread, a few parts ahead of the one that is written."""

    def __init__(self, firm: FirmStore) -> None:
        self.books = Books(firm)
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[PackedState]] = deque()
        self._left: deque[list[int]] = deque()
        self._at_hand: Events | None = None
        self._has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, household_ids: Sequence[int], at_hand: Events | None = None) -> None:
        """Start with the first parts. at_hand: all events of the households; None: those stored."""
        ids = np.unique(np.asarray(household_ids, np.int64))
        if at_hand is None:
            ends = np.arange(0, len(ids), _HOUSEHOLDS_AT_ONCE)[1:]
        else:
            order = np.argsort(at_hand.household_id, kind="stable")
            at_hand = take(at_hand, order)
            by_events = np.searchsorted(at_hand.household_id, ids) // _EVENTS_AT_ONCE
            by_number = np.arange(len(ids)) // _HOUSEHOLDS_AT_ONCE
            ends = np.flatnonzero(np.diff(by_events) | np.diff(by_number)) + 1
        self._left.extend(some.tolist() for some in np.split(ids, ends) if len(some))
        self._at_hand, self._has_begun = at_hand, True
        self._go_on()

    def states(self, household_ids: Sequence[int]) -> Iterator[PackedState]:
        """The state of each part, in order."""
        if not self._has_begun:
            self.begin(household_ids)
        while self._waiting:
            state = self._waiting.popleft().result()
            self._go_on()
            yield state

    def _go_on(self) -> None:
        while self._left and len(self._waiting) < _PARTS_AHEAD:
            part = self._left.popleft()
            events = self.books.events(part) if self._at_hand is None else _of(self._at_hand, part)
            self._waiting.append(self._pool.submit(_derived, self.books, events, part))


def rebase(firm: FirmStore, advance: Advance, household_ids: Sequence[int] | None = None) -> Posted:
    """Derive households (default: every one) by the rules of this program, from their accounts as they are
    now; which sales that changes."""
    with firm.transaction():
        books = Books(firm)
        households = books.household_ids if household_ids is None else sorted(household_ids)
        book_tables.lock_households(firm, households)
        replaced = derive(firm, households, advance)
        return _posted(firm, 0, replaced, event_tables.last_sequence(firm), books)


def _derived(books: Books, events: Events, household_ids: Sequence[int]) -> PackedState:
    state = books.fold_events(events, household_ids)
    if state.problems:
        shown = "\n  ".join(str(problem) for problem in state.problems[:_SHOWN])
        raise DataError(
            f"{len(state.problems)} event(s) contradict the books; nothing was written:\n  {shown}"
        )
    return pack_state(state)


def _of(events: Events, household_ids: Sequence[int]) -> Events:
    """Events of consecutive households. events: by household."""
    first = np.searchsorted(events.household_id, household_ids[0])
    last = np.searchsorted(events.household_id, household_ids[-1], side="right")
    return take(events, np.arange(first, last))


class Books:
    """Folds households of a firm as its tables stand now, or as they were known."""

    def __init__(self, firm: FirmStore) -> None:
        self._firm = firm
        self._groups = IdenticalGroups.of_securities(market_tables.load_securities(firm))
        self._venues = tuple(book_tables.load_venues(firm).values())
        self._members: dict[int, list[Account]] = {}
        for account in book_tables.load_accounts(firm):
            self._members.setdefault(account.household_id, []).append(account)
        self._sleeves = [(s.sleeve_id, s.account_id) for s in book_tables.load_sleeves(firm)]

    @property
    def groups(self) -> IdenticalGroups:
        """Securities that count as one for wash sales."""
        return self._groups

    def facts_of_accounts(self) -> dict[int, tuple[tuple[object, ...], ...]]:
        """By household what a fold reads of its accounts, beside events: who owns them, how they are taxed,
        how their venue relieves lots."""
        venues = {venue.code: venue for venue in self._venues}
        return {
            household: tuple(
                (a.account_id, a.taxpayer_id, a.kind, *_relief(venues[a.venue_code])) for a in accounts
            )
            for household, accounts in self._members.items()
        }

    @property
    def ira_ids(self) -> Ints:
        """Accounts inside which nothing is taxed."""
        accounts = [account for members in self._members.values() for account in members]
        return np.array([a.account_id for a in accounts if a.kind is not AccountKind.TAXABLE], np.int64)

    @property
    def household_ids(self) -> list[int]:
        """Households that have accounts, ascending."""
        return sorted(self._members)

    def table(self, household_ids: Sequence[int]) -> AccountTable:
        """The accounts of the households."""
        accounts = [account for household in household_ids for account in self._members.get(household, [])]
        own = {account.account_id for account in accounts}
        return AccountTable.of_accounts(accounts, self._venues, [s for s in self._sleeves if s[1] in own])

    def events(self, household_ids: Sequence[int]) -> Events:
        """Everything known of the households."""
        return event_tables.load_events(self._firm, np.array(household_ids, np.int64))

    def fold_events(self, events: Events, household_ids: Sequence[int]) -> BookState:
        """Some of the households' events, folded."""
        return fold(events, self.table(household_ids), self._groups)


def _relief(venue: Venue) -> tuple[object, ...]:
    return (venue.relief, venue.fifo_by_holding_from)


def _refuse_stale(household_ids: list[int], versions: list[int], read_at: Mapping[int, int]) -> None:
    for household, stands_at in zip(household_ids, versions, strict=True):
        if read_at.get(household, stands_at) != stands_at:
            raise StaleBooksError(household, read_at[household], stands_at)


def _joined(parts: Sequence[Any]) -> Any:
    """Columns of the parts, or records of columns, one after the other."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    record = type(parts[0])
    return record(**{f.name: _joined([getattr(part, f.name) for part in parts]) for f in fields(record)})


def _nothing() -> Replaced:
    return Replaced(before=state_tables.no_sales(), after=state_tables.no_sales())
