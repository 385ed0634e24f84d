"""Dividends of a ledger file, lot by lot: §1(h)(11), §246(c)."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.errors import BadFileError
from allotment.feeds.ledger_dividends import DividendSums, dividend_parts, dividend_sums
from allotment.feeds.ledger_flags import Flag, flags
from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.feeds.replay_files import dividends_csv

ACCOUNTS = {"A": {}, "B": {}, "I": {"type": "ira"}, "S": {"owner": "spouse"}}
Rows = list[dict[str, str]]


def ledger(text: str) -> Ledger:
    """One transaction a line: date, type, symbol, field=value; ids t1, t2, …"""
    entries = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        day, kind, symbol, *fields = line.split()
        entry: dict[str, Any] = {"id": f"t{number}", "date": day, "type": kind, "symbol": symbol}
        if kind not in ("dividend", "split", "stock_merger", "symbol_change", "roc", "spinoff", "transfer"):
            entry["account"] = "A"
        for name, value in (word.split("=") for word in fields):
            entry[name] = [lot.split("*") for lot in value.split(",")] if name == "lots" else value
            entry[name] = value == "true" if value in ("true", "false") else entry[name]
        entries.append(entry)
    return read_ledger(json.dumps({"accounts": ACCOUNTS, "transactions": entries}), "l.json")


def paid(text: str) -> Rows:
    known = ledger(text)
    return list(csv.DictReader(io.StringIO(dividends_csv(known, dividend_parts(known, replay(known))))))


def told(text: str) -> tuple[Flag, ...]:
    known = ledger(text)
    folded = replay(known)
    return flags(known, folded, dividend_parts(known, folded))


def short(rows: Rows, *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_each_lot_has_a_test_of_its_own_and_a_sale_parts_it() -> None:
    """Q-1, Q-4: sold on 9 September 60 days in the window, on the 10th 61."""
    rows = paid("""
        2024-01-02 buy      X qty=10 amount=100
        2024-07-11 buy      X qty=30 amount=300
        2024-08-01 dividend X ex_date=2024-07-12 per_share=0.333
        2024-09-09 sell     X qty=10 amount=90 lots=t2*10
        2024-09-10 sell     X qty=10 amount=90 lots=t2*10
        2024-12-31 buy      X qty=1 amount=10
    """)
    assert short(rows, "lot", "account", "qty", "amount", "days", "qualified", "bucket", "year") == [
        ("t1", "A", "10", "3.33", "121", "yes", "qualified", "2024"),
        ("t2", "A", "10", "3.33", "60", "no", "ordinary", "2024"),
        ("t2", "A", "20", "6.66", "61", "yes", "qualified", "2024"),
    ]


def test_bought_on_the_ex_date_is_too_late_and_sold_on_it_is_not() -> None:
    rows = paid("""
        2024-01-02 buy      X qty=10 amount=100
        2024-07-12 buy      X qty=10 amount=100
        2024-07-12 sell     X qty=10 amount=100 lots=t1*10
        2024-08-01 dividend X ex_date=2024-07-12 per_share=1
    """)
    assert short(rows, "lot", "qty", "qualified") == [("t1", "10", "yes")]


def test_what_the_days_to_come_decide_is_open() -> None:
    """Kept until 10 September it qualifies; on 9 August nobody knows."""
    text = """
        2024-07-11 buy      X qty=10 amount=100
        2024-07-12 dividend X ex_date=2024-07-12 per_share=1
        {} roc Y per_share=0.1
    """
    assert short(paid(text.format("2024-09-09")), "days", "qualified", "bucket") == [("60", "open", "open")]
    assert short(paid(text.format("2024-09-10")), "days", "qualified") == [("61", "yes")]
    old = text.replace("2024-07-11", "2024-05-01")
    assert short(paid(old.format("2024-07-12")), "days", "qualified") == [("61", "yes")]
    too_late = text.replace("per_share=1", "per_share=1 hedged_days=1")  # 60 days at best
    assert short(paid(too_late.format("2024-07-13")), "days", "qualified") == [("1", "no")]


def test_wash_sale_tacking_does_not_count() -> None:
    """Q-2, §246(c)(3)(B): the replacement's holding period is old, its shares are not."""
    rows = paid("""
        2023-01-02 buy      X qty=10 amount=1000
        2024-07-01 sell     X qty=10 amount=700
        2024-07-11 buy      X qty=10 amount=700
        2024-08-01 dividend X ex_date=2024-07-12 per_share=1
        2024-09-09 sell     X qty=10 amount=700
    """)
    assert short(rows, "lot", "days", "qualified") == [("t3", "60", "no")]


