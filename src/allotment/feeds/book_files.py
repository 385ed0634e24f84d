"""Files of the book as records of `book` and, for lots, as the columns of opening events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

import numpy as np

from allotment.book.household import Account, AccountKind, FilingStatus, Household, Sleeve, Taxpayer
from allotment.book.lots import BasisState
from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.book.venue import LotMode, Relief, Venue
from allotment.feeds.book_schemas import BASIS_STATES, Origin
from allotment.feeds.market_files import numbered
from allotment.feeds.references import Known, listed_securities, rows_of
from allotment.feeds.table import Table, Words, names, pairs
from allotment.ledger.events import LotsPayload
from allotment.units import Bools, Codes, Ints, as_day

_BOUGHT = {Origin.PURCHASE, Origin.REINVEST}


def venues(table: Table) -> list[Venue]:
    """Custodians' capabilities."""
    table.check()
    modes, reliefs = table.words("lot_mode").each(), table.words("relief").each()
    return [
        Venue(
            code=code,
            share_step_nano=int(table.ints("share_step")[row]),
            lot_mode=LotMode(modes[row]),
            relief=Relief(reliefs[row]),
            fifo_by_holding_from=bool(table.yes("fifo_by_holding_from")[row]),
            lots_per_order_max=int(table.ints("lots_per_order_max")[row]),
        )
        for row, code in enumerate(table.words("venue").each())
    ]


def households(table: Table, known: Known) -> list[Household]:
    """Households, new codes with new numbers."""
    table.check()
    codes, titles = table.words("household").each(), table.words("name").each()
    ids = numbered(codes, {code: h.household_id for code, h in known.households.items()})
    return [
        Household(household_id=number, code=code, name=title)
        for number, code, title in zip(ids, codes, titles, strict=True)
    ]


def taxpayers(table: Table, known: Known) -> list[Taxpayer]:
    """Taxpayers with their profile."""
    rows_of(table, "household", known.households, "household")
    table.check()
    codes = table.words("taxpayer").each()
    ids = numbered(codes, {code: t.taxpayer_id for code, t in known.taxpayers.items()})
    owner, status, state = (table.words(c).each() for c in ("household", "filing_status", "state"))
    short, long_, ordinary = (table.floats(f"{c}_rate").tolist() for c in ("short", "long", "ordinary"))
    carry_short, carry_long = table.ints("carry_short").tolist(), table.ints("carry_long").tolist()
    outside_short, outside_long = table.ints("outside_short").tolist(), table.ints("outside_long").tolist()
    return [
        Taxpayer(
            taxpayer_id=ids[row],
            code=code,
            household_id=known.households[owner[row]].household_id,
            filing_status=FilingStatus(status[row]),
            state=state[row],
            short_rate=short[row],
            long_rate=long_[row],
            ordinary_rate=ordinary[row],
            carry_short_cents=carry_short[row],
            carry_long_cents=carry_long[row],
            outside_short_cents=outside_short[row],
            outside_long_cents=outside_long[row],
        )
        for row, code in enumerate(codes)
    ]


def accounts(table: Table, known: Known) -> list[Account]:
    """Accounts of known households, owners and venues."""
    rows_of(table, "household", known.households, "household")
    rows_of(table, "taxpayer", known.taxpayers, "taxpayer")
    rows_of(table, "venue", known.venues, "venue")
    codes, home, owner = (table.words(c).each() for c in ("account", "household", "taxpayer"))
    sound = table.sound("household", "taxpayer")
    strangers = [
        row
        for row in np.flatnonzero(sound).tolist()
        if known.taxpayers[owner[row]].household_id != known.households[home[row]].household_id
    ]
    found = [f"taxpayer {owner[row]!r} does not belong to household {home[row]!r}" for row in strangers]
    table.refuse(strangers, "taxpayer", found, "correct one of the two")
    _refuse_moves(table, known, codes, home, sound)
    table.check()
    ids = numbered(codes, {code: a.account_id for code, a in known.accounts.items()})
    kind, venue, title = (table.words(c).each() for c in ("kind", "venue", "name"))
    opened, closed = table.days("opened").tolist(), table.days("closed").tolist()
    return [
        Account(
            account_id=ids[row],
            code=code,
            household_id=known.households[home[row]].household_id,
            taxpayer_id=known.taxpayers[owner[row]].taxpayer_id,
            kind=AccountKind(kind[row]),
            venue_code=venue[row],
            opened=opened[row],
            closed=closed[row],
            name=title[row],
        )
        for row, code in enumerate(codes)
    ]


