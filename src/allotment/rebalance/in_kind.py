"""What leaves an account in kind, and which lots go: transfers out, donations, gifts.

A transfer between brokers (ACATS) moves whole shares. The fraction of a share that is left of each name
is sold first, from the lots that a sale should close (those with the least tax, or what the venue relieves);
what then moves is whole in every name. Instruments that we do not trade cannot be rounded by a sale: their
fractions stay and are told.

Every plan lists named lots with the reason. Sales become orders and are booked when it is known what they
brought; the rest becomes events (`booked`). Law of what is worth giving: `ledger.lot_choice`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from allotment.book.lots import Lots
from allotment.errors import DataError
from allotment.ledger.events import EventKind, Events
from allotment.ledger.lot_choice import (
    best_to_donate,
    best_to_give,
    has_basis,
    unrealised_cents,
)
from allotment.ledger.write import UNBOOKED, EventWriter
from allotment.market.calendar import settlement_day
from allotment.tax.holding_period import is_long_term
from allotment.units import NANO_PER_SHARE, Bools, Ints, as_day, mul_div, value_cents


class Leaving(StrEnum):
    """How shares leave."""

    SALE = "sale"  # an order with named lots; booked when it is filled
    TRANSFER = "transfer"
    DONATION = "donation"
    GIFT = "gift"


_BOOKED_AS = {
    Leaving.SALE: EventKind.SELL,
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
    acquired: date
    is_long_term: bool  # on the day of the plan
    has_basis: bool  # known for good
    quantity_nano: int
    value_cents: int  # 0 where there is no price
    basis_cents: int
    gain_cents: int  # that a sale would realise; a gift between its two bases has none
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
    """One account's open lots in the taxpayer's view, with the price and kind of each lot's security.

    price_micros: 0 where nobody gave a price; such lots are neither donated nor given.
    """

    lots: Lots
    price_micros: Ints  # (n_lots,)
    is_traded: Bools  # (n_lots,) False: carried, neither bought nor sold by us

    def __post_init__(self) -> None:
        n = (len(self.lots),)
        assert self.price_micros.shape == self.is_traded.shape == n


def transfer_out(
    holding: Holding, asof: date, order: Ints, security_ids: Sequence[int] | None = None
) -> InKindPlan:
    """Move everything held of the securities (default: all) in whole shares, and sell what is left.

    order: positions of the lots in the order in which sales close them, the first to go first; it gives
    the lots of the residue (`ledger.lot_choice.least_tax_first`, `rebalance.lot_rules.closing_order`).
    """
    assert np.array_equal(np.sort(order), np.arange(len(holding.lots)))
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
                why = "the fraction of a share that a transfer leaves, from the lot that goes first"
                sold.append(_leaving(holding, row, here, Leaving.SALE, asof, why))
        moved += [
            _leaving(holding, row, here, Leaving.TRANSFER, asof, "moves in whole shares of the name")
            for row, here in left.items()
            if here
        ]
    return InKindPlan(lots=(*sold, *moved), stays=tuple(stays))


def donate(holding: Holding, asof: date, value_cents_max: int) -> InKindPlan:
    """Whole shares worth up to so much, from the long-term lots with the most gain per dollar.

    Never a lot at a loss, at a short-term gain, or without a known basis (26 U.S.C. §170(e)(1)(A)).
    """
    order = best_to_donate(holding.lots, holding.price_micros, np.asarray(as_day(asof)))
    why = "long-term, gain {gain:.0%} of its value"
    return _give(holding, order, value_cents_max, Leaving.DONATION, asof, why)


def give(holding: Holding, asof: date, value_cents_max: int) -> InKindPlan:
    """Whole shares worth up to so much for a person, from the lots with the lowest basis per dollar.

    Never a lot at a loss: the loss would be nobody's (§1015(a)). Never one without a known basis.
    """
    order = best_to_give(holding.lots, holding.price_micros)
    why = "low basis, gain {gain:.0%} of its value"
    return _give(holding, order, value_cents_max, Leaving.GIFT, asof, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a plan's events stand."""

    household_id: int
    account_id: int
    sleeve_ids: Sequence[int]  # the account's, in order; () where it has one without a record
    day: date
    day_seq: int = 0  # of the first event: what leaves stands after what is booked of the day


