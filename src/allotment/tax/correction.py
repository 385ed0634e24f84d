"""What changed between two states of a book, and why: for the record, and for a filed return."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from allotment.tax.recompute import Book
from allotment.units import Ints


class Rule(StrEnum):
    """What made the figures change."""

    SALE = "sale"  # the disposal came, went, or its shares or proceeds changed
    WASH_SALE = "wash sale"
    BASIS = "basis"
    TERM = "holding period"
    LOT = "lot"  # an open lot came, went, or its shares changed


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over the pieces of one disposal or open lot, cents and billionths of a share."""

    quantity_nano: int = 0
    proceeds_cents: int = 0
    basis_cents: int = 0
    disallowed_cents: int = 0
    permanent_cents: int = 0
    long_nano: int = 0  # shares with a long-term holding period
    holding_from: int = 0  # sum over pieces of the day, for open lots

    @property
    def gain_cents(self) -> int:
        """Recognised."""
        return self.proceeds_cents - self.basis_cents + self.disallowed_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One disposal (or open lot, `sale` -1) whose figures are no longer what they were.

    sale, lot: ids of transactions; before, after: None where there is nothing.
    """

    sale: int
    lot: int
    account_ix: int
    year: int  # tax year of the disposal, 0 for a lot
    rules: tuple[Rule, ...]
    causes: tuple[int, ...]  # ids of the changed transactions of the same household and family
    before: Figures | None
    after: Figures | None
    is_filed: bool  # the year's return was filed: an amended one may be due


def corrections(
    before: Book, after: Book, causes: Collection[int] = (), filed: Collection[int] = ()
) -> tuple[Correction, ...]:
    """Every difference, ascending by year, account, sale, lot.

    causes: ids of changed transactions, as `recompute.refold` gives them; each correction names
    those of its security or, if there is none, all. filed: tax years whose returns are filed.
    """
    old, new = _figures(before), _figures(after)
    securities = _securities(before) | _securities(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        year, account, sale, lot = key
        own = tuple(sorted(c for c in causes if securities.get(c) == securities.get(lot)))
        found.append(
            Correction(
                sale=sale,
                lot=lot,
                account_ix=account,
                year=year,
                rules=_rules(was, now, is_lot=sale < 0),
                causes=own or tuple(sorted(causes)),
                before=was,
                after=now,
                is_filed=year in filed,
            )
        )
    return tuple(found)


def _rules(was: Figures | None, now: Figures | None, *, is_lot: bool) -> tuple[Rule, ...]:
    first = Rule.LOT if is_lot else Rule.SALE
    if was is None or now is None:
        return (first,)
    rules = []
    if (was.quantity_nano, was.proceeds_cents) != (now.quantity_nano, now.proceeds_cents):
        rules.append(first)
    washed = (was.disallowed_cents, was.permanent_cents) != (now.disallowed_cents, now.permanent_cents)
    if washed:
        rules.append(Rule.WASH_SALE)
    if was.basis_cents != now.basis_cents:
        rules.append(Rule.BASIS)
    if (was.long_nano, was.holding_from) != (now.long_nano, now.holding_from):
        rules.append(Rule.TERM)
    return tuple(rules)


_Key = tuple[int, int, int, int]  # year, account, sale, lot


def _figures(book: Book) -> dict[_Key, Figures]:
    sold, lots, ids = book.folded.disposals, book.folded.lots, book.ids
    year = sold.day.astype("M8[Y]").astype(np.int64) + 1970
    taxable = sold.taxable == 1
    keys = np.stack([year, sold.account_ix, ids[sold.sale_row], ids[sold.origin_row]])[:, taxable]
    columns = (
        sold.quantity_nano,
        sold.proceeds_cents,
        sold.basis_cents,
        sold.disallowed_cents,
        sold.permanent_cents,
        np.where(sold.long_term == 1, sold.quantity_nano, 0),
        np.zeros(len(year), np.int64),
    )
    found = _summed(keys, tuple(column[taxable] for column in columns))
    nothing = np.zeros(len(lots.origin_row), np.int64)
    keys = np.stack([nothing, lots.account_ix, nothing - 1, ids[lots.origin_row]])
    day = lots.holding_from.astype("M8[D]").astype(np.int64)
    held = (lots.quantity_nano, nothing, lots.basis_cents, nothing, nothing, nothing, day)
    return found | _summed(keys, held)


def _summed(keys: Ints, columns: tuple[Ints, ...]) -> dict[_Key, Figures]:
    distinct, at = np.unique(keys, axis=1, return_inverse=True)
    sums = np.zeros((distinct.shape[1], len(columns)), np.int64)
    for place, column in enumerate(columns):
        np.add.at(sums[:, place], at.ravel(), column)
    rows = zip(distinct.T.tolist(), sums.tolist(), strict=True)
    return {(y, a, s, lot): Figures(*one) for (y, a, s, lot), one in rows}


def _securities(book: Book) -> dict[int, int]:
    return dict(zip(book.ids.tolist(), book.transactions.security_ix.tolist(), strict=True))
