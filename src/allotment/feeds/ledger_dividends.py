"""A ledger's dividends lot by lot: what each was paid, and whether it is qualified.

Law: `tax.dividend` and `tax.entitled`. What an account with a short open on the ex-date pays in lieu is
no dividend of anybody in these books: it stands with a minus in a bucket of its own, and is flagged
(§263(h) [M]). Inside an IRA a dividend is no income, and has no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np

from allotment.feeds.ledger_json import Ledger
from allotment.feeds.ledger_reader import Fact
from allotment.tax.dividend import (
    DAYS_MORE_THAN,
    PREFERRED_DAYS_MORE_THAN,
    Bucket,
    Payment,
    bucket,
    days_held_around,
    is_qualified,
    is_qualified_preferred,
    year_of_dividend,
)
from allotment.tax.entitled import NOT_GONE, Entitled, ExDate, entitled
from allotment.tax.folded import Folded
from allotment.units import Dates, as_day

OPEN, PAID_IN_LIEU = "open", "paid in lieu"  # buckets beside those of the law
_NANO_DOLLARS_TO_CENTS = 10**16  # billionths of a share × billionths of a dollar


@dataclass(frozen=True, slots=True, kw_only=True)
class DividendPart:
    """What one dividend paid on shares of one lot that share one fate inside the window."""

    fact: Fact
    account_ix: int
    lot_row: int
    quantity_nano: int  # as of the ex-date; negative: short
    amount_cents: int  # negative: paid by the account
    counted_days: int  # held inside the window so far, less those of diminished risk; 0 for a short
    qualified: str  # yes, no, open
    bucket: str
    year: int
    gone: tuple[tuple[int, int], ...]  # (transaction, shares) by which they left within a year or so


@dataclass(frozen=True, slots=True, kw_only=True)
class DividendSums:
    """Dividends in cents. `open`: qualified or ordinary, as the lots are kept or sold."""

    qualified: int = 0
    ordinary: int = 0  # dividends that are not qualified
    received_in_lieu: int = 0  # ordinary too, but no dividends on the return
    section_199a: int = 0
    open: int = 0
    paid_in_lieu: int = 0  # positive


def dividend_parts(ledger: Ledger, folded: Folded) -> tuple[DividendPart, ...]:
    """Every dividend in the order of the file, by account, acquisition, lot, day of leaving.

    Sums by account are the dividend per share times the shares, half-up to the cent; lots share them
    by the residue rule of docs/law/numbers.md.
    """
    paid = [fact for fact in ledger.facts if fact.type == "dividend"]
    if not paid:
        return ()
    asked = [
        ExDate(
            security_ix=ledger.symbols.index(fact.symbol),
            account_ix=fact.account,
            day=int(as_day(ex_date(fact)).astype(np.int64)),
        )
        for fact in paid
    ]
    found = entitled(ledger.transactions, folded, ledger.accounts, ledger.groups, ledger.policy.fold, asked)
    parts: list[DividendPart] = []
    for (number, account, _), mine in groupby(found, key=lambda e: (e.ex_date, e.account_ix, e.is_short)):
        if ledger.accounts.taxable[account]:
            parts += _shared_out(ledger, paid[number], list(mine))
    return tuple(parts)


def dividend_sums(ledger: Ledger, parts: Sequence[DividendPart], year: int, owner: str = "") -> DividendSums:
    """The year's sums in the accounts of `owner` (taxpayer, spouse; both by default)."""

    def is_asked(part: DividendPart) -> bool:
        is_spouse = bool(ledger.accounts.owner_ix[part.account_ix])
        return part.year == year and (not owner or is_spouse == (owner == "spouse"))

    return sums_of(filter(is_asked, parts))


def sums_of(parts: Iterable[DividendPart]) -> DividendSums:
    """The parts added up by bucket."""
    sums = dict.fromkeys((*Bucket, OPEN, PAID_IN_LIEU, Payment.IN_LIEU), 0)
    for part in parts:
        is_lent = payment_of(part.fact) is Payment.IN_LIEU and part.quantity_nano > 0
        sums[Payment.IN_LIEU if is_lent else part.bucket] += part.amount_cents
    return DividendSums(
        qualified=sums[Bucket.QUALIFIED],
        ordinary=sums[Bucket.ORDINARY],
        received_in_lieu=sums[Payment.IN_LIEU],
        section_199a=sums[Bucket.SECTION_199A],
        open=sums[OPEN],
        paid_in_lieu=-sums[PAID_IN_LIEU],
    )


