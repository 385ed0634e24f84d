"""Questions about single accounts, answered from the database within a moment; nothing is stored.

A session keeps one day's market, and of the accounts that it was opened for or asked about what they
are decided from. With each question one statement asks whether any of it has changed since
(`store.standing`): what has is read anew, books that have moved are folded again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

from allotment import __version__
from allotment.errors import DataError
from allotment.jobs.frontier import AccountFrontier
from allotment.jobs.market_day import latest_session, look_at
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, Events
from allotment.ledger.fold import BookState, fold
from allotment.optimize.frontier import POINTS
from allotment.rebalance.case import AccountCase, CostPolicy, prepare
from allotment.rebalance.decide import Versions
from allotment.rebalance.facts import Clients, facts_of
from allotment.rebalance.what_if import (
    Change,
    Decided,
    WhatIf,
    account_frontier,
    changed,
    decide_alone,
    what_if,
)
from allotment.rebalance.year_so_far import YearSoFar
from allotment.store import arrival_tables, book_tables, event_tables, expected_tables
from allotment.store.session import FirmStore
from allotment.store.standing import MarketStanding, Standing, market_standing, standing_of
from allotment.tax import RULES_VERSION
from allotment.units import CENTS_PER_USD

_HOUSEHOLDS_KEPT = 64
_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One account as it stands: what it is decided from."""

    case: AccountCase
    year: YearSoFar
    standing: Standing  # of the account when it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """A household's events folded, as far as they went, and what made them mean so."""

    until_seq: int
    members: tuple[object, ...]
    events: Events
    state: BookState


class WhatIfSession:
    """Keeps the market of one day; use it from one thread."""

    def __init__(
        self,
        firm: FirmStore,
        asof: date | None = None,
        costs: CostPolicy | None = None,
        accounts: Iterable[str] = (),
    ) -> None:
        """asof: default the last session with prices. accounts: opened at once, by their codes.

        Raises DataError when the market has no prices; as `open` does.
        """
        self.firm = firm
        self._market_stood = market_standing(firm)
        self.market = look_at(firm, latest_session(firm, asof))
        self._costs = costs or CostPolicy()
        self._versions = Versions(engine=__version__, rules=RULES_VERSION)
        self._books: OrderedDict[int, _Books] = OrderedDict()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._before: OrderedDict[str, tuple[Known, Decided]] = OrderedDict()
        self._opened: set[str] = set()
        for code in accounts:
            self.open(code)

    @property
    def n_kept(self) -> int:
        """How many households' folded books are kept."""
        return len(self._books)

    def open(self, code: str) -> None:
        """Read the books of an account's household and decide the account as it stands.

        The first question about it need not do so then. For each account opened one more is kept.
        Raises as `ask` does.
        """
        self._opened.add(code)
        self._decided(self.known(code))

    def ask(self, code: str, change: Change) -> WhatIf:
        """What is proposed for an account as it stands, and after a change.

        Raises UsageError for an unknown account or word, DataError when the account cannot be decided.
        """
        known = self.known(code)
        before = self._decided(known)
        return what_if(before, known.case, change, self.market, self._costs, self._versions, known.year)

    def frontier(self, code: str, change: Change | None = None, points: int = POINTS) -> AccountFrontier:
        """Tax and cost of an account's trades against their tracking error, as it stands or after a change.

        Raises as `ask` does.
        """
        known = self.known(code)
        case = known.case if change is None else changed(known.case, change, self.market)
        found = account_frontier(case, self.market, self._costs, known.year, points)
        value_usd = prepare(case, self.market, self._costs).value_cents / CENTS_PER_USD
        return AccountFrontier(code=code, asof=self.market.asof, value_usd=value_usd, frontier=found)

    def known(self, code: str) -> Known:
        """The account as the database has it now."""
        # Before what it tells of is read: what changes meanwhile is another standing next time.
        standing = standing_of(self.firm, code, self.market.asof)
        if standing.market != self._market_stood:
            self._look_again(standing.market)
        kept = self._known.get(code)
        if kept is not None and kept.standing == standing:
            return kept
        known = self._with_mandate(kept, standing) if kept is not None else None
        return self._keep(self._known, code, known or self._read(code, standing))

    def _look_again(self, stands: MarketStanding) -> None:
        """Read the day's market anew; nothing that was made from the old one is kept."""
        self.market = look_at(self.firm, self.market.asof)
        self._market_stood = stands
        for kept in (self._books, self._known, self._before):
            kept.clear()

    def _with_mandate(self, kept: Known, standing: Standing) -> Known | None:
        """The account with the mandate that is in force now; None where more than mandates has changed."""
        if kept.standing != standing._replace(mandates=kept.standing.mandates):
            return None
        mandate = book_tables.mandate_in_force(self.firm, kept.case.account.account_id, self.market.asof)
        if mandate is None:
            return None
        return replace(kept, case=replace(kept.case, mandate=mandate), standing=standing)

    def _read(self, code: str, standing: Standing) -> Known:
        around = book_tables.load_around(self.firm, code, self.market.asof)
        ids = [one.account_id for one in around.members]
        clients = Clients(
            accounts={one.account_id: one for one in around.members},
            taxpayers={one.taxpayer_id: one for one in around.taxpayers},
            venues=book_tables.load_venues(self.firm),
            mandates={one.account_id: one for one in around.mandates},
            carried_micros=arrival_tables.carried_micros(self.firm, self.market.asof, ids),
            pages=expected_tables.load_pages(self.firm, self.market.asof, [around.account.household_id]),
        )
        books = self._folded(around, clients, standing.newest_event)
        facts = facts_of(books.events, books.state, clients, {around.account.account_id}, self.market)
        if not facts.cases:
            raise DataError(" ".join(one.message for one in facts.exceptions))
        return Known(case=facts.cases[0], year=facts.year, standing=standing)

    def _folded(self, around: book_tables.Around, clients: Clients, until_seq: int) -> _Books:
        """The books of the account's household, folded anew when something came to them."""
        household_id = around.account.household_id
        members = (*around.members, *clients.venues.values(), *around.sleeves)
        kept = self._books.get(household_id)
        if kept is not None and (kept.until_seq, kept.members) == (until_seq, members):
            return kept
        recorded = event_tables.load_events(self.firm, [household_id], until_seq=until_seq)
        events = in_force(recorded).until(self.market.asof)
        table = AccountTable.of_accounts(
            list(clients.accounts.values()),
            tuple(clients.venues.values()),
            [(one.sleeve_id, one.account_id) for one in around.sleeves],
        )
        state = fold(events, table, self.market.groups)
        made = _Books(until_seq=until_seq, members=members, events=events, state=state)
        return self._keep(self._books, household_id, made)

    def _decided(self, known: Known) -> Decided:
        """How the account is decided as it stands, kept while nothing about it changes."""
        code = known.case.account.code
        kept = self._before.get(code)
        if kept is not None and kept[0] is known:
            return kept[1]
        made = decide_alone(known.case, self.market, self._costs, self._versions, known.year)
        return self._keep(self._before, code, (known, made))[1]

    def _keep(self, kept: OrderedDict[_Key, _Made], key: _Key, made: _Made) -> _Made:
        """Remember the newest, forget the oldest."""
        kept[key] = made
        kept.move_to_end(key)
        while len(kept) > _HOUSEHOLDS_KEPT + len(self._opened):
            kept.popitem(last=False)
        return made
