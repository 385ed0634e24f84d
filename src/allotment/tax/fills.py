"""Fills of one order that closes lots: one disposal.

Law: Reg. §1.1091-1(b) [P] takes losses in order of disposal, and those whose order is not known in order
of acquisition. Own: the fills of an order of one day are not told apart; its lots share what all of
them brought, and what it keeps can replace a loss before what it sells, however many fills it took.
Only orders told by number; a fill after another trade of the stream is a disposal of its own.
Not here: fills that make lots stay lots of their own, of one purchase (`tax.pieces`, `tax.wash_sale`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from allotment.tax.folded import Folded
from allotment.tax.transactions import Kind, NamedLots, Transactions
from allotment.units import Bools, Ints

_CLOSING = np.array([Kind.SELL, Kind.COVER], np.int8)
_SAME = ("household_ix", "account_ix", "security_ix", "day", "kind", "order_id", "method")
_MOST = 2.0**62  # a sum beyond is left in its parts, which are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeOrders:
    """Transactions with every closing order in one row."""

    transactions: Transactions
    rows: Ints  # (n_whole,) the first fill of each, as a row of what was given; ascending
    first: Ints  # (n_rows,) the first fill of the order of each row given

    def by_fills(self, folded: Folded) -> Folded:
        """What `transactions` fold to, in rows of what was given: a disposal by its first fill, a
        problem by every fill."""
        rows = self.rows
        of_order = {row: np.flatnonzero(self.first == row) for row in rows[folded.problems.row].tolist()}
        fills = [of_order[row] for row in rows[folded.problems.row].tolist()]
        again = np.repeat(np.arange(len(fills)), [len(one) for one in fills])
        problems = {part.name: getattr(folded.problems, part.name)[again] for part in fields(folded.problems)}
        sold, lots, links = folded.disposals, folded.lots, folded.links
        return replace(
            folded,
            lots=replace(lots, origin_row=rows[lots.origin_row]),
            disposals=replace(sold, sale_row=rows[sold.sale_row], origin_row=rows[sold.origin_row]),
            links=replace(links, origin_row=rows[links.origin_row]),
            problems=replace(
                folded.problems, **(problems | {"row": np.concatenate([*fills, np.zeros(0, np.int64)])})
            ),
        )


def whole_orders(transactions: Transactions, by_stream: Ints) -> WholeOrders | None:
    """Closing orders in one row each, None when all are already. by_stream: all rows, those of one
    stream one behind the other, (n_rows,)."""
    t = transactions
    closing = np.isin(t.kind, _CLOSING) & (t.order_id > 0)
    if not closing.any():
        return None
    first = _first_fills(t, closing, by_stream)
    for column in (t.quantity_nano, t.amount_cents):
        sums = np.zeros(len(t))
        np.add.at(sums, first, column.astype(np.float64))
        first = np.where(sums[first] < _MOST, first, np.arange(len(t)))
    rows = np.flatnonzero(first == np.arange(len(t)))
    if len(rows) == len(t):
        return None
    quantity, amount = np.zeros((2, len(t)), np.int64)
    np.add.at(quantity, first, t.quantity_nano)
    np.add.at(amount, first, t.amount_cents)
    columns = {
        part.name: getattr(t, part.name)[rows] for part in fields(t) if part.metadata.get("column", True)
    }
    whole = replace(
        t,
        **(columns | {"quantity_nano": quantity[rows], "amount_cents": amount[rows]}),
        named=_named(t.named, first, rows),
    )
    return WholeOrders(transactions=whole, rows=rows, first=first)


def _first_fills(t: Transactions, closing: Bools, by_stream: Ints) -> Ints:
    """For each row the first of the fills that stand with it in its stream."""
    before, after = by_stream[:-1], by_stream[1:]
    is_named = np.diff(t.named.start) > 0
    follows = closing[before] & closing[after] & (is_named[before] == is_named[after])
    for name in _SAME:
        column = getattr(t, name)
        follows &= column[before] == column[after]
    begins = np.where(np.concatenate([[True], ~follows]), np.arange(len(t)), 0)
    first = np.empty(len(t), np.int64)
    first[by_stream] = by_stream[np.maximum.accumulate(begins)]
    return first


def _named(named: NamedLots, first: Ints, rows: Ints) -> NamedLots:
    """The lots that the orders name, with rows as they are now; a lot that several fills name, once."""
    owner = first[np.repeat(np.arange(len(first)), np.diff(named.start))]
    order = np.lexsort((named.row, owner))
    owner, lot, quantity = owner[order], named.row[order], named.quantity_nano[order]
    is_new = np.ones(len(lot), bool)
    # A quantity that is not positive stands by itself, to be refused.
    is_new[1:] = (
        (owner[1:] != owner[:-1]) | (lot[1:] != lot[:-1]) | (quantity[1:] <= 0) | (quantity[:-1] <= 0)
    )
    at = np.flatnonzero(is_new)
    place = np.full(len(first), -1)  # a later fill of an order made no lot
    place[rows] = np.arange(len(rows))
    lot = lot[at]
    is_row = (lot >= 0) & (lot < len(first))
    return NamedLots(
        start=np.concatenate([[0], np.cumsum(np.bincount(owner[at], minlength=len(first))[rows])]),
        row=np.where(is_row, place[np.where(is_row, lot, 0)], -1),
        quantity_nano=np.add.reduceat(quantity, at),
    )
