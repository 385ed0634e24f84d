"""``allotment optimize``: problems as folders of files in, certified trades by lot out; no database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allotment.cli import output
from allotment.errors import BadFileError, BadRow, UsageError

if TYPE_CHECKING:
    from allotment.feeds.problem_answer import Answer

_SUMMARY = "summary.json"


def optimize(
    problems: Annotated[list[Path], typer.Argument(help="Problem folders, one account each.")],
    out: Annotated[Path, typer.Option(help="Folder for the answer; several problems get one folder each.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Decide accounts given as files: trades by lot, with reasons and a proof of how good they are.

    A folder with mistakes is refused whole and nothing of it is written; the others are done.
    Ends with 3 when a limit could not be met: the summary says which, by how much, at which price.
    """
    folders = _folders(problems, out)
    mistakes: list[BadRow] = []
    done: list[dict[str, Any]] = []
    with output.progress(quiet=as_json) as advance:
        for at, (problem, folder) in enumerate(zip(problems, folders, strict=True)):
            advance("Optimising", at, len(problems))
            try:
                found = _solved(problem)
            except BadFileError as error:
                mistakes += error.rows
                continue
            from allotment.feeds.problem_summary import files, summary

            _write(folder, files(found))
            done.append({"problem": str(problem), "out": str(folder)} | summary(found))
        advance("Optimising", len(problems), len(problems))
    if mistakes:
        raise BadFileError(mistakes)
    output.emit({"problems": done}, as_json=as_json, show=lambda: _show(done))
    if any(entry["status"] != "solved" for entry in done):
        raise typer.Exit(3)


def _solved(folder: Path) -> Answer:
    from allotment.feeds.problem_answer import answer
    from allotment.feeds.problem_columns import OPTIONS, problem_columns
    from allotment.feeds.problem_folder import read_problem
    from allotment.optimize.solution import Fault, Status
    from allotment.optimize.solve import solve_batch, solve_one

    given = read_problem(folder)
    columns = problem_columns(given)
    solve_batch(columns.market, columns.problem.problems(0, 0))  # loads the kernels, which is not timed
    started = perf_counter()
    solution = solve_one(columns.market, columns.problem, options=OPTIONS)
    seconds = perf_counter() - started
    if solution.status[0] == Status.INVALID:
        fault = Fault(int(solution.fault[0])).name.lower()
        found = f"the numbers of an input ({fault}) are beyond what can be worked with"
        raise BadFileError([BadRow(str(folder), 0, "", found, "look for one that is far too large or small")])
    return answer(given, columns, solution, seconds)


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


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """The files of an answer, all or none: a new folder appears complete; in one that is there the
    summary goes first and comes last."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, text in texts.items():
                (made / name).write_text(text, encoding="utf-8")
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
        if entry["objective"] is not None:
            told += f", gap {entry['gap_bps']:.2f} bp, tracking error {entry['tracking_error']:.2%}"
        told += f" → {entry['out']}"
        output.console.print(told, markup=False, highlight=False, soft_wrap=True)
        for one in entry["relaxed"]:
            told = f"  relaxed {one['constraint']} by {one['amount']:.6f}, at {one['price']:g} a unit"
            output.console.print(told, markup=False, highlight=False, style="yellow")
