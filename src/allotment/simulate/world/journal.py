"""From the journals of the traded households to the book's events and its open lots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotment.book.household import Account
from allotment.book.lots import BasisState, Lots
from allotment.ledger.events import EventKind, Events, EventTerms, LotsPayload, no_dates
from allotment.market.calendar import settlement_days
from allotment.simulate.world import shelf
from allotment.simulate.world.shelf import Journal
from allotment.simulate.world.tape import Tape
from allotment.units import Codes, Dates, Index, Ints

_KINDS = {
    shelf.BUY: EventKind.BUY,
    shelf.SELL: EventKind.SELL,
    shelf.SPLIT_EVENT: EventKind.SPLIT,
    shelf.OPENING: EventKind.OPENING,
    shelf.TRANSFER_IN: EventKind.TRANSFER_IN,
    shelf.DEPOSIT: EventKind.DEPOSIT,
    shelf.WITHDRAWAL: EventKind.WITHDRAWAL,
    shelf.DIVIDEND: EventKind.DIVIDEND,
    shelf.OPENING_CASH: EventKind.OPENING_CASH,
}
_COVERED_FROM = np.datetime64("2011-01-01", "D")  # brokers report the basis of stock bought since


def to_events(
    journals: Sequence[Journal],
    tape: Tape,
    sessions: Dates,
    security_ids: Ints,
    accounts: Sequence[Account],
) -> tuple[Events, Ints]:
    """All events by day, then account, and the `ledger_seq` of each journal row.

    Events are numbered as they would have become known: day by day through the book.
    """
    session = _joined(journals, "events", "session")
    order = np.argsort(session, kind="stable")
    n = order.shape[0]
    seq_of_row = np.empty(n, np.int64)
    seq_of_row[order] = np.arange(1, n + 1)
    kind = _joined(journals, "events", "kind")[order]
    account = _joined(journals, "events", "account")[order]
    sec = _joined(journals, "events", "sec")[order]
    effective = sessions[session[order]]
    households = np.array([a.household_id for a in accounts], np.int64)
    settles = no_dates(n)
    is_trade = np.isin(kind, (shelf.BUY, shelf.SELL))
    settles[is_trade] = _settles(effective[is_trade])
    terms, terms_ix = _terms(tape, _joined(journals, "events", "action")[order])
    lots_rows, lots_start = _regrouped(journals, "brought_stop", order)
    named_rows, named_start = _regrouped(journals, "named_stop", order)
    events = Events(
        ledger_seq=np.arange(1, n + 1),
        household_id=households[account],
        account_id=account.astype(np.int64) + 1,
        sleeve_id=np.zeros(n, np.int64),
        effective=effective,
        day_seq=np.zeros(n, np.int64),
        kind=np.array([int(_KINDS[k]) for k in range(len(_KINDS))], np.int8)[kind],
        security_id=np.where(sec >= 0, security_ids[sec], 0),
        quantity_nano=_joined(journals, "events", "quantity")[order],
        amount_cents=_joined(journals, "events", "amount")[order],
        settles=settles,
        order_id=np.zeros(n, np.int64),
        other_account_id=np.zeros(n, np.int64),
        detail=np.zeros(n, np.int8),
        reverses=np.zeros(n, np.int64),
        terms_ix=terms_ix,
        lots_start=lots_start,
        lots=_payload(journals, lots_rows, security_ids),
        named_start=named_start,
        named_event=seq_of_row[_shifted(journals, "named", "event")[named_rows]],
        named_line=_joined(journals, "named", "line")[named_rows].astype(np.int32),
        named_quantity_nano=_joined(journals, "named", "quantity")[named_rows],
        terms=terms,
    )
    return events, seq_of_row


def to_lots(journals: Sequence[Journal], seq_of_row: Ints, security_ids: Ints) -> Lots:
    """Open lots at the end, by account, security, acquisition."""
    account = _joined(journals, "still_open", "account")
    sec = _joined(journals, "still_open", "sec")
    days = _joined(journals, "still_open", "acquired")
    event = seq_of_row[_shifted(journals, "still_open", "event")]
    line = _joined(journals, "still_open", "line")
    order = np.lexsort((line, event, days, sec, account))
    acquired = days[order].astype("M8[D]")
    basis = _joined(journals, "still_open", "basis")[order]
    ones: Codes = np.ones(order.shape[0], np.int8)
    return Lots(
        account_ix=account[order].astype(np.int32),
        sleeve_ix=np.zeros(order.shape[0], np.int32),
        security_id=security_ids[sec[order]],
        side=ones,
        quantity_nano=_joined(journals, "still_open", "quantity")[order],
        basis_cents=basis,
        loss_basis_cents=basis,
        acquired=acquired,
        holding_from=acquired,
        purchased=acquired,
        acquisition_id=event[order],
        origin_event=event[order],
        origin_line=line[order].astype(np.int32),
        absorbed=np.zeros(order.shape[0], np.int8),
        covered=(acquired >= _COVERED_FROM).astype(np.int8),
        basis_state=np.full(order.shape[0], BasisState.KNOWN, np.int8),
    )


def _joined(journals: Sequence[Journal], part: str, name: str) -> Ints:
    """One column of one part of all journals."""
    return np.concatenate([getattr(journal, part)[name] for journal in journals])


def _shifted(journals: Sequence[Journal], part: str, name: str) -> Ints:
    """A column of journal rows, counted through all journals."""
    sizes = [journal.events.shape[0] for journal in journals]
    first = np.repeat(np.cumsum([0, *sizes[:-1]]), [getattr(journal, part).shape[0] for journal in journals])
    shifted: Ints = _joined(journals, part, name) + first
    return shifted


def _regrouped(journals: Sequence[Journal], stop: str, order: Ints) -> tuple[Ints, Ints]:
    """Rows of the events' parts in the events' new order, and where each event's parts start."""
    sizes = np.concatenate([np.diff(journal.events[stop], prepend=0) for journal in journals])
    starts = np.cumsum(sizes) - sizes
    new_sizes = sizes[order]
    new_start = np.concatenate([[0], np.cumsum(new_sizes)]).astype(np.int64)
    rows = np.repeat(starts[order] - new_start[:-1], new_sizes) + np.arange(new_start[-1])
    return rows, new_start


