"""`allotment tax forms` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PAID = {"id": "d", "date": "2025-02-20", "type": "dividend", "symbol": "X", "per_share": "0.5"}
LEDGER = {
    "transactions": [
        {"id": "b", "date": "2024-01-10", "type": "buy", "symbol": "X", "qty": "10", "amount": "1000"},
        {**PAID, "ex_date": "2025-02-03"},
        {"id": "s", "date": "2025-03-03", "type": "sell", "symbol": "X", "qty": "10", "amount": "1200"},
    ]
}


def forms(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("allotment"))
    (folder / "ledger.json").write_text(json.dumps(LEDGER))
    return subprocess.run(
        [program, "tax", "forms", "ledger.json", "--year", "2025", "--out", "forms", *words],
        env={**os.environ, "ALLOTMENT_HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_forms_are_written_and_told(tmp_path: Path) -> None:
    done = forms(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no tax advice" in done.stdout
    assert "200.00" in done.stdout
    assert "Dividends: qualified 5.00" in done.stdout
    names = {file.name for file in (tmp_path / "forms").iterdir()}
    assert names == {"1099b.csv", "form_8949.csv", "schedule_d.csv", "transactions.txf"}


def test_a_custodian_who_differs_ends_with_three(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(
        "account,symbol,quantity,acquired,sold,proceeds,basis,term\nA,X,10,2024-01-10,2025-03-03,1200,700,L\n"
    )
    done = forms(tmp_path, "--form-1099b", "theirs.csv", "--carry-short", "50", "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert told["tie_out"] == {"different": 1}
    assert told["schedule_d"]["16"] == 150.0
    assert told["rows_listed"] == 1
    assert told["dividends"]["qualified"] == 5.0


def test_nothing_is_written_when_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text("account,symbol\n")
    for words in (("--form-1099b", "theirs.csv"), ("--form-1099b", "none.csv"), ("--carry-long", "-1")):
        done = forms(tmp_path, *words)
        assert done.returncode == 2, words
        assert not (tmp_path / "forms").exists()
