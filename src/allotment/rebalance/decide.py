"""The optimiser's answer turned into a proposal: exact shares, cents, reasons, before and after."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from allotment.book.household import AccountKind
from allotment.errors import InvariantError
from allotment.optimize.solution import Solutions, Status
from allotment.rebalance.case import Prepared, gain_cents
from allotment.rebalance.proposal import Proposal, ProposalState, Reason, Trades
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.washed import washed_claims, washed_losses
from allotment.rebalance.year_so_far import YearSoFar
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Codes, Floats, Ints, pro_rata, value_cents

_WHOLE_LOT = 1.0 - 1e-9  # a sale of more than this share of a lot closes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What made a decision, beside its inputs."""

    engine: str
    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Risk:
    """Risk of one set of weights against the benchmark, over the n names of an account."""

    tracking_error: float
    price: Floats  # (n,) d(κ/2 TE²)/dw


def propose(
    prepared: Prepared,
    market: MarketSnapshot,
    answer: Solutions,
    a: int,
    names_from: int,
    lots_from: int,
    versions: Versions,
    year: YearSoFar,
) -> Proposal:
    """The proposal of account number `a` of a solved batch.

    names_from, lots_from: where the account's names and lots start in the batch's columns.
    Raises InvariantError when more shares are sold than are held.
    """
    n, n_lots = len(prepared.market_rows), len(prepared.lots)
    sold = answer.sold[lots_from : lots_from + n_lots]
    bought = answer.bought[names_from : names_from + n]
    sale_rows, sale_nano = _shares_sold(prepared, sold)
    buy_rows, buy_nano = _shares_bought(prepared, market, bought)
    trades = _trades(prepared, market, sale_rows, sale_nano, buy_rows, buy_nano)
    case = prepared.case
    flow = -trades.side.astype(np.int64) * trades.value_cents
    cash_after = case.cash_cents + int(flow.sum())
    weight_after = _weights_after(prepared, market, trades)
    before = _risk(prepared, market, prepared.problem.held)
    after = _risk(prepared, market, weight_after)
    benchmark = prepared.problem.benchmark
    losses = trades.gain_cents < 0
    taxable = case.account.kind == AccountKind.TAXABLE
    short = (trades.side < 0) & (trades.is_long_term == 0)
    name = np.searchsorted(market.security_ids[prepared.market_rows], trades.security_id)
    washed = washed_losses(trades, case.washes, market, prepared.problem.young[name] > 0.0)
    claims = washed_claims(trades, case.washes, market)
    allowed = trades.gain_cents + washed
    gain_short, gain_long = int(allowed[short].sum()), int(allowed[~short].sum())
    wash_cents = round(float(answer.wash[a]) * prepared.value_cents)
    # An IRA's purchase may disallow a loss of its owner, too; what was lost counts as short-term.
    realised = (gain_short + claims, gain_long) if taxable else (claims, 0)
    status = Status(int(answer.status[a]))
    decision = hashlib.sha256(prepared.inputs_hash.encode())
    for field in fields(Trades):
        decision.update(getattr(trades, field.name).tobytes())
    return Proposal(
        account_id=case.account.account_id,
        asof=market.asof,
        state=ProposalState.PROPOSED if len(trades) else ProposalState.NOTHING_TO_DO,
        status=status.name.lower(),
        mandate_version=case.mandate.version,
        model_version=market.model.version,
        engine_version=versions.engine,
        rules_version=versions.rules,
        inputs_hash=prepared.inputs_hash,
        decision_hash=decision.hexdigest(),
        value_cents=prepared.value_cents,
        cash_before_cents=case.cash_cents,
        cash_after_cents=cash_after,
        n_names_before=int(np.count_nonzero(prepared.problem.held)),
        n_names_after=int(np.count_nonzero(weight_after > 0)),
        n_lots=n_lots,
        drift_before=float(np.abs(prepared.problem.held - benchmark).sum() / 2),
        drift_after=float(np.abs(weight_after - benchmark).sum() / 2),
        tracking_error_before=before.tracking_error,
        tracking_error_after=after.tracking_error,
        gain_short_cents=gain_short if taxable else 0,
        gain_long_cents=gain_long if taxable else 0,
        loss_banked_cents=-int(allowed[losses].sum()) if taxable else 0,
        tax_cents=int(trades.tax_cents.sum()) + wash_cents,
        tax_this_year_saved_cents=year.saved_cents(case.taxpayer, *realised),
        cost_cents=int(trades.cost_cents.sum()),
        turnover=float(trades.value_cents.sum() / 2 / max(prepared.value_cents, 1)),
        objective=float(answer.objective[a]),
        hold_objective=float(answer.hold_objective[a]) if answer.hold_feasible[a] else float("inf"),
        lower_bound=float(answer.lower_bound[a]),
        gap_bps=float(answer.gap[a]) * 1e4,
        trades=_with_reasons(trades, prepared, market, before, after, weight_after),
    )


