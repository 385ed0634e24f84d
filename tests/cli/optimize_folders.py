"""Random problem folders of `allotment optimize`: small accounts with everything in them at once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

SECTORS = ("Energy", "Health", "")
# What the optimiser has to honour beside prices, groups, limits, washes of purchases, charges and steps.
HARDER = ("te_max", "turnover_max", "gain_budget", "relief", "holding_usd_min", "young")


def write_folder(folder: Path, seed: int, harder: Collection[str] = ()) -> Path:
    """A folder of five to fifteen names; of the harder things those named may be in it."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(5, 16)), int(rng.integers(0, 4))
    weight = rng.dirichlet(np.full(n, 2.0))
    price = np.round(np.exp(rng.normal(4.0, 0.8, n)), int(rng.integers(2, 7)))
    sector = rng.choice(SECTORS, n)
    whole = bool(rng.random() < 0.3)
    lots = _lots(rng, n, weight, price, whole=whole)
    value = sum(float(q) * price[i] for i, q, *_ in lots) * 1.01
    folder.mkdir(parents=True)
    factors = [f"f{f}" for f in range(k)]
    head = ["symbol", "price", "benchmark_weight", "specific_variance", *factors, "group:sector"]
    head += ["half_spread_bps", "buy", "sell", "weight_min", "weight_max"]
    rows = []
    for i in range(n):
        limited = rng.random() < 0.15
        rows.append(
            [f"S{i}", price[i], round(weight[i], 6), round(rng.uniform(0.02, 0.2), 4)]
            + [round(rng.normal(1.0 if f == 0 else 0.0, 0.4), 3) for f in range(k)]
            + [sector[i], rng.choice(["", 1, 5.5]), int(rng.random() < 0.9), int(rng.random() < 0.9)]
            + [round(0.5 * weight[i], 5) if limited else "", round(1.1 * weight[i], 5) if limited else ""]
        )
    _csv(folder / "assets.csv", head, rows)
    _csv(
        folder / "lots.csv",
        ["lot_id", "symbol", "quantity", "basis", "acquired", "holding_from", "sell"],
        [
            [f"L{j}", f"S{i}", q, basis, day, tacked, int(rng.random() < 0.95)]
            for j, (i, q, basis, day, tacked) in enumerate(lots)
        ],
    )
    washes = []
    for i in np.flatnonzero(rng.random(n) < 0.2):
        young = round(rng.uniform(0, 20), 2) if "young" in harder and rng.random() < 0.5 else 0
        exposed = round(rng.uniform(0, 50), 2)
        washes.append([f"S{i}", young, exposed, round(price[i] * 0.2, 2), int(rng.random() < 0.4)])
    if washes:
        head = ["symbol", "young_qty", "exposed_qty", "loss_per_share", "permanent"]
        _csv(folder / "washes.csv", head, washes)
    (folder / "problem.toml").write_text(_terms(rng, value, k, set(sector) - {""}, harder, whole=whole))
    return folder


def _lots(
    rng: np.random.Generator, n: int, weight: np.ndarray, price: np.ndarray, *, whole: bool
) -> list[tuple[int, str, str, str, str]]:
    value = float(np.exp(rng.uniform(np.log(2e4), np.log(2e6))))
    lots = []
    for i in range(n):
        for _ in range(int(rng.integers(0, 4))):
            shares = value * weight[i] * rng.uniform(0.2, 0.9) / price[i]
            quantity = f"{max(shares, 1.0):.0f}" if whole else f"{max(shares, 0.001):.3f}"
            basis = float(quantity) * price[i] * np.exp(rng.normal(-0.1, 0.3))
            day = np.datetime64("2026-03-16") - int(rng.integers(0, 1500))
            tacked = str(day - int(rng.integers(1, 300))) if rng.random() < 0.2 else ""
            lots.append((i, quantity, f"{basis:.2f}", str(day), tacked))
    return lots


def _terms(
    rng: np.random.Generator, value: float, k: int, sectors: set[str], harder: Collection[str], *, whole: bool
) -> str:
    def maybe(name: str, line: str) -> str:
        return f"{line}\n" if name in harder and rng.random() < 0.6 else ""

    limit = maybe("te_max", f"te_max = {rng.choice([0.005, 0.02, 0.05])}")
    low = float(rng.choice([0.0, 0.001, 0.01]))
    bounds = "".join(f"{s} = [{-band}, {band}]\n" for s in sorted(sectors) for band in [_band(rng)] if band)
    return (
        f"[account]\nas_of = 2026-03-16\ncash = {value * 0.01:.2f}\n"
        f"cash_min = {low}\ncash_max = {low + float(rng.choice([0.002, 0.01, 0.05]))}\n"
        f"[risk]\nfactor_variance = {np.round(rng.uniform(0.005, 0.04, k), 4).tolist()}\n"
        f"{limit or f'price = {rng.choice([20, 100, 400])}'}\n"
        f"[tax]\nshort_rate = 0.408\nlong_rate = 0.238\nloss_value = {rng.choice([0.6, 0.9, 1.0])}\n"
        f"basis_value = {rng.choice([0.0, 0.05])}\n"
        + maybe("gain_budget", f"gain_budget = {rng.choice([-0.01, 0.0, 0.005]) * value:.2f}")
        + maybe("gain_budget", f"gain_budget_short = {rng.choice([0.0, 0.002]) * value:.2f}")
        + maybe("gain_budget", f"gain_budget_long = {rng.choice([0.0, 0.002]) * value:.2f}")
        + f"[trading]\nhalf_spread_bps = 2.5\nshare_step = {1 if whole else rng.choice([0, 0.001, 1e-6])}\n"
        + f"trade_usd_min = {rng.choice([0, 100])}\nticket_usd = {rng.choice([0, 0.5])}\n"
        + f"closed_lot_usd = {rng.choice([0, 0.1])}\n"
        + maybe("holding_usd_min", "holding_usd_min = 500")
        + maybe("turnover_max", f"turnover_max = {rng.choice([0.02, 0.1])}")
        + maybe("relief", f'relief = "{rng.choice(["fifo", "lifo", "hifo"])}"')
        + ("[groups.sector]\n" + bounds if bounds else "")
    )


def _band(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, 0.01, 0.05]))


def _csv(path: Path, head: list[str], rows: list[list[object]]) -> None:
    path.write_text("\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n")