def test_a_gift_counts_from_the_donors_purchase() -> None:
    """§1223(2), which §246(c)(3) leaves alone."""
    rows = paid("""
        2024-07-11 gift_in  X qty=10 donor_basis=100 fmv=200 donor_acq=2020-01-02
        2024-08-01 dividend X ex_date=2024-07-12 per_share=1
        2024-08-09 sell     X qty=10 amount=700
    """)
    assert short(rows, "days", "qualified") == [("89", "yes")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", ("yes", "qualified", "2025")),
        ("kind=in_lieu", ("no", "ordinary", "2025")),
        ("kind=reit declared=2024-12-10 record=2024-12-27", ("no", "section 199A", "2024")),
        ("is_fund=true declared=2024-12-10 record=2024-12-27", ("yes", "qualified", "2024")),
        ("declared=2024-12-10 record=2024-12-27", ("yes", "qualified", "2025")),
        ("hedged_days=60", ("yes", "qualified", "2025")),
        ("hedged_days=61", ("no", "ordinary", "2025")),
        ("preferred=true hedged_days=90", ("yes", "qualified", "2025")),
        ("preferred=true hedged_days=91", ("no", "ordinary", "2025")),
    ],
)
def test_kinds_of_payment_hedges_and_years(fields: str, expected: tuple[str, ...]) -> None:
    """Q-3, Q-5, Q-8, D-7."""
    rows = paid(f"""
        2020-01-02 buy      X qty=10 amount=1000
        2025-01-10 dividend X ex_date=2024-12-27 per_share=1 {fields}
        2025-12-31 roc      Y per_share=1
    """)
    assert short(rows, "qualified", "bucket", "year") == [expected]


def test_all_accounts_that_held_it_are_paid_or_the_one_named() -> None:
    text = """
        2020-01-02 buy      X qty=10 amount=1000
        2020-01-02 buy      X qty=5 amount=500 account=I
        2020-01-02 buy      X qty=7 amount=500 account=S
        2024-08-01 dividend X ex_date=2024-07-12 per_share=0.5 {}
        2025-01-02 roc      Y per_share=1
    """
    assert short(paid(text.format("")), "account", "amount") == [("A", "5.00"), ("S", "3.50")]
    assert short(paid(text.format("account=S")), "account", "amount") == [("S", "3.50")]
    assert paid(text.format("account=I")) == []
    known = ledger(text.format(""))
    parts = dividend_parts(known, replay(known))
    assert dividend_sums(known, parts, 2024) == DividendSums(qualified=850)
    assert dividend_sums(known, parts, 2024, "spouse") == DividendSums(qualified=350)
    assert dividend_sums(known, parts, 2024, "taxpayer") == DividendSums(qualified=500)
    assert dividend_sums(known, parts, 2025) == DividendSums()


def test_what_is_received_in_lieu_is_no_dividend_of_the_year() -> None:
    known = ledger("""
        2020-01-02 buy      X qty=10 amount=1000
        2024-03-01 dividend X ex_date=2024-02-12 per_share=1 kind=in_lieu
        2024-06-03 dividend X ex_date=2024-05-13 per_share=2 hedged_days=121
        2024-09-02 dividend X ex_date=2024-08-12 per_share=4 kind=reit
    """)
    sums = dividend_sums(known, dividend_parts(known, replay(known)), 2024)
    assert sums == DividendSums(received_in_lieu=1000, ordinary=2000, section_199a=4000)


def test_a_short_pays_in_lieu_and_is_flagged() -> None:
    """§263(h): the account pays, as far as it is short when the ex-date begins."""
    text = """
        2024-07-01 short_sell X qty=10 amount=1000
        2024-07-11 cover      X qty=4 amount=300
        2024-08-01 dividend   X ex_date=2024-07-12 per_share=0.5
        2024-08-09 cover      X qty=6 amount=500
    """
    assert short(paid(text), "lot", "qty", "amount", "qualified", "bucket") == [
        ("t1", "-6", "-3.00", "no", "paid in lieu")
    ]
    (flag,) = told(text)
    assert (flag.transaction, flag.rule) == ("t3", "§263(h)")
    assert "$3.00" in flag.found
    known = ledger(text)
    assert dividend_sums(known, dividend_parts(known, replay(known)), 2024).paid_in_lieu == 300


