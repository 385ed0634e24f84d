"""What the sample clients want: screens, tilts, restrictions, limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.book.mandate import Mandate, Restriction, RestrictionKind, Tilt
from allotment.market.history import MarketHistory
from allotment.simulate.world.people import People
from allotment.units import Bools, Floats, Index, Ints

_EXPOSURES = ("momentum", "volatility", "size", "beta", "dividend_yield")
_RECENT_DAYS = 60  # a new wish is not carried out yet


@dataclass(frozen=True, slots=True, kw_only=True)
class WishPolicy:
    """How many accounts, as fractions, wish for what."""

    screened: float
    tilted: float
    restricted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Mandates in the order of accounts, and what the rule of the past may buy."""

    mandates: tuple[Mandate, ...]
    allowed: Bools  # (n_accounts, N)


def draw_wishes(
    market: MarketHistory,
    index_code: str,
    people: People,
    kept: Index,
    members: Ints,
    policy: WishPolicy,
    asof: date,
    rng: np.random.Generator,
) -> Wishes:
    """kept: column of the name that an executive holds, -1 for others, shape (n_accounts,).

    members: columns of the index on the last day. Half of the wishes are as old as the account;
    the others are new, so that the account still holds what they forbid.
    """
    drawer = _Drawer(market, members, rng)
    allowed = np.ones((len(people.accounts), len(market.securities)), np.bool_)
    mandates = []
    for place, account in enumerate(people.accounts):
        wish = drawer.wish(policy)
        is_new = rng.random() < 0.5
        if not is_new:
            allowed[place] = ~drawer.forbidden(wish)
        recent = date.fromisoformat(str(np.datetime64(asof, "D") - int(rng.integers(1, _RECENT_DAYS))))
        effective = max(account.opened, recent) if is_new and wish != _NO_WISH else account.opened
        restrictions = list(wish.restrictions)
        if kept[place] >= 0:
            kind = RestrictionKind.HOLD if rng.random() < 0.85 else RestrictionKind.NO_BUY
            security_id = market.securities[int(kept[place])].security_id
            restrictions = [r for r in restrictions if r.security_id != security_id]
            restrictions.append(Restriction(security_id, kind))
        is_spending = rng.random() < 0.15
        mandates.append(
            Mandate(
                account_id=account.account_id,
                version=1,
                effective=effective,
                benchmark=((index_code, 1.0),),
                excluded_sectors=wish.sectors,
                excluded_industries=wish.industries,
                excluded_flags=wish.flags,
                restrictions=tuple(restrictions),
                tilts=wish.tilts,
                risk_price=float(rng.choice([15.0, 30.0, 60.0], p=[0.25, 0.5, 0.25])),
                cash_weight_min=0.005 if is_spending else 0.0,
                cash_weight_max=0.02 if is_spending else 0.01,
                # An executive's name may weigh what it weighs; selling it down is a trade-off.
                name_active_max=1.0 if kept[place] >= 0 else 0.05,
                trade_usd_min=50.0 if people.size_usd[place] < 100_000.0 else 100.0,
                requested_by=f"client {account.code}",
                approved_by="sample desk",
            )
        )
    return Wishes(mandates=tuple(mandates), allowed=allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    sectors: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    tilts: tuple[Tilt, ...] = ()


_NO_WISH = _Wish()


def _is_flag(values: Floats) -> bool:
    """A score of nothing but zeros and ones is a value flag, whatever its name."""
    return bool(np.all(np.isnan(values) | (values == 0.0) | (values == 1.0)))


class _Drawer:
    """Draws wishes that mean something in this market: of its sectors, flags and scores."""

    def __init__(self, market: MarketHistory, members: Ints, rng: np.random.Generator) -> None:
        self._rng = rng
        self._members = members
        self._ids = market.prices.security_ids
        self._sector = np.array([s.sector for s in market.securities])
        self._industry = np.array([s.industry for s in market.securities])
        self._flags = {
            name: values == 1.0
            for name, values in market.scores.items()
            if _is_flag(values) and np.any(values[members] == 1.0)
        }
        styles = [name for name, values in market.scores.items() if not _is_flag(values)]
        self._tiltable = (*_EXPOSURES, *styles)

    def wish(self, policy: WishPolicy) -> _Wish:
        rng = self._rng
        sectors: tuple[str, ...] = ()
        industries: tuple[str, ...] = ()
        flags: tuple[str, ...] = ()
        restrictions: tuple[Restriction, ...] = ()
        if rng.random() < policy.screened:
            sort = rng.random()
            if sort < 0.5 and self._flags:
                n = min(int(rng.integers(1, 4)), len(self._flags))
                flags = tuple(sorted(rng.choice(sorted(self._flags), n, replace=False).tolist()))
            elif sort < 0.75:
                sectors = (str(rng.choice(np.unique(self._sector[self._members]))),)
            elif sort < 0.88:
                industries = (str(rng.choice(np.unique(self._industry[self._members]))),)
            else:
                restrictions = self._restrict(int(rng.integers(1, 6)), (RestrictionKind.EXCLUDE,))
        if not restrictions and rng.random() < policy.restricted:
            restrictions = self._restrict(int(rng.integers(1, 4)), tuple(RestrictionKind))
        tilts: tuple[Tilt, ...] = ()
        if rng.random() < policy.tilted:
            strength = round(float(rng.uniform(0.0003, 0.002)), 4)
            tilts = (Tilt(str(rng.choice(self._tiltable)), strength),)
        return _Wish(
            sectors=sectors, industries=industries, flags=flags, restrictions=restrictions, tilts=tilts
        )

    def forbidden(self, wish: _Wish) -> Bools:
        """Names that the wish forbids to buy, shape (N,)."""
        names = np.isin(self._sector, wish.sectors) | np.isin(self._industry, wish.industries)
        for flag in wish.flags:
            names |= self._flags[flag]
        not_bought = [r.security_id for r in wish.restrictions if r.kind is not RestrictionKind.NO_SELL]
        forbidden: Bools = names | np.isin(self._ids, not_bought)
        return forbidden

    def _restrict(self, n: int, kinds: tuple[RestrictionKind, ...]) -> tuple[Restriction, ...]:
        columns = np.sort(self._rng.choice(self._members, min(n, self._members.size), replace=False))
        return tuple(
            Restriction(int(self._ids[i]), kinds[int(self._rng.integers(len(kinds)))]) for i in columns
        )
