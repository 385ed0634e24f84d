"""Settings: defaults < file < environment < flags, and each value knows where it came from."""

from pathlib import Path

import pytest

from allotment import settings
from allotment.errors import UsageError


def test_each_source_beats_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "allotment.toml").write_text('firm = "from-file"\nactor = "file-actor"\nthreads = 3\n')
    environment = {
        "ALLOTMENT_HOME": str(tmp_path),
        "ALLOTMENT_ACTOR": "env-actor",
        "ALLOTMENT_FIRM": "from-env",
    }
    found = settings.load({"firm": "typed"}, environment)
    assert (found.firm, found.actor, found.threads, found.log_level) == ("typed", "env-actor", 3, "warning")
    assert found.sources["firm"] == "flag"
    assert found.sources["actor"] == "ALLOTMENT_ACTOR"
    assert found.sources["threads"] == str(tmp_path / "allotment.toml")
    assert found.sources["log_level"] == "default"


def test_a_flag_that_was_not_typed_does_not_count(tmp_path: Path) -> None:
    found = settings.load({"firm": None}, {"ALLOTMENT_HOME": str(tmp_path), "ALLOTMENT_FIRM": "kept"})
    assert found.firm == "kept"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("frim = 'x'", "unknown setting"),
        ("threads = 'many'", "whole number"),
        ("threads = -1", "one per core"),
        ("=", "not valid TOML"),
    ],
)
def test_a_bad_file_says_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "allotment.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        settings.load({}, {"ALLOTMENT_HOME": str(tmp_path)})


def test_threads_default_to_the_cores(tmp_path: Path) -> None:
    assert settings.load({"home": tmp_path}, {}).n_threads >= 1
