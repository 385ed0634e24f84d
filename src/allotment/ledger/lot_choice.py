"""Orders in which lots are best sold, donated or given, over whole columns.

What a sale closes is law (`tax.relief`), lot by lot and compiled; these are choices, made before the
fact, over the lots of one or many securities. Ties fall to the older lot.
Law: a donation of long-term shares is deductible at their value, of short-term ones at the lower of
basis and value (26 U.S.C. §170(e)(1)(A)); a loss is lost by giving (§1015(a), docs/law/gifts.md).
"""

from __future__ import annotations

import numpy as np

from allotment.book.lots import BasisState, Lots
from allotment.tax.holding_period import first_long_term_day
from allotment.units import Bools, Dates, Ints, value_cents


def unrealised_cents(value_cents: Ints, basis_cents: Ints, loss_basis_cents: Ints) -> Ints:
    """Value less basis; between the two bases of a gift there is neither gain nor loss (§1015(a)).

    Shapes (n_lots,).
    """
    gain = value_cents - basis_cents
    return np.where(gain < 0, np.minimum(value_cents - loss_basis_cents, 0), gain)


def has_basis(lots: Lots) -> Bools:
    """True where the basis is known for good: neither pending nor missing."""
    known: Bools = lots.basis_state == BasisState.KNOWN
    return known


def least_tax_first(
    lots: Lots, price_micros: Ints, asof: Dates, *, short_rate: float, long_rate: float
) -> Ints:
    """Positions by security, each security's lots by the tax of selling a share, the smallest first.

    price_micros: of each lot's security, (n_lots,). Losses come first, the dearest short-term one
    before all; lots whose basis is not known for good come last, as brokers relieve them.
    """
    value = value_cents(lots.quantity_nano, price_micros)
    gain = unrealised_cents(value, lots.basis_cents, lots.loss_basis_cents)
    rate = np.where(asof >= first_long_term_day(lots.holding_from), long_rate, short_rate)
    tax = gain * rate / np.maximum(lots.quantity_nano, 1)
    return np.lexsort((*_oldest(lots), tax, ~has_basis(lots), lots.security_id))


def best_to_donate(lots: Lots, price_micros: Ints, asof: Dates) -> Ints:
    """Positions of the lots worth donating, the best first: long-term, by gain per dollar given.

    Lots at a loss are left out (sell them, take the loss and donate the cash), so are short-term lots
    (their gain is not deductible) and lots without a known basis.
    """
    share = _gain_share(lots, price_micros)
    chosen = (asof >= first_long_term_day(lots.holding_from)) & (share > 0.0) & has_basis(lots)
    return _by_share(lots, share, chosen)


def best_to_give(lots: Lots, price_micros: Ints) -> Ints:
    """Positions of the lots worth giving to a person, the best first: the lowest basis per dollar.

    The basis and the holding period go along (§1015(a), §1223(2)), so what is given is the gain. Lots
    at a loss are left out: their loss would be lost. So are lots without a known basis.
    """
    share = _gain_share(lots, price_micros)
    return _by_share(lots, share, (share > 0.0) & has_basis(lots))


def _gain_share(lots: Lots, price_micros: Ints) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Gain as a fraction of value."""
    value = value_cents(lots.quantity_nano, price_micros)
    gain = unrealised_cents(value, lots.basis_cents, lots.loss_basis_cents)
    return gain / np.maximum(value, 1)


def _by_share(lots: Lots, share: np.ndarray[tuple[int], np.dtype[np.float64]], chosen: Bools) -> Ints:
    order = np.lexsort((*_oldest(lots), -share))
    return order[chosen[order]]


def _oldest(lots: Lots) -> tuple[Ints | np.ndarray[tuple[int], np.dtype[np.int32]] | Dates, ...]:
    """Keys that break ties, the last the first to be looked at."""
    return (lots.origin_line, lots.origin_event, lots.holding_from, lots.acquired)
