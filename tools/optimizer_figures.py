"""The plots and the tables of docs/internals/optimizer-speed.md, from the benchmark's result.

``allotment bench optimize`` writes bench/optimize.json; ``python tools/optimizer_figures.py`` reads it
(or the file given) and writes the plots, and the tabless between their two marks on the page.
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
PROFILES = {  # as a plot says it, and as the table does
    "A": ("A", "**A**: smallest trade 1 bp, 1e-6 shares"),
    "B": (
        "B",
        """**B**: $100 smallest trade, $0.50 a ticket, $0.10 a closed lot, 11 sector rows ±50 bp, 10 % of
names with young lots or claims, cash 0 to 10 bp""".replace("\n", " "),
    ),
    "usd_25k_fractional": ("$25k", "$25k, $100 smallest trade, fractional"),
    "usd_100k_fractional": ("$100k", "$100k, the same"),
    "usd_100k_whole_shares": ("$100k, whole shares", "$100k, the same, whole shares"),
    "usd_1m_whole_shares": ("$1M, whole shares", "$1M, the same, whole shares"),
    "household_of_four": ("household of four", "household of four, one an IRA (ms: the household)"),
    "netting": ("netting", "netting: carry-ins and outside gains"),
    "gain_budget": ("no net gain", "no net gain realised"),
    "gains_realised": ("gains realised", "gains realised, sold and bought back"),
    "100_trades_250_names": ("100 trades, 250 names", "at most 100 trades and 250 names"),
    "tracking_error_1pc": ("TE at most 1 %", "tracking error at most 1 %"),
    "turnover_35pc_te_2pc": (
        "TE 2 %, turnover 35 %",
        "tracking error at most 2 %, turnover 35 %, no smallest trade, risk not priced",
    ),
    "turnover_35pc_te_2pc_priced": ("TE 2 %, turnover 35 %, κ = 100", "the same, risk priced at κ = 100"),
    "first_in_first_out": ("first in, first out", "lots leave first-in first-out"),
    "names_1000": ("1,000 names", "1,000 names, 3,000 lots"),
    "names_3000_k60": ("3,000 names", "3,000 names, 10,000 lots, k = 60"),
}
PEERS = {
    "own": "ours",
    "own_whole": "ours, columns to certified trades",
    "piqp": "PIQP",
    "clarabel": "Clarabel",
    "cvxpy": "cvxpy",
    "cvxpy_factor_form": "cvxpy, factor form",
}
FORBIDDING = """What a public lot-level rebalancer does about wash sales is "solve, forbid buying what is sold
at a loss, solve again": here by cvxpy with Clarabel, on the first accounts of two profiles, each solved
alone, its trades priced by our kernels. With limits alone every loss is worth its sale and little is weighed;
once risk has a price, which side a name takes matters (`optimize/forbidding.py`)."""
COSTS = ("objective", "lower_bound", "forbidding_objective")


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
        cells = [PROFILES[name][1], f"{block['certified_accounts_per_second_per_core']:.0f}"]
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
        *(f"| {PEERS[name]} | {peers['milliseconds'][name]:.3f} | | |" for name in ("own", "own_whole")),
    ]
    for name, apart in peers["objective_apart_max"].items():
        cells = [PEERS[name], f"{peers['milliseconds'][name]:.1f}", f"{peers[f'ratio_{name}']:g}"]
        lines.append(f"| {' | '.join([*cells, f'{apart:.0e} of account value'])} |")
    lines += ["", FORBIDDING, "", *forbidding_table(bench["forbidding"])]
    return "\n".join(lines) + "\n"


def forbidding_table(blocks: dict[str, Any]) -> list[str]:
    """Beside "solve, forbid buying what is sold, solve again"; figures are means over the accounts."""
    n_accounts = next(iter(blocks.values()))["accounts"]
    first = f"cost, bp of account value; {n_accounts} accounts"
    lines = [
        f"| {first} | ours | no answer is below | theirs | dearer by: mean | least | ours ms | theirs ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, block in blocks.items():
        cells = [PROFILES[name][0]]
        cells += [f"{block[f'{which}_bps_mean']:.3f}" for which in COSTS]
        cells += [f"{block[f'costlier_bps_{which}']:.4f}" for which in ("mean", "min")]
        cells += [f"{block['milliseconds']:.1f}", f"{block['forbidding_milliseconds']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(file: Path) -> None:
    result = json.loads(file.read_text())
    short = {name: words for name, (words, _) in PROFILES.items()}
    for name, draw, words in (
        ("gap", gap_figure, short),
        ("rate", rate_figure, short),
        ("peers", peer_figure, PEERS),
    ):
        figure = draw(result["optimize"], words)
        figure.update_layout(template=None)
        (PLOTS / f"optimizer-{name}.json").write_text(figure.to_json() + "\n")
    before, _, rest = PAGE.read_text().partition(FIRST)
    _, last, after = rest.partition(LAST)
    PAGE.write_text(before + FIRST + table(result) + last + after)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bench" / "optimize.json")
