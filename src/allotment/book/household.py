"""Who owns what: households of taxpayers, their accounts, and the sleeves inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class FilingStatus(StrEnum):
    """Federal filing status; decides brackets and limits."""

    SINGLE = "single"
    JOINT = "joint"
    SEPARATE = "separate"
    HEAD = "head"


class AccountKind(StrEnum):
    """How the law taxes what happens inside."""

    TAXABLE = "taxable"
    IRA = "ira"
    ROTH_IRA = "roth_ira"


class Management(StrEnum):
    """Who trades in an account, and how we know what happened there.

    Purchases in any account of a household wash losses in every other; only managed ones get orders.
    """

    MANAGED = "managed"  # by us; the custodian tells
    FED = "fed"  # outside: a file of its transactions comes in
    ATTESTED = "attested"  # outside: the client says what is bought there


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """The unit of wash sales, versions and locks."""

    household_id: int
    code: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxpayer:
    """A person (or couple filing jointly) with a tax profile for one year.

    Rates are marginal fractions of one more dollar, federal, state and net investment income
    tax together. Amounts of the year exclude what our own accounts realise.
    """

    taxpayer_id: int
    code: str
    household_id: int
    filing_status: FilingStatus = FilingStatus.SINGLE
    state: str = ""
    short_rate: float = 0.35
    long_rate: float = 0.20
    ordinary_rate: float = 0.35
    carry_short_cents: int = 0  # losses carried in, positive
    carry_long_cents: int = 0
    outside_short_cents: int = 0  # expected net gains elsewhere this year, signed
    outside_long_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One custodial account."""

    account_id: int
    code: str
    household_id: int
    taxpayer_id: int
    kind: AccountKind
    venue_code: str
    opened: date
    closed: date | None = None
    name: str = ""
    management: Management = Management.MANAGED

    @property
    def is_managed(self) -> bool:
        """True where we trade; outside accounts are only looked at."""
        return self.management is Management.MANAGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleeve:
    """A part of an account that one manager or strategy runs; every account has at least one."""

    sleeve_id: int
    code: str
    account_id: int
    manager: str = ""
