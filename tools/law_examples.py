"""docs/law/examples.md: published figures beside those of ``allotment tax replay``.

``python tools/law_examples.py`` replays every ledger of docs/law/examples with the command itself,
works out the figures of the year and of dividends, and writes the page. Tests compare the page, and
every figure (tests/tax/test_published_examples.py).
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from typer.testing import CliRunner

from allotment.book.household import FilingStatus, Taxpayer
from allotment.cli.tax import app
from allotment.feeds.replay_files import NOTICE
from allotment.tax.brackets import FederalFacts, federal_tax
from allotment.tax.carryover import carryover
from allotment.tax.dividend import days_held_around
from allotment.tax.year import YearProfile, net
from allotment.units import CENTS_PER_USD, Ints, format_scaled

LAW = Path(__file__).resolve().parent.parent / "docs" / "law"
LEDGERS = LAW / "examples"
FILE = LAW / "examples.md"
HEAD = f"""# Examples, side by side

Published examples, restated in our own words, and our own: the figure expected, and ours. Labels as on
[the first page](index.md). The ledgers and the expected figures stand in `docs/law/examples`; this replays
them all:

```console
$ allotment tax replay docs/law/examples/*.json --out $(mktemp -d)
```

{NOTICE} Written by `python tools/law_examples.py`; a test (`tests/tax/test_published_examples.py`) compares
every figure.
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was worked out, what the source says, what we say."""

    what: str
    expected: str
    ours: str


@dataclass(frozen=True, slots=True)
class Example:
    """One ledger and its figures."""

    name: str
    part: str
    title: str
    source: str
    ledger: str
    figures: tuple[Figure, ...]


def examples() -> tuple[Example, ...]:
    """Every ledger of the folder, replayed by the command."""
    listed: dict[str, dict[str, Any]] = tomllib.loads((LEDGERS / "expected.toml").read_text())
    files = [LEDGERS / f"{name}.json" for name in listed]
    made = []
    with TemporaryDirectory() as folder:
        words = ["replay", *map(str, files), "--out", folder]
        CliRunner().invoke(app, words, catch_exceptions=False)
        for name, facts in listed.items():
            sold = _rows(Path(folder, name, "realized.csv"))
            lots = _rows(Path(folder, name, "lots.csv"))
            made.append(
                Example(
                    name=name,
                    part=facts["part"],
                    title=facts["title"],
                    source=facts["source"],
                    ledger=(LEDGERS / f"{name}.json").read_text(),
                    figures=tuple(
                        Figure(what, figure, _found(what, sold, lots)) for what, figure in facts["expected"]
                    ),
                )
            )
    return tuple(made)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _found(what: str, sold: list[dict[str, str]], lots: list[dict[str, str]]) -> str:
    """The figure that `what` names, of the replay: sums of money, the set of anything else."""
    name, key, *rest = what.split()
    if name.startswith("lot_"):
        rows = [row for row in lots if row["origin"] == key and rest in ([], [row["symbol"]])]
        column = name.removeprefix("lot_")
    else:
        rows = [row for row in sold if row["sell"] == key and rest in ([], [row["lot"]])]
        column = name
    values = [row[column] for row in rows]
    if column in ("term", "hp", "acq"):
        return "/".join(sorted(set(values)))
    return str(sum((Decimal(value) for value in values), Decimal("0.00")))


# -- figures that no ledger has ------------------------------------------------------------------

_PROFILE = YearProfile.of_taxpayers([Taxpayer(taxpayer_id=1, code="t", household_id=1)])


def _cents(dollars: int) -> Ints:
    return np.array([dollars * CENTS_PER_USD])


def _usd(cents: Ints) -> str:
    return format_scaled(int(cents[0]), CENTS_PER_USD)


def _carried(income: int, deducted: int, short: int, long: int) -> tuple[str, str]:
    carried = carryover(_cents(income), _cents(deducted), _cents(short), _cents(long))
    return _usd(carried.short_cents), _usd(carried.long_cents)


def _tax_2026() -> tuple[str, str, str]:
    facts = FederalFacts(
        year=2026,
        status=FilingStatus.SINGLE,
        ordinary_cents=_cents(500_000),
        qualified_dividend_cents=_cents(0),
        other_investment_cents=_cents(0),
        deduction_cents=_cents(0),
    )
    tax = federal_tax(facts, _cents(0), _cents(100_000), _PROFILE)
    return _usd(tax.ordinary_cents), _usd(tax.preferential_cents), _usd(tax.investment_cents)


def _days(acquired: str, sold: str, ex_date: str) -> str:
    columns = (np.array([day], "M8[D]") for day in (acquired, sold, ex_date))
    return str(int(days_held_around(*columns, 60)[0]))


def _year_figures() -> list[tuple[str, str, str, Callable[[], str]]]:
    """(what, source, expected, ours)."""
    worksheet = "Capital Loss Carryover Worksheet, §1212(b) [P]"
    law_2026 = "§§1(h), 1(j), 1411; Rev. Proc. 2025-32 [S]"
    both = "short -5,000, long -8,000"
    single = "2026, single, ordinary 500,000 and long-term gain 100,000"
    return [
        (f"{both}: deducted", worksheet, "3000.00",
         lambda: _usd(net(_cents(-5_000), _cents(-8_000), _PROFILE).deduction_cents)),
        (f"{both}: short-term loss carried", worksheet, "2000.00",
         lambda: _carried(50_000, 3_000, -5_000, -8_000)[0]),
        (f"{both}: long-term loss carried", worksheet, "8000.00",
         lambda: _carried(50_000, 3_000, -5_000, -8_000)[1]),
        ("short -10,000, long +4,000: short-term loss carried", worksheet, "3000.00",
         lambda: _carried(50_000, 3_000, -10_000, 4_000)[0]),
        ("taxable income -1,000, short -5,000: short-term loss carried", worksheet, "3000.00",
         lambda: _carried(-1_000, 3_000, -5_000, 0)[0]),
        (f"{single}: ordinary tax", law_2026, "143769.25", lambda: _tax_2026()[0]),
        (f"{single}: tax on the gain", law_2026, "17725.00", lambda: _tax_2026()[1]),
        (f"{single}: net investment income tax", law_2026, "3800.00", lambda: _tax_2026()[2]),
        ("days held around the ex-date 12 July 2024, bought on 11 July, sold on 13 September",
         "Publication 550, qualified dividends, example 2 (it prints 63, for all days) [S]; §246(c)(3) [P]",
         "61", lambda: _days("2024-07-11", "2024-09-13", "2024-07-12")),
    ]  # fmt: skip


def year_figures() -> tuple[tuple[str, Figure], ...]:
    """(source, figure) for what is no ledger: netting, carryovers, tax, dividends."""
    return tuple((source, Figure(what, expected, ours())) for what, source, expected, ours in _year_figures())


# -- the page ------------------------------------------------------------------------------------


def page() -> str:
    """The page's text."""
    parts, last = [HEAD], ""
    for example in examples():
        if example.part != last:
            parts.append(f"## {example.part}\n")
            last = example.part
        parts.append(f"### {example.title}\n\n*{example.source}*\n")
        parts.append(f"`docs/law/examples/{example.name}.json`\n\n```json\n{example.ledger.strip()}\n```\n")
        parts.append("| figure | expected | ours |\n|---|---|---|")
        parts += [f"| {figure.what} | {figure.expected} | {figure.ours} |" for figure in example.figures]
        parts.append("")
    parts.append("## The year and dividends\n\n| figure | source | expected | ours |\n|---|---|---|---|")
    parts += [f"| {one.what} | {source} | {one.expected} | {one.ours} |" for source, one in year_figures()]
    return "\n".join([*parts, ""])


if __name__ == "__main__":
    FILE.write_text(page())
