"""Clients in and out of PostgreSQL: venues, households, taxpayers, accounts, sleeves, mandates.

`save_…` inserts or replaces by id and returns the number of rows; `load_…` returns records by
id. `account_ids=None` means the whole book.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from psycopg import sql

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.book.venue import Venue
from allotment.errors import DataError, UsageError
from allotment.store import records
from allotment.store.session import FirmStore, some_ids
from allotment.units import Ints

_WRITER = "written_by"
# Columns of the table beside the mandate's body.
_MANDATE_KEYS = ("account_id", "version", "effective", "requested_by", "approved_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """An account with the records of its whole household, each by id."""

    account: Account
    members: tuple[Account, ...]  # the account among them
    taxpayers: tuple[Taxpayer, ...]
    sleeves: tuple[Sleeve, ...]
    mandates: tuple[Mandate, ...]  # in force on the day asked for


def save_venues(firm: FirmStore, venues: Sequence[Venue]) -> int:
    """Insert or replace by code."""
    return records.upsert(firm, "venue", venues, ["code"], _WRITER)


_VENUES = records.statement("SELECT {} FROM venue ORDER BY code", Venue)


def load_venues(firm: FirmStore) -> dict[str, Venue]:
    """Every venue by its code."""
    return {one.code: one for one in firm.rows(Venue, _VENUES)}


def save_households(firm: FirmStore, households: Sequence[Household]) -> int:
    """Insert or replace by id."""
    return records.upsert(firm, "household", households, ["household_id"], _WRITER)


def load_households(firm: FirmStore) -> tuple[Household, ...]:
    """Every household."""
    query = sql.SQL("SELECT {} FROM household ORDER BY household_id").format(records.columns(Household))
    return tuple(firm.rows(Household, query))


def lock_households(firm: FirmStore, household_ids: Sequence[int] | Ints) -> Ints:
    """Lock the households until the transaction ends; their versions, in the order of the ids.

    Raises DataError for a household that is not there. Locks are taken in order of the id, so two
    programs that lock the same households do not wait for each other in a ring.
    """
    ids = [int(one) for one in household_ids]
    found = dict(
        firm.connection()
        .execute(
            "SELECT household_id, version FROM household WHERE household_id = ANY(%s) "
            "ORDER BY household_id FOR NO KEY UPDATE",
            [ids],
        )
        .fetchall()
    )
    missing = [one for one in ids if one not in found]
    if missing:
        raise DataError(
            f"there is no household {', '.join(map(str, missing[:20]))}; import households first."
        )
    return np.array([found[one] for one in ids], np.int64)


def household_version(firm: FirmStore, household_id: int) -> int:
    """The ledger sequence on which the household's stored books stand: what was read may be told later."""
    found = firm.connection().execute("SELECT version FROM household WHERE household_id = %s", [household_id])
    return int(found.fetchall()[0][0])


def save_taxpayers(firm: FirmStore, taxpayers: Sequence[Taxpayer]) -> int:
    """Insert or replace by id."""
    return records.upsert(firm, "taxpayer", taxpayers, ["taxpayer_id"], _WRITER)


def load_taxpayers(firm: FirmStore) -> tuple[Taxpayer, ...]:
    """Every taxpayer by id."""
    query = sql.SQL("SELECT {} FROM taxpayer ORDER BY taxpayer_id").format(records.columns(Taxpayer))
    return tuple(firm.rows(Taxpayer, query))


def find_taxpayer(firm: FirmStore, code: str) -> Taxpayer:
    """The taxpayer of a code. Raises UsageError when there is none."""
    query = sql.SQL("SELECT {} FROM taxpayer WHERE code = %s").format(records.columns(Taxpayer))
    found = firm.rows(Taxpayer, query, [code])
    if not found:
        raise UsageError(f"there is no taxpayer {code!r} in firm {firm.firm}.")
    return found[0]


