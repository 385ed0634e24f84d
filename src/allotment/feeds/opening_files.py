"""Files of what accounts hold when their record begins, as opening events.

Lots are never stored as they come: one opening event per account carries them, and the fold of
events makes the lots (`allotment.ledger`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date

import numpy as np

from allotment.book.lots import BasisState
from allotment.feeds.book_schemas import BASIS_STATES, Origin
from allotment.feeds.references import Known, rows_of
from allotment.feeds.table import Table, Words
from allotment.ledger.events import EventKind, Events, EventTerms, LotsPayload, no_dates
from allotment.units import Codes, Dates, Ints, as_day

_BOUGHT = {Origin.PURCHASE, Origin.REINVEST}


def _open_accounts(table: Table, known: Known, asof: date, begun: frozenset[int], what: str) -> Ints:
    """Account id per row; closed accounts and accounts whose record has begun are refused."""
    words = table.words("account")
    rows_of(table, "account", known.accounts, "account")
    found = [known.accounts.get(word) for word in words.values]
    closed = np.array([a is not None and a.closed is not None and a.closed <= asof for a in found], np.bool_)
    again = np.array([a is not None and a.account_id in begun for a in found], np.bool_)
    if words.values:
        rows = np.flatnonzero(closed[words.codes])
        texts = [f"account {a.code!r} was closed on {a.closed}" if a else "" for a in found]
        table.refuse(
            rows, "account", [texts[code] for code in words.codes[rows].tolist()], "leave its rows out"
        )
        _, first = np.unique(words.codes, return_index=True)
        rows = np.sort(first[again[words.codes[first]]])
        texts = [f"account {word!r} already has its {what}" for word in words.values]
        table.refuse(
            rows,
            "account",
            [texts[code] for code in words.codes[rows].tolist()],
            "leave the account out; later changes are transactions, not a second opening",
        )
    return words.mapped([a.account_id if a else 0 for a in found])


def cash(table: Table, known: Known, asof: date) -> Events:
    """One event of opening cash per account."""
    ids = _open_accounts(table, known, asof, known.with_cash, "opening cash")
    table.check()
    order = np.argsort(ids, kind="stable")
    accounts = ids[order]
    days = np.full(len(accounts), as_day(asof))
    return per_account(
        EventKind.OPENING_CASH, accounts, known, days, amount_cents=table.ints("amount")[order]
    )


def lots(table: Table, known: Known, asof: date) -> Events:
    """One opening event per account, its lots in the order of the file."""
    account = _open_accounts(table, known, asof, known.with_lots, "opening lots")
    security = known.securities.ids(table, "security", asof)
    sleeve = sleeves_of(table, known, account)
    table.check()
    order = np.argsort(account, kind="stable")
    account_ids, first = np.unique(account[order], return_index=True)
    acquired = table.days("acquired")
    payload = payload_of(table, order, account=account, security=security, sleeve=sleeve, acquired=acquired)
    assert as_day(asof) >= acquired.max()
    start = np.append(first, len(table)).astype(np.int64)
    days = np.full(len(account_ids), as_day(asof))
    return per_account(EventKind.OPENING, account_ids, known, days, lots_start=start, payload=payload)


def payload_of(
    table: Table, order: Ints, *, account: Ints, security: Ints, sleeve: Ints, acquired: Dates
) -> LotsPayload:
    """The rows' lots in `order`. account, security, sleeve, acquired: of every row, by id and day."""
    holding = np.where(table.empty["holding_from"], acquired, table.days("holding_from"))
    basis = table.ints("basis")
    loss_basis = np.where(table.empty["loss_basis"], basis, table.ints("loss_basis"))
    side = np.ones(len(table), np.int8)
    if "side" in table.columns:
        side = _coded(table.words("side"), {"long": 1, "short": -1})
    return LotsPayload(
        security_id=security[order],
        sleeve_id=sleeve[order],
        side=side[order],
        quantity_nano=table.ints("quantity")[order],
        basis_cents=basis[order],
        loss_basis_cents=loss_basis[order],
        acquired=acquired[order],
        holding_from=holding[order],
        purchased=purchased_of(table, acquired)[order],
        order_id=_orders(table, account)[order],
        absorbed=table.yes("absorbed").astype(np.int8)[order],
        covered=table.yes("covered").astype(np.int8)[order],
        basis_state=_coded(
            table.words("basis_state"), {name: BasisState(at) for at, name in enumerate(BASIS_STATES)}
        )[order],
    )


