"""A backend that is a program of its own: started, fed, timed, and ended whatever it does.

It runs in a process group of its own, which is killed at the end with all that it started. Its
standard input is a file, so that it need not read; what it writes is counted while it comes. Our
own settings and the database's do not stand in its environment. POSIX only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Callable
from time import monotonic, sleep
from typing import NamedTuple

from allotment.jobs.backend_wire import read_trades, size_most, write_problems
from allotment.optimize.backend import Backend, BackendError, Command, Proposed, Reply
from allotment.optimize.problem import Market, Problems, SolveOptions

_TICK_SECONDS = 0.02
_CHUNK = 1 << 16
_COMPLAINT = 2000  # bytes kept of what it writes to standard error
_OURS = ("ALLOTMENT_", "PG")  # secrets of ours begin with these


class _Written(NamedTuple):
    answer: bytes
    complaint: str  # the end of its standard error
    code: int  # negative: ended by that signal


def as_backend(command: Command, clock: Callable[[], float] = monotonic) -> Backend:
    """The program as a backend like any other. clock: seconds that only grow."""

    def ask(market: Market, problems: Problems, options: SolveOptions) -> Proposed:
        asked = write_problems(market, problems, options)
        written = _run(command, asked, size_most(problems), clock)
        if written.code:
            raise BackendError(Reply.FAILED, _ending(written))
        return read_trades(written.answer)

    return ask


def _run(command: Command, asked: bytes, bytes_most: int, clock: Callable[[], float]) -> _Written:
    deadline = clock() + command.seconds_max
    with tempfile.TemporaryFile() as given:
        given.write(asked)
        given.seek(0)
        try:
            process = subprocess.Popen(
                command.words,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            found = f"{' '.join(command.words)!r} cannot be started: {error}"
            raise BackendError(Reply.FAILED, found) from error
    with process:
        try:
            answer, complaint = _collect(process, deadline, bytes_most, command.seconds_max, clock)
        finally:
            # The group keeps its number until its leader is waited for, which leaving `with` does.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    return _Written(answer, complaint, process.returncode)


def _collect(
    process: subprocess.Popen[bytes],
    deadline: float,
    bytes_most: int,
    seconds_max: float,
    clock: Callable[[], float],
) -> tuple[bytes, str]:
    """What it writes until it ends. Raises BackendError if that takes too long or is too much."""
    assert process.stdout is not None
    assert process.stderr is not None
    answer, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ, answer)
        ready.register(process.stderr, selectors.EVENT_READ, complaint)
        ended = False
        while True:
            events = ready.select(0.0 if ended else _TICK_SECONDS) if ready.get_map() else []
            for key, _ in events:
                part = os.read(key.fd, _CHUNK)
                key.data.extend(part)
                if not part:
                    ready.unregister(key.fileobj)
            del complaint[:-_COMPLAINT]
            if len(answer) > bytes_most:
                raise BackendError(Reply.GARBAGE, f"it wrote more than {bytes_most} bytes")
            # A child of its own may keep the pipes open: its end counts, not theirs.
            if ended and not events:
                return bytes(answer), complaint.decode(errors="replace").strip()
            ended = _has_ended(process.pid)
            if not ended and clock() > deadline:
                raise BackendError(Reply.TIMED_OUT, f"it took more than {seconds_max:g} s and was ended")
            if not ended and not ready.get_map():
                sleep(_TICK_SECONDS)


def _has_ended(pid: int) -> bool:
    """Without waiting for it, so that its number stays taken."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _ending(written: _Written) -> str:
    last = written.complaint.splitlines()[-1][:300] if written.complaint else "and said nothing"
    if written.code > 0:
        return f"it ended with {written.code}: {last}"
    try:
        name = signal.Signals(-written.code).name
    except ValueError:
        name = str(-written.code)
    return f"it was ended by {name}: {last}"
