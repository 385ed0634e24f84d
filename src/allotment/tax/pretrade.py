"""What a trade of today would wash: young shares, open claims, days until a clean purchase.

Law: 26 U.S.C. §1091(a): 30 days before to 30 days after a loss sale, both ends included.
For the optimiser and the screens; the figures come out of the same fold that posts trades.
Not here: the price of a wash (`tax.year` has the rates).
"""

from __future__ import annotations

from dataclasses import dataclass

from allotment.book.lots import Lots
from allotment.tax.identical import IdenticalGroups
from allotment.units import Codes, Dates, Floats, Index, Ints

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
    """The state at the start of `asof`. `lots`: open lots of the taxpayer view;
    household_of_account: household_ix by account_ix. Expired claims are left out."""
    raise NotImplementedError


def by_name(state: WashState, household_ix: int, security_ids: Ints, groups: IdenticalGroups) -> NameWash:
    """What the optimiser asks: for each security (any order), young and exposed shares."""
    raise NotImplementedError


def clean_quantity(
    lots: Lots, household_of_account: Index, state: WashState, groups: IdenticalGroups
) -> Ints:
    """For each lot, the shares (billionths) that could be sold at a loss today without an
    immediate wash, if nothing else of its group is sold: its quantity less the young shares of
    other purchases. Shape (n_lots,)."""
    raise NotImplementedError


def blocked_purchase(
    state: WashState, household_ix: int, security_ids: Ints, groups: IdenticalGroups
) -> Codes:
    """1 where a purchase on `asof` in any account of the household would disallow a loss."""
    raise NotImplementedError
