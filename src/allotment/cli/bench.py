"""`allotment bench`: measure speed, memory and the risk model; results as JSON with the machine."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from allotment import __version__
from allotment.cli import output
from allotment.errors import UsageError


def bench(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="fold, optimize, frontier, what_if, store, import, world, run; on real prices risk, actions."
        ),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(envvar="ALLOTMENT_TEST_DATA", help="Folder of real prices, for `risk` and `actions`."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results, one JSON file each.")] = Path("bench"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure this machine. Every result names processor, sizes and seeds; compilation is not counted."""
    from allotment.jobs import machine
    from allotment.jobs.bench import BENCHMARKS, ON_REAL_PRICES

    has_prices = prices is not None and prices.exists()
    names = list(what or [*BENCHMARKS, *(ON_REAL_PRICES if has_prices else [])])
    unknown = sorted(set(names) - {*BENCHMARKS, *ON_REAL_PRICES})
    if unknown:
        known = ", ".join([*BENCHMARKS, *ON_REAL_PRICES])
        raise UsageError(f"no benchmark {', '.join(unknown)}; there are {known}.")
    needing = [name for name in names if name in ON_REAL_PRICES]
    if needing and not has_prices:
        raise UsageError(f"`bench {needing[0]}` needs real prices: --prices FOLDER, or ALLOTMENT_TEST_DATA.")
    out.mkdir(parents=True, exist_ok=True)
    head = {"allotment": __version__, "machine": machine.describe()}
    results: dict[str, Any] = {}
    for name in names:
        output.errors.print(f"measuring {name} …", style="dim")
        started = perf_counter()
        on_prices = ON_REAL_PRICES.get(name)
        results[name] = on_prices(prices) if on_prices and prices else BENCHMARKS[name]()
        facts = {"seconds_in_all": round(perf_counter() - started, 1), "peak_memory_gb": _peak_memory_gb()}
        (out / f"{name}.json").write_text(json.dumps(head | facts | {name: results[name]}, indent=2) + "\n")

    def show() -> None:
        for name, result in results.items():
            output.console.print(f"\n[bold]{name}[/]")
            output.console.print_json(json.dumps(result))
        output.console.print(f"\nWritten to {out}/", style="dim")

    only = results[names[0]] if len(names) == 1 else {}  # of one benchmark, its figures on top as well
    output.emit(head | only | results, as_json=as_json, show=show)


def _peak_memory_gb() -> float:
    """Of this process so far; the database's own memory is not in it."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 2)
