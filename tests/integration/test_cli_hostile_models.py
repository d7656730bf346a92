"""The command line on models that are wrong or hostile: a sentence, JSON where it was asked for, nothing for the
terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from tests.support.stars.tiny_folder import make_folder
from tests.support.stars.tiny_star import METRIC

_ESCAPE = "\x1b]0;owned\x07\x9b31m"
_CONTROLS = frozenset(map(chr, [*range(9), *range(11, 32), *range(127, 160), 0x202E]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a warehouse and a model ``m``."""
    monkeypatch.chdir(tmp_path)
    return make_folder(tmp_path) / "m"


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def atscale_aggs(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a verb; its exit code, standard output and standard error."""

    def run_verb(*arguments: str) -> tuple[int, str, str]:
        code = run([*arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_verb


def test_a_failed_deployment_as_json(folder: Path, atscale_aggs: Run) -> None:
    """One JSON document on standard output, with file and line of each error."""
    (folder / "metric_Amount.yml").write_text(METRIC.format(name="Amount", method="summ", column="amount"))

    code, out, _ = atscale_aggs("deploy", "m", "--json")

    document = json.loads(out)
    assert code == 1
    assert [(error["code"], error["line"]) for error in document["errors"]] == [("unknown-method", 1)]
    assert "Amount" in document["error"]


def test_a_deployment_of_nothing_as_json(folder: Path, atscale_aggs: Run) -> None:
    """A folder that is not there is an error of the same form."""
    code, out, _ = atscale_aggs("deploy", str(folder / "nowhere.yml"), "--json")

    assert (code, json.loads(out)["errors"]) == (1, [])
    assert "nowhere.yml" in json.loads(out)["error"]


def test_every_verb_fails_as_json(folder: Path, atscale_aggs: Run) -> None:
    """One JSON document on standard output with the sentence that people read."""
    (folder.parent / "bytes.sql").write_bytes(b"\xff\xfe")
    atscale_aggs("deploy", "m")
    for verb in (
        ("query", 'SELECT "Nowhere" FROM tiny_sales', "--format", "json"),
        ("query", 'SELECT "Nowhere" FROM tiny_sales', "--json"),
        ("explain", 'SELECT "Nowhere" FROM tiny_sales', "--json"),
        ("plan", "Nowhere", "--json"),
        ("build", "Nowhere", "--json"),
        ("recommend", "Nowhere", "--json"),
        ("instances", "--model", "Nowhere", "--json"),
        ("settings", "list", "--model", "Nowhere", "--json"),
        ("import", "tiny_sales", "nowhere.yml", "--json"),
        ("recommend", "tiny_sales", "--queries", "bytes.sql", "--json"),
    ):
        code, out, err = atscale_aggs(*verb)

        assert (code, list(json.loads(out))) == (1, ["error", "code", "help"]), verb
        assert json.loads(out)["error"] in " ".join(err.split()), verb
    assert atscale_aggs("plan", "Nowhere")[1] == ""


def test_another_model_does_not_stop_this_one(folder: Path, atscale_aggs: Run) -> None:
    """Its faults become warnings; those of what this model needs do not."""
    (folder / "other.yml").write_text(
        "unique_name: other\nobject_type: model\nlabel: o\nrelationships: []\nmetrics: [{unique_name: Bad}]\n"
    )
    (folder / "bad.yml").write_text(METRIC.format(name="Bad", method="summ", column="amount"))
    (folder / "broken.yml").write_text("object_type: [metric\n")

    whole, single = atscale_aggs("deploy", "m"), atscale_aggs("deploy", "m", "--model", "tiny_sales", "--json")
    (folder / "metric_Amount.yml").write_text(METRIC.format(name="Amount", method="summ", column="amount"))
    needed = atscale_aggs("deploy", "m", "--model", "tiny_sales", "--json")

    assert (whole[0], single[0], needed[0]) == (1, 0, 1)
    assert {warning["file"] for warning in json.loads(single[1])["warnings"]} >= {"bad.yml", "broken.yml"}
    assert {error["file"] for error in json.loads(needed[1])["errors"]} == {
        "metric_Amount.yml",
        "bad.yml",
        "broken.yml",
    }


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_names_give_no_orders_to_a_terminal(folder: Path, atscale_aggs: Run, *, as_json: bool) -> None:
    """Whatever a verb shows, control characters are written out; JSON reads back as the very name."""
    text = (folder / "model.yml").read_text()
    name = json.dumps(f"by{_ESCAPE}\u202ecity", ensure_ascii=True)
    extra = (
        f"aggregates:\n  - unique_name: {name}\n    label: x\n    metrics: [Amount]\n"
        "    attributes:\n      - {name: City, dimension: Shops}\n"
    )
    (folder / "model.yml").write_text(text.partition("aggregates:")[0] + extra)
    (folder / "odd.yml").write_text(f"unique_name: {name}\nobject_type: {name}\nother: 1\n")
    flag = ["--json"] if as_json else []
    atscale_aggs("deploy", "m", *flag)
    (folder / "odd.yml").write_text(
        f"unique_name: odd\nobject_type: connection\nlabel: o\nas_connection: o\n{name}: 1\n"
    )
    query = 'SELECT "City", "Amount" FROM tiny_sales'
    verbs = [
        ("deploy", "m", "--verbose"),
        ("plan", "tiny_sales"),
        ("build", "tiny_sales"),
        ("definitions",),
        ("instances",),
        ("query", query),
        ("explain", query),
        ("verify", "tiny_sales"),
        ("evaluate", "tiny_sales"),
        ("query", f'SELECT "{_ESCAPE}" FROM tiny_sales'),
        ("import", "tiny_sales", f"nowhere{_ESCAPE}"),
        ("export", "tiny_sales", f"/nowhere/{_ESCAPE}"),
    ]

    outputs = {verb: atscale_aggs(*verb, *flag) for verb in verbs}

    shown = "".join(out + err for _, out, err in outputs.values())
    assert not _CONTROLS & set(shown)
    assert "owned" in shown
    if as_json:
        assert f"by{_ESCAPE}\u202ecity" in {definition["name"] for definition in json.loads(outputs["definitions",][1])}
