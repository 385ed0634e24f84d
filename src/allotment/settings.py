"""Settings: defaults < ALLOTMENT_HOME/allotment.toml < environment < command-line flags.

`allotment config show` names the source of each value. Secrets are no settings: they come from
the environment, a file of mode 0600 or the keyring, and never reach the database, a log or JSON.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import platformdirs

from allotment.errors import UsageError

_HOME_VARIABLE = "ALLOTMENT_HOME"
_FILE = "allotment.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a command runs with. `sources` names, per field, where its value came from."""

    home: Path
    database_url: str = ""  # empty: the embedded server in `home`
    firm: str = ""  # empty: the firm used last
    actor: str = "local"
    threads: int = 0  # 0: one per core
    log_level: str = "warning"
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_threads(self) -> int:
        """Threads for compiled batch work."""
        return self.threads or os.cpu_count() or 1


def load(flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. `flags` holds only what the user typed.

    Raises UsageError for an unknown key in the file and for a value of the wrong type.
    """
    environment = os.environ if environment is None else environment
    typed = {name: value for name, value in (flags or {}).items() if value is not None}
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    home_text = typed.get("home") or environment.get(_HOME_VARIABLE)
    home = (
        Path(str(home_text)) if home_text else Path(platformdirs.user_data_dir("allotment", appauthor=False))
    )
    sources["home"] = "flag" if "home" in typed else _HOME_VARIABLE if home_text else "default"
    names = [f.name for f in fields(Settings) if f.name not in {"home", "sources"}]
    file = home / _FILE
    for name, value in _from_file(file, names).items():
        values[name], sources[name] = value, str(file)
    for name in names:
        variable = f"ALLOTMENT_{name.upper()}"
        if variable in environment:
            values[name], sources[name] = environment[variable], variable
        if name in typed:
            values[name], sources[name] = typed[name], "flag"
        sources.setdefault(name, "default")
    if "threads" in values:
        values["threads"] = _whole(values["threads"], sources["threads"])
    texts = {name: str(value) for name, value in values.items() if name != "threads"}
    threads = values.get("threads", 0)
    assert isinstance(threads, int)
    return Settings(home=home, sources=sources, threads=threads, **texts)


def _from_file(file: Path, names: list[str]) -> dict[str, object]:
    if not file.exists():
        return {}
    try:
        found = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}. Mend or remove the file.") from None
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise UsageError(f"{file} has unknown setting(s) {', '.join(unknown)}; known are {', '.join(names)}.")
    return found


def _whole(value: object, source: str) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise UsageError(f"threads is {value!r} (from {source}); give a whole number.") from None
    if number < 0:
        raise UsageError(f"threads is {number} (from {source}); give 0 for one per core, or a count.")
    return number
