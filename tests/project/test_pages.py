"""Pages that a tool writes are the pages that are committed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("ALLOTMENT_TEST_INSTALLED")),
    reason="the sources are not there when the wheel is tested",
)


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_page_is_the_commands_own_help() -> None:
    made = tool("command_page")
    assert made.FILE.read_text() == made.page(), "run `python tools/command_page.py`"
