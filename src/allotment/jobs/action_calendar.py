"""Corporate actions of a firm's accounts: the calendar, a preview, elections, what indexes will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.errors import UsageError
from allotment.jobs.posting import Books
from allotment.ledger.action_plan import ActionPlan, planned_events
from allotment.ledger.contradiction import Contradiction, contradictions
from allotment.ledger.election import Election, ElectionState, ElectionTask, election_tasks, elective
from allotment.ledger.events import Events
from allotment.ledger.forecast import Forecast, Forecasts, Holders, Standing, forecast
from allotment.ledger.preview import Preview, preview
from allotment.ledger.write import concatenate, take
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.index_consequence import IndexConsequence, at_closes, index_consequences
from allotment.store import action_tables, book_tables, event_tables, index_tables, market_tables
from allotment.store.session import FirmStore
from allotment.units import NANO_PER_SHARE

Advance = Callable[[str, int, int], None]
_HOUSEHOLDS_AT_ONCE = 500
_WEIGHTS_LAST = timedelta(days=400)  # an index that publishes less often is dead
_VALUED = frozenset(
    {ActionKind.SPIN_OFF, ActionKind.RIGHTS, ActionKind.MIXED_MERGER, ActionKind.TAXABLE_MERGER}
    | {ActionKind.TAXABLE_SPIN_OFF, ActionKind.STOCK_DIVIDEND}
    | {ActionKind.SPLIT, ActionKind.STOCK_MERGER}  # for cash in lieu
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPreview:
    """What an action does to one account, and what it would contradict."""

    plan: ActionPlan
    standing: Standing
    preview: Preview
    contradictions: tuple[Contradiction, ...]  # events since that cannot stand beside it


class ActionBooks:
    """A firm's books beside the announced actions; reads what it needs once."""

    def __init__(self, firm: FirmStore) -> None:
        self.firm = firm
        self.books = Books(firm)
        self.accounts = {account.account_id: account for account in book_tables.load_accounts(firm)}
        venues = book_tables.load_venues(firm)
        whole = {code for code, venue in venues.items() if venue.share_step_nano >= NANO_PER_SHARE}
        self.holders = Holders(
            sleeves=tuple((s.sleeve_id, s.account_id) for s in book_tables.load_sleeves(firm)),
            whole_share_accounts=frozenset(
                a.account_id for a in self.accounts.values() if a.venue_code in whole
            ),
            elections=action_tables.load_elections(firm),
        )

    def actions(self, start: date, end: date) -> tuple[CorporateAction, ...]:
        """Announced actions of a window; values that are not stated are the ex-date's closes."""
        return with_closes(self.firm, market_tables.load_actions(self.firm, start, end))

    def forecasts(
        self, household_ids: Sequence[int], actions: Sequence[CorporateAction], asof: date
    ) -> Forecasts:
        """The households' actions."""
        return self.forecasts_of(self.events(household_ids), household_ids, actions, asof)

    def events(self, household_ids: Sequence[int]) -> Events:
        """All events of the households."""
        return event_tables.load_events(self.firm, np.array(household_ids, np.int64))

    def forecasts_of(
        self, events: Events, household_ids: Sequence[int], actions: Sequence[CorporateAction], asof: date
    ) -> Forecasts:
        """The same, of events at hand."""
        groups = self.books.groups
        return forecast(events, self.books.table(household_ids), groups, actions, self.holders, asof)

    def parts(self, household_ids: Sequence[int]) -> list[list[int]]:
        """The households in portions that fit memory."""
        ids = sorted(household_ids)
        return [ids[at : at + _HOUSEHOLDS_AT_ONCE] for at in range(0, len(ids), _HOUSEHOLDS_AT_ONCE)]


def with_closes(firm: FirmStore, actions: Sequence[CorporateAction]) -> tuple[CorporateAction, ...]:
    """Actions whose market values are not stated, with the closes of their ex-date: provisional values."""
    made = list(actions)
    wanted: dict[date, list[int]] = {}
    for at, action in enumerate(made):
        if action.kind in _VALUED and not (action.price_usd and action.received_price_usd):
            wanted.setdefault(action.ex_date, []).append(at)
    for day, places in wanted.items():
        ids = {made[at].security_id for at in places} | {made[at].other_security_id or 0 for at in places}
        prices = market_tables.load_prices(firm, day, day, np.array(sorted(ids - {0}), np.int64))
        for at, valued in zip(places, at_closes([made[at] for at in places], prices), strict=True):
            made[at] = valued
    return tuple(made)


def calendar(
    firm: FirmStore,
    start: date,
    end: date,
    asof: date,
    advance: Advance,
    account_ids: Sequence[int] | None = None,
) -> tuple[Forecast, ...]:
    """What actions with an ex-date in the window do to accounts (default: all), by day and account."""
    books = ActionBooks(firm)
    actions = books.actions(start, end)
    found: list[Forecast] = []
    if not actions:
        return ()
    wanted = None if account_ids is None else set(account_ids)
    chosen = books.books.household_ids
    if wanted is not None:
        chosen = sorted({books.accounts[account].household_id for account in wanted})
    parts = books.parts(chosen)
    for at, part in enumerate(parts):
        made = books.forecasts(part, actions, asof).forecasts
        found += [one for one in made if wanted is None or one.plan.account_id in wanted]
        advance("reading the calendar", at + 1, len(parts))
    return tuple(
        sorted(
            found,
            key=lambda one: (one.plan.action.ex_date, one.plan.action.security_id, one.plan.account_id),
        )
    )


