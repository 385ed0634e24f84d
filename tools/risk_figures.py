"""docs/assets/plots/risk-*.json: the study of the risk model on real prices, as the docs draw it.

``python tools/risk_figures.py FOLDER`` writes them; FOLDER holds the real prices. Only quantiles
of ratios are written, no prices.
"""

from __future__ import annotations

import sys
from pathlib import Path

from allotment.charts.risk import risk_study_figure
from allotment.feeds.history import read_history
from allotment.simulate.risk_bench import PERIODS, studies

PLOTS = Path(__file__).resolve().parent.parent / "docs" / "assets" / "plots"


def main(folder: Path) -> None:
    histories = {name: read_history(folder, p.read_from, p.read_to) for name, p in PERIODS.items()}
    PLOTS.mkdir(exist_ok=True)
    for name, result in studies(histories).items():
        figure = risk_study_figure(result)
        figure.update_layout(template=None, height=420)
        (PLOTS / f"risk-{name}.json").write_text(figure.to_json() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
