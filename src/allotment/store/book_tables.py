"""Clients in and out of PostgreSQL: venues, households, taxpayers, accounts, sleeves, mandates.

`save_…` inserts or replaces by id and returns the number of rows; `load_…` returns records by
id. `account_ids=None` means the whole book.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.store.session import FirmStore
from allotment.units import Ints


def save_venues(firm: FirmStore, venues: Sequence[Venue]) -> int:
    """Insert or replace by code."""
    raise NotImplementedError


def load_venues(firm: FirmStore) -> dict[str, Venue]:
    """Every venue by its code."""
    raise NotImplementedError


def save_households(firm: FirmStore, households: Sequence[Household]) -> int:
    """Insert or replace by id."""
    raise NotImplementedError


def load_households(firm: FirmStore) -> tuple[Household, ...]:
    """Every household."""
    raise NotImplementedError


def lock_households(firm: FirmStore, household_ids: Sequence[int] | Ints) -> Ints:
    """Lock the households until the transaction ends; their versions, in the order of the ids."""
    raise NotImplementedError


def save_taxpayers(firm: FirmStore, taxpayers: Sequence[Taxpayer]) -> int:
    """Insert or replace by id."""
    raise NotImplementedError


def load_taxpayers(firm: FirmStore) -> tuple[Taxpayer, ...]:
    """Every taxpayer."""
    raise NotImplementedError


def save_accounts(firm: FirmStore, accounts: Sequence[Account]) -> int:
    """Insert or replace by id."""
    raise NotImplementedError


def load_accounts(firm: FirmStore, account_ids: Sequence[int] | Ints | None = None) -> tuple[Account, ...]:
    """Accounts by id."""
    raise NotImplementedError


def find_account(firm: FirmStore, code: str) -> Account:
    """The account of a code. Raises UsageError when there is none, naming the nearest codes."""
    raise NotImplementedError


def save_sleeves(firm: FirmStore, sleeves: Sequence[Sleeve]) -> int:
    """Insert or replace by id."""
    raise NotImplementedError


def load_sleeves(firm: FirmStore, account_ids: Sequence[int] | Ints | None = None) -> tuple[Sleeve, ...]:
    """Sleeves by account and id."""
    raise NotImplementedError


def save_mandates(firm: FirmStore, mandates: Sequence[Mandate]) -> int:
    """Append versions; one that is stored already is left, and refused if its content differs."""
    raise NotImplementedError


def load_mandates(
    firm: FirmStore, asof: date, account_ids: Sequence[int] | Ints | None = None
) -> tuple[Mandate, ...]:
    """The version in force on `asof` of each account, by account."""
    raise NotImplementedError
