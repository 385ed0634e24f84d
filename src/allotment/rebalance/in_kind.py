"""What leaves an account in kind, and which lots go: transfers out, donations, gifts.

A transfer between brokers (ACATS) moves whole shares. The fraction of a share that is left of each name
is sold first, from the lots with the least tax; what then moves is whole in every name. Instruments
that we do not trade cannot be rounded by a sale: their fractions stay and are told.

Every plan lists named lots with the reason; sales become orders, the rest becomes events (`booked`).
Law of what is worth giving: `ledger.lot_choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from allotment.book.lots import Lots
from allotment.errors import DataError
from allotment.ledger.events import EventKind, Events
from allotment.ledger.lot_choice import best_to_donate, best_to_give, least_tax_first
from allotment.ledger.write import UNBOOKED, EventWriter
from allotment.units import NANO_PER_SHARE, Bools, Ints, as_day, mul_div, value_cents


class Leaving(StrEnum):
    """How shares leave."""

    SALE = "sale"  # an order with named lots; booked when it is filled
    TRANSFER = "transfer"
    DONATION = "donation"
    GIFT = "gift"


_BOOKED_AS = {
    Leaving.TRANSFER: EventKind.TRANSFER_OUT,
    Leaving.DONATION: EventKind.DONATE,
    Leaving.GIFT: EventKind.TRANSFER_OUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingLot:
    """Shares of one lot that leave, and why these."""

    how: Leaving
    security_id: int
    sleeve_ix: int
    origin_event: int
    origin_line: int
    quantity_nano: int
    value_cents: int
    basis_cents: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InKindPlan:
    """What leaves, sales first; and what was asked for and stays, with the reason."""

    lots: tuple[LeavingLot, ...]
    stays: tuple[tuple[int, int, str], ...]  # (security, billionths of a share, why)

    def of(self, how: Leaving) -> tuple[LeavingLot, ...]:
        """The lots that leave in one way."""
        return tuple(lot for lot in self.lots if lot.how is how)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One account's open lots in the taxpayer's view, with the price and kind of each lot's security."""

    lots: Lots
    price_micros: Ints  # (n_lots,)
    is_traded: Bools  # (n_lots,) False: carried, neither bought nor sold by us

    def __post_init__(self) -> None:
        n = (len(self.lots),)
        assert self.price_micros.shape == self.is_traded.shape == n


def transfer_out(
    holding: Holding,
    asof: date,
    *,
    short_rate: float,
    long_rate: float,
    security_ids: Sequence[int] | None = None,
) -> InKindPlan:
    """Move everything held of the securities (default: all) in whole shares, and sell what is left.

    The residue comes from the lots with the least tax; a lot whose basis is not known is sold last.
    """
    order = least_tax_first(
        holding.lots,
        holding.price_micros,
        np.asarray(as_day(asof)),
        short_rate=short_rate,
        long_rate=long_rate,
    )
    sold, moved, stays = list[LeavingLot](), list[LeavingLot](), list[tuple[int, int, str]]()
    for security in np.unique(holding.lots.security_id).tolist():
        if security_ids is not None and security not in security_ids:
            continue
        rows = order[holding.lots.security_id[order] == security]
        if (holding.lots.side[rows] < 0).any():
            stays.append((security, 0, "it is held short; a short position is covered, not moved"))
            continue
        residue = int(holding.lots.quantity_nano[rows].sum()) % NANO_PER_SHARE
        traded = bool(holding.is_traded[rows].all())
        if residue and not traded:
            stays.append(
                (security, residue, "a fraction of what we do not trade can be neither moved nor sold")
            )
        left = {int(row): int(holding.lots.quantity_nano[row]) for row in rows}
        for row, shares in left.items():
            here = min(residue, shares)
            residue -= here
            left[row] -= here
            if here and traded:
                why = "the fraction of a share that a transfer leaves, from the lot with the least tax"
                sold.append(_leaving(holding, row, here, Leaving.SALE, why))
        moved += [
            _leaving(holding, row, here, Leaving.TRANSFER, "moves in whole shares of the name")
            for row, here in left.items()
            if here
        ]
    return InKindPlan(lots=(*sold, *moved), stays=tuple(stays))


