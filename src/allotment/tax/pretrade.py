"""What a trade of today would wash: young shares, open claims, days until a clean purchase.

Law: 26 U.S.C. §1091(a): 30 days before to 30 days after a loss sale, both ends included.
For the optimiser and the screens; the figures come out of the same fold that posts trades.
Planned purchases, the calendar, the price of a wash: `tax.wash_calendar`; the whole effect of a
trade, by posting it: `tax.what_if`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from allotment.book.lots import Lots
from allotment.compiled import kernel
from allotment.tax.identical import IdenticalGroups, in_shares, in_units
from allotment.units import Codes, Dates, Floats, Index, Ints, shares, usd

WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class YoungShares:
    """Shares bought within 30 days before `WashState.asof`, still held, that have washed no
    loss yet: a loss sale of *other* purchases of the group is disallowed against them.
    Shape (n_young,), ascending by household, group, day of purchase."""

    household_ix: Index
    group_ix: Index
    account_ix: Index
    security_id: Ints
    quantity_nano: Ints  # of this security
    unit_nano: Ints  # the same in units of the group
    purchased: Dates
    acquisition_id: Ints  # the purchase: its own shares are not replaced by these


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenClaims:
    """Loss sales of the last 30 days whose shares nobody has replaced yet: a purchase in the
    group disallows them, oldest first. Shape (n_claims,), ascending by household, group, sale."""

    household_ix: Index
    group_ix: Index
    account_ix: Index
    security_id: Ints
    unit_nano: Ints  # shares exposed, in units of the group, splits since included
    loss_cents: Ints  # the loss that hangs on them, positive
    sold: Dates
    no_buy_until: Dates  # sold + 30: the first clean day of purchase is the day after
    acquisition_id: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class WashState:
    """Everything a purchase or a loss sale on `asof` could wash, for all households at hand."""

    asof: Dates  # shape ()
    young: YoungShares
    claims: OpenClaims


@dataclass(frozen=True, slots=True, kw_only=True)
class NameWash:
    """The wash state of one household, by security asked for. Shape (n_securities,)."""

    young_nano: Ints  # young shares of the whole group, in shares of this security
    young_purchases: Index  # how many different purchases they come from
    exposed_nano: Ints  # a purchase of up to this many shares washes
    loss_per_share_usd: Floats  # mean loss lost per exposed share
    no_buy_until: Dates  # last day on which a purchase washes; NaT when none does


def wash_state(
    lots: Lots, household_of_account: Index, claims: OpenClaims, groups: IdenticalGroups, asof: Dates
) -> WashState:
    """The state at the start of `asof`.

    lots: open lots of the taxpayer view, of securities that `groups` knows;
    household_of_account: household_ix by account_ix; claims: as `ledger.fold.open_claims` gives
    them, expired ones are left out here.
    """
    with np.errstate(invalid="ignore"):
        is_young = (lots.purchased >= asof - WINDOW_DAYS) & (lots.purchased <= asof)
    lots = lots.take(is_young & (lots.absorbed == 0) & (lots.side == 1))
    at = _rows_of(groups, lots.security_id)
    household = household_of_account[lots.account_ix]
    order = np.lexsort((lots.origin_event, lots.purchased, groups.group_ix[at], household))
    lots, at = lots.take(order), at[order]
    # Worthless shares count as sold on 31 December: a purchase of the 30 days before washes them.
    current = (claims.sold <= asof + WINDOW_DAYS) & (claims.sold >= asof - WINDOW_DAYS)
    return WashState(
        asof=asof,
        young=YoungShares(
            household_ix=household[order],
            group_ix=groups.group_ix[at],
            account_ix=lots.account_ix,
            security_id=lots.security_id,
            quantity_nano=lots.quantity_nano,
            unit_nano=in_units(lots.quantity_nano, groups, at),
            purchased=lots.purchased,
            acquisition_id=lots.acquisition_id,
        ),
        claims=OpenClaims(**{part.name: getattr(claims, part.name)[current] for part in fields(OpenClaims)}),
    )


def by_name(state: WashState, household_ix: int, security_ids: Ints, groups: IdenticalGroups) -> NameWash:
    """What the optimiser asks: for each security (any order), young and exposed shares."""
    at = _rows_of(groups, security_ids)
    group = groups.group_ix[at]
    n_groups = int(groups.group_ix.max(initial=-1)) + 1
    young, claims = state.young, state.claims
    own = _of_household(young.household_ix, household_ix)
    purchases = np.unique(np.stack([young.group_ix[own].astype(np.int64), young.acquisition_id[own]]), axis=1)
    young_units = _sum_by(young.group_ix[own], young.unit_nano[own], n_groups)
    open_ = _of_household(claims.household_ix, household_ix)
    exposed_units = _sum_by(claims.group_ix[open_], claims.unit_nano[open_], n_groups)
    loss = _sum_by(claims.group_ix[open_], claims.loss_cents[open_], n_groups)
    until = np.full(n_groups, -(2**31), np.int64)
    np.maximum.at(until, claims.group_ix[open_], claims.no_buy_until[open_].astype(np.int64))
    exposed = in_shares(exposed_units[group], groups, at)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_share = np.where(exposed > 0, usd(loss[group]) / shares(exposed), 0.0)
    return NameWash(
        young_nano=in_shares(young_units[group], groups, at),
        young_purchases=np.bincount(purchases[0], minlength=n_groups)[group].astype(np.int32),
        exposed_nano=exposed,
        loss_per_share_usd=per_share,
        no_buy_until=np.where(exposed > 0, until[group].astype("M8[D]"), np.datetime64("NaT", "D")),
    )


def clean_quantity(
    lots: Lots, household_of_account: Index, state: WashState, groups: IdenticalGroups
) -> Ints:
    """For each lot, the shares (billionths) that could be sold at a loss today without an
    immediate wash, if nothing else of its group is sold: its quantity less the young shares of
    other purchases. Shape (n_lots,)."""
    young = state.young
    n_groups = int(groups.group_ix.max(initial=-1)) + 1
    at = _rows_of(groups, lots.security_id)
    lot_key = household_of_account[lots.account_ix].astype(np.int64) * n_groups + groups.group_ix[at]
    young_key = young.household_ix.astype(np.int64) * n_groups + young.group_ix
    keys, found = np.unique(young_key, return_inverse=True)
    in_group = np.append(_sum_by(found, young.unit_nano, len(keys)), 0)
    pairs = np.stack([young_key, young.acquisition_id], axis=1)
    purchases, same = np.unique(pairs, axis=0, return_inverse=True)
    in_purchase = np.append(_sum_by(same.ravel(), young.unit_nano, len(purchases)), 0)
    total = in_group[_find(keys, lot_key)]
    own = in_purchase[_find_pair(purchases, lot_key, lots.acquisition_id)]
    others = in_shares(total - own, groups, at)
    clean: Ints = np.maximum(0, lots.quantity_nano - others)
    return clean


def blocked_purchase(
    state: WashState, household_ix: int, security_ids: Ints, groups: IdenticalGroups
) -> Codes:
    """1 where a purchase on `asof` in any account of the household would disallow a loss."""
    return (by_name(state, household_ix, security_ids, groups).exposed_nano > 0).astype(np.int8)


def _of_household(household_ix: Index, wanted: int) -> slice:
    """The rows of one household in an ascending column."""
    return slice(*np.searchsorted(household_ix, [wanted, wanted + 1]))


def _rows_of(groups: IdenticalGroups, security_ids: Ints) -> Ints:
    at: Ints = np.searchsorted(groups.security_ids, security_ids)
    known = bool(np.all(at < len(groups))) and np.array_equal(groups.security_ids[at], security_ids)
    assert known, "a security is missing from the substantially identical groups"
    return at


def _find(keys: Ints, wanted: Ints) -> Ints:
    """Positions of `wanted` in the ascending `keys`; len(keys) where it is not there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Ints = np.where(keys[at] == wanted, at, len(keys))
    return found


def _find_pair(pairs: Ints, first: Ints, second: Ints) -> Ints:
    """The same for rows of two columns in lexicographic order."""
    place = {(int(a), int(b)): i for i, (a, b) in enumerate(pairs)}
    asked = np.flatnonzero(np.isin(second, pairs[:, 1])) if len(pairs) else np.zeros(0, np.int64)
    out = np.full(len(first), len(pairs), np.int64)
    for i in asked:
        out[i] = place.get((int(first[i]), int(second[i])), len(pairs))
    return out


@kernel
def _add_by(at: Ints, amount: Ints, out: Ints) -> None:
    for i in range(at.shape[0]):
        out[at[i]] += amount[i]


def _sum_by(at: Index | Ints, amount: Ints, n: int) -> Ints:
    out = np.zeros(n, np.int64)
    _add_by(at.astype(np.int64), np.ascontiguousarray(amount), out)
    return out
