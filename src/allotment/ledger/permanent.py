"""Losses that are gone for good: which, by whose purchase, by which rule, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from allotment.ledger.fold import BookState
from allotment.ledger.sold import LostSales
from allotment.units import Codes, Dates, Ints


class LossRule(IntEnum):
    """Why the loss goes nowhere."""

    IRA_BOUGHT = 1
    SPOUSE_BOUGHT = 2

    @property
    def citation(self) -> str:
        """The authority."""
        return _CITATIONS[self]


_CITATIONS = {
    LossRule.IRA_BOUGHT: "26 U.S.C. §1091(a); Rev. Rul. 2008-5: the purchase by an IRA adds to no basis",
    LossRule.SPOUSE_BOUGHT: "26 U.S.C. §1091(d), under the policy spouse_effect = permanent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PermanentLosses:
    """One row a match of a loss with a purchase, ascending by day, sale, purchase. Shape (n,)."""

    day: Dates  # when it became known: of the sale, or of the later purchase
    account_id: Ints  # that sold at a loss
    sale_event: Ints
    sold: Dates
    security_id: Ints
    buyer_account_id: Ints
    purchase_event: Ints  # that made the lot
    quantity_nano: Ints  # shares of the loss that it replaced
    amount_cents: Ints  # lost, positive
    rule: Codes  # LossRule

    def __len__(self) -> int:
        return int(self.day.shape[0])


def permanent_losses(state: BookState) -> PermanentLosses:
    """The taxpayers' losses of taxable accounts that a purchase has destroyed."""
    links, sold = state.taxpayer.links, state.taxpayer.disposals
    rows = np.flatnonzero((links.permanent == 1) & (sold.taxable[links.disposal_ix] == 1))
    sale = links.disposal_ix[rows]
    order = np.lexsort((links.replacement_event[rows], sold.event[sale], links.matched[rows]))
    rows, sale = rows[order], sale[order]
    accounts = state.accounts
    in_ira = accounts.taxable[links.account_ix[rows]] == 0
    return PermanentLosses(
        day=links.matched[rows],
        account_id=accounts.account_ids[sold.account_ix[sale]],
        sale_event=sold.event[sale],
        sold=sold.day[sale],
        security_id=sold.security_id[sale],
        buyer_account_id=accounts.account_ids[links.account_ix[rows]],
        purchase_event=links.replacement_event[rows],
        quantity_nano=links.sold_nano[rows],
        amount_cents=links.amount_cents[rows],
        rule=np.where(in_ira, LossRule.IRA_BOUGHT, LossRule.SPOUSE_BOUGHT).astype(np.int8),
    )


def newly_lost(before: LostSales, after: LostSales, ira_ids: Ints) -> PermanentLosses:
    """What is gone for good now and was not before, by sale and purchase.

    Of a match that has grown it is the difference. ira_ids: accounts that are no taxable ones.
    """
    keys, was, _ = _matches(before)
    found, now, row = _matches(after)
    every, at = np.unique(np.concatenate([keys, found]), axis=0, return_inverse=True)
    at = at.ravel()
    more = np.zeros((len(every), 2), np.int64)
    np.add.at(more, at[len(keys) :], now)
    np.subtract.at(more, at[: len(keys)], was)
    place = np.zeros(len(every), np.int64)
    place[at[len(keys) :]] = row  # of a match that there is now
    grown = np.flatnonzero(more[:, 0] > 0)
    sold, links = after.sold.take(place[grown]), after.links.take(place[grown])
    order = np.lexsort((links.replacement_event, sold.event, links.matched))
    sold, links, more = sold.take(order), links.take(order), more[grown][order]
    in_ira = np.isin(links.account_id, ira_ids)
    return PermanentLosses(
        day=links.matched,
        account_id=sold.account_id,
        sale_event=sold.event,
        sold=sold.day,
        security_id=sold.security_id,
        buyer_account_id=links.account_id,
        purchase_event=links.replacement_event,
        quantity_nano=np.maximum(more[:, 1], 0),
        amount_cents=more[:, 0],
        rule=np.where(in_ira, LossRule.IRA_BOUGHT, LossRule.SPOUSE_BOUGHT).astype(np.int8),
    )


def _matches(lost: LostSales) -> tuple[Ints, Ints, Ints]:
    """Distinct (sale, purchase, buyer), (n, 3); the amount and the shares of each, (n, 2); a row of each."""
    keys = np.stack([lost.sold.event, lost.links.replacement_event, lost.links.account_id], axis=1)
    distinct, row, at = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    sums = np.zeros((len(distinct), 2), np.int64)
    np.add.at(sums, at.ravel(), np.stack([lost.links.amount_cents, lost.links.sold_nano], axis=1))
    return distinct, sums, row
