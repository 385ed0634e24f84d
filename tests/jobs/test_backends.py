"""Backends are found by their entry points."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from allotment.errors import UsageError
from allotment.jobs import backends

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with four entry points."""
    facts = tmp_path / "strange-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[allotment.backends]\nown = strange:ask\nprogram = strange:PROGRAM\nnumber = strange:NUMBER\n"
        "missing = strange_extra:ask\n"
    )
    (tmp_path / "strange.py").write_text(
        "from allotment.optimize.backend import Command\n"
        "def ask(market, problems, options): return None\n"
        "PROGRAM = Command(('true',), 5.0)\nNUMBER = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    return tmp_path


def test_callables_and_commands_are_found(package: Path) -> None:
    assert {"own", "program", "number", "missing"} <= set(backends.installed())
    assert backends.find("own").__module__ == "strange"
    assert callable(backends.find("program"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "no backend 'nobody' is installed; there are .*own, program"),
        ("missing", "cannot be loaded: No module named 'strange_extra'"),
        ("number", "neither a callable nor a Command"),
    ],
)
def test_what_cannot_be_used_is_told(package: Path, name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        backends.find(name)


@pytest.mark.parametrize("line", ["", "   ", "run 'unclosed"])
def test_a_command_line_that_is_none_is_told(line: str) -> None:
    with pytest.raises(UsageError):
        backends.command(line, 1.0)


@pytest.mark.skipif(not PROJECT.exists(), reason="the project file is not there when the wheel is tested")
def test_our_own_two_are_registered_and_can_be_loaded() -> None:
    for library in ("cvxpy", "pyscipopt"):
        pytest.importorskip(library)
    points = tomllib.loads(PROJECT.read_text())["project"]["entry-points"][backends.GROUP]
    assert set(points) == {"cvxpy", "scip"}
    for name, place in points.items():
        assert callable(EntryPoint(name, place, backends.GROUP).load())
