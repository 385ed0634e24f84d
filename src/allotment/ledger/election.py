"""Choices that corporate actions leave to holders, as tasks with a deadline.

Who does not choose gets the default. A task is overdue when its deadline has passed without a
choice: the default is in force then, and somebody should know that nobody decided. A choice is
never changed, only followed by a newer one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from allotment.ledger.action_plan import Held
from allotment.market.corporate_action import CorporateAction


class ElectionState(StrEnum):
    """Where a choice stands."""

    OPEN = "open"
    CHOSEN = "chosen"
    OVERDUE = "overdue"  # nobody chose; the default is in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """One choice as it was made."""

    account_id: int
    security_id: int
    ex_date: date
    option: str
    quantity_nano: int = 0  # shares given up, where an option takes some of them; 0: all
    chosen_by: str = ""
    chosen_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionTask:
    """What one account may choose, or has chosen."""

    household_id: int
    account_id: int
    security_id: int
    ex_date: date
    deadline: date | None
    held_nano: int
    options: tuple[CorporateAction, ...]
    default: str  # "" when the announcement names none
    chosen: Election | None
    state: ElectionState

    @property
    def option_in_force(self) -> str:
        """What happens if nothing else is said; "" when there is neither choice nor default."""
        return self.chosen.option if self.chosen else self.default


Key = tuple[int, date]  # security, ex-date


def elective(actions: Iterable[CorporateAction]) -> dict[Key, tuple[CorporateAction, ...]]:
    """The options of each action that leaves a choice."""
    found: dict[Key, list[CorporateAction]] = defaultdict(list)
    for action in actions:
        if action.option:
            found[action.security_id, action.ex_date].append(action)
    return {key: tuple(options) for key, options in found.items()}


def election_tasks(
    actions: Iterable[CorporateAction], holders: Sequence[Held], elections: Sequence[Election], asof: date
) -> tuple[ElectionTask, ...]:
    """One task per account and action, by deadline; the newest election of an account counts.

    elections: in the order in which they were made.
    """
    chosen = {(one.account_id, one.security_id, one.ex_date): one for one in elections}
    tasks = []
    for (security_id, ex_date), options in elective(actions).items():
        deadline = max((one.deadline for one in options if one.deadline), default=None)
        default = next((one.option for one in options if one.is_default), "")
        for held in holders:
            if held.security_id != security_id or held.is_short:
                continue
            choice = chosen.get((held.account_id, security_id, ex_date))
            late = deadline is not None and asof > deadline
            state = ElectionState.OVERDUE if late else ElectionState.OPEN
            tasks.append(
                ElectionTask(
                    household_id=held.household_id,
                    account_id=held.account_id,
                    security_id=security_id,
                    ex_date=ex_date,
                    deadline=deadline,
                    held_nano=held.quantity_nano,
                    options=options,
                    default=default,
                    chosen=choice,
                    state=ElectionState.CHOSEN if choice else state,
                )
            )
    return tuple(sorted(tasks, key=lambda one: (one.deadline or date.max, one.ex_date, one.account_id)))


def in_force_for(
    account_id: int, options: Sequence[CorporateAction], chosen: Mapping[tuple[int, int, date], Election]
) -> tuple[CorporateAction, ...]:
    """The rows of the option that an account chose, else of the default; none when there is neither."""
    first = options[0]
    election = chosen.get((account_id, first.security_id, first.ex_date))
    if election is not None:
        return tuple(one for one in options if one.option == election.option)
    return tuple(one for one in options if one.is_default)
