"""Ledgers of one household as JSON, the input of ``allotment tax replay``.

The format is documented in docs/reference/files/ledger-json.md. Reading collects every mistake
with the transaction's id; a file with mistakes is refused whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from allotment.errors import BadFileError, BadRow
from allotment.feeds.ledger_policy import ReplayPolicy
from allotment.feeds.ledger_reader import Fact, Reader, Row
from allotment.tax.fold import Folded, ProblemCode, fold_transactions
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import (
    BroughtLots,
    Kind,
    NamedLots,
    TaxAccounts,
    Terms,
    Transactions,
)
from allotment.units import NANO_PER_SHARE, format_scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One file, read: what the fold takes, and the names of what it numbers."""

    file: str
    ids: tuple[str, ...]  # of the transactions, by row
    entries: Mapping[str, Mapping[str, Any]]  # as they stand in the file, by id
    symbols: tuple[str, ...]  # by security_ix
    account_names: tuple[str, ...]  # by account_ix
    transactions: Transactions
    accounts: TaxAccounts
    groups: IdenticalGroups
    policy: ReplayPolicy
    facts: tuple[Fact, ...] = ()  # what moves no lot: dividends, puts
    last_day: date  # of all transactions


def read_ledger(text: str, file: str) -> Ledger:
    """The ledger in a file. Raises BadFileError with every mistake."""
    try:
        document = json.loads(text, parse_float=str, parse_int=str)  # exact, and of any length
    except json.JSONDecodeError as error:
        row = BadRow(file=file, line=error.lineno, column="", found=f"no JSON: {error.msg}", remedy="mend it")
        raise BadFileError([row]) from None
    except RecursionError:
        row = BadRow(file=file, line=0, column="", found="nested a thousandfold", remedy="give a ledger")
        raise BadFileError([row]) from None
    if not isinstance(document, dict):
        row = BadRow(file=file, line=0, column="", found="no JSON object", remedy="give one")
        raise BadFileError([row])
    reader = Reader(file, document)
    if reader.mistakes:
        raise BadFileError(reader.mistakes)
    return _columns(reader)


def replay(ledger: Ledger) -> Folded:
    """Fold a ledger. Raises BadFileError when transactions contradict one another."""
    folded = fold_transactions(ledger.transactions, ledger.accounts, ledger.groups, ledger.policy.fold)
    problems = folded.problems
    if len(problems.row):
        raise BadFileError(
            [
                _contradiction(
                    ledger,
                    int(problems.row[i]),
                    ProblemCode(int(problems.code[i])),
                    int(problems.wanted_nano[i]),
                    int(problems.held_nano[i]),
                )
                for i in range(len(problems.row))
            ]
        )
    return folded


_CONTRADICTIONS = {
    ProblemCode.SOLD_MORE_THAN_HELD: (
        "{wanted} shares leave, {held} are held",
        "correct the quantity, or add the missing purchase",
    ),
    ProblemCode.LOT_NOT_HELD: (
        "{wanted} shares of a named lot leave, {held} are held in that account",
        "name lots that are held",
    ),
    ProblemCode.NAMED_QUANTITY_DIFFERS: (
        "the quantity is {wanted}, the named lots add up to {held}",
        "make them agree",
    ),
    ProblemCode.NOT_SHORT: (
        "{wanted} shares are covered, {held} are short",
        "correct the quantity, or add the missing short sale",
    ),
    ProblemCode.SHORT_IS_OPEN: (
        "shares are short in a corporate action that is not a split",
        "cover them before, or leave them out",
    ),
    ProblemCode.INTO_ITSELF: ("a security becomes, or brings, itself", "name the other security"),
    ProblemCode.NOT_POSITIVE: ("a ratio, price or quantity is zero", "give a positive one"),
    ProblemCode.TOO_LARGE: (
        "shares or dollars beyond what 64 bits carry",
        "check ratio, quantity and prices",
    ),
}


def _contradiction(ledger: Ledger, row: int, code: ProblemCode, wanted: int, held: int) -> BadRow:
    found, remedy = _CONTRADICTIONS.get(code, (code.name.lower(), "correct the transaction"))
    return BadRow(
        file=ledger.file,
        line=0,
        column=f"transaction {ledger.ids[row]}",
        found=found.format(
            wanted=format_scaled(wanted, NANO_PER_SHARE), held=format_scaled(held, NANO_PER_SHARE)
        ),
        remedy=remedy,
    )


