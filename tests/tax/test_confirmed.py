"""Broker's and taxpayer's books close the same lots, orders in fills included."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind
from allotment.book.venue import Relief, Venue
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, fold
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups

SHARE = 10**9
TAXABLE, SPOUSE = (1, 10), (1, 12)
APPLE = 501


class Desk(EventWriter):
    """Orders in fills, by (shares, dollars) each."""

    def order(self, kind: EventKind, day: int, order_id: int, *fills: tuple[int, int]) -> list[int]:
        """In the taxable account, on a day of May 2024; returns the events."""
        return [
            self.write(
                kind,
                *TAXABLE,
                date(2024, 5, day),
                security_id=APPLE,
                quantity_nano=shares * SHARE,
                amount_cents=usd * 100,
                order_id=order_id,
            )
            for shares, usd in fills
        ]

    def fold(self, relief: Relief) -> BookState:
        accounts = [
            Account(
                account_id=account_id,
                code=str(account_id),
                kind=AccountKind.TAXABLE,
                household_id=1,
                taxpayer_id=account_id,
                venue_code="V",
                opened=date(2020, 1, 1),
            )
            for account_id in (10, 12)
        ]
        table = AccountTable.of_accounts(accounts, [Venue(code="V", relief=relief)], [])
        state = fold(self.events(), table, IdenticalGroups.alone(np.array([APPLE])))
        assert not state.problems
        return state

    def day_loss_of_spouse(self, day: int, basis: int, amount: int) -> None:
        """A share bought and sold on one day: what replaces it counts from its own day still."""
        self.buy(SPOUSE, date(2024, 5, day), APPLE, 1, basis)
        self.sell(SPOUSE, date(2024, 5, day), APPLE, 1, amount)


def closed(state: BookState) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Sale, lot and shares in the taxable account: in the broker's books, in the taxpayer's."""
    told = []
    for view in (state.broker, state.taxpayer):
        sold = view.disposals.take(view.disposals.account_ix == 0)
        shares = (sold.quantity_nano // SHARE).tolist()
        told.append(list(zip(sold.event.tolist(), sold.origin_event.tolist(), shares, strict=True)))
    return told[0], told[1]


@pytest.mark.parametrize("relief", [Relief.FIFO, Relief.LIFO, Relief.HIFO])
@pytest.mark.parametrize("fills", [[12], [3, 9], [1, 10, 1], [4, 4, 4]])
def test_a_sale_in_fills_closes_the_lots_of_the_whole(relief: Relief, fills: list[int]) -> None:
    desk = Desk()
    low, high = desk.order(EventKind.BUY, 1, 0, (10, 100), (10, 150))
    sale, *_ = desk.order(EventKind.SELL, 9, 7, *((shares, 20 * shares) for shares in fills))
    brokers, ours = closed(desk.fold(relief))
    expected = (
        {(sale, high, 10), (sale, low, 2)}
        if relief is not Relief.FIFO
        else {(sale, low, 10), (sale, high, 2)}
    )
    assert set(brokers) == set(ours) == expected
    assert len(brokers) == len(ours) == 2


def test_orders_of_one_day_are_told_apart() -> None:
    """Fills of the second order follow a trade of the other account: a disposal of its own."""
    desk = Desk()
    low, high = desk.order(EventKind.BUY, 1, 0, (10, 100), (10, 150))
    first, _ = desk.order(EventKind.SELL, 9, 7, (2, 40), (2, 40))
    second, _ = desk.order(EventKind.SELL, 9, 8, (2, 40), (3, 60))
    desk.buy(SPOUSE, date(2024, 5, 9), APPLE, 1, 20)
    (third,) = desk.order(EventKind.SELL, 9, 8, (4, 80))
    (alone,) = desk.order(EventKind.SELL, 9, 0, (1, 20))
    expected = [
        (first, high, 4), (second, high, 5), (third, high, 1), (third, low, 3), (alone, low, 1)
    ]  # fmt: skip
    brokers, ours = closed(desk.fold(Relief.HIFO))
    assert sorted(brokers) == sorted(ours) == sorted(expected)


@pytest.mark.parametrize("relief", [Relief.FIFO, Relief.LIFO])
def test_of_fills_at_two_prices_the_taxpayers_books_close_that_which_the_broker_closed(
    relief: Relief,
) -> None:
    """The first fill has replaced the spouse's loss, of which the broker knows nothing; by what they
    replaced the second would leave first."""
    desk = Desk()
    low, high = desk.order(EventKind.BUY, 1, 5, (1, 5), (1, 6))
    desk.day_loss_of_spouse(1, 9, 5)
    (sale,) = desk.order(EventKind.SELL, 9, 0, (1, 20))
    state = desk.fold(relief)
    brokers, ours = closed(state)
    assert brokers == ours == [(sale, low if relief is Relief.FIFO else high, 1)]
    own = state.taxpayer.disposals.take(state.taxpayer.disposals.account_ix == 0)
    assert own.basis_cents.tolist() == [5_00 + 4_00] if relief is Relief.FIFO else [6_00]


@pytest.mark.parametrize("relief", [Relief.FIFO, Relief.LIFO])
@pytest.mark.parametrize("fills", [[(2, 10)], [(1, 5), (1, 5)]])
def test_of_fills_at_one_price_leaves_what_leaves_of_the_whole(
    relief: Relief, fills: list[tuple[int, int]]
) -> None:
    desk = Desk()
    desk.order(EventKind.BUY, 1, 5, *fills)
    desk.day_loss_of_spouse(1, 9, 5)
    desk.order(EventKind.SELL, 9, 0, (1, 20))
    state = desk.fold(relief)
    own = state.taxpayer.disposals.take(state.taxpayer.disposals.account_ix == 0)
    assert own.basis_cents.tolist() == [5_00 if relief is Relief.FIFO else 9_00]
