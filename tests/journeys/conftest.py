"""One small demo world, built by the command line once for all journeys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ACCOUNTS = 150


@pytest.fixture(scope="session")
def journey_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def allotment(journey_home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `allotment …` as a user would."""

    def run(*words: str, threads: int = 2) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("allotment")), "--threads", str(threads), *words]
        environment = {**os.environ, "ALLOTMENT_HOME": str(journey_home), "COLUMNS": "120"}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL
        )

    yield run
    run("db", "stop")


@pytest.fixture(scope="session")
def demo(allotment) -> dict[str, Any]:
    """The summary of `allotment demo --json`."""
    done = allotment("demo", "--accounts", str(ACCOUNTS), "--seed", "3", "--json")
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout)
