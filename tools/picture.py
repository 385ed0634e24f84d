"""docs/assets/demo.svg: what `make demo` shows, drawn from a real run.

``python tools/picture.py`` writes it; the world is the demo's default one.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from allotment.cli import output
from allotment.store.server import Server

FILE = Path(__file__).resolve().parent.parent / "docs" / "assets" / "demo.svg"


def main() -> None:
    output.console = Console(record=True, width=98, file=io.StringIO(), force_terminal=True)
    from allotment.cli.app import app

    with TemporaryDirectory(prefix="allotment-picture-") as home:
        output.console.print("[bold]$ make demo[/]")
        app(["--home", home, "demo"], standalone_mode=False)
        output.console.print("\n[bold]$ allotment explain A000159 --rows 8[/]", highlight=False)
        app(["--home", home, "explain", "A000159", "--rows", "8"], standalone_mode=False)
        Server(Path(home)).stop()
    drawn = output.console.export_svg(title="Allotment")
    # The fonts that Rich names would be fetched from elsewhere; the reader's own will do.
    FILE.write_text(re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    main()
