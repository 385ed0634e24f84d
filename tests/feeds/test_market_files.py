from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from allotment.errors import BadFileError
from allotment.feeds import market_files
from allotment.feeds.references import SecurityLookup
from allotment.feeds.table import Table
from allotment.market.corporate_action import ActionKind
from allotment.market.index import WeightKind
from allotment.market.security import Identifier, IdentifierKind, Security

Read = Callable[[str, str | bytes], Table]
LOOKUP = SecurityLookup(
    [Security(security_id=7, code="A", name="A"), Security(security_id=3, code="B", name="B")],
    [Identifier(security_id=7, kind=IdentifierKind.TICKER, value="AAA", start=date(2000, 1, 1))],
)


def test_known_codes_keep_their_numbers_and_new_ones_follow() -> None:
    assert market_files.numbered(["X", "A", "Y", "X"], {"A": 4, "Q": 9}) == [10, 4, 11, 10]
    assert market_files.numbered(["X"], {}) == [1]


def test_securities_with_share_classes(read: Read) -> None:
    table = read(
        "securities",
        "security,name,kind,sector,issuer,group,group_units\n"
        "BRK.A,Berkshire A,,Financials,1067983,BRK,1500\nSPY,S&P ETF,etf,,,,\n",
    )
    first, second = market_files.securities(table, {"SPY": 5})
    assert (first.security_id, first.group_code, first.group_units) == (6, "BRK", 1500.0)
    assert (second.security_id, second.kind.value, second.sector, second.group_units) == (5, "etf", "", 1.0)


def test_identifiers(read: Read) -> None:
    table = read("identifiers", "security,kind,value,start,end\nA,cusip,000111222,2020-01-02,\n")
    (one,) = market_files.identifiers(table, LOOKUP)
    assert (one.security_id, one.value, one.end) == (7, "000111222", None)


def test_prices_become_matrices(read: Read) -> None:
    table = read(
        "prices",
        "security,session,close,adjusted,volume,market_cap\n"
        "A,2024-01-03,12.345678,12.1,100,\nB,2024-01-02,5,4.9,,5000000\nA,2024-01-02,12,11.9,7,\n",
    )
    (block,) = market_files.price_blocks(table, LOOKUP)
    prices = block.prices
    assert prices.sessions.tolist() == [date(2024, 1, 2), date(2024, 1, 3)]
    assert prices.security_ids.tolist() == [3, 7]
    assert prices.close_micros.tolist() == [[5_000_000, 12_000_000], [0, 12_345_678]]
    np.testing.assert_array_equal(prices.adjusted_usd, [[4.9, 11.9], [np.nan, 12.1]])
    np.testing.assert_array_equal(prices.volume, [[np.nan, 7], [np.nan, 100]])
    np.testing.assert_array_equal(block.market_cap_usd, [[5e6, np.nan], [np.nan, np.nan]])


def test_many_sessions_come_in_blocks(read: Read) -> None:
    days = np.datetime64("2020-01-01") + np.arange(1200)
    rows = "".join(f"A,{day},1,1\n" for day in days)
    blocks = list(
        market_files.price_blocks(read("prices", "security,session,close,adjusted\n" + rows), LOOKUP)
    )
    assert [block.prices.sessions.size for block in blocks] == [500, 500, 200]
    assert np.concatenate([block.prices.sessions for block in blocks]).tolist() == days.tolist()


def test_one_security_by_two_names_is_a_repetition(read: Read) -> None:
    text = "security,session,close,adjusted\nA,2024-01-02,1,1\nticker:AAA,2024-01-02,2,1\n"
    with pytest.raises(BadFileError) as caught:
        list(market_files.price_blocks(read("prices", text), LOOKUP))
    (bad,) = caught.value.rows
    assert (bad.line, bad.column, bad.found) == (3, "security", "is the security of line 2 by another name")


def test_weights_are_scaled_to_sum_to_one_exactly(read: Read) -> None:
    table = read(
        "index_weights",
        "index,session,kind,version,security,weight\n"
        "I,2024-01-31,close,2,A,0.60003\nI,2024-01-31,close,2,B,0.4\nI,2024-01-31,open,1,A,1\n",
    )
    one, two = market_files.index_weights(table, LOOKUP)
    assert (one.index_code, one.session, one.kind, one.version) == (
        "I",
        date(2024, 1, 31),
        WeightKind.CLOSE,
        2,
    )
    assert one.security_ids.tolist() == [3, 7]
    np.testing.assert_allclose(one.weight, [0.4 / 1.00003, 0.60003 / 1.00003], rtol=1e-15)
    assert two.kind is WeightKind.OPEN


def test_actions(read: Read) -> None:
    table = read(
        "corporate_actions",
        "security,ex_date,kind,ratio,amount,other,value,note\n"
        "A,2024-03-01,spin_off,0.25,,B,3.5,big\nB,2024-02-01,cash_dividend,,0.24,,,\n",
    )
    dividend, spin = market_files.corporate_actions(table, LOOKUP)
    assert (dividend.kind, dividend.amount_usd, dividend.ratio, dividend.other_security_id) == (
        ActionKind.CASH_DIVIDEND,
        0.24,
        1.0,
        None,
    )
    assert (spin.security_id, spin.other_security_id, spin.ratio, spin.value_usd, spin.note) == (
        7,
        3,
        0.25,
        3.5,
        "big",
    )


def test_scores_come_by_day_and_name(read: Read) -> None:
    table = read(
        "scores",
        "security,date,name,value\nA,2024-01-02,esg,71.5\nB,2024-01-02,esg,40\nA,2024-01-02,tobacco,1\n",
    )
    esg, tobacco = market_files.scores(table, LOOKUP)
    assert (esg.name, esg.security_ids.tolist(), esg.values.tolist()) == ("esg", [3, 7], [40.0, 71.5])
    assert (tobacco.name, tobacco.values.tolist()) == ("tobacco", [1.0])
