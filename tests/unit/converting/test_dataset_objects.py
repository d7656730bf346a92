"""Columns are the table's own where SQL is a name, and calculated where it is more."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects, TablePlace


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("amount", "amount"),
        ('"Net Amount"', "Net Amount"),
        ('"a""b"', 'a"b'),
        ("a + b", "total__calc"),
        ("1", "total__calc"),
        ("CURRENT_DATE", "total__calc"),
        ("schema.amount", "total__calc"),
    ],
)
def test_a_name_is_the_tables_own_column(sql: str, column: str) -> None:
    datasets = DatasetObjects("warehouse")
    datasets.add("sales", TablePlace(table="sales"))

    assert datasets.column("sales", sql, "total") == column


def test_the_same_sql_is_one_column() -> None:
    datasets = DatasetObjects("warehouse")
    datasets.add("sales", TablePlace(table="sales"))

    names = [datasets.column("sales", sql, "total") for sql in ("a + b", "a - b", "a + b")]

    assert names == ["total__calc", "total__calc_2", "total__calc"]


def test_each_schema_has_a_connection_of_its_own() -> None:
    datasets = DatasetObjects("warehouse")
    datasets.add("a", TablePlace(table="a", schema="x"))
    datasets.add("b", TablePlace(query="SELECT 1 AS one", schema="y"))
    datasets.add("c", TablePlace(table="c", schema="x"))

    values = {made.name: made.value for made in datasets.objects()}

    assert [values[name]["connection_id"] for name in "abc"] == ["warehouse", "warehouse_2", "warehouse"]
    assert (values["warehouse_2"]["as_connection"], values["warehouse_2"]["schema"]) == ("warehouse", "y")
    assert values["b"]["sql"] == "SELECT 1 AS one"