def save_accounts(firm: FirmStore, accounts: Sequence[Account]) -> int:
    """Insert or replace by id."""
    return records.upsert(firm, "account", accounts, ["account_id"], _WRITER)


def load_accounts(firm: FirmStore, account_ids: Sequence[int] | Ints | None = None) -> tuple[Account, ...]:
    """Accounts by id."""
    query = sql.SQL("SELECT {} FROM account WHERE {} ORDER BY account_id").format(
        records.columns(Account), some_ids(account_ids, "account_id")
    )
    return tuple(firm.rows(Account, query))


_ACCOUNT = records.statement("SELECT {} FROM account WHERE code = %s", Account)
_MEMBERS = records.statement("SELECT {} FROM account WHERE household_id = %s ORDER BY account_id", Account)
_TAXPAYERS = records.statement(
    "SELECT {} FROM taxpayer WHERE household_id = %s ORDER BY taxpayer_id", Taxpayer
)
_SLEEVES = records.statement(
    "SELECT {} FROM sleeve WHERE account_id = ANY(%s::bigint[]) ORDER BY account_id, sleeve_id", Sleeve
)
_HOUSEHOLD = records.statement(
    "SELECT {} FROM household WHERE code = %s OR household_id = "
    "(SELECT household_id FROM account WHERE code = %s) ORDER BY (code = %s) DESC LIMIT 1",
    Household,
)
_MANDATES = sql.SQL(
    "SELECT DISTINCT ON (account_id) account_id, version, effective, requested_by, approved_by, body "
    "FROM mandate WHERE effective <= %s AND account_id = ANY(%s::bigint[]) ORDER BY account_id, version DESC"
)


def load_around(firm: FirmStore, code: str, asof: date) -> Around:
    """The account of a code and its household, within half a millisecond.

    Raises UsageError when there is none, naming the nearest codes.
    """
    account = find_account(firm, code)
    members = tuple(firm.rows(Account, _MEMBERS, [account.household_id]))
    ids = [one.account_id for one in members]
    return Around(
        account=account,
        members=members,
        taxpayers=tuple(firm.rows(Taxpayer, _TAXPAYERS, [account.household_id])),
        sleeves=tuple(firm.rows(Sleeve, _SLEEVES, [ids])),
        mandates=tuple(_mandate(*row) for row in firm.connection().execute(_MANDATES, [asof, ids])),
    )


def mandate_in_force(firm: FirmStore, account_id: int, asof: date) -> Mandate | None:
    """The account's mandate on a day; None when none is effective."""
    row = firm.connection().execute(_MANDATES, [asof, [account_id]]).fetchone()
    return None if row is None else _mandate(*row)


def find_account(firm: FirmStore, code: str) -> Account:
    """The account of a code. Raises UsageError when there is none, naming the nearest codes."""
    found = firm.rows(Account, _ACCOUNT, [code])
    if found:
        return found[0]
    codes = [str(one) for (one,) in firm.connection().execute("SELECT code FROM account ORDER BY code")]
    near = difflib.get_close_matches(code, codes, n=5, cutoff=0.5) or codes[:5]
    hint = f"Codes near it: {', '.join(near)}." if near else "The firm has no accounts yet."
    raise UsageError(f"there is no account {code!r} in firm {firm.firm}. {hint}")


def find_household(firm: FirmStore, code: str) -> Household:
    """The household of a code, its own or an account's. Raises UsageError when there is none."""
    found = firm.rows(Household, _HOUSEHOLD, [code, code, code])
    if found:
        return found[0]
    codes = [str(one) for (one,) in firm.connection().execute("SELECT code FROM household ORDER BY code")]
    near = difflib.get_close_matches(code, codes, n=5, cutoff=0.5) or codes[:5]
    hint = f"Households near it: {', '.join(near)}." if near else "The firm has no households yet."
    raise UsageError(f"there is no household or account {code!r} in firm {firm.firm}. {hint}")


