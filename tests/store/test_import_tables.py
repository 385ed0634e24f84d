"""Imports are logged with their hash and their actor, for a firm and for a market."""

from __future__ import annotations

import hashlib

import pytest

from allotment.store.import_tables import ImportedFile, find_import, load_imports, log_import

FILE = ImportedFile(
    sha256=hashlib.sha256(b"x").hexdigest(), kind="prices", name="prices.csv", n_rows=7, n_bytes=100
)


@pytest.mark.parametrize("which", ["firm", "market"])
def test_a_file_is_known_again_by_its_content(which, request) -> None:
    session = request.getfixturevalue(which)
    assert find_import(session, "prices", FILE.sha256) is None
    import_id = log_import(session, FILE)
    found = find_import(session, "prices", FILE.sha256)
    assert (found.import_id, found.name, found.n_rows, found.actor) == (import_id, "prices.csv", 7, "local")
    assert find_import(session, "lots", FILE.sha256) is None
    assert load_imports(session) == (found,)


def test_a_firm_reads_its_own_log_not_the_markets(firm, market) -> None:
    log_import(market, FILE)
    assert load_imports(firm) == ()
