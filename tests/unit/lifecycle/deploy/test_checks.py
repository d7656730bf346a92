"""All checks of a deployment: they return their issues, and leave the folder as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.lifecycle.deploy.checks import CHECKS, run_checks
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from tests.support.deploy_checks import TABLES, check_input, lines_of
from tests.support.stars.documents import Documents, calculation, star


def _issues(folder: Path, files: Mapping[str, str]) -> list[str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    checked = CheckInput(
        folder=read_model_folder(folder), names=(), models=(), physical={}, dialect=find_dialect("duckdb")
    )
    return [issue.code for check in CHECKS for issue in check(checked)]


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    codes = _issues(tmp_path, {"catalog.yml": "unique_name: shop\nobject_type: catalog\nversion: 1.0\n"})

    assert codes == ["no-model"]


@pytest.mark.parametrize("overrides", ["", "overrides: {nothing: {queryLogging.enabled: true}}"])
def test_checks_note_nothing_in_the_folder(tmp_path: Path, overrides: str) -> None:
    (tmp_path / "settings.yml").write_text(f"unique_name: s\nobject_type: model_settings\n{overrides}\n")
    folder = read_model_folder(tmp_path)
    before = folder.issues.all()
    checked = CheckInput(folder=folder, names=(), models=(), physical={}, dialect=find_dialect("duckdb"))

    issues = [issue for check in CHECKS for issue in check(checked)]

    assert {issue.code for issue in issues} >= {"no-model"}
    assert folder.issues.all() == before


def _with_all_faults() -> Documents:
    """The star with one fault for each check that looks at models."""
    documents = star()
    documents["s"] = {"unique_name": "s", "object_type": "aggregate_settings", "model": "m", "settings": {"no.key": 1}}
    documents["Amount"]["column"] = "amuont"
    documents["Day"]["hierarchies"][0]["filter_empty"] = "never"
    documents["Day"]["hierarchies"][0]["default_member"] = {"expression": "[Calendar].[Year].&[x]"}
    documents["Shop"]["level_attributes"][1]["custom_empty_member"] = {"key": ["none"], "name": "none"}
    documents["Bad"] = calculation("Bad", "Foo([Measures].[Amount])")
    documents["model"]["metrics"].append({"unique_name": "Bad"})
    documents["returns"]["incremental"] = {"column": "lost", "grace_period": "1h"}
    return documents


_FAULTS = [
    "setting",
    "refused-join",
    "missing-column",
    "unknown-value",
    "untranslated-calculation",
    "default-member",
    "empty-member-type",
    "indicator-type",
]


def test_every_check_is_made() -> None:
    tables = {**TABLES, "day": TABLES["day"].replace("day_id integer", "day_id timestamp")}
    checked = check_input(_with_all_faults(), tables)

    codes = [issue.code for check in CHECKS for issue in check(checked)]

    assert list(dict.fromkeys(codes)) == _FAULTS


def test_a_sound_model_has_no_issues() -> None:
    assert [issue for check in CHECKS for issue in check(check_input(star()))] == []


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """The tables of the star of documents are there, but the days of sales are no numbers."""
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb://?threads=1") as opened:
        with opened.warehouse.session() as session:
            session.execute("CREATE SCHEMA s")
            for name, columns in TABLES.items():
                session.execute(f"CREATE TABLE s.{name} ({columns.replace('sold_id integer', 'sold_id timestamp')})")
        yield opened


def test_columns_are_those_that_the_warehouse_tells(workspace: Workspace) -> None:
    checked = check_input(star())

    (line,) = lines_of(run_checks(workspace, checked.folder, checked.names, checked.models).issues)

    assert line.startswith("warning in model.yml, refused-join: relationship `sold`: `sales`.`sold_id` (TIMESTAMP)")


def test_a_warehouse_that_does_not_answer_is_told_once(tmp_path: Path) -> None:
    """What needs no tables is checked, by the types of the SML; nobody says that a table is not there."""
    nowhere = f"duckdb:///{tmp_path / 'no' / 'such' / 'folder.duckdb'}"
    checked = check_input(_with_all_faults())
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse=nowhere) as workspace:
        issues = run_checks(workspace, checked.folder, checked.names, checked.models).issues

    first = lines_of(issues)[0]
    assert first.startswith(
        "warning in model.yml, columns-not-checked: the warehouse could not be asked for column types"
    )
    assert "neither columns nor joins nor indicators were checked" in first
    codes = [issue.code for issue in issues]
    assert set(_FAULTS) - set(codes) == {"refused-join", "indicator-type"}
    assert not any("not in the warehouse" in issue.message for issue in issues)


def test_a_folder_without_tables_asks_no_warehouse(tmp_path: Path) -> None:
    checked = check_input({"catalog": star()["catalog"]})
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb:////no/such/w") as workspace:
        issues = run_checks(workspace, checked.folder, checked.names, checked.models).issues

    assert lines_of(issues) == ["error in small, no-model: the folder holds no model to deploy"]
