"""docs/reference/commands.md from the commands' own help.

``python tools/command_page.py`` writes it; a test compares.
"""

from __future__ import annotations

from pathlib import Path

import typer.main
from typer.core import TyperGroup

from allotment.cli.app import app

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "commands.md"
HEAD = """# Commands

Options that every command shares stand before the command: `allotment --firm NAME rebalance`.

| shared option | meaning |
|---|---|
"""
TAIL = """
## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | internal failure; the log has the details |
| 2 | bad use or input; the message says what to do |
| 3 | done, with exceptions to look at |

With `--json` stdout is one JSON object, errors included (`{"error": {"kind": …, "message": …}}`);
everything else goes to stderr.

Written by `python tools/command_page.py` from the commands' own help.
"""


def page() -> str:
    root = typer.main.get_command(app)
    return HEAD + rows(root) + "\n" + sections(root, "allotment") + TAIL


def rows(command: object) -> str:
    lines = []
    for option in command.params:  # type: ignore[attr-defined]
        names = ", ".join(f"`{name}`" for name in option.opts) or f"`{option.name}`"
        text = (getattr(option, "help", None) or "").strip()
        default = option.default
        shown = (
            f" Default: {default}." if default not in (None, False, (), []) and not callable(default) else ""
        )
        if "--help" not in names and "completion" not in names:
            lines.append(f"| {names} | {text}{shown} |")
    return "\n".join(lines) + "\n" if lines else ""


def sections(command: object, path: str) -> str:
    text = []
    for name, child in command.commands.items():  # type: ignore[attr-defined]
        full = f"{path} {name}"
        if isinstance(child, TyperGroup):
            text.append(sections(child, full))
            continue
        about = "\n".join(line.strip() for line in (child.help or "").splitlines()).strip()
        table = rows(child)
        text.append(
            f"## `{full}`\n\n{about}\n"
            + (f"\n| option or argument | meaning |\n|---|---|\n{table}" if table else "")
        )
    return "\n".join(text)


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(page())
