"""Where a dataset lives, and which type the warehouse tells of its columns."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.datasets import (
    Column,
    Dataset,
    ExistingTables,
    SqlVariant,
    TableColumns,
    TableKey,
    find_column_type,
    table_key,
)

_QUERY = (SqlVariant(dialect=None, sql="SELECT 1 AS a"),)


@pytest.mark.parametrize(
    ("dataset", "key"),
    [
        (Dataset(name="s", table="sales", columns={}), (None, None, "sales")),
        (Dataset(name="s", table="sales", database="d", schema="p", columns={}), ("d", "p", "sales")),
        (Dataset(name="s", variants=_QUERY, database="d", schema="p", columns={}), None),
    ],
    ids=["by default", "database and schema", "query"],
)
def test_a_table_lives_somewhere_and_a_query_nowhere(dataset: Dataset, key: TableKey | None) -> None:
    assert table_key(dataset) == key


@pytest.mark.parametrize(
    ("name", "data_type"),
    [
        ("amount", "DECIMAL(9,2)"),
        ("AMOUNT", "DOUBLE"),
        ("Amount", "DOUBLE"),
        ("note", "VARCHAR"),
        ("gone", ""),
        ("doubled", ""),
        ("colour", ""),
    ],
)
def test_a_column_has_the_type_that_the_warehouse_tells(name: str, data_type: str) -> None:
    """Its name is looked up exactly, then without case; calculations and values of a map column have none.

    A column that the SML does not list is looked up as well.
    """
    listed = (
        Column(name="amount"),
        Column(name="doubled", variants=(SqlVariant(dialect=None, sql="2 * amount"),)),
        Column(name="colour", parent_column="properties"),
    )
    dataset = Dataset(name="s", table="sales", columns={column.name: column for column in listed})
    physical = {"AMOUNT": "DOUBLE", "amount": "DECIMAL(9,2)", "note": "VARCHAR", "doubled": "INTEGER", "colour": "TEXT"}

    assert find_column_type(dataset, name, physical) == data_type


def test_tables_that_exist_carry_what_else_is_known_of_them() -> None:
    columns = TableColumns({"a": "INTEGER"}, ("db", "main", "Sales"), "view")
    tables = ExistingTables({(None, None, "sales"): columns}, {(None, None, "shop"): "is not there"})

    assert (tables[None, None, "sales"]["a"], columns.spelled, columns.kind) == (
        "INTEGER",
        ("db", "main", "Sales"),
        "view",
    )
    assert (columns.closed, columns.is_away, columns.is_only) == ("", False, True)
    assert (tables.reasons, tables.places) == ({(None, None, "shop"): "is not there"}, frozenset())
