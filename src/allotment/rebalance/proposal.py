"""What a run decided for one account: trades by lot, their reasons, before and after.

A proposal is made once and never edited; a later run supersedes it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum

from allotment.rebalance.reasons import TradeReasons, Untraded, nothing
from allotment.units import Codes, Floats, Index, Ints


class ProposalState(StrEnum):
    """Life of a proposal; approval and trading come with later parts."""

    PROPOSED = "proposed"
    NOTHING_TO_DO = "nothing_to_do"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """Trades of one account, one row per lot sold or name bought; every column shape (n_trades,).

    Sorted by security, sales in the order in which lots are closed.
    """

    security_id: Ints
    side: Codes  # +1 buy, -1 sell
    quantity_nano: Ints
    price_micros: Ints
    value_cents: Ints  # quantity × price
    origin_event: Ints  # the lot sold: the event that made it, and its line; -1 for a purchase
    origin_line: Index
    basis_cents: Ints  # of the shares sold, 0 for a purchase
    gain_cents: Ints  # value − basis (for a gift at a loss the lower one), before costs, 0 for a purchase
    is_long_term: Codes  # 1 when the gain or loss is long-term
    # Change in tax as the optimiser prices it, negative when it saves; where the taxpayer's year is
    # netted, at the rates of the regime that all sales together lie in.
    tax_cents: Ints
    cost_cents: Ints  # half-spread
    reason: Codes  # an optimize.reasons.Reason
    weight_before: Floats  # of the name, fraction of account value
    weight_after: Floats
    weight_index: Floats
    # One more dollar of the name before the trade changes κ/2 × TE² by this many dollars.
    risk_price_before: Floats
    risk_price_after: Floats

    def __post_init__(self) -> None:
        shape = self.security_id.shape
        for field in fields(self):
            assert getattr(self, field.name).shape == shape, field.name

    def __len__(self) -> int:
        return int(self.security_id.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One account's decision. Weights and costs are fractions of account value."""

    account_id: int
    asof: date
    state: ProposalState
    status: str  # how the optimisation ended
    mandate_version: int
    model_version: str
    engine_version: str
    rules_version: str
    inputs_hash: str  # SHA-256 of everything the decision was made from
    decision_hash: str  # SHA-256 of inputs_hash and the trades
    value_cents: int
    cash_before_cents: int
    cash_after_cents: int
    cash_weight_min: float  # band for cash after trading, as used
    cash_weight_max: float
    # How much wider it is than asked: a band narrower than the cheapest whole share is widened to that, half
    # on each side but not below nothing (`optimize.cash_band`).
    cash_band_added: float
    n_names_before: int
    n_names_after: int
    n_lots: int
    drift_before: float  # active share: half the sum of |weight − benchmark|
    drift_after: float
    tracking_error_before: float  # annual
    tracking_error_after: float
    gain_short_cents: int  # net, of this proposal, what young shares wash left out
    gain_long_cents: int
    loss_banked_cents: int  # sum of the losses of the lots sold at a loss, positive, less what is washed
    # As priced in the objective, washes included; of a year that is netted over several accounts, the
    # part that its value has in theirs of what the rates of its trades leave out.
    tax_cents: int
    # Tax of the taxpayer's year without this account's trades minus with them, given the year's
    # sales so far and the trades of the taxpayer's accounts that were decided before this one.
    tax_this_year_saved_cents: int
    cost_cents: int
    turnover: float  # one-way: half of bought plus sold
    objective: float
    hold_objective: float  # infinite where holding breaks a hard limit
    lower_bound: float  # objective less the gap
    gap_bps: float  # of the household's accounts decided together, in basis points of their value
    trades: Trades
    reasons: TradeReasons
    untraded: Untraded


def no_trades() -> Trades:
    """A `Trades` with no rows."""
    return nothing(Trades)
