"""The one fold: events in, lots, disposals, wash links and cash out, in both views.

The taxpayer view follows the law (household × substantially identical group); the broker view
follows what the custodian must report (account × security, §6045(g)(2)(B)(ii)). A sale without
named lots relieves what the *broker's* books relieve, for that is what is confirmed; the
taxpayer view then closes the same lots.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from allotment.book.lots import Lots
from allotment.ledger.events import AccountTable, Events
from allotment.tax.identical import IdenticalGroups
from allotment.tax.pretrade import OpenClaims
from allotment.tax.transactions import FoldPolicy
from allotment.units import Codes, Dates, Index, Ints


class ProblemCode(IntEnum):
    """Why an event could not be folded; the event is left out, the rest is still folded."""

    SOLD_MORE_THAN_HELD = 1  # `wanted_nano` was asked, `held_nano` is there
    LOT_NOT_HELD = 2  # a named lot is not there in that quantity
    NAMED_QUANTITY_DIFFERS = 3  # named lots do not add up to the quantity
    UNKNOWN_ACCOUNT = 4
    WRONG_HOUSEHOLD = 5
    NOT_POSITIVE = 6  # a quantity, ratio or price that must be positive
    UNKNOWN_KIND = 7
    TOO_LARGE = 8  # amounts beyond 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One event that contradicts the others."""

    event: int
    code: ProblemCode
    wanted_nano: int
    held_nano: int

    def __str__(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposals:
    """What was sold, one row per piece of a lot, in order of account, then sale. Shape (n,).

    gain = proceeds - basis + disallowed. A gift sold between its two bases is booked with basis
    equal to proceeds.
    """

    account_ix: Index
    event: Ints  # the sale
    security_id: Ints
    origin_event: Ints  # the lot
    origin_line: Index
    day: Dates  # trade date
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints  # adjusted: earlier wash additions included
    disallowed_cents: Ints  # of the loss, ≥ 0
    permanent_cents: Ints  # the part of disallowed that goes nowhere
    gain_cents: Ints  # recognised
    long_term: Codes
    acquired: Dates
    holding_from: Dates
    acquisition_id: Ints  # the purchase that the shares came from
    taxable: Codes  # 0: inside an IRA, no tax event
    open_nano: Ints  # shares of a loss that a purchase until day + 30 would still wash, splits included

    def __len__(self) -> int:
        return int(self.account_ix.shape[0])

    def take(self, rows: Index | Ints | slice | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Disposals:
        """The rows asked for (positions, slice or mask), in that order."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class WashLinks:
    """Which shares washed which loss: one row per match. Shape (n_links,)."""

    disposal_ix: Ints  # row of Disposals whose loss is disallowed
    account_ix: Index  # account that holds the replacement
    replacement_event: Ints  # the lot that replaced
    replacement_line: Index
    quantity_nano: Ints  # shares of the replacement used
    sold_nano: Ints  # shares of the loss lot replaced
    amount_cents: Ints  # disallowed by this match
    permanent: Codes  # 1: the replacement sits in an IRA (or a spouse's lot, by policy)
    matched: Dates  # when it became known: day of the sale or of the later purchase

    def __len__(self) -> int:
        return int(self.disposal_ix.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Lots, disposals and links under one reading of who counts. Lots ascending by account,
    security, acquisition."""

    lots: Lots
    disposals: Disposals
    links: WashLinks


@dataclass(frozen=True, slots=True, kw_only=True)
class BookState:
    """What follows from the events."""

    accounts: AccountTable
    taxpayer: View
    broker: View
    cash_cents: Ints  # (n_accounts,) by trade date, everything counted
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxpayerYear:
    """Recognised net gains by taxpayer, shape (n_taxpayers,), ascending by id."""

    taxpayer_ids: Ints
    short_cents: Ints
    long_cents: Ints


def fold(
    events: Events,
    accounts: AccountTable,
    groups: IdenticalGroups,
    policy: FoldPolicy | None = None,
) -> BookState:
    """Fold events of any number of households; folding one household gives its part of the book.

    Securities that `groups` does not know stand alone. Raises InvariantError when money or
    shares are not conserved (docs/law/numbers.md); contradictions in the input are `problems`.
    """
    raise NotImplementedError


def open_claims(state: BookState, groups: IdenticalGroups, asof: Dates) -> OpenClaims:
    """Losses of the taxpayer view that a purchase on `asof` would wash, for `tax.pretrade`."""
    raise NotImplementedError


def taxpayer_year(state: BookState, year: int) -> TaxpayerYear:
    """Net short and long gains of `year` in the taxable accounts, by taxpayer."""
    raise NotImplementedError
