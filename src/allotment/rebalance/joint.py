"""The accounts that are decided together, as one problem, taxed lot by lot or by their taxpayer's year."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from allotment.book.household import AccountKind
from allotment.optimize.problem import Problems, join
from allotment.rebalance.case import Prepared
from allotment.rebalance.year_regimes import (
    YearRegimes,
    reachable,
    realised,
    tax_between,
    with_regimes,
    year_regimes,
)
from allotment.rebalance.year_so_far import YearSoFar
from allotment.units import Floats

_BPS = 1e4


class Sales(NamedTuple):
    """What accounts sold when they were decided, and how that was taxed."""

    sold_share: Floats  # (n_lots,) of each lot
    netted: bool  # taxed by their year


class Joint(NamedTuple):
    """Accounts of one household by account number, and the regimes of its year where these tax it."""

    accounts: list[Prepared]
    regimes: YearRegimes | None = None

    def problem(self) -> Problems:
        """All accounts as one problem."""
        parts = [ready.problem for ready in self.accounts]
        made = (parts[0] if len(parts) == 1 else join(parts))._replace(
            joint_from=np.array([0, len(self.accounts)], np.int64), regimes_from=np.zeros(2, np.int64)
        )
        return made if self.regimes is None else with_regimes(made, self.regimes, self._basis_value())

    def by_its_year(
        self, problem: Problems, sold: Floats, year: YearSoFar, bps_max: float
    ) -> YearRegimes | None:
        """The year's regimes, where rates lot by lot tax these sales wrongly by more than so much of the
        value of all accounts."""
        regimes = self._regimes(problem, year) if self.regimes is None else None
        if regimes is None:
            return None
        taxed = with_regimes(problem, regimes, self._basis_value())
        by_lot = tax_between(taxed, problem, sold)
        gains = realised(problem, sold)
        error = abs(regimes.tax(*gains) - by_lot)
        return reachable(regimes, problem, gains) if error * _BPS > bps_max else None

    def taxed_after(self, before: Sales, year: YearSoFar, bps_max: float) -> Joint:
        """The accounts taxed by their year at once, where they have one and were so before, or where the
        sales made before would now be taxed wrongly: as in `by_its_year`."""
        problem = self.problem()
        same = len(before.sold_share) == len(problem.lot_weight)
        sold = problem.lot_weight * (before.sold_share if same else 0.0)
        if not before.netted:
            return Joint(self.accounts, self.by_its_year(problem, sold, year, bps_max))
        regimes = self._regimes(problem, year)
        if regimes is None:
            return self
        return Joint(self.accounts, reachable(regimes, problem, realised(problem, sold)))

    def _regimes(self, problem: Problems, year: YearSoFar) -> YearRegimes | None:
        """The regimes of the accounts' year.

        Accounts of several taxpayers have no year together: they stay taxed lot by lot. So does an
        account with a purpose, which may price its lots otherwise.
        """
        if any(ready.case.purpose is not None for ready in self.accounts):
            return None
        taxable = [r.case for r in self.accounts if r.case.account.kind == AccountKind.TAXABLE]
        if len({case.taxpayer.taxpayer_id for case in taxable}) != 1:
            return None
        taxpayer, loss_value = taxable[0].taxpayer, taxable[0].mandate.loss_value
        return year_regimes(
            taxpayer,
            *year.realised_cents(taxpayer),
            value_usd=float(problem.value_usd.sum()),
            carried_rate=taxpayer.long_rate * loss_value,
        )

    def as_decided(self, problem: Problems, sold: Floats, year: YearSoFar) -> list[Prepared]:
        """The accounts as their proposals tell them: made from the facts of all, and where the year
        taxes them, lots at the rates of the regime that the sales lie in."""
        digest = hashlib.sha256()
        for ready in self.accounts:
            digest.update(ready.inputs_hash.encode())
            digest.update(repr(year.realised_cents(ready.case.taxpayer)).encode())
        together = digest.hexdigest()
        short_rate = long_rate = 0.0
        if self.regimes is not None:
            g = self.regimes.at(*realised(problem, sold))
            short_rate, long_rate = self.regimes.short_rate[g], self.regimes.long_rate[g]
        rate = np.where(problem.lot_is_long, long_rate, short_rate)
        lot_tax = problem.lot_tax + rate * problem.lot_gain
        made, at = [], 0
        for ready in self.accounts:
            own = hashlib.sha256(f"{ready.case.account.account_id} {together}".encode()).hexdigest()
            mine = slice(at, at + len(ready.lots))
            priced = ready.problem._replace(lot_tax=lot_tax[mine])
            made.append(replace(ready, inputs_hash=own, problem=priced))
            at = mine.stop
        return made

    def _basis_value(self) -> Floats:
        return np.array([ready.case.mandate.basis_value for ready in self.accounts])