def _refuse_moves(table: Table, known: Known, codes: list[str], home: list[str], sound: Bools) -> None:
    """An account with a record stays in its household: wash sales were matched inside it."""
    moved = [
        row
        for row in np.flatnonzero(sound).tolist()
        if (account := known.accounts.get(codes[row])) is not None
        and account.account_id in (known.with_lots | known.with_cash)
        and account.household_id != known.households[home[row]].household_id
    ]
    remedy = "leave it; moving an account with a record is a transfer, not an import"
    table.refuse(moved, "household", "the account has events in another household", remedy)


def sleeves(table: Table, known: Known) -> list[Sleeve]:
    """Sleeves of known accounts."""
    rows_of(table, "account", known.accounts, "account")
    codes, account = table.words("sleeve").each(), table.words("account").each()
    moved = [
        row
        for row in np.flatnonzero(table.sound("account", "sleeve")).tolist()
        if codes[row] in known.sleeves
        and known.sleeves[codes[row]].account_id != known.accounts[account[row]].account_id
    ]
    table.refuse(moved, "account", "the sleeve belongs to another account", "give the sleeve another code")
    table.check()
    ids = numbered(codes, {code: s.sleeve_id for code, s in known.sleeves.items()})
    managers = table.words("manager").each()
    return [
        Sleeve(
            sleeve_id=ids[row],
            code=code,
            account_id=known.accounts[account[row]].account_id,
            manager=managers[row],
        )
        for row, code in enumerate(codes)
    ]


def mandates(table: Table, known: Known, asof: date) -> list[Mandate]:
    """Mandate versions of known accounts."""
    rows_of(table, "account", known.accounts, "account")
    restricted = {
        kind: listed_securities(table, kind.value, known.securities, asof) for kind in RestrictionKind
    }
    restrictions = []
    for row in range(len(table)):
        listed = [Restriction(number, kind) for kind in RestrictionKind for number in restricted[kind][row]]
        numbers = [restriction.security_id for restriction in listed]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            remedy = "keep it in one of exclude, no_buy, no_sell, hold"
            table.refuse([row], "exclude", "a security is restricted twice", remedy)
        restrictions.append(tuple(listed))
    for column, vocabulary in known.vocabulary.items():
        _refuse_strange_names(table, column, vocabulary)
    table.check()
    account, asked, approved = (table.words(c).each() for c in ("account", "requested_by", "approved_by"))
    lists = {
        c: [names(cell) for cell in table.words(c).each()]
        for c in ("excluded_sectors", "excluded_industries", "excluded_flags")
    }
    benchmark = [pairs(cell) or () for cell in table.words("benchmark").each()]
    tilts = [pairs(cell) or () for cell in table.words("tilts").each()]
    fractions = (
        "risk_price",
        "loss_value",
        "basis_value",
        "cash_weight_min",
        "cash_weight_max",
        "name_active_max",
        "trade_usd_min",
    )
    numbers_of = {name: table.floats(name).tolist() for name in fractions}
    return [
        Mandate(
            account_id=known.accounts[account[row]].account_id,
            version=int(table.ints("version")[row]),
            effective=effective,
            benchmark=benchmark[row],
            excluded_sectors=lists["excluded_sectors"][row],
            excluded_industries=lists["excluded_industries"][row],
            excluded_flags=lists["excluded_flags"][row],
            restrictions=restrictions[row],
            tilts=tuple(Tilt(score, strength) for score, strength in tilts[row]),
            requested_by=asked[row],
            approved_by=approved[row],
            **{name: column[row] for name, column in numbers_of.items()},
        )
        for row, effective in enumerate(table.days("effective").tolist())
    ]


