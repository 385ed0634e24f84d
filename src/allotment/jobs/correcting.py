"""Withdrawing and correcting events by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from allotment.errors import UsageError
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import EventWriter, take
from allotment.store import event_tables
from allotment.store.session import FirmStore
from allotment.units import as_day, parse_cents, parse_nano


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """How an event should have been; "" and None: as it is."""

    quantity: str = ""
    amount: str = ""
    effective: date | None = None
    settles: date | None = None


def reversal(firm: FirmStore, ledger_seq: int) -> Events:
    """The event that withdraws another. Raises UsageError when there is no such event."""
    event = _stored(firm, ledger_seq)
    writer = EventWriter(first_seq=ledger_seq + 1)
    writer.write(
        EventKind.REVERSAL,
        int(event.household_id[0]),
        int(event.account_id[0]),
        event.effective[0].item(),
        reverses=ledger_seq,
        day_seq=int(event.day_seq[0]),
    )
    return writer.events()


def correction(firm: FirmStore, ledger_seq: int, right: Right) -> Events:
    """The event that takes another's place, like it but for what is put right.

    Raises UsageError when there is no such event, nothing is put right, or a figure is no number.
    """
    event = _stored(firm, ledger_seq)
    changed = event
    try:
        if right.quantity:
            changed = replace(changed, quantity_nano=np.array([parse_nano(right.quantity)]))
        if right.amount:
            changed = replace(changed, amount_cents=np.array([parse_cents(right.amount)]))
    except ValueError as error:
        raise UsageError(f"{error}; write shares and dollars as decimals, like 12.5.") from None
    if right.effective:
        changed = replace(changed, effective=np.array([as_day(right.effective)], "M8[D]"))
    if right.settles:
        changed = replace(changed, settles=np.array([as_day(right.settles)], "M8[D]"))
    if changed is event:
        raise UsageError("nothing is put right; give --quantity, --amount, --effective or --settles.")
    if len(event.named_event) and changed.quantity_nano[0] != event.quantity_nano[0]:
        raise UsageError(
            f"event {ledger_seq} names its lots, whose shares must add up; reverse it and book it anew."
        )
    # Its own number is provisional; the store gives the next one.
    return replace(changed, ledger_seq=np.array([ledger_seq + 1]), reverses=np.array([ledger_seq]))


def _stored(firm: FirmStore, ledger_seq: int) -> Events:
    household = event_tables.household_of(firm, ledger_seq)
    if household is None:
        raise UsageError(
            f"there is no event {ledger_seq} in firm {firm.firm}; "
            "`allotment ledger events ACCOUNT` lists them."
        )
    events = event_tables.load_events(firm, [household])
    return take(events, events.ledger_seq == ledger_seq)
