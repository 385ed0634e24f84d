"""A desk: one firm's database and one day's market, kept open for questions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Self

from allotment import settings
from allotment.api.frontier import FrontierAnswer
from allotment.api.what_if import WhatIfAnswer
from allotment.book.mandate import Tilt
from allotment.errors import UsageError
from allotment.jobs.frontier import folder_frontier
from allotment.jobs.what_if import WhatIfSession
from allotment.optimize.frontier import POINTS
from allotment.optimize.modes import Mode, Purpose
from allotment.rebalance.what_if import Change
from allotment.store.database import Store


class Desk:
    """Answers questions about a firm's accounts; nothing that is asked is stored.

    Use it as a context manager, or `close` it. It is for one thread.

    firm: default the one used last. home: the data folder. asof: default the last session with prices.
    accounts: codes of those that will be asked about, opened at once (`open`).
    """

    def __init__(
        self,
        firm: str = "",
        *,
        home: str | Path | None = None,
        asof: date | None = None,
        accounts: Sequence[str] = (),
    ) -> None:
        self._opened = ExitStack()
        loaded = settings.load({"home": Path(home)} if home is not None else {})
        try:
            store = self._opened.enter_context(Store.open(loaded))
            self._firm = self._opened.enter_context(store.firm(firm))
            self._session = WhatIfSession(self._firm, asof, accounts=accounts)
        except BaseException:
            self._opened.close()
            raise

    @property
    def asof(self) -> date:
        """The day of its prices."""
        return self._session.market.asof

    def open(self, account: str) -> None:
        """Read an account's books and decide it as it stands, so that the first question about it is
        answered as fast as the next ones."""
        self._session.open(account)

    def what_if(self, account: str, **changes: Any) -> WhatIfAnswer:
        """What would be proposed for an account if it were otherwise; see `allotment.what_if`."""
        found = self._session.ask(account, change(**changes))
        codes = {one.security_id: one.code for one in self._session.market.securities}
        return WhatIfAnswer(account, found, codes, tuple(self._session.market.model.factor_names))

    def frontier(self, account: str, *, points: int = POINTS, **changes: Any) -> FrontierAnswer:
        """Tax and cost of its trades against their tracking error; see `allotment.frontier`."""
        asked = change(**changes) if changes else None
        return FrontierAnswer(self._session.frontier(account, asked, points))

    def close(self) -> None:
        """Close its connections; the database goes on running."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def change(
    *,
    exclude: Sequence[str] = (),
    allow: Sequence[str] = (),
    without: Sequence[str] = (),
    tilts: Mapping[str, float] | None = None,
    mode: str = "",
    amount: float | None = None,
    years_left: int = 1,
    **figures: float,
) -> Change:
    """A `Change` from plain words. Raises UsageError for a word that it does not know."""
    unknown = sorted(set(figures) - set(FIGURES))
    if unknown:
        raise UsageError(f"{', '.join(unknown)} cannot be changed; there are {', '.join(FIGURES)}.")
    if not mode and (amount is not None or years_left != 1):
        raise UsageError("amount and years_left belong to a mode.")
    if mode and mode not in set(Mode):
        raise UsageError(f"there is no mode {mode!r}; there are {', '.join(Mode)}.")
    amount_usd = math.nan if amount is None else amount
    purpose = Purpose(mode=Mode(mode), amount_usd=amount_usd, years_left=years_left) if mode else None
    return Change(
        exclude=tuple(exclude),
        allow=tuple(allow),
        without=tuple(without),
        tilts=tuple(Tilt(score, strength) for score, strength in (tilts or {}).items()),
        purpose=purpose,
        **figures,
    )


# The figures of `Change`; `change` and the command take them by these names.
FIGURES = (
    "risk_price", "loss_value", "basis_value", "cash_weight_min", "name_active_max", "trade_usd_min",
    "te_max", "cash_usd",
)  # fmt: skip


@cache
def _desk(firm: str, home: str) -> Desk:
    return Desk(firm, home=home or None)


def what_if(account: str, *, firm: str = "", home: str = "", **changes: Any) -> WhatIfAnswer:
    """What would be proposed for an account if its mandate, cash or lots were otherwise.

    changes: exclude, allow (codes of securities, sectors, industries, flags), without (securities
    given away), tilts (score -> strength), risk_price, loss_value, basis_value, cash_weight_min,
    name_active_max, trade_usd_min, te_max, cash_usd (paid in, negative: taken out), mode with
    amount and years_left. The firm's desk stays open for the next question.
    """
    return _desk(firm, home).what_if(account, **changes)


def frontier(
    account: str | Path, *, firm: str = "", home: str = "", points: int = POINTS, **changes: Any
) -> FrontierAnswer:
    """Tax and cost against tracking error: of an account by its code, or of a problem folder by its Path.

    changes: those of `what_if`; of a folder only mode, amount and years_left count.
    """
    if isinstance(account, Path):
        return FrontierAnswer(folder_frontier(account, points, change(**changes).purpose))
    return _desk(firm, home).frontier(account, points=points, **changes)
