"""Each time of a table is a fact of its own."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects
from airflow_atscale_aggs.engine.converting.dbt.fact_columns import Fact, FactColumns, joined_query
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import SemanticTable, TimeSpine
from airflow_atscale_aggs.engine.converting.dbt.where_filters import Hop, JoinedColumn

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


_CUSTOMERS = SemanticTable(name="customers", table="My customers", schema="mart", where="")
_REGIONS = SemanticTable(name="regions", table="regions", where="")
_TO_CUSTOMERS = Hop("customer_id + 0", _CUSTOMERS, "id")
_COUNTRY = JoinedColumn("customer__country", (_TO_CUSTOMERS,), "upper(land)")
_CLIMATE = JoinedColumn("customer__region__climate", (_TO_CUSTOMERS, Hop("region_code", _REGIONS, "code")), "climate")


def test_a_table_with_columns_of_others_is_a_fact_of_its_own() -> None:
    columns = FactColumns(DatasetObjects("warehouse"))
    joined = columns.fact(Fact(_TABLE, "ordered_at", (_COUNTRY,)))

    assert joined == "orders__with_customer__country"
    assert columns.fact(Fact(_TABLE, "ordered_at")) == "orders"
    assert columns.fact(Fact(_TABLE, "paid_at", (_COUNTRY,))) == "orders__with_customer__country_2"


def test_each_way_is_joined_once() -> None:
    assert joined_query(_TABLE, [_COUNTRY, _CLIMATE]) == (
        "SELECT f.*, j1.customer__country, j2.customer__region__climate "
        "FROM (SELECT t.*, customer_id + 0 AS link_j1 FROM mart.fct_orders AS t) AS f "
        "LEFT JOIN (SELECT id AS k, upper(land) AS customer__country, region_code AS link_j2 "
        'FROM mart."My customers") AS j1 ON f.link_j1 = j1.k '
        "LEFT JOIN (SELECT code AS k, climate AS customer__region__climate FROM regions) AS j2 ON j1.link_j2 = j2.k"
    )
