"""A catalog and one model stand around what was converted."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.converted import as_folder
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml


def test_the_folder_has_a_catalog_and_the_model() -> None:
    converted = as_folder({"unique_name": "shop", "relationships": [], "metrics": []}, [], "From a test.", ())

    assert sorted(converted.texts) == ["catalog.yml", "models/shop.yml"]
    assert read_yaml(converted.texts["catalog.yml"])["unique_name"] == "shop_catalog"
    model = read_yaml(converted.texts["models/shop.yml"])
    assert (model["object_type"], model["label"], model["metrics"]) == ("model", "shop", [])
