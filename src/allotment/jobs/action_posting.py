"""Corporate actions into the books: a custodian's entitlements, and the issuer's final terms.

A file's rows are compared with what was predicted before anything is booked. Households whose
later events would contradict an action are held back with the remedy; the others are posted.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from allotment.errors import UsageError
from allotment.feeds.entitlement_file import read_entitlements
from allotment.feeds.references import Known, SecurityLookup
from allotment.jobs.action_calendar import ActionBooks, find_actions
from allotment.jobs.posting import Posted, post
from allotment.ledger.action_plan import ActionPlan
from allotment.ledger.contradiction import Contradiction, contradictions
from allotment.ledger.entitlement import (
    Compared,
    Difference,
    Entitlement,
    compare,
    not_expected,
    nothing_came,
)
from allotment.ledger.events import EventKind, Events
from allotment.ledger.fold import fold
from allotment.ledger.forecast import Forecast, Forecasts, Standing
from allotment.ledger.rebooking import Rebooking, rebook, with_booked_cash, write_rebooking
from allotment.ledger.write import EventWriter, concatenate, take
from allotment.store import action_tables, market_tables
from allotment.store.session import FirmStore

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedActions:
    """What came of a file of entitlements, or of final terms."""

    n_rows: int  # of the file, or accounts that had the action
    n_booked: int  # events written, corrections among them
    n_before: int  # rows whose action was booked already, with the same content
    differences: tuple[Difference, ...]
    contradictions: tuple[Contradiction, ...]  # their households were held back
    posted: Posted


@dataclass(slots=True)
class _Batch:
    """What is to be written, by household."""

    rebookings: dict[int, list[Rebooking]]
    differences: list[Difference]
    n_before: int = 0
    clean: list[tuple[int, int, date, str]] | None = None  # booked without a grave difference


def post_entitlements(firm: FirmStore, path: Path, asof: date, advance: Advance) -> PostedActions:
    """Compare a custodian's file with what was predicted, book it and raise the differences.

    Raises BadFileError when a row cannot be read. The same file twice books nothing twice.
    """
    source = f"entitlements {hashlib.sha256(path.read_bytes()).hexdigest()}"
    with firm.transaction():
        firm.take_turns("corporate actions")
        books = ActionBooks(firm)
        rows = read_entitlements(path, _known(firm, books), asof)
        days = [row.ex_date for row in rows]
        wanted = {(row.security_id, row.ex_date) for row in rows}
        actions = [a for a in books.actions(min(days), max(days)) if (a.security_id, a.ex_date) in wanted]
        batch = _Batch(rebookings=defaultdict(list), differences=[], clean=[])
        venues = {books.accounts[row.account_id].venue_code for row in rows}
        concerned = {a.household_id for a in books.accounts.values() if a.venue_code in venues}
        by_household = _by_household(books, rows)
        contradicted: list[Contradiction] = []
        parts = books.parts(list(concerned))
        made: list[Events] = []
        for at, part in enumerate(parts):
            events = books.events(part)
            found = books.forecasts_of(events, part, actions, asof)
            mine = [row for household in part for row in by_household.get(household, [])]
            _compare_part(books, found, mine, venues, batch)
            fresh, refused = _sound(books, events, part, batch.rebookings)
            contradicted += refused
            made.append(fresh)
            advance("comparing entitlements", at + 1, len(parts))
        posted = _post(firm, made, source, advance)
        for key in batch.clean or ():
            action_tables.settle_earlier(firm, key, source)
        action_tables.raise_differences(firm, batch.differences, source)
    return PostedActions(
        n_rows=len(rows),
        n_booked=posted.n_new,
        n_before=batch.n_before,
        differences=tuple(sorted(batch.differences, key=lambda one: -one.severity)),
        contradictions=tuple(contradicted),
        posted=posted,
    )


def finalise(
    firm: FirmStore, security_id: int, ex_date: date, asof: date, code: str, advance: Advance
) -> PostedActions:
    """Put final terms in the place of provisional ones, in every account that had the action, at once.

    Raises UsageError when nothing is announced for the day, or its terms are not final.
    """
    with firm.transaction():
        firm.take_turns("corporate actions")
        books = ActionBooks(firm)
        actions = find_actions(books, security_id, ex_date, code)
        if not all(action.is_final for action in actions):
            raise UsageError(
                f"the terms of {code} on {ex_date} are not final; import them with `final` = yes, as Form "
                "8937 or the year's reclassification gives them."
            )
        made: list[Events] = []
        refused: list[Contradiction] = []
        n_accounts = n_before = 0
        parts = books.parts(books.books.household_ids)
        for at, part in enumerate(parts):
            events = books.events(part)
            found = books.forecasts_of(events, part, actions, asof)
            rebookings, same = _final(found, security_id, ex_date)
            n_accounts += sum(len(listed) for listed in rebookings.values()) + same
            n_before += same
            fresh, contradicted = _sound(books, events, part, rebookings)
            made.append(fresh)
            refused += contradicted
            advance("putting final terms in place", at + 1, len(parts))
        terms = hashlib.sha256(repr(actions).encode()).hexdigest()
        posted = _post(firm, made, f"final terms {code} {ex_date} {terms}", advance)
    return PostedActions(
        n_rows=n_accounts,
        n_booked=posted.n_new,
        n_before=n_before,
        differences=(),
        contradictions=tuple(refused),
        posted=posted,
    )


def _known(firm: FirmStore, books: ActionBooks) -> Known:
    return Known(
        securities=SecurityLookup(market_tables.load_securities(firm), market_tables.load_identifiers(firm)),
        accounts={account.code: account for account in books.accounts.values()},
    )


def _by_household(books: ActionBooks, rows: Iterable[Entitlement]) -> dict[int, list[Entitlement]]:
    found: dict[int, list[Entitlement]] = defaultdict(list)
    for row in rows:
        found[books.accounts[row.account_id].household_id].append(row)
    return found


def _compare_part(
    books: ActionBooks, found: Forecasts, rows: Sequence[Entitlement], venues: set[str], batch: _Batch
) -> None:
    """Compare each row with its forecast; add what is to be booked, and the differences."""
    by_key: dict[tuple[int, int, date], list[Forecast]] = defaultdict(list)
    for one in found.forecasts:
        by_key[one.plan.account_id, one.plan.action.security_id, one.plan.action.ex_date].append(one)
    answered: set[int] = set()
    for row in rows:
        there = by_key.get((row.account_id, row.security_id, row.ex_date), [])
        matched = _match(row, there)
        if matched is None:
            batch.differences.append(_stranger(books, row, bool(there)))
            continue
        answered.add(id(matched))
        judged = compare(matched.plan, row)
        batch.differences += judged.differences
        _add(found, matched, judged, batch)
    kinds = {(row.security_id, row.ex_date) for row in rows}
    for one in found.forecasts:
        action, account = one.plan.action, books.accounts[one.plan.account_id]
        waiting = one.standing in (Standing.EXPECTED, Standing.OVERDUE, Standing.BLOCKED)
        told = (action.security_id, action.ex_date) in kinds or one.standing is Standing.OVERDUE
        if id(one) not in answered and waiting and told and account.venue_code in venues:
            batch.differences.append(nothing_came(one.plan))


def _match(row: Entitlement, there: Sequence[Forecast]) -> Forecast | None:
    """The forecast of the row's action: of the same kind, or the choice that it may have decided."""
    for one in there:
        if one.plan.action.kind is row.kind and one.plan.action.option == row.option:
            return one
    chosen = [one for one in there if one.plan.action.option]
    return chosen[0] if row.option and chosen else None


