"""The compiled fold and the same fold run as Python give the same bytes.

Coverage and mutation testing read the law as Python; this is what makes them speak of the program.
Run as a script, the file writes the digest.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allotment.feeds.ledger_json import read_ledger, replay
from allotment.ledger.bench import random_book
from allotment.ledger.fold import fold
from allotment.tax.folded import Folded

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "law" / "examples"


def digest() -> str:
    """Of a random household's trades in both views, and of every published example."""
    found = hashlib.sha256()
    events, accounts, groups = random_book(1, np.random.default_rng(8), n_accounts=4, n_names=6, n_weeks=60)
    state = fold(events, accounts, groups)
    for view in (state.taxpayer, state.broker):
        for table in (view.lots, view.disposals, view.links):
            found.update(b"".join(columns(table)))
    for file in sorted(EXAMPLES.glob("*.json")):
        found.update(b"".join(bytes_of(replay(read_ledger(file.read_text(), file.name)))))
    return found.hexdigest()


def bytes_of(folded: Folded) -> Iterator[bytes]:
    for table in (folded.lots, folded.disposals, folded.links, folded.conservation):
        yield from columns(table)


def columns(table: Any) -> Iterator[bytes]:
    for column in fields(table):
        yield np.asarray(getattr(table, column.name)).tobytes()


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not there when the wheel is tested")
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled to compare with")
def test_compiled_and_interpreted_folds_give_the_same_bytes() -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == digest()


if __name__ == "__main__":
    sys.stdout.write(digest())
