"""Machine code is kept in folders that follow the sources."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from allotment import compiled


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """loop.py imports step.py, which imports deep/base.py; other.py stands alone."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "loop.py").write_text("from allotment.step import (\n    one,\n)\nimport numpy\n")
    (tmp_path / "step.py").write_text("def f():\n    from allotment.deep import base\n")
    (tmp_path / "deep" / "base.py").write_text("x = 1\n")
    (tmp_path / "other.py").write_text("y = 1\n")
    monkeypatch.setattr(compiled, "_PACKAGE", tmp_path)
    return tmp_path


def folder_hash(module: str) -> str:
    for cached in (compiled._text, compiled._imported, compiled._file):
        cached.cache_clear()
    return compiled._hash(module)


def test_an_edit_below_names_another_folder(package: Path) -> None:
    before = folder_hash("allotment.loop")
    assert folder_hash("allotment.loop") == before
    for file in ("loop.py", "step.py", "deep/base.py"):
        (package / file).write_text((package / file).read_text() + "# edited\n")
        after = folder_hash("allotment.loop")
        assert after != before, file
        before = after


def test_imports_are_those_that_python_sees() -> None:
    """The quick reading of import lines against the parser's, for every module there is."""
    root = Path(compiled.__file__).parent
    for file in root.rglob("*.py"):
        wanted: set[Path | None] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("allotment"):
                wanted.add(compiled._file(str(node.module)))
                wanted |= {compiled._file(f"{node.module}.{name.name}") for name in node.names}
            elif isinstance(node, ast.Import):
                named = [name.name for name in node.names if name.name.startswith("allotment")]
                wanted |= {compiled._file(name) for name in named}
        assert wanted - {None, root / "__init__.py"} <= set(compiled._imported(file)), file


def test_an_edit_elsewhere_costs_nothing(package: Path) -> None:
    before = folder_hash("allotment.loop")
    (package / "other.py").write_text("y = 2\n")
    assert folder_hash("allotment.loop") == before


def test_kernels_are_kept_where_the_user_says(tmp_path: Path) -> None:
    code = "from allotment.units import mul_div; mul_div(1, 1, 1)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    (folder,) = tmp_path.glob("allotment.units-*")
    assert list(folder.rglob("*.nbi"))


def test_the_same_source_elsewhere_and_later_is_not_compiled_again(tmp_path: Path) -> None:
    """A copy of the package, its files newer, finds the machine code of the first."""
    package = Path(compiled.__file__).parent
    kept, copy = tmp_path / "kernels", tmp_path / "copy" / "allotment"
    copy.mkdir(parents=True)
    for name in ("__init__.py", "compiled.py", "units.py", "errors.py"):
        (copy / name).write_text((package / name).read_text())
    code = (
        "from allotment.units import mul_div as f; assert f(1, 1, 1) == 1; "
        "print(f.py_func.__code__.co_filename, sum(f.stats.cache_hits.values()))"
    )
    found = []
    for root in (package.parent, copy.parent):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(kept), "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.split())
    assert found[0] == [str(package / "units.py"), "0"]
    assert found[1] == [str(copy / "units.py"), "1"]


def test_a_kernel_runs_as_python_when_asked() -> None:
    code = "from allotment.units import mul_div; print(type(mul_div).__name__, mul_div(7, 1, 2))"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["function", "4"]
