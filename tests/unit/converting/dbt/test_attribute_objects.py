"""Attributes have the names that dbt's queries have, and lead where dbt's joins lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.converting.dbt.convert_dbt import convert_dbt
from airflow_atscale_aggs.engine.converting.dbt.project_reader import read_project
from airflow_atscale_aggs.engine.converting.written_files import write_files
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from tests.support.stars.bakery import PROJECT


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SemanticModel:
    """The bakery, converted and read back."""
    folder = tmp_path_factory.mktemp("sml")
    texts = {file.name: file.read_bytes() for file in (PROJECT / "models").glob("*.yml")}
    write_files(folder, convert_dbt(read_project(texts, "bakery", "."), model="bakery", connection="warehouse").texts)
    return _read(folder)


def _read(folder: Path) -> SemanticModel:
    read = read_model_folder(folder)
    model = ModelResolver(read).resolve("bakery")
    assert [str(issue) for issue in read.issues.all() if issue.is_error] == []
    return model


def _names(model: SemanticModel, fact: str) -> set[str]:
    return {attribute.query_name for attribute in JoinPaths(model).attributes_of(fact)}


def test_a_fact_reaches_what_dbt_joins(model: SemanticModel) -> None:
    names = _names(model, "baskets")

    assert {
        "metric_time__day", "metric_time__week", "basket", "customer", "branch", "basket__state", "customer__country",
        "branch__area", "customer__joined_on__month", "basket__ordered_at__day",
    } <= names  # fmt: skip


def test_two_entities_are_followed(model: SemanticModel) -> None:
    names = _names(model, "basket_lines")

    assert {"basket__state", "basket__customer__country", "basket__branch__area", "line__product"} <= names
    assert "customer__country" not in names


def test_rows_without_a_member_stay_under_null(model: SemanticModel) -> None:
    bound: Any = next(
        bound
        for attribute, bound in JoinPaths(model).attributes_of("baskets").items()
        if attribute.query_name == "customer__country"
    )

    assert bound.keeps_rows
    assert bound.empty.name is None


def test_a_second_time_is_a_fact_of_its_own(model: SemanticModel) -> None:
    assert model.metrics["delivered_revenue"].dataset == "baskets__by_delivered_at"
    assert "basket__state" in _names(model, "baskets__by_delivered_at")
