"""What each sleeve's performance sees as trades: purchases, sales, and swaps at their price.

A swap is two rows, one for each manager: the sleeve that gives the shares sold them, the one that receives
them bought them, both for the amount that the swap was booked at. Between them nothing was traded and
nothing is taxed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from allotment.ledger.events import AccountTable, EventKind, Events
from allotment.ledger.translate import sleeve_places
from allotment.units import Bools, Codes, Dates, Index, Ints

_BOUGHT = np.array([EventKind.BUY, EventKind.REINVEST, EventKind.COVER, EventKind.OPTION_BUY], np.int8)
_SOLD = np.array([EventKind.SELL, EventKind.SHORT_SELL], np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SleeveTrades:
    """One row a sleeve and trade, ascending by account, sleeve, day, event. Shape (n,)."""

    account_id: Ints
    sleeve_ix: Index  # position of the sleeve inside its account
    day: Dates
    event: Ints
    security_id: Ints
    side: Codes  # +1 bought, -1 sold
    quantity_nano: Ints
    amount_cents: Ints  # paid or received, never negative
    is_swap: Bools
    other_sleeve_ix: Index  # of a swap: the sleeve on the other side; else -1

    def __len__(self) -> int:
        return int(self.account_id.shape[0])


def sleeve_trades(events: Events, accounts: AccountTable) -> SleeveTrades:
    """The trades of every sleeve. `events`: those in force (`ledger.corrections.in_force`)."""
    bought = np.flatnonzero(np.isin(events.kind, _BOUGHT))
    sold = np.flatnonzero(np.isin(events.kind, _SOLD))
    # Cash between sleeves that names shares is the price of a swap.
    swapped = np.flatnonzero((events.kind == EventKind.SLEEVE_CASH) & (events.security_id != 0))
    rows = np.concatenate([bought, sold, swapped, swapped])
    own = sleeve_places(accounts, events.sleeve_id)
    other = np.full(len(events), -1, np.int64)
    other[swapped] = sleeve_places(accounts, events.other_account_id[swapped])
    nobody = np.full(len(bought) + len(sold), -1, np.int64)
    counts = (len(bought), len(sold), len(swapped), len(swapped))
    sleeve = np.concatenate([own[bought], own[sold], own[swapped], other[swapped]])
    made = SleeveTrades(
        account_id=events.account_id[rows],
        sleeve_ix=sleeve.astype(np.int32),
        day=events.effective[rows],
        event=events.ledger_seq[rows],
        security_id=events.security_id[rows],
        # The payer of a swap's cash bought, the receiver sold.
        side=np.repeat(np.array([1, -1, 1, -1], np.int8), counts),
        quantity_nano=events.quantity_nano[rows],
        amount_cents=events.amount_cents[rows],
        is_swap=np.repeat(np.array([False, False, True, True]), counts),
        other_sleeve_ix=np.concatenate([nobody, other[swapped], own[swapped]]).astype(np.int32),
    )
    order = np.lexsort((made.event, made.day, made.sleeve_ix, made.account_id))
    return SleeveTrades(**{part.name: getattr(made, part.name)[order] for part in fields(made)})
