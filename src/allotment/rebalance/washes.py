"""What purchases and loss sales of today would wash, and whether that is barred or priced.

Law: 26 U.S.C. §1091(a) over the household's substantially identical groups (`tax.pretrade`). A purchase
into an open claim washes its first `exposed` shares; a loss sale is washed by the first shares bought in
the last 30 days, except those of the purchase that is sold itself. A taxable account defers the loss,
an IRA destroys it (Rev. Rul. 2008-5). Purchases that the client expects elsewhere wash a loss sale as
those already made do (`ledger.expected`).
The state of a group is shared by its names and by the accounts of the household. Each of them carries the
whole of it, so that a wash may be priced twice but never forgotten. A claim's character is not known
here: it counts as short-term, the dearer one.
The law matches the first share bought with the oldest claim (Reg. §1.1091-1(c)): each claim has its price, in
that order. Loss sales against young shares have the price of the name's dearest lot, which is never too low.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import NamedTuple, Self

import numpy as np

from allotment.book.household import AccountKind, Taxpayer
from allotment.ledger.expected import ComingPurchases
from allotment.optimize.claims import one_claim
from allotment.optimize.offsets import n_under, owners, rows_under
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.tax.identical import IdenticalGroups, in_shares, in_units
from allotment.tax.pretrade import WINDOW_DAYS, WashState
from allotment.tax.wash_calendar import wash_price
from allotment.units import NANO_PER_SHARE, Bools, Dates, Floats, Ints, usd


class WashRule(StrEnum):
    """What a firm does about trades that would wash a loss."""

    NEVER = "never"  # no such trade
    PRICE = "price"  # where it is worth more than the wash costs


@dataclass(frozen=True, slots=True, kw_only=True)
class WashPolicy:
    """The rule, and what a deferred loss is worth."""

    rule: WashRule = WashRule.NEVER
    later_years: float = 1.0  # until a deferred loss is had
    discount: float = 0.06  # a year


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWashes:
    """The wash state of one household by group; shape (n_groups,) but where said, group units."""

    claims_from: Ints  # (n_groups + 1,) offsets into the claims, a group's oldest first
    claim_nano: Ints  # (n_claims,) so much of a purchase washes the claim
    claim_loss_cents: Ints  # (n_claims,) its loss, positive
    young_nano: Ints  # shares bought in the last 30 days that have washed nothing yet, or about to be bought
    sole_purchase: Ints  # the purchase (acquisition id) of all of them, -1 if several
    young_in_ira: Bools  # some of them are, or will be, in an IRA
    no_buy_until: Dates  # last day on which a purchase washes, NaT when none does
    no_loss_sale_until: Dates  # last day on which a loss sale is washed by them

    def __post_init__(self) -> None:
        assert len(self.claims_from) == len(self.young_nano) + 1
        assert self.claims_from[-1] == len(self.claim_nano) == len(self.claim_loss_cents)
        for field in fields(self):
            if not field.name.startswith("claim"):
                assert getattr(self, field.name).shape == self.young_nano.shape, field.name

    @property
    def claim_group(self) -> Ints:
        """(n_claims,) whose claim it is."""
        return owners(self.claims_from)

    @property
    def is_claimed(self) -> Bools:
        """(n_groups,) True where a purchase washes a loss of the last 30 days."""
        claimed: Bools = n_under(self.claims_from) > 0
        return claimed

    @classmethod
    def nothing(cls, n_groups: int) -> Self:
        """No claims, no young shares."""
        return cls(
            claims_from=np.zeros(n_groups + 1, np.int64),
            claim_nano=np.zeros(0, np.int64),
            claim_loss_cents=np.zeros(0, np.int64),
            young_nano=np.zeros(n_groups, np.int64),
            sole_purchase=np.full(n_groups, -1, np.int64),
            young_in_ira=np.zeros(n_groups, np.bool_),
            no_buy_until=np.full(n_groups, np.datetime64("NaT"), "M8[D]"),
            no_loss_sale_until=np.full(n_groups, np.datetime64("NaT"), "M8[D]"),
        )

    @classmethod
    def of_household(cls, state: WashState, household_ix: int, n_groups: int, is_ira: Bools) -> Self:
        """The household's part of `state`, by the groups that it numbers; those beyond are left out.

        is_ira: by account_ix of the state.
        """
        claims, young = state.claims, state.young
        mine = slice(*np.searchsorted(claims.household_ix, [household_ix, household_ix + 1]))
        known = (claims.group_ix[mine] < n_groups) & (claims.unit_nano[mine] > 0)
        group = claims.group_ix[mine][known]
        made = replace(
            cls.nothing(n_groups),
            claims_from=np.searchsorted(group, np.arange(n_groups + 1)),
            claim_nano=claims.unit_nano[mine][known],
            claim_loss_cents=claims.loss_cents[mine][known],
        )
        np.fmax.at(made.no_buy_until, group, claims.no_buy_until[mine][known])
        mine = slice(*np.searchsorted(young.household_ix, [household_ix, household_ix + 1]))
        known = young.group_ix[mine] < n_groups
        group, purchase = young.group_ix[mine][known], young.acquisition_id[mine][known]
        np.add.at(made.young_nano, group, young.unit_nano[mine][known])
        np.logical_or.at(made.young_in_ira, group, is_ira[young.account_ix[mine][known]])
        np.fmax.at(made.no_loss_sale_until, group, young.purchased[mine][known] + WINDOW_DAYS)
        made.sole_purchase[group] = purchase
        made.sole_purchase[group[made.sole_purchase[group] != purchase]] = -1
        return made

    def with_coming(self, coming: ComingPurchases, mine: Bools, groups: IdenticalGroups) -> Self:
        """The same with purchases that will be made outside: they wash a loss sale of today as young
        shares do, whatever lot is sold.

        mine: which of `coming` are the household's, (n_coming,); those of securities that `groups` does
        not know are left out.
        """
        at = np.minimum(np.searchsorted(groups.security_ids, coming.security_id), len(groups) - 1)
        rows = np.flatnonzero(mine & (groups.security_ids[at] == coming.security_id))
        if not len(rows):
            return self
        at, group = at[rows], groups.group_ix[at[rows]]
        made = type(self)(**{field.name: getattr(self, field.name).copy() for field in fields(self)})
        np.add.at(made.young_nano, group, in_units(coming.quantity_nano[rows], groups, at))
        np.logical_or.at(made.young_in_ira, group, coming.taxable[rows] == 0)
        np.fmax.at(made.no_loss_sale_until, group, coming.last[rows] + WINDOW_DAYS)
        made.sole_purchase[group] = -1
        return made

    def by_snapshot(self, groups: IdenticalGroups, market: MarketSnapshot) -> Self:
        """The same by the groups of the snapshot.

        groups: those of now, which know every security of the snapshot, and that a renamed one is
        still the same stock: two groups of the snapshot may be one of them.
        """
        if groups is market.groups:
            return self
        _, rows = np.unique(market.group_ix, return_index=True)  # one security of each group tells
        at = np.searchsorted(groups.security_ids, market.security_ids[rows])
        group = groups.group_ix[at]
        claims_from, claims = rows_under(self.claims_from, group)
        of = owners(claims_from)

        def by_old(nano: Ints, which: Ints | slice) -> Ints:
            return in_units(in_shares(nano, groups, at[which]), market.groups, rows[which])

        return type(self)(
            claims_from=claims_from,
            claim_nano=by_old(self.claim_nano[claims], of),
            claim_loss_cents=self.claim_loss_cents[claims],
            young_nano=by_old(self.young_nano[group], slice(None)),
            sole_purchase=self.sole_purchase[group],
            young_in_ira=self.young_in_ira[group],
            no_buy_until=self.no_buy_until[group],
            no_loss_sale_until=self.no_loss_sale_until[group],
        )


class LossLots(NamedTuple):
    """The lots of an account, shape (n_lots,), as a wash looks at them."""

    name: Ints  # position of the lot's name
    acquisition_id: Ints
    is_loss: Bools
    loss_share: Floats  # loss per dollar sold, positive; 0 for a gain
    rate: Floats  # what a dollar of loss saves


class NameWashes(NamedTuple):
    """Columns of the optimiser's problem, shape (n,) but where said; see `optimize.problem`."""

    claims_from: Ints  # (n + 1,), and the next by claim
    claim_weight: Floats
    claim_cost: Floats
    young: Floats
    young_cost: Floats


