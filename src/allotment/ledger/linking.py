"""From when until when an account belongs to its household, for the wash-sale rule.

Law: 26 U.S.C. §1091(a) looks at the purchases of the taxpayer [P] and, by Pub. 550, of the spouse [S].
The accounts of one taxpayer are always looked at together. Those of two are from the day on which an
account was linked until the day before it left: a loss and a purchase match when both accounts belong
to the household on the day that completes the match, the later of the two. An account that was never
linked by an event always belongs. Which accounts a household has is a matter of record
keeping (its versions and locks) and does not change with these days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from allotment.ledger.events import AccountTable, EventKind, Events
from allotment.units import Bools, Dates, Index

ALWAYS = np.datetime64("NaT", "D")
_KINDS = np.array([EventKind.ACCOUNT_LINKED, EventKind.ACCOUNT_UNLINKED], np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """By account, shape (n_accounts,): the first day as a member and the first day no longer; NaT: no end."""

    since: Dates
    until: Dates

    @classmethod
    def always(cls, n_accounts: int) -> Self:
        """Nobody came or left."""
        return cls(since=np.full(n_accounts, ALWAYS), until=np.full(n_accounts, ALWAYS))

    def on(self, day: Dates) -> Bools:
        """Who belongs on a day, shape (n_accounts,)."""
        came: Bools = np.isnat(self.since) | (self.since <= day)
        stays: Bools = np.isnat(self.until) | (self.until > day)
        return came & stays


def is_second_link(events: Events) -> Bools:
    """True for a link or a leave of an account that has one already, and for a link after the leave.

    An account comes once and leaves once. Shape (n_events,); `events` are in force.
    """
    wrong = np.zeros(len(events), np.bool_)
    seen: dict[tuple[int, int], np.datetime64] = {}
    rows = np.flatnonzero(np.isin(events.kind, _KINDS))
    rows = rows[np.lexsort((events.ledger_seq[rows], events.day_seq[rows], events.effective[rows]))]
    for row in rows.tolist():
        account, kind = int(events.account_id[row]), int(events.kind[row])
        left = (account, int(EventKind.ACCOUNT_UNLINKED))
        wrong[row] = (account, kind) in seen or left in seen
        if not wrong[row]:
            seen[account, kind] = events.effective[row]
    return wrong


def membership(events: Events, accounts: AccountTable) -> Membership:
    """Who belonged when, by the events in force (those of `is_second_link` left out)."""
    made = Membership.always(len(accounts))
    for kind, column in zip(_KINDS, (made.since, made.until), strict=True):
        rows = np.flatnonzero(events.kind == kind)
        at = {account: row for row, account in enumerate(accounts.account_ids.tolist())} if len(rows) else {}
        for row in rows.tolist():
            column[at[int(events.account_id[row])]] = events.effective[row]
    return made


def circles(accounts: AccountTable, members: Membership, day: Dates) -> Index:
    """Accounts that the wash-sale rule looks at together on a day, by one number, shape (n_accounts,).

    Members of a household share its position among the households, ascending; so do all accounts of who has
    one that is a member. The accounts of everybody else have a number a taxpayer behind them.
    """
    households, place = np.unique(accounts.household_ids, return_inverse=True)
    circle: Index = place.astype(np.int32)
    inside = np.isin(accounts.taxpayer_ids, accounts.taxpayer_ids[members.on(day)])
    _, person = np.unique(accounts.taxpayer_ids[~inside], return_inverse=True)
    circle[~inside] = len(households) + person
    return circle
