"""Which lots may be sold, and in what order the account's venue closes them.

What a client asks of lots is weaker than an exclusion: a name that must go is sold whatever its lots.
Orders of relief: `tax.relief`, whose methods the ledger books by; sources in docs/law/relief.md.
"""

from __future__ import annotations

import numpy as np

from allotment.book.lots import BasisState, Lots
from allotment.book.mandate import Mandate
from allotment.book.venue import LotMode, Relief, Venue
from allotment.tax.holding_period import first_long_term_day
from allotment.tax.transactions import FoldPolicy
from allotment.units import Bools, Dates, Floats, Ints, usd

_RANKS = FoldPolicy()  # its rates rank the lots of Relief.MIN_TAX


def chooses_lots(venue: Venue) -> bool:
    """True where an order can name the lots that it sells."""
    return venue.lot_mode == LotMode.NAMED


def may_be_sold(
    lots: Lots, value_cents: Ints, gain_cents: Ints, excluded: Bools, mandate: Mandate, asof: Dates
) -> Bools:
    """True for each lot that the mandate lets go; columns of shape (n_lots,).

    Not sold: lots that the client keeps; short-term gains that turn long-term within
    `near_long_days`; lots worth less than `lot_usd_min`. excluded: the lot's name must go, and only
    a kept lot stays.
    """
    until_long = (first_long_term_day(lots.holding_from) - asof).astype(np.int64)
    nearly_long = (gain_cents > 0) & (until_long > 0) & (until_long <= mandate.near_long_days)
    small = usd(value_cents) < mandate.lot_usd_min
    kept = np.zeros(len(lots), np.bool_)
    for event, line in mandate.kept_lots:
        kept |= (lots.origin_event == event) & (lots.origin_line == line)
    sellable: Bools = (excluded | ~(nearly_long | small)) & ~kept
    return sellable


def closing_order(lots: Lots, price_cents: Floats, is_long: Bools, venue: Venue) -> Ints:
    """Positions of the lots by security, each security's as the venue closes them. Shape (n_lots,).

    price_cents: of one billionth of a share, for each lot. Where lots are named any order will do:
    the order of acquisition.
    """
    acquired = (lots.origin_line, lots.origin_event, lots.holding_from, lots.acquired)
    if chooses_lots(venue):
        return np.lexsort((lots.origin_line, lots.origin_event, lots.security_id))
    cost = lots.basis_cents / np.maximum(lots.quantity_nano, 1)
    unknown = lots.basis_state != BasisState.KNOWN
    if venue.relief == Relief.FIFO:
        # Lots of unknown basis are taken to be the oldest.
        rank = lots.holding_from.astype(np.int64) if venue.fifo_by_holding_from else np.zeros(len(lots))
        return np.lexsort((*acquired, rank, ~unknown, lots.security_id))
    if venue.relief == Relief.LIFO:
        oldest_first = np.lexsort(acquired)
        place = np.empty(len(lots), np.int64)
        place[oldest_first] = np.arange(len(lots))
        return np.lexsort((-place, unknown, lots.security_id))
    if venue.relief == Relief.HIFO:
        return np.lexsort((*acquired, -cost, unknown, lots.security_id))
    gain = price_cents - cost
    tax = gain * np.where(is_long, _RANKS.long_rate, _RANKS.short_rate)
    return np.lexsort((*acquired, tax, unknown, lots.security_id))
