"""`atscale-aggs help` tells what errors mean, and every failure tells where to read more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.troubleshooting.passages import all_passages
from tests.support.stars.tiny_star import write_model


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_passages_by_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "refused-join", "miss-not-built"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("refused-join: WHO: REASON; queries and aggregates that need it are refused.\n  What  The ")
    assert "\n\nmiss-not-built: defined but not built\n" in out
    assert "  Do    Build it: `atscale-aggs build MODEL --aggregate NAME`." in out


def test_all_codes_by_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help"]) == 0

    told = capsys.readouterr()
    assert set(told.out.replace(",", " ").split()) >= set(all_passages())
    assert "Files of a model:\n  model-file, invalid-model" in told.out
    assert "`atscale-aggs help CODE`" in told.err


def test_the_name_of_a_verb_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "sweep"]) == 0

    assert capsys.readouterr().out.startswith("Usage: atscale-aggs sweep ")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "usage", "--json"]) == 0

    (passage,) = json.loads(capsys.readouterr().out)
    assert (passage["code"], passage["subject"]) == ("usage", "command_line")


@pytest.mark.parametrize(("code", "near"), [("refusd-join", "`refused-join`"), ("bild", "`build`")])
def test_an_unknown_code_names_near_ones(code: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", code]) == 2

    assert f"There is no code or verb `{code}`. Did you mean {near}" in capsys.readouterr().err


def test_a_failure_tells_where_to_read_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "nowhere"]) == 1

    assert capsys.readouterr().err.endswith(
        "Error: The registry has no model `nowhere`.\nMore about it: atscale-aggs help not-registered\n"
    )


def test_a_failure_in_json_has_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "nowhere", "--json"]) == 1

    assert json.loads(capsys.readouterr().out) == {
        "error": "The registry has no model `nowhere`.",
        "code": "not-registered",
        "help": "atscale-aggs help not-registered",
    }


def test_a_model_with_errors_and_warnings_tells_the_codes_of_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    Path("m").mkdir()
    Path("m/d.yml").write_text("unique_name: d\nobject_type: dataset\nlabel: d\nconnection_id: w\ncolumns: 1\nzz: 1\n")

    assert run(["deploy", "m"]) == 1

    assert (
        capsys.readouterr().err.splitlines()[-1] == "More about it: atscale-aggs help invalid-model wrong-kind no-model"
    )


def test_warnings_of_deploy_tell_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model(Path("m"))
    (folder / "other.yml").write_text("services: {}\n")
    catalog = folder / "catalog.yml"
    catalog.write_text(f"{catalog.read_text()}zz: 1\n")

    assert run(["deploy", str(folder)]) == 0

    (more,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("More about them: ")]
    assert more.startswith("More about them: atscale-aggs help ")
    assert {"foreign-file", "unknown-key"} <= set(more.split())
