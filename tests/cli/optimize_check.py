"""An answer of `allotment optimize` judged from its files and the problem's alone.

Nothing of the program is imported: what the page docs/reference/files/optimize.md says is computed
again, slowly, from the CSV and TOML files.
"""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@dataclass
class Problem:
    terms: dict[str, dict[str, Any]]
    assets: dict[str, dict[str, str]]
    lots: dict[str, dict[str, str]]
    washes: dict[str, dict[str, str]] = field(default_factory=dict)

    @staticmethod
    def of(folder: Path) -> Problem:
        return Problem(
            tomllib.loads((folder / "problem.toml").read_text()),
            {row["symbol"]: row for row in rows(folder / "assets.csv")},
            {row["lot_id"]: row for row in rows(folder / "lots.csv")},
            {row["symbol"]: row for row in rows(folder / "washes.csv")}
            if (folder / "washes.csv").exists()
            else {},
        )

    def of_asset(self, symbol: str, column: str, default: float) -> float:
        return float(self.assets[symbol].get(column) or default)

    def price(self, symbol: str) -> float:
        return float(self.assets[symbol]["price"])

    def value(self) -> float:
        lots = sum(float(lot["quantity"]) * self.price(lot["symbol"]) for lot in self.lots.values())
        return float(self.terms["account"]["cash"]) + lots

    def held(self) -> dict[str, float]:
        made: dict[str, float] = defaultdict(float)
        for lot in self.lots.values():
            made[lot["symbol"]] += float(lot["quantity"])
        return made

    def gain_per_share(self, lot_id: str) -> float:
        lot = self.lots[lot_id]
        return self.price(lot["symbol"]) - float(lot["basis"]) / float(lot["quantity"])

    def is_long(self, lot_id: str) -> bool:
        lot = self.lots[lot_id]
        start = date.fromisoformat(lot.get("holding_from") or lot["acquired"]) + timedelta(1)
        as_of = date.fromisoformat(str(self.terms["account"]["as_of"]))
        leaps = (start.month, start.day) == (2, 29)
        return as_of >= (date(start.year + 1, 3, 1) if leaps else start.replace(year=start.year + 1))


@dataclass
class Plan:
    """Shares sold by lot and bought by name."""

    sold: dict[str, float]
    bought: dict[str, float]

    @staticmethod
    def of(file: Path) -> Plan:
        plan = Plan({}, {})
        for row in rows(file):
            if row["side"] == "sell":
                assert row["lot_id"] not in plan.sold, "one row per lot"
                plan.sold[row["lot_id"]] = float(row["quantity"])
            else:
                assert row["side"] == "buy"
                assert row["symbol"] not in plan.bought, "one row per purchase"
                plan.bought[row["symbol"]] = float(row["quantity"])
        return plan


def shares_after(problem: Problem, plan: Plan) -> dict[str, float]:
    after = dict(problem.held())
    for lot_id, quantity in plan.sold.items():
        after[problem.lots[lot_id]["symbol"]] -= quantity
    for symbol, quantity in plan.bought.items():
        after[symbol] = after.get(symbol, 0.0) + quantity
    return after


def weights_after(problem: Problem, plan: Plan) -> dict[str, float]:
    value, after = problem.value(), shares_after(problem, plan)
    return {s: after.get(s, 0.0) * problem.price(s) / value for s in problem.assets}


def tracking_error(problem: Problem, weights: dict[str, float]) -> float:
    active = {s: weights[s] - float(problem.assets[s]["benchmark_weight"]) for s in weights}
    variance = sum(active[s] ** 2 * float(problem.assets[s]["specific_variance"]) for s in active)
    for f, annual in enumerate(problem.terms["risk"].get("factor_variance", [])):
        variance += annual * sum(active[s] * float(problem.assets[s][f"f{f}"]) for s in active) ** 2
    return math.sqrt(variance)


