"""Files are found, read and written; what cannot be is a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import (
    ConversionWish,
    convert_dbt_project,
    convert_ossie_file,
)
from tests.support.stars.bakery import PROJECT
from tests.support.stars.library import FILE


def test_a_project_is_found_with_its_name(tmp_path: Path) -> None:
    converted = convert_dbt_project(PROJECT, tmp_path, ConversionWish(schema="mart", connection="dwh"))

    assert converted.model == "bakery"
    assert "schema: mart" in (tmp_path / "connections" / "dwh.yml").read_text()
    assert sorted(converted.texts) == sorted(
        file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()
    )


def test_what_dbt_makes_or_fetches_is_not_read(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    for folder in ("models", "target", "dbt_packages/other", ".hidden"):
        (project / folder).mkdir(parents=True)
        (project / folder / "m.yml").write_text(
            "semantic_models: [{name: a, model: ref('a'), measures: [{name: m, agg: sum, create_metric: true}]}]"
        )
    (project / "loop").symlink_to(project)

    assert convert_dbt_project(project, tmp_path / "out", ConversionWish()).model == "shop"


@pytest.mark.parametrize("name", ["missing", "file.txt", "folder"])
def test_what_is_no_project_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "folder").mkdir()

    with pytest.raises(ModelFileError):
        convert_dbt_project(tmp_path / name, tmp_path / "out", ConversionWish())
    assert not (tmp_path / "out").exists()


def test_a_manifest_takes_the_projects_name(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: shop")
    manifest = tmp_path / "target" / "semantic_manifest.json"
    manifest.write_text(json.dumps({"semantic_models": [], "metrics": []}))

    assert convert_dbt_project(manifest, tmp_path / "out", ConversionWish()).model == "shop"


def test_an_ossie_file_is_converted(tmp_path: Path) -> None:
    assert convert_ossie_file(FILE, tmp_path, ConversionWish(model="books")).model == "books"
    with pytest.raises(ModelFileError, match="there is no such file"):
        convert_ossie_file(tmp_path / "missing.yaml", tmp_path, ConversionWish())
