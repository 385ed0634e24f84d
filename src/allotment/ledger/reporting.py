"""One taxpayer's sales of a year out of the books, in the taxpayer's and the broker's view."""

from __future__ import annotations

import numpy as np

from allotment.ledger.fold import BookState, View
from allotment.tax.broker_view import Owners, SalesView, YearOfSales
from allotment.tax.broker_view import year_of_sales as both_views
from allotment.units import Ints


def year_of_sales(state: BookState, taxpayer_id: int, year: int) -> YearOfSales:
    """The taxable sales of one taxpayer, by sale and lot, beside what the broker reports."""
    sold = state.taxpayer.disposals
    mine = state.accounts.taxpayer_ids[sold.account_ix] == taxpayer_id
    in_year = sold.day.astype("M8[Y]") == np.datetime64(str(year), "Y")
    lots = _lot_numbers(state)
    _, taxpayer = np.unique(state.accounts.taxpayer_ids, return_inverse=True)
    return both_views(
        _sales_view(state.taxpayer, lots[0], lots[1]),
        _sales_view(state.broker, lots[2], lots[3]),
        Owners(taxpayer=taxpayer.astype(np.int32), taxable=state.accounts.taxable, paper={}),
        mine & in_year & (sold.taxable == 1),
        np.zeros(len(sold), np.bool_),
    )


def _lot_numbers(state: BookState) -> list[Ints]:
    """One number for each (event, line) that made a lot: of our disposals and links, then theirs."""
    pairs = []
    for view in (state.taxpayer, state.broker):
        pairs.append((view.disposals.origin_event, view.disposals.origin_line))
        pairs.append((view.links.replacement_event, view.links.replacement_line))
    stacked = np.concatenate([np.stack([event, line.astype(np.int64)]) for event, line in pairs], axis=1)
    _, number = np.unique(stacked, axis=1, return_inverse=True)
    ends = np.cumsum([len(event) for event, _ in pairs])[:-1]
    return list(np.split(number.ravel(), ends))


def _sales_view(view: View, lot: Ints, link_lot: Ints) -> SalesView:
    sold, links = view.disposals, view.links
    return SalesView(
        account_ix=sold.account_ix,
        sale=sold.event,
        lot=lot,
        security_id=sold.security_id,
        acquired=sold.acquired,
        sold=sold.day,
        quantity_nano=sold.quantity_nano,
        proceeds_cents=sold.proceeds_cents,
        basis_cents=sold.basis_cents,
        disallowed_cents=sold.disallowed_cents,
        long_term=sold.long_term,
        covered=sold.covered,
        link_row=links.disposal_ix,
        link_account_ix=links.account_ix,
        link_lot=link_lot,
        link_security_id=links.security_id,
    )
