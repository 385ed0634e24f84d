"""What a replay books but a person should look at, with the rule.

Law: 26 U.S.C. §1259 [M]: a short sale against appreciated shares held is a constructive sale, on which
gain is recognised as if sold at market value. The engine books the short under §1233 and flags it
here. §1091(e) [P]: a loss on closing a short is disallowed when the stock is sold, or sold short
again, within 30 days; where the loss goes is not told, so it is flagged and not booked.
Left out: straddles (§1092), offsetting forwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.feeds.ledger_json import Ledger, replay
from allotment.tax.fold import fold_transactions
from allotment.tax.pretrade import WINDOW_DAYS
from allotment.tax.recompute import first_rows
from allotment.tax.transactions import Kind


@dataclass(frozen=True, slots=True)
class Flag:
    """One transaction to look at."""

    transaction: str
    rule: str
    found: str


def flags(ledger: Ledger) -> tuple[Flag, ...]:
    """Every flag, in book order. Each short sale costs a fold of what was before it."""
    t = ledger.transactions
    found = []
    for row in np.flatnonzero(t.kind == Kind.SHORT_SELL).tolist():
        before = first_rows(t, row)
        lots = fold_transactions(before, ledger.accounts, ledger.groups, ledger.policy.fold).lots
        mine = (
            (lots.security_ix == t.security_ix[row])
            & (ledger.accounts.taxable[lots.account_ix] == 1)
            & (lots.side == 1)
        )
        price = t.amount_cents[row] / t.quantity_nano[row]
        gains = mine & (lots.basis_cents < price * lots.quantity_nano)
        if gains.any():
            text = "sold short while appreciated shares are held; gain may have to be recognised at once"
            found.append(Flag(ledger.ids[row], "§1259", text))
    return (*found, *_short_washes(ledger))


def _short_washes(ledger: Ledger) -> list[Flag]:
    """Losses on closed shorts with a sale or another short of the stock around them, §1091(e)."""
    t = ledger.transactions
    sold = replay(ledger).disposals
    lost = (t.kind[sold.sale_row] == Kind.COVER) & (sold.gain_cents < 0) & (sold.taxable == 1)
    found = []
    for row in np.unique(sold.sale_row[lost]).tolist():
        near = abs((t.day - t.day[row]).astype(np.int64)) <= WINDOW_DAYS
        again = np.isin(t.kind, (Kind.SELL, Kind.SHORT_SELL)) & (t.security_ix == t.security_ix[row])
        opened = int(sold.origin_row[np.flatnonzero(sold.sale_row == row)[0]])
        again[opened] = False  # the short that was closed
        if (near & again).any():
            text = "a short was closed at a loss with a sale or short of the stock within 30 days"
            found.append(Flag(ledger.ids[row], "§1091(e)", text))
    return found
