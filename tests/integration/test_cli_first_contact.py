"""What a newcomer meets: no verb, no tables, and names that are misspelled."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from tests.support.stars import tiny_star
from tests.support.stars.tiny_folder import build_folder, make_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a star whose aggregates are built."""
    then = ["settings", "set", "aggregates.batch.max.failures", "2"]
    return build_folder(tmp_path_factory.mktemp("first"), then)


def test_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to begin, names only verbs that there are, and makes nothing."""
    monkeypatch.chdir(tmp_path)

    assert run([]) == 0
    out = capsys.readouterr().out
    verbs = re.findall(r"  atscale-aggs ([a-z-]+)", out)
    assert "deploy" in verbs
    assert len(verbs) <= 4
    for verb in verbs:
        assert run([verb, "--help"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_init_without_a_warehouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to name one, in place of making an empty file and finding no tables in that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATSCALE_AGGS_WAREHOUSE", raising=False)

    assert run(["init", "models/shop", "--yes"]) == 1
    assert "name one by --warehouse URL" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_sml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path)

    assert run([]) == 0
    assert "  atscale-aggs deploy m\n" in capsys.readouterr().out


@pytest.mark.parametrize("marker", ["pyvenv.cfg", "__init__.py"])
def test_models_in_environments_and_packages_are_not_meant(
    marker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This package has a model of its own, which is not the newcomer's."""
    monkeypatch.chdir(tmp_path)
    tiny_star.write_model(tmp_path / "a" / "lib" / "m")
    (tmp_path / "a" / marker).touch()

    assert run([]) == 0
    assert "  atscale-aggs deploy DIR --warehouse URL\n" in capsys.readouterr().out

    tiny_star.write_model(tmp_path / "z" / "m")
    assert run([]) == 0
    assert "  atscale-aggs deploy z/m --warehouse URL\n" in capsys.readouterr().out


def test_each_step_is_told_after_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path)
    told = []
    for arguments in (["models"], ["deploy", "m"], ["build", "tiny_sales"]):
        assert run(arguments) == 0
        capsys.readouterr()
        assert run([]) == 0
        told.append(capsys.readouterr().out)

    assert "0 models" in told[0]
    assert "Next: atscale-aggs deploy m\n" in told[0]
    assert "tiny_sales: 4 aggregates defined, 0 tables active, never built\n" in told[1]
    assert "Next:\n  atscale-aggs build tiny_sales\n" in told[1]
    assert "4 tables active, last batch done" in told[2]
    assert "Next:\n  atscale-aggs shell\n" in told[2]


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["modls"], "models"),
        (["settings", "lst"], "list"),
        (["query", "--as-usr", "ann", "SELECT 1"], "--as-user"),
        (["deploy", "m", "--model", "tiny_sale"], "tiny_sales"),
        (["build", "tiny_sale"], "tiny_sales"),
        (["definitions", "--model", "tiny_sale"], "tiny_sales"),
        (["plan", "tiny_sales", "--aggregate", "by_cty"], "by_city"),
        (["verify", "tiny_sales", "--aggregate", "by_cty"], "by_city"),
        (["block", "tiny_sales", "by_cty"], "by_city"),
        (["settings", "set", "aggregates.batch.max.failure", "1"], "aggregates.batch.max.failures"),
        (["settings", "unset", "aggregates.batch.max.failure"], "aggregates.batch.max.failures"),
        (["query", 'SELECT "Amuont" FROM tiny_sales'], "Amount"),
        (["query", 'SELECT "Cty" FROM tiny_sales'], "City"),
        (["query", 'SELECT "City" FROM tiny_sale'], "tiny.tiny_sales"),
        (["query", 'SELECT coalesc("Day") FROM tiny_sales'], "COALESCE"),
        (["query", "--dialect", "postgrse", "SELECT 1"], "postgres"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_misspelled_name_gets_near_ones(
    folder: Path, arguments: list[str], near: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)

    assert run(arguments) in {1, 2}
    err = capsys.readouterr().err
    suggested = err[err.casefold().index("did you mean") :]
    assert near in suggested
    assert suggested.count(" or ") <= 2


@pytest.mark.parametrize("verb", [["cancel"], ["build", "tiny_sales", "--resume"], ["instances", "--batch"]])
def test_a_part_of_an_id_gets_the_whole_one(
    folder: Path, verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    run(["batches", "--json"])
    (batch,) = json.loads(capsys.readouterr().out)

    assert run([*verb, batch["id"][:8]]) == 1
    assert f"Did you mean `{batch['id']}`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("object_type: metric\n", "object_type: measure\n", "The types are `aggregate_settings`, `catalog`"),
        ("object_type: metric\n", "object_type: metrics\n", "Did you mean `metric`"),
        ("calculation_method: sum", "calculation_method: summ", "Did you mean `sum`"),
        ("dataset: sales", "dataset: sale", "Did you mean `sales`"),
        ("label: Amount", "lable: Amount", "Did you mean `label`"),
        ("column: amount", "column: amuont", "column `amuont`"),
    ],
)
def test_a_misspelled_word_of_sml_gets_near_ones(
    tmp_path: Path,
    old: str,
    new: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path)
    file = tmp_path / "m" / "metric_Amount.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")

    run(["deploy", "m"])
    assert words in capsys.readouterr().err


def test_a_connection_is_looked_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path)
    file = tmp_path / "m" / "dataset_sales.yml"
    text = file.read_text(encoding="utf-8")

    file.write_text(text.replace("connection_id: warehouse", "connection_id: warehuse"), encoding="utf-8")
    assert run(["deploy", "m"]) == 1
    assert "Did you mean `warehouse`?" in capsys.readouterr().err

    file.write_text(text.replace("connection_id: warehouse\n", ""), encoding="utf-8")
    assert run(["deploy", "m"]) == 0
    assert "lacks `connection_id`: its table is looked for in the warehouse's default" in capsys.readouterr().err
    assert run(["--warehouse", "duckdb:///empty.duckdb", "deploy", "m"]) == 1
    assert "the schema `main` of the warehouse has no table `sales`" in capsys.readouterr().err


def test_a_hidden_metric_is_not_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path)
    file = tmp_path / "m" / "metric_Quantity.yml"
    file.write_text(f"{file.read_text(encoding='utf-8')}is_hidden: true\n", encoding="utf-8")
    run(["deploy", "m"])

    assert run(["query", 'SELECT "Quantiti" FROM tiny_sales']) == 1
    assert "`Quantity`" not in capsys.readouterr().err


def test_deploy_tells_where_it_looked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)

    run(["deploy", "m"])
    assert capsys.readouterr().err == "All 3 tables are there, in schema main of duckdb:///warehouse.duckdb.\n"
    run(["--warehouse", "duckdb:///empty.duckdb", "deploy", "m", "--json"])
    looked_in = json.loads(capsys.readouterr().out)["looked_in"]
    names = ["main.day", "main.sales", "main.shop"]
    assert looked_in == {"schema": "main", "tables": names, "missing": names}
    run(["--warehouse", "duckdb:///empty.duckdb", "deploy", "m"])
    assert "warning: 3 of 3 tables are not there: main.day, main.sales, main.shop. " in capsys.readouterr().err
