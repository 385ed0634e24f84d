"""``allotment optimize``: problems as folders of files in, certified trades by lot out; no database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from allotment.cli import output
from allotment.cli.purpose import Amount, ModeName, YearsLeft, purpose
from allotment.errors import BadFileError, BadRow, UsageError

if TYPE_CHECKING:
    from allotment.feeds.problem_answer import Answer
    from allotment.optimize.backend import Backend
    from allotment.optimize.modes import Purpose

_SUMMARY = "summary.json"
_TAKEN: Mapping[str, Any] = {"reply": "taken"}


def optimize(
    problems: Annotated[list[Path], typer.Argument(help="Problem folders, one account each.")],
    out: Annotated[Path, typer.Option(help="Folder for the answer; several problems get one folder each.")],
    trades: Annotated[
        Path | None, typer.Option(help="Certify the trades of this file (as trades.csv) instead of deciding.")
    ] = None,
    backend: Annotated[str, typer.Option(help="Let this installed backend decide.")] = "",
    backend_command: Annotated[
        str, typer.Option(help="Let this program decide: it reads and writes Arrow streams.")
    ] = "",
    backend_seconds: Annotated[float, typer.Option(help="Most seconds for that program.")] = 60.0,
    audit: Annotated[
        bool, typer.Option(help="Write audit.py and audit.npz: the convex core, to solve without Allotment.")
    ] = False,
    mode: ModeName = "",
    amount: Amount = None,
    years_left: YearsLeft = 1,
    gap_bps: Annotated[
        float, typer.Option(min=0.0, help="Search until the gap is proven to be at most this.")
    ] = 0.3,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Go on searching for so long where the gap is larger.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Decide accounts given as files: trades by lot, with reasons and a proof of how good they are.

    A folder with mistakes is refused whole and nothing of it is written; the others are done.
    Ends with 3 when a limit could not be met: the summary says which, by how much, at which price.
    So too when given trades break a rule, or a backend's do and the optimiser's own stand.
    """
    if sum(1 for way in (trades, backend, backend_command) if way) > 1:
        raise UsageError("give one of --trades, --backend and --backend-command.")
    if trades is not None and len(problems) > 1:
        raise UsageError("--trades belong to one problem; give one folder.")
    asked = _backend(backend, backend_command, backend_seconds)
    folders = _folders(problems, out)
    aim = purpose(mode, amount, years_left)
    mistakes: list[BadRow] = []
    done: list[dict[str, Any]] = []
    with output.progress(quiet=as_json) as advance:
        for at, (problem, folder) in enumerate(zip(problems, folders, strict=True)):
            advance("Optimising", at, len(problems))
            try:
                found = _found(problem, trades, asked, aim, Search(gap_bps, seconds))
            except BadFileError as error:
                mistakes += error.rows
                continue
            from allotment.feeds.problem_audit import audit_files
            from allotment.feeds.problem_reasons import largest
            from allotment.feeds.problem_summary import files, summary

            _write(folder, files(found) | (audit_files(found) if audit else {}))
            told = {"problem": str(problem), "out": str(folder)} | summary(found)
            done.append(told | {"largest": largest(found)})
        advance("Optimising", len(problems), len(problems))
    if mistakes:
        raise BadFileError(mistakes)
    output.emit({"problems": done}, as_json=as_json, show=lambda: _show(done))
    if any(entry["status"] != "solved" or entry.get("door", _TAKEN)["reply"] != "taken" for entry in done):
        raise typer.Exit(3)


def _backend(name: str, line: str, seconds_max: float) -> tuple[str, Backend] | None:
    from allotment.jobs import backends

    if name:
        return name, backends.find(name)
    return (line, backends.command(line, seconds_max)) if line else None


class Search(NamedTuple):
    """How far to go with a problem."""

    gap_bps: float
    seconds: float


