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

from allotment.book.household import Taxpayer
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
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class NettedYear:
    """The year after netting, shape (n_taxpayers,), cents. At most one of gain and deduction
    is positive in total: a net gain is taxed, a net loss deducted up to the limit."""

    taxed_short_cents: Ints  # net short-term gain left to tax, ≥ 0
    taxed_long_cents: Ints  # net long-term gain left to tax, ≥ 0
    deduction_cents: Ints  # net loss deducted from ordinary income, ≥ 0
    carry_short_cents: Ints  # carried to next year, ≥ 0
    carry_long_cents: Ints


def net(short_cents: Ints, long_cents: Ints, profile: YearProfile) -> NettedYear:
    """Net the year. short_cents, long_cents: recognised in our accounts (disallowed losses
    added back), signed, shape (n_taxpayers,); carry-ins and outside gains come from `profile`."""
    raise NotImplementedError


def tax_of_year(short_cents: Ints, long_cents: Ints, profile: YearProfile) -> Ints:
    """Tax of the year in cents, shape (n_taxpayers,): rates on what is taxed, less the value
    of the deduction. "Saved this year" is the tax without the trades minus the tax with them.
    Carried losses are worth nothing here: they are next year's."""
    raise NotImplementedError
