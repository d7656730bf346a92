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
    tables = read_model_tables(star, "tiny", sees=lambda _: True, now=utc_now())

    assert [table.name for table in tables] == ["tiny_sales"]
    types = {column.name: column.type_name for column in tables[0].columns}
    assert types["City"] == "TEXT"
    assert types["Amount"] == "DECIMAL(38, 2)"
    assert types["Average Amount"] == "DOUBLE PRECISION"


def test_other_catalogs_and_models_that_are_not_seen_have_no_tables(star: Workspace) -> None:
    assert read_model_tables(star, "other", sees=lambda _: True, now=utc_now()) == []
    assert read_model_tables(star, "tiny", sees=lambda _: False, now=utc_now()) == []


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
