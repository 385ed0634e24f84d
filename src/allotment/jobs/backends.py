"""Backends that are installed: the entry points of the group ``allotment.backends``."""

from __future__ import annotations

import shlex
from importlib.metadata import EntryPoint, entry_points

from allotment.errors import UsageError
from allotment.jobs.backend_process import as_backend
from allotment.optimize.backend import Backend, Command

GROUP = "allotment.backends"


def installed() -> dict[str, EntryPoint]:
    """Those that are there, by name; nothing of them is loaded yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find(name: str) -> Backend:
    """The backend of this name, ready to be asked. Raises UsageError."""
    known = installed()
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise UsageError(f"no backend {name!r} is installed; there are {there}.")
    try:
        made = known[name].load()
    except Exception as error:  # whatever a stranger's module raises while it is imported
        raise UsageError(f"the backend {name!r} cannot be loaded: {error}.") from error
    if isinstance(made, Command):
        return as_backend(made)
    if not callable(made):
        raise UsageError(f"the backend {name!r} is neither a callable nor a Command.")
    backend: Backend = made
    return backend


def command(line: str, seconds_max: float) -> Backend:
    """The program of a command line as a backend. Raises UsageError."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"the command {line!r} cannot be read: {error}.") from error
    if not words:
        raise UsageError("the command of the backend is empty.")
    return as_backend(Command(words, seconds_max))
