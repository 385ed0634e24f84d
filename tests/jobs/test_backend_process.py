"""Programs that answer well, badly, too late, too much, or not at all."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from allotment.jobs.backend_process import as_backend
from allotment.optimize import Solutions, solve_batch
from allotment.optimize.backend import Command, Considered, Reply, consider
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world

EXAMPLE = Path(__file__).parents[2] / "docs" / "reference" / "backend-example" / "nearer.py"
Asked = Callable[..., Considered]
# Reads the problems, and writes whatever `sold`, `bought`, `more` and the options say.
HONEST = """
    import sys, numpy as np, pyarrow as pa
    (row,) = pa.ipc.open_stream(sys.stdin.buffer).read_all().to_pylist()
    sold, bought, more = np.zeros(len(row["lot_weight"])), np.zeros(len(row["held"])), {{}}
    options, times = None, 1
    {change}
    answer = {{"sold": pa.array([list(sold)]), "bought": pa.array([list(bought)]), **more}}
    answer = pa.record_batch(answer)
    with pa.ipc.new_stream(sys.stdout.buffer, answer.schema, options=options) as stream:
        for _ in range(times):
            stream.write_batch(answer)
"""


@pytest.fixture(scope="module")
def solved():
    rng = np.random.default_rng(3)
    world = synthetic_world(40, 3, rng)
    profile = PROFILE_A._replace(n_names=40, n_lots=80, n_factors=3, cash_band=(0.0, 0.01))
    problems = synthetic_problems(world, profile, 2, rng)
    return world.market, problems, solve_batch(world.market, problems)


@pytest.fixture
def asked(solved, tmp_path: Path) -> Asked:
    """Ask a Python program, given by its text."""
    market, problems, own = solved

    def ask(program: str, seconds_max: float = 60.0) -> Considered:
        file = tmp_path / "backend.py"
        file.write_text(textwrap.dedent(program))
        backend = as_backend(Command((sys.executable, str(file)), seconds_max))
        return consider(market, problems, backend, own=own)

    return ask


def assert_ours(made: Considered, reply: Reply, found: str) -> None:
    assert set(made.replies) == {reply}, made
    assert found in made.found
    assert made.certified is None
    for column in Solutions._fields:
        np.testing.assert_array_equal(getattr(made.stands, column), getattr(made.own, column), column)


def test_the_example_of_the_documentation_is_certified_and_stands(solved) -> None:
    market, problems, own = solved
    made = consider(market, problems, as_backend(Command((sys.executable, str(EXAMPLE)))), own=own)
    assert made.replies == (Reply.TAKEN, Reply.TAKEN)
    assert (made.stands.gap > own.gap + 1e-4).all()  # it knows no tax
    assert (made.stands.objective < own.hold_objective).all()


def test_a_claim_crosses_and_is_compared(asked: Asked) -> None:
    made = asked(HONEST.format(change='more = {"bound": pa.array([[1.0, -1.0]])}'))
    assert made.claims_false_bound.tolist() == [True, False]
    assert made.replies == (Reply.TAKEN, Reply.TAKEN)  # to hold is lawful


@pytest.mark.parametrize(
    ("change", "reply"),
    [
        ("bought[0] = float('nan')", Reply.BREAKS_RULES),
        ("bought[:] = -1e-3", Reply.BREAKS_RULES),
        ("sold[:] = np.array(row['lot_weight']) * 2", Reply.BREAKS_RULES),
        ("sold[:] = row['lot_weight']", Reply.DEARER),
    ],
)
def test_trades_that_break_rules_or_ruin_do_not_stand(asked: Asked, change: str, reply: Reply) -> None:
    made = asked(HONEST.format(change=change))
    assert made.replies[0] == reply
    np.testing.assert_array_equal(made.stands.sold[:40], made.own.sold[:40])
    assert made.stands.gap[0] == made.own.gap[0]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("sold = sold[:-1]", "sold has shape"),
        ("sold = [None] * len(sold) + [1.0]", "sold has shape"),
        ("sold = sold.astype(int)", "is list<item: int64>"),
        ("sold = ['much']", "is list<item: string>"),
        ("more = {'profit': pa.array([1.0])}", "unknown column 'profit'"),
        ("more = {'bound': pa.array([None], pa.list_(pa.float64()))}", "'bound' is null"),
        ("times = 0", "no record batch"),
        ("options = pa.ipc.IpcWriteOptions(compression='zstd')", "compressed"),
    ],
)
def test_answers_of_another_form_are_garbage(asked: Asked, change: str, found: str) -> None:
    assert_ours(asked(HONEST.format(change=change)), Reply.GARBAGE, found)


@pytest.mark.parametrize(
    ("program", "reply", "found"),
    [
        ("pass", Reply.GARBAGE, "no Arrow stream"),
        ("print('I could not')", Reply.GARBAGE, "no Arrow stream"),
        ("import os, sys; sys.stdout.buffer.write(os.urandom(5000))", Reply.GARBAGE, "no Arrow stream"),
        (
            "import os; os.write(1, b'\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7f' * 9)",
            Reply.GARBAGE,
            "no Arrow",
        ),
        ("raise ValueError('no licence')", Reply.FAILED, "ended with 1: ValueError: no licence"),
        ("import sys; sys.exit(7)", Reply.FAILED, "ended with 7: and said nothing"),
        ("import os; os.abort()", Reply.FAILED, "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Reply.FAILED, "SIGSEGV"),
        ("import os\nwhile True: os.write(1, b'x' * 4096)", Reply.GARBAGE, "wrote more than"),
    ],
)
def test_programs_that_end_badly_are_told(asked: Asked, program: str, reply: Reply, found: str) -> None:
    assert_ours(asked(program), reply, found)


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(600)",
        "import os, time; os.close(1); os.close(2); time.sleep(600)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
        "import os\nwhile True: os.write(2, b'still thinking\\n')",
    ],
)
def test_a_program_that_hangs_is_ended(asked: Asked, program: str) -> None:
    assert_ours(asked(program, 1.0), Reply.TIMED_OUT, "more than 1 s")


def test_what_a_program_started_is_ended_with_it(asked: Asked, tmp_path: Path) -> None:
    """It leaves a child behind that holds the pipes open; the answer is read, the child is gone."""
    note = tmp_path / "child"
    child = f"""
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open({str(note)!r}, "w").write(str(child.pid))
    """
    made = asked(HONEST.format(change="") + child)
    assert made.replies == (Reply.TAKEN, Reply.TAKEN)
    pid = int(note.read_text())
    for _ in range(200):
        if not is_running(pid):
            break
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """A zombie that its new parent has not yet buried does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_our_secrets_do_not_stand_in_its_environment(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOTMENT_DATABASE_URL", "postgresql://hush-hush")
    monkeypatch.setenv("PGPASSWORD", "hush-hush")
    made = asked("import os, sys; sys.exit(3 if 'hush-hush' in str(os.environ) else 4)")
    assert "ended with 4" in made.found


def test_a_program_that_is_not_there_is_told(solved) -> None:
    market, problems, own = solved
    made = consider(market, problems, as_backend(Command(("/no/such/program",))), own=own)
    assert_ours(made, Reply.FAILED, "cannot be started")
