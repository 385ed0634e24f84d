"""Files of clients and what they want, as records of `book`."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.household import (
    Account,
    AccountKind,
    FilingStatus,
    Household,
    Management,
    Sleeve,
    Taxpayer,
)
from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.book.venue import LotMode, Relief, Venue
from allotment.feeds.market_files import numbered
from allotment.feeds.references import Known, did_you_mean, listed_securities, rows_of
from allotment.feeds.table import Table, names, pairs
from allotment.units import Bools


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
    codes, homes = table.words("taxpayer").each(), table.words("household").each()
    owners = {account.taxpayer_id for account in known.accounts.values()}
    moved = [
        row
        for row in np.flatnonzero(table.sound("taxpayer", "household")).tolist()
        if (there := known.taxpayers.get(codes[row])) is not None
        and there.taxpayer_id in owners
        and there.household_id != known.households[homes[row]].household_id
    ]
    remedy = "give the taxpayer another code there: accounts stay in the household that keeps their events"
    table.refuse(moved, "household", "the taxpayer has accounts in another household", remedy)
    table.check()
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
    kind, venue, title, management = (table.words(c).each() for c in ("kind", "venue", "name", "management"))
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
            management=Management(management[row]),
        )
        for row, code in enumerate(codes)
    ]


def _refuse_moves(table: Table, known: Known, codes: list[str], home: list[str], sound: Bools) -> None:
    """An account with a record stays in its household: wash sales were matched inside it."""
    moved = [
        row
        for row in np.flatnonzero(sound).tolist()
        if (account := known.accounts.get(codes[row])) is not None
        and account.account_id in known.with_events
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
        "lot_usd_min",
    )
    numbers_of = {name: table.floats(name).tolist() for name in fractions}
    near_long = table.ints("near_long_days")
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
            near_long_days=int(near_long[row]),
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
            strange[code] = f"{missing[0]!r} is not known{did_you_mean(missing[0], vocabulary)}"
    rows = [row for row in np.flatnonzero(table.sound(column)).tolist() if int(words.codes[row]) in strange]
    found = [strange[int(words.codes[row])] for row in rows]
    table.refuse(rows, column, found, "correct it, or load the file that defines it first")
