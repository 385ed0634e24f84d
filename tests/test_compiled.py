"""The folder of compiled kernels follows the sources."""

import os
import subprocess
import sys
from pathlib import Path

from allotment import compiled


def test_an_edit_anywhere_names_another_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "compiled.py").write_text("")
    (tmp_path / "deep").mkdir()
    other = tmp_path / "deep" / "other.py"
    other.write_text("x = 1")
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
    before = compiled._source_hash()
    assert compiled._source_hash() == before
    other.write_text("x = 2")
    assert compiled._source_hash() != before


def test_the_folder_is_set_before_numba_is_imported(tmp_path: Path) -> None:
    code = "import allotment, numba, os; print(numba.config.CACHE_DIR == os.environ['NUMBA_CACHE_DIR'])"
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {
        "XDG_CACHE_HOME": str(tmp_path)
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


def test_a_kernel_runs_as_python_when_asked() -> None:
    code = "from allotment.units import mul_div; print(type(mul_div).__name__, mul_div(7, 1, 2))"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["function", "4"]