def terms_of(problem: Problem, plan: Plan) -> dict[str, float]:
    """The parts of the objective but for relaxations, as fractions of account value."""
    tax, trading = problem.terms["tax"], problem.terms.get("trading", {})
    value = problem.value()
    made = dict.fromkeys(("risk", "tax", "cost", "wash"), 0.0)
    kappa = float(problem.terms["risk"].get("price", 0.0))
    made["risk"] = kappa / 2 * tracking_error(problem, weights_after(problem, plan)) ** 2
    dollars: dict[str, float] = defaultdict(float)
    losses: dict[str, float] = defaultdict(float)
    for lot_id, quantity in plan.sold.items():
        symbol = problem.lots[lot_id]["symbol"]
        gain = quantity * problem.gain_per_share(lot_id)
        rate = tax["long_rate"] if problem.is_long(lot_id) else tax["short_rate"]
        used = tax.get("loss_value", 1.0) if gain < 0 else 1.0
        made["tax"] += gain * (rate * used - tax.get("basis_value", 0.0))
        made["cost"] += trading.get("closed_lot_usd", 0.0)
        dollars[symbol] += quantity * problem.price(symbol)
        if problem.gain_per_share(lot_id) <= 1e-12:
            losses[symbol] += quantity
    for symbol, quantity in plan.bought.items():
        dollars[symbol] += quantity * problem.price(symbol)
    for symbol, traded in dollars.items():
        spread = problem.of_asset(symbol, "half_spread_bps", trading.get("half_spread_bps", 0.0))
        made["cost"] += traded * spread / 1e4 + trading.get("ticket_usd", 0.0)
    for symbol, wash in problem.washes.items():
        worth = max(tax["short_rate"], tax["long_rate"]) * tax.get("loss_value", 1.0)
        back = 0.0 if wash["permanent"] in ("1", "yes") else tax.get("basis_value", 0.0)
        per_share = max(worth - back, 0.0) * float(wash["loss_per_share"])
        washed = min(plan.bought.get(symbol, 0.0), float(wash["exposed_qty"]))
        washed += min(losses[symbol], float(wash["young_qty"]))
        made["wash"] += washed * per_share
    return {name: part if name == "risk" else part / value for name, part in made.items()}


def measures(problem: Problem, plan: Plan) -> dict[str, tuple[float, float, float]]:
    """Each elastic constraint by its name: value, least, most. Fractions of account value."""
    account, tax = problem.terms["account"], problem.terms["tax"]
    weights, value = weights_after(problem, plan), problem.value()
    made = {
        "account.cash": (
            1.0 - sum(weights.values()),
            account.get("cash_min", 0.0),
            account.get("cash_max", 1.0),
        )
    }
    for symbol, weight in weights.items():
        ends = problem.of_asset(symbol, "weight_min", 0.0), problem.of_asset(symbol, "weight_max", 1.0)
        made[f"weight {symbol}"] = (weight, *ends)
    for group, bounds in problem.terms.get("groups", {}).items():
        for name, (low, high) in bounds.items():
            active = sum(
                weights[s] - float(asset["benchmark_weight"])
                for s, asset in problem.assets.items()
                if asset[f"group:{group}"] == name
            )
            made[f"groups.{group}.{name}"] = (active, low, high)
    gain = dict.fromkeys((True, False), 0.0)
    for lot_id, quantity in plan.sold.items():
        gain[problem.is_long(lot_id)] += quantity * problem.gain_per_share(lot_id) / value
    for key, realised in (
        ("gain_budget", gain[True] + gain[False]),
        ("gain_budget_short", gain[False]),
        ("gain_budget_long", gain[True]),
    ):
        if key in tax:
            made[f"tax.{key}"] = (realised, -math.inf, tax[key] / value)
    turnover = problem.terms.get("trading", {}).get("turnover_max")
    if turnover is not None:
        made["trading.turnover_max"] = (turned_over(problem, plan), -math.inf, turnover)
    return made


def turned_over(problem: Problem, plan: Plan) -> float:
    sold = sum(q * problem.price(problem.lots[lot]["symbol"]) for lot, q in plan.sold.items())
    bought = sum(q * problem.price(symbol) for symbol, q in plan.bought.items())
    return (sold + bought) / 2 / problem.value()


def relaxations(problem: Problem, plan: Plan, prices: dict[str, float]) -> float:
    """What the objective pays for all that lies outside its ends."""
    total = 0.0
    for name, (value, low, high) in measures(problem, plan).items():
        price = prices["cash" if name == "account.cash" else "limit" if " " in name else "row"]
        excess = max(low - value, value - high, 0.0)
        total += price * (excess if excess > 1e-9 else 0.0)
    limit = problem.terms["risk"].get("te_max")
    if limit is not None:
        error = tracking_error(problem, weights_after(problem, plan))
        total += prices["te"] * max(error**2 - limit**2, 0.0) / 2
    return total


