"""When an account is managed at our discretion: what performance composites ask.

DISCRETION_BEGINS and DISCRETION_ENDS are facts of the record; no tax follows from them. An account may
be taken out of discretion, as for a large withdrawal, and come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.ledger.events import EventKind, Events

DISCRETION_KINDS = (EventKind.DISCRETION_BEGINS, EventKind.DISCRETION_ENDS)


@dataclass(frozen=True, slots=True)
class Period:
    """From `begins` until the day before `ends`; None: it goes on."""

    begins: date
    ends: date | None = None

    def overlaps(self, other: Period) -> bool:
        """True when a day belongs to both."""
        return (self.ends or date.max) > other.begins and (other.ends or date.max) > self.begins


def periods(events: Events) -> dict[int, list[Period]]:
    """By account, ascending. `events` are in force."""
    rows = np.flatnonzero(np.isin(events.kind, np.array(DISCRETION_KINDS, np.int8)))
    return periods_of(
        (int(events.account_id[row]), EventKind(int(events.kind[row])), events.effective[row].item())
        for row in rows.tolist()
    )


def periods_of(days: Iterable[tuple[int, EventKind, date]]) -> dict[int, list[Period]]:
    """The same of (account, kind, day). A begin inside a period and an end outside change nothing."""
    found: dict[int, list[Period]] = {}
    # A period that ends on the day on which the next begins ends first.
    for account, kind, day in sorted(days, key=lambda one: (one[0], one[2], -int(one[1]))):
        known = found.setdefault(account, [])
        is_open = bool(known) and known[-1].ends is None
        if kind == EventKind.DISCRETION_BEGINS and not is_open:
            known.append(Period(day))
        elif kind == EventKind.DISCRETION_ENDS and is_open:
            known[-1] = Period(known[-1].begins, day)
    return found
