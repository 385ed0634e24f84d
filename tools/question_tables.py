"""The tables of docs/how-to/what-if.md and frontier.md, from the benchmarks' results.

``allotment bench what_if frontier`` writes bench/what_if.json and bench/frontier.json; ``python
tools/question_tables.py`` reads them and writes the tables between the two marks on each page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "how-to"
ASKED = {
    "first": "first, about an account that the session was opened with",
    "again": "again, about the same account",
    "all": "both",
    "mandate": "after a new version of its mandate was stored: decided as it stands, too",
    "unopened": "first, about another account: its household's books are read and folded as well",
}
PROFILES = {"A": "smallest trade 1 bp, no charges", "B": "charges, 11 sector rows, cash band"}


def what_if_table(result: dict[str, Any]) -> str:
    bench = result["what_if"]
    lines = [
        made_on(result),
        "",
        "| question | ms: median | 95th percentile | of the processor: median | 95th percentile |",
        "|---|---|---|---|---|",
    ]
    for name, told in ASKED.items():
        block = bench[name]
        cells = [f"{block[key]:.1f}" for key in ("p50_ms", "p95_ms", "cpu_p50_ms", "cpu_p95_ms")]
        lines.append(f"| {told} | {' | '.join(cells)} |")
    gaps = f"{bench['gap_bps_median']:.3f} bp in the median, {bench['gap_bps_p99']:.2f} bp in 99 of 100"
    trades = f"{bench['trades_median']:.0f} trades in the median"
    lines += ["", f"{bench['requests']} questions; proven gap {gaps}; {trades}."]
    opening = f"{bench['opening_seconds']:.1f} s, and {bench['opening_account_ms']:.0f} ms"
    lines.append(f"Opening the session took {opening} for each account that it was opened with.")
    return "\n".join(lines) + "\n"


def frontier_table(result: dict[str, Any]) -> str:
    lines = [
        made_on(result),
        "",
        "| profile | ms: median | p95 | gap bp: median | p99 | tracking error: widest over narrowest |",
        "|---|---|---|---|---|---|",
    ]
    for name, told in PROFILES.items():
        block = result["frontier"][name]
        cells = [f"{block['milliseconds_median']:.1f}", f"{block['milliseconds_p95']:.1f}"]
        cells += [f"{block['gap_bps_median']:.3f}", f"{block['gap_bps_p99']:.3f}"]
        cells.append(f"{block['tracking_error_span_median']:.0f}")
        lines.append(f"| **{name}**: {told} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def made_on(result: dict[str, Any]) -> str:
    machine = result["machine"]
    name = result.get("what_if", result.get("frontier"))
    versions = ", ".join(f"{library} {machine[library.lower()]}" for library in ("Python", "NumPy", "Numba"))
    return f"{machine['processor']}, {machine['cores']} cores, {versions}; seed {name['seed']}."


def main() -> None:
    for bench, page, mark, table in (
        ("what_if", "what-if.md", "what-if", what_if_table),
        ("frontier", "frontier.md", "frontier", frontier_table),
    ):
        result = json.loads((ROOT / "bench" / f"{bench}.json").read_text())
        file = PAGES / page
        before, first, rest = file.read_text().partition(f"<!-- {mark} -->\n")
        _, last, after = rest.partition(f"<!-- /{mark} -->")
        file.write_text(before + first + table(result) + last + after)


if __name__ == "__main__":
    main()