def _columns(reader: Reader) -> Ledger:
    ids, rows = tuple(reader.rows), list(reader.rows.values())
    grouped = {symbol for group in reader.policy.groups for symbol in group}
    told = {fact.symbol for fact in reader.facts.values()}
    mentioned = told | {row.symbol for row in rows} | {row.other for row in rows if row.other} | grouped
    symbols = tuple(sorted(mentioned))
    at = {symbol: i for i, symbol in enumerate(symbols)}
    terms = [row for row in rows if row.terms is not None]
    brought = [row for row in rows if row.brought is not None]
    detail = np.full(len(rows), -1, np.int32)
    detail[[row.terms is not None for row in rows]] = np.arange(len(terms))
    detail[[row.brought is not None for row in rows]] = np.arange(len(brought))
    place = {key: i for i, key in enumerate(ids)}
    n = len(rows)

    def column(name: str, dtype: str) -> Any:
        return np.array([getattr(row, name) for row in rows], dtype)

    transactions = Transactions(
        household_ix=np.zeros(n, np.int32),
        account_ix=column("account", "i4"),
        sleeve_ix=np.zeros(n, np.int32),
        security_ix=np.array([at[row.symbol] for row in rows], np.int32),
        day=column("day", "M8[D]"),
        settles=column("settles", "M8[D]"),
        sequence=np.arange(n),
        kind=column("kind", "i1"),
        quantity_nano=column("quantity", "i8"),
        amount_cents=column("amount", "i8"),
        order_id=-1 - np.arange(n),
        method=column("method", "i1"),
        to_ix=column("to", "i4"),
        detail_ix=detail,
        named=NamedLots(
            start=np.cumsum([0, *(len(row.named) for row in rows)]),
            row=np.array([place[lot] for row in rows for lot, _ in row.named], np.int64),
            quantity_nano=np.array([quantity for row in rows for _, quantity in row.named], np.int64),
        ),
        terms=_terms_columns(terms, at),
        brought=_brought_columns(brought),
    )
    return Ledger(
        file=reader.file,
        ids=ids,
        entries=reader.entries,
        symbols=symbols,
        account_names=tuple(reader.accounts),
        transactions=transactions,
        accounts=_account_columns(reader),
        groups=_groups(symbols, rows, reader.policy.groups),
        policy=reader.policy,
        facts=tuple(reader.facts.values()),
        last_day=reader.last,
    )


def _account_columns(reader: Reader) -> TaxAccounts:
    accounts = list(reader.accounts.values())
    n = len(accounts)
    since, until = (
        np.array([day or "NaT" for day in days], "M8[D]")
        for days in ([one.linked for one in accounts], [one.unlinked for one in accounts])
    )
    return TaxAccounts(
        household_ix=np.zeros(n, np.int32),
        owner_ix=np.array([one.owner == "spouse" for one in accounts], np.int32),
        taxable=np.array([one.kind == "taxable" for one in accounts], np.int8),
        method=np.full(n, reader.policy.lot_method, np.int8),
        fifo_by_holding=np.full(n, reader.policy.fifo_by_holding, np.int8),
        member_from=since,
        member_until=until,
    )


def _terms_columns(rows: Sequence[Row], at: Mapping[str, int]) -> Terms:
    def column(name: str) -> Any:
        return np.array([(row.terms or {})[name] for row in rows], np.int64)

    return Terms(
        other_ix=np.array([at[row.other] if row.other else -1 for row in rows], np.int32),
        new_parts=column("new_parts"),
        old_parts=column("old_parts"),
        cash_nano=column("cash_nano"),
        lieu_nano=column("lieu_nano"),
        old_price_nano=column("old_price_nano"),
        new_price_nano=column("new_price_nano"),
        allocate=column("allocate").astype(np.int8),
    )


def _brought_columns(rows: Sequence[Row]) -> BroughtLots:
    n = len(rows)
    return BroughtLots(
        loss_basis_cents=np.array([(row.brought or {})["loss_basis_cents"] for row in rows], np.int64),
        acquired=np.array([row.day for row in rows], "M8[D]"),
        holding_from=np.array([(row.brought or {})["holding_from"] for row in rows], "M8[D]"),
        purchased=np.full(n, np.datetime64("NaT", "D")),
        absorbed=np.zeros(n, np.int8),
        covered=np.ones(n, np.int8),
        basis_state=np.zeros(n, np.int8),
    )


def _groups(
    symbols: Sequence[str], rows: Sequence[Row], given: Sequence[Mapping[str, Fraction]]
) -> IdenticalGroups:
    """Groups of the policy; a call stands with its underlying, share for share."""
    units = dict.fromkeys(symbols, Fraction(1))
    group = {symbol: symbol for symbol in symbols}
    for members in given:
        first = min(members)
        for symbol, unit in members.items():
            group[symbol], units[symbol] = first, unit
    for row in rows:
        if row.kind is Kind.OPTION_BUY:
            group[row.symbol], units[row.symbol] = group[row.other], units[row.other]
    number = {name: i for i, name in enumerate(dict.fromkeys(group[symbol] for symbol in symbols))}
    return IdenticalGroups(
        security_ids=np.arange(len(symbols)),
        group_ix=np.array([number[group[symbol]] for symbol in symbols], np.int32),
        unit_parts=np.array([units[symbol].numerator for symbol in symbols], np.int64),
        unit_whole=np.array([units[symbol].denominator for symbol in symbols], np.int64),
    )
