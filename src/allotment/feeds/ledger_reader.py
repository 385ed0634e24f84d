"""Reading the transactions of a ledger file, collecting every mistake.

`feeds.ledger_json` turns what is read into columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from allotment.errors import BadRow
from allotment.feeds.ledger_edits import edited
from allotment.feeds.ledger_fields import (
    ACTIONS,
    FACTS,
    FIELDS,
    IGNORED,
    LIMIT,
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
from allotment.tax.gift import gift_loss_basis
from allotment.tax.transactions import Kind, LotMethod

EVERY_ACCOUNT = -1
_NANO_DOLLARS_TO_CENTS = 10**16  # billionths of a share × billionths of a dollar
_BEFALLS_ALL = ACTIONS | {"dividend"}  # without an account: every account
_MOVES = frozenset({"transfer", "ira_distribution"})  # they name the account by `from`


@dataclass(slots=True)
class Row:
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


@dataclass(frozen=True, slots=True)
class Fact:
    """One transaction that moves no lot, its fields parsed."""

    key: str
    type: str
    day: date
    symbol: str
    account: int
    values: Mapping[str, Any]


class AccountFacts(NamedTuple):
    """One account of a file."""

    owner: str = "taxpayer"
    kind: str = "taxable"
    linked: date | None = None  # from when until when it is looked at with the others
    unlinked: date | None = None


class Reader:
    """Reads one document, collecting mistakes."""

    def __init__(self, file: str, document: Mapping[str, Any]) -> None:
        self.file = file
        self.mistakes: list[BadRow] = []
        self.accounts = self._accounts(document.get("accounts"))
        self.policy = self._policy(document.get("policy"))
        self.rows: dict[str, Row] = {}
        self.facts: dict[str, Fact] = {}
        self.entries: dict[str, Mapping[str, Any]] = {}
        for key in sorted(set(document) - {"accounts", "policy", "transactions", "schema_version"}):
            self.refuse("", f"unknown key {key!r}", "leave it out; see docs/reference/files/ledger-json.md")
        transactions = document.get("transactions")
        if not isinstance(transactions, list):
            self.refuse("transactions", "no list of transactions", "give one, if empty, as []")
            transactions = []
        self.last = date.min
        for number, entry in enumerate(edited(transactions, self.refuse), start=1):
            self.last = self._transaction(number, entry, self.last)

    def refuse(self, place: str, found: str, remedy: str) -> None:
        """Note one mistake."""
        self.mistakes.append(BadRow(file=self.file, line=0, column=place, found=found, remedy=remedy))

    def _accounts(self, given: Any) -> dict[str, AccountFacts]:
        if given is None:
            return {"A": AccountFacts()}
        if not isinstance(given, dict) or not given:
            self.refuse("accounts", f"found {given!r}", "give an object of accounts, or leave it out")
            return {"A": AccountFacts()}
        accounts = {}
        # By name: what befalls every account at once must not depend on the order of the file.
        for name, facts in sorted(given.items()):
            facts = facts if isinstance(facts, dict) else {}
            owner, kind = facts.get("owner", "taxpayer"), facts.get("type", "taxable")
            if owner not in ("taxpayer", "spouse"):
                self.refuse(f"account {name}", f"owner {owner!r}", "give taxpayer or spouse")
            if kind not in ("taxable", "ira"):
                self.refuse(f"account {name}", f"type {kind!r}", "give taxable or ira")
            linked, unlinked = (self._day_of(name, facts, key) for key in ("linked", "unlinked"))
            if linked and unlinked and unlinked <= linked:
                self.refuse(f"account {name}", f"unlinked on {unlinked}", f"give a day after {linked}")
            accounts[name] = AccountFacts(str(owner), str(kind), linked, unlinked)
        return accounts

    def _day_of(self, name: str, facts: Mapping[str, Any], key: str) -> date | None:
        return self._field(f"account {name}", facts, key, read_day, None) if key in facts else None

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
        elif key in self.rows or key in self.facts:
            self.refuse(place, "the id was used before", "give every transaction its own id")
        kind_name = entry.get("type")
        day: date = self._field(place, entry, "date", read_day, date.min)
        if day < last and day != date.min:
            self.refuse(place, f"date {day} is before {last}", "put transactions in book order")
        if not isinstance(kind_name, str) or kind_name not in FIELDS | FACTS:
            self.refuse(place, f"unknown type {kind_name!r}", f"give one of {', '.join(FIELDS | FACTS)}")
            return max(last, day)
        values = self._values(place, entry, FACTS.get(kind_name) or FIELDS[kind_name][1])
        account = self._account(place, entry, kind_name, values)
        symbol = self._field(place, entry, "symbol", read_name, "")
        if kind_name in FACTS:
            if len(self.mistakes) == before:
                self.facts[str(key)] = Fact(str(key), kind_name, day, symbol, account, values)
                self.entries[str(key)] = entry
            return max(last, day)
        kind = FIELDS[kind_name][0]
        if len(self.mistakes) == before:
            row = Row(kind=kind, day=day, symbol=symbol, account=account)
            self._fill(place, row, values)
            if len(self.mistakes) == before:
                self.rows[str(key)] = row
                self.entries[str(key)] = entry
        elif isinstance(key, str):
            self.rows.setdefault(key, Row(kind=kind, day=day, symbol=symbol, account=0))
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
        if kind in _MOVES:
            for end in ("from", "to"):
                if values.get(end) and values[end] not in self.accounts:
                    self.refuse(place, f"unknown account {values[end]!r}", f"known are {', '.join(names)}")
            given = values.get("from")
        else:
            given = entry.get("account")
        if given is None:
            if kind in _BEFALLS_ALL:
                return EVERY_ACCOUNT
            if len(names) > 1 and "A" not in names and kind not in _MOVES:
                self.refuse(place, "account is missing", f"give one of {', '.join(names)}")
            return names.index("A") if "A" in names else 0
        if not isinstance(given, str) or given not in self.accounts:
            if kind not in _MOVES:
                self.refuse(place, f"unknown account {given!r}", f"known are {', '.join(names)}")
            return 0
        return names.index(given)

    def _fill(self, place: str, row: Row, values: Mapping[str, Any]) -> None:
        row.quantity = values.get("qty") or values.get("contracts") or 0
        row.amount = values.get("amount") or 0
        row.method = values.get("method", -1)
        row.settles = values.get("settle")
        row.named = values.get("lots", [])
        if row.kind is Kind.SELL and row.named and values.get("identified"):
            settles = row.settles or settlement_day(row.day)
            if values["identified"] > settles:
                row.named = []  # too late: the standing method counts (Reg. §1.1012-1(c)(8))
        if row.method == LotMethod.DONATION:
            self._donation(place, row, values.get("price") or 0)
        if row.kind is Kind.COVER:
            row.settles = row.settles or settlement_day(row.day)
        if row.kind is Kind.TRANSFER:
            row.to = list(self.accounts).index(values["to"])
            row.quantity = sum(quantity for _, quantity in row.named)
        if row.kind is Kind.IRA_DISTRIBUTION:
            row.to, row.amount = list(self.accounts).index(values["to"]), values["fmv"]
            kinds = [self.accounts[values[end]].kind for end in ("from", "to")]
            if kinds != ["ira", "taxable"]:
                found = f"from {kinds[0]} to {kinds[1]}"
                self.refuse(
                    place, found, "distribute from an ira account to a taxable one; else use transfer"
                )
        if row.kind is Kind.RETURN_OF_CAPITAL and values.get("final"):
            row.kind = Kind.CASH_MERGER  # the last payment of a liquidation is a sale of what is left
        self._brought(row, values)
        if row.kind is Kind.WORTHLESS:
            row.settles = date(row.day.year, 12, 31)
        self._terms(row, values)
        for lot, _ in row.named:
            made = self.rows.get(lot)
            if made is None:
                self.refuse(place, f"lot {lot!r} does not exist", "name the transaction that made the lot")

    def _donation(self, place: str, row: Row, price_nano: int) -> None:
        """The market value of what is given, by which its lots are picked."""
        row.amount = price_nano * row.quantity // _NANO_DOLLARS_TO_CENTS
        if row.kind is not Kind.DONATE:
            self.refuse(place, "method: found 'donation'", "give a method of sales")
        elif not price_nano:
            self.refuse(place, "method donation without a price", "add price, the market value of a share")
        elif row.amount > LIMIT:
            self.refuse(place, "price times qty is too large", "check price and qty")

    def _brought(self, row: Row, values: Mapping[str, Any]) -> None:
        """The history of a lot that was not bought."""
        if row.kind is Kind.GIFT_IN:
            row.amount = values["donor_basis"]
            row.brought = {
                "loss_basis_cents": gift_loss_basis(values["donor_basis"], values["fmv"]),
                "holding_from": values["donor_acq"],
            }
        if row.kind is Kind.INHERIT:
            row.amount = values["fmv"]
            row.brought = {"loss_basis_cents": values["fmv"], "holding_from": deemed_long_from(row.day)}
        if row.kind is Kind.OPEN_LOT:  # §305(b)(1): market value, from the day of payment, no purchase
            row.amount = values["fmv"]
            row.brought = {"loss_basis_cents": values["fmv"], "holding_from": row.day}

    def _terms(self, row: Row, values: Mapping[str, Any]) -> None:
        new, old = values.get("ratio", (1, 1))
        if row.kind is Kind.RIGHTS:
            new, old = values["per_share"], NANO
        if row.kind in (Kind.OPTION_BUY, Kind.OPTION_EXERCISE, Kind.EXERCISE_RIGHTS):
            row.other, row.symbol = row.symbol, values.get("option") or values["rights"]
        elif values.get("option"):
            row.symbol = values["option"]  # sold, or expired: a sale of the contract
        else:
            row.other = values.get("to") or values.get("child") or values.get("rights") or ""
        if row.kind in (Kind.TRANSFER, Kind.IRA_DISTRIBUTION, Kind.OPTION_BUY):
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


_TRADES_WITH_TERMS = {Kind.EXERCISE_RIGHTS, Kind.OPTION_EXERCISE, Kind.SPLIT_OFF}
_WITH_TERMS = frozenset({FIELDS[name][0] for name in ACTIONS} | _TRADES_WITH_TERMS)
