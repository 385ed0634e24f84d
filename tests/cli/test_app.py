"""The frame of the command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def allotment(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("allotment"))
    environment = {**os.environ, "ALLOTMENT_HOME": str(home)}
    return subprocess.run([program, *words], env=environment, capture_output=True, text=True, timeout=120)


def test_settings_show_their_source(tmp_path: Path) -> None:
    done = allotment(tmp_path, "--firm", "mine", "config", "show", "--json")
    shown = json.loads(done.stdout)
    assert shown["firm"] == {"value": "mine", "source": "flag"}
    assert shown["home"]["source"] == "ALLOTMENT_HOME"


def test_a_wrong_command_ends_with_two(tmp_path: Path) -> None:
    done = allotment(tmp_path, "rebalanse")
    assert done.returncode == 2
    assert "rebalance" in done.stderr
    assert done.stdout == ""


def test_a_wrong_command_under_json_is_one_object(tmp_path: Path) -> None:
    done = allotment(tmp_path, "explain", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "UsageError"


def test_a_bad_setting_ends_with_two_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "allotment.toml").write_text("colour = 'red'")
    done = allotment(tmp_path, "config", "show")
    assert done.returncode == 2
    assert "known are" in done.stderr