def _refuse_strange_names(table: Table, column: str, vocabulary: frozenset[str]) -> None:
    """A screen or tilt by a name that nothing bears would be silently without effect."""
    words = table.words(column)
    strange = {}
    for code, word in enumerate(words.values):
        wanted = [name.partition("=")[0].strip() for name in names(word)]
        missing = [name for name in wanted if name not in vocabulary]
        if missing:
            near = get_close_matches(missing[0], vocabulary, n=2)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            strange[code] = f"{missing[0]!r} is not known{hint}"
    rows = [row for row in np.flatnonzero(table.sound(column)).tolist() if int(words.codes[row]) in strange]
    found = [strange[int(words.codes[row])] for row in rows]
    table.refuse(rows, column, found, "correct it, or load the file that defines it first")


# ── what accounts hold ──────────────────────────────────────────────────────────────────────


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


@dataclass(frozen=True, slots=True)
class OpeningCash:
    """Cash by account, columns of shape (n,)."""

    account_id: Ints
    amount_cents: Ints


def cash(table: Table, known: Known, asof: date) -> OpeningCash:
    """Opening cash of open accounts."""
    ids = _open_accounts(table, known, asof, known.with_cash, "opening cash")
    table.check()
    order = np.argsort(ids, kind="stable")
    return OpeningCash(ids[order], table.ints("amount")[order])


@dataclass(frozen=True, slots=True)
class OpeningLots:
    """Lots of accounts whose record begins: `lots` rows `start[i]:start[i + 1]` are account i's."""

    account_id: Ints  # (n_accounts,) ascending
    start: Ints  # (n_accounts + 1,)
    lots: LotsPayload


def lots(table: Table, known: Known, asof: date) -> OpeningLots:
    """Opening lots of open accounts, by account, in the order of the file."""
    account = _open_accounts(table, known, asof, known.with_lots, "opening lots")
    security = known.securities.ids(table, "security", asof)
    sleeve = _sleeves_of(table, known, account)
    table.check()
    order = np.argsort(account, kind="stable")
    account_ids, first = np.unique(account[order], return_index=True)
    acquired = table.days("acquired")
    holding = np.where(table.empty["holding_from"], acquired, table.days("holding_from"))
    basis = table.ints("basis")
    loss_basis = np.where(table.empty["loss_basis"], basis, table.ints("loss_basis"))
    bought = _coded(table.words("origin"), {origin.value: origin in _BOUGHT for origin in Origin}) == 1
    payload = LotsPayload(
        security_id=security[order],
        sleeve_id=sleeve[order],
        side=_coded(table.words("side"), {"long": 1, "short": -1})[order],
        quantity_nano=table.ints("quantity")[order],
        basis_cents=basis[order],
        loss_basis_cents=loss_basis[order],
        acquired=acquired[order],
        holding_from=holding[order],
        purchased=np.where(bought, acquired, np.datetime64("NaT", "D"))[order],
        order_id=_orders(table, account)[order],
        absorbed=table.yes("absorbed").astype(np.int8)[order],
        covered=table.yes("covered").astype(np.int8)[order],
        basis_state=_coded(
            table.words("basis_state"), {name: BasisState(at) for at, name in enumerate(BASIS_STATES)}
        )[order],
    )
    assert as_day(asof) >= acquired.max()
    return OpeningLots(account_ids, np.append(first, len(table)).astype(np.int64), payload)


def _coded(words: Words, codes: Mapping[str, int]) -> Codes:
    return words.mapped([int(codes[word]) for word in words.values]).astype(np.int8)


def _sleeves_of(table: Table, known: Known, account: Ints) -> Ints:
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
