"""`allotment what-if` and `frontier` as a person or a program calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from allotment.cli import what_if
from allotment.errors import UsageError
from allotment.jobs.demo import DemoRequest, build
from allotment.settings import Settings, load

EXAMPLE = Path(__file__).parents[2] / "docs" / "reference" / "files" / "optimize-example"
Ask = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def ask(settings: Settings) -> Ask:
    """Runs a command on a small demo: `ask("frontier", "A000001", …)`."""
    build(settings, DemoRequest(accounts=6, seed=3), lambda *_: None)
    app = typer.Typer()

    @app.callback()
    def shared(context: typer.Context) -> None:
        context.obj = load({"home": settings.home, "firm": "demo"}, {})

    app.command("what-if")(what_if.what_if)
    app.command("frontier")(what_if.frontier)

    def run(*words: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout

    return run


def test_a_question_is_one_object_for_a_program(ask) -> None:
    code, told = ask(
        "what-if", "A000001", "--risk-price", 200, "--exclude", "Energy", "--tilt", "esg=0.001", "--json"
    )
    facts = json.loads(told)
    assert code == (3 if facts["remarks"] else 0)
    assert facts["change"] == {
        "exclude": ["Energy"], "risk_price": 200.0, "tilts": [{"score": "esg", "strength": 0.001}],
    }  # fmt: skip
    error = facts["figures"]["tracking_error"]
    assert error["unit"] == "fraction"
    assert error["before"] == facts["before"]["tracking_error_after"]
    assert error["after"] == facts["after"]["tracking_error_after"]
    assert facts["after"]["gap_bps"] == facts["figures"]["gap"]["after"]
    assert facts["headline"]


def test_a_person_reads_both_sides_and_the_reasons(ask) -> None:
    code, told = ask(
        "what-if", "A000001", "--exclude", "Energy", "--tilt", "esg=0.001", "--deposit", 5000, "--rows", 3
    )
    assert code in {0, 3}
    assert told.startswith("A000001, exclude Energy; tilt esg 0.001; cash usd 5,000")
    for piece in ("as it stands", "tracking error", "proven gap", "Why the largest trades", "Not traded"):
        assert piece in told, piece
    code, told = ask("frontier", "A000001", "--points", 3)
    assert code == 0
    assert told.count("← own") == 1
    assert "Left as it is" in told


def test_what_cannot_be_met_ends_with_three(ask) -> None:
    code, told = ask("what-if", "A000001", "--mode", "raise_cash", "--amount", 1e9, "--json")
    assert code == 3
    assert "cash" in json.loads(told)["remarks"][0]


def test_a_frontier_is_written_as_table_and_page(ask, tmp_path: Path) -> None:
    code, told = ask("frontier", "A000001", "--points", 5, "--out", tmp_path / "out", "--json")
    assert code == 0
    facts = json.loads(told)
    assert len(facts["points"]) == 5
    lines = (tmp_path / "out" / "frontier.csv").read_text().splitlines()
    assert lines[0].split(",") == list(facts["points"][0])
    assert len(lines) == 6
    page = (tmp_path / "out" / "frontier.html").read_text()
    assert "no plan lies here (proven)" in page
    assert "cdn.plot.ly" not in page.split("<script")[1]


def test_a_folder_is_drawn_without_a_database(ask) -> None:
    code, told = ask("frontier", "--problem", EXAMPLE, "--points", 3, "--json")
    assert code == 0
    facts = json.loads(told)
    assert facts["account"] == "optimize-example"
    assert [point["is_chosen"] for point in facts["points"]] == [False, True, False]
    assert facts["points"][1]["risk_price"] == 100.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("frontier",), "one of them"),
        (("frontier", "A000001", "--problem", EXAMPLE), "one of them"),
        (("frontier", "A000001", "--points", 4), "odd"),
        (("what-if", "A000001", "--tilt", "value"), "SCORE=STRENGTH"),
        (("what-if", "A000001", "--exclude", "Enrgy"), "Energy"),
        (("what-if", "NOPE"), "no account"),
    ],
)
def test_what_means_nothing_is_refused(ask, words: tuple[object, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ask(*words)