def test_an_extraordinary_dividend_makes_the_loss_long_term() -> None:
    """Q-7: $15 a share on a basis of $100, sold at a loss after four months."""
    text = """
        2024-01-02 buy      X qty=10 amount=1000
        2024-03-15 dividend X ex_date=2024-03-01 per_share={}
        2024-05-09 sell     X qty=10 amount=800
    """
    (flag,) = told(text.format("15"))
    assert (flag.transaction, flag.rule) == ("t3", "§1(h)(11)(D)(ii)")
    assert flag.found.startswith("$150.00 of the short-term loss on lot t1")
    assert told(text.format("9.99")) == ()
    assert told(text.format("15").replace("amount=800", "amount=1100")) == ()


def test_what_a_person_should_look_at() -> None:
    assert [flag.rule for flag in told("2024-03-15 dividend X ex_date=2024-03-01 per_share=1")] == [
        "§61(a)(7)"
    ]
    held = "2020-01-02 buy X qty=10 amount=1000\n"
    assert [flag.rule for flag in told(held + "2024-03-15 dividend X per_share=1")] == ["§246(c)"]
    january = "2025-01-15 dividend X ex_date=2024-12-27 per_share=1 is_fund=true"
    assert [flag.rule for flag in told(held + january)] == ["§852(b)(7)"]


def test_shares_are_followed_through_what_changes_them() -> None:
    """A transfer, a split with cash for the fraction, a merger and a new symbol are no disposal."""
    rows = paid("""
        2024-07-01 buy           X qty=9 amount=900
        2024-07-20 dividend      X ex_date=2024-07-12 per_share=1
        2024-07-21 transfer      X from=A to=B lots=t1*3
        2024-07-22 split         X ratio=1:2 cil_price=200
        2024-07-23 stock_merger  X to=Y ratio=3:1
        2024-07-24 symbol_change Y to=Z
        2024-07-25 donate        Z qty=3
        2024-08-01 sell          Z qty=3 amount=300 account=B
        2024-12-31 roc           Z per_share=0.01
    """)
    # In A nine became 6, then 3, 9; a third of them was given away. In B 3, then 1.5 less 0.5 paid out, 3.
    assert short(rows, "lot", "account", "qty", "days", "qualified") == [
        ("t1", "A", "1", "21", "no"),
        ("t1", "A", "2", "24", "no"),
        ("t1", "A", "2", "31", "no"),
        ("t1", "A", "4", "71", "yes"),
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("", "per_share is missing"),
        ("per_share=-1", "negative"),
        ("per_share=1 kind=gift", "dividend, in_lieu, reit"),
        ("per_share=1 hedged_days=182", "days up to 181"),
        ("per_share=1 hedged_days=-1", "days up to 181"),
        ("per_share=1 preferred=yes", "true or false"),
        ("per_share=1 ex_date=yesterday", "YYYY-MM-DD"),
        ("per_share=1 qty=3", "unknown field 'qty'"),
        ("per_share=1 account=C", "unknown account"),
    ],
)
def test_mistakes_are_told(fields: str, says: str) -> None:
    with pytest.raises(BadFileError, match=says):
        ledger(f"2024-08-01 dividend X {fields}")


def test_a_dividend_makes_no_lot_and_its_id_counts_once() -> None:
    with pytest.raises(BadFileError, match="does not exist"):
        ledger("""
            2024-08-01 dividend X per_share=1
            2024-08-02 sell X qty=1 amount=1 lots=t1*1
        """)


# -- a slow, obvious second implementation: every share has a life of its own ----------------------------


