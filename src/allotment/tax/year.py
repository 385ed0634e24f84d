"""One taxpayer's year: netting, the limit, the tax at marginal rates, what is carried on.

Law: 26 U.S.C. §§1222, 1211(b), 1212(b): short and long net apart with their carry-ins, then
against each other; up to $3,000 ($1,500 married filing separately) of a net loss is deducted;
the rest keeps its character. Lines: Capital Loss Carryover Worksheet.
Here tax is at given marginal rates; brackets are `tax.brackets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from allotment.book.household import FilingStatus, Taxpayer
from allotment.units import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class YearProfile:
    """What the year of each taxpayer looks like apart from our accounts. Shape (n_taxpayers,)."""

    short_rate: Floats  # marginal fractions: federal, state, net investment income tax
    long_rate: Floats
    ordinary_rate: Floats  # what the deduction of a net loss saves
    carry_short_cents: Ints  # losses carried in, positive
    carry_long_cents: Ints
    outside_short_cents: Ints  # net gains elsewhere, signed
    outside_long_cents: Ints
    limit_cents: Ints  # 300,000 or 150,000

    @classmethod
    def of_taxpayers(cls, taxpayers: Sequence[Taxpayer]) -> Self:
        """The profiles of the given taxpayers, in their order."""
        return cls(
            short_rate=np.array([taxpayer.short_rate for taxpayer in taxpayers], np.float64),
            long_rate=np.array([taxpayer.long_rate for taxpayer in taxpayers], np.float64),
            ordinary_rate=np.array([taxpayer.ordinary_rate for taxpayer in taxpayers], np.float64),
            carry_short_cents=np.array([taxpayer.carry_short_cents for taxpayer in taxpayers], np.int64),
            carry_long_cents=np.array([taxpayer.carry_long_cents for taxpayer in taxpayers], np.int64),
            outside_short_cents=np.array([taxpayer.outside_short_cents for taxpayer in taxpayers], np.int64),
            outside_long_cents=np.array([taxpayer.outside_long_cents for taxpayer in taxpayers], np.int64),
            limit_cents=np.array(
                [loss_limit_cents(taxpayer.filing_status) for taxpayer in taxpayers], np.int64
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NettedYear:
    """The year after netting, shape (n_taxpayers,), cents. At most one of gain and deduction
    is positive in total: a net gain is taxed, a net loss deducted up to the limit."""

    taxed_short_cents: Ints  # net short-term gain left to tax, ≥ 0
    taxed_long_cents: Ints  # net long-term gain left to tax, ≥ 0
    deduction_cents: Ints  # net loss deducted from ordinary income, ≥ 0
    carry_short_cents: Ints  # carried to next year, ≥ 0
    carry_long_cents: Ints


def loss_limit_cents(status: FilingStatus) -> int:
    """The net capital loss that may be deducted from ordinary income, §1211(b)."""
    return 150_000 if status is FilingStatus.SEPARATE else 300_000


def net(short_cents: Ints, long_cents: Ints, profile: YearProfile) -> NettedYear:
    """Net the year. short_cents, long_cents: recognised in our accounts (disallowed losses
    added back), signed, shape (n_taxpayers,); carry-ins and outside gains come from `profile`.

    The deduction eats short-term losses first (§1212(b)(2)). Taxable income is taken to be
    enough for the whole deduction; `tax.carryover` has the worksheet for when it is not.
    """
    short = short_cents + profile.outside_short_cents - profile.carry_short_cents
    long = long_cents + profile.outside_long_cents - profile.carry_long_cents
    short_loss, long_loss = np.maximum(-short, 0), np.maximum(-long, 0)
    taxed_short = np.maximum(0, np.maximum(short, 0) - long_loss)
    taxed_long = np.maximum(0, np.maximum(long, 0) - short_loss)
    # What of each loss the other side's gain has not used.
    short_left = np.maximum(0, short_loss - np.maximum(long, 0))
    long_left = np.maximum(0, long_loss - np.maximum(short, 0))
    deduction = np.minimum(profile.limit_cents, short_left + long_left)
    from_short = np.minimum(deduction, short_left)
    return NettedYear(
        taxed_short_cents=taxed_short,
        taxed_long_cents=taxed_long,
        deduction_cents=deduction,
        carry_short_cents=short_left - from_short,
        carry_long_cents=long_left - (deduction - from_short),
    )


def tax_of_year(short_cents: Ints, long_cents: Ints, profile: YearProfile) -> Ints:
    """Tax of the year in cents, shape (n_taxpayers,), half-up: rates on what is taxed, less the
    value of the deduction. "Saved this year" is the tax without the trades minus the tax with
    them. Carried losses are worth nothing here: they are next year's."""
    netted = net(short_cents, long_cents, profile)
    tax = (
        netted.taxed_short_cents * profile.short_rate
        + netted.taxed_long_cents * profile.long_rate
        - netted.deduction_cents * profile.ordinary_rate
    )
    return np.floor(tax + 0.5).astype(np.int64)
