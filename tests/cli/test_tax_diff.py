"""`allotment tax diff` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

OLD = [
    {"id": "b", "date": "2024-01-02", "type": "buy", "symbol": "X", "qty": "10", "amount": "1000"},
    {"id": "s", "date": "2024-12-20", "type": "sell", "symbol": "X", "qty": "10", "amount": "400"},
    {"id": "z", "date": "2024-12-20", "type": "buy", "symbol": "Z", "qty": "10", "amount": "400"},
]
LATE = {"id": "r", "date": "2025-01-10", "type": "buy", "symbol": "X", "qty": "4", "amount": "200"}


def diff(folder: Path, old, new, *words: str, policy=None) -> subprocess.CompletedProcess[str]:
    (folder / "old.json").write_text(json.dumps({"transactions": old}))
    (folder / "new.json").write_text(json.dumps({"transactions": new, "policy": policy or {}}))
    program = str(Path(sys.executable).with_name("allotment"))
    return subprocess.run(
        [program, "tax", "diff", "old.json", "new.json", *words],
        env={**os.environ, "ALLOTMENT_HOME": str(folder), "COLUMNS": "150"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_late_purchase_and_a_filed_year(tmp_path: Path) -> None:
    done = diff(tmp_path, OLD, [*OLD, LATE], "--filed", "2024", "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert (told["added"], told["filed_years_changed"]) == (["r"], [2024])
    lot, sale = told["corrections"]
    assert (sale["sale"], sale["rules"], sale["causes"]) == ("s", ["wash sale"], ["r"])
    assert (sale["before"]["gain"], sale["after"]["gain"]) == ("-600.00", "-360.00")
    assert (lot["lot"], lot["before"], lot["after"]["basis"]) == ("r", None, "440.00")


def test_a_dividend_that_is_no_longer_qualified(tmp_path: Path) -> None:
    """Sold 60 days into the window: the filed dividend is ordinary."""
    bought = {"id": "b", "date": "2024-07-11", "type": "buy", "symbol": "X", "qty": "10", "amount": "1000"}
    paid = {"id": "d", "date": "2024-08-01", "type": "dividend", "symbol": "X", "per_share": "1"}
    paid["ex_date"] = "2024-07-12"
    sold = {"id": "s", "date": "2024-09-09", "type": "sell", "symbol": "X", "qty": "10", "amount": "1000"}
    old, new = [bought, paid, OLD[2]], [bought, paid, sold, OLD[2]]
    done = diff(tmp_path, old, new, "--filed", "2024", "--json")
    assert done.returncode == 3
    (one,) = json.loads(done.stdout)["dividends"]
    assert (one["dividend"], one["lot"], one["rules"], one["causes"]) == ("d", "b", ["holding test"], ["s"])
    assert (one["before"]["qualified"], one["after"]["qualified"]) == ("10.00", "0.00")
    assert one["after"]["ordinary"] == "10.00"
    shown = diff(tmp_path, old, new)
    assert shown.returncode == 0
    assert "10.00 qualified" in shown.stdout
    assert "10.00 ordinary" in shown.stdout
    assert "holding test (by s)" in shown.stdout


def test_nothing_changed(tmp_path: Path) -> None:
    done = diff(tmp_path, OLD, OLD)
    assert done.returncode == 0
    assert "No figure changes." in done.stdout
    assert "no tax advice" in done.stdout


def test_another_amount_and_another_reading_are_told(tmp_path: Path) -> None:
    dearer = [{**OLD[0], "amount": "1100"}, *OLD[1:]]
    done = diff(tmp_path, OLD, dearer, policy={"hp_method": "replace_date", "si_groups": [["X", "Z"]]})
    assert done.returncode == 0
    assert "altered: b" in done.stdout
    assert "hp_method" in done.stdout
    assert "si_groups" in done.stdout
    assert "-700.00" in done.stdout or "0.00" in done.stdout
    assert "wash sale and basis (by b)" in done.stdout


def test_mistakes_are_told(tmp_path: Path) -> None:
    done = diff(tmp_path, OLD, [{**OLD[0], "amount": "-1"}])
    assert done.returncode == 2
    assert "transaction b" in done.stderr
