"""An independent look at proposals: plain loops over records, nothing from optimize or rebalance.

`check_run` reads a finished run from the database and re-derives, for every proposal, what must be
true of it. It shares with the program only the records, the prices and the books (whose fold has
its own second implementation in tests/tax).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.book.household import Account, AccountKind, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate, RestrictionKind
from allotment.book.venue import Venue
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import BookState, fold, taxpayer_year
from allotment.market.security import Security
from allotment.rebalance.case import CostPolicy
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.store import book_tables, event_tables, market_tables, proposal_tables, run_tables
from allotment.store.session import FirmStore
from allotment.tax.identical import IdenticalGroups
from allotment.tax.year import YearProfile, net, tax_of_year

CENT = 0.01
COSTS = CostPolicy()


@dataclass(frozen=True)
class Known:
    """What the check knows of one account, from the books alone."""

    account: Account
    taxpayer: Taxpayer
    venue: Venue
    mandate: Mandate
    lots: Lots
    cash_cents: int
    realised_cents: tuple[int, int]  # short- and long-term, by the taxpayer in this year
    groups_sold_at_a_loss: frozenset[str]  # in the household, in the last 30 days
    purchases: dict[str, frozenset[int]]  # of shares bought in those days, by group: acquisition ids


def check_run(firm: FirmStore, run_id: int, market: MarketSnapshot) -> int:
    """Check every proposal of a run; returns how many there were. Fails on the first broken rule."""
    securities = {s.security_id: s for s in market_tables.load_securities(firm)}
    known = books(firm, market.asof, securities)
    relaxed = {e.account_id for e in run_tables.load_exceptions(firm, run_id) if e.cause == "cash_band"}
    proposals = proposal_tables.load_proposals(firm, run_id)
    household_sold: dict[int, set[str]] = defaultdict(set)
    household_bought: dict[int, set[str]] = defaultdict(set)
    household_gain: dict[int, list[float]] = defaultdict(list)
    for proposal in proposals:
        account = known[proposal.account_id]
        check_shares(proposal, account)
        check_wash(proposal, account, securities)
        check_wishes(proposal, account, securities, market)
        check_cash(proposal, account, relaxed, market)
        household = account.account.household_id
        together = [p for p in proposals if known[p.account_id].account.household_id == household]
        for worth in check_cost(proposal, account, market, year_change(together, known)):
            household_gain[household].append(worth)
        for row in range(len(proposal.trades)):
            group = group_of(securities[int(proposal.trades.security_id[row])])
            if proposal.trades.side[row] > 0:
                household_bought[household].add(group)
            elif proposal.trades.gain_cents[row] < 0 and account.account.kind == AccountKind.TAXABLE:
                household_sold[household].add(group)
    for household, sold in household_sold.items():
        both = sold & household_bought[household]
        assert not both, f"household {household} sells {both} at a loss and buys it in one run"
    for household, gains in household_gain.items():
        # An account may give way to another; the household as a whole does no worse than to hold.
        if len(gains) == sum(known[p.account_id].account.household_id == household for p in proposals):
            assert sum(gains) >= -0.01 * len(gains), f"household {household} would do better to hold"
    return len(proposals)


def group_of(security: Security) -> str:
    return security.group_code or f"alone {security.security_id}"


def books(firm: FirmStore, asof: date, securities: dict[int, Security]) -> dict[int, Known]:
    accounts = book_tables.load_accounts(firm)
    venues = book_tables.load_venues(firm)
    taxpayers = {t.taxpayer_id: t for t in book_tables.load_taxpayers(firm)}
    mandates = {m.account_id: m for m in book_tables.load_mandates(firm, asof)}
    sleeves = [(s.sleeve_id, s.account_id) for s in book_tables.load_sleeves(firm)]
    table = AccountTable.of_accounts(accounts, tuple(venues.values()), sleeves)
    state = fold(
        event_tables.load_events(firm), table, IdenticalGroups.of_securities(tuple(securities.values()))
    )
    assert state.problems == ()
    sold, bought = recent(state, table, asof, securities)
    lots = state.taxpayer.lots
    known = {}
    year = taxpayer_year(state, asof.year)
    realised = {
        int(t): (int(s), int(g))
        for t, s, g in zip(year.taxpayer_ids, year.short_cents, year.long_cents, strict=True)
    }
    for row, account_id in enumerate(table.account_ids.tolist()):
        account = next(a for a in accounts if a.account_id == account_id)
        if account.closed is not None:
            continue  # nothing is proposed for it, and it has no mandate
        known[account_id] = Known(
            account=account,
            taxpayer=taxpayers[account.taxpayer_id],
            venue=venues[account.venue_code],
            mandate=mandates[account_id],
            lots=lots.take(lots.account_ix == row),
            cash_cents=int(state.cash_cents[row]),
            realised_cents=realised.get(account.taxpayer_id, (0, 0)),
            groups_sold_at_a_loss=frozenset(sold[account.household_id]),
            purchases={g: frozenset(ids) for g, ids in bought[account.household_id].items()},
        )
    return known


def recent(
    state: BookState, table: AccountTable, asof: date, securities: dict[int, Security]
) -> tuple[dict[int, set[str]], dict[int, dict[str, set[int]]]]:
    """Groups with an allowed loss, and purchases by group that are still held, of the last 30 days."""
    start = np.datetime64(asof - timedelta(days=30))
    sold: dict[int, set[str]] = defaultdict(set)
    bought: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    d = state.taxpayer.disposals
    for i in range(len(d)):
        if d.day[i] >= start and d.gain_cents[i] < 0 and d.taxable[i] and d.open_nano[i] > 0:
            sold[int(table.household_ids[d.account_ix[i]])].add(group_of(securities[int(d.security_id[i])]))
    lots = state.taxpayer.lots
    for i in np.flatnonzero(lots.purchased >= start):
        if not lots.absorbed[i]:
            group = group_of(securities[int(lots.security_id[i])])
            bought[int(table.household_ids[lots.account_ix[i]])][group].add(int(lots.acquisition_id[i]))
    return sold, bought


def check_shares(proposal: Proposal, known: Known) -> None:
    """Every share sold is owned, no lot twice, whole steps, and the value is quantity × price."""
    owned = {
        (int(e), int(line), int(s)): int(q)
        for e, line, s, q in zip(
            known.lots.origin_event,
            known.lots.origin_line,
            known.lots.security_id,
            known.lots.quantity_nano,
            strict=True,
        )
    }
    pieces: dict[tuple[int, int, int], int] = defaultdict(int)
    for e, line, s, q in zip(
        known.lots.origin_event,
        known.lots.origin_line,
        known.lots.security_id,
        known.lots.quantity_nano,
        strict=True,
    ):
        pieces[int(e), int(line), int(s)] += int(q)
    t = proposal.trades
    sold: dict[tuple[int, int, int], int] = defaultdict(int)
    for row in range(len(t)):
        quantity, price = int(t.quantity_nano[row]), int(t.price_micros[row])
        assert quantity > 0
        value = (2 * quantity * price + 10**13) // (2 * 10**13)
        assert int(t.value_cents[row]) == value
        if t.side[row] < 0:
            sold[int(t.origin_event[row]), int(t.origin_line[row]), int(t.security_id[row])] += quantity
        else:
            assert quantity % known.venue.share_step_nano == 0, f"{proposal.account_id}: not a whole step"
            assert t.origin_event[row] == -1
    for key, quantity in sold.items():
        assert key in owned, f"account {proposal.account_id} sells a lot {key} that it does not own"
        assert quantity <= pieces[key], f"account {proposal.account_id} sells more of {key} than it has"
        whole = quantity == pieces[key]
        assert whole or quantity % known.venue.share_step_nano == 0 or known.venue.share_step_nano < 10**9
    names_sold = set(t.security_id[t.side < 0].tolist())
    names_bought = set(t.security_id[t.side > 0].tolist())
    for security in names_sold & names_bought:
        rows = (t.security_id == security) & (t.side < 0)
        assert (t.gain_cents[rows] >= 0).all(), "a name is sold at a loss and bought"


def check_wash(proposal: Proposal, known: Known, securities: dict[int, Security]) -> None:
    """No loss lot sold in a group that is bought, now or in the last 30 days; no blocked purchase."""
    t = proposal.trades
    taxable = known.account.kind == AccountKind.TAXABLE
    bought = {group_of(securities[int(s)]) for s in t.security_id[t.side > 0]}
    lost = {group_of(securities[int(s)]) for s in t.security_id[(t.side < 0) & (t.gain_cents < 0)]}
    if taxable:
        assert not bought & lost, (
            f"account {proposal.account_id} buys what it sells at a loss: {bought & lost}"
        )
        purchase_of = dict(
            zip(
                zip(known.lots.origin_event.tolist(), known.lots.origin_line.tolist(), strict=True),
                known.lots.acquisition_id.tolist(),
                strict=True,
            )
        )
        for row in np.flatnonzero((t.side < 0) & (t.gain_cents < 0)):
            group = group_of(securities[int(t.security_id[row])])
            own = purchase_of[int(t.origin_event[row]), int(t.origin_line[row])]
            others = known.purchases.get(group, frozenset()) - {own}
            assert not others, f"account {proposal.account_id} sells {group} at a loss after a purchase"
    blocked = bought & known.groups_sold_at_a_loss
    assert not blocked, f"account {proposal.account_id} buys {blocked}, which washes a loss"


def check_wishes(
    proposal: Proposal, known: Known, securities: dict[int, Security], market: MarketSnapshot
) -> None:
    """Screens and restrictions hold; nothing is bought above its limit."""
    t, mandate = proposal.trades, known.mandate
    value = proposal.value_cents
    index = dict(zip(market.security_ids.tolist(), benchmark_of(mandate, market).tolist(), strict=True))
    kinds = {r.security_id: r.kind for r in mandate.restrictions}
    flags = [market.flags[name] for name in mandate.excluded_flags]
    for row in range(len(t)):
        security = int(t.security_id[row])
        facts, kind = securities[security], kinds.get(security)
        if t.side[row] > 0:
            at = int(np.searchsorted(market.security_ids, security))
            assert facts.sector not in mandate.excluded_sectors
            assert facts.industry not in mandate.excluded_industries
            assert not any(flag[at] for flag in flags)
            assert kind not in {RestrictionKind.NO_BUY, RestrictionKind.HOLD, RestrictionKind.EXCLUDE}
            limit = index[security] + mandate.name_active_max
            # A step of a share is let off.
            step = known.venue.share_step_nano / 1e9 * t.price_micros[row] / 1e4 / value
            assert t.weight_after[row] <= limit + step + 1e-9
        else:
            assert kind not in {RestrictionKind.NO_SELL, RestrictionKind.HOLD}


def check_cash(proposal: Proposal, known: Known, relaxed: set[int], market: MarketSnapshot) -> None:
    """Cash after is cash before plus sales less purchases, inside its band: the rest is invested."""
    t = proposal.trades
    flow = int(t.value_cents[t.side < 0].sum()) - int(t.value_cents[t.side > 0].sum())
    assert proposal.cash_before_cents == known.cash_cents
    assert proposal.cash_after_cents == known.cash_cents + flow
    price = dict(zip(market.security_ids.tolist(), market.price_micros.tolist(), strict=True))
    held = sum(
        (2 * int(q) * price[int(s)] + 10**13) // (2 * 10**13)
        for q, s in zip(known.lots.quantity_nano, known.lots.security_id, strict=True)
    )
    assert proposal.value_cents == held + known.cash_cents
    if proposal.account_id in relaxed:
        return
    weight = proposal.cash_after_cents / proposal.value_cents
    slack = 2 * len(t) / proposal.value_cents + 1e-6  # cents of rounding
    low, high = known.mandate.cash_weight_min, known.mandate.cash_weight_max
    width = proposal.cash_weight_max - proposal.cash_weight_min
    assert abs(width - (high - low) - proposal.cash_band_added) < 1e-12
    if proposal.cash_band_added > 0.0:  # then it is as wide as one share of some name
        low, high = proposal.cash_weight_min, proposal.cash_weight_max
        share = np.array(list(price.values())) / 1e6 * known.venue.share_step_nano / 1e9
        assert np.isclose(share, width * proposal.value_cents / 100, rtol=1e-9).any()
    assert low - slack <= weight <= high + slack, (
        f"account {proposal.account_id}: cash {weight:.4%} outside {low:.2%} to {high:.2%}"
    )


def year_change(together: list[Proposal], known: dict[int, Known]) -> float:
    """What the trades of a household change in its taxpayer's year, losses carried on included, as a
    fraction of the value of its accounts."""
    taxable = [p for p in together if known[p.account_id].account.kind == AccountKind.TAXABLE]
    if not taxable:
        return 0.0
    client = known[taxable[0].account_id]
    profile = YearProfile.of_taxpayers([client.taxpayer])
    worth = client.taxpayer.long_rate * client.mandate.loss_value

    def year(short: int, long: int) -> float:
        left = net(np.array([short]), np.array([long]), profile)
        tax = tax_of_year(np.array([short]), np.array([long]), profile)[0]
        return float(tax - worth * (left.carry_short_cents + left.carry_long_cents)[0])

    short, long = client.realised_cents
    after = year(
        short + sum(p.gain_short_cents for p in taxable), long + sum(p.gain_long_cents for p in taxable)
    )
    return (after - year(short, long)) / sum(p.value_cents for p in together)


def check_cost(proposal: Proposal, known: Known, market: MarketSnapshot, year: float) -> list[float]:
    """Risk, tax and cost of the answer are what it says; how many dollars they are below those of
    holding, where that is a choice. The tax is that of each lot, or `year`, that of the household's year,
    and the basis given up."""
    if not np.isfinite(proposal.objective) or proposal.status != "solved":
        return []
    t, mandate = proposal.trades, known.mandate
    value = proposal.value_cents / 100
    row_of = {s: i for i, s in enumerate(market.security_ids.tolist())}
    held = np.zeros(len(row_of))
    for q, s in zip(known.lots.quantity_nano.tolist(), known.lots.security_id.tolist(), strict=True):
        held[row_of[s]] += q / 1e9 * market.price_micros[row_of[s]] / 1e6 / value
    after = held.copy()
    tax = basis = cost = 0.0
    for row in range(len(t)):
        at = row_of[int(t.security_id[row])]
        traded = int(t.value_cents[row]) / 100 / value
        after[at] += int(t.side[row]) * traded
        cost += traded * market.half_spread[at]
        if t.side[row] < 0 and known.account.kind == AccountKind.TAXABLE:
            rate = known.taxpayer.long_rate if t.is_long_term[row] else known.taxpayer.short_rate
            gain = int(t.gain_cents[row]) / 100 / value
            tax += gain * rate * (mandate.loss_value if gain < 0 else 1.0)
            basis -= gain * mandate.basis_value
    names, lots_sold = len(set(t.security_id.tolist())), int((t.side < 0).sum())
    cost += (COSTS.ticket_usd * names + COSTS.closed_lot_usd * lots_sold) / value
    untaxed = risk_and_tilt(after, mandate, market) + basis + cost
    answer = min((untaxed + tax, untaxed + year), key=lambda sum_: abs(sum_ - proposal.objective))
    holding = risk_and_tilt(held, mandate, market)
    tolerance = 1e-6 + len(t) * 2 * CENT / value
    assert abs(answer - proposal.objective) <= tolerance, (proposal.account_id, answer, proposal.objective)
    assert proposal.lower_bound <= proposal.objective + 1e-12
    if not np.isfinite(proposal.hold_objective):
        return []
    assert abs(holding - proposal.hold_objective) <= tolerance
    return [(holding - answer + tolerance) * value]


def risk_and_tilt(weight: np.ndarray, mandate: Mandate, market: MarketSnapshot) -> float:
    active = weight - benchmark_of(mandate, market)
    exposure = market.model.loadings.T @ active
    variance = float(exposure @ exposure) + float((market.model.specific_variance * active**2).sum())
    tilt = sum(
        t.strength * float(market.exposures.values[:, market.exposures.names.index(t.score)] @ weight)
        for t in mandate.tilts
    )
    return mandate.risk_price / 2 * variance - tilt


def benchmark_of(mandate: Mandate, market: MarketSnapshot) -> np.ndarray:
    return sum(share * market.benchmarks[code] for code, share in mandate.benchmark)
