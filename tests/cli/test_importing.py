"""`allotment import` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from allotment.cli.app import app
from allotment.store.database import Store


@pytest.fixture
def run(settings, tmp_path: Path):
    with Store.open(settings) as store:
        store.drop_firm("cli_import")
        store.create_firm("cli_import", market="market_cli_import")
    (tmp_path / "securities.csv").write_text("security,name\nA,A Corp\n")

    def of(*words: str) -> Result:
        shared = ["--home", str(settings.home), "--firm", "cli_import", "import"]
        return CliRunner().invoke(app, [*shared, *words])

    return of


def test_a_table_says_what_became_of_each_file(run, tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.exit_code == 0
    assert "securities.csv" in done.stdout
    assert "loaded" in done.stdout
    assert "loaded before" in run(str(tmp_path)).stdout


def test_mistakes_go_to_stderr_with_exit_code_two(run, tmp_path: Path) -> None:
    rows = "".join(f"A,2024-01-{day:02d},x,1\n" for day in range(1, 29))
    (tmp_path / "prices.csv").write_text(f"security,session,close,adjusted\n{rows}")
    done = run(str(tmp_path), "--asof", "2024-06-28")
    assert done.exit_code == 2
    assert "prices.csv:2 [close]: found 'x'; give dollars" in done.stderr.replace("\n", " ")
    assert "8 more mistakes" in done.stderr
    assert "28 mistake(s), nothing loaded" in done.stdout


def test_json_is_one_object(run, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("security,name\nA,\n")
    done = run(str(tmp_path / "odd.csv"), "--kind", "securities", "--asof", "2024-06-28", "--json")
    assert done.exit_code == 2
    shown = json.loads(done.stdout)
    assert (shown["firm"], shown["asof"]) == ("cli_import", "2024-06-28")
    (file,) = shown["files"]
    assert (file["kind"], file["state"], file["n_mistakes"]) == ("securities", "refused", 1)
    assert file["mistakes"] == [
        {"line": 2, "column": "name", "found": "found nothing", "remedy": "give a text"}
    ]


def test_a_path_that_is_not_there(run, tmp_path: Path) -> None:
    done = run(str(tmp_path / "nowhere"))
    assert "does not exist" in str(done.exception)
