"""The table of real prices on docs/concepts/corporate-actions.md, from the benchmark's result.

``allotment bench actions --prices FOLDER`` writes bench/actions.json; ``python tools/action_figures.py``
reads it (or the file given) and writes what stands between the two marks on the page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "concepts" / "corporate-actions.md"
FIRST, LAST = "<!-- actions -->\n", "<!-- /actions -->"


def table(replayed: dict[str, Any]) -> str:
    names = [name.replace("_", " to ") for name in replayed]
    found = list(replayed.values())
    kinds = sorted({kind for one in found for kind in one["by_kind"]})
    causes = sorted({cause for one in found for cause in one["excluded"]})
    rows: list[tuple[str, list[str]]] = [
        ("symbols", [f"{one['n_symbols']:,}" for one in found]),
        ("ex-days, each alone", [f"{one['n_ex_days']:,}" for one in found]),
        ("actions", [f"{one['n_actions']:,}" for one in found]),
        *(
            (f"… {kind.replace('_', ' ')}", [f"{one['by_kind'].get(kind, 0):,}" for one in found])
            for kind in kinds
        ),
        (
            "off the adjusted close over one ex-day, at most",
            [f"{one['ex_days']['both']:.1e}" for one in found],
        ),
        ("… of that rounding of ours", [f"{one['ex_days']['rounding']:.1e}" for one in found]),
        ("stretches held from first close to last", [f"{one['n_held']:,}" for one in found]),
        (
            "off the adjusted close over a stretch, at most",
            [f"{one['symbols']['both']:.1e}" for one in found],
        ),
        ("… of that rounding of ours", [f"{one['symbols']['rounding']:.1e}" for one in found]),
        *(
            (f"actions left out: {cause}", [f"{one['excluded'].get(cause, 0):,}" for one in found])
            for cause in causes
        ),
        ("stretches left out: an ex-date without close", [f"{one['n_left_out']:,}" for one in found]),
        ("gaps of more than two weeks, which part a symbol", [f"{one['n_gaps']:,}" for one in found]),
        ("actions with a stand-in for an unpriced child or name", [f"{one['stand_ins']:,}" for one in found]),
        ("events folded", [f"{one['n_events']:,}" for one in found]),
        ("contradictions", [f"{one['n_problems']:,}" for one in found]),
    ]
    head = f"| prices | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"
    return head + "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows)


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bench" / "actions.json"
    text = PAGE.read_text()
    start, end = text.index(FIRST) + len(FIRST), text.index(LAST)
    PAGE.write_text(text[:start] + table(json.loads(file.read_text())["actions"]["replayed"]) + text[end:])
    print(PAGE)


if __name__ == "__main__":
    main()
