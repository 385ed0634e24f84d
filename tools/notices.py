"""THIRD_PARTY.md: the packages that the program runs on, with their licences.

``python tools/notices.py`` writes it from the installed packages.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "THIRD_PARTY.md"


def closure(root: str) -> list[str]:
    """Names of all packages that `root` needs at run time, its extras included, sorted."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another platform or Python
        if name in found:
            continue
        found.add(name)
        for need in needs:
            if "extra ==" in need and name != root:
                continue
            match = re.match(r"[A-Za-z0-9._-]+", need)
            if match:
                waiting.append(match.group().lower().replace("_", "-"))
    return sorted(found - {root})


def licence(name: str) -> str:
    facts = distribution(name).metadata
    classifiers = [
        c.rsplit(" :: ", 1)[-1] for c in facts.get_all("Classifier") or [] if c.startswith("License ::")
    ]
    text = (
        facts.get("License-Expression") or ", ".join(classifiers) or (facts.get("License") or "see package")
    )
    return text.splitlines()[0][:60]


def page() -> str:
    rows = "\n".join(f"| {name} | {licence(name)} |" for name in closure("allotment"))
    return (
        "# Third-party notices\n\n"
        "Allotment runs on these packages; each keeps its own licence, whose text is in the package.\n"
        "Written by `python tools/notices.py`.\n\n"
        "| package | licence |\n|---|---|\n" + rows + "\n"
    )


if __name__ == "__main__":
    FILE.write_text(page())
