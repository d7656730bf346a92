"""The checks of a deployment return their issues, and leave the issues of the folder as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.lifecycle.deploy.checks import CHECKS
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.sql.dialects import find_dialect


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