def _stranger(books: ActionBooks, row: Entitlement, is_other_kind: bool) -> Difference:
    account = books.accounts[row.account_id].code
    if is_other_kind:
        return not_expected(
            row,
            "another kind of action is announced for that day",
            "correct the kind in the file of corporate actions, or ask the custodian, and post again",
        )
    return not_expected(
        row,
        f"no action is announced for that day that {account} was entitled to",
        "import the action if it is missing; else reconcile the lots held before the ex-date",
    )


def _add(found: Forecasts, one: Forecast, judged: Compared, batch: _Batch) -> None:
    action = one.plan.action
    if not judged.may_be_booked:
        return
    grave = any(difference.severity > 0 for difference in judged.differences)
    if not grave and batch.clean is not None:
        batch.clean.append((one.plan.account_id, action.security_id, action.ex_date, action.kind.value))
    rebooking = rebook([judged.plan], found.standing, one.booked)
    if rebooking.events:
        batch.rebookings[one.plan.household_id].append(rebooking)
    else:
        batch.n_before += 1


def _final(found: Forecasts, security_id: int, ex_date: date) -> tuple[dict[int, list[Rebooking]], int]:
    """Corrections by household, and how many accounts need none."""
    events = found.standing.events
    of_action = (events.security_id == security_id) & (events.effective == np.datetime64(ex_date, "D"))
    of_action &= (events.day_seq < 0) | ~np.isin(events.kind, _TRADES)
    by_account: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(of_action & np.isin(events.kind, _ACTION_KINDS)).tolist():
        by_account[int(events.account_id[row])].append(row)
    plans: dict[int, list[ActionPlan]] = defaultdict(list)
    for one in found.forecasts:
        if one.plan.events:
            plans[one.plan.account_id].append(one.plan)
    made: dict[int, list[Rebooking]] = defaultdict(list)
    same = 0
    for account_id, rows in by_account.items():
        if not plans[account_id]:
            continue  # a short, or a choice that was not ours: a person's business
        final = with_booked_cash(plans[account_id], found.standing, rows)
        rebooking = rebook(final, found.standing, rows)
        if rebooking.events:
            made[rebooking.household_id].append(rebooking)
        else:
            same += 1
    return made, same


