"""Models as tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import read_model_tables, type_in_postgresql
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from tests.support.stars import standing_star


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), standing_star.deploy_model) as workspace:
        yield workspace


def test_a_model_is_one_table_with_the_types_of_the_warehouse(star: Workspace) -> None:
    tables = read_model_tables(star, "tiny", now=utc_now())

    assert [table.name for table in tables] == ["tiny_sales"]
    columns = {column.name: (column.type_name, column.is_metric) for column in tables[0].columns}
    assert columns["City"] == ("TEXT", False)
    assert columns["Amount"] == ("DECIMAL(38, 2)", True)
    assert columns["Average Amount"] == ("DOUBLE PRECISION", True)


def test_another_catalog_has_no_tables(star: Workspace) -> None:
    assert read_model_tables(star, "other", now=utc_now()) == []


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("VARCHAR", "TEXT"),
        ("HUGEINT", "NUMERIC"),
        ("UINTEGER", "BIGINT"),
        ("UTINYINT", "INT"),
        ("DECIMAL(9,2)", "DECIMAL(9, 2)"),
        ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"),
        ("STRUCT(a INTEGER)", "TEXT"),
        ("no type", "TEXT"),
    ],
)
def test_types_that_postgresql_lacks_are_told_as_those_that_hold_their_values(type_name: str, expected: str) -> None:
    assert type_in_postgresql(type_name, find_dialect("duckdb")) == expected
