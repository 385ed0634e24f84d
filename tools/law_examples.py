"""docs/law/examples.md: published figures beside those of ``allotment tax replay``.

``python tools/law_examples.py`` replays docs/law/examples.toml and writes the page; a test compares
the page, and every figure.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from allotment.feeds.ledger_json import read_ledger, replay
from allotment.feeds.replay_files import NOTICE, lots_csv, realized_csv

LAW = Path(__file__).resolve().parent.parent / "docs" / "law"
FILE = LAW / "examples.md"
HEAD = """# Examples, side by side

Published examples and our own, each a ledger that `allotment tax replay` works out: the figure expected, and
ours. The ledgers stand in `docs/law/examples.toml`.

"""
TAIL = f"""Written by `python tools/law_examples.py`, which replays every ledger. {NOTICE}
"""


def examples() -> list[dict[str, Any]]:
    """As the file has them."""
    found: list[dict[str, Any]] = tomllib.loads((LAW / "examples.toml").read_text())["example"]
    return found


def ledger_of(example: dict[str, Any]) -> dict[str, Any]:
    """The document that `tax replay` reads."""
    entries: list[dict[str, Any]] = []
    for line in example["ledger"].strip().splitlines():
        day, kind, symbol, *fields = line.split()
        entry: dict[str, Any] = {"id": f"t{len(entries) + 1}", "date": day, "type": kind, "symbol": symbol}
        for field in fields:
            name, value = field.split("=")
            if name == "lots":
                entry[name] = [lot.split("*") for lot in value.split(",")]
            else:
                entry[name] = value == "true" if name == "allocate" else value
        entries.append(entry)
    if example.get("sorted"):
        entries.sort(key=lambda entry: str(entry["date"]))
    document = {"transactions": entries, "policy": example.get("policy", {})}
    return document | ({"accounts": example["accounts"]} if "accounts" in example else {})


def figures(example: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(what, expected, ours) for every figure."""
    ledger = read_ledger(json.dumps(ledger_of(example)), example["title"])
    folded = replay(ledger)
    sold = list(csv.DictReader(io.StringIO(realized_csv(ledger, folded))))
    lots = list(csv.DictReader(io.StringIO(lots_csv(ledger, folded))))
    return [(what, expected, _found(what, sold, lots)) for what, expected in example["expected"]]


def _found(what: str, sold: list[dict[str, str]], lots: list[dict[str, str]]) -> str:
    name, key, *rest = what.split()
    if name.startswith("lot_"):
        rows = [r for r in lots if r["origin"] == key and rest in ([], [r["symbol"]])]
        column = name.removeprefix("lot_")
    else:
        rows = [r for r in sold if r["sell"] == key and rest in ([], [r["lot"]])]
        column = name
    values = [row[column] for row in rows]
    if column in ("term", "hp", "acq"):
        return "/".join(sorted(set(values)))
    return str(sum((Decimal(value) for value in values), Decimal("0.00")))


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for example in examples():
        parts.append(f"## {example['title']}\n\n*{example['source']}*\n")
        parts.append(f"```\n{example['ledger'].strip()}\n```\n")
        parts.append("| figure | expected | ours |\n|---|---|---|")
        parts += [f"| {what} | {expected} | {ours} |" for what, expected, ours in figures(example)]
        parts.append("")
    return "\n".join([*parts, TAIL])


if __name__ == "__main__":
    FILE.write_text(page())
