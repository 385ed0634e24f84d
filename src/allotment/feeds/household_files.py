"""Files of households as events and pages: links, discretion, outside transactions, what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from allotment.book.expected import Coming, Confidence, Expected, YearPage
from allotment.book.household import AccountKind
from allotment.feeds.household_schemas import OutsideKind, Term
from allotment.feeds.references import Known, rows_of
from allotment.feeds.table import Table
from allotment.ledger.discretion import Period
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import EventWriter
from allotment.units import Ints

Linked = Mapping[tuple[int, EventKind], date]  # (account, linked or unlinked) -> day, in force

_KIND = {
    OutsideKind.BUY: EventKind.BUY,
    OutsideKind.REINVEST: EventKind.REINVEST,
    OutsideKind.SELL: EventKind.SELL,
}


def links(table: Table, known: Known, linked: Linked) -> Events:
    """An event for every day that is not recorded yet."""
    rows_of(table, "account", known.accounts, "account")
    codes = table.words("account").each()
    writer = EventWriter()
    for row in np.flatnonzero(table.sound("account", "linked", "unlinked")).tolist():
        account = known.accounts[codes[row]]
        for column, kind in (
            ("linked", EventKind.ACCOUNT_LINKED),
            ("unlinked", EventKind.ACCOUNT_UNLINKED),
        ):
            day, recorded = table.days(column)[row].item(), linked.get((account.account_id, kind))
            if day is None or day == recorded:
                continue
            if recorded is None:
                writer.write(kind, account.household_id, account.account_id, day)
            else:
                found = f"the account was {column} on {recorded}, by its record"
                table.refuse([row], column, found, "reverse that event first: `allotment ledger reverse`")
    table.check()
    return writer.events()


def discretion(table: Table, known: Known, recorded: Mapping[int, Sequence[Period]]) -> Events:
    """An event for every begin and end that is not recorded yet."""
    rows_of(table, "account", known.accounts, "account")
    codes, begins, ends = table.words("account").each(), table.days("begins"), table.days("ends")
    writer = EventWriter()
    taken = {account: list(periods) for account, periods in recorded.items()}
    for row in np.flatnonzero(table.sound("account", "begins", "ends")).tolist():
        account, period = known.accounts[codes[row]], Period(begins[row].item(), ends[row].item())
        mine = taken.setdefault(account.account_id, [])
        same = next((one for one in mine if one.begins == period.begins), None)
        other = next((one for one in mine if one is not same and one.overlaps(period)), None)
        if other is not None:
            found = f"the period overlaps with that from {other.begins} to {other.ends or 'now'}"
            table.refuse([row], "begins", found, "correct the days, or give the other period its end first")
        elif same is not None and same.ends is not None and period.ends not in (None, same.ends):
            found = f"the period ended on {same.ends}, by its record"
            table.refuse([row], "ends", found, "reverse that event first: `allotment ledger reverse`")
        else:
            home = account.household_id, account.account_id
            if same is None:
                writer.write(EventKind.DISCRETION_BEGINS, *home, period.begins)
            elif same.ends is None:
                mine.remove(same)
            else:
                continue
            if period.ends is not None:
                writer.write(EventKind.DISCRETION_ENDS, *home, period.ends)
            mine.append(period)
    table.check()
    return writer.events()


def outside_transactions(table: Table, known: Known, asof: date) -> Events:
    """Events of outside accounts, row by row of the file; row i is event i + 1."""
    rows_of(table, "account", known.accounts, "account")
    codes, kinds = table.words("account").each(), table.words("kind").each()
    traded, settles = table.days("date"), table.days("settles")
    security = known.securities.ids(table, "security", traded)
    for row in np.flatnonzero(table.sound("account", "date")).tolist():
        account, day = known.accounts[codes[row]], traded[row].item()
        if account.is_managed:
            found = f"account {account.code!r} is managed here: its transactions come from its custodian"
            table.refuse([row], "account", found, "leave it out, or mark the account as fed or attested")
        elif day < account.opened or (account.closed is not None and day > account.closed):
            table.refuse(
                [row], "date", f"account {account.code!r} was not open on {day}", "correct one of the two"
            )
    table.check()
    quantity, amount = table.ints("quantity"), table.ints("amount")
    writer = EventWriter()
    for row, code in enumerate(codes):
        account = known.accounts[code]
        writer.write(
            _KIND[OutsideKind(kinds[row])],
            account.household_id,
            account.account_id,
            traded[row].item(),
            security_id=int(security[row]),
            quantity_nano=int(quantity[row]),
            amount_cents=int(amount[row]),
            settles=settles[row].item(),
        )
    assert traded.max().item() <= asof
    return writer.events()


def outside_ids(table: Table) -> list[str]:
    """What each row is known by, so that it is booked once."""
    accounts, names = table.words("account").each(), table.words("id").each()
    return [f"{account} {name}" for account, name in zip(accounts, names, strict=True)]


def expected(table: Table, known: Known, asof: date) -> list[YearPage]:
    """One page a household and year, its lines in the order of the file."""
    for column, records in (
        ("household", known.households),
        ("taxpayer", known.taxpayers),
        ("account", known.accounts),
    ):
        rows_of(table, column, records, column)
    home = table.words("household").each()
    _refuse_strangers(table, known, home)
    security = known.securities.ids(table, "security", asof)
    table.check()
    years = table.ints("year").tolist()
    pages: dict[tuple[int, int], list[Expected]] = {}
    for row, line in enumerate(_lines(table, known, security)):
        pages.setdefault((known.households[home[row]].household_id, years[row]), []).append(line)
    return [
        YearPage(household_id=household, year=year, version=0, lines=tuple(lines))
        for (household, year), lines in sorted(pages.items())
    ]


def _refuse_strangers(table: Table, known: Known, home: Sequence[str]) -> None:
    for column, records in (("taxpayer", known.taxpayers), ("account", known.accounts)):
        codes = table.words(column).each()
        strangers = [
            row
            for row in np.flatnonzero(table.sound("household", column) & ~table.empty[column]).tolist()
            if records[codes[row]].household_id != known.households[home[row]].household_id
        ]
        found = [f"{column} {codes[row]!r} does not belong to household {home[row]!r}" for row in strangers]
        table.refuse(strangers, column, found, "correct one of the two")


def _lines(table: Table, known: Known, security: Ints) -> list[Expected]:
    texts = {
        name: table.words(name).each()
        for name in ("what", "confidence", "taxpayer", "account", "inside", "term", "note")
    }
    made = []
    for row in range(len(table)):
        text = {name: values[row] for name, values in texts.items()}
        account = known.accounts.get(text["account"])
        owner = known.taxpayers.get(text["taxpayer"])
        made.append(
            Expected(
                what=Coming(text["what"]),
                confidence=Confidence(text["confidence"]),
                taxpayer_id=owner.taxpayer_id if owner else 0,
                account_id=account.account_id if account else 0,
                kind=account.kind if account else AccountKind(text["inside"]),
                security_id=int(security[row]),
                start=table.days("start")[row].item(),
                end=table.days("end")[row].item(),
                every_days=int(table.ints("every_days")[row]),
                quantity_nano=int(table.ints("shares")[row]),
                amount_cents=int(table.ints("amount")[row]),
                is_long=text["term"] == Term.LONG,
                note=text["note"],
            )
        )
    return made
