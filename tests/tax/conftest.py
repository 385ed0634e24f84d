"""Ledgers written as the desk would: one line a transaction, figures by lot."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from allotment.feeds.ledger_json import read_ledger, replay
from allotment.feeds.replay_files import lots_csv, realized_csv
from allotment.tax.folded import Folded


@dataclass(frozen=True)
class Replayed:
    """Results of a replay as text, summed as the format says they count."""

    folded: Folded
    rows: list[dict[str, str]]
    lots: list[dict[str, str]]

    def sold(self, sale: str, lot: str | None = None) -> dict[str, Decimal]:
        """Sums over the rows of a sale (of one lot)."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.rows:
            if row["sell"] == sale and lot in (None, row["lot"]):
                for name in ("qty", "proceeds", "basis", "disallowed", "permanent", "gain"):
                    sums[name] += Decimal(row[name])
        return sums

    def terms(self, sale: str) -> set[str]:
        return {row["term"] for row in self.rows if row["sell"] == sale}

    def lot(self, origin: str, symbol: str | None = None) -> list[tuple[Decimal, Decimal, str]]:
        """(quantity, basis, holding-period date) of the open pieces of a lot."""
        return sorted(
            (Decimal(row["qty"]), Decimal(row["basis"]), row["hp"])
            for row in self.lots
            if row["origin"] == origin and symbol in (None, row["symbol"])
        )

    def basis(self, origin: str, symbol: str | None = None) -> Decimal:
        return sum((basis for _, basis, _ in self.lot(origin, symbol)), Decimal(0))


def _replay(text: str, accounts: dict[str, Any] | None = None, **policy: Any) -> Replayed:
    """`text`: one transaction a line: date, type, symbol, then field=value; ids are t1, t2, …
    unless a line starts with `id:`. Lots as lots=t1*50,t2*10."""
    transactions = []
    for line in filter(None, (line.split("#")[0].strip() for line in text.strip().splitlines())):
        words = line.split()
        key = f"t{len(transactions) + 1}"
        if words[0].endswith(":"):
            key = words.pop(0)[:-1]
        entry: dict[str, Any] = {"id": key, "date": words[0], "type": words[1], "symbol": words[2]}
        for word in words[3:]:
            name, value = word.split("=")
            entry[name] = (
                [lot.split("*") for lot in value.split(",")]
                if name == "lots"
                else value == "true"
                if name in ("allocate", "final")
                else value
            )
        transactions.append(entry)
    document: dict[str, Any] = {"transactions": transactions, "policy": policy}
    if accounts:
        document["accounts"] = accounts
    ledger = read_ledger(json.dumps(document), "ledger.json")
    folded = replay(ledger)
    return Replayed(
        folded=folded,
        rows=list(csv.DictReader(io.StringIO(realized_csv(ledger, folded)))),
        lots=list(csv.DictReader(io.StringIO(lots_csv(ledger, folded)))),
    )


@pytest.fixture(scope="session")
def replayed() -> Callable[..., Replayed]:
    return _replay