def _payload(journals: Sequence[Journal], rows: Ints, security_ids: Ints) -> LotsPayload:
    acquired = _joined(journals, "brought", "acquired")[rows].astype("M8[D]")
    basis = _joined(journals, "brought", "basis")[rows]
    n = rows.shape[0]
    return LotsPayload(
        security_id=security_ids[_joined(journals, "brought", "sec")[rows]],
        sleeve_id=np.zeros(n, np.int64),
        side=np.ones(n, np.int8),
        quantity_nano=_joined(journals, "brought", "quantity")[rows],
        basis_cents=basis,
        loss_basis_cents=basis,
        acquired=acquired,
        holding_from=acquired,
        purchased=acquired,
        order_id=np.zeros(n, np.int64),
        absorbed=np.zeros(n, np.int8),
        covered=(acquired >= _COVERED_FROM).astype(np.int8),
        basis_state=np.full(n, BasisState.KNOWN, np.int8),
    )


def _terms(tape: Tape, action: Ints) -> tuple[EventTerms, Index]:
    """One row for each split that any account saw; -1 for events without terms."""
    used = np.unique(action[action >= 0])
    n = used.shape[0]
    terms = EventTerms(
        other_security_id=np.zeros(n, np.int64),
        new_parts=tape.actions["new"][used],
        old_parts=tape.actions["old"][used],
        cash_nano=np.zeros(n, np.int64),
        lieu_nano=np.zeros(n, np.int64),
        old_price_nano=np.zeros(n, np.int64),
        new_price_nano=np.zeros(n, np.int64),
        allocate=np.zeros(n, np.int8),
    )
    terms_ix = np.where(action >= 0, np.searchsorted(used, action), -1)
    return terms, terms_ix.astype(np.int32)


def _settles(traded: Dates) -> Dates:
    days, place = np.unique(traded, return_inverse=True)
    return settlement_days(days)[place]
