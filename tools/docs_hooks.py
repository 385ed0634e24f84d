"""A hook of the documentation build: the plotting script comes from the installed Plotly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    files.append(File.generated(config, "assets/plotly.min.js", content=script.read_bytes()))
    return files
