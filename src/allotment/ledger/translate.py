"""Events into the transactions that the law's fold takes, and the way back to events.

A payload of lots becomes one transaction a line; cash events become none. Events that name an
unknown account or lot are left out and reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.ledger.events import PAYLOAD_KINDS, AccountTable, EventKind, Events
from allotment.ledger.linking import Membership, is_second_link, membership
from allotment.ledger.write import ranges, take
from allotment.tax.fold import ProblemCode
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import (
    BroughtLots,
    Kind,
    NamedLots,
    TaxAccounts,
    Terms,
    Transactions,
)
from allotment.units import Bools, Codes, Dates, Index, Ints

_TO_ACCOUNT = np.array([EventKind.TRANSFER, EventKind.CASH_TRANSFER, EventKind.IRA_DISTRIBUTION], np.int8)
_GIVEN = np.array([EventKind.GIFT_IN, EventKind.INHERIT], np.int8)  # payloads with a rule of their own
_FIRST_CASH = int(EventKind.DEPOSIT)
_LINE_BITS = 20  # lines of one payload stay below a million
_TABLE_MAX = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Events that cannot be translated. Shape (n,)."""

    event: Ints
    code: Codes  # ProblemCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """What the fold of the law is given. `event` and `line` name the source of each transaction."""

    events: Events  # the accepted ones, in fold order
    account_ix: Index  # (n_events,) of those
    transactions: Transactions
    accounts: TaxAccounts
    members: Membership
    groups: IdenticalGroups  # all securities at hand
    event: Ints  # (n_transactions,)
    line: Index
    rejected: Rejected


def positions(keys: Ints, wanted: Ints) -> Ints:
    """Where each wanted number stands among the unique `keys` (any order), -1 where it does not."""
    if not len(keys) or not len(wanted):
        return np.full(len(wanted), -1, np.int64)
    low, high = int(keys.min()), int(keys.max())
    if high - low < max(_TABLE_MAX, 4 * len(keys)):
        table = np.full(high - low + 2, -1, np.int64)
        table[keys - low] = np.arange(len(keys))
        inside = (wanted >= low) & (wanted <= high)
        if bool(inside.all()):
            return table[wanted - low]
        return table[np.where(inside, wanted - low, high - low + 1)]
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order][at] == wanted, order[at], -1)


def translate(events: Events, accounts: AccountTable, groups: IdenticalGroups) -> Translated:
    """Sort, check references, expand payloads. See the module."""
    account_at = positions(accounts.account_ids, events.account_id)
    code = np.zeros(len(events), np.int8)
    code[account_at < 0] = ProblemCode.UNKNOWN_ACCOUNT
    known = code == 0
    wrong = accounts.household_ids[account_at[known]] != events.household_id[known]
    code[np.flatnonzero(known)[wrong]] = ProblemCode.WRONG_HOUSEHOLD
    code[_names_unknown_lot(events)] = ProblemCode.LOT_NOT_HELD
    code[_unknown_destination(events, accounts)] = ProblemCode.UNKNOWN_ACCOUNT
    code[is_second_link(events)] = ProblemCode.LINKED_TWICE
    rejected = Rejected(event=events.ledger_seq[code > 0], code=code[code > 0])
    if len(rejected.event):
        events, account_at = take(events, code == 0), account_at[code == 0]
    order = _fold_order(events)
    if order is not None:
        events, account_at = take(events, order), account_at[order]
    all_groups = _all_groups(events, groups)
    source, line = _expand(events)
    members = membership(events, accounts)
    return Translated(
        events=events,
        account_ix=account_at.astype(np.int32),
        transactions=_transactions(events, accounts, account_at, all_groups, source, line),
        accounts=_tax_accounts(accounts, members),
        members=members,
        groups=all_groups,
        event=events.ledger_seq[source],
        line=line,
        rejected=rejected,
    )


def _names_unknown_lot(events: Events) -> Bools:
    made = positions(events.ledger_seq, events.named_event)
    lines = np.where(made >= 0, np.diff(events.lots_start)[made], 0)
    bad = (made < 0) | (events.named_line < 0) | (events.named_line >= np.maximum(lines, 1))
    out = np.zeros(len(events), np.bool_)
    owner = np.repeat(np.arange(len(events)), np.diff(events.named_start))
    out[owner[bad]] = True
    return out


