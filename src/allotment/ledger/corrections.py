"""What later events withdraw or put right.

Events are never changed. One that `reverses` another takes its place: a REVERSAL leaves nothing in
it, any other kind puts a corrected fact there. The correction goes by the name of what it corrects
(the first of the chain), so that sales which named its lots, mandates that keep them and returns
that list them go on meaning the same. A basis that arrives late and the final terms of a corporate
action are corrections of the transfer, or of the action, that was booked with what was known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from allotment.errors import InvariantError
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import take
from allotment.units import Bools, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The events that stand, and which recorded event each is. Shape (n_events,)."""

    events: Events  # named by what they stand for
    recorded_as: Ints  # ledger sequence under which each was written

    def until(self, asof: date) -> Events:
        """Those effective on or before a day."""
        return take(self.events, self.events.effective <= np.datetime64(asof, "D"))


def in_force(events: Events) -> InForce:
    """Leave out what was withdrawn or put right, and name corrections by what they correct.

    Raises InvariantError when an event reverses one that is not there, that is not older, or that
    another has reversed already: the store takes none of these in.
    """
    takes_place: Bools = events.reverses > 0
    if not takes_place.any():
        return InForce(events=events, recorded_as=events.ledger_seq)
    order = np.argsort(events.ledger_seq, kind="stable")
    sequence = events.ledger_seq[order]
    later = np.flatnonzero(takes_place[order])  # ascending: a chain is followed from its beginning
    at = np.minimum(np.searchsorted(sequence, events.reverses[order][later]), len(sequence) - 1)
    _check(sequence, events.reverses[order][later], at, later)
    name = sequence.copy()
    for row, earlier in zip(later.tolist(), at.tolist(), strict=True):
        name[row] = name[earlier]
    stands = np.ones(len(sequence), np.bool_)
    stands[at] = False
    stands &= events.kind[order] != EventKind.REVERSAL
    rows = order[stands]
    chosen = take(events, rows)
    return InForce(
        events=replace(
            chosen,
            ledger_seq=name[stands],
            named_event=_named(chosen.named_event, sequence, name),
            reverses=np.zeros(len(rows), np.int64),
        ),
        recorded_as=sequence[stands],
    )


def _named(wanted: Ints, sequence: Ints, name: Ints) -> Ints:
    """The names in force of lots that were named by any event of their chain."""
    at = np.minimum(np.searchsorted(sequence, wanted), len(sequence) - 1)
    return np.where(sequence[at] == wanted, name[at], wanted)


def _check(sequence: Ints, reverses: Ints, at: Ints, later: Ints) -> None:
    wrong = (sequence[at] != reverses) | (at >= later)
    if wrong.any():
        raise InvariantError(
            f"event {sequence[later[wrong]][0]} reverses {reverses[wrong][0]}, which is not an earlier event "
            "of its household"
        )
    distinct, count = np.unique(reverses, return_counts=True)
    if (count > 1).any():
        raise InvariantError(f"event {distinct[count > 1][0]} is reversed twice")
