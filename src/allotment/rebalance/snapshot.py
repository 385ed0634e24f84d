"""The market on one day, as every account of a run sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np

from allotment.errors import DataError
from allotment.market.corporate_action import CorporateAction
from allotment.market.index import IndexWeights
from allotment.market.index_consequence import at_closes, index_consequences, pro_forma
from allotment.market.prices import PriceHistory
from allotment.market.security import Security, SecurityKind
from allotment.risk.exposures import Exposures
from allotment.risk.model import FactorModel
from allotment.tax.identical import IdenticalGroups
from allotment.units import Bools, Floats, Index, Ints, as_day

_SPREAD_BPS_MIN, _SPREAD_BPS_MAX = 0.5, 15.0
_BOND_VOLATILITY = 0.06  # a year: about that of an aggregate index of six years' duration
_SPREAD_BPS_AT_100M = 1.5  # half-spread of a name that trades $100m a day


@dataclass(frozen=True, kw_only=True)
class MarketSnapshot:
    """Prices, risk and benchmarks of N securities on one day. Rows are ascending by security id."""

    asof: date
    securities: tuple[Security, ...]
    security_ids: Ints  # (N,)
    price_micros: Ints  # (N,) unadjusted close, 0 where the security did not trade
    half_spread: Floats  # (N,) fraction of the value traded
    group_ix: Index  # (N,) substantially identical group; equal numbers are one group
    groups: IdenticalGroups  # the same, with the units of each share
    model: FactorModel  # over the same securities, in the same order
    exposures: Exposures  # over the same securities
    flags: Mapping[str, Bools]  # value flags, name -> (N,)
    benchmarks: Mapping[str, Floats]  # index code -> (N,) weights that sum to one
    digest: str  # SHA-256 of everything above

    @cached_property
    def is_carried(self) -> Bools:
        """True for what is held and never traded, (N,)."""
        return np.array([security.is_carried for security in self.securities], np.bool_)

    def row_of(self, security_ids: Ints) -> Ints:
        """Row of each security, -1 for one that the snapshot does not have."""
        rows = np.searchsorted(self.security_ids, security_ids)
        rows = np.minimum(rows, len(self.security_ids) - 1)
        return np.where(self.security_ids[rows] == security_ids, rows, -1)

    def flag(self, name: str) -> Bools:
        """A value flag, (N,). Raises DataError for one that nobody imported."""
        if name not in self.flags:
            known = ", ".join(sorted(self.flags)) or "none"
            raise DataError(f"no score {name} on {self.asof}; flags are {known}. Import the scores file.")
        return self.flags[name]

    def exposure(self, name: str) -> Floats:
        """A named exposure or imported score in standard units, (N,). Raises DataError if unknown."""
        if name not in self.exposures.names:
            known = ", ".join(self.exposures.names)
            raise DataError(f"no exposure {name} on {self.asof}; there are {known}. Import the scores file.")
        return self.exposures.column(name)


def take_snapshot(
    asof: date,
    securities: Sequence[Security],
    prices: PriceHistory,
    weights: Sequence[IndexWeights],
    model: FactorModel,
    exposures: Exposures,
    flags: Mapping[str, Bools],
    actions: Sequence[CorporateAction] = (),
) -> MarketSnapshot:
    """The snapshot of the last session of `prices` on or before `asof`.

    securities, prices, model and exposures cover the same securities in the same order.
    weights: per index the latest weights on or before `asof`; they are carried to the day by total
    returns, and by what `actions` since then imply for the index. Raises DataError when an index has
    no weights or the day has no prices.
    """
    ids = prices.security_ids
    assert [s.security_id for s in securities] == ids.tolist()
    assert np.array_equal(model.security_ids, ids)
    assert np.array_equal(exposures.security_ids, ids)
    past = np.flatnonzero(prices.sessions <= as_day(asof))
    if past.size == 0:
        first = prices.sessions[0] if prices.sessions.size else "none"
        raise DataError(
            f"no prices on or before {asof}; the first session is {first}. Import earlier prices."
        )
    today = int(past[-1])
    groups = IdenticalGroups.of_securities(securities)
    parts = {
        "price_micros": prices.close_micros[today],
        "half_spread": _half_spread(prices, today),
        "group_ix": groups.group_ix,
    }
    benchmarks = {w.index_code: carried(w, prices, today, actions) for w in weights}
    digest = hashlib.sha256(f"{asof} {model.version} {exposures.names}".encode())
    digest.update(repr([s.security_id for s in securities if s.is_carried]).encode())
    for array in (ids, *parts.values(), groups.unit_parts, groups.unit_whole, exposures.values):
        digest.update(np.ascontiguousarray(array).tobytes())
    for name, array in sorted({**flags, **benchmarks}.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return MarketSnapshot(
        asof=prices.sessions[today].item(),
        securities=tuple(securities),
        security_ids=ids,
        model=_with_bonds(model, securities),
        exposures=exposures,
        flags=flags,
        groups=groups,
        benchmarks=benchmarks,
        digest=digest.hexdigest(),
        **parts,
    )


def _with_bonds(model: FactorModel, securities: Sequence[Security]) -> FactorModel:
    """Bonds move with none of the equity factors, and by themselves by `_BOND_VOLATILITY`. A private fund
    stands among its peers, as every security without prices does."""
    bonds = np.array([security.kind is SecurityKind.BOND for security in securities], np.bool_)
    if not bonds.any():
        return model
    return replace(
        model,
        loadings=np.where(bonds[:, None], 0.0, model.loadings),
        specific_variance=np.where(bonds, _BOND_VOLATILITY**2, model.specific_variance),
    )


def carried(
    weights: IndexWeights, prices: PriceHistory, today: int, actions: Sequence[CorporateAction] = ()
) -> Floats:
    """Index weights carried from their session to session number `today` by total returns, (N,).

    Actions with an ex-date in between change the members (`market.index_consequence`): total returns hold
    what a member handed out as if it had been kept in the member. Members without a price today are left
    out and the rest is scaled to one.
    """
    past = np.flatnonzero(prices.sessions <= as_day(weights.session))
    if past.size == 0:
        raise DataError(
            f"index {weights.index_code} has weights of {weights.session}, before the first price "
            f"{prices.sessions[0]}. Import prices from that day on."
        )
    rows, known = prices.rows_of(weights.security_ids)
    growth = prices.last_adjusted_usd(today) / prices.last_adjusted_usd(int(past[-1]))
    grown = np.where(known, weights.weight * np.nan_to_num(growth[rows]), 0.0)
    last = prices.sessions[today].item()
    since = [one for one in actions if weights.session < one.ex_date <= last] if grown.any() else []
    weights = replace(weights, weight=grown)
    for action in at_closes(sorted(since, key=lambda one: one.ex_date), prices):
        # One after the other: a successor may be merged, too.
        weights = pro_forma(weights, index_consequences([action], [weights]), last)
    rows, known = prices.rows_of(weights.security_ids)
    full = np.zeros(len(prices.security_ids))
    full[rows[known]] = weights.weight[known]
    full[prices.close_micros[today] == 0] = 0.0
    total = float(full.sum())
    if total <= 0.0:
        raise DataError(f"no member of index {weights.index_code} has a price on {prices.sessions[today]}.")
    return full / total


def _half_spread(prices: PriceHistory, today: int) -> Floats:
    """Half-spread as a fraction of value: falls with the square root of the dollar volume."""
    window = slice(max(0, today - 20), today + 1)
    dollars = np.nan_to_num(prices.volume[window]) * prices.close_micros[window] / 1e6
    traded = np.count_nonzero(dollars, axis=0)
    average = dollars.sum(axis=0) / np.maximum(traded, 1)
    bps = _SPREAD_BPS_AT_100M * np.sqrt(1e8 / np.maximum(average, 1e5))
    half_spread: Floats = np.clip(bps, _SPREAD_BPS_MIN, _SPREAD_BPS_MAX) / 1e4
    return half_spread