def find_actions(
    books: ActionBooks, security_id: int, ex_date: date, code: str
) -> tuple[CorporateAction, ...]:
    """The announced rows of a security and day. Raises UsageError when there are none."""
    found = tuple(a for a in books.actions(ex_date, ex_date) if a.security_id == security_id)
    if not found:
        near = [
            str(a.ex_date)
            for a in books.actions(ex_date - timedelta(days=200), ex_date + timedelta(days=200))
            if a.security_id == security_id
        ]
        hint = f" It has actions on {', '.join(near[:5])}." if near else ""
        raise UsageError(f"no action of {code} is announced for {ex_date}.{hint}")
    return found


def preview_action(
    firm: FirmStore, account_id: int, security_id: int, ex_date: date, asof: date, code: str
) -> tuple[ActionPreview, ...]:
    """Each action of the security on that day, lot by lot, as if it were not booked yet.

    Raises UsageError when nothing is announced, or the account held none.
    """
    books = ActionBooks(firm)
    actions = find_actions(books, security_id, ex_date, code)
    household = books.accounts[account_id].household_id
    events = books.events([household])
    found = books.forecasts_of(events, [household], actions, asof)
    mine = [one for one in found.forecasts if one.plan.account_id == account_id]
    if not mine:
        raise UsageError(
            f"account {books.accounts[account_id].code} held no {code} when {ex_date} began; "
            "nothing happens to it."
        )
    table, groups = books.books.table([household]), books.books.groups
    standing = found.standing.events
    day = np.datetime64(ex_date, "D")
    first = int(events.ledger_seq.max(initial=0)) + 1
    made = []
    for one in mine:
        others = np.ones(len(standing), np.bool_)
        others[list(one.booked)] = False
        planned = planned_events([one.plan], first)
        last = max([ex_date, *(event.effective for event in one.plan.events)])
        before = take(standing, others & (standing.effective < day))
        whole = take(standing, others)
        late = preview(whole, planned, table, groups).problems if last <= asof and not one.booked else ()
        made.append(
            ActionPreview(
                plan=one.plan,
                standing=one.standing,
                preview=preview(before, planned, table, groups),
                contradictions=contradictions(late, concatenate([whole, planned])),
            )
        )
    return tuple(made)


def elections(
    firm: FirmStore, start: date, end: date, asof: date, advance: Advance
) -> tuple[ElectionTask, ...]:
    """Choices of actions with an ex-date in the window, by deadline."""
    books = ActionBooks(firm)
    actions = [action for action in books.actions(start, end) if action.option]
    tasks: list[ElectionTask] = []
    parts = books.parts(books.books.household_ids) if actions else []
    for at, part in enumerate(parts):
        held = books.forecasts(part, actions, asof).choosers
        for day in sorted({action.ex_date for action in actions}):
            of_day = [action for action in actions if action.ex_date == day]
            holders = [one.held for one in held if one.ex_date == day]
            tasks += election_tasks(of_day, holders, books.holders.elections, asof)
        advance("reading elections", at + 1, len(parts))
    return tuple(sorted(tasks, key=lambda one: (one.deadline or date.max, one.ex_date, one.account_id)))


def elect(firm: FirmStore, wish: Election, code: str) -> ElectionTask:
    """Record a choice; the task as it stands then.

    Raises UsageError for an option that is not offered, after the deadline, and for shares that the
    account does not hold.
    """
    assert wish.chosen_on is not None
    books = ActionBooks(firm)
    offered = elective(find_actions(books, wish.security_id, wish.ex_date, code))
    options = offered.get((wish.security_id, wish.ex_date), ())
    names = [option.option for option in options]
    if wish.option not in names:
        said = f"there are {', '.join(sorted(set(names)))}" if names else "it leaves no choice"
        raise UsageError(f"{code} on {wish.ex_date} has no option {wish.option!r}: {said}.")
    deadline = max((option.deadline for option in options if option.deadline), default=None)
    if deadline is not None and wish.chosen_on > deadline:
        raise UsageError(
            f"the deadline of {code} was {deadline}; ask the custodian whether it takes a late choice, and "
            "load the action again with the new deadline."
        )
    household = books.accounts[wish.account_id].household_id
    held = [
        one.held
        for one in books.forecasts([household], options, wish.chosen_on).choosers
        if one.held.account_id == wish.account_id
    ]
    if not held or wish.quantity_nano > held[0].quantity_nano:
        there = held[0].quantity_nano / NANO_PER_SHARE if held else 0
        raise UsageError(
            f"account {books.accounts[wish.account_id].code} holds {there:g} {code} for this action; "
            "elect for that many or fewer."
        )
    action_tables.save_election(firm, wish)
    made = election_tasks(options, held, [wish], wish.chosen_on)
    assert made[0].state is ElectionState.CHOSEN
    return made[0]


def index_changes(firm: FirmStore, start: date, end: date) -> tuple[IndexConsequence, ...]:
    """What actions with an ex-date in the window imply for every index."""
    weights: list[IndexWeights] = []
    for code in index_tables.index_codes(firm):
        found = index_tables.load_index_weights(firm, code, WeightKind.CLOSE, end - _WEIGHTS_LAST, end)
        weights += found[-1:]
    return index_consequences(with_closes(firm, market_tables.load_actions(firm, start, end)), weights)