def purchased_of(table: Table, acquired: Dates) -> Dates:
    """The day of purchase of each row: NaT for what was not bought, or is not known to have been."""
    bought = _coded(table.words("origin"), {origin.value: origin in _BOUGHT for origin in Origin}) == 1
    return np.where(bought & ~table.empty["acquired"], acquired, np.datetime64("NaT", "D"))


def _coded(words: Words, codes: Mapping[str, int]) -> Codes:
    return words.mapped([int(codes[word]) for word in words.values]).astype(np.int8)


def sleeves_of(table: Table, known: Known, account: Ints) -> Ints:
    """Sleeve id per row, 0 where the file names none."""
    rows_of(table, "sleeve", known.sleeves, "sleeve")
    words = table.words("sleeve")
    owners = words.mapped([known.sleeves[w].account_id if w in known.sleeves else 0 for w in words.values])
    foreign = np.flatnonzero((owners > 0) & (owners != account) & table.sound("sleeve", "account"))
    table.refuse(foreign, "sleeve", "the sleeve belongs to another account", "correct one of the two")
    return words.mapped([known.sleeves[w].sleeve_id if w in known.sleeves else 0 for w in words.values])


def _orders(table: Table, account: Ints) -> Ints:
    """A number per parent order of an account, 0 where none is named.

    Numbers come from the names, so that a file read twice gives the same; the second highest bit
    is set, which keeps them apart from the numbers of our own orders.
    """
    words = table.words("order")
    made = np.zeros(len(table), np.int64)
    named = np.flatnonzero(~table.empty["order"])
    seen: dict[tuple[int, int], int] = {}
    for row, code, owner in zip(
        named.tolist(), words.codes[named].tolist(), account[named].tolist(), strict=True
    ):
        key = (owner, code)
        if key not in seen:
            digest = hashlib.blake2b(f"{owner}\0{words.values[code]}".encode(), digest_size=8).digest()
            seen[key] = int.from_bytes(digest, "big") >> 2 | 1 << 61
        made[row] = seen[key]
    return made


def per_account(
    kind: EventKind,
    account_ids: Ints,
    known: Known,
    effective: Dates,
    *,
    amount_cents: Ints | None = None,
    lots_start: Ints | None = None,
    payload: LotsPayload | None = None,
    detail: Codes | None = None,
) -> Events:
    """One event for each of the accounts, on its day, in that order, named from 1. Shapes (n,)."""
    n = account_ids.shape[0]
    home = {account.account_id: account.household_id for account in known.accounts.values()}
    nothing = np.zeros(n, np.int64)
    return Events(
        ledger_seq=np.arange(1, n + 1),
        household_id=np.array([home[number] for number in account_ids.tolist()], np.int64),
        account_id=account_ids,
        sleeve_id=nothing,
        effective=effective,
        day_seq=nothing,
        kind=np.full(n, kind, np.int8),
        security_id=nothing,
        quantity_nano=nothing,
        amount_cents=nothing if amount_cents is None else amount_cents,
        settles=no_dates(n),
        order_id=nothing,
        other_account_id=nothing,
        detail=np.zeros(n, np.int8) if detail is None else detail,
        reverses=np.zeros(n, np.int64),
        terms_ix=np.full(n, -1, np.int32),
        lots_start=np.zeros(n + 1, np.int64) if lots_start is None else lots_start,
        lots=_no_lots() if payload is None else payload,
        named_start=np.zeros(n + 1, np.int64),
        named_event=np.empty(0, np.int64),
        named_line=np.empty(0, np.int32),
        named_quantity_nano=np.empty(0, np.int64),
        terms=_no_terms(),
    )


def _no_lots() -> LotsPayload:
    none, codes, days = np.empty(0, np.int64), np.empty(0, np.int8), no_dates(0)
    return LotsPayload(
        security_id=none,
        sleeve_id=none,
        side=codes,
        quantity_nano=none,
        basis_cents=none,
        loss_basis_cents=none,
        acquired=days,
        holding_from=days,
        purchased=days,
        order_id=none,
        absorbed=codes,
        covered=codes,
        basis_state=codes,
    )


def _no_terms() -> EventTerms:
    none = np.empty(0, np.int64)
    return EventTerms(
        other_security_id=none,
        new_parts=none,
        old_parts=none,
        cash_nano=none,
        lieu_nano=none,
        old_price_nano=none,
        new_price_nano=none,
        allocate=np.empty(0, np.int8),
    )
