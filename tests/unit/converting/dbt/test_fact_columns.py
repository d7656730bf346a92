"""Each time of a table is a fact of its own."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects
from airflow_atscale_aggs.engine.converting.dbt.fact_columns import Fact, FactColumns
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import SemanticTable, TimeSpine

_TABLE = SemanticTable(name="orders", table="fct_orders", schema="mart", where="o.yml:1")


def test_the_first_time_has_the_tables_name() -> None:
    columns = FactColumns(DatasetObjects("warehouse"))

    names = [columns.fact(Fact(_TABLE, time)) for time in ("ordered_at", "paid_at", "ordered_at", "")]

    assert names == ["orders", "orders__by_paid_at", "orders", "orders__by_no_time"]
    assert columns.table(_TABLE) == "orders"
    assert not Fact(_TABLE, "ordered_at").has_time


def test_the_spine_is_a_dataset() -> None:
    columns = FactColumns(DatasetObjects("warehouse"))
    columns.spine(TimeSpine(table="days", column="day", grain="day", where="d.yml:1"))

    assert columns.datasets.names == ("time_spine",)
