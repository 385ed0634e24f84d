"""Losses that are gone for good: which, by whose purchase, by which rule, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from allotment.ledger.fold import BookState
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
