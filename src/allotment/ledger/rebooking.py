"""From what is booked of an action to what should be: corrections, nothing where nothing differs.

Final terms, a reclassified dividend, a custodian's corrected file: each leaves some events as they
are, puts others right in their place and under their name, withdraws what is no longer so and adds
what is new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from allotment.ledger.action_plan import ActionPlan, PlannedEvent
from allotment.ledger.corrections import InForce
from allotment.ledger.events import EventKind, Events, EventTerms
from allotment.ledger.write import EventWriter

_CASH_KEPT_MAX_CENTS = 5  # rounding of the custodian's, which a correction keeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooking:
    """What is to be written for one account: events, each with the recorded event it reverses (0 none)."""

    household_id: int
    account_id: int
    events: tuple[tuple[PlannedEvent, int], ...]


def rebook(made: Sequence[ActionPlan], standing: InForce, rows: Sequence[int]) -> Rebooking:
    """Put `rows` (of the events in force), which book one account's action, in terms of the plans.

    Cash in lieu and cash that came by rounding stay as they were booked.
    """
    events = standing.events
    waiting: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in rows:
        # What others booked has no place in the day that tells one dividend from another.
        place = min(int(events.day_seq[row]), 0)
        waiting[int(events.kind[row]), int(events.sleeve_id[row]), place].append(row)
    planned = [event for one in made for event in one.events]
    planned = _with_booked_cash(planned, events, rows)
    written: list[tuple[PlannedEvent, int]] = []
    for event in planned:
        places = (
            waiting[int(event.kind), event.sleeve_id, event.day_seq]
            or waiting[int(event.kind), event.sleeve_id, 0]
        )
        if not places:
            written.append((event, 0))
            continue
        row = places.pop(0)
        event = _kept(event, events, row)
        if not _is_same(event, events, row):
            written.append((event, int(standing.recorded_as[row])))
    for row in sorted(row for places in waiting.values() for row in places):
        withdrawn = replace(
            booked_event(events, row),
            kind=EventKind.REVERSAL,
            quantity_nano=0,
            amount_cents=0,
            settles=None,
            detail=0,
            terms=None,
        )
        written.append((withdrawn, int(standing.recorded_as[row])))
    return Rebooking(household_id=made[0].household_id, account_id=made[0].account_id, events=tuple(written))


def write_rebooking(writer: EventWriter, one: Rebooking) -> None:
    """Write the events of a rebooking."""
    for event, reverses in one.events:
        writer.write(
            event.kind,
            one.household_id,
            one.account_id,
            event.effective,
            security_id=event.security_id,
            quantity_nano=event.quantity_nano,
            amount_cents=event.amount_cents,
            sleeve_id=event.sleeve_id,
            settles=event.settles,
            detail=event.detail,
            day_seq=event.day_seq,
            terms=event.terms,
            reverses=reverses,
        )


def booked_event(events: Events, row: int) -> PlannedEvent:
    """A recorded event of an action in the form of a planned one."""
    at = int(events.terms_ix[row])
    settles = events.settles[row]
    return PlannedEvent(
        kind=EventKind(int(events.kind[row])),
        security_id=int(events.security_id[row]),
        effective=events.effective[row].astype("M8[D]").item(),
        day_seq=int(events.day_seq[row]),
        sleeve_id=int(events.sleeve_id[row]),
        quantity_nano=int(events.quantity_nano[row]),
        amount_cents=int(events.amount_cents[row]),
        settles=None if np.isnat(settles) else settles.astype("M8[D]").item(),
        detail=int(events.detail[row]),
        terms={part.name: int(getattr(events.terms, part.name)[at]) for part in fields(EventTerms)}
        if at >= 0
        else None,
    )


def _kept(event: PlannedEvent, events: Events, row: int) -> PlannedEvent:
    """The planned event with the day of payment and the cash in lieu that were booked."""
    booked = booked_event(events, row)
    kept = replace(event, day_seq=booked.day_seq, settles=booked.settles or event.settles)
    if event.terms and booked.terms and booked.terms["lieu_nano"]:
        kept = replace(kept, terms=event.terms | {"lieu_nano": booked.terms["lieu_nano"]})
    return kept


def _is_same(event: PlannedEvent, events: Events, row: int) -> bool:
    return event == booked_event(events, row)


def _with_booked_cash(planned: list[PlannedEvent], events: Events, rows: Sequence[int]) -> list[PlannedEvent]:
    """The planned events with the cash that was booked, where they differ by rounding alone."""
    booked = int(events.amount_cents[list(rows)].sum())
    off = booked - sum(event.amount_cents for event in planned)
    if not planned or not 0 < abs(off) <= _CASH_KEPT_MAX_CENTS:
        return planned
    largest = max(range(len(planned)), key=lambda at: planned[at].amount_cents)
    event = planned[largest]
    return [
        replace(one, amount_cents=event.amount_cents + off) if at == largest else one
        for at, one in enumerate(planned)
    ]
