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

from allotment.ledger.action_plan import ActionPlan, PlannedEvent, write_planned
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
    """Put `rows` (of the events in force), which book one account's action, in terms of the plans."""
    planned = [event for one in made for event in one.events]
    written: list[tuple[PlannedEvent, int]] = []
    pairs, left = _paired(planned, standing.events, rows)
    for event, row in pairs:
        if row is None:
            written.append((event, 0))
            continue
        booked = booked_event(standing.events, row)
        event = replace(event, day_seq=booked.day_seq, settles=event.settles or booked.settles)
        if event != booked:
            written.append((event, int(standing.recorded_as[row])))
    written += [
        (_withdrawal(booked_event(standing.events, row)), int(standing.recorded_as[row])) for row in left
    ]
    return Rebooking(household_id=made[0].household_id, account_id=made[0].account_id, events=tuple(written))


def with_booked_cash(made: Sequence[ActionPlan], standing: InForce, rows: Sequence[int]) -> list[ActionPlan]:
    """The plans with what the custodian paid: cash that differs by rounding, cash in lieu, the day.

    Final terms tell what basis is; what was paid is known already.
    """
    planned = [event for one in made for event in one.events]
    kept = []
    for event, row in _paired(planned, standing.events, rows)[0]:
        if row is not None:
            booked = booked_event(standing.events, row)
            lieu = booked.terms["lieu_nano"] if booked.terms else 0
            terms = event.terms | {"lieu_nano": lieu} if event.terms else None
            event = replace(event, terms=terms, settles=booked.settles or event.settles)
        kept.append(event)
    off = int(standing.events.amount_cents[list(rows)].sum()) - sum(event.amount_cents for event in kept)
    if kept and 0 < abs(off) <= _CASH_KEPT_MAX_CENTS:
        largest = max(range(len(kept)), key=lambda at: kept[at].amount_cents)
        kept[largest] = replace(kept[largest], amount_cents=kept[largest].amount_cents + off)
    waiting = iter(kept)
    return [replace(one, events=tuple(next(waiting) for _ in one.events)) for one in made]


def _paired(
    planned: Sequence[PlannedEvent], events: Events, rows: Sequence[int]
) -> tuple[list[tuple[PlannedEvent, int | None]], list[int]]:
    """Each planned event with the booked row that stands for it, and the rows that nothing stands for."""
    waiting: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in rows:
        # What others booked has no place in the day that tells one dividend from another.
        place = min(int(events.day_seq[row]), 0)
        waiting[int(events.kind[row]), int(events.sleeve_id[row]), place].append(row)
    pairs: list[tuple[PlannedEvent, int | None]] = []
    for event in planned:
        places = (
            waiting[int(event.kind), event.sleeve_id, event.day_seq]
            or waiting[int(event.kind), event.sleeve_id, 0]
        )
        pairs.append((event, places.pop(0) if places else None))
    return pairs, sorted(row for places in waiting.values() for row in places)


def _withdrawal(booked: PlannedEvent) -> PlannedEvent:
    return replace(
        booked,
        kind=EventKind.REVERSAL,
        quantity_nano=0,
        amount_cents=0,
        settles=None,
        detail=0,
        terms=None,
    )


def write_rebooking(writer: EventWriter, one: Rebooking) -> None:
    """Write the events of a rebooking."""
    for event, reverses in one.events:
        write_planned(writer, (one.household_id, one.account_id), event, reverses)


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
