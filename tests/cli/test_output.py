"""What commands print, for people and for programs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from allotment.cli import output
from allotment.errors import BadFileError, BadRow, InvariantError, UsageError


def test_json_knows_no_infinity(capsys) -> None:
    output.emit({"a": float("inf"), "b": [float("nan"), 1.5]}, as_json=True, show=lambda: None)
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (BadFileError([BadRow("f", 2, "c", "x", "y")]), 2),
        (InvariantError("x"), 1),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_exit_codes(error: Exception, code: int, capsys) -> None:
    assert output.fail(error, as_json=True) == code
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == type(error).__name__


def test_a_log_line_is_json_with_its_run(tmp_path: Path) -> None:
    output.start_log(tmp_path, "info")
    logging.getLogger("allotment").info("step done", extra={"run": 7})
    line = json.loads((tmp_path / "allotment.log").read_text())
    assert (line["message"], line["run"], line["level"]) == ("step done", 7, "info")


def test_a_defect_leaves_its_traceback(tmp_path: Path) -> None:
    output.start_log(tmp_path, "warning")
    try:
        raise ValueError("odd")
    except ValueError as error:
        output.log_failure(error)
    assert "ValueError: odd" in json.loads((tmp_path / "allotment.log").read_text())["traceback"]