def ex_date(fact: Fact) -> date:
    """The day that decides who is paid; the day of payment when the file has none (flagged)."""
    found: date = fact.values.get("ex_date") or fact.day
    return found


def amount_cents(fact: Fact, quantity_nano: int) -> int:
    """The dividend on so many shares, half-up to the cent."""
    return _divided(fact.values["per_share"] * quantity_nano, _NANO_DOLLARS_TO_CENTS)


@dataclass(frozen=True, slots=True)
class _Held:
    """The test of shares that left together, if they did, inside the window."""

    days: int
    qualified: str


def _shared_out(ledger: Ledger, fact: Fact, mine: Sequence[Entitled]) -> list[DividendPart]:
    """The parts of one account, all held or all short."""
    parts = []
    left = sum(e.quantity_nano for e in mine)
    cents = amount_cents(fact, left)
    tests = [(e, _tested(ledger, fact, e)) for e in mine]
    alike = groupby(tests, key=lambda test: (test[0].acquired, test[0].origin_row, test[1]))
    for (_, origin, held), group in alike:
        together = [e for e, _ in group]
        quantity = sum(e.quantity_nano for e in together)
        amount = _divided(cents * quantity, left)
        cents, left = cents - amount, left - quantity
        is_short = together[0].is_short
        parts.append(
            DividendPart(
                fact=fact,
                account_ix=together[0].account_ix,
                lot_row=origin,
                quantity_nano=-quantity if is_short else quantity,
                amount_cents=-amount if is_short else amount,
                counted_days=held.days,
                qualified=held.qualified,
                bucket=_bucket(fact, held.qualified, is_short),
                year=fact.day.year if is_short else _year(fact),
                gone=tuple((e.left_row, e.quantity_nano) for e in together if e.left_row != NOT_GONE),
            )
        )
    return parts


def _tested(ledger: Ledger, fact: Fact, shares: Entitled) -> _Held:
    """§246(c) on what is known by the last transaction; open when the days to come decide."""
    if shares.is_short:
        return _Held(0, "no")
    preferred, hedged = bool(fact.values.get("preferred")), fact.values.get("hedged_days") or 0
    acquired, ex = _column(shares.acquired), _column(ex_date(fact))
    known = shares.left_row != NOT_GONE
    until = _column(shares.left if known else ledger.last_day)
    reach = PREFERRED_DAYS_MORE_THAN if preferred else DAYS_MORE_THAN
    days = max(0, int(days_held_around(acquired, until, ex, reach)[0]) - hedged)
    test = is_qualified_preferred if preferred else is_qualified
    now, if_kept = (
        bool(test(acquired, end, ex, hedged)[0])
        for end in (until, until if known else np.array(["NaT"], "M8[D]"))
    )
    if payment_of(fact) is not Payment.DIVIDEND or now == if_kept:
        return _Held(days, "yes" if now and payment_of(fact) is Payment.DIVIDEND else "no")
    return _Held(days, OPEN)


def _column(day: int | date) -> Dates:
    return np.array([day], "M8[D]")


def payment_of(fact: Fact) -> Payment:
    """Dividend, payment in lieu, or a REIT's."""
    found: Payment = fact.values.get("kind") or Payment.DIVIDEND
    return found


def _bucket(fact: Fact, qualified: str, is_short: bool) -> str:
    if is_short:
        return PAID_IN_LIEU
    return OPEN if qualified == OPEN else str(bucket(payment_of(fact), qualified == "yes"))


def _year(fact: Fact) -> int:
    """D-7; without the days of declaration and record, that of payment."""
    paid = fact.day
    declared, record = fact.values.get("declared") or paid, fact.values.get("record") or paid
    is_fund = bool(fact.values.get("is_fund")) or payment_of(fact) is Payment.REIT
    return year_of_dividend(paid, declared, record, is_fund=is_fund)


def _divided(numerator: int, divisor: int) -> int:
    """Half-up, neither negative. Python's integers have no end, so no product can wrap."""
    return (2 * numerator + divisor) // (2 * divisor)
