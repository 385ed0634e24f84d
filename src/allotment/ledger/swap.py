"""Swaps between sleeves of one account: shares change their label, cash goes the other way.

The custodian knows one account. Two managers inside it need not trade at the market with one another:

*Crossing*: one sleeve buys what another sells. Lots are re-labelled and the price is paid between the
sleeves, out of the buyer's cash; there is no order, and no tax event, for the owner of the shares is the
same.

*Substitution*: a sleeve is about to sell, and another sleeve of the account holds lots that are better
sold. Equal shares are exchanged first, so that the sale relieves the account's best lots and each sleeve
keeps its shares. The sleeve that sells gives the lots that it would have sold.

Price: the average of the block that traded the security that day, else the official close. A swap is
worth shares × price, rounded to the cent once, and both sleeves book that amount: it is what their
performance sees (`ledger.sleeve_trades`). Every swap becomes events: RELABEL with named lots for the
shares, SLEEVE_CASH with the security and its shares for the money. The two sums of a substitution
cancel.

A lot is named by the event that made it, wherever its shares lie; of a lot that several sleeves share, the
part of the sleeve that gives is meant (`tax.sleeve_labels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from allotment.book.household import Sleeve
from allotment.book.lots import Lots
from allotment.errors import DataError
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import UNBOOKED, EventWriter, Named
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Ints, format_scaled, value_cents


class SwapKind(StrEnum):
    """Why shares change sleeves."""

    CROSSING = "crossing"
    SUBSTITUTION = "substitution"


class PriceSource(StrEnum):
    """Where a swap's price comes from."""

    BLOCK = "block average"
    CLOSE = "official close"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapPrice:
    """What a share is swapped at."""

    price_micros: int
    source: PriceSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SleevedAccount:
    """An account as a swap sees it. `lots` are its open lots in the taxpayer's view, in any order."""

    household_id: int
    account_id: int
    sleeves: tuple[Sleeve, ...]  # `lots.sleeve_ix` is a position here
    lots: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Shares that go from one sleeve to another, and the cash that goes back."""

    kind: SwapKind
    account_id: int
    day: date
    security_id: int
    seller: Sleeve
    buyer: Sleeve
    quantity_nano: int
    price: SwapPrice
    amount_cents: int
    lots: tuple[Named, ...]  # what the buyer receives
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSwap:
    """What a swap comes to: the record of each leg, and the events that book it, numbered from
    `ledger.write.UNBOOKED`."""

    legs: tuple[Leg, ...]
    events: Events
    to_sell: tuple[Named, ...] = ()  # of a substitution: the lots that the sale which follows names


def swap_price(block_micros: int, close_micros: int) -> SwapPrice:
    """The block's average of the day where there is one, else the official close; 0 for none.

    Raises DataError when there is neither.
    """
    if block_micros > 0:
        return SwapPrice(price_micros=block_micros, source=PriceSource.BLOCK)
    if close_micros > 0:
        return SwapPrice(price_micros=close_micros, source=PriceSource.CLOSE)
    raise DataError("there is neither a block nor an official close that day: a swap has no price.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapRequest:
    """What is swapped. `order`: positions of the account's lots of the security as its relief, or the
    tax of a sale, closes them (`ledger.lot_choice`, `rebalance.lot_rules`), the first to go first."""

    day: date
    security_id: int
    quantity_nano: int
    price: SwapPrice
    order: Ints
    day_seq: int = 0  # of the first event: swaps stand after what is booked of the day
    reason: str = ""


class TooLittleCashError(DataError):
    """A sleeve would buy with money that is another manager's."""

    def __init__(self, buyer: Sleeve, costs_cents: int, cash_cents: int, request: SwapRequest) -> None:
        self.buyer, self.costs_cents, self.cash_cents = buyer, costs_cents, cash_cents
        nano = max(cash_cents, 0) * NANO_PER_SHARE * 10_000 // request.price.price_micros
        few = f"cross at most {format_scaled(nano, NANO_PER_SHARE)} shares, or " if nano else ""
        has, costs = (format_scaled(cents, CENTS_PER_USD) for cents in (cash_cents, costs_cents))
        super().__init__(
            f"sleeve {buyer.code} has {has} in cash and the crossing costs {costs}; {few}move cash to the "
            "sleeve first: `allotment sleeves cash`."
        )


