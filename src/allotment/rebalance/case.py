"""One account's facts, and the optimiser's problem that they make."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from allotment.book.household import Account, AccountKind, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.errors import DataError
from allotment.ledger.lot_choice import has_basis, unrealised_cents
from allotment.optimize.cash_band import with_room_for_a_step
from allotment.optimize.modes import Purpose, with_purpose
from allotment.optimize.problem import Problems, make_problems
from allotment.rebalance.lot_rules import chooses_lots, closing_order, may_be_sold
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.washes import GroupWashes, LossLots, NameWashes, WashPolicy, name_washes
from allotment.rebalance.wishes import Wishes, wishes
from allotment.tax.holding_period import first_long_term_day
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Bools, Floats, Ints, as_day, usd, value_cents

# A step below this many billionths of a share is worth less than a cent: treated as continuous.
_CONTINUOUS_NANO = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPolicy:
    """What trading costs besides the half-spread."""

    ticket_usd: float = 0.5  # per name traded
    closed_lot_usd: float = 0.1  # per lot sold from: one more row of tax paper
    washes: WashPolicy = field(default_factory=WashPolicy)
    # Taxed lot by lot, trades may be mispriced by so much of the accounts' value before their
    # taxpayer's year is netted instead: 0 always nets, infinity never does.
    year_bps_min: float = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCase:
    """What is known of one account when it is decided. `lots` are its own, in any order."""

    account: Account
    taxpayer: Taxpayer
    venue: Venue
    mandate: Mandate
    lots: Lots
    cash_cents: int
    washes: GroupWashes  # of the whole household
    # What is held and not traded: (security, its value in cents), ascending. `lots` has none of it.
    carried: tuple[tuple[int, int], ...] = ()
    te_max: float = math.inf  # annual limit of tracking error, beside the mandate's price of risk
    purpose: Purpose | None = None  # what this decision is for, where it is not the mandate's everyday


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case with its numbers: n names and n_lots lots, both in the order of the problem."""

    case: AccountCase
    wishes: Wishes
    market_rows: Ints  # (n,) row of each name in the snapshot
    lots: Lots  # by security, then by the event and line that made them
    lot_name: Ints  # (n_lots,) position of the lot's name
    lot_value_cents: Ints
    lot_gain_cents: Ints
    lot_is_long: Bools
    value_cents: int
    inputs_hash: str
    problem: Problems
    cash_band_added: float  # weight by which the cash band is wider than asked, for whole shares


def prepare(case: AccountCase, market: MarketSnapshot, costs: CostPolicy) -> Prepared:
    """Turn facts into the optimiser's problem.

    Raises DataError when the account cannot be decided: a holding without a price, a short
    position, a mandate that names what the market does not have.
    """
    wanted = wishes(case.mandate, market)
    lot_rows = _rows_held(case.lots, market)
    priced = _priced(case, market, lot_rows)
    total = int(priced.value_cents.sum()) + case.cash_cents + sum(cents for _, cents in case.carried)
    lot_rows = market.row_of(priced.lots.security_id)
    traded = np.bincount(lot_rows, weights=priced.value_cents, minlength=len(market.security_ids))
    value = traded + _carried_value(case, market)
    held = value / max(total, 1)
    market_rows = np.flatnonzero((wanted.benchmark > 0.0) | (held > 0.0))
    priced = replace(priced, name=np.searchsorted(market_rows, lot_rows))
    asked = _problem(case, market, wanted, costs, market_rows, held[market_rows], total, priced)
    # Before the purpose: cash that is to be raised is then raised in full, not less half a share.
    problem = with_room_for_a_step(asked)
    return Prepared(
        case=case,
        wishes=wanted,
        market_rows=market_rows,
        lots=priced.lots,
        lot_name=priced.name,
        lot_value_cents=priced.value_cents,
        lot_gain_cents=priced.gain_cents,
        lot_is_long=priced.is_long,
        value_cents=total,
        inputs_hash=_inputs_hash(case, priced.lots, market, costs),
        problem=problem if case.purpose is None else with_purpose(problem, case.purpose),
        cash_band_added=_width(problem) - _width(asked) if problem is not asked else 0.0,
    )


def _width(problem: Problems) -> float:
    return float(problem.cash_max[0] - problem.cash_min[0])