def booked(plan: InKindPlan, place: Place, proceeds_cents: Mapping[int, int] | None = None) -> Events:
    """The events of what leaves, numbered from `ledger.write.UNBOOKED`, sales first.

    proceeds_cents: by security, what the sales brought, net of costs; a sale that is not told is not
    booked, and its shares stay. One event a security and sleeve; a sale's proceeds are shared by shares.
    """
    writer = EventWriter(first_seq=UNBOOKED)
    brought = proceeds_cents or {}
    parts: dict[tuple[EventKind, int, int], list[LeavingLot]] = {}
    for lot in plan.lots:
        if lot.how is not Leaving.SALE or lot.security_id in brought:
            parts.setdefault((_BOOKED_AS[lot.how], lot.security_id, lot.sleeve_ix), []).append(lot)
    amounts = _amounts(parts, brought)
    for at, ((kind, security, sleeve), lots) in enumerate(parts.items()):
        writer.write(
            kind,
            place.household_id,
            place.account_id,
            place.day,
            security_id=security,
            quantity_nano=sum(lot.quantity_nano for lot in lots),
            amount_cents=amounts[kind, security, sleeve],
            sleeve_id=place.sleeve_ids[sleeve] if place.sleeve_ids else 0,
            settles=settlement_day(place.day) if kind is EventKind.SELL else None,
            day_seq=place.day_seq + at,
            named=_named(lots),
        )
    return writer.events()


def _amounts(
    parts: Mapping[tuple[EventKind, int, int], Sequence[LeavingLot]], brought: Mapping[int, int]
) -> dict[tuple[EventKind, int, int], int]:
    """What each event is worth: a donation its value, a sale its share of the proceeds, a move nothing."""
    left = dict(brought)
    unsold = {
        security: sum(
            lot.quantity_nano
            for (kind, sold, _), lots in parts.items()
            if kind is EventKind.SELL and sold == security
            for lot in lots
        )
        for security in brought
    }
    amounts = {}
    for (kind, security, sleeve), lots in parts.items():
        shares = sum(lot.quantity_nano for lot in lots)
        amount = sum(lot.value_cents for lot in lots) if kind is EventKind.DONATE else 0
        if kind is EventKind.SELL:
            amount = mul_div(left[security], shares, unsold[security])  # the last one takes what is left
            left[security] -= amount
            unsold[security] -= shares
        amounts[kind, security, sleeve] = amount
    return amounts


def _named(lots: Sequence[LeavingLot]) -> list[tuple[int, int, int]]:
    """Each lot once: pieces of one lot are named together."""
    named: dict[tuple[int, int], int] = {}
    for lot in lots:
        key = (lot.origin_event, lot.origin_line)
        named[key] = named.get(key, 0) + lot.quantity_nano
    return [(*key, shares) for key, shares in named.items()]


def _give(holding: Holding, order: Ints, cents_max: int, how: Leaving, asof: date, text: str) -> InKindPlan:
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
            chosen.append(_leaving(holding, row, here, how, asof, text.format(gain=gain)))
            left -= chosen[-1].value_cents
    return InKindPlan(lots=tuple(chosen), stays=())


def _leaving(holding: Holding, row: int, shares: int, how: Leaving, asof: date, reason: str) -> LeavingLot:
    lots = holding.lots.take(slice(row, row + 1))
    value, basis = _value(holding, row, shares), _basis(holding.lots, row, shares)
    loss_basis = mul_div(int(lots.loss_basis_cents[0]), shares, int(lots.quantity_nano[0]))
    gain = unrealised_cents(np.array([value]), np.array([basis]), np.array([loss_basis]))
    return LeavingLot(
        how=how,
        security_id=int(lots.security_id[0]),
        sleeve_ix=int(lots.sleeve_ix[0]),
        origin_event=int(lots.origin_event[0]),
        origin_line=int(lots.origin_line[0]),
        acquired=lots.acquired[0].item(),
        is_long_term=bool(is_long_term(lots.holding_from, np.array([as_day(asof)]))[0]),
        has_basis=bool(has_basis(lots)[0]),
        quantity_nano=shares,
        value_cents=value,
        basis_cents=basis,
        gain_cents=int(gain[0]) if holding.price_micros[row] > 0 else 0,
        reason=reason,
    )


def _value(holding: Holding, row: int, shares: int) -> int:
    return int(value_cents(np.array([shares]), holding.price_micros[row : row + 1])[0])


def _basis(lots: Lots, row: int, shares: int) -> int:
    return mul_div(int(lots.basis_cents[row]), shares, int(lots.quantity_nano[row]))
