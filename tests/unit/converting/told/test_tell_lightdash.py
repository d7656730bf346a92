"""Lightdash learns of aggregates by the dbt model of their fact."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.told.tell_lightdash import tell_lightdash
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml
from tests.support.told_cases import MODEL


def test_pre_aggregates_stand_in_the_model_of_their_fact() -> None:
    """An aggregate without dimensions is none to Lightdash. The finest time is the time dimension."""
    texts = tell_lightdash(MODEL, explores={"sales facts": "fct_sales"})
    (model,) = read_yaml(texts["shop_co_pre_aggregates.yml"])["models"]

    assert model["name"] == "fct_sales"
    (told,) = model["config"]["meta"]["pre_aggregates"]
    assert told.pop("name").isidentifier()
    assert told == {
        "dimensions": ["sold_year", "x"],
        "metrics": ["net_revenue", "costs"],
        "time_dimension": "ordered_at",
        "granularity": "day",
    }