def _carried_value(case: AccountCase, market: MarketSnapshot) -> Floats:
    """What is carried, in cents, (N,); of a security without a row only the value of the account knows."""
    value = np.zeros(len(market.security_ids))
    rows = market.row_of(np.array([security for security, _ in case.carried], np.int64))
    for row, (_, cents) in zip(rows.tolist(), case.carried, strict=True):
        if row >= 0:
            value[row] += cents
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _PricedLots:
    """Lots with what they are worth today; columns of shape (n_lots,), ascending by name, each
    name's as the venue closes them."""

    lots: Lots
    name: Ints  # position of the lot's name in the problem
    value_cents: Ints
    gain_cents: Ints
    is_long: Bools


def expected_gain_cents(lots: Lots, value_cents: Ints) -> Ints:
    """Gain of selling each lot whole, (n_lots,). Where the basis is pending or missing nothing is
    harvested: the lot counts as if it had no basis, so that it is the last to be sold."""
    gain = unrealised_cents(value_cents, lots.basis_cents, lots.loss_basis_cents)
    return np.where(has_basis(lots), gain, value_cents)


def _priced(case: AccountCase, market: MarketSnapshot, rows: Ints) -> _PricedLots:
    """The lots in the order in which they are closed, names still to be given."""
    values = value_cents(case.lots.quantity_nano, market.price_micros[rows])
    is_long = as_day(market.asof) >= first_long_term_day(case.lots.holding_from)
    order = closing_order(case.lots, values / np.maximum(case.lots.quantity_nano, 1), is_long, case.venue)
    lots = case.lots.take(order)
    return _PricedLots(
        lots=lots,
        name=rows[order],
        value_cents=values[order],
        gain_cents=expected_gain_cents(lots, values[order]),
        is_long=is_long[order],
    )


def _rows_held(lots: Lots, market: MarketSnapshot) -> Ints:
    rows = market.row_of(lots.security_id)
    unknown = rows < 0
    unpriced = ~unknown & (market.price_micros[rows] == 0)
    bad = np.unique(lots.security_id[unknown | unpriced])
    if bad.size:
        names = {s.security_id: s.code for s in market.securities}
        shown = ", ".join(names.get(int(i), f"security {i}") for i in bad[:5])
        raise DataError(f"no price on {market.asof} for {shown}, which the account holds. Import the price.")
    if (lots.side < 0).any():
        raise DataError("the account holds a short position, which is not rebalanced yet.")
    return rows


def _tax_per_dollar(case: AccountCase, priced: _PricedLots) -> Floats:
    """Tax on each lot per dollar sold, as the client can use it: negative when a sale saves tax.

    A gain costs its rate; a loss is worth its rate × the mandate's `loss_value`; both give up or
    gain `basis_value` per dollar of basis. Nothing is taxed inside an IRA.
    """
    if case.account.kind != AccountKind.TAXABLE:
        return np.zeros(len(priced.lots))
    gain_usd = usd(priced.gain_cents)
    rate = _rates(case, priced)
    usable = np.where(gain_usd < 0, case.mandate.loss_value, 1.0)
    tax_usd = (rate * usable - case.mandate.basis_value) * gain_usd
    per_dollar: Floats = tax_usd / np.maximum(usd(priced.value_cents), 0.01)
    return per_dollar


def _rates(case: AccountCase, priced: _PricedLots) -> Floats:
    return np.where(priced.is_long, case.taxpayer.long_rate, case.taxpayer.short_rate)


def _washes(
    case: AccountCase,
    market: MarketSnapshot,
    costs: CostPolicy,
    rows: Ints,
    total_usd: float,
    priced: _PricedLots,
    is_loss: Bools,
) -> NameWashes:
    loss = np.maximum(-priced.gain_cents, 0) / np.maximum(priced.value_cents, 1)
    lots = LossLots(
        name=priced.name,
        acquisition_id=priced.lots.acquisition_id,
        is_loss=is_loss,
        loss_share=loss,
        rate=_rates(case, priced) * case.mandate.loss_value,
    )
    return name_washes(
        case.washes,
        market,
        rows,
        lots,
        total_usd,
        kind=case.account.kind,
        taxpayer=case.taxpayer,
        loss_value=case.mandate.loss_value,
        policy=costs.washes,
    )


