"""The calendar of an account: every announced action that concerns it, and where it stands.

Actions are taken day by day. Who holds is asked of the books as they stood when the ex-day began,
with what earlier actions of the calendar will have done to them; so a dividend after a split is paid
on the new shares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby

import numpy as np

from allotment.ledger.action_plan import (
    EVENT_KINDS,
    ActionPlan,
    Held,
    holdings,
    place_in_day,
    plan,
    planned_events,
)
from allotment.ledger.corrections import InForce, in_force
from allotment.ledger.election import Election, elective, in_force_for
from allotment.ledger.events import PROVISIONAL, AccountTable, EventKind, Events
from allotment.ledger.fold import BookState, fold
from allotment.ledger.write import concatenate, take
from allotment.market.corporate_action import CorporateAction
from allotment.tax.identical import IdenticalGroups
from allotment.units import Ints

_ACTION_EVENTS = frozenset({*EVENT_KINDS.values(), EventKind.DIVIDEND})


class Standing(StrEnum):
    """Where an action stands in an account."""

    EXPECTED = "expected"
    TO_ELECT = "to elect"  # a choice is open and there is no default
    BLOCKED = "blocked"  # it cannot be booked as announced
    OVERDUE = "overdue"  # its day has passed and nothing is booked
    PROVISIONAL = "provisional"  # booked; the issuer's final terms are to come
    BOOKED = "booked"
    NOTHING = "nothing to book"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One action in one account."""

    plan: ActionPlan
    standing: Standing
    booked: tuple[int, ...] = ()  # rows of the events in force that book it


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """What a forecast asks of accounts beside their events."""

    sleeves: tuple[tuple[int, int], ...] = ()  # (sleeve_id, account_id)
    whole_share_accounts: frozenset[int] = frozenset()
    elections: tuple[Election, ...] = ()  # in the order in which they were made


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooser:
    """Who may choose among the options of a day's action."""

    ex_date: date
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Forecasts by day, security and account, and the events in force that they look at."""

    forecasts: tuple[Forecast, ...]
    standing: InForce = field(repr=False)
    choosers: tuple[Chooser, ...] = ()


def forecast(
    events: Events,
    accounts: AccountTable,
    groups: IdenticalGroups,
    actions: Sequence[CorporateAction],
    holders: Holders,
    asof: date,
) -> Forecasts:
    """What the actions do, or did, to the accounts of the table."""
    standing = in_force(events)
    booked = _Booked(standing.events)
    books = _BooksByDay(standing.events, accounts, groups)
    chosen = {(one.account_id, one.security_id, one.ex_date): one for one in holders.elections}
    made: list[Forecast] = []
    choosers: list[Chooser] = []
    for day, of_day in groupby(sorted(actions, key=lambda one: one.ex_date), lambda one: one.ex_date):
        todays = list(of_day)
        options = elective(todays)
        state = books.before(day)
        for held in holdings(
            state,
            {action.security_id for action in todays},
            holders.sleeves,
            holders.whole_share_accounts,
        ):
            mine = [one for one in todays if one.security_id == held.security_id and not one.option]
            waiting = options.get((held.security_id, day), ())
            if waiting:
                choosers.append(Chooser(ex_date=day, held=held))
                mine += in_force_for(held.account_id, waiting, chosen) or (waiting[0],)
            for action in mine:
                found = _one(action, held, chosen, booked, asof)
                made.append(found)
                if not found.booked:
                    books.add(found.plan)
    return Forecasts(forecasts=tuple(made), standing=standing, choosers=tuple(choosers))


def _one(
    action: CorporateAction,
    held: Held,
    chosen: Mapping[tuple[int, int, date], Election],
    booked: _Booked,
    asof: date,
) -> Forecast:
    election = chosen.get((held.account_id, action.security_id, action.ex_date))
    if action.option and election is None and not action.is_default:
        nobody = ActionPlan(
            household_id=held.household_id,
            account_id=held.account_id,
            action=action,
            held_nano=held.quantity_nano,
            obstacle="nobody has chosen and the announcement names no default; elect an option",
        )
        return Forecast(plan=nobody, standing=Standing.TO_ELECT)
    made = plan(action, held, election.quantity_nano if election else 0)
    rows = booked.rows_of(made)
    if rows:
        provisional = any(booked.details[row] == PROVISIONAL for row in rows)
        return Forecast(
            plan=made, standing=Standing.PROVISIONAL if provisional else Standing.BOOKED, booked=rows
        )
    if made.obstacle:
        return Forecast(plan=made, standing=Standing.BLOCKED)
    if not made.events:
        return Forecast(plan=made, standing=Standing.NOTHING)
    due = action.pay_date or action.ex_date
    return Forecast(plan=made, standing=Standing.OVERDUE if due < asof else Standing.EXPECTED)


class _Booked:
    """Events of corporate actions by what they are about."""

    def __init__(self, events: Events) -> None:
        self.details = events.detail.tolist()
        self._rows: dict[tuple[int, int, int, date], list[tuple[int, int]]] = defaultdict(list)
        rows = np.flatnonzero(np.isin(events.kind, [int(kind) for kind in _ACTION_EVENTS]))
        columns = (
            events.account_id,
            events.kind.astype(np.int64),
            events.security_id,
            events.effective,
            events.day_seq,
        )
        for row, account, kind, security, day, day_seq in zip(
            rows.tolist(), *(column[rows].tolist() for column in columns), strict=True
        ):
            # Trades of a desk are no actions: a tender is a sale that stands before them.
            if kind not in (EventKind.SELL, EventKind.REINVEST) or day_seq < 0:
                self._rows[account, kind, security, day].append((row, day_seq))

    def rows_of(self, made: ActionPlan) -> tuple[int, ...]:
        """The events that book the plan, empty when there are none.

        Events of one kind and day are told apart by their place in the day where we gave it.
        """
        action = made.action
        kinds = {(event.kind, event.effective) for event in made.events}
        if not kinds and action.kind in EVENT_KINDS:
            kinds = {(EVENT_KINDS[action.kind], action.ex_date)}
        return tuple(
            row
            for kind, day in sorted(kinds)
            for row, at in self._rows.get((made.account_id, int(kind), action.security_id, day), ())
            if at >= 0 or at == place_in_day(action)
        )


class _BooksByDay:
    """The books as they stood when days began, days ascending; folded again when they have moved."""

    def __init__(self, events: Events, accounts: AccountTable, groups: IdenticalGroups) -> None:
        self._events, self._accounts, self._groups = events, accounts, groups
        self._plans: list[ActionPlan] = []
        self._days: Ints = np.sort(events.effective.astype("M8[D]").astype(np.int64))
        self._state: BookState | None = None
        self._counted = (-1, -1)

    def add(self, made: ActionPlan) -> None:
        """Count on a plan from its day on."""
        if any(event.kind is not EventKind.DIVIDEND for event in made.events):
            self._plans.append(made)

    def before(self, day: date) -> BookState:
        """The books when `day` began."""
        n_events = int(np.searchsorted(self._days, np.datetime64(day, "D").astype(np.int64), "left"))
        if self._state is None or self._counted != (n_events, len(self._plans)):
            standing = InForce(events=self._events, recorded_as=self._events.ledger_seq)
            parts = [standing.until(day - timedelta(days=1))]
            earlier = [made for made in self._plans if made.action.ex_date < day]
            if earlier:
                first = int(self._events.ledger_seq.max(initial=0)) + 1
                planned = planned_events(earlier, first)
                parts.append(take(planned, planned.effective < np.datetime64(day, "D")))
            self._state = fold(concatenate(parts), self._accounts, self._groups)
            self._counted = (n_events, len(self._plans))
        return self._state