def _found(
    folder: Path, trades: Path | None, asked: tuple[str, Backend] | None, aim: Purpose | None, search: Search
) -> Answer:
    """Our own answer, or that of a file or backend with what our rules and bound say of it."""
    from allotment.feeds.problem_answer import FILE, Door, answer
    from allotment.feeds.problem_columns import OPTIONS, for_purpose, problem_columns
    from allotment.feeds.problem_folder import read_problem
    from allotment.feeds.problem_trades import as_weights, read_trades
    from allotment.jobs.time_limit import solve_within
    from allotment.optimize.backend import Reply, consider
    from allotment.optimize.certify import certify
    from allotment.optimize.conflict import find_conflicts
    from allotment.optimize.solution import Fault, Status
    from allotment.optimize.solve import solve_batch

    given = read_problem(folder)
    columns = for_purpose(problem_columns(given), aim)
    market, problem = columns.market, columns.problem
    traded = read_trades(trades, given, columns) if trades is not None else None
    solve_batch(market, problem.problems(0, 0))  # loads the kernels, which is not timed
    started = perf_counter()
    own = solve_within(market, problem, OPTIONS._replace(gap_bps=search.gap_bps), search.seconds)
    seconds = perf_counter() - started
    if own.status[0] == Status.INVALID:
        fault = Fault(int(own.fault[0])).name.lower()
        found = f"the numbers of an input ({fault}) are beyond what can be worked with"
        raise BadFileError([BadRow(str(folder), 0, "", found, "look for one that is far too large or small")])
    objective = float(own.objective[0])
    if traded is not None:
        made = certify(market, problem, as_weights(traded, given, columns), options=OPTIONS, own=own)
        broken = made.broken[0]
        reply = Reply.BREAKS_RULES if broken else Reply.TAKEN
        door = Door(made_by=FILE, reply=reply, broken=broken, own_objective=objective)
        return answer(given, columns, made.solutions, seconds, traded, door)
    if asked is None:
        conflicts = find_conflicts(market, problem, own, options=OPTIONS)
        return replace(answer(given, columns, own, seconds), conflicts=conflicts)
    came = consider(market, problem, asked[1], options=OPTIONS, own=own)
    door = Door(
        made_by=asked[0],
        reply=came.replies[0],
        found=came.found,
        broken=came.certified.broken[0] if came.certified is not None else (),
        claims_false_bound=bool(came.claims_false_bound[0]),
        own_objective=objective,
    )
    return answer(given, columns, came.stands, seconds, door=door)


def _folders(problems: list[Path], out: Path) -> list[Path]:
    if len(problems) == 1:
        return [out]
    names = [problem.resolve().name for problem in problems]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"several folders are called {', '.join(twice)}; their answers would share a folder."
        )
    return [out / name for name in names]


def _write(folder: Path, texts: Mapping[str, str | bytes]) -> None:
    """The files of an answer, all or none: a new folder appears complete; in one that is there the
    summary goes first and comes last."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, text in texts.items():
                (made / name).write_bytes(text if isinstance(text, bytes) else text.encode())
            if not folder.exists():
                made.chmod(0o755)
                made.rename(folder)
                return
            (folder / _SUMMARY).unlink(missing_ok=True)
            for name in texts:
                (made / name).replace(folder / name)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{folder} cannot be written ({reason}); give another --out.") from error


def _show(done: list[dict[str, Any]]) -> None:
    for entry in done:
        told = f"{entry['problem']}: {entry['status']}, {entry['n_trades']} trades"
        if entry["objective"] is not None and entry["gap_bps"] is not None:
            told += f", gap {entry['gap_bps']:.2f} bp, tracking error {entry['tracking_error']:.2%}"
        told += f" → {entry['out']}"
        output.console.print(told, markup=False, highlight=False, soft_wrap=True)
        for line in _door_lines(entry.get("door")):
            output.console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True, style="yellow")
        for line in entry["largest"]:
            output.console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True, style="dim")
        for one in entry["relaxed"]:
            told = f"  relaxed {one['constraint']} by {one['amount']:.6f}, at {one['price']:g} a unit"
            output.console.print(told, markup=False, highlight=False, style="yellow")
        for conflict in entry["conflict"]:
            for sentence in conflict["told"]:
                output.console.print(f"  {sentence}", markup=False, highlight=False, soft_wrap=True)


def _door_lines(door: Mapping[str, Any] | None) -> list[str]:
    """What to say of trades that are not the optimiser's own."""
    if door is None:
        return []
    lines = [f"it {rule}" for rule in door["broken"]]
    if door["found"]:
        lines.append(door["found"])
    if door["claims_false_bound"]:
        lines.append("it claims a bound above what trades cost that keep every rule; ours is used")
    if door["made_by"] == "file":
        return lines or ["the trades of the file keep every rule"]
    stands = "stands" if door["reply"] == "taken" else "does not stand: ours does"
    return [f"the answer of {door['made_by']} {stands} ({door['reply']})", *lines]
