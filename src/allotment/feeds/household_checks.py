"""Rules over several cells of the files of households. Mistakes are collected in the table."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.expected import Coming
from allotment.feeds.table import Table
from allotment.units import Bools


def check_links(table: Table, _asof: date) -> None:
    """An account leaves after it came."""
    _one_after_the_other(table, "linked", "unlinked")


def check_discretion(table: Table, _asof: date) -> None:
    """A period ends after it has begun."""
    _one_after_the_other(table, "begins", "ends")


def _one_after_the_other(table: Table, first: str, last: str) -> None:
    begins, ends = table.days(first), table.days(last)
    wrong = np.flatnonzero((ends <= begins) & table.sound(first, last))
    found = [f"{ends[row]} is not after `{first}`, {begins[row]}" for row in wrong.tolist()]
    table.refuse(wrong, last, found, "correct one of the two days")


def check_outside(table: Table, _asof: date) -> None:
    """Settlement follows the trade."""
    traded, settles = table.days("date"), table.days("settles")
    wrong = np.flatnonzero((settles < traded) & table.sound("date", "settles"))
    found = [f"{settles[row]} is before `date`, {traded[row]}" for row in wrong.tolist()]
    table.refuse(wrong, "settles", found, "correct one of the two days")


def check_expected(table: Table, _asof: date) -> None:
    """Every kind of line has what it needs."""
    words = table.words("what")
    is_known = table.sound("what")

    def of(claim: str) -> Bools:
        meant = [word in set(Coming) and getattr(Coming(word), claim) for word in words.values]
        chosen: Bools = (words.mapped([int(one) for one in meant]) == 1) & is_known
        return chosen

    buys, of_year = of("is_purchase"), of("is_of_the_year")
    attests = words.mapped([int(word == Coming.NO_PURCHASES) for word in words.values]) == 1
    _need(table, buys, "security", "name what is bought")
    _need(table, buys, "start", "give the day, or the first day of a range")
    _need(table, of_year, "taxpayer", "say whose it is")
    _need(table, attests & is_known, "account", "say of which account the client attests it")
    shares, amount = table.ints("shares"), table.ints("amount")
    sound = table.sound("shares", "amount")
    missing = np.flatnonzero(buys & (shares == 0) & (amount <= 0) & sound)
    table.refuse(missing, "shares", "found neither shares nor an amount", "give one of the two")
    gain = words.mapped([int(word == Coming.GAIN) for word in words.values]) == 1
    negative = np.flatnonzero(of_year & ~gain & (amount < 0) & sound)
    table.refuse(negative, "amount", "found a negative amount", "give it as a positive one")
    _need(table, of_year, "amount", "give the dollars")
    _check_days(table, buys)


def _check_days(table: Table, buys: Bools) -> None:
    start, end = table.days("start"), table.days("end")
    backwards = np.flatnonzero((end < start) & table.sound("start", "end"))
    found = [f"{end[row]} is before `start`, {start[row]}" for row in backwards.tolist()]
    table.refuse(backwards, "end", found, "correct one of the two days")
    no_end = np.flatnonzero((table.ints("every_days") > 0) & table.empty["end"] & table.sound("every_days"))
    table.refuse(no_end, "end", "found nothing for purchases that go on", "give the last day")
    year = start.astype("M8[Y]").astype(np.int64) + 1970
    elsewhere = np.flatnonzero(
        buys & ~np.isnat(start) & (year != table.ints("year")) & table.sound("start", "year")
    )
    found = [f"{start[row]} is not in the year of the page" for row in elsewhere.tolist()]
    table.refuse(elsewhere, "start", found, "put the line on the page of its year")


def _need(table: Table, wanted: Bools, column: str, remedy: str) -> None:
    rows = np.flatnonzero(wanted & table.empty[column] & table.sound(column))
    table.refuse(rows, column, "found nothing", remedy)