def name_washes(
    washes: GroupWashes,
    market: MarketSnapshot,
    rows: Ints,
    lots: LossLots,
    total_usd: float,
    *,
    kind: AccountKind,
    taxpayer: Taxpayer,
    loss_value: float,
    policy: WashPolicy,
) -> NameWashes:
    """What the names in `rows` of the snapshot wash when bought, and when sold at a loss.

    total_usd: value of the account; loss_value: what a dollar of tax saved is worth.
    """
    n, group = len(rows), market.group_ix[rows]
    per_share = market.price_micros[rows] / 1e6 / max(total_usd, 0.01) / NANO_PER_SHARE
    young = in_shares(washes.young_nano[group], market.groups, rows) * per_share
    own = washes.sole_purchase[group[lots.name]] == lots.acquisition_id
    washed = lots.is_loss & (washes.young_nano[group[lots.name]] > 0) & ~own
    meets_young = np.bincount(lots.name[washed], minlength=n) > 0
    if policy.rule == WashRule.NEVER:
        return NameWashes(
            **one_claim(washes.is_claimed[group].astype(np.float64), np.full(n, np.inf)),
            young=meets_young.astype(np.float64),
            young_cost=np.full(n, np.inf),
        )
    later = taxpayer.long_rate * loss_value

    def price(loss: Floats, rate: Floats, permanent: Bools) -> Floats:
        then = np.minimum(later, rate)
        return wash_price(loss, rate, then, policy.later_years, policy.discount, permanent.astype(np.int8))

    claims_from, claims = rows_under(washes.claims_from, group)
    of = owners(claims_from)
    exposed = in_shares(washes.claim_nano[claims], market.groups, rows[of]) * per_share[of]
    loss_share = usd(washes.claim_loss_cents[claims]) / max(total_usd, 0.01)
    loss_share = np.divide(loss_share, exposed, out=np.zeros(len(of)), where=exposed > 0.0)
    short_rate = np.full(len(of), taxpayer.short_rate * loss_value)
    lot_price = price(lots.loss_share, lots.rate, washes.young_in_ira[group[lots.name]])
    young_cost = np.zeros(n)
    np.maximum.at(young_cost, lots.name[washed], lot_price[washed])
    return NameWashes(
        claims_from=claims_from,
        claim_weight=exposed,
        claim_cost=price(loss_share, short_rate, np.full(len(of), kind != AccountKind.TAXABLE)),
        young=np.where(meets_young, young, 0.0),
        young_cost=young_cost,
    )
