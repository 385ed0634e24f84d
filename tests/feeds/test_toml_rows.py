from __future__ import annotations

from datetime import date

import pytest

from allotment.errors import BadFileError
from allotment.feeds.book_schemas import MANDATES
from allotment.feeds.household_schemas import EXPECTED
from allotment.feeds.table import Table
from allotment.feeds.toml_rows import read_toml

ASOF = date(2024, 6, 28)


def read(text: str) -> Table:
    return read_toml(text.encode(), "mandates.toml", MANDATES, ASOF)


def refused(text: str | bytes) -> tuple[int, str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(BadFileError) as caught:
        read_toml(data, "mandates.toml", MANDATES, ASOF)
    (bad,) = caught.value.rows
    return bad.line, bad.found


def test_tables_are_rows() -> None:
    table = read(
        """
        schema_version = 1
        [[mandate]]
        account = "A1"
        effective = 2024-01-02
        benchmark = { SP500 = 0.6, R2000 = 0.4 }
        excluded_sectors = ["Energy", "Utilities"]
        risk_price = 80

        [[mandate]]
        account = "A2"
        version = 2
        effective = 2024-01-02
        benchmark = "SP500"
        """
    )
    assert table.bad == []
    assert table.words("account").each() == ["A1", "A2"]
    assert table.words("benchmark").each() == ["SP500=0.6;R2000=0.4", "SP500"]
    assert table.words("excluded_sectors").each() == ["Energy;Utilities", ""]
    assert table.floats("risk_price").tolist() == [80.0, 100.0]
    assert table.ints("version").tolist() == [1, 2]
    assert table.days("effective").tolist() == [date(2024, 1, 2)] * 2


def test_a_mistake_is_told_at_the_line_of_its_key() -> None:
    table = read(
        '[[mandate]]\naccount = "A1"\neffective = 2024-01-02\nbenchmark = "I"\n\n'
        '[[mandate]]\naccount = "A2"\n# a remark\nrisk_price = -1\nbenchmark = "I"\ncolour = "red"\n'
    )
    assert [(bad.line, bad.column) for bad in table.bad] == [
        (11, "colour"),
        (6, "effective"),
        (9, "risk_price"),
    ]


def test_what_is_no_mandate_file() -> None:
    assert refused("[[mandate]]\naccount = A1\n")[0] == 2
    assert refused(b'[[mandate]]\naccount = "\xff"\n') == (2, "found bytes that are not UTF-8")
    assert refused("") == (0, "found no [[mandate]] table")
    assert refused("mandate = 1\n") == (0, "found no [[mandate]] table")
    assert refused("lots = 1\n") == (0, "unknown key 'lots'")
    assert refused("schema_version = 9\n") == (0, "schema_version 9 is not known")


def test_columns_that_all_rows_share_stand_at_the_head() -> None:
    text = """household = "H1"
year = 2025

[[expected]]
what = "vesting"
security = "A"
start = 2025-03-14
shares = 25

[[expected]]
what = "gain"
taxpayer = "T1"
amount = -1250.5
"""
    table = read_toml(text.encode(), "expected.toml", EXPECTED, ASOF)
    assert table.bad == []
    assert table.words("household").each() == ["H1", "H1"]
    assert table.ints("year").tolist() == [2025, 2025]
    assert table.ints("shares").tolist() == [25 * 10**9, 0]
    assert table.ints("amount").tolist() == [0, -125_050]


def test_a_mistake_at_the_head_is_told_there() -> None:
    text = 'household = "H1"\nyear = "soon"\n[[expected]]\nwhat = "gain"\n'
    table = read_toml(text.encode(), "expected.toml", EXPECTED, ASOF)
    assert [(bad.line, bad.column) for bad in table.bad] == [(2, "year")]
