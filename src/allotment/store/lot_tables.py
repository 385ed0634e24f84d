"""Open lots of now: one packed column blob per account and view, versioned.

The SQL view `lot` unpacks the blobs to rows for people and reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from allotment.book.lots import Lots
from allotment.store.session import FirmStore
from allotment.units import Ints


class LotView(StrEnum):
    """Whose basis: the law's for the household, or what the broker must report."""

    TAXPAYER = "taxpayer"
    BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLots:
    """Lots of accounts as stored; `lots.account_ix` points into `account_ids`."""

    account_ids: Ints  # (n_accounts,) ascending
    versions: Ints  # (n_accounts,): the household version that wrote them
    lots: Lots


def write_lots(
    firm: FirmStore,
    account_ids: Sequence[int] | Ints,
    lots: Lots,
    *,
    version: int | Ints,
    view: LotView = LotView.TAXPAYER,
) -> None:
    """Replace the lots of `account_ids`, an account without lots included.

    `lots.account_ix` points into `account_ids` and is ascending. `version`: the ledger's
    sequence that the lots stand on, one for all or one per account.
    """
    raise NotImplementedError


def read_lots(
    firm: FirmStore,
    account_ids: Sequence[int] | Ints | None = None,
    *,
    view: LotView = LotView.TAXPAYER,
) -> StoredLots:
    """The lots of the accounts (default: of every account); accounts never written are absent."""
    raise NotImplementedError
