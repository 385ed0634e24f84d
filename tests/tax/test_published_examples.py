"""Every published example of the regulations, rulings, Publication 550 and the instructions, by name.

The ledgers and figures stand in docs/law/examples; `tools/law_examples.py` runs them through
`allotment tax replay` and writes docs/law/examples.md.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEDGERS = ROOT / "docs" / "law" / "examples"

if os.environ.get("ALLOTMENT_TEST_INSTALLED"):
    pytest.skip("the pages are not there when the wheel is tested", allow_module_level=True)

LISTED: dict[str, Any] = tomllib.loads((LEDGERS / "expected.toml").read_text())
# Worked examples of tax_rules §§2, 4, 5.2, 5.4, 8 and 9: none of them may be dropped.
WANTED = {
    "pub-550-wash-1", "reg-1091-1-h-1", "reg-1091-1-h-2", "reg-1091-1-h-3", "pub-550-same-day-blocks",
    "rev-rul-2008-5", "rev-rul-56-602", "reg-1091-2-a", "own-reinvested-dividend", "own-ira-after-taxable",
    "own-short-turns-long", "own-one-lot-two-losses", "rev-rul-66-97", "caspe", "own-residue", "irc-301-c",
    "pub-550-rights", "irc-307-a-preferred", "rev-rul-66-365", "rev-rul-68-23", "irc-1015-a",
}  # fmt: skip


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("law_examples", ROOT / "tools" / "law_examples.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["law_examples"] = module  # its records look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def replayed(pages: ModuleType) -> dict[str, Any]:
    return {example.name: example for example in pages.examples()}


@pytest.mark.parametrize("name", LISTED)
def test_a_published_example_comes_out_as_published(name: str, replayed: dict[str, Any]) -> None:
    example = replayed[name]
    assert example.figures
    for figure in example.figures:
        assert figure.ours == figure.expected, f"{example.title} ({example.source}): {figure.what}"


def test_what_is_no_ledger_comes_out_as_published(pages: ModuleType) -> None:
    """The carryover worksheet, the tax of 2026, the days of the dividend test."""
    for source, figure in pages.year_figures():
        assert figure.ours == figure.expected, f"{figure.what} ({source})"


def test_no_worked_example_is_missing_and_each_has_its_source() -> None:
    assert set(LISTED) >= WANTED
    assert {file.stem for file in LEDGERS.glob("*.json")} == set(LISTED)
    for name, facts in LISTED.items():
        assert any(label in facts["source"] for label in ("[P]", "[S]", "[M]", "own")), name


def test_the_page_is_what_the_tool_writes(pages: ModuleType) -> None:
    assert pages.FILE.read_text() == pages.page(), "run `python tools/law_examples.py`"