_TRADES = np.array([EventKind.BUY, EventKind.SELL, EventKind.REINVEST], np.int8)
_ACTION_KINDS = np.array(
    [
        EventKind.DIVIDEND,
        EventKind.RETURN_OF_CAPITAL,
        EventKind.SPIN_OFF,
        EventKind.RIGHTS,
        EventKind.SPLIT,
        EventKind.STOCK_MERGER,
        EventKind.MIXED_MERGER,
        EventKind.CASH_MERGER,
        EventKind.TAXABLE_MERGER,
        EventKind.TAXABLE_SPIN_OFF,
        EventKind.SPLIT_OFF,
    ],
    np.int8,
)


def _sound(
    books: ActionBooks,
    events: Events,
    household_ids: Sequence[int],
    rebookings: dict[int, list[Rebooking]],
) -> tuple[Events, list[Contradiction]]:
    """The new events of households that stay free of contradictions, and the contradictions of the others."""
    writer = EventWriter(first_seq=int(events.ledger_seq.max(initial=0)) + 1)
    for household in household_ids:
        for one in rebookings.get(household, []):
            write_rebooking(writer, one)
    fresh = writer.events()
    if not len(fresh):
        return fresh, []
    touched = np.unique(fresh.household_id)
    both = concatenate([take(events, np.isin(events.household_id, touched)), fresh])
    state = fold(both, books.books.table(touched.tolist()), books.books.groups)
    if not state.problems:
        return fresh, []
    found = contradictions(state.problems, both)
    home = {account.account_id: account.household_id for account in books.accounts.values()}
    held_back = {home[one.account_id] for one in found}
    kept = take(fresh, ~np.isin(fresh.household_id, sorted(held_back)))
    return kept, list(found)


def _post(firm: FirmStore, made: Sequence[Events], source: str, advance: Advance) -> Posted:
    """One posting of all parts. Provisional numbers of a part start anew, above all that is stored."""
    parts = [part for part in made if len(part)]
    if not parts:
        empty = EventWriter().events()
        return post(firm, empty, source=source, advance=advance)
    first = max(int(part.ledger_seq.max()) for part in parts) + 1
    renumbered = []
    for part in parts:
        renumbered.append(replace(part, ledger_seq=np.arange(first, first + len(part))))
        first += len(part)
    events = concatenate(renumbered)
    columns = (
        events.account_id,
        events.sleeve_id,
        events.security_id,
        events.effective,
        events.day_seq,
        events.kind,
        events.reverses,
    )
    ids = [
        " ".join(str(part) for part in key)
        for key in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return post(firm, events, source=source, advance=advance, source_ids=ids)