def obvious(entries: list[dict[str, str]], last: date) -> dict[tuple[str, str, str, int, str], int]:
    """Whole shares one by one, first in first out: (dividend, lot, account, days, verdict) → shares."""
    shares: list[dict[str, Any]] = []
    for entry in entries:
        day, account, n = date.fromisoformat(entry["date"]), entry.get("account"), int(entry.get("qty", 0))
        if entry["type"] == "buy":
            new = {"lot": entry["id"], "bought": day, "sold": None}
            shares += [{**new, "at": [(day, account)]} for _ in range(n)]
        elif entry["type"] == "sell":
            held = [s for s in shares if s["sold"] is None and s["at"][-1][1] == account]
            for share in sorted(held, key=lambda s: int(s["lot"][1:]))[:n]:
                share["sold"] = day
        elif entry["type"] == "transfer":
            ((lot, quantity),) = entry["lots"]
            held = [
                s for s in shares if s["sold"] is None and s["at"][-1][1] == entry["from"] and s["lot"] == lot
            ]
            for share in held[: int(quantity)]:
                share["at"].append((day, entry["to"]))
                shares[:] = [s for s in shares if s is not share]  # what comes last stands last
                shares.append(share)
    out: dict[tuple[str, str, str, int, str], int] = defaultdict(int)
    for entry in entries:
        if entry["type"] != "dividend":
            continue
        ex = date.fromisoformat(entry["ex_date"])
        window = [ex + timedelta(days=i) for i in range(-60, 61)]
        for share in shares:
            if not share["bought"] < ex or (share["sold"] and share["sold"] < ex):
                continue
            where = [account for day, account in share["at"] if day < ex][-1]
            end = share["sold"] or date.max
            days = sum(share["bought"] < day <= min(end, last) for day in window)
            at_best = sum(share["bought"] < day <= end for day in window)
            verdict = "yes" if days > 60 else "no" if at_best <= 60 else "open"
            out[entry["id"], share["lot"], where, days, verdict] += 1
    return dict(out)


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    held: dict[tuple[str, str], int] = {}  # (account, lot), in order of purchase
    day = date(2024, 1, 2)
    for i in range(draw(st.integers(2, 14))):
        day += timedelta(days=draw(st.sampled_from([0, 1, 5, 29, 30, 31, 59, 60, 61])))
        kind = draw(st.sampled_from(["buy", "buy", "sell", "sell", "dividend", "dividend", "transfer"]))
        entry: dict[str, Any] = {"id": f"t{i}", "date": day.isoformat(), "type": kind, "symbol": "X"}
        account = draw(st.sampled_from("AB"))
        there = {lot: n for (name, lot), n in held.items() if name == account and n}
        if kind == "dividend":
            ex = day - timedelta(days=draw(st.sampled_from([0, 1, 15, 30])))
            per_share = draw(st.sampled_from(["0.333", "1.005", "0.1"]))
            entry |= {"ex_date": ex.isoformat(), "per_share": per_share}
        elif kind == "transfer" and there:
            lot = draw(st.sampled_from(sorted(there)))
            n = draw(st.integers(1, there[lot]))
            to = "B" if account == "A" else "A"
            held[account, lot] -= n
            held[to, lot] = held.get((to, lot), 0) + n
            entry |= {"from": account, "to": to, "lots": [[lot, str(n)]]}
        elif kind == "sell" and there:
            n = left = draw(st.integers(1, sum(there.values())))
            for lot in sorted(there, key=lambda name: int(name[1:])):
                here = min(left, there[lot])
                held[account, lot] -= here
                left -= here
            entry |= {"account": account, "qty": str(n), "amount": str(n * 9)}
        else:
            n = draw(st.integers(1, 20))
            held[account, f"t{i}"] = n
            entry |= {"type": "buy", "account": account, "qty": str(n), "amount": str(n * 10)}
        entries.append(entry)
    return entries


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_parts_are_those_of_shares_counted_one_by_one(entries: list[dict[str, Any]]) -> None:
    document = {"accounts": ACCOUNTS, "transactions": entries}
    known = read_ledger(json.dumps(document), "l.json")
    parts = dividend_parts(known, replay(known))
    found: dict[Any, int] = defaultdict(int)
    money: dict[Any, int] = defaultdict(int)
    shares: dict[Any, int] = defaultdict(int)
    for part in parts:
        account, lot = known.account_names[part.account_ix], known.ids[part.lot_row]
        found[part.fact.key, lot, account, part.counted_days, part.qualified] += part.quantity_nano // 10**9
        money[part.fact.key, account] += part.amount_cents
        shares[part.fact.key, account] += part.quantity_nano
    assert found == obvious(entries, date.fromisoformat(entries[-1]["date"]))
    rate = {entry["id"]: Fraction(entry["per_share"]) for entry in entries if entry["type"] == "dividend"}
    for (key, account), cents in money.items():
        exact = rate[key] * shares[key, account] / 10**7
        assert cents == (exact + Fraction(1, 2)).__floor__()