def cross(
    account: SleevedAccount, seller_ix: int, buyer_ix: int, request: SwapRequest, buyer_cash_cents: int
) -> PlannedSwap:
    """One sleeve buys what another sells; positions are those of `account.sleeves`.

    The lots are those that the seller would have sold. buyer_cash_cents: by trade date; a manager buys
    with the sleeve's own money. Raises DataError when the seller has too few shares, or the buyer too
    little cash.
    """
    assert seller_ix != buyer_ix
    plan = _Plan(account, request, SwapKind.CROSSING)
    taken = plan.first_shares(seller_ix, request.quantity_nano)
    seller, buyer = account.sleeves[seller_ix], account.sleeves[buyer_ix]
    if plan.amount_cents(request.quantity_nano) > buyer_cash_cents:
        raise TooLittleCashError(buyer, plan.amount_cents(request.quantity_nano), buyer_cash_cents, request)
    why = request.reason or f"{buyer.code} buys what {seller.code} sells: no order, no tax"
    plan.move(seller_ix, buyer_ix, taken, why)
    return plan.done()


def substitute(account: SleevedAccount, seller_ix: int, request: SwapRequest) -> PlannedSwap:
    """Exchange equal shares so that the sleeve which is about to sell holds the account's best lots.

    `request.quantity_nano` is what will be sold. No legs come back when the seller holds the best lots
    already; whoever holds most of the better lots exchanges first. Raises DataError when the seller has too
    few shares.
    """
    plan = _Plan(account, request, SwapKind.SUBSTITUTION)
    kept, wanted = plan.best_shares(seller_ix, request.quantity_nano)
    seller = account.sleeves[seller_ix]
    for other_ix, received in sorted(wanted.items(), key=lambda one: -_n_shares(one[1])):
        given = plan.shares_to_give(seller_ix, _n_shares(received), kept)
        other = account.sleeves[other_ix]
        why = request.reason or (
            f"{seller.code} sells {format_scaled(request.quantity_nano, NANO_PER_SHARE)} shares and "
            f"{other.code} holds lots that the account sells first"
        )
        plan.move(other_ix, seller_ix, received, why)
        plan.move(seller_ix, other_ix, given, why)
        for name, shares in received:
            kept[name] = kept.get(name, 0) + shares
    return replace(plan.done(), to_sell=plan.shares_of(seller_ix, request.quantity_nano))


_LotName = tuple[int, int]
_Shares = list[tuple[_LotName, int]]  # lots and how much of each


def _n_shares(lots: _Shares) -> int:
    return sum(shares for _, shares in lots)