def donate(holding: Holding, asof: date, value_cents_max: int) -> InKindPlan:
    """Whole shares worth up to so much, from the long-term lots with the most gain per dollar.

    Never a lot at a loss, at a short-term gain, or without a known basis (26 U.S.C. §170(e)(1)(A)).
    """
    order = best_to_donate(holding.lots, holding.price_micros, np.asarray(as_day(asof)))
    return _give(holding, order, value_cents_max, Leaving.DONATION, "long-term, gain {gain:.0%} of its value")


def give(holding: Holding, value_cents_max: int) -> InKindPlan:
    """Whole shares worth up to so much for a person, from the lots with the lowest basis per dollar.

    Never a lot at a loss: the loss would be nobody's (§1015(a)). Never one without a known basis.
    """
    order = best_to_give(holding.lots, holding.price_micros)
    return _give(holding, order, value_cents_max, Leaving.GIFT, "low basis, gain {gain:.0%} of its value")


def booked(
    plan: InKindPlan, household_id: int, account_id: int, sleeve_ids: Sequence[int], day: date
) -> Events:
    """The events of what leaves without a sale, one a security and sleeve, numbered from
    `ledger.write.UNBOOKED`.

    sleeve_ids: the account's sleeves in order. Lots that are sold first must be booked first.
    """
    writer = EventWriter(first_seq=UNBOOKED)
    parts: dict[tuple[EventKind, int, int], list[LeavingLot]] = {}
    for lot in plan.lots:
        if lot.how is not Leaving.SALE:
            parts.setdefault((_BOOKED_AS[lot.how], lot.security_id, lot.sleeve_ix), []).append(lot)
    for (kind, security, sleeve), lots in parts.items():
        writer.write(
            kind,
            household_id,
            account_id,
            day,
            security_id=security,
            quantity_nano=sum(lot.quantity_nano for lot in lots),
            amount_cents=sum(lot.value_cents for lot in lots) if kind is EventKind.DONATE else 0,
            sleeve_id=sleeve_ids[sleeve] if sleeve_ids else 0,
            named=_named(lots),
        )
    return writer.events()


def _named(lots: Sequence[LeavingLot]) -> list[tuple[int, int, int]]:
    """Each lot once: pieces of one lot are named together."""
    named: dict[tuple[int, int], int] = {}
    for lot in lots:
        key = (lot.origin_event, lot.origin_line)
        named[key] = named.get(key, 0) + lot.quantity_nano
    return [(*key, shares) for key, shares in named.items()]


def _give(holding: Holding, order: Ints, cents_max: int, how: Leaving, text: str) -> InKindPlan:
    """Whole shares of the lots in order, as long as they fit."""
    if cents_max <= 0:
        raise DataError("give a positive amount.")
    lots, left, chosen = holding.lots, cents_max, list[LeavingLot]()
    for row in order.tolist():
        price = int(holding.price_micros[row])
        if price <= 0 or not holding.is_traded[row]:
            continue
        fits = left * 10_000 // price  # whole shares that the rest of the amount pays for
        here = min(int(lots.quantity_nano[row]) // NANO_PER_SHARE, fits) * NANO_PER_SHARE
        if here:
            gain = 1.0 - _basis(lots, row, here) / max(_value(holding, row, here), 1)
            chosen.append(_leaving(holding, row, here, how, text.format(gain=gain)))
            left -= chosen[-1].value_cents
    return InKindPlan(lots=tuple(chosen), stays=())


def _leaving(holding: Holding, row: int, shares: int, how: Leaving, reason: str) -> LeavingLot:
    lots = holding.lots
    return LeavingLot(
        how=how,
        security_id=int(lots.security_id[row]),
        sleeve_ix=int(lots.sleeve_ix[row]),
        origin_event=int(lots.origin_event[row]),
        origin_line=int(lots.origin_line[row]),
        quantity_nano=shares,
        value_cents=_value(holding, row, shares),
        basis_cents=_basis(lots, row, shares),
        reason=reason,
    )


def _value(holding: Holding, row: int, shares: int) -> int:
    return int(value_cents(np.array([shares]), holding.price_micros[row : row + 1])[0])


def _basis(lots: Lots, row: int, shares: int) -> int:
    return mul_div(int(lots.basis_cents[row]), shares, int(lots.quantity_nano[row]))
