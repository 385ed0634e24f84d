"""What every room's tests may use: a database server of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from allotment.settings import Settings

# CI tries the same examples each time; a person's run looks for new ones.
hypothesis_settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis_settings.load_profile("ci")


@pytest.fixture(scope="session")
def database_home() -> Iterator[Path]:
    """A data folder (ALLOTMENT_HOME) for the session; its server is stopped at the end.

    Not pytest's own folder: that one is closed to the user who runs the server when we are root.
    """
    from allotment.store.server import Server

    home = Path(tempfile.mkdtemp(prefix="allotment-test-"))
    home.chmod(0o755)
    yield home
    Server(home).stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def settings(database_home: Path) -> Settings:
    """Settings of that folder, whatever the environment of the tester says."""
    return Settings(home=database_home)