def _unknown_destination(events: Events, accounts: AccountTable) -> Bools:
    moving = np.isin(events.kind, _TO_ACCOUNT)
    out = np.zeros(len(events), np.bool_)
    if moving.any():
        at = positions(accounts.account_ids, events.other_account_id[moving])
        out[moving] = (at < 0) | (accounts.household_ids[at] != events.household_id[moving])
    return out


def _fold_order(events: Events) -> Ints | None:
    """The rows in fold order, or None when they stand in it already."""
    keys = (events.household_id, events.effective.view(np.int64), events.day_seq, events.ledger_seq)
    ascending = np.zeros(max(len(events) - 1, 0), np.bool_)
    for key in reversed(keys):
        ascending = (key[:-1] < key[1:]) | ((key[:-1] == key[1:]) & ascending)
    if bool(ascending.all()):
        return None
    return np.lexsort(tuple(reversed(keys)))


def _all_groups(events: Events, groups: IdenticalGroups) -> IdenticalGroups:
    """`groups`, and the securities that it does not know, each alone."""
    mentioned = (events.security_id, events.lots.security_id, events.terms.other_security_id)
    missing = [ids[(positions(groups.security_ids, ids) < 0) & (ids != 0)] for ids in mentioned]
    new = np.unique(np.concatenate(missing))
    if not len(new):
        return groups
    ids = np.concatenate([groups.security_ids, new])
    order = np.argsort(ids, kind="stable")
    next_group = int(groups.group_ix.max(initial=-1)) + 1
    alone = np.arange(next_group, next_group + len(new), dtype=np.int32)
    ones = np.ones(len(new), np.int64)
    return IdenticalGroups(
        security_ids=ids[order],
        group_ix=np.concatenate([groups.group_ix, alone])[order],
        unit_parts=np.concatenate([groups.unit_parts, ones])[order],
        unit_whole=np.concatenate([groups.unit_whole, ones])[order],
    )


def _expand(events: Events) -> tuple[Ints, Index]:
    """For each transaction the row of its event, and the line of the payload (else 0)."""
    has_payload = np.isin(events.kind, PAYLOAD_KINDS)
    count = np.where(has_payload, np.diff(events.lots_start), events.kind < _FIRST_CASH)
    source = np.repeat(np.arange(len(events)), count)
    before = np.concatenate([[0], np.cumsum(count)[:-1]]) if len(count) else count
    line = np.arange(len(source)) - before[source] if len(source) else source
    return source, line.astype(np.int32)


def _transactions(
    events: Events,
    accounts: AccountTable,
    account_at: Ints,
    groups: IdenticalGroups,
    source: Ints,
    line: Index,
) -> Transactions:
    is_line = np.isin(events.kind, PAYLOAD_KINDS)[source]
    lot = events.lots_start[source] + line  # meaningful where is_line
    lot_line = lot[is_line]
    kind = events.kind[source]
    quantity, amount = events.quantity_nano[source], events.amount_cents[source]
    security = events.security_id[source]
    order = events.order_id[source]
    sleeve = events.sleeve_id[source]
    detail = events.terms_ix[source]
    if is_line.any():
        kind[is_line & ~np.isin(kind, _GIVEN)] = Kind.OPEN_LOT
        quantity[is_line] = events.lots.quantity_nano[lot_line]
        amount[is_line] = events.lots.basis_cents[lot_line]
        security[is_line] = events.lots.security_id[lot_line]
        order[is_line] = events.lots.order_id[lot_line]
        own = events.lots.sleeve_id[lot_line]
        sleeve[is_line] = np.where(own != 0, own, sleeve[is_line])
        detail[is_line] = lot_line
    detail[(kind == Kind.WORTHLESS) & (detail < 0)] = len(events.terms)  # `_terms` ends with plain ones
    alone = -((events.ledger_seq[source] << _LINE_BITS) | line)
    destination = np.full(len(source), -1, np.int64)
    moved = (kind == Kind.TRANSFER) | (kind == Kind.IRA_DISTRIBUTION)
    destination[moved] = positions(accounts.account_ids, events.other_account_id[source[moved]])
    relabelled = kind == Kind.RELABEL
    destination[relabelled] = sleeve_places(accounts, events.other_account_id[source[relabelled]])
    households = np.unique(accounts.household_ids)
    return Transactions(
        household_ix=positions(households, events.household_id)[source].astype(np.int32),
        account_ix=account_at[source].astype(np.int32),
        sleeve_ix=sleeve_places(accounts, sleeve).astype(np.int32),
        security_ix=positions(groups.security_ids, security).astype(np.int32),
        day=events.effective[source],
        settles=_settles(events, source),
        sequence=events.day_seq[source],
        kind=kind,
        quantity_nano=quantity,
        amount_cents=amount,
        order_id=np.where(order > 0, order, alone),
        method=np.full(len(source), -1, np.int8),
        to_ix=destination.astype(np.int32),
        detail_ix=detail,
        named=_named(events, source, line),
        terms=_terms(events, groups),
        brought=_brought(events),
    )


