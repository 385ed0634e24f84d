"""The wash-sale calendar of households out of their books: what is locked, until when, at what price.

Law: 26 U.S.C. §1091(a), by `tax.pretrade` and `tax.wash_calendar`; what comes from outside by
`ledger.expected`; which accounts are looked at together by `ledger.linking`. For the screens and the
optimiser, as columns. A deferred loss is priced as `rebalance.washes` prices it: as a short-term one, had
later at the long-term rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotment.book.household import Taxpayer
from allotment.ledger.expected import ComingPurchases
from allotment.ledger.fold import BookState, open_claims
from allotment.ledger.linking import circles
from allotment.tax.identical import in_shares, in_units
from allotment.tax.pretrade import WINDOW_DAYS, OpenClaims, wash_state
from allotment.tax.wash_calendar import wash_calendar, wash_price
from allotment.units import CENTS_PER_USD, Dates, Index, Ints, usd

_NEVER = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPolicy:
    """When a deferred loss is had, and what waiting costs."""

    later_years: float = 1.0
    discount: float = 0.06  # a year


@dataclass(frozen=True, slots=True, kw_only=True)
class WashLocks:
    """One row a household (or taxpayer who stands apart) and security that is locked in some way.

    Ascending by household, account, security. Every security of a group has a row, in its own
    shares. Shape (n_rows,).
    """

    household_id: Ints
    account_id: Ints  # 0: the linked accounts of the household; else the first of who stands apart from them
    security_id: Ints
    group_ix: Index  # of the state; securities of one group are locked together
    exposed_nano: Ints  # a purchase of up to this many shares washes a loss
    loss_cents: Ints  # the losses of the group that hang on them, positive
    buy_unlocks: Dates  # first day on which part of the lock on purchases ends; NaT: there is none
    buy_clean_from: Dates  # first day on which a purchase washes nothing any more
    deferral_cents: Ints  # what a purchase of all of them today costs in a taxable account
    permanent_cents: Ints  # what it costs in an IRA: the tax saved is lost for good
    young_nano: Ints  # bought in the last 30 days: a loss sale of other shares washes up to this many
    coming_nano: Ints  # due to be bought outside within 30 days, as far as decisions count them
    coming_ira_nano: Ints  # the part of them that goes to an IRA: those losses are lost for good
    sale_unlocks: Dates  # first day on which part of the lock on loss sales ends; NaT: there is none
    sale_clean_from: Dates  # first day on which a loss sale is clean, should nothing else be bought

    def __len__(self) -> int:
        return int(self.security_id.shape[0])


def wash_locks(
    state: BookState,
    coming: ComingPurchases,
    taxpayers: Mapping[int, Taxpayer],
    asof: Dates,
    policy: LockPolicy | None = None,
) -> WashLocks:
    """The calendar of every household in `state` on a day. Its events end there.

    coming: of these households; purchases of securities that the state has never seen lock nothing, for
    nobody holds them. taxpayers: the owners, by id, for the prices.
    """
    groups, accounts = state.groups, state.accounts
    n_groups = int(groups.group_ix.max(initial=-1)) + 1
    households = np.unique(accounts.household_ids)
    circle = circles(accounts, state.members, asof)
    claims = open_claims(state, asof)
    found = wash_state(state.taxpayer.lots, circle, claims, groups, asof)
    calendar = wash_calendar(found, n_groups)
    keys = calendar.household_ix.astype(np.int64) * n_groups + calendar.group_ix
    due = _Due.of(coming, state, households, n_groups)
    every = np.union1d(keys, due.key)
    at = np.searchsorted(every, keys)
    deferral, permanent = _prices(found.claims, state, taxpayers, every, n_groups, policy or LockPolicy())

    def by_key(column: Ints) -> Ints:
        out = np.zeros(len(every), np.int64)
        out[at] = column
        return out

    def days_by_key(column: Dates) -> Dates:
        out = np.full(len(every), _NEVER)
        out[at] = column
        return out

    due_at = np.searchsorted(every, due.key)
    coming_units, ira_units = np.zeros((2, len(every)), np.int64)
    np.add.at(coming_units, due_at, due.units)
    np.add.at(ira_units, due_at, np.where(due.taxable == 0, due.units, 0))
    sale_unlocks, sale_clean = days_by_key(calendar.sale_unlocks), days_by_key(calendar.sale_clean_from)
    np.fmin.at(sale_unlocks, due_at, due.unlocks)
    np.fmax.at(sale_clean, due_at, due.unlocks)
    return _by_security(
        state,
        households,
        circle,
        every,
        {
            "exposed_nano": by_key(calendar.exposed_nano),
            "young_nano": by_key(calendar.young_nano),
            "coming_nano": coming_units,
            "coming_ira_nano": ira_units,
        },
        {
            "loss_cents": by_key(calendar.loss_cents),
            "buy_unlocks": days_by_key(calendar.buy_unlocks),
            "buy_clean_from": days_by_key(calendar.buy_clean_from),
            "deferral_cents": deferral,
            "permanent_cents": permanent,
            "sale_unlocks": sale_unlocks,
            "sale_clean_from": sale_clean,
        },
    )


@dataclass(frozen=True, slots=True)
class _Due:
    """Purchases to come, in units of their groups. Shape (n,)."""

    key: Ints  # household · n_groups + group
    units: Ints
    taxable: Ints
    unlocks: Dates  # the last day they may come, and 31

    @classmethod
    def of(cls, coming: ComingPurchases, state: BookState, households: Ints, n_groups: int) -> _Due:
        """Those of securities and households at hand."""
        groups = state.groups
        row = np.minimum(np.searchsorted(groups.security_ids, coming.security_id), max(len(groups) - 1, 0))
        home = np.minimum(np.searchsorted(households, coming.household_id), max(len(households) - 1, 0))
        known = np.zeros(len(coming), np.bool_)
        if len(groups) and len(households):
            known = (groups.security_ids[row] == coming.security_id) & (
                households[home] == coming.household_id
            )
        row, home = row[known], home[known]
        key: Ints = home.astype(np.int64) * n_groups + groups.group_ix[row]
        return cls(
            key=key,
            units=in_units(coming.quantity_nano[known], groups, row),
            taxable=coming.taxable[known].astype(np.int64),
            unlocks=coming.last[known] + (WINDOW_DAYS + 1),
        )


def _prices(
    claims: OpenClaims,
    state: BookState,
    taxpayers: Mapping[int, Taxpayer],
    every: Ints,
    n_groups: int,
    policy: LockPolicy,
) -> tuple[Ints, Ints]:
    """What a purchase that washes every open loss costs, deferred and lost, by key, in cents."""
    owners = [taxpayers[one] for one in state.accounts.taxpayer_ids[claims.account_ix].tolist()]
    rate = np.array([owner.short_rate for owner in owners], np.float64)
    later = np.minimum(rate, np.array([owner.long_rate for owner in owners], np.float64))
    loss, n = usd(claims.loss_cents), len(owners)
    at = np.searchsorted(every, claims.household_ix.astype(np.int64) * n_groups + claims.group_ix)
    sums = np.zeros((2, len(every)))
    for gone in (0, 1):
        parts = np.full(n, gone, np.int8)
        np.add.at(sums[gone], at, wash_price(loss, rate, later, policy.later_years, policy.discount, parts))
    deferral, permanent = np.rint(sums * CENTS_PER_USD).astype(np.int64)
    return deferral, permanent


def _by_security(
    state: BookState,
    households: Ints,
    circle: Index,
    every: Ints,
    units: Mapping[str, Ints],
    plain: Mapping[str, Ints | Dates],
) -> WashLocks:
    """Rows of groups as rows of each of their securities."""
    groups, accounts = state.groups, state.accounts
    n_groups = int(groups.group_ix.max(initial=-1)) + 1
    which, group = np.divmod(every, max(n_groups, 1))
    by_group = np.argsort(groups.group_ix, kind="stable")
    start = np.searchsorted(groups.group_ix[by_group], np.arange(n_groups + 1))
    size = np.diff(start)[group]
    row = np.repeat(np.arange(len(every)), size)
    inside = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    security = by_group[start[group[row]] + inside]
    apart, first = np.unique(circle, return_index=True)
    first = first[apart >= len(households)]
    home_of = np.concatenate([households, accounts.household_ids[first]])
    account_of = np.concatenate([np.zeros(len(households), np.int64), accounts.account_ids[first]])
    household_id, account_id = home_of[which[row]], account_of[which[row]]
    order = np.lexsort((groups.security_ids[security], account_id, household_id))
    row, security = row[order], security[order]
    columns: dict[str, Any] = {
        name: in_shares(column[row], groups, security) for name, column in units.items()
    }
    columns |= {name: column[row] for name, column in plain.items()}
    return WashLocks(
        household_id=household_id[order],
        account_id=account_id[order],
        security_id=groups.security_ids[security],
        group_ix=groups.group_ix[security],
        **columns,
    )