class _Plan:
    """A swap in the making: who holds how much of each lot now, and the events so far."""

    def __init__(self, account: SleevedAccount, request: SwapRequest, kind: SwapKind) -> None:
        self.account, self.request, self.kind = account, request, kind
        self._writer, self._legs = EventWriter(first_seq=UNBOOKED), list[Leg]()
        self._day_seq = request.day_seq
        if request.quantity_nano <= 0:
            raise DataError("a swap is of a positive number of shares.")
        lots, order = account.lots, np.asarray(request.order, np.int64)
        mine = lots.security_id == request.security_id
        assert np.array_equal(np.sort(order), np.flatnonzero(mine)), (
            "the order is of every lot of the security"
        )
        if (lots.side[order] < 0).any():
            raise DataError("the account is short of the security; short positions are not swapped.")
        # Lots in the order in which they go, and what each sleeve holds of them.
        self._held: dict[_LotName, dict[int, int]] = {}
        for row in order.tolist():
            name = (int(lots.origin_event[row]), int(lots.origin_line[row]))
            held = self._held.setdefault(name, {})
            sleeve = int(lots.sleeve_ix[row])
            held[sleeve] = held.get(sleeve, 0) + int(lots.quantity_nano[row])

    def first_shares(self, giver: int, quantity: int) -> _Shares:
        """The first shares of the giver's."""
        found, left = _Shares(), quantity
        for name, held in self._held.items():
            here = min(left, held.get(giver, 0))
            if here:
                found.append((name, here))
                left -= here
        if left:
            self._too_few(giver, quantity, quantity - left)
        return found

    def best_shares(self, seller: int, quantity: int) -> tuple[dict[_LotName, int], dict[int, _Shares]]:
        """The account's first shares: the seller's own, and those of each other sleeve.

        Of a lot that several sleeves share, the seller's part goes first.
        """
        has = sum(held.get(seller, 0) for held in self._held.values())
        if has < quantity:
            self._too_few(seller, quantity, has)
        own, wanted, left = dict[_LotName, int](), dict[int, _Shares](), quantity
        for name, held in self._held.items():
            for sleeve in sorted(held, key=lambda one: (one != seller, one)):
                here = min(left, held[sleeve])
                if sleeve == seller:
                    own[name] = here
                elif here:
                    wanted.setdefault(sleeve, _Shares()).append((name, here))
                left -= here
        return own, wanted

    def shares_to_give(self, seller: int, quantity: int, kept: dict[_LotName, int]) -> _Shares:
        """So many of the seller's first shares beside those that it keeps for its sale: it has as many
        as the others have of what it will sell."""
        found, left = _Shares(), quantity
        for name, held in self._held.items():
            here = min(left, held.get(seller, 0) - kept.get(name, 0))
            if here > 0:
                found.append((name, here))
                left -= here
        assert left == 0
        return found

    def move(self, giver: int, taker: int, lots: _Shares, reason: str) -> None:
        """Re-label lots, pay for them, and keep the record of it."""
        request, sleeves = self.request, self.account.sleeves
        quantity = _n_shares(lots)
        named = [(*name, here) for name, here in lots]
        self._write(EventKind.RELABEL, giver, taker, quantity, named=named)
        for name, here in lots:
            held = self._held[name]
            held[giver] -= here
            held[taker] = held.get(taker, 0) + here
        amount = self.amount_cents(quantity)
        # Cash goes from the buyer to the seller; the shares beside it make it a trade.
        self._write(EventKind.SLEEVE_CASH, taker, giver, quantity, amount_cents=amount)
        self._legs.append(
            Leg(
                kind=self.kind,
                account_id=self.account.account_id,
                day=request.day,
                security_id=request.security_id,
                seller=sleeves[giver],
                buyer=sleeves[taker],
                quantity_nano=quantity,
                price=request.price,
                amount_cents=amount,
                lots=tuple((*name, here) for name, here in lots),
                reason=reason,
            )
        )

    def amount_cents(self, quantity: int) -> int:
        """What shares are swapped for."""
        return int(value_cents(np.array([quantity]), np.array([self.request.price.price_micros]))[0])

    def shares_of(self, sleeve: int, quantity: int) -> tuple[Named, ...]:
        """The first of the shares that a sleeve holds by now."""
        named, left = list[Named](), quantity
        for name, held in self._held.items():
            here = min(left, held.get(sleeve, 0))
            if here:
                named.append((*name, here))
                left -= here
        return tuple(named)

    def done(self) -> PlannedSwap:
        """The swap as planned."""
        return PlannedSwap(legs=tuple(self._legs), events=self._writer.events())

    def _write(
        self,
        kind: EventKind,
        origin: int,
        to: int,
        quantity: int,
        *,
        amount_cents: int = 0,
        named: Sequence[Named] = (),
    ) -> None:
        account, sleeves = self.account, self.account.sleeves
        self._writer.write(
            kind,
            account.household_id,
            account.account_id,
            self.request.day,
            security_id=self.request.security_id,
            quantity_nano=quantity,
            amount_cents=amount_cents,
            sleeve_id=sleeves[origin].sleeve_id,
            other_account_id=sleeves[to].sleeve_id,
            day_seq=self._day_seq,
            named=named,
        )
        self._day_seq += 1

    def _too_few(self, sleeve: int, wanted: int, there: int) -> None:
        code = self.account.sleeves[sleeve].code
        raise DataError(
            f"sleeve {code} has {format_scaled(there, NANO_PER_SHARE)} shares that can be swapped, "
            f"{format_scaled(wanted, NANO_PER_SHARE)} are asked for."
        )
