"""Tax lots: a record for people, columns for arithmetic.

Only the fold of events makes lots (`allotment.ledger`); everybody else reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np

from allotment.units import Codes, Dates, Index, Ints

NOT_PURCHASED = np.datetime64("NaT", "D")


class BasisState(IntEnum):
    """What is known of a lot's basis. Pending and missing lots trade but are not harvested."""

    KNOWN = 0
    PENDING = 1
    MISSING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LotName:
    """The custodian's name of a lot that came in kind; `transfer` is empty for the opening's lots."""

    event_seq: int
    line: int
    account_id: int
    transfer: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lots:
    """Open lots of one or many accounts. Every column has shape (n_lots,).

    A lot is named by the event that made it: (`origin_event`, `origin_line`); pieces of a lot
    that a wash sale split share that name and differ in their other columns.
    """

    account_ix: Index  # position in the account table at hand
    sleeve_ix: Index  # position of the sleeve inside its account, 0 for the first
    security_id: Ints
    side: Codes  # +1 long, -1 short
    quantity_nano: Ints  # billionths of a share, positive
    basis_cents: Ints  # total of the piece, wash-sale additions included
    loss_basis_cents: Ints  # basis for a loss where a gift makes it differ, else equal to basis
    acquired: Dates  # actual acquisition
    holding_from: Dates  # start for long-term, tacking included
    purchased: Dates  # day of purchase for wash sales, NaT when not acquired by purchase
    acquisition_id: Ints  # parent order: shares of one purchase do not replace one another
    origin_event: Ints
    origin_line: Index
    absorbed: Codes  # 1 when these shares have already washed a loss
    covered: Codes  # 1 when the broker reports basis
    basis_state: Codes  # a BasisState

    def __post_init__(self) -> None:
        n = self.account_ix.shape
        for field in fields(self):
            assert getattr(self, field.name).shape == n, field.name

    def __len__(self) -> int:
        return int(self.account_ix.shape[0])

    def take(self, rows: Index | Ints | slice | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Self:
        """The lots at the given rows (positions, slice or mask), in that order."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})