def _shares_sold(prepared: Prepared, sold: Floats) -> tuple[Ints, Ints]:
    """Lots that are sold from, and how many billionths of a share of each."""
    lots = np.flatnonzero(sold > 0.0)
    held = prepared.lots.quantity_nano[lots]
    share = sold[lots] / prepared.problem.lot_weight[lots]
    step = prepared.case.venue.share_step_nano
    stepped = np.rint(share * held / step).astype(np.int64) * step
    quantity = np.where(share >= _WHOLE_LOT, held, np.minimum(stepped, held))
    if (share > 1.0 + 1e-6).any():
        raise InvariantError(f"account {prepared.case.account.code}: more shares sold than a lot holds")
    traded = quantity > 0
    return lots[traded], quantity[traded]


def _shares_bought(prepared: Prepared, market: MarketSnapshot, bought: Floats) -> tuple[Ints, Ints]:
    names = np.flatnonzero(bought > 0.0)
    price_usd = market.price_micros[prepared.market_rows[names]] / 1e6
    step = prepared.case.venue.share_step_nano
    shares = bought[names] * prepared.value_cents / CENTS_PER_USD / price_usd
    quantity = np.rint(shares * (NANO_PER_SHARE / step)).astype(np.int64) * step
    traded = quantity > 0
    return names[traded], quantity[traded]


def _trades(
    prepared: Prepared, market: MarketSnapshot, lots: Ints, sold: Ints, names: Ints, bought: Ints
) -> Trades:
    """The rows, sales and purchases, sorted by security; weights and reasons still empty."""
    sale_names = prepared.lot_name[lots]
    name = np.concatenate([sale_names, names])
    rows = prepared.market_rows[name]
    n_sales, n = len(lots), len(name)
    quantity = np.concatenate([sold, bought])
    values = value_cents(quantity, market.price_micros[rows])
    held = prepared.lots.quantity_nano[lots]
    basis = np.zeros(n, np.int64)
    basis[:n_sales] = pro_rata(prepared.lots.basis_cents[lots], sold, held)
    gain = np.zeros(n, np.int64)
    loss_basis = pro_rata(prepared.lots.loss_basis_cents[lots], sold, held)
    gain[:n_sales] = gain_cents(values[:n_sales], basis[:n_sales], loss_basis)
    tax = np.zeros(n, np.int64)
    tax[:n_sales] = np.rint(prepared.problem.lot_tax[lots] * values[:n_sales]).astype(np.int64)
    blank = np.zeros(n)
    made = Trades(
        security_id=market.security_ids[rows],
        side=np.repeat(np.array([-1, 1], np.int8), [n_sales, len(names)]),
        quantity_nano=quantity,
        price_micros=market.price_micros[rows],
        value_cents=values,
        origin_event=np.concatenate([prepared.lots.origin_event[lots], np.full(len(names), -1)]),
        origin_line=np.concatenate([prepared.lots.origin_line[lots], np.full(len(names), -1, np.int32)]),
        basis_cents=basis,
        gain_cents=gain,
        is_long_term=np.concatenate([prepared.lot_is_long[lots], np.zeros(len(names), np.bool_)]).astype(
            np.int8
        ),
        tax_cents=tax,
        cost_cents=np.rint(values * market.half_spread[rows]).astype(np.int64),
        reason=np.zeros(n, np.int8),
        weight_before=blank,
        weight_after=blank,
        weight_index=blank,
        risk_price_before=blank,
        risk_price_after=blank,
    )
    order = np.argsort(made.security_id, kind="stable")
    return Trades(**{f.name: getattr(made, f.name)[order] for f in fields(Trades)})


