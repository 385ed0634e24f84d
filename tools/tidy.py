"""Are the tests tidy? A test file names a module, a test can fail, a skip says why.

``python tools/tidy.py`` prints each offence and exits 1 when there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "allotment"
TESTS = ROOT / "tests"
# Tests of a whole journey, or of the project itself, rather than of one module.
# Tests of several modules of one room at once.
ACROSS = {
    "test_against_exact.py",
    "test_against_statute.py",
    "test_always_an_answer.py",
    "test_corporate_action.py",
    "test_isolation.py",
    "test_known_mistakes.py",
    "test_ledger_nonsense.py",
    "test_migrations.py",
    "test_published_examples.py",
    "test_same_bits.py",
}
ELSEWHERE = (TESTS / "journeys", TESTS / "project")


def offences() -> Iterator[str]:
    for file in sorted(TESTS.rglob("test_*.py")):
        place = file.relative_to(ROOT)
        tree = ast.parse(file.read_text(), str(file))
        if file.name not in ACROSS and not set(ELSEWHERE) & set(file.parents):
            yield from misplaced(file, place)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield from empty_test(node, place)
            if isinstance(node, ast.Call):
                yield from silent_skip(node, place)


def misplaced(file: Path, place: Path) -> Iterator[str]:
    """A test file carries the name of the module that it tests, in the same room."""
    room = file.parent.relative_to(TESTS)
    name = file.stem.removeprefix("test_")
    known = [SOURCE / room / f"{name}.py", SOURCE / room / name, ROOT / "tools" / f"{name}.py"]
    if not any(path.exists() for path in known):
        yield f"{place}: there is no module {room / name}; name the file after what it tests"


def empty_test(node: ast.FunctionDef, place: Path) -> Iterator[str]:
    """A test asserts, expects an error, or calls a checker whose name says so."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert):
            return
        if isinstance(inner, ast.Call):
            called = ast.unparse(inner.func).rsplit(".", 1)[-1]
            if called in {"raises", "warns", "fail"} or called.startswith(
                ("check", "assert", "expect", "same", "_check", "_assert", "_expect")
            ):
                return
    yield f"{place}:{node.lineno}: {node.name} cannot fail: it asserts nothing"


def silent_skip(node: ast.Call, place: Path) -> Iterator[str]:
    called = ast.unparse(node.func)
    if called in {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}:
        reasons = [k for k in node.keywords if k.arg == "reason"]
        if not reasons and not (called == "pytest.skip" and node.args):
            yield f"{place}:{node.lineno}: {called} without a reason"


def main() -> int:
    found = list(offences())
    for offence in found:
        print(offence)
    print(f"tidy: {len(found)} offence(s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
