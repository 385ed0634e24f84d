"""allotment tax: files in, files out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from allotment.cli.tax import app
from allotment.errors import BadFileError, UsageError

WASH = {
    "transactions": [
        {"id": "b1", "date": "2024-01-10", "type": "buy", "symbol": "X", "qty": "100", "amount": "1000"},
        {"id": "s1", "date": "2024-06-03", "type": "sell", "symbol": "X", "qty": "100", "amount": "750"},
        {"id": "b2", "date": "2024-06-17", "type": "buy", "symbol": "X", "qty": "100", "amount": "800"},
    ]
}


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def written(folder: Path, name: str, document: object) -> str:
    file = folder / name
    file.write_text(json.dumps(document))
    return str(file)


def test_replay_writes_the_three_files(tmp_path: Path) -> None:
    file = written(tmp_path, "wash.json", WASH)
    told = json.loads(run("replay", file, "--out", str(tmp_path / "out"), "--json"))
    assert told["ledgers"][0]["transactions"] == 3
    assert "no tax advice" in told["notice"]
    assert (tmp_path / "out" / "realized.csv").read_text() == (
        "sell,lot,account,qty,proceeds,basis,disallowed,permanent,gain,term\n"
        "s1,b1,A,100,750.00,1000.00,250.00,0.00,0.00,S\n"
    )
    assert (tmp_path / "out" / "lots.csv").read_text() == (
        "origin,symbol,account,qty,basis,acq,hp\nb2,X,A,100,1050.00,2024-06-17,2024-01-24\n"
    )
    checks = json.loads((tmp_path / "out" / "checks.json").read_text())
    assert checks["holds"]
    assert checks["taxable"]["difference"] == "0.00"
    assert "no tax advice" in checks["notice"]


def test_dividends_have_a_file_of_their_own_when_there_are_any(tmp_path: Path) -> None:
    paid = {"id": "d1", "date": "2024-06-20", "type": "dividend", "symbol": "X", "per_share": "0.5"}
    entries = [*WASH["transactions"], {**paid, "ex_date": "2024-05-10"}]
    file = written(tmp_path, "paid.json", {"transactions": entries})
    assert '"transactions": 4' in run("replay", file, "--out", str(tmp_path / "out"), "--json")
    assert (tmp_path / "out" / "dividends.csv").read_text() == (
        "id,lot,account,qty,amount,days,qualified,bucket,year\nd1,b1,A,100,50.00,85,yes,qualified,2024\n"
    )
    run("replay", written(tmp_path, "wash.json", WASH), "--out", str(tmp_path / "none"))
    assert not (tmp_path / "none" / "dividends.csv").exists()


def test_several_files_get_a_folder_each_and_a_bad_one_writes_nothing(tmp_path: Path) -> None:
    good = written(tmp_path, "good.json", WASH)
    bad = written(tmp_path, "bad.json", {"transactions": [{"id": "x"}]})
    with pytest.raises(BadFileError, match="transaction x"):
        run("replay", good, bad, "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "good" / "lots.csv").exists()
    assert not (tmp_path / "out" / "bad").exists()


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first, second = written(tmp_path, "x.json", WASH), written(tmp_path / "a", "x.json", WASH)
    with pytest.raises(UsageError, match="share a folder"):
        run("replay", first, second, "--out", str(tmp_path / "out"))


def test_a_file_that_cannot_be_read_is_a_mistake_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="not readable"):
        run("replay", str(tmp_path / "none.json"), "--out", str(tmp_path / "out"))


def test_explain_tells_the_life_of_a_lot(tmp_path: Path) -> None:
    file = written(tmp_path, "wash.json", WASH)
    sold = run("explain", file, "b1")
    assert "bought" in sold
    assert "§1091(a)" in sold
    assert "held now  nothing" in sold
    replacement = run("explain", file, "b2")
    assert "$250.00 joins the basis (§1091(d))" in replacement
    assert "basis $1050.00, holding period from 2024-01-24" in replacement
    assert "no tax advice" in replacement
    with pytest.raises(UsageError, match="no transaction"):
        run("explain", file, "b9")
