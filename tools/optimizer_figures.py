"""The plots and the table of docs/internals/optimizer-speed.md, from the benchmark's result.

``allotment bench optimize`` writes bench/optimize.json; ``python tools/optimizer_figures.py`` reads it
(or the file given) and writes the plots, and the table between its two marks on the page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from allotment.charts.optimizer import gap_figure, peer_figure, rate_figure

ROOT = Path(__file__).resolve().parent.parent
PLOTS = ROOT / "docs" / "assets" / "plots"
PAGE = ROOT / "docs" / "internals" / "optimizer-speed.md"
FIRST, LAST = "<!-- measured -->\n", "<!-- /measured -->"
SAYS = {
    "A": "**A**: smallest trade 1 bp, 1e-6 shares",
    "B": """**B**: $100 smallest trade, $0.50 a ticket, $0.10 a closed lot, 11 sector rows ±50 bp, 10 % of
names with young lots or claims, cash 0 to 10 bp""".replace("\n", " "),
    "usd_25k_fractional": "$25k, $100 smallest trade, fractional",
    "usd_100k_fractional": "$100k, the same",
    "usd_100k_whole_shares": "$100k, the same, whole shares",
    "usd_1m_whole_shares": "$1M, the same, whole shares",
    "household_of_four": "household of four, one an IRA (ms: the household)",
    "netting": "netting: carry-ins and outside gains",
    "gain_budget": "no net gain realised",
    "gains_realised": "gains realised, sold and bought back",
    "100_trades_250_names": "at most 100 trades and 250 names",
    "tracking_error_1pc": "tracking error at most 1 %",
    "turnover_35pc_te_2pc": "tracking error at most 2 %, turnover 35 %, no smallest trade",
    "first_in_first_out": "lots leave first-in first-out",
    "names_1000": "1,000 names, 3,000 lots",
    "names_3000_k60": "3,000 names, 10,000 lots, k = 60",
}


def table(result: dict[str, Any]) -> str:
    bench, machine = result["optimize"], result["machine"]
    versions = ", ".join(f"{library} {machine[library.lower()]}" for library in ("Python", "NumPy", "Numba"))
    made_on = f"{machine['processor']}, {machine['cores']} cores, {versions}"
    lines = [
        f"{made_on}; {result['seconds_in_all']:g} s in all; seed {bench['seed']}.",
        "",
        "| profile | accounts/s per core | ms each | gap bp: median | p99 | worst | trades | problems |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, block in bench["profiles"].items():
        cells = [SAYS.get(name, name), f"{block['certified_accounts_per_second_per_core']:.0f}"]
        cells.append(f"{block['milliseconds_per_problem']:.2f}")
        cells += [f"{block[f'gap_bps_{which}']:.3f}" for which in ("median", "p99", "max")]
        cells += [f"{block['trades_mean']:.0f}", str(block["problems"])]
        lines.append(f"| {' | '.join(cells)} |")
    peers = bench["peers"]
    core = f"on the convex core, {peers['accounts']} accounts of A"
    lines += [
        "",
        f"| {core} | ms per account | ours is faster by | cost differs by at most |",
        "|---|---|---|---|",
        f"| ours | {peers['milliseconds']['own']:.3f} | | |",
        f"| ours, columns to certified trades | {peers['milliseconds']['own_whole']:.3f} | | |",
    ]
    for name, apart in peers["objective_apart_max"].items():
        cells = [name.replace("_", " "), f"{peers['milliseconds'][name]:.1f}", f"{peers[f'ratio_{name}']:g}"]
        lines.append(f"| {' | '.join([*cells, f'{apart:.0e} of account value'])} |")
    return "\n".join(lines) + "\n"


def main(file: Path) -> None:
    result = json.loads(file.read_text())
    for name, draw in (("gap", gap_figure), ("rate", rate_figure), ("peers", peer_figure)):
        figure = draw(result["optimize"])
        figure.update_layout(template=None)
        (PLOTS / f"optimizer-{name}.json").write_text(figure.to_json() + "\n")
    before, _, rest = PAGE.read_text().partition(FIRST)
    _, last, after = rest.partition(LAST)
    PAGE.write_text(before + FIRST + table(result) + last + after)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bench" / "optimize.json")
