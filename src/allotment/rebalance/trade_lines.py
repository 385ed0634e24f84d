"""The lines of a proposal: one per name and side, put together when somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from allotment.optimize.alternatives import Other
from allotment.optimize.reasons import Reason
from allotment.rebalance import sentences
from allotment.rebalance.proposal import Proposal, Trades
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Bools, Floats, Ints

_REASONS = {int(reason): reason for reason in Reason}
_OTHERS = {int(other): other for other in Other}


class Weighed(NamedTuple):
    """What a trade changes, and what doing without it would cost (a row of `TradeReasons`)."""

    tax_usd: float
    cost_usd: float
    wash_usd: float
    tilt_usd: float
    risk_usd: float
    factor: str  # what speaks most for it among the factors; "" for none
    worth_usd: float
    other: Other
    other_usd: float
    at_least_usd: float
    limit_usd: float


class NameTrade(NamedTuple):
    """One name's trade as a person reads it; sales of several lots are one line."""

    security_id: int
    side: str  # "sell" or "buy"
    n_lots: int  # lots sold from, 0 for a purchase
    shares: float
    value_usd: float
    gain_short_usd: float
    gain_long_usd: float
    tax_usd: float  # negative when it saves
    cost_usd: float
    reason: Reason
    why: str
    weighed: Weighed | None  # None where nothing is known
    weight_before: float
    weight_after: float
    weight_index: float

    def record(self) -> dict[str, Any]:
        """The line for a program: names of codes, and a record in the place of `weighed`."""
        weighed = None if self.weighed is None else self.weighed._asdict()
        return self._asdict() | {"reason": self.reason.name.lower(), "weighed": weighed}

    @property
    def because(self) -> str:
        """What the trade changes, as a sentence."""
        one = self.weighed
        if one is None:
            return ""
        return sentences.because(
            tax_usd=one.tax_usd,
            cost_usd=one.cost_usd,
            wash_usd=one.wash_usd,
            tilt_usd=one.tilt_usd,
            risk_usd=one.risk_usd,
            factor=one.factor,
        )

    @property
    def instead(self) -> str:
        """What doing without it would cost, as a sentence."""
        one = self.weighed
        if one is None:
            return ""
        return sentences.instead(
            worth_usd=one.worth_usd,
            other=one.other,
            other_usd=one.other_usd,
            at_least_usd=one.at_least_usd,
            limit_usd=one.limit_usd,
        )


class TradeLines(Sequence[NameTrade]):
    """One line per name and side, the largest value first.

    Somebody who looks at ten of five hundred waits for ten.
    """

    def __init__(self, proposal: Proposal, factor_names: Sequence[str]) -> None:
        self._names = _Names(proposal.trades)
        self._reasons = proposal.reasons
        self._factors = dict(enumerate(factor_names)) | {-1: ""}

    @overload
    def __getitem__(self, at: int) -> NameTrade: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[NameTrade, ...]: ...
    def __getitem__(self, at: int | slice) -> NameTrade | tuple[NameTrade, ...]:
        chosen = np.arange(len(self))[at]
        made = tuple(self._made(np.atleast_1d(chosen)))
        return made if isinstance(at, slice) else made[0]

    def __len__(self) -> int:
        return len(self._names.security)

    def __iter__(self) -> Iterator[NameTrade]:
        return self._made(np.arange(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def of_side(self, side: str) -> tuple[int, float]:
        """How many names are sold, or bought, and for how many dollars in all."""
        mine = self._names.is_sale == (side == "sell")
        return int(np.count_nonzero(mine)), float(self._names.total("value_cents", CENTS_PER_USD)[mine].sum())

    def _made(self, at: Ints) -> Iterator[NameTrade]:
        names, t = self._names, self._names.trades
        first = names.first[at]
        codes = t.reason[first].tolist()
        columns = (
            names.security[at].tolist(),
            ["sell" if sale else "buy" for sale in names.is_sale[at].tolist()],
            np.where(names.is_sale, names.n_rows, 0)[at].tolist(),
            names.total("quantity_nano", NANO_PER_SHARE)[at].tolist(),
            names.total("value_cents", CENTS_PER_USD)[at].tolist(),
            names.gain_short_usd[at].tolist(),
            names.gain_long_usd[at].tolist(),
            names.total("tax_cents", CENTS_PER_USD)[at].tolist(),
            names.total("cost_cents", CENTS_PER_USD)[at].tolist(),
            [_REASONS[code] for code in codes],
            [sentences.WHY[code] for code in codes],
            self._weighed(names.security[at]),
            t.weight_before[first].tolist(),
            t.weight_after[first].tolist(),
            t.weight_index[first].tolist(),
        )
        return map(NameTrade._make, zip(*columns, strict=True))

    def _weighed(self, security: Ints) -> list[Weighed | None]:
        """Of each security, None where nothing is known."""
        known = self._reasons.security_id
        if not len(known):
            return [None] * len(security)
        row = np.minimum(np.searchsorted(known, security), len(known) - 1)

        def usd(name: str) -> list[float]:
            column: Floats = getattr(self._reasons, f"{name}_usd")
            figures: list[float] = column[row].tolist()
            return figures

        columns = (
            *map(usd, ("tax", "cost", "wash", "tilt", "risk")),
            [self._factors.get(one, f"factor {one}") for one in self._reasons.factor[row].tolist()],
            usd("worth"),
            [_OTHERS[other] for other in self._reasons.other[row].tolist()],
            *map(usd, ("other", "at_least", "limit")),
        )
        made = map(Weighed._make, zip(*columns, strict=True))
        return [
            one if found else None for one, found in zip(made, (known[row] == security).tolist(), strict=True)
        ]


class _Names:
    """The trades of a proposal by name and side, the largest value first."""

    def __init__(self, trades: Trades) -> None:
        # The largest lot comes first in its name, and speaks for it.
        order = np.lexsort((-trades.value_cents, trades.security_id, trades.side))
        security, side = trades.security_id[order], trades.side[order]
        differs = (security[1:] != security[:-1]) | (side[1:] != side[:-1])
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(order), 1), np.bool_), differs]))
        rank = np.argsort(-_sums(trades.value_cents[order], starts), kind="stable")
        self.trades, self._order, self._starts, self._rank = trades, order, starts, rank
        self.first: Ints = order[starts][rank]
        self.n_rows: Ints = np.diff(np.append(starts, len(order)))[rank]
        self.security: Ints = trades.security_id[self.first]
        self.is_sale: Bools = trades.side[self.first] < 0

    def total(self, column: str, per: int) -> Floats:
        """A column of the trades summed by name and side."""
        return self._sum(getattr(self.trades, column)) / per

    @property
    def gain_short_usd(self) -> Floats:
        return self._sum(self.trades.gain_cents * (self.trades.is_long_term == 0)) / CENTS_PER_USD

    @property
    def gain_long_usd(self) -> Floats:
        return self._sum(self.trades.gain_cents * (self.trades.is_long_term != 0)) / CENTS_PER_USD

    def _sum(self, column: Ints) -> Ints:
        return _sums(column[self._order], self._starts)[self._rank]


def _sums(column: Ints, starts: Ints) -> Ints:
    """Of the rows from each start to the next."""
    return np.add.reduceat(column, starts) if len(starts) else np.zeros(0, np.int64)
