"""Periods of discretion, from the events that begin and end them."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from allotment.ledger.corrections import in_force
from allotment.ledger.discretion import Period, periods, periods_of
from allotment.ledger.events import EventKind
from allotment.ledger.write import EventWriter

BEGINS, ENDS = EventKind.DISCRETION_BEGINS, EventKind.DISCRETION_ENDS
FIRST = date(2024, 1, 1)


def test_an_account_leaves_and_comes_back_and_a_reversed_end_never_was() -> None:
    book = EventWriter()
    book.write(BEGINS, 1, 10, date(2024, 1, 2))
    ended = book.write(ENDS, 1, 10, date(2024, 6, 3))
    book.write(BEGINS, 1, 10, date(2024, 6, 3))
    book.write(BEGINS, 1, 11, date(2024, 3, 1))
    found = periods(in_force(book.events()).events)
    assert found == {
        10: [Period(date(2024, 1, 2), date(2024, 6, 3)), Period(date(2024, 6, 3))],
        11: [Period(date(2024, 3, 1))],
    }
    book.write(EventKind.REVERSAL, 1, 10, date(2024, 6, 3), reverses=ended)
    assert periods(in_force(book.events()).events)[10] == [Period(date(2024, 1, 2))]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12))
def test_periods_never_overlap_and_every_day_is_as_the_last_event_before_it_says(
    told: list[tuple[int, bool]],
) -> None:
    days = [(1, BEGINS if begins else ENDS, FIRST + timedelta(day)) for day, begins in told]
    found = periods_of(days).get(1, [])
    assert all(not one.overlaps(other) for one in found for other in found if one is not other)
    for at in range(42):
        day = FIRST + timedelta(at)
        # Of one day ends count before begins.
        before = sorted((told_day, begins) for told_day, begins in told if told_day <= at)
        inside = any(one.begins <= day and (one.ends is None or day < one.ends) for one in found)
        assert inside == (bool(before) and before[-1][1])
