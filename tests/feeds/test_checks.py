"""Rules over several cells or rows: each broken once, told at its line and column."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from allotment.errors import BadRow

Mistakes = Callable[[str, str | bytes], list[BadRow]]


def only(found: list[BadRow]) -> tuple[int, str, str]:
    assert len(found) == 1, found
    return found[0].line, found[0].column, found[0].found


def test_a_repeated_key_names_the_line_that_it_repeats(mistakes: Mistakes) -> None:
    text = "household,name\nH1,a\nH2,b\nH1,c\nH1,d\n"
    assert [(row.line, row.column, row.found) for row in mistakes("households", text)] == [
        (4, "household", "repeats line 2 (the same household)"),
        (5, "household", "repeats line 2 (the same household)"),
    ]


def test_a_price_stands_once_per_session(mistakes: Mistakes) -> None:
    text = "security,session,close,adjusted\nA,2024-01-02,1,1\nA,2024-01-03,1,1\nA,2024-01-02,2,1\n"
    found = mistakes("prices", text)
    assert only(found) == (4, "security, session", "repeats line 2 (the same security, session)")


@pytest.mark.parametrize(
    ("cells", "column", "found"),
    [
        ("A,2024-01-03,-5,1", "close", "'-5' is not above zero"),
        ("A,2024-01-03,0,1", "close", "'0' is not above zero"),
        ("A,2024-01-03,,1", "close", "found nothing"),
        ("A,2024-01-03,5,", "adjusted", "found nothing"),
        ("A,2024-07-01,5,1", "session", "'2024-07-01' is after 2024-06-28, the day of the import"),
    ],
)
def test_prices_are_there_positive_and_past(mistakes: Mistakes, cells: str, column: str, found: str) -> None:
    text = f"security,session,close,adjusted\nA,2024-01-02,1,1\n{cells}\n"
    assert only(mistakes("prices", text)) == (3, column, found)


LOTS = "account,security,lot,quantity,basis,acquired"


def test_lots_are_told_apart_by_their_names_or_by_everything(mistakes: Mistakes) -> None:
    same = "A1,AAPL,{},5,100,2020-03-02\n"
    assert mistakes("lots", f"{LOTS}\n{same.format('x')}{same.format('y')}") == []
    found = mistakes("lots", f"{LOTS}\n{same.format('x')}{same.format('x')}")
    assert only(found) == (3, "account, lot", "repeats line 2 (the same account, lot)")
    found = mistakes("lots", f"{LOTS}\n{same.format('')}{same.format('')}A1,AAPL,,6,100,2020-03-02\n")
    assert only(found) == (3, "", "repeats line 2 (the whole row)")


def test_a_default_written_out_is_the_same_row(mistakes: Mistakes) -> None:
    text = "account,security,quantity,basis,acquired,side\nA,B,1,1,2020-03-02,\nA,B,1,1,2020-03-02,long\n"
    assert only(mistakes("lots", text))[0] == 3


def test_weights_that_do_not_sum_are_told_at_the_first_row_of_their_set(mistakes: Mistakes) -> None:
    text = (
        "index,session,kind,version,security,weight\n"
        "I,2024-01-31,close,1,A,0.5\nI,2024-01-31,close,1,B,0.5\n"
        "I,2024-02-29,close,1,A,0.5\nI,2024-02-29,close,1,B,0.4\n"
        "I,2024-02-29,close,2,A,0.60003\nI,2024-02-29,close,2,B,0.4\n"
    )
    found = mistakes("index_weights", text)
    assert only(found) == (4, "weight", "the weights of I on 2024-02-29, close, version 1 sum to 0.900000")


def test_a_set_with_a_bad_weight_is_not_summed(mistakes: Mistakes) -> None:
    text = "index,session,security,weight\nI,2024-01-31,A,0.5\nI,2024-01-31,B,half\n"
    assert only(mistakes("index_weights", text)) == (3, "weight", "found 'half'")


def test_only_announced_weights_lie_in_the_future(mistakes: Mistakes) -> None:
    text = "index,session,kind,security,weight\nI,2024-09-20,pro_forma,A,1\nI,2024-09-20,close,A,1\n"
    found = mistakes("index_weights", text)
    assert only(found) == (3, "session", "2024-09-20 is after 2024-06-28, the day of the import")


def test_identifier_periods(mistakes: Mistakes) -> None:
    header = "security,kind,value,start,end\n"
    clean = "META,ticker,FB,2012-05-18,2022-06-08\nMETA,ticker,META,2022-06-09,\n"
    assert mistakes("identifiers", header + clean) == []
    found = mistakes("identifiers", f"{header}META,ticker,FB,2012-05-18,2011-01-01\n")
    assert only(found) == (2, "end", "2011-01-01 is before `start`, 2012-05-18")
    found = mistakes("identifiers", f"{header}{clean}OTHER,ticker,FB,2022-06-08,\n")
    assert only(found) == (4, "start", "overlaps the period of line 2")
    found = mistakes("identifiers", f"{header}{clean}OTHER,ticker,META,2023-01-01,\n")
    assert only(found) == (4, "start", "overlaps the period of line 3")


def test_a_long_period_overlaps_more_than_its_neighbour(mistakes: Mistakes) -> None:
    text = (
        "security,kind,value,start,end\n"
        "A,ticker,X,2000-01-01,2020-12-31\nA,ticker,X,2001-01-01,2001-12-31\nB,ticker,X,2005-01-01,\n"
    )
    assert [(row.line, row.found) for row in mistakes("identifiers", text)] == [
        (3, "overlaps the period of line 2"),
        (4, "overlaps the period of line 2"),
    ]


def test_actions_state_their_terms(mistakes: Mistakes) -> None:
    text = (
        "security,ex_date,kind,ratio,amount\n"
        "A,2024-01-02,split,,\nA,2024-01-03,cash_dividend,,\nA,2024-01-04,mixed_merger,,\n"
        "A,2024-01-05,split,4,\nA,2024-09-06,cash_dividend,,0.24\nA,2024-01-07,delisting,,\n"
    )
    assert [(row.line, row.column) for row in mistakes("corporate_actions", text)] == [
        (2, "ratio"),
        (3, "amount"),
        (4, "ratio"),
        (4, "amount"),
    ]


def test_an_account_closes_after_it_opens(mistakes: Mistakes) -> None:
    text = "account,household,taxpayer,venue,opened,closed\nA,H,T,V,2020-01-02,2019-01-02\n"
    assert only(mistakes("accounts", text)) == (2, "closed", "2019-01-02 is before `opened`, 2020-01-02")


def test_mandates_add_up(mistakes: Mistakes) -> None:
    header = "account,effective,benchmark,cash_weight_min,cash_weight_max\n"
    assert mistakes("mandates", f"{header}A,2024-01-02,SP500,,\n") == []
    found = mistakes("mandates", f"{header}A,2024-01-02,SP500=0.6;R2000=0.3,,\n")
    assert only(found) == (2, "benchmark", "the benchmark weights sum to 0.9")
    found = mistakes("mandates", f"{header}A,2024-01-02,SP500,0.05,0.01\n")
    assert only(found) == (2, "cash_weight_min", "0.05 is above cash_weight_max, 0.01")


def test_a_basis_may_lack_only_where_the_row_says_so(mistakes: Mistakes) -> None:
    text = (
        "account,security,quantity,basis,acquired,basis_state\n"
        "A,B,1,,2020-03-02,pending\nA,C,1,,2020-03-02,missing\nA,D,1,,2020-03-02,\n"
    )
    assert only(mistakes("lots", text)) == (4, "basis", "found nothing")


def test_a_holding_period_starts_no_later_than_the_lot(mistakes: Mistakes) -> None:
    text = "account,security,quantity,basis,acquired,holding_from\nA,B,1,1,2020-03-02,2020-03-03\n"
    found = mistakes("lots", text)
    assert only(found) == (2, "holding_from", "2020-03-03 is after `acquired`, 2020-03-02")
