"""`atscale-aggs demo`: a newcomer sees everything work in a folder that is made for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.demo_verb import FOLDER
from airflow_atscale_aggs.cli.main import run
from tests.support.command_line import run_command


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Where the demo ran, with another registry in the environment; what it printed on both outputs."""
    place = tmp_path_factory.mktemp("anywhere")
    code, out, err = run_command(place, "demo", ATSCALE_AGGS_REGISTRY=f"sqlite:///{place / 'mine.sqlite'}")
    assert code == 0, err
    return place, out, err


def test_the_demo_deploys_builds_and_asks(shown: tuple[Path, str, str]) -> None:
    """Two queries are answered from aggregates, the last one from the facts; each command is shown."""
    place, out, err = shown

    assert sorted(path.name for path in place.iterdir()) == [FOLDER]
    assert {path.name for path in (place / FOLDER).iterdir()} == {"model", "warehouse.duckdb", "atscale_aggs.sqlite"}
    assert err.count("$ atscale-aggs ") == 5
    assert err.count("from aggregate `") == 2
    assert "from the facts `sales`" in err
    assert out.count(" active ") == 4
    assert f"cd {FOLDER}\n" in err


def test_what_it_says_to_run_next_runs(
    shown: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the folder that it names."""
    import shlex

    place, _, err = shown
    monkeypatch.chdir(place / FOLDER)
    commands = [shlex.split(line)[1:] for line in err.splitlines() if line.startswith("  atscale-aggs ")]

    assert [command[0] for command in commands] == ["instances", "query", "explain", "build"]
    assert [run(command) for command in commands] == [0, 0, 0, 0]
    assert "attribute not stored" in capfd.readouterr().out


def test_nothing_is_written_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A folder with something in it, and a file, are refused by name, and stay as they are."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")

    assert run(["demo", "--folder", str(mine)]) == 2
    assert f"The folder {mine} is not empty" in capfd.readouterr().err
    assert run(["demo", "--folder", str(mine / "notes.txt")]) == 2
    assert "is a file" in capfd.readouterr().err
    assert (mine / "notes.txt").read_text() == "mine"


def test_a_demo_that_ends_early_leaves_nothing_where_nothing_is_to_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in a folder that it made, nor in an empty one that was there, which stays."""
    from airflow_atscale_aggs.cli import demo_verb

    monkeypatch.setattr(demo_verb, "_STAR", ("SELECT no_such_thing",))
    (tmp_path / "there").mkdir()

    assert run(["demo", "--no-keep", "--folder", str(tmp_path / "there")]) == 1
    assert run(["demo", "--no-keep", "--folder", str(tmp_path / "new")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert "no_such_thing" in capfd.readouterr().err