def _with_reasons(
    trades: Trades,
    prepared: Prepared,
    market: MarketSnapshot,
    before: _Risk,
    after: _Risk,
    weight_after: Floats,
) -> Trades:
    """The trades with each name's weights, risk prices, and the largest term behind it."""
    name = np.searchsorted(market.security_ids[prepared.market_rows], trades.security_id)
    problem = prepared.problem
    columns = {f.name: getattr(trades, f.name) for f in fields(Trades)} | {
        "weight_before": problem.held[name],
        "weight_after": weight_after[name],
        "weight_index": problem.benchmark[name],
        "risk_price_before": before.price[name],
        "risk_price_after": after.price[name],
        "reason": _reasons(trades, prepared, name, before),
    }
    return Trades(**columns)


def _reasons(trades: Trades, prepared: Prepared, name: Ints, before: _Risk) -> Codes:
    """The largest of the terms that favour each trade, per dollar traded.

    A sale can be favoured by tax saved, by risk (holding more of the name costs), by a tilt away,
    or forced by an exclusion; a purchase by risk, by a tilt, or by cash that has to be invested.
    """
    problem = prepared.problem
    row = prepared.market_rows[name]
    sale = trades.side < 0
    tax_saved = -trades.tax_cents / np.maximum(trades.value_cents, 1)
    risk_saved = before.price[name] * np.where(sale, 1.0, -1.0)
    tilt = problem.utility[name] * np.where(sale, -1.0, 1.0)
    terms = np.stack([np.where(sale, tax_saved, -np.inf), risk_saved, tilt])
    largest = np.argmax(terms, axis=0)
    reason = np.where(sale, Reason.REDUCE_OVERWEIGHT, Reason.REDUCE_UNDERWEIGHT)
    reason = np.where((largest == 0) & (trades.gain_cents < 0), Reason.HARVEST_LOSS, reason)
    reason = np.where((largest == 2) & (tilt > 0), Reason.TILT, reason)
    no_push = terms.max(axis=0) <= 0.0
    reason = np.where(no_push, np.where(sale, Reason.RAISE_CASH, Reason.INVEST_CASH), reason)
    reason = np.where(sale & prepared.wishes.excluded[row], Reason.EXCLUDED, reason)
    return reason.astype(np.int8)


def _weights_after(prepared: Prepared, market: MarketSnapshot, trades: Trades) -> Floats:
    name = np.searchsorted(market.security_ids[prepared.market_rows], trades.security_id)
    flow = np.bincount(name, weights=trades.side * trades.value_cents, minlength=len(prepared.market_rows))
    return np.maximum(prepared.problem.held + flow / max(prepared.value_cents, 1), 0.0)


def _risk(prepared: Prepared, market: MarketSnapshot, weight: Floats) -> _Risk:
    """Tracking error and its price per unit of weight, from the rounded trades."""
    loadings = market.model.loadings[prepared.market_rows]
    specific = market.model.specific_variance[prepared.market_rows]
    active = weight - prepared.problem.benchmark
    marginal = loadings @ (loadings.T @ active) + specific * active
    variance = float(active @ marginal)
    return _Risk(
        tracking_error=float(np.sqrt(max(variance, 0.0))),
        price=float(prepared.problem.risk_price[0]) * marginal,
    )
