"""What a household has coming from outside in a year, as its members told: one page a year.

Purchases elsewhere wash losses here (26 U.S.C. §1091(a)), gains and carry-ins from elsewhere decide what
a loss here is worth (§§1211, 1212). Each line says how sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from allotment.book.household import AccountKind


class Confidence(StrEnum):
    """How sure a line is. Certain and likely ones count in decisions, possible ones are only shown."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def counts(self) -> bool:
        """True when decisions rely on it."""
        return self is not Confidence.POSSIBLE


class Coming(StrEnum):
    """What a line tells of."""

    VESTING = "vesting"  # employer's shares that vest (RSU): a purchase
    EMPLOYEE_PLAN = "employee_plan"  # shares bought through the employer
    PAYROLL = "payroll"  # contributions that buy
    REINVESTMENT = "reinvestment"  # of dividends: "reinvestment is on"
    PURCHASE = "purchase"  # any other
    DISTRIBUTION = "distribution"  # a fund's capital gains
    GAIN = "gain"  # a known gain or, negative, loss elsewhere
    CARRYFORWARD = "carryforward"  # losses from last year's return
    NO_PURCHASES = "no_purchases"  # attested: nothing is bought

    @property
    def is_purchase(self) -> bool:
        """True for what can wash a loss."""
        return self in _PURCHASES

    @property
    def is_of_the_year(self) -> bool:
        """True for what changes the taxpayer's year."""
        return self in _OF_THE_YEAR


_PURCHASES = frozenset(
    {Coming.VESTING, Coming.EMPLOYEE_PLAN, Coming.PAYROLL, Coming.REINVESTMENT, Coming.PURCHASE}
)
_OF_THE_YEAR = frozenset({Coming.DISTRIBUTION, Coming.GAIN, Coming.CARRYFORWARD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One line of a page. A purchase has a security, days, and shares or an amount."""

    what: Coming
    confidence: Confidence = Confidence.LIKELY
    taxpayer_id: int = 0  # whose year; 0 for purchases and attestations
    account_id: int = 0  # where; 0: an account that is not linked
    kind: AccountKind = AccountKind.TAXABLE  # of that account
    security_id: int = 0  # 0: none, or every security
    start: date | None = None
    end: date | None = None  # as `start` unless a range
    every_days: int = 0  # 0: once, on some day of the range; else every so many days from `start`
    quantity_nano: int = 0  # of one purchase
    amount_cents: int = 0  # of one purchase; the gain; the loss carried, positive
    is_long: bool = True  # of gains, distributions and losses carried
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class YearPage:
    """What a household expects of a year. A change is a new version; none is ever altered."""

    household_id: int
    year: int
    version: int
    lines: tuple[Expected, ...]
