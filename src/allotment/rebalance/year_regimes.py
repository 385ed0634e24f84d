"""The tax of a taxpayer's year as the optimiser's regimes, so that gains and losses net as the law has it.

Law: 26 U.S.C. §§1222, 1211(b), 1212(b), as `tax.year` nets them. The tax is linear where the signs of
the year's net short-term gain, net long-term gain and their sum stay, and where the net loss is above or
below what may be deducted: five regimes that cover every year, see docs/law/year.md. A loss that is carried
on has the worth that the client gives it.
Rates are the taxpayer's marginal ones: a year that leaves a bracket, or the threshold of §1411, is priced
on along the line where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.book.household import Taxpayer
from allotment.optimize.offsets import n_under
from allotment.optimize.problem import Problems
from allotment.tax.year import YearProfile
from allotment.units import CENTS_PER_USD, Floats

_FREE = np.inf
_ROOM = 1e-9  # fractions of value by which the float sums of gains may pass what the lots can give


@dataclass(frozen=True, slots=True, kw_only=True)
class YearRegimes:
    """Regimes as `optimize.problem` has them, shape (n,) and (n, 3); holding costs nothing."""

    constant: Floats
    short_rate: Floats
    long_rate: Floats
    lower: Floats  # net short, long and total gain of the trades, fractions of the value of all accounts
    upper: Floats

    def at(self, short: float, long: float) -> int:
        """The regime that these gains lie in, or lie nearest to."""
        gains = np.array([short, long, short + long])
        return int(np.argmin(np.maximum(self.lower - gains, gains - self.upper).max(axis=1)))

    def tax(self, short: float, long: float) -> float:
        """What the year's tax changes by, as a fraction of value."""
        g = self.at(short, long)
        return float(self.constant[g] + self.short_rate[g] * short + self.long_rate[g] * long)

    def within(self, lowest: Floats, highest: Floats, first: int) -> YearRegimes:
        """Those that trades between these gains (short, long, total) can reach, the number `first` first."""
        meets = (self.lower <= highest + _ROOM) & (self.upper >= lowest - _ROOM)
        kept = np.flatnonzero(meets.all(axis=1))
        order = kept[np.argsort(kept != first, kind="stable")]
        return YearRegimes(
            constant=self.constant[order],
            short_rate=self.short_rate[order],
            long_rate=self.long_rate[order],
            lower=self.lower[order],
            upper=self.upper[order],
        )


def year_regimes(
    taxpayer: Taxpayer, short_cents: int, long_cents: int, *, value_usd: float, carried_rate: float
) -> YearRegimes:
    """The year of a taxpayer who has realised these gains in our accounts, losses disallowed added back.

    value_usd: of all accounts of the problem; carried_rate: what a dollar of loss is worth that is
    carried to next year.
    """
    profile = YearProfile.of_taxpayers([taxpayer])
    in_value = 1.0 / (CENTS_PER_USD * value_usd)
    short = (short_cents + taxpayer.outside_short_cents - taxpayer.carry_short_cents) * in_value
    long = (long_cents + taxpayer.outside_long_cents - taxpayer.carry_long_cents) * in_value
    limit = float(profile.limit_cents[0]) * in_value
    beyond = -(taxpayer.ordinary_rate - carried_rate) * limit
    s, g, o = taxpayer.short_rate, taxpayer.long_rate, taxpayer.ordinary_rate
    # Rates of short and long, a constant, and the ends of short, long and their sum.
    rows = (
        (s, g, 0.0, (0.0, 0.0, -_FREE), (_FREE, _FREE, _FREE)),
        (s, s, 0.0, (0.0, -_FREE, 0.0), (_FREE, 0.0, _FREE)),
        (g, g, 0.0, (-_FREE, 0.0, 0.0), (0.0, _FREE, _FREE)),
        (o, o, 0.0, (-_FREE, -_FREE, -limit), (_FREE, _FREE, 0.0)),
        (carried_rate, carried_rate, beyond, (-_FREE, -_FREE, -_FREE), (_FREE, _FREE, -limit)),
    )
    now = np.array([short, long, short + long])
    short_rate, long_rate = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    regimes = YearRegimes(
        constant=np.array([row[2] for row in rows]) + short_rate * short + long_rate * long,
        short_rate=short_rate,
        long_rate=long_rate,
        lower=np.array([row[3] for row in rows]) - now,
        upper=np.array([row[4] for row in rows]) - now,
    )
    regimes.constant[:] -= regimes.tax(0.0, 0.0)
    return regimes


def reachable(
    regimes: YearRegimes, problem: Problems, expected: tuple[float, float] = (0.0, 0.0)
) -> YearRegimes:
    """The regimes that sales of the problem's lots can reach.

    expected: net short- and long-term gain of sales like those to come, as `realised` gives them. Their
    regime comes first: a good answer found early spares the search of others.
    """
    gain = _gains(problem, problem.lot_weight)
    bounds = [
        [float(np.where(term, side, 0.0).sum()) for side in (np.minimum(gain, 0.0), np.maximum(gain, 0.0))]
        for term in (~problem.lot_is_long, problem.lot_is_long, np.ones(len(gain), np.bool_))
    ]
    lowest, highest = np.array(bounds).T
    return regimes.within(lowest, highest, regimes.at(*expected))


def realised(problem: Problems, sold: Floats) -> tuple[float, float]:
    """Net short- and long-term gain of these sales (n_lots,), as fractions of the value of all accounts."""
    gain = _gains(problem, sold)
    return float(gain[~problem.lot_is_long].sum()), float(gain[problem.lot_is_long].sum())


def with_regimes(problem: Problems, regimes: YearRegimes, basis_value: Floats) -> Problems:
    """One problem taxed by its year. basis_value: by account; a lot keeps what its basis is worth."""
    worth = np.repeat(np.repeat(basis_value, n_under(problem.names_from)), n_under(problem.lots_from))
    return problem._replace(
        lot_tax=-worth * problem.lot_gain,
        regimes_from=np.array([0, len(regimes.constant)], np.int64),
        regime_constant=regimes.constant,
        regime_short_rate=regimes.short_rate,
        regime_long_rate=regimes.long_rate,
        regime_lower=regimes.lower,
        regime_upper=regimes.upper,
    )


def tax_between(one: Problems, other: Problems, sold: Floats) -> float:
    """How much more these sales cost by the lots' taxes of the other problem than of the one, as a fraction
    of the value of all accounts; they differ in `lot_tax` alone."""
    return float(((other.lot_tax - one.lot_tax) * sold * _share_of_lots(one)).sum())


def _gains(problem: Problems, sold: Floats) -> Floats:
    """Gain of each lot's sale as a fraction of the value of all accounts."""
    return problem.lot_gain * sold * _share_of_lots(problem)


def _share_of_lots(problem: Problems) -> Floats:
    """The part that each lot's account has in the value of all."""
    share = problem.value_usd / problem.value_usd.sum()
    return np.repeat(np.repeat(share, n_under(problem.names_from)), n_under(problem.lots_from))
