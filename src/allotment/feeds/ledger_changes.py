"""Two versions of a ledger compared: transactions, policy, and the figures that follow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import numpy as np

from allotment.feeds.dividend_changes import DividendCorrection, dividend_corrections
from allotment.feeds.ledger_json import Ledger, replay
from allotment.tax.correction import Figures, corrections
from allotment.tax.folded import Folded
from allotment.tax.recompute import Book
from allotment.units import Ints

__all__ = ["LedgerChanges", "NamedCorrection", "changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCorrection:
    """A correction with the names of its file; `sale` "" for an open lot."""

    sale: str
    lot: str
    account: str
    year: int
    rules: tuple[str, ...]
    causes: tuple[str, ...]
    before: Figures | None
    after: Figures | None
    is_filed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChanges:
    """Ids of transactions and dividends, switches of the policy as text, and corrections by year."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    altered: tuple[str, ...]
    policy: tuple[str, ...]
    corrections: tuple[NamedCorrection, ...]
    dividends: tuple[DividendCorrection, ...]


def changes(old: Ledger, new: Ledger, filed: Collection[int] = ()) -> LedgerChanges:
    """Compare. Raises BadFileError when the transactions of one contradict one another."""
    keys = tuple(dict.fromkeys((*old.ids, *new.ids)))
    number = {key: i for i, key in enumerate(keys)}
    names = tuple(sorted({*old.account_names, *new.account_names}))
    added = tuple(key for key in new.entries if key not in old.entries)
    removed = tuple(key for key in old.entries if key not in new.entries)
    altered = tuple(key for key in old.entries if new.entries.get(key, old.entries[key]) != old.entries[key])
    causes = (*added, *removed, *altered)
    symbols = {symbol: i for i, symbol in enumerate(sorted({*old.symbols, *new.symbols}))}
    was, now = replay(old), replay(new)
    before, after = (_book(old, was, number, names, symbols), _book(new, now, number, names, symbols))
    return LedgerChanges(
        added=added,
        removed=removed,
        altered=altered,
        policy=_policy(old, new),
        corrections=tuple(
            NamedCorrection(
                sale=keys[one.sale] if one.sale >= 0 else "",
                lot=keys[one.lot],
                account=names[one.account_ix],
                year=one.year,
                rules=tuple(str(rule) for rule in one.rules),
                causes=tuple(keys[cause] for cause in one.causes),
                before=one.before,
                after=one.after,
                is_filed=one.is_filed,
            )
            for one in corrections(before, after, [number[key] for key in causes if key in number], filed)
        ),
        dividends=dividend_corrections(old, was, new, now, causes, filed),
    )


def _book(
    ledger: Ledger, folded: Folded, number: dict[str, int], names: tuple[str, ...], symbols: dict[str, int]
) -> Book:
    """The ledger folded, with accounts and securities numbered alike in both versions."""
    account = np.array([names.index(name) for name in ledger.account_names], np.int32)
    security = np.array([symbols[symbol] for symbol in ledger.symbols], np.int32)
    ids: Ints = np.array([number[key] for key in ledger.ids], np.int64)
    return Book(
        transactions=replace(ledger.transactions, security_ix=security[ledger.transactions.security_ix]),
        ids=ids,
        folded=replace(
            folded,
            lots=replace(folded.lots, account_ix=account[folded.lots.account_ix]),
            disposals=replace(folded.disposals, account_ix=account[folded.disposals.account_ix]),
        ),
    )


def _policy(old: Ledger, new: Ledger) -> tuple[str, ...]:
    one, other = old.policy, new.policy
    changed = [
        f"{part.name}: {getattr(one.fold, part.name)} → {getattr(other.fold, part.name)}"
        for part in fields(one.fold)
        if getattr(one.fold, part.name) != getattr(other.fold, part.name)
    ]
    changed += [
        f"{name}: {getattr(one, name)} → {getattr(other, name)}"
        for name in ("lot_method", "fifo_by_holding")
        if getattr(one, name) != getattr(other, name)
    ]
    if one.groups != other.groups:
        changed.append("si_groups")
    return tuple(changed)
