"""What commands print: one JSON object on stdout, or text for people; errors on stderr."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from allotment.errors import AllotmentError

console = Console()
errors = Console(stderr=True)
_log = logging.getLogger("allotment")

Advance = Callable[[str, int, int], None]  # (what is being done, done, total)


def emit(result: Mapping[str, Any], *, as_json: bool, show: Callable[[], None]) -> None:
    """Print the result: as one JSON object (a figure that is no number is null), or by calling `show`."""
    if as_json:
        sys.stdout.write(json.dumps(_finite(result), indent=2, default=str, allow_nan=False) + "\n")
    else:
        show()


def _finite(value: Any) -> Any:
    """The same with None for infinities and not-a-number, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def fail(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong; returns the exit code."""
    code = error.exit_code if isinstance(error, AllotmentError) else 1
    text = str(error) or type(error).__name__
    if as_json:
        sys.stdout.write(json.dumps({"error": {"kind": type(error).__name__, "message": text}}) + "\n")
    if isinstance(error, AllotmentError | KeyboardInterrupt):
        errors.print(text, style="bold red", markup=False, highlight=False)
    elif not as_json:
        errors.print(f"internal failure ({type(error).__name__}): {text}", style="bold red", markup=False)
        errors.print("The log has the details: `allotment config show` names its place.", markup=False)
    return code


def misused(error: Exception, *, as_json: bool) -> int:
    """Say that the command line cannot be read; returns the exit code."""
    text = str(error)
    if as_json:
        sys.stdout.write(json.dumps({"error": {"kind": "UsageError", "message": text}}) + "\n")
    errors.print(f"{text}\n`allotment --help` lists the commands.", markup=False, highlight=False)
    return 2


def log_failure(error: BaseException) -> None:
    """Keep the traceback of a defect in the log."""
    _log.exception("internal failure", exc_info=error)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Advance]:
    """A bar on stderr for work that may take longer than two seconds.

    Yields ``advance(what, done, total)``; a new `what` starts a new bar.
    """
    if quiet or not errors.is_terminal:
        yield lambda _what, _done, _total: None
        return
    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bars:
        known: dict[str, Any] = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield advance


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, and the fields run, firm, account."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        for name in ("run", "firm", "account", "step"):
            if hasattr(record, name):
                line[name] = getattr(record, name)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start_log(folder: Path, level: str) -> None:
    """Structured log lines into ``folder/allotment.log``, a fresh file every 10 MB, five kept."""
    from logging.handlers import RotatingFileHandler

    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / "allotment.log", maxBytes=10_000_000, backupCount=5, delay=True)
    handler.setFormatter(_JsonLines())
    _log.handlers[:] = [handler]
    _log.propagate = False
    _log.setLevel(level.upper())
