"""Packed lots by account: written, read, replaced, and seen as rows."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import psycopg
import pytest

from allotment.errors import DataError, StoreError
from allotment.store import lot_tables
from allotment.store.lot_tables import LotView, read_lots, write_lots

COUNTS = np.array([3, 0, 5, 1, 0, 2])


def same(a, b) -> None:
    for f in fields(a):
        np.testing.assert_array_equal(getattr(a, f.name), getattr(b, f.name), err_msg=f.name)
        assert getattr(a, f.name).dtype == getattr(b, f.name).dtype


def test_lots_come_back_for_ranges_of_accounts(firm, book, random_lots) -> None:
    lots = random_lots(COUNTS)
    write_lots(firm, np.arange(1, 7), lots, version=12)
    found = read_lots(firm)
    assert found.account_ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert set(found.versions.tolist()) == {12}
    same(found.lots, lots)
    some = read_lots(firm, [3, 6])
    assert np.bincount(some.lots.account_ix).tolist() == [5, 2]
    np.testing.assert_array_equal(some.lots.basis_cents[:5], lots.basis_cents[3:8])
    assert len(read_lots(firm, view=LotView.BROKER).account_ids) == 0


def test_lots_are_replaced_account_by_account(firm, book, random_lots) -> None:
    write_lots(firm, np.arange(1, 7), random_lots(COUNTS), version=1)
    fresh = random_lots(np.array([4, 0]), seed=2)
    write_lots(firm, [3, 1], fresh, version=np.array([8, 9]))
    found = read_lots(firm)
    assert np.bincount(found.lots.account_ix, minlength=6).tolist() == [0, 0, 4, 1, 0, 2]
    assert found.versions.tolist() == [9, 1, 8, 1, 1, 1]
    versions = firm.connection().execute("SELECT version FROM household ORDER BY household_id").fetchall()
    assert versions == [(9,), (8,), (1,)]


def test_older_lots_never_replace_newer(firm, book, random_lots) -> None:
    write_lots(firm, [1], random_lots(np.array([2])), version=5)
    with pytest.raises(DataError, match="later events"):
        write_lots(firm, [1], random_lots(np.array([1])), version=4)
    assert len(read_lots(firm).lots) == 2


def test_the_view_shows_every_value_as_a_row(firm, book, random_lots) -> None:
    lots = random_lots(COUNTS)
    write_lots(firm, np.arange(1, 7), lots, version=1)
    names = [f.name for f in fields(lots) if f.name != "account_ix"]
    rows = (
        firm.connection()
        .execute(f"SELECT account_id, {', '.join(names)} FROM lot ORDER BY account_id, row_ix")
        .fetchall()
    )
    columns = [(lots.account_ix + 1).tolist(), *(getattr(lots, name).tolist() for name in names)]
    assert rows == list(zip(*columns, strict=True))


def test_a_blob_of_another_length_is_refused(firm, book) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        firm.connection().execute(
            "INSERT INTO lots_now (account_id, view, version, n_lots, packed) "
            "VALUES (1, 'taxpayer', 1, 1, '\\x414c010f00000001')"
        )


def test_a_newer_layout_is_told(firm, book, random_lots, monkeypatch) -> None:
    write_lots(firm, [1], random_lots(np.array([2])), version=1)
    newer = lot_tables.packed.Layout(2, lot_tables.LAYOUT.names, lot_tables.LAYOUT.types)
    monkeypatch.setattr(lot_tables, "LAYOUT", newer)
    with pytest.raises(StoreError, match="not of layout 2"):
        read_lots(firm)
