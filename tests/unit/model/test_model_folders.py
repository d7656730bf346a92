"""The folders of models, and the schemas that stand for them."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.model_folders import folder_of, schema_of


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("orders.yml", ""),
        ("models/orders.yml", ""),
        ("Models/sales/orders.yml", "sales"),
        ("sales/models/europe/orders.yml", "sales/europe"),
        ("../other repository/models/orders.yml", "other repository"),
        ("models\\sales\\orders.yml", "sales"),
    ],
)
def test_a_model_stands_in_the_folder_of_its_file(file: str, folder: str) -> None:
    assert folder_of(file) == folder


@pytest.mark.parametrize(
    "folder", ["", "pg_catalog", "PG_TEMP", "information_schema", "atscale_aggs", "atscale_aggs_inside"]
)
def test_names_that_are_kept_for_others_are_no_schemas_of_models(folder: str) -> None:
    assert schema_of(folder) == "public"


def test_a_schema_has_room_for_its_name() -> None:
    assert schema_of("ä" * 40) == "ä" * 31
