"""State income tax of a year's ordinary income and capital gains, by the state's own rules.

Law: each state's, cited in `tax/law/states.toml`. Netting, limit and carryover follow the federal
rules (`tax.year.net`) with the state's own limit and carry-ins; a state that carries nothing lets
losses meet gains of the same year only. Left out: credits, phase-outs, alternative taxes,
county taxes, part-year residents; what each state's `note` names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotment.tax.states import RATE_PARTS, Brackets, StateLaw
from allotment.tax.year import NettedYear, YearProfile, net
from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTax:
    """One state's tax, shape (n_taxpayers,), cents."""

    tax_cents: Ints
    carry_short_cents: Ints  # losses that the state lets carry on, positive
    carry_long_cents: Ints
    deduction_cents: Ints  # net loss that met other income


def state_tax(
    law: StateLaw,
    ordinary_cents: Ints,
    short_cents: Ints,
    long_cents: Ints,
    profile: YearProfile,
    federal_tax_cents: Ints | None = None,
) -> StateTax:
    """Tax of the year. ordinary_cents: gross ordinary income before the state's deduction, qualified
    dividends included; short_cents, long_cents: recognised, signed. `profile` gives outside gains
    and the *state's* carry-ins; its rates are not used. federal_tax_cents: for states that deduct
    it. Shape (n_taxpayers,).
    """
    netted = _netted(law, short_cents, long_cents, profile)
    short = _kept(netted.taxed_short_cents, law.short_excluded)
    long = _kept(netted.taxed_long_cents, law.long_excluded)
    deductions = law.deduction_cents + netted.deduction_cents
    if law.deducts_federal_tax and federal_tax_cents is not None:
        deductions = deductions + np.maximum(0, federal_tax_cents)
    plain = np.maximum(0, ordinary_cents - deductions)
    # What the deductions have not used of ordinary income, they take off the gains.
    unused = np.maximum(0, deductions - ordinary_cents)
    short_left = np.maximum(0, short - unused)
    long_left = np.maximum(0, long - np.maximum(0, unused - short))
    tax = _on_income(law, plain, short_left, long_left)
    tax = tax + _by_brackets(plain + short_left + long_left, law.surtax)
    gains = netted.taxed_short_cents + netted.taxed_long_cents
    tax = tax + _by_brackets(gains, law.investment_surtax)
    tax = tax + _by_brackets(netted.taxed_long_cents, law.excise)
    above, rate = law.gains_surtax
    if rate:
        tax = tax + np.where(ordinary_cents + gains > above, gains * rate, 0)
    nothing = np.zeros_like(netted.carry_short_cents)
    return StateTax(
        tax_cents=(tax + RATE_PARTS // 2) // RATE_PARTS,
        carry_short_cents=netted.carry_short_cents if law.carries else nothing,
        carry_long_cents=netted.carry_long_cents if law.carries else nothing,
        deduction_cents=netted.deduction_cents,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalStateTax:
    """State tax of $1,000 more of each, cents, shape (n_taxpayers,); what saves is negative."""

    ordinary_cents: Ints
    short_gain_cents: Ints
    short_loss_cents: Ints
    long_gain_cents: Ints
    long_loss_cents: Ints


def marginal_state_tax(
    law: StateLaw, ordinary_cents: Ints, short_cents: Ints, long_cents: Ints, profile: YearProfile
) -> MarginalStateTax:
    """What the next $1,000 of each costs or saves this year. Arguments as of `state_tax`."""
    step = 1_000_00

    def change(ordinary: int, short: int, long: int) -> Ints:
        after = state_tax(law, ordinary_cents + ordinary, short_cents + short, long_cents + long, profile)
        return after.tax_cents - state_tax(law, ordinary_cents, short_cents, long_cents, profile).tax_cents

    return MarginalStateTax(
        ordinary_cents=change(step, 0, 0),
        short_gain_cents=change(0, step, 0),
        short_loss_cents=change(0, -step, 0),
        long_gain_cents=change(0, 0, step),
        long_loss_cents=change(0, 0, -step),
    )


def _netted(law: StateLaw, short_cents: Ints, long_cents: Ints, profile: YearProfile) -> NettedYear:
    if law.excise.bounds_cents.size:
        # Washington looks at long-term gains alone; nothing else meets them.
        none = np.zeros_like(long_cents)
        long = np.maximum(0, long_cents + profile.outside_long_cents)
        return NettedYear(
            taxed_short_cents=none,
            taxed_long_cents=long,
            deduction_cents=none,
            carry_short_cents=none,
            carry_long_cents=none,
        )
    limit = np.minimum(profile.limit_cents, law.loss_limit_cents)
    if law.carries:
        return net(short_cents, long_cents, replace(profile, limit_cents=limit))
    none = np.zeros_like(profile.carry_short_cents)
    own = replace(profile, limit_cents=limit, carry_short_cents=none, carry_long_cents=none)
    return net(short_cents, long_cents, own)


def _kept(gain_cents: Ints, excluded: int) -> Ints:
    """A net gain less its excluded part, half-up."""
    out: Ints = gain_cents - (gain_cents * excluded + RATE_PARTS // 2) // RATE_PARTS
    return out


def _on_income(law: StateLaw, plain: Ints, short: Ints, long: Ints) -> Ints:
    """In cents × RATE_PARTS."""
    if law.short_rate is not None:
        return _by_brackets(plain + long, law.income) + short * law.short_rate
    below = plain + short
    if law.long_own is not None:
        on_top = _by_brackets(below + long, law.long_own) - _by_brackets(below, law.long_own)
        return _by_brackets(below, law.income) + on_top
    whole = _by_brackets(below + long, law.income)
    if law.long_rate_max is None:
        return whole
    capped: Ints = np.minimum(whole, _by_brackets(below, law.income) + long * law.long_rate_max)
    return capped


def _by_brackets(income_cents: Ints, brackets: Brackets) -> Ints:
    """In cents × RATE_PARTS; exact."""
    below = np.concatenate([[0], brackets.bounds_cents])
    above = np.concatenate([brackets.bounds_cents, [2**62 // RATE_PARTS]])
    inside = np.clip(income_cents[:, None] - below, 0, above - below)
    tax: Ints = (inside * brackets.rate).sum(axis=1)
    return tax