def load_household(firm: FirmStore, household_id: int) -> tuple[tuple[Account, ...], tuple[Taxpayer, ...]]:
    """The accounts and the taxpayers of a household, each by id."""
    return (
        tuple(firm.rows(Account, _MEMBERS, [household_id])),
        tuple(firm.rows(Taxpayer, _TAXPAYERS, [household_id])),
    )


def save_sleeves(firm: FirmStore, sleeves: Sequence[Sleeve]) -> int:
    """Insert or replace by id."""
    return records.upsert(firm, "sleeve", sleeves, ["sleeve_id"], _WRITER)


def load_sleeves(firm: FirmStore, account_ids: Sequence[int] | Ints | None = None) -> tuple[Sleeve, ...]:
    """Sleeves by account and id."""
    query = sql.SQL("SELECT {} FROM sleeve WHERE {} ORDER BY account_id, sleeve_id").format(
        records.columns(Sleeve), some_ids(account_ids, "account_id")
    )
    return tuple(firm.rows(Sleeve, query))


def save_mandates(firm: FirmStore, mandates: Sequence[Mandate]) -> int:
    """Append versions; one that is stored already is left. Returns how many were new.

    Raises DataError when a stored version has other content: a change is a new version.
    """
    listed = {(one.account_id, one.version): one for one in mandates}
    if not listed:
        return 0
    with firm.transaction() as connection:
        stored = {(one.account_id, one.version): one for one in _stored(firm, [key[0] for key in listed])}
        changed = [key for key, one in listed.items() if key in stored and stored[key] != one]
        if changed:
            shown = ", ".join(f"account {account} version {version}" for account, version in changed[:10])
            raise DataError(
                f"mandates are stored already with other content: {shown}. Give a change the next version."
            )
        fresh = [one for key, one in listed.items() if key not in stored]
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY mandate (account_id, version, effective, requested_by, approved_by, body) FROM STDIN"
            ) as copy,
        ):
            for one in fresh:
                copy.write_row([*(getattr(one, name) for name in _MANDATE_KEYS), _body(one)])
    return len(fresh)


def load_mandates(
    firm: FirmStore, asof: date, account_ids: Sequence[int] | Ints | None = None
) -> tuple[Mandate, ...]:
    """The version in force on `asof` of each account, by account: the highest that is effective."""
    found = firm.connection().execute(
        sql.SQL(
            "SELECT DISTINCT ON (account_id) account_id, version, effective, requested_by, approved_by, body "
            "FROM mandate WHERE effective <= {} AND {} ORDER BY account_id, version DESC"
        ).format(asof, some_ids(account_ids, "account_id"))
    )
    return tuple(_mandate(*row) for row in found)


def _stored(firm: FirmStore, account_ids: Sequence[int]) -> list[Mandate]:
    found = firm.connection().execute(
        sql.SQL(
            "SELECT account_id, version, effective, requested_by, approved_by, body FROM mandate WHERE {}"
        ).format(some_ids(account_ids, "account_id"))
    )
    return [_mandate(*row) for row in found]


def _body(mandate: Mandate) -> str:
    body = {name: value for name, value in asdict(mandate).items() if name not in _MANDATE_KEYS}
    return json.dumps(body)


def _mandate(
    account_id: int,
    version: int,
    effective: date,
    requested_by: str,
    approved_by: str,
    body: dict[str, Any],
) -> Mandate:
    special: dict[str, Any] = {
        "benchmark": tuple((str(code), float(weight)) for code, weight in body["benchmark"]),
        "restrictions": tuple(
            Restriction(one["security_id"], RestrictionKind(one["kind"])) for one in body["restrictions"]
        ),
        "tilts": tuple(Tilt(one["score"], one["strength"]) for one in body["tilts"]),
        "kept_lots": tuple((int(event), int(line)) for event, line in body.get("kept_lots", ())),
    }
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in body.items()
        if name not in special
    }
    return Mandate(
        account_id=account_id,
        version=version,
        effective=effective,
        requested_by=requested_by,
        approved_by=approved_by,
        **special,
        **plain,
    )