def _problem(
    case: AccountCase,
    market: MarketSnapshot,
    wanted: Wishes,
    costs: CostPolicy,
    rows: Ints,
    held: Floats,
    total_cents: int,
    priced: _PricedLots,
) -> Problems:
    n, mandate = len(rows), case.mandate
    total_usd = total_cents / CENTS_PER_USD
    one = np.ones(1)
    per_account = 1.0 / max(total_usd, 0.01)
    step_usd = market.price_micros[rows].astype(np.float64) * (
        case.venue.share_step_nano / NANO_PER_SHARE / 1e6
    )
    step: Floats = step_usd * per_account
    continuous = case.venue.share_step_nano <= _CONTINUOUS_NANO
    # A limit stops purchases; only an exclusion forces a sale.
    weight_max = np.where(wanted.excluded[rows], 0.0, np.maximum(wanted.weight_max[rows], held))
    # What is carried stays whatever the mandate screens: it has no lots that could be sold.
    is_carried = market.is_carried[rows]
    weight_max = np.where(is_carried, np.maximum(weight_max, held), weight_max)
    taxable = case.account.kind == AccountKind.TAXABLE
    # A lot worth its basis to the cent can lose a cent in parts: the law calls that a loss.
    # One whose basis is not known for good is judged by what is stated, for washes alone.
    stated = unrealised_cents(priced.value_cents, priced.lots.basis_cents, priced.lots.loss_basis_cents)
    is_loss = (stated <= 0) & taxable
    washes = _washes(case, market, costs, rows, total_usd, priced, is_loss)
    gain_share = usd(priced.gain_cents) / np.maximum(usd(priced.value_cents), 0.01)
    return make_problems(
        names_from=np.array([0, n]),
        value_usd=one * total_usd,
        risk_price=one * mandate.risk_price,
        te_max=one * case.te_max,
        cash=one * case.cash_cents / max(total_cents, 1),
        cash_min=one * mandate.cash_weight_min,
        cash_max=one * mandate.cash_weight_max,
        trade_min=one * mandate.trade_usd_min * per_account,
        ticket_charge=one * costs.ticket_usd * per_account,
        lot_charge=one * costs.closed_lot_usd * per_account,
        lots_from=np.searchsorted(priced.name, np.arange(n + 1)),
        asset_ix=rows.astype(np.int32),
        benchmark=wanted.benchmark[rows],
        held=held,
        weight_max=weight_max,
        may_buy=wanted.may_buy[rows] & (market.price_micros[rows] > 0) & ~is_carried,
        may_sell=wanted.may_sell[rows] & ~is_carried,
        utility=wanted.utility[rows],
        half_spread=market.half_spread[rows],
        **washes._asdict(),
        step=np.zeros(n) if continuous else step,
        lot_weight=priced.value_cents / max(total_cents, 1),
        lot_tax=_tax_per_dollar(case, priced),
        lot_gain=gain_share if taxable else np.zeros(len(priced.lots)),
        lot_is_long=priced.is_long,
        lot_is_loss=is_loss,
        lot_sellable=may_be_sold(
            priced.lots,
            priced.value_cents,
            priced.gain_cents,
            wanted.excluded[rows[priced.name]],
            mandate,
            np.asarray(as_day(market.asof)),
        ),
        in_order=np.array([not chooses_lots(case.venue)]),
    )


def _inputs_hash(case: AccountCase, lots: Lots, market: MarketSnapshot, costs: CostPolicy) -> str:
    """SHA-256 of everything that the decision is made from."""
    digest = hashlib.sha256(market.digest.encode())
    facts: Sequence[object] = (
        (case.account, case.taxpayer, case.venue, case.mandate, case.cash_cents, costs),
        (case.te_max, case.purpose, case.carried),
    )
    for fact in facts:
        digest.update(repr(fact).encode())
    for column in fields(Lots):
        if column.name != "account_ix":  # a position in today's batch, no fact of the account
            digest.update(getattr(lots, column.name).tobytes())
    for column in fields(GroupWashes):
        digest.update(getattr(case.washes, column.name).tobytes())
    return digest.hexdigest()
