"""A dbt package has a source, a model and an exposure for each stable view."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.told.tell_dbt import tell_dbt
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml
from tests.support.told_cases import HOSTILE, MODEL, NOTHING


def test_each_stable_view_is_a_source_a_model_and_an_exposure() -> None:
    texts = tell_dbt(MODEL)
    (source,) = read_yaml(texts["models/sources.yml"])["sources"]
    models = [model["name"] for model in read_yaml(texts["models/models.yml"])["models"]]
    exposures = read_yaml(texts["models/exposures.yml"])["exposures"]

    assert [table["name"] for table in source["tables"]] == [HOSTILE.view, "agg_shop_by_day"]
    assert source["schema"] == "aggs"
    assert [exposure["depends_on"] for exposure in exposures] == [[f"ref('{name}')"] for name in models]
    assert {f"models/{name}.sql" for name in models} <= set(texts)
    assert texts == tell_dbt(MODEL)


def test_no_text_has_jinja() -> None:
    """But the models themselves, which name their source."""
    texts = tell_dbt(MODEL)

    assert [path for path, text in texts.items() if "{" in text and not path.endswith(".sql")] == []
    assert {text.count("{") for path, text in texts.items() if path.endswith(".sql")} == {2}


def test_a_model_without_aggregates_is_an_empty_package() -> None:
    assert read_yaml(tell_dbt(NOTHING)["models/models.yml"])["models"] == []
