"""What is locked by the wash-sale rule, until when, and what unlocks next; planned purchases; prices.

Law: 26 U.S.C. §1091(a): the first clean day is the 31st after the loss sale (for purchases), or after
the purchase (for loss sales of other shares). Dividends reinvested, shares that vest, employee
plans and automatic investments are purchases (Pub. 550 [S]). For screens and for the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.tax.identical import IdenticalGroups, in_shares, in_units
from allotment.tax.pretrade import WINDOW_DAYS, WashState
from allotment.units import Codes, Dates, Floats, Index, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class WashCalendar:
    """One row a household and group that is locked in some way, ascending. Shape (n_rows,)."""

    household_ix: Index
    group_ix: Index
    exposed_nano: Ints  # a purchase of up to this many (group units) washes a loss
    loss_cents: Ints  # the loss that hangs on them, positive
    buy_unlocks: Dates  # first day on which part of the lock on purchases ends; NaT: none
    buy_clean_from: Dates  # first day on which nothing is exposed any more
    young_nano: Ints  # a loss sale of other shares of the group washes up to this many (group units)
    sale_unlocks: Dates
    sale_clean_from: Dates

    def __len__(self) -> int:
        return int(self.household_ix.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPurchases:
    """Purchases that will happen whatever we do, shape (n_planned,)."""

    household_ix: Index
    security_id: Ints
    day: Dates
    quantity_nano: Ints
    taxable: Codes  # 0: in an IRA, where a wash loses the loss for good


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWash:
    """What planned purchases do to a loss sale of today, by security asked for. Shape (n_securities,)."""

    planned_nano: Ints  # shares of a loss sale that they will wash, in shares of this security
    in_ira_nano: Ints  # the part of them that is lost for good


def wash_calendar(state: WashState, n_groups: int) -> WashCalendar:
    """The locks of `state`, one row a household and group."""
    young, claims = state.young, state.claims
    claim_key = claims.household_ix.astype(np.int64) * n_groups + claims.group_ix
    young_key = young.household_ix.astype(np.int64) * n_groups + young.group_ix
    keys = np.unique(np.concatenate([claim_key, young_key]))
    at_claim, at_young = np.searchsorted(keys, claim_key), np.searchsorted(keys, young_key)
    n = len(keys)
    buy_first, buy_last = _first_and_last(at_claim, claims.sold + (WINDOW_DAYS + 1), n)
    sale_first, sale_last = _first_and_last(at_young, young.purchased + (WINDOW_DAYS + 1), n)
    return WashCalendar(
        household_ix=(keys // n_groups).astype(np.int32),
        group_ix=(keys % n_groups).astype(np.int32),
        exposed_nano=_sums(at_claim, claims.unit_nano, n),
        loss_cents=_sums(at_claim, claims.loss_cents, n),
        buy_unlocks=buy_first,
        buy_clean_from=buy_last,
        young_nano=_sums(at_young, young.unit_nano, n),
        sale_unlocks=sale_first,
        sale_clean_from=sale_last,
    )


def planned_wash(
    planned: PlannedPurchases,
    household_ix: int,
    security_ids: Ints,
    groups: IdenticalGroups,
    asof: Dates,
) -> PlannedWash:
    """What purchases planned from `asof` to 30 days after would wash of a loss sale on `asof`."""
    mine = (
        (planned.household_ix == household_ix) & (planned.day >= asof) & (planned.day <= asof + WINDOW_DAYS)
    )
    n_groups = int(groups.group_ix.max(initial=-1)) + 1
    sums = []
    for chosen in (mine, mine & (planned.taxable == 0)):
        at = np.searchsorted(groups.security_ids, planned.security_id[chosen])
        units = in_units(planned.quantity_nano[chosen], groups, at)
        sums.append(_sums(groups.group_ix[at].astype(np.int64), units, n_groups))
    asked = np.searchsorted(groups.security_ids, security_ids)
    group = groups.group_ix[asked]
    whole, ira = (in_shares(s[group], groups, asked) for s in sums)
    return PlannedWash(planned_nano=whole, in_ira_nano=ira)


def wash_price(
    loss_usd: Floats, rate: Floats, later_rate: Floats, years: float, discount: float, permanent: Codes
) -> Floats:
    """What washing a loss costs today, in dollars, shape of `loss_usd` (positive).

    Deferred: the deduction at `rate` is had `years` later, at `later_rate` (its character may have
    changed), discounted at `discount` a year. Permanent (an IRA bought, Rev. Rul. 2008-5): all of it.

    >>> one = np.array([1_000.0]), np.array([0.4]), np.array([0.2])
    >>> wash_price(*one, 1.0, 0.25, np.array([0])), wash_price(*one, 1.0, 0.25, np.array([1]))
    (array([240.]), array([400.]))
    """
    kept = later_rate * (1.0 + discount) ** -years
    price: Floats = loss_usd * np.where(permanent == 1, rate, rate - kept)
    return price


def _first_and_last(at: Ints, day: Dates, n: int) -> tuple[Dates, Dates]:
    days = day.astype("M8[D]").astype(np.int64)
    most = np.iinfo(np.int64).max
    first, last = np.full(n, most), np.full(n, -most)
    np.minimum.at(first, at, days)
    np.maximum.at(last, at, days)
    nothing = first == most
    never = np.datetime64("NaT", "D")
    return (
        np.where(nothing, never, np.where(nothing, 0, first).astype("M8[D]")),
        np.where(nothing, never, np.where(nothing, 0, last).astype("M8[D]")),
    )


def _sums(at: Ints, amount: Ints, n: int) -> Ints:
    out = np.zeros(n, np.int64)
    np.add.at(out, at, amount)
    return out
