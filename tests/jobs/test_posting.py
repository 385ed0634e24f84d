"""Events and what follows from them are written together, once, or not at all."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from allotment.book.lots import Lots
from allotment.errors import DataError
from allotment.jobs.posting import derive, post
from allotment.ledger.events import EventKind
from allotment.store import event_tables, lot_tables
from allotment.store.lot_tables import LotView


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def same_lots(one: Lots, other: Lots) -> None:
    for field in fields(Lots):
        assert np.array_equal(
            getattr(one, field.name), getattr(other, field.name), equal_nan=field.name == "purchased"
        ), field.name


def test_stored_lots_are_the_generators_own_books(sample_firm, sample_book) -> None:
    stored = lot_tables.read_lots(sample_firm, view=LotView.TAXPAYER).lots
    assert len(stored) == len(sample_book.lots)
    assert stored.quantity_nano.sum() == sample_book.lots.quantity_nano.sum()


def test_the_same_events_twice_are_booked_once(sample_firm, sample_book) -> None:
    before = event_tables.last_sequence(sample_firm)
    lots = lot_tables.read_lots(sample_firm).lots
    assert post(sample_firm, sample_book.events, source="sample world", advance=quiet).n_new == 0
    assert event_tables.last_sequence(sample_firm) == before
    same_lots(lot_tables.read_lots(sample_firm).lots, lots)


def test_deriving_again_changes_nothing(sample_firm, sample_book) -> None:
    before = {view: lot_tables.read_lots(sample_firm, view=view).lots for view in LotView}
    derive(sample_firm, [h.household_id for h in sample_book.households], quiet)
    for view, lots in before.items():
        same_lots(lot_tables.read_lots(sample_firm, view=view).lots, lots)


def test_events_that_contradict_the_books_leave_nothing(sample_firm, sample_book) -> None:
    """A sale of more shares than anybody holds."""
    events = event_tables.load_events(sample_firm)
    sale = np.flatnonzero(events.kind == EventKind.SELL)[-1:]
    none = np.zeros(2, np.int64)
    picked = {f.name: getattr(events, f.name)[sale] for f in fields(events) if f.metadata.get("column", True)}
    empty_lots = replace(
        events.lots, **{f.name: getattr(events.lots, f.name)[:0] for f in fields(events.lots)}
    )
    absurd = replace(
        events,
        **picked,
        lots_start=none,
        lots=empty_lots,
        named_start=none,
        named_event=events.named_event[:0],
        named_line=events.named_line[:0],
        named_quantity_nano=events.named_quantity_nano[:0],
    )
    absurd = replace(absurd, quantity_nano=np.array([10**17]), ledger_seq=np.array([1]))
    before = event_tables.last_sequence(sample_firm)
    lots = lot_tables.read_lots(sample_firm).lots
    with pytest.raises(DataError, match="nothing was written"):
        post(sample_firm, absurd, source="absurd", advance=quiet)
    assert event_tables.last_sequence(sample_firm) == before
    same_lots(lot_tables.read_lots(sample_firm).lots, lots)
