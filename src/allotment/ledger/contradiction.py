"""Sales and other events that a late fact makes impossible, and what to do about each.

A split that arrives after the trades that followed it changes how many shares there were to
trade. What was booked in the shares of before cannot stand beside it; nobody but a person, or the
custodian's file, can say which of the two is wrong. So nothing is booked until that is settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.ledger.corrections import in_force
from allotment.ledger.events import EventKind, Events
from allotment.ledger.fold import Problem
from allotment.tax.problems import ProblemCode

_REMEDIES = {
    ProblemCode.SOLD_MORE_THAN_HELD: "it was booked in the shares of before, or the late fact is not this "
    "account's: correct its quantity, or the fact, and post both together",
    ProblemCode.LOT_NOT_HELD: "it names lots in the shares of before: correct the quantities that it names "
    "and post both together",
    ProblemCode.NAMED_QUANTITY_DIFFERS: "name its lots in the shares of its own day",
    ProblemCode.SHORT_IS_OPEN: "book what the custodian charged the short position, and leave the action out",
    ProblemCode.NO_TERMS: "complete the terms of the action, and name the security that it brings",
    ProblemCode.NOT_POSITIVE: "correct the ratio or the prices of the action",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One event that cannot stand beside the others."""

    event: int  # its name in the books; of an event that is not booked yet, its provisional number
    kind: EventKind
    account_id: int
    security_id: int
    effective: date
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.kind.name.lower().replace('_', ' ')} of {self.effective}: {self.what}; {self.remedy}"


def contradictions(problems: Iterable[Problem], events: Events) -> tuple[Contradiction, ...]:
    """What is wrong, told with the event's own facts; `events` are those that were folded."""
    standing = in_force(events).events
    row_of = {seq: row for row, seq in enumerate(standing.ledger_seq.tolist())}
    found = []
    for problem in problems:
        row = row_of[problem.event]
        found.append(
            Contradiction(
                event=problem.event,
                kind=EventKind(int(standing.kind[row])),
                account_id=int(standing.account_id[row]),
                security_id=int(standing.security_id[row]),
                effective=np.datetime64(standing.effective[row], "D").item(),
                what=str(problem),
                remedy=_REMEDIES.get(problem.code, "correct the event, or withdraw it"),
            )
        )
    return tuple(found)
