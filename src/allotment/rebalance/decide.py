"""The optimiser's answer turned into a proposal: exact shares, cents, reasons, before and after."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np

from allotment.book.household import AccountKind
from allotment.errors import InvariantError
from allotment.ledger.lot_choice import has_basis, unrealised_cents
from allotment.optimize.reasons import Reasons
from allotment.optimize.solution import Solutions, Status
from allotment.rebalance.case import Prepared
from allotment.rebalance.proposal import Proposal, ProposalState, Trades
from allotment.rebalance.reasons import TradeReasons, Untraded, nothing, trade_reasons, untraded
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taxed:
    """What the trades realise, in cents; nothing of it inside an IRA but washed claims."""

    short: int  # net, what young shares wash left out
    long: int
    loss_banked: int
    year: tuple[int, int]  # short and long, as the taxpayer's year counts them


def propose(
    prepared: Prepared,
    market: MarketSnapshot,
    answer: Solutions,
    a: int,
    reasons: Reasons,
    member: int,
    versions: Versions,
    year: YearSoFar,
) -> Proposal:
    """The proposal of account number `a` of a solved batch, its reasons still to be told.

    reasons: of its household's problem, in which it is account number `member`.
    Raises InvariantError when more shares are sold than are held.
    """
    case, held, benchmark = prepared.case, prepared.problem.held, prepared.problem.benchmark
    trades = _in_shares(prepared, market, reasons, member)
    flow = -trades.side.astype(np.int64) * trades.value_cents
    weight_after = _weights_after(prepared, market, trades)
    before, after = _risk(prepared, market, held), _risk(prepared, market, weight_after)
    taxed = _taxed(prepared, market, trades)
    wash_cents = round(float(answer.wash[a]) * prepared.value_cents)
    # What accounts share stands with each of them, as a fraction of the value of all.
    year_cents = round(reasons.terms.shared.year * prepared.value_cents)
    return Proposal(
        account_id=case.account.account_id,
        asof=market.asof,
        state=ProposalState.PROPOSED if len(trades) else ProposalState.NOTHING_TO_DO,
        status=Status(int(answer.status[a])).name.lower(),
        mandate_version=case.mandate.version,
        model_version=market.model.version,
        engine_version=versions.engine,
        rules_version=versions.rules,
        inputs_hash=prepared.inputs_hash,
        decision_hash=_decision_hash(prepared, trades),
        value_cents=prepared.value_cents,
        cash_before_cents=case.cash_cents,
        cash_after_cents=case.cash_cents + int(flow.sum()),
        cash_weight_min=float(prepared.problem.cash_min[0]),
        cash_weight_max=float(prepared.problem.cash_max[0]),
        cash_band_added=prepared.cash_band_added,
        n_names_before=int(np.count_nonzero(held)),
        n_names_after=int(np.count_nonzero(weight_after > 0)),
        n_lots=len(prepared.lots),
        drift_before=float(np.abs(held - benchmark).sum() / 2),
        drift_after=float(np.abs(weight_after - benchmark).sum() / 2),
        tracking_error_before=before.tracking_error,
        tracking_error_after=after.tracking_error,
        gain_short_cents=taxed.short,
        gain_long_cents=taxed.long,
        loss_banked_cents=taxed.loss_banked,
        tax_cents=int(trades.tax_cents.sum()) + wash_cents + year_cents,
        tax_this_year_saved_cents=year.saved_cents(case.taxpayer, *taxed.year),
        cost_cents=int(trades.cost_cents.sum()),
        turnover=float(trades.value_cents.sum() / 2 / max(prepared.value_cents, 1)),
        objective=float(answer.objective[a]),
        hold_objective=float(answer.hold_objective[a]) if answer.hold_feasible[a] else float("inf"),
        lower_bound=float(answer.lower_bound[a]),
        gap_bps=float(answer.gap[a]) * 1e4,
        trades=_with_weights(trades, prepared, market, before, after, weight_after),
        reasons=nothing(TradeReasons),
        untraded=nothing(Untraded),
    )


def with_reasons(
    proposal: Proposal, prepared: Prepared, market: MarketSnapshot, reasons: Reasons, member: int
) -> Proposal:
    """The proposal that `propose` made of these, with why each name was traded, and why others were not."""
    value_usd, washes = prepared.value_cents / CENTS_PER_USD, prepared.case.washes
    security_ids, group = market.security_ids[prepared.market_rows], market.group_ix[prepared.market_rows]
    no_buy_until, no_loss_sale_until = washes.no_buy_until[group], washes.no_loss_sale_until[group]
    return replace(
        proposal,
        reasons=trade_reasons(reasons, member, value_usd, security_ids),
        untraded=untraded(reasons, member, value_usd, security_ids, no_buy_until, no_loss_sale_until),
    )


def _in_shares(prepared: Prepared, market: MarketSnapshot, reasons: Reasons, member: int) -> Trades:
    """The decided weights as shares that the venue trades; the trades' weights still empty."""
    decided = reasons.decision
    names, lots = decided.names_of(member), decided.lots_of(member)
    sale_rows, sale_nano = _shares_sold(prepared, decided.sold[lots])
    buy_rows, buy_nano = _shares_bought(prepared, market, decided.bought[names])
    why = np.concatenate([reasons.of_sale[lots][sale_rows], reasons.of_purchase[names][buy_rows]])
    return _trades(prepared, market, sale_rows, sale_nano, buy_rows, buy_nano, why)


