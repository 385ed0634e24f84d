"""A finished run in figures: what `allotment demo` and `allotment rebalance` print."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from allotment.jobs.book_run import RunReport
from allotment.rebalance.proposal import Proposal, ProposalState
from allotment.store import proposal_tables, run_tables
from allotment.store.session import FirmStore
from allotment.units import CENTS_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """Figures of one run. Tracking errors are means over accounts, weighted by value."""

    run_id: int
    asof: str
    resumed: bool
    accounts: int
    proposals: int  # accounts with a proposal, those with nothing to do included
    accounts_trading: int
    lots: int
    names_per_account: float  # median
    lots_per_account: float  # median
    trades: int
    trades_per_account: float  # median over the accounts that trade
    value_usd: float
    turnover: float  # one-way, weighted by value
    loss_banked_usd: float
    tax_this_year_saved_usd: float
    cost_usd: float
    tracking_error_before: float
    tracking_error_after: float
    gap_bps_median: float
    gap_bps_p99: float
    seconds: float
    seconds_optimising: float  # compiled code, summed over threads
    accounts_per_second: float
    accounts_per_second_per_core: float  # of compiled optimisation
    exceptions: dict[str, int]  # by cause


def summarise(firm: FirmStore, report: RunReport) -> RunSummary:
    """The run's figures, its earlier steps included when it was gone on with."""
    proposals = proposal_tables.load_proposals(firm, report.run_id)
    exceptions = run_tables.load_exceptions(firm, report.run_id)
    trading = [p for p in proposals if p.state == ProposalState.PROPOSED]
    value = np.array([p.value_cents for p in proposals], np.float64)
    undecided = {e.account_id for e in exceptions} - {p.account_id for p in proposals}
    gaps = np.array([p.gap_bps for p in proposals if np.isfinite(p.gap_bps)])
    n_accounts = len(proposals) + len(undecided)
    return RunSummary(
        run_id=report.run_id,
        asof=str(report.asof),
        resumed=report.resumed,
        accounts=n_accounts,
        proposals=len(proposals),
        accounts_trading=len(trading),
        lots=sum(p.n_lots for p in proposals),
        names_per_account=_median([p.n_names_after for p in proposals]),
        lots_per_account=_median([p.n_lots for p in proposals]),
        trades=sum(len(p.trades) for p in proposals),
        trades_per_account=_median([len(p.trades) for p in trading]),
        value_usd=float(value.sum()) / CENTS_PER_USD,
        turnover=_weighted([p.turnover for p in proposals], value),
        loss_banked_usd=_dollars(proposals, "loss_banked_cents"),
        tax_this_year_saved_usd=_dollars(proposals, "tax_this_year_saved_cents"),
        cost_usd=_dollars(proposals, "cost_cents"),
        tracking_error_before=_weighted([p.tracking_error_before for p in proposals], value),
        tracking_error_after=_weighted([p.tracking_error_after for p in proposals], value),
        gap_bps_median=float(np.median(gaps)) if gaps.size else 0.0,
        gap_bps_p99=float(np.quantile(gaps, 0.99)) if gaps.size else 0.0,
        seconds=report.seconds,
        seconds_optimising=report.solve_seconds,
        accounts_per_second=n_accounts / max(report.seconds, 1e-9),
        accounts_per_second_per_core=report.n_solved / max(report.solve_seconds, 1e-9),
        exceptions=dict(Counter(e.cause for e in exceptions).most_common()),
    )


def _median(values: list[int]) -> float:
    return float(np.median(values)) if values else 0.0


def _weighted(values: list[float], weight: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    total = float(weight.sum())
    return float(np.dot(values, weight) / total) if total else 0.0


def _dollars(proposals: tuple[Proposal, ...], column: str) -> float:
    return sum(int(getattr(p, column)) for p in proposals) / CENTS_PER_USD
