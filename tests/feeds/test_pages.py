from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from allotment.errors import BadRow
from allotment.feeds.entitlement_file import ENTITLEMENTS
from allotment.feeds.pages import index_page, page
from allotment.feeds.schemas import SCHEMAS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference" / "files"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_page_is_what_the_schema_says(kind: str) -> None:
    """Mend by `python tools/file_pages.py`."""
    assert (FOLDER / f"{kind.replace('_', '-')}.md").read_text() == page(SCHEMAS[kind])


def test_the_page_of_entitlements_too() -> None:
    assert (FOLDER / "entitlements.md").read_text() == page(ENTITLEMENTS)


def test_the_list_of_pages_too() -> None:
    assert (FOLDER / "index.md").read_text() == index_page(SCHEMAS)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_example_on_the_page_is_a_sound_row(
    kind: str, mistakes: Callable[[str, str | bytes], list[BadRow]]
) -> None:
    example = page(SCHEMAS[kind]).split("```csv\n")[1].split("```")[0]
    assert len(next(csv.reader(example.splitlines()))) == len(SCHEMAS[kind].columns)
    found = [bad for bad in mistakes(kind, example) if "sum to" not in bad.found]
    assert found == []


def test_every_needed_kind_exists_and_comes_before() -> None:
    order = list(SCHEMAS)
    for kind, schema in SCHEMAS.items():
        assert all(order.index(needed) < order.index(kind) for needed in schema.needs)


def test_the_tool_writes_these_pages() -> None:
    spec = importlib.util.spec_from_file_location("file_pages", ROOT / "tools" / "file_pages.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert set(tool.pages()) == {FOLDER / "index.md", FOLDER / "entitlements.md"} | {
        FOLDER / f"{kind.replace('_', '-')}.md" for kind in SCHEMAS
    }
