"""The pages of the law name what is there, and leave no rule unnamed."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAW = ROOT / "docs" / "law"
# The rules that the working list counts; those of corporate actions and transfers go by their names.
COUNTED = {"L": 9, "D": 9, "WS": 19, "N": 5, "Q": 8}
REASONS = ("not yet: ", "left out: ")
PLAIN = {"index.md", "rules.md", "examples.md"}

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("ALLOTMENT_TEST_INSTALLED")),
    reason="the sources are not there when the wheel is tested",
)


def rows() -> list[list[str]]:
    lines = (LAW / "rules.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return cells[2:]


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_rule_stands_in_the_table_once() -> None:
    ids = [row[0] for row in rows()]
    assert len(ids) == len(set(ids))
    wanted = {f"{letter}-{i}" for letter, n in COUNTED.items() for i in range(1, n + 1)}
    assert wanted <= set(ids)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_rule_names_a_module_and_a_test_that_are_there(row: list[str]) -> None:
    _, _, label, module, test = row
    assert label in {"P", "S", "M", "own"}
    if not module:
        assert test.startswith(REASONS)
        return
    path = module.strip("`").replace(".", "/")
    assert (ROOT / "src" / "allotment" / f"{path}.py").exists(), module
    file, _, name = test.strip("`").partition("::")
    assert (ROOT / file).exists(), test
    assert name == "*" or name in functions(ROOT / file), test


@pytest.mark.parametrize("page", sorted(LAW.glob("*.md")), ids=lambda page: page.name)
def test_a_page_names_law_modules_tests_and_what_is_left_out(page: Path) -> None:
    if page.name in PLAIN:
        return
    text = page.read_text()
    for word in ("Law", "Module", "Test", "Left out"):
        assert re.search(rf"\*\*{word}s?\.?\*\*", text), f"{page.name} does not tell its {word.lower()}"
    assert re.search(r"\[[PSM]\]|own", text), f"{page.name} has no label"
    for name in re.findall(r"`(tests/[\w/]+\.py)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`((?:tax|feeds|ledger)\.[a-z_0-9]+)`", text):
        assert (ROOT / "src" / "allotment" / f"{name.replace('.', '/')}.py").exists(), name