def _settles(events: Events, source: Ints) -> Dates:
    """Settlement as recorded; worthless stock is deemed sold on 31 December."""
    settles = events.settles[source]
    worthless = events.kind[source] == Kind.WORTHLESS
    if worthless.any():
        year = events.effective[source[worthless]].astype("M8[Y]")
        settles[worthless] = (year + 1).astype("M8[D]") - 1
    return settles


def sleeve_places(accounts: AccountTable, sleeve_id: Ints) -> Ints:
    """The position of each sleeve inside its account; 0 for sleeve 0 and one that is not known."""
    at = positions(accounts.sleeve_ids, sleeve_id)
    if not len(accounts.sleeve_ids):
        return np.zeros(len(sleeve_id), np.int64)
    return np.where(at >= 0, accounts.sleeve_ix[at], 0)


def _named(events: Events, source: Ints, line: Index) -> NamedLots:
    if not len(events.named_event):
        return NamedLots.none(len(source))
    # Payload events name nothing, so a naming event is one transaction.
    first_row = np.full(len(events) + 1, len(source), np.int64)
    first_row[source[::-1]] = np.arange(len(source))[::-1]
    count = np.where(line == 0, np.diff(events.named_start)[source], 0)
    entries = ranges(events.named_start, source[line == 0])
    made = positions(events.ledger_seq, events.named_event[entries])
    return NamedLots(
        start=np.concatenate([[0], np.cumsum(count)]),
        row=first_row[made] + events.named_line[entries],
        quantity_nano=events.named_quantity_nano[entries],
    )


def _terms(events: Events, groups: IdenticalGroups) -> Terms:
    terms = events.terms
    other = positions(groups.security_ids, terms.other_security_id).astype(np.int32)
    return Terms(
        other_ix=np.append(other, np.int32(-1)),
        new_parts=np.append(terms.new_parts, 1),
        old_parts=np.append(terms.old_parts, 1),
        cash_nano=np.append(terms.cash_nano, 0),
        lieu_nano=np.append(terms.lieu_nano, 0),
        old_price_nano=np.append(terms.old_price_nano, 0),
        new_price_nano=np.append(terms.new_price_nano, 0),
        allocate=np.append(terms.allocate, np.int8(0)),
    )


def _brought(events: Events) -> BroughtLots:
    lots = events.lots
    return BroughtLots(
        loss_basis_cents=lots.loss_basis_cents,
        acquired=lots.acquired,
        holding_from=lots.holding_from,
        purchased=lots.purchased,
        absorbed=lots.absorbed,
        covered=lots.covered,
        basis_state=lots.basis_state,
    )


def _tax_accounts(accounts: AccountTable, members: Membership) -> TaxAccounts:
    households = np.unique(accounts.household_ids)
    taxpayers = np.unique(accounts.taxpayer_ids)
    return TaxAccounts(
        household_ix=positions(households, accounts.household_ids).astype(np.int32),
        owner_ix=positions(taxpayers, accounts.taxpayer_ids).astype(np.int32),
        taxable=accounts.taxable,
        method=accounts.method,
        fifo_by_holding=accounts.fifo_by_holding,
        member_from=members.since,
        member_until=members.until,
    )
