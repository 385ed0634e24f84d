from __future__ import annotations

from datetime import date

import pytest

from allotment.errors import BadFileError
from allotment.feeds.mandate_toml import read_mandates
from allotment.feeds.table import Table

ASOF = date(2024, 6, 28)


def read(text: str) -> Table:
    return read_mandates(text.encode(), "mandates.toml", ASOF)


def refused(text: str | bytes) -> tuple[int, str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(BadFileError) as caught:
        read_mandates(data, "mandates.toml", ASOF)
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
