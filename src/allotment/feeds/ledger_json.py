"""Ledgers of one household as JSON, the input of ``allotment tax replay``.

The format is documented in docs/reference/files/ledger-json.md. Reading collects every mistake
with the transaction's id; a file with mistakes is refused whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from allotment.errors import BadFileError, BadRow
from allotment.feeds.ledger_fields import (
    ACTIONS,
    FIELDS,
    IGNORED,
    NANO,
    PARSE,
    SHARED,
    RefusedError,
    read_day,
    read_name,
)
from allotment.feeds.ledger_policy import ReplayPolicy, read_policy
from allotment.market.calendar import settlement_day
from allotment.tax.estate import deemed_long_from
from allotment.tax.fold import Folded, ProblemCode, fold_transactions
from allotment.tax.gift import gift_loss_basis
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

_EVERY_ACCOUNT = -1


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


@dataclass(slots=True)
class _Row:
    """One transaction, its fields parsed."""

    kind: Kind
    day: date
    symbol: str
    account: int
    quantity: int = 0
    amount: int = 0
    method: int = -1
    to: int = -1
    settles: date | None = None
    named: list[tuple[str, int]] = field(default_factory=list)
    terms: dict[str, int] | None = None
    other: str = ""
    brought: dict[str, Any] | None = None


class _Reader:
    """Reads one document, collecting mistakes."""

    def __init__(self, file: str, document: Mapping[str, Any]) -> None:
        self.file = file
        self.mistakes: list[BadRow] = []
        self.accounts = self._accounts(document.get("accounts"))
        self.policy = self._policy(document.get("policy"))
        self.rows: dict[str, _Row] = {}
        self.entries: dict[str, Mapping[str, Any]] = {}
        for key in sorted(set(document) - {"accounts", "policy", "transactions", "schema_version"}):
            self.refuse("", f"unknown key {key!r}", "leave it out; see docs/reference/files/ledger-json.md")
        transactions = document.get("transactions")
        if not isinstance(transactions, list):
            self.refuse("transactions", "no list of transactions", "give one, if empty, as []")
            transactions = []
        last = date.min
        for number, entry in enumerate(transactions, start=1):
            last = self._transaction(number, entry, last)

    def refuse(self, place: str, found: str, remedy: str) -> None:
        self.mistakes.append(BadRow(file=self.file, line=0, column=place, found=found, remedy=remedy))

    def _accounts(self, given: Any) -> dict[str, tuple[str, str]]:
        if given is None:
            return {"A": ("taxpayer", "taxable")}
        if not isinstance(given, dict) or not given:
            self.refuse("accounts", f"found {given!r}", "give an object of accounts, or leave it out")
            return {"A": ("taxpayer", "taxable")}
        accounts = {}
        # By name: what befalls every account at once must not depend on the order of the file.
        for name, facts in sorted(given.items()):
            facts = facts if isinstance(facts, dict) else {}
            owner, kind = facts.get("owner", "taxpayer"), facts.get("type", "taxable")
            if owner not in ("taxpayer", "spouse"):
                self.refuse(f"account {name}", f"owner {owner!r}", "give taxpayer or spouse")
            if kind not in ("taxable", "ira"):
                self.refuse(f"account {name}", f"type {kind!r}", "give taxable or ira")
            accounts[name] = (str(owner), str(kind))
        return accounts

    def _policy(self, given: Any) -> ReplayPolicy:
        policy, mistakes = read_policy(given)
        for found, remedy in mistakes:
            self.refuse("policy", found, remedy)
        return policy

    def _transaction(self, number: int, entry: Any, last: date) -> date:
        """Read one; returns the latest day so far."""
        if not isinstance(entry, dict):
            self.refuse(f"transaction number {number}", f"found {entry!r}", "give an object")
            return last
        key = entry.get("id")
        place = f"transaction {key}" if key else f"transaction number {number}"
        before = len(self.mistakes)
        if not isinstance(key, str) or not key:
            self.refuse(place, f"id {key!r}", "give every transaction an id, a text")
        elif key in self.rows:
            self.refuse(place, "the id was used before", "give every transaction its own id")
        kind_name = entry.get("type")
        day: date = self._field(place, entry, "date", read_day, date.min)
        if day < last and day != date.min:
            self.refuse(place, f"date {day} is before {last}", "put transactions in book order")
        if not isinstance(kind_name, str) or kind_name not in FIELDS:
            self.refuse(place, f"unknown type {kind_name!r}", f"give one of {', '.join(FIELDS)}")
            return max(last, day)
        kind, listed = FIELDS[kind_name]
        values = self._values(place, entry, listed)
        account = self._account(place, entry, kind_name, values)
        symbol = self._field(place, entry, "symbol", read_name, "")
        if len(self.mistakes) == before:
            row = _Row(kind=kind, day=day, symbol=symbol, account=account)
            self._fill(place, row, values)
            if len(self.mistakes) == before:
                self.rows[str(key)] = row
                self.entries[str(key)] = entry
        elif isinstance(key, str):
            self.rows.setdefault(key, _Row(kind=kind, day=day, symbol=symbol, account=0))
        return max(last, day)

    def _field(
        self, place: str, entry: Mapping[str, Any], name: str, parse: Callable[[Any], Any], default: Any
    ) -> Any:
        if name not in entry:
            self.refuse(place, f"{name} is missing", f"add {name}")
            return default
        try:
            return parse(entry[name])
        except RefusedError as refused:
            found, _, remedy = str(refused).rpartition("; ")
            self.refuse(place, f"{name}: {found}", remedy)
            return default

    def _values(self, place: str, entry: Mapping[str, Any], listed: str) -> dict[str, Any]:
        names = {name.rstrip("?"): name.endswith("?") for name in listed.split()}
        for name in sorted(set(entry) - set(names) - set(SHARED) - set(IGNORED)):
            self.refuse(place, f"unknown field {name!r}", f"known are {', '.join((*SHARED, *names))}")
        return {
            name: self._field(place, entry, name, PARSE[name], None)
            for name, optional in names.items()
            if name in entry or not optional
        }

    def _account(self, place: str, entry: Mapping[str, Any], kind: str, values: Mapping[str, Any]) -> int:
        names = list(self.accounts)
        if kind == "transfer":
            for end in ("from", "to"):
                if values.get(end) and values[end] not in self.accounts:
                    self.refuse(place, f"unknown account {values[end]!r}", f"known are {', '.join(names)}")
            given = values.get("from")
        else:
            given = entry.get("account")
        if given is None:
            if kind in ACTIONS:
                return _EVERY_ACCOUNT
            if len(names) > 1 and "A" not in names and kind != "transfer":
                self.refuse(place, "account is missing", f"give one of {', '.join(names)}")
            return names.index("A") if "A" in names else 0
        if not isinstance(given, str) or given not in self.accounts:
            if kind != "transfer":
                self.refuse(place, f"unknown account {given!r}", f"known are {', '.join(names)}")
            return 0
        return names.index(given)

    def _fill(self, place: str, row: _Row, values: Mapping[str, Any]) -> None:
        row.quantity = values.get("qty") or values.get("contracts") or 0
        row.amount = values.get("amount") or 0
        row.method = values.get("method", -1)
        row.settles = values.get("settle")
        row.named = values.get("lots", [])
        if row.kind is Kind.SELL and row.named and values.get("identified"):
            settles = row.settles or settlement_day(row.day)
            if values["identified"] > settles:
                row.named = []  # too late: the standing method counts (Reg. §1.1012-1(c)(8))
        if row.kind is Kind.COVER:
            row.settles = row.settles or settlement_day(row.day)
        if row.kind is Kind.TRANSFER:
            row.to = list(self.accounts).index(values["to"])
            row.quantity = sum(quantity for _, quantity in row.named)
        if row.kind is Kind.GIFT_IN:
            row.amount = values["donor_basis"]
            row.brought = {
                "loss_basis_cents": gift_loss_basis(values["donor_basis"], values["fmv"]),
                "holding_from": values["donor_acq"],
            }
        if row.kind is Kind.INHERIT:
            row.amount = values["fmv"]
            row.brought = {"loss_basis_cents": values["fmv"], "holding_from": deemed_long_from(row.day)}
        if row.kind is Kind.WORTHLESS:
            row.settles = date(row.day.year, 12, 31)
        self._terms(row, values)
        for lot, _ in row.named:
            made = self.rows.get(lot)
            if made is None:
                self.refuse(place, f"lot {lot!r} does not exist", "name the transaction that made the lot")

    def _terms(self, row: _Row, values: Mapping[str, Any]) -> None:
        new, old = values.get("ratio", (1, 1))
        if row.kind is Kind.RIGHTS:
            new, old = values["per_share"], NANO
        if row.kind in (Kind.OPTION_BUY, Kind.OPTION_EXERCISE, Kind.EXERCISE_RIGHTS):
            row.other, row.symbol = row.symbol, values.get("option") or values["rights"]
        else:
            row.other = values.get("to") or values.get("child") or values.get("rights") or ""
        if row.kind in (Kind.TRANSFER, Kind.OPTION_BUY):
            row.other = row.other if row.kind is Kind.OPTION_BUY else ""
            return
        if row.kind in _WITH_TERMS:
            row.terms = {
                "new_parts": new,
                "old_parts": old,
                "cash_nano": values.get("cash") or values.get("per_share") or 0,
                "lieu_nano": values.get("cil_price") or 0,
                "old_price_nano": values.get("parent_fmv") or values.get("stock_fmv") or 0,
                "new_price_nano": values.get("child_fmv")
                or values.get("to_fmv")
                or values.get("right_fmv")
                or 0,
                "allocate": values.get("allocate", 0),
            }


_WITH_TERMS = frozenset({FIELDS[name][0] for name in ACTIONS} | {Kind.EXERCISE_RIGHTS, Kind.OPTION_EXERCISE})


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
    reader = _Reader(file, document)
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


def _columns(reader: _Reader) -> Ledger:
    ids, rows = tuple(reader.rows), list(reader.rows.values())
    grouped = {symbol for group in reader.policy.groups for symbol in group}
    mentioned = {row.symbol for row in rows} | {row.other for row in rows if row.other} | grouped
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
    )


def _account_columns(reader: _Reader) -> TaxAccounts:
    accounts = list(reader.accounts.values())
    n = len(accounts)
    return TaxAccounts(
        household_ix=np.zeros(n, np.int32),
        owner_ix=np.array([owner == "spouse" for owner, _ in accounts], np.int32),
        taxable=np.array([kind == "taxable" for _, kind in accounts], np.int8),
        method=np.full(n, reader.policy.lot_method, np.int8),
        fifo_by_holding=np.full(n, reader.policy.fifo_by_holding, np.int8),
    )


def _terms_columns(rows: Sequence[_Row], at: Mapping[str, int]) -> Terms:
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


def _brought_columns(rows: Sequence[_Row]) -> BroughtLots:
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
    symbols: Sequence[str], rows: Sequence[_Row], given: Sequence[Mapping[str, Fraction]]
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
