"""Dividends that two versions of a ledger put differently on a return.

Law: 26 U.S.C. §246(c) looks at the days around the ex-date, so a late sale, or one that closed
another lot than was thought, turns a qualified dividend into an ordinary one, or back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, field

from allotment.feeds.ledger_dividends import DividendPart, DividendSums, dividend_parts, sums_of
from allotment.feeds.ledger_json import Ledger
from allotment.tax.folded import Folded

PAID, HOLDING_TEST = "dividend", "holding test"


@dataclass(frozen=True, slots=True)
class DividendFigures:
    """What one dividend paid on one lot in one account."""

    quantity_nano: int  # as of the ex-date; negative: short
    sums: DividendSums


@dataclass(frozen=True, slots=True, kw_only=True)
class DividendCorrection:
    """One dividend on one lot whose figures are no longer what they were.

    rules: `dividend` where it came or went, or its terms, shares or amount changed; `holding test`
    where it is the days held that put it into another bucket. before, after: None for nothing.
    """

    dividend: str
    lot: str
    account: str
    year: int
    rules: tuple[str, ...]
    causes: tuple[str, ...]
    before: DividendFigures | None
    after: DividendFigures | None
    is_filed: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """One version: parts by (year, account, dividend, lot)."""

    ledger: Ledger
    parts: dict[tuple[int, str, str, str], list[DividendPart]] = field(default_factory=dict)

    def figures(self, key: tuple[int, str, str, str]) -> DividendFigures | None:
        if key not in self.parts:
            return None
        mine = self.parts[key]
        return DividendFigures(sum(part.quantity_nano for part in mine), sums_of(mine))


def dividend_corrections(
    old: Ledger,
    was: Folded,
    new: Ledger,
    now: Folded,
    causes: Sequence[str],
    filed: Collection[int] = (),
) -> tuple[DividendCorrection, ...]:
    """Every difference, ascending by year, account, dividend, lot.

    was, now: what the ledgers fold to. causes: ids of changed transactions and dividends; each
    correction names the dividend itself and those of its security or the lot's or, if there is none,
    all. filed: tax years whose returns are filed.
    """
    before, after = _side(old, was), _side(new, now)
    symbols = _symbols(old) | _symbols(new)
    found = []
    for key in sorted(before.parts.keys() | after.parts.keys()):
        one, other = before.figures(key), after.figures(key)
        year, account, dividend, lot = key
        is_altered = old.entries.get(dividend) != new.entries.get(dividend)
        rules = _rules(one, other, is_altered)
        if not rules:
            continue
        near = {symbols[dividend], symbols[lot]}
        own = tuple(cause for cause in causes if cause == dividend or symbols[cause] in near)
        found.append(
            DividendCorrection(
                dividend=dividend,
                lot=lot,
                account=account,
                year=year,
                rules=rules,
                causes=own or tuple(causes),
                before=one,
                after=other,
                is_filed=year in filed,
            )
        )
    return tuple(found)


def _side(ledger: Ledger, folded: Folded) -> _Side:
    side = _Side(ledger)
    for part in dividend_parts(ledger, folded):
        account, lot = ledger.account_names[part.account_ix], ledger.ids[part.lot_row]
        side.parts.setdefault((part.year, account, part.fact.key, lot), []).append(part)
    return side


def _symbols(ledger: Ledger) -> dict[str, str]:
    """The security of every transaction and dividend, by id."""
    rows = dict(zip(ledger.ids, ledger.transactions.security_ix.tolist(), strict=True))
    named = {key: ledger.symbols[security] for key, security in rows.items()}
    return named | {fact.key: fact.symbol for fact in ledger.facts}


def _rules(
    before: DividendFigures | None, after: DividendFigures | None, is_altered: bool
) -> tuple[str, ...]:
    if before == after:
        return ()
    if before is None or after is None or is_altered:
        return (PAID,)
    one, other = astuple(before.sums), astuple(after.sums)
    is_as_large = (before.quantity_nano, sum(one)) == (after.quantity_nano, sum(other))
    is_elsewhere = [cents > 0 for cents in one] != [cents > 0 for cents in other]
    rules = [] if is_as_large else [PAID]
    if is_elsewhere or is_as_large:
        rules.append(HOLDING_TEST)
    return tuple(rules)