def broken(problem: Problem, plan: Plan) -> list[str]:
    """Hard rules that the trades break, in words."""
    trading = problem.terms.get("trading", {})
    held, after, told = problem.held(), shares_after(problem, plan), []
    step = float(trading.get("share_step", 0.0))
    for lot_id, quantity in plan.sold.items():
        lot = problem.lots[lot_id]
        symbol = lot["symbol"]
        if quantity <= 0 or quantity > float(lot["quantity"]) * (1 + 1e-12):
            told.append(f"{lot_id}: sells {quantity}")
        if "0" in (lot.get("sell"), problem.assets[symbol].get("sell")):
            told.append(f"{lot_id}: may not be sold")
        if symbol in plan.bought and problem.gain_per_share(lot_id) <= 0:
            told.append(f"{symbol}: sells a loss and buys")
    barred = [symbol for symbol in plan.bought if problem.assets[symbol].get("buy") == "0"]
    told += [f"{symbol}: may not be bought" for symbol in barred]
    for symbol, shares in after.items():
        if shares < -1e-9:
            told.append(f"{symbol}: is short")
        moved = shares - held.get(symbol, 0.0)
        if moved == 0 or shares < 1e-9:  # closing out a name is free of the smallest sizes
            continue
        dollars = problem.price(symbol) * abs(moved)
        if dollars < trading.get("trade_usd_min", 0.0) * (1 - 1e-6):
            told.append(f"{symbol}: trades {dollars} dollars")
        if shares * problem.price(symbol) < trading.get("holding_usd_min", 0.0) * (1 - 1e-6):
            told.append(f"{symbol}: keeps too little")
        if step and abs(moved - round(moved / step) * step) > 1e-9:
            told.append(f"{symbol}: trades {moved} shares, no whole steps")
    return told + order_broken(problem, plan)


def order_broken(problem: Problem, plan: Plan) -> list[str]:
    """Lots sold although one that the relief method closes before is left."""
    relief = problem.terms.get("trading", {}).get("relief", "lots")
    if relief == "lots":
        return []
    told = []
    for symbol in {problem.lots[lot]["symbol"] for lot in plan.sold}:
        own = sorted(
            (lot for lot in problem.lots.values() if lot["symbol"] == symbol and lot.get("sell") != "0"),
            key=lambda lot: (lot["acquired"], lot["lot_id"]),
            reverse=relief == "lifo",
        )
        if relief == "hifo":
            own.sort(key=lambda lot: -float(lot["basis"]) / float(lot["quantity"]))
        left = False
        for lot in own:
            quantity = plan.sold.get(lot["lot_id"], 0.0)
            if quantity and left:
                told.append(f"{lot['lot_id']}: leaves before its turn")
            left = left or quantity < float(lot["quantity"]) * (1 - 1e-9)
    return told


def judge(folder: Path, out: Path, tolerance: float = 1e-8) -> dict[str, Any]:
    """Raise AssertionError unless the answer in `out` is what it says; returns its summary."""
    problem, plan = Problem.of(folder), Plan.of(out / "trades.csv")
    told = json.loads((out / "summary.json").read_text())
    value = problem.value()
    assert told["value_usd"] == pytest.approx(value, rel=0, abs=1e-6)
    assert broken(problem, plan) == []
    parts = terms_of(problem, plan)
    parts["relaxation"] = relaxations(problem, plan, told["relaxation_prices"])
    for name, part in parts.items():
        assert told["terms"][name] == pytest.approx(part, rel=0, abs=tolerance), name
    assert told["objective"] == pytest.approx(sum(parts.values()), rel=0, abs=tolerance)
    assert told["lower_bound"] <= told["objective"]
    assert told["gap_bps"] == pytest.approx((told["objective"] - told["lower_bound"]) * 1e4, rel=0, abs=1e-6)
    weights = weights_after(problem, plan)
    for row in rows(out / "weights.csv"):
        assert float(row["weight"]) == pytest.approx(weights[row["symbol"]], rel=0, abs=1e-10)
        assert float(row["quantity"]) == pytest.approx(
            shares_after(problem, plan).get(row["symbol"], 0.0), rel=0, abs=1e-9
        )
    assert told["tracking_error"] == pytest.approx(tracking_error(problem, weights), rel=0, abs=1e-9)
    assert told["cash_after"] == pytest.approx(1 - sum(weights.values()), rel=0, abs=1e-9)
    assert told["turnover"] == pytest.approx(turned_over(problem, plan), rel=0, abs=1e-9)
    written = rows(out / "trades.csv")
    assert sum(float(row["tax"]) for row in written) / value == pytest.approx(parts["tax"], rel=0, abs=1e-8)
    assert sum(float(row["cost"]) for row in written) / value == pytest.approx(parts["cost"], rel=0, abs=1e-8)
    assert all(row["reason"] for row in written)
    assert bool(told["relaxed"]) == (told["status"] == "relaxed")
    paid = sum(entry["amount"] * entry["price"] for entry in told["relaxed"])
    assert paid == pytest.approx(parts["relaxation"], rel=0, abs=1e-5)
    return told