def _taxed(prepared: Prepared, market: MarketSnapshot, trades: Trades) -> _Taxed:
    washes = prepared.case.washes
    name = np.searchsorted(market.security_ids[prepared.market_rows], trades.security_id)
    allowed = trades.gain_cents + washed_losses(trades, washes, market, prepared.problem.young[name] > 0.0)
    # An IRA's purchase may disallow a loss of its owner, too; what was lost counts as short-term.
    claims = washed_claims(trades, washes, market)
    if prepared.case.account.kind != AccountKind.TAXABLE:
        return _Taxed(short=0, long=0, loss_banked=0, year=(claims, 0))
    is_short = (trades.side < 0) & (trades.is_long_term == 0)
    short, long = int(allowed[is_short].sum()), int(allowed[~is_short].sum())
    banked = -int(allowed[trades.gain_cents < 0].sum())
    return _Taxed(short=short, long=long, loss_banked=banked, year=(short + claims, long))


def _decision_hash(prepared: Prepared, trades: Trades) -> str:
    decision = hashlib.sha256(prepared.inputs_hash.encode())
    for field in fields(Trades):
        decision.update(getattr(trades, field.name).tobytes())
    return decision.hexdigest()


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
    prepared: Prepared, market: MarketSnapshot, lots: Ints, sold: Ints, names: Ints, bought: Ints, why: Codes
) -> Trades:
    """The rows, sales and purchases with why each is made, sorted by security; weights still empty."""
    sale_names = prepared.lot_name[lots]
    name = np.concatenate([sale_names, names])
    rows = prepared.market_rows[name]
    n_sales, n = len(lots), len(name)
    quantity = np.concatenate([sold, bought])
    values = value_cents(quantity, market.price_micros[rows])
    held = prepared.lots.quantity_nano[lots]
    basis = np.zeros(n, np.int64)
    known = has_basis(prepared.lots)[lots]  # without a basis, what is sold counts as gain
    basis[:n_sales] = np.where(known, pro_rata(prepared.lots.basis_cents[lots], sold, held), 0)
    gain = np.zeros(n, np.int64)
    loss_basis = np.where(known, pro_rata(prepared.lots.loss_basis_cents[lots], sold, held), 0)
    gain[:n_sales] = unrealised_cents(values[:n_sales], basis[:n_sales], loss_basis)
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
        reason=why,
        weight_before=blank,
        weight_after=blank,
        weight_index=blank,
        risk_price_before=blank,
        risk_price_after=blank,
    )
    order = np.argsort(made.security_id, kind="stable")
    return Trades(**{f.name: getattr(made, f.name)[order] for f in fields(Trades)})


def _with_weights(
    trades: Trades,
    prepared: Prepared,
    market: MarketSnapshot,
    before: _Risk,
    after: _Risk,
    weight_after: Floats,
) -> Trades:
    """The trades with each name's weights and risk prices."""
    name = np.searchsorted(market.security_ids[prepared.market_rows], trades.security_id)
    problem = prepared.problem
    columns = {f.name: getattr(trades, f.name) for f in fields(Trades)} | {
        "weight_before": problem.held[name],
        "weight_after": weight_after[name],
        "weight_index": problem.benchmark[name],
        "risk_price_before": before.price[name],
        "risk_price_after": after.price[name],
    }
    return Trades(**columns)


def _weights_after(prepared: Prepared, market: MarketSnapshot, trades: Trades) -> Floats:
    name = np.searchsorted(market.security_ids[prepared.market_rows], trades.security_id)
    flow = np.bincount(name, weights=trades.side * trades.value_cents, minlength=len(prepared.market_rows))
    return np.maximum(prepared.problem.held + flow / max(prepared.value_cents, 1), 0.0)


def _risk(prepared: Prepared, market: MarketSnapshot, weight: Floats) -> _Risk:
    """Tracking error and its price per unit of weight, from the rounded trades.

    Both are hashed with the decision: summed here and not by BLAS, whose sums depend on the processor.
    """
    loadings = market.model.loadings[prepared.market_rows]
    specific = market.model.specific_variance[prepared.market_rows]
    active = weight - prepared.problem.benchmark
    exposure = (loadings * active[:, None]).sum(axis=0)
    marginal = (loadings * exposure).sum(axis=1) + specific * active
    variance = float((active * marginal).sum())
    return _Risk(
        tracking_error=float(np.sqrt(max(variance, 0.0))),
        price=float(prepared.problem.risk_price[0]) * marginal,
    )
