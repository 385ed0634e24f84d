"""What would the books say if these events were booked too? Lot by lot, before and after.

The books are folded twice, with the events and without them, by the fold that posting uses; so a
preview is right whenever posting is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, Events
from allotment.ledger.fold import BookState, Problem, fold
from allotment.ledger.write import concatenate
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import FoldPolicy
from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LotState:
    """A lot, its pieces together."""

    quantity_nano: int
    basis_cents: int
    acquired: date
    holding_from: date
    can_wash: bool  # it counts as a purchase for wash sales


@dataclass(frozen=True, slots=True, kw_only=True)
class LotChange:
    """What becomes of a lot; a child's, or a successor's, bears the name of the lot it came from."""

    account_id: int
    security_id: int
    origin_event: int
    origin_line: int
    before: LotState | None  # None: there was none
    after: LotState | None  # None: there is none any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What the events realise of one lot: a sale, boot, a fraction paid out."""

    account_id: int
    security_id: int
    origin_event: int
    origin_line: int
    quantity_nano: int
    proceeds_cents: int
    basis_cents: int
    disallowed_cents: int
    gain_cents: int
    is_long_term: bool
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CashChange:
    """An account's cash before and after."""

    account_id: int
    before_cents: int
    after_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """All that would be different, in the taxpayer's view."""

    lots: tuple[LotChange, ...]  # by account, lot, security
    recognised: tuple[Recognised, ...]  # of the new events
    cash: tuple[CashChange, ...]
    problems: tuple[Problem, ...]  # contradictions that were not there before


def preview(
    events: Events,
    planned: Events,
    accounts: AccountTable,
    groups: IdenticalGroups,
    policy: FoldPolicy | None = None,
) -> Preview:
    """Fold `events` with and without `planned`, whose sequences are higher than all of theirs."""
    without = fold(events, accounts, groups, policy)
    both = concatenate([events, planned])
    together = fold(both, accounts, groups, policy)
    before, after = _lots(without), _lots(together)
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    known = set(without.problems)
    return Preview(
        lots=tuple(
            LotChange(
                account_id=key[0],
                origin_event=key[1],
                origin_line=key[2],
                security_id=key[3],
                before=before.get(key),
                after=after.get(key),
            )
            for key in changed
        ),
        recognised=_recognised(together, _names(both, planned)),
        cash=_cash(without, together),
        problems=tuple(problem for problem in together.problems if problem not in known),
    )


_Key = tuple[int, int, int, int]  # account, event and line that made the lot, security


def _lots(state: BookState) -> dict[_Key, LotState]:
    """Lots by name and security; of pieces that differ in their dates the earliest ones are told."""
    lots = state.taxpayer.lots
    account = state.accounts.account_ids[lots.account_ix]
    columns = (
        account,
        lots.origin_event,
        lots.origin_line,
        lots.security_id,
        lots.quantity_nano * lots.side,
        lots.basis_cents,
        lots.acquired,
        lots.holding_from,
        ~np.isnat(lots.purchased),
    )
    found: dict[_Key, LotState] = {}
    for *key, quantity, basis, acquired, holding, can_wash in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        name: Any = tuple(key)
        known = found.get(name)
        found[name] = LotState(
            quantity_nano=quantity + (known.quantity_nano if known else 0),
            basis_cents=basis + (known.basis_cents if known else 0),
            acquired=min(acquired, known.acquired) if known else acquired,
            holding_from=min(holding, known.holding_from) if known else holding,
            can_wash=can_wash or bool(known and known.can_wash),
        )
    return found


def _names(both: Events, planned: Events) -> Ints:
    """The names under which the planned events stand: corrections go by what they correct."""
    standing = in_force(both)
    return standing.events.ledger_seq[np.isin(standing.recorded_as, planned.ledger_seq)]


def _recognised(state: BookState, names: Ints) -> tuple[Recognised, ...]:
    sold = state.taxpayer.disposals
    rows = np.flatnonzero(np.isin(sold.event, names))
    return tuple(
        Recognised(
            account_id=int(state.accounts.account_ids[sold.account_ix[row]]),
            security_id=int(sold.security_id[row]),
            origin_event=int(sold.origin_event[row]),
            origin_line=int(sold.origin_line[row]),
            quantity_nano=int(sold.quantity_nano[row]),
            proceeds_cents=int(sold.proceeds_cents[row]),
            basis_cents=int(sold.basis_cents[row]),
            disallowed_cents=int(sold.disallowed_cents[row]),
            gain_cents=int(sold.gain_cents[row]),
            is_long_term=bool(sold.long_term[row]),
            day=sold.day[row].item(),
        )
        for row in rows.tolist()
    )


def _cash(without: BookState, together: BookState) -> tuple[CashChange, ...]:
    before, after = without.cash_cents, together.cash_cents
    return tuple(
        CashChange(
            account_id=int(without.accounts.account_ids[at]),
            before_cents=int(before[at]),
            after_cents=int(after[at]),
        )
        for at in np.flatnonzero(before != after).tolist()
    )
