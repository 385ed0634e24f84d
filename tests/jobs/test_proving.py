"""A row of Form 1099-B proven to a script that knows nothing of this program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from allotment.errors import UsageError
from allotment.jobs import proving
from allotment.jobs.proof_folder import write_proof
from allotment.ledger.events import EventKind
from allotment.store import event_chain
from allotment.store.session import FirmStore


def first_event(firm: FirmStore, kind: EventKind) -> tuple[int, str]:
    """An event of the kind, and its account's code."""
    found = (
        firm.connection()
        .execute(
            "SELECT ledger_seq, code FROM event JOIN account USING (account_id) WHERE event.kind = %s "
            "ORDER BY ledger_seq LIMIT 1",
            [int(kind)],
        )
        .fetchone()
    )
    assert found is not None
    return int(found[0]), str(found[1])


@pytest.fixture
def proof_folder(books, tmp_path: Path) -> Path:
    sale, _ = first_event(books, EventKind.SELL)
    write_proof(proving.prove(books, proving.Row(sale)), tmp_path / "proof")
    return tmp_path / "proof"


def check(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(folder / "check_proof.py"), str(folder / "proof.json"), *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_alone_confirms_a_proof(proof_folder: Path, books) -> None:
    done = check(proof_folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds" in done.stdout
    kept = event_chain.load_postings(books)[-1].link.hex()
    assert check(proof_folder, kept).returncode == 0
    assert check(proof_folder, "00" * 32).returncode == 1


@pytest.mark.parametrize("part", ["bytes", "path", "posting", "row"])
def test_the_script_notices_what_was_changed(proof_folder: Path, part: str) -> None:
    file = proof_folder / "proof.json"
    proof = json.loads(file.read_text())
    if part == "bytes":
        data = bytearray.fromhex(proof["events"][0]["bytes"])
        data[60] ^= 1
        proof["events"][0]["bytes"] = data.hex()
    elif part == "path":
        proof["events"][0]["path"][0][1] = "00" * 32
    elif part == "posting":
        proof["postings"][0]["known_at_micros"] += 1
    else:
        proof["rows"][0]["proceeds_cents"] += 1
    file.write_text(json.dumps(proof))
    done = check(proof_folder)
    assert done.returncode == 1
    assert "WRONG" in done.stdout


@pytest.mark.parametrize("text", ["", "x", "12/y", "1.5"])
def test_a_row_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no row"):
        proving.parse_row(text)


def test_a_sale_that_is_not_there_has_no_proof(books) -> None:
    with pytest.raises(UsageError, match="no event"):
        proving.prove(books, proving.Row(10**9))
    deposit, _ = first_event(books, EventKind.DEPOSIT)
    with pytest.raises(UsageError, match="closed no lot"):
        proving.prove(books, proving.Row(deposit))


def test_one_lot_of_a_sale_of_several_is_proven_with_the_others(books, tmp_path: Path) -> None:
    """Shares and proceeds are checked over the sale, so the rows of its other lots come along."""
    found = books.connection().execute(
        "SELECT ledger_seq FROM event WHERE kind = %s ORDER BY ledger_seq", [int(EventKind.SELL)]
    )
    for (sale,) in found.fetchall():
        proof = proving.prove(books, proving.Row(sale))
        if len({row["lot"] for row in proof["rows"]}) > 1:
            break
    else:
        pytest.fail("no sale of the sample closed two lots")
    lot = proof["rows"][0]["lot"]
    write_proof(proving.prove(books, proving.parse_row(f"{sale}/{lot}")), tmp_path)
    assert json.loads((tmp_path / "proof.json").read_text())["lot"] == lot
    done = check(tmp_path)
    assert done.returncode == 0, done.stdout
    with pytest.raises(UsageError, match="closed no such lot"):
        proving.prove(books, proving.Row(sale, lot=10**9))
