"""What the pages of a household (`book.expected`) mean for a decision of today.

Law: §1091(a): a purchase within 30 days before or after a loss sale disallows it, wherever the household
makes it; §1212(b) losses carried in; §852(b)(3)(B) a fund's capital gain distribution is long-term.
A purchase that was due and is booked by now, on an account whose transactions we have, is counted by the
books and no longer here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from allotment.book.expected import Coming, Confidence, Expected, YearPage
from allotment.book.household import Account, AccountKind, Taxpayer
from allotment.ledger.events import EventKind, Events
from allotment.tax.pretrade import WINDOW_DAYS
from allotment.tax.wash_calendar import PlannedPurchases
from allotment.units import MICROS_PER_USD, Codes, Dates, Index, Ints, mul_div

_BOUGHT = np.array([EventKind.BUY, EventKind.REINVEST], np.int8)
_PAYDAY_SHIFTS = 3  # days by which a booked purchase may differ from the day told
_NANO_PER_MICRO_CENT = 10**13  # shares = cents / price: 10⁹ · 10⁶ / 10²


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingPurchases:
    """Purchases from outside that can wash a loss sale of `asof`, by household and day. Shape (n,)."""

    household_id: Ints
    account_id: Ints  # 0: one that is not linked
    security_id: Ints
    first: Dates  # some day from `first`
    last: Dates  # to `last`
    quantity_nano: Ints
    taxable: Codes  # 0: in an IRA, where a wash loses the loss for good
    certain: Codes  # 1 where the client is certain

    def __len__(self) -> int:
        return int(self.household_id.shape[0])

    def planned(self, household_ids: Ints, asof: Dates) -> PlannedPurchases:
        """The same for `tax.wash_calendar`, with the household's place among `household_ids`.

        A purchase that was due in the last 30 days washes a loss sale of today as one to come does.
        """
        return PlannedPurchases(
            household_ix=np.searchsorted(household_ids, self.household_id).astype(np.int32),
            security_id=self.security_id,
            day=np.maximum(self.first, asof),
            quantity_nano=self.quantity_nano,
            taxable=self.taxable,
        )


def coming_purchases(
    pages: Sequence[YearPage],
    accounts: Mapping[int, Account],
    price_micros: Mapping[int, int],
    events: Events,
    asof: date,
    *,
    with_possible: bool = False,
) -> ComingPurchases:
    """Purchases within 30 days of `asof`, before or after, that the books do not have.

    events: in force, of the pages' households. price_micros: by security, to turn amounts into shares; one
    without a price counts as many shares as dollars, which is more than it will be.
    with_possible: for screens; decisions leave those out.
    """
    booked = _booked(events)
    rows = []
    for page in pages:
        for line in page.lines:
            if not line.what.is_purchase or not (line.confidence.counts or with_possible):
                continue
            kind = accounts[line.account_id].kind if line.account_id in accounts else line.kind
            for first, last in _days(line, asof):
                if _is_booked(booked.get((line.account_id, line.security_id), ()), first, last):
                    continue
                quantity = line.quantity_nano or _shares_for(line, price_micros)
                rows.append((page.household_id, line, first, last, quantity, kind))
    rows.sort(key=lambda row: (row[0], row[2], row[1].security_id, row[1].account_id))
    return ComingPurchases(
        household_id=np.array([row[0] for row in rows], np.int64),
        account_id=np.array([row[1].account_id for row in rows], np.int64),
        security_id=np.array([row[1].security_id for row in rows], np.int64),
        first=np.array([row[2] for row in rows], "M8[D]"),
        last=np.array([row[3] for row in rows], "M8[D]"),
        quantity_nano=np.array([row[4] for row in rows], np.int64),
        taxable=np.array([row[5] is AccountKind.TAXABLE for row in rows], np.int8),
        certain=np.array([row[1].confidence is Confidence.CERTAIN for row in rows], np.int8),
    )


def in_year(taxpayer: Taxpayer, pages: Sequence[YearPage], year: int) -> Taxpayer:
    """The taxpayer with the year that the household's page tells.

    Gains and distributions on the page that are certain or likely take the place of the profile's gains
    elsewhere; losses carried in on the page take the place of the profile's.
    """
    own = [
        line
        for page in pages
        if page.year == year
        for line in page.lines
        if line.taxpayer_id == taxpayer.taxpayer_id and line.confidence.counts
    ]
    gains = [line for line in own if line.what in {Coming.GAIN, Coming.DISTRIBUTION}]
    carried = [line for line in own if line.what is Coming.CARRYFORWARD]
    if gains:
        taxpayer = replace(
            taxpayer, outside_short_cents=_sum(gains, False), outside_long_cents=_sum(gains, True)
        )
    if carried:
        taxpayer = replace(
            taxpayer, carry_short_cents=_sum(carried, False), carry_long_cents=_sum(carried, True)
        )
    return taxpayer


def silent_accounts(
    pages: Sequence[YearPage], outside: Sequence[int], security_ids: Ints, asof: date
) -> Index:
    """By security, of how many of the attested accounts `outside` nothing is known around `asof`.

    An account is known where the client attests for the day that it does not buy the security, or told
    what it will buy. Shape (n_securities,).
    """
    count = np.zeros(len(security_ids), np.int32)
    for account_id in outside:
        known = np.zeros(len(security_ids), np.bool_)
        for line in (line for page in pages for line in page.lines if line.account_id == account_id):
            begins, ends = line.start or date.min, line.end or (line.start or date.max)
            told = line.what is Coming.NO_PURCHASES and begins <= asof <= ends
            if told or line.what.is_purchase:
                known |= (security_ids == line.security_id) | (line.security_id == 0)
        count += ~known
    return count


def _sum(lines: Sequence[Expected], is_long: bool) -> int:
    return sum(line.amount_cents for line in lines if line.is_long is is_long)


def _days(line: Expected, asof: date) -> Iterator[tuple[date, date]]:
    """First and last day of each purchase that is within the window of a loss sale on `asof`."""
    assert line.start is not None
    last = line.end or line.start
    opens, closes = asof - timedelta(WINDOW_DAYS), asof + timedelta(WINDOW_DAYS)
    if line.every_days == 0:
        if line.start <= closes and last >= opens:
            yield line.start, last
        return
    skipped = max(0, -((line.start - opens).days // line.every_days))
    day = line.start + timedelta(skipped * line.every_days)
    while day <= min(last, closes):
        if day >= opens:
            yield day, day
        day += timedelta(line.every_days)


def _shares_for(line: Expected, price_micros: Mapping[int, int]) -> int:
    price = price_micros.get(line.security_id, 0) or MICROS_PER_USD
    return mul_div(line.amount_cents, _NANO_PER_MICRO_CENT, price)


def _booked(events: Events) -> dict[tuple[int, int], list[date]]:
    """Days of purchases by account and security."""
    found: dict[tuple[int, int], list[date]] = {}
    rows = np.flatnonzero(np.isin(events.kind, _BOUGHT))
    columns = (events.account_id[rows], events.security_id[rows], events.effective[rows])
    for account, security, day in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault((account, security), []).append(day)
    return found


def _is_booked(days: Sequence[date], first: date, last: date) -> bool:
    near = timedelta(_PAYDAY_SHIFTS)
    return any(first - near <= day <= last + near for day in days)
