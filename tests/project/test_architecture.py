"""ARCHITECTURE.md tells the truth: its paths exist, and no room is missing from it."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
SOURCE = ROOT / "src" / "allotment"

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("ALLOTMENT_TEST_INSTALLED")),
    reason="the sources are not there when the wheel is tested",
)


def test_every_path_exists() -> None:
    paths = re.findall(r"`(src/[^`]+|docs/[^`]+)`", TEXT)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_room_is_named() -> None:
    rooms = [
        p
        for p in SOURCE.iterdir()
        if (p.suffix == ".py" and p.stem != "__init__") or (p / "__init__.py").exists()
    ]
    assert [p.name for p in rooms if f"src/allotment/{p.name}" not in TEXT] == []


def test_one_page() -> None:
    assert len(TEXT.splitlines()) < 70
