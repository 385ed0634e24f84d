"""A proof as files: the facts, and the script that checks them without this program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from allotment.jobs import check_proof

PROOF, SCRIPT = "proof.json", "check_proof.py"


def write_proof(proof: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write both files into `folder`, made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    facts, script = folder / PROOF, folder / SCRIPT
    facts.write_text(json.dumps(proof, indent=1), "utf-8")
    script.write_text(Path(check_proof.__file__).read_text("utf-8"), "utf-8")
    return facts, script
