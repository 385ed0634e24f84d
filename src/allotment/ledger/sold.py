"""What was sold, as it is stored: by household and tax year, with accounts by id.

A year that is over seldom changes, so the stored rows of a household fall apart into years, each
with the wash links of its disposals.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from allotment.ledger.fold import Disposals, View, WashLinks
from allotment.units import Codes, Dates, Index, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldRows:
    """`ledger.fold.Disposals` with the account's id. Shape (n,)."""

    account_id: Ints
    sleeve_ix: Index
    event: Ints
    security_id: Ints
    origin_event: Ints
    origin_line: Index
    day: Dates
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints
    disallowed_cents: Ints
    permanent_cents: Ints
    gain_cents: Ints
    long_term: Codes
    acquired: Dates
    holding_from: Dates
    acquisition_id: Ints
    taxable: Codes
    covered: Codes
    open_nano: Ints

    def __len__(self) -> int:
        return int(self.account_id.shape[0])

    def take(self, rows: Ints) -> SoldRows:
        """The rows at the given positions, in that order."""
        return SoldRows(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRows:
    """`ledger.fold.WashLinks` with the account's id. Shape (n,)."""

    disposal_row: Index  # among the disposals of the household and year
    account_id: Ints
    security_id: Ints
    replacement_event: Ints
    replacement_line: Index
    quantity_nano: Ints
    sold_nano: Ints
    amount_cents: Ints
    permanent: Codes
    matched: Dates

    def __len__(self) -> int:
        return int(self.account_id.shape[0])

    def take(self, rows: Ints) -> LinkRows:
        """The rows at the given positions, in that order."""
        return LinkRows(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSales:
    """Wash links of taxable sales whose loss goes nowhere, each beside its disposal. Shape (n,)."""

    sold: SoldRows
    links: LinkRows

    def __len__(self) -> int:
        return len(self.links)


def lost_sales(sold: SoldRows, starts: Ints, links: LinkRows, link_starts: Ints) -> LostSales:
    """The links among stored rows by which a loss is gone for good.

    starts, link_starts: of the groups (household and year) among the rows, shape (n_groups + 1,).
    """
    group = np.repeat(np.arange(len(link_starts) - 1), np.diff(link_starts))
    at = starts[:-1][group] + links.disposal_row
    gone = np.flatnonzero((links.permanent == 1) & (sold.taxable[at] == 1))
    return LostSales(sold=sold.take(at[gone]), links=links.take(gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldByYear:
    """Disposals and links of one view, one group a household and year, ascending.

    household_id, year: shape (n_groups,); the starts: (n_groups + 1,).
    """

    household_id: Ints
    year: Ints
    rows: SoldRows
    starts: Ints
    links: LinkRows
    link_starts: Ints

    def __len__(self) -> int:
        return int(self.household_id.shape[0])


def sold_by_year(view: View, account_ids: Ints, household_ids: Ints) -> SoldByYear:
    """The view's disposals by household and year of the sale; inside a group in the view's order.

    account_ids, household_ids: of the account table, shape (n_accounts,).
    """
    sold, links = view.disposals, view.links
    household = household_ids[sold.account_ix]
    year = sold.day.astype("M8[Y]").astype(np.int64) + 1970
    order = np.lexsort((year, household))
    home, when = household[order], year[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (home[1:] != home[:-1]) | (when[1:] != when[:-1])
    begins = np.flatnonzero(is_first)
    starts = np.append(begins, len(order)).astype(np.int64)
    group = np.cumsum(is_first) - 1
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - starts[group]
    group_of = np.empty(len(order), np.int64)
    group_of[order] = group
    by_group = np.argsort(group_of[links.disposal_ix], kind="stable")
    at_row = place[links.disposal_ix[by_group]].astype(np.int32)
    return SoldByYear(
        household_id=home[begins],
        year=when[begins],
        rows=_rows(sold.take(order), account_ids),
        starts=starts,
        links=_links(links, by_group, at_row, account_ids),
        link_starts=np.searchsorted(group_of[links.disposal_ix[by_group]], np.arange(len(starts))),
    )


def _rows(sold: Disposals, account_ids: Ints) -> SoldRows:
    own = {part.name: getattr(sold, part.name) for part in fields(sold) if part.name != "account_ix"}
    return SoldRows(account_id=account_ids[sold.account_ix], **own)


def _links(links: WashLinks, chosen: Ints, at_row: Index, account_ids: Ints) -> LinkRows:
    apart = {"disposal_ix", "account_ix"}
    own = {part.name: getattr(links, part.name)[chosen] for part in fields(links) if part.name not in apart}
    return LinkRows(disposal_row=at_row, account_id=account_ids[links.account_ix[chosen]], **own)
