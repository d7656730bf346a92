"""What a warehouse tells of its tables without reading them."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.table_statistics import (
    ColumnStatistics,
    TableStatistics,
    bytes_query,
    read_statistics,
    statistics_query,
    type_bytes,
)
from tests.support.stars.small_star import DUCKDB, SmallStar

_POSTGRES = find_dialect("postgres")


def test_duckdb_tells_about_how_many_rows_its_tables_have(star: SmallStar) -> None:
    star.add("it's", "a", *("1",) * 5)
    star.add("other", "a")

    query = statistics_query([("memory", "main", "it's"), (None, "main", "gone")], DUCKDB)

    assert query is not None
    assert read_statistics(star.rows(query)) == {("main", "it's"): TableStatistics(rows=5)}


def test_the_names_of_tables_stand_in_the_query_as_literals_in_order() -> None:
    query = statistics_query([(None, "s", "b"), ("db", None, "it's")], _POSTGRES)

    assert query is not None
    assert query.endswith("IN (('', 'it''s'), ('s', 'b'))")


def test_bytes_are_asked_for_by_schema_and_table() -> None:
    query = bytes_query([("s", "b"), ("s", "a")], _POSTGRES)

    assert query is not None
    assert query.endswith("IN (('s', 'a'), ('s', 'b'))")


@pytest.mark.parametrize(
    "query",
    [
        statistics_query([], DUCKDB),
        bytes_query([], _POSTGRES),
        statistics_query([(None, "s", "t")], find_dialect("trino")),
        bytes_query([("s", "t")], DUCKDB),
    ],
    ids=["no tables", "no tables, bytes", "nothing is told", "no bytes are told"],
)
def test_nothing_is_asked_where_nothing_is_told(query: str | None) -> None:
    assert query is None


def test_the_answer_by_table_and_column() -> None:
    """A negative number of distinct values is a share of the rows, and there is one value at least."""
    rows = [
        ("s", "shop", 200, "id", -1, 1.0, True, 4),
        ("s", "shop", 200, "city", 12, -0.25, False, 9.5),
        ("s", "shop", 200, "share", -0.1, None, False, None),
        ("s", "shop", 200, "empty", 0, None, False, 0),
        ("s", "shop", 200, "unknown", None, None, None, None),
        ("s", "never_analyzed", -1, "id", -1, 1.0, True, 4),
        ("s", "no_rows", 0, "id", -1, None, False, None),
        ("t", "shop", 7, None, None, None, False, None),
    ]

    assert read_statistics(rows) == {
        ("s", "shop"): TableStatistics(
            rows=200,
            columns={
                "id": ColumnStatistics(distinct=200, correlation=1.0, is_indexed=True, width=4),
                "city": ColumnStatistics(distinct=12, correlation=-0.25, width=9.5),
                "share": ColumnStatistics(distinct=20),
                "empty": ColumnStatistics(distinct=1, width=0),
                "unknown": ColumnStatistics(),
            },
        ),
        ("s", "no_rows"): TableStatistics(rows=0, columns={"id": ColumnStatistics(distinct=1)}),
        ("t", "shop"): TableStatistics(rows=7),
    }


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("boolean", 1),
        ("SMALLINT", 2),
        ("integer", 4),
        ("int", 4),
        ("int2", 2),
        ("INT64", 8),
        ("int8", 8),
        ("int4", 4),
        ("tinyint", 1),
        ("long", 8),
        ("number(38,0)", 8),
        ("float4", 4),
        ("float", 8),
        ("bigint", 8),
        ("hugeint", 16),
        ("DECIMAL(9,2)", 8),
        ("real", 4),
        ("double precision", 8),
        ("date", 4),
        ("datetime", 8),
        ("timestamp with time zone", 8),
        ("interval", 16),
        ("varchar(20)", 16),
        ("", 16),
    ],
)
def test_roughly_what_a_value_takes(data_type: str, expected: int) -> None:
    """The first beginning that fits decides: an interval is no integer, a datetime is no date."""
    assert type_bytes(data_type) == expected
