"""Write the reference pages of the import files from their schemas; a test compares them."""

from __future__ import annotations

from pathlib import Path

from allotment.feeds.entitlement_file import ENTITLEMENTS
from allotment.feeds.pages import index_page, page
from allotment.feeds.schemas import SCHEMAS

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "files"


def pages() -> dict[Path, str]:
    """Every page with its text."""
    made = {FOLDER / f"{kind.replace('_', '-')}.md": page(schema) for kind, schema in SCHEMAS.items()}
    made[FOLDER / "entitlements.md"] = page(ENTITLEMENTS)
    return {FOLDER / "index.md": index_page(SCHEMAS), **made}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        print(path)
