"""Marks of datasets change when rows come, go or change, and at no other time."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.datasets import Dataset, SqlVariant, TableColumns
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.mark_queries import (
    columns_of_datasets,
    file_marks_together,
    has_versions,
    is_file_mark,
    table_of_first_rows,
    value_mark_sql,
    version_mark_sql,
)
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.stars.small_star import (
    CITY,
    SHOP,
    SmallStar,
    attribute,
    described_sources,
    join,
    measures,
    part,
    table_dataset,
)


def test_the_columns_that_aggregates_store_and_join_by() -> None:
    region_step = join("unique_key", "shop", "region_id", "region", "id")
    region = attribute("region", "region", "region_key", "region_name", SHOP, region_step)
    aggregates = [part(CITY, measures=measures("sum count")), part(region, measures=measures("sum", "price"))]

    assert columns_of_datasets(aggregates) == {
        "sales": {"shop_id", "amount", "price"},
        "shop": {"shop_id", "city", "region_id"},
        "region": {"id", "region_key", "region_name"},
    }


def test_a_fact_of_which_only_rows_are_counted_has_no_columns() -> None:
    assert columns_of_datasets([part(measures=())]) == {"sales": frozenset()}


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        ("SELECT 1", False),
        ("CREATE OR REPLACE TABLE sales AS SELECT * FROM sales ORDER BY amount DESC", False),
        ("UPDATE sales SET note = 'other'", False),
        ("UPDATE sales SET amount = 3 WHERE amount = 2", True),
        ("UPDATE sales SET amount = NULL WHERE amount = 2", True),
        ("UPDATE sales SET shop_id = amount, amount = shop_id", True),
        ("INSERT INTO sales VALUES (1, 1, 'x')", True),
        ("DELETE FROM sales WHERE amount IS NULL", True),
        ("CREATE OR REPLACE TABLE sales AS SELECT * FROM sales WHERE FALSE", True),
    ],
)
def test_which_changes_a_mark_by_values_shows(star: SmallStar, change: str, is_seen: bool) -> None:
    """The order of rows does not count, nor do columns that nobody reads."""
    star.add("sales", "shop_id amount note:varchar", "1, 1, 'x'", "1, 1, 'x'", "5, 2, 'x'", "1, NULL, 'x'")
    sql = value_mark_sql(star.sources()["sales"], ["shop_id", "amount"])
    before = star.rows(sql)

    star.run(change)

    assert (star.rows(sql) != before) is is_seen


@pytest.mark.parametrize("columns", [[], ["gone"]])
def test_without_a_column_to_read_the_rows_are_counted(star: SmallStar, columns: list[str]) -> None:
    star.add("sales", "amount", "1", "2")

    assert star.rows(value_mark_sql(star.sources()["sales"], columns)) == [("2", "0")]


@pytest.mark.parametrize(
    ("dialect", "by_values", "by_versions"),
    [
        ("duckdb", 'SUM(HASH("f"."a", "f"."b"))', ""),
        (
            "postgres",
            'SUM(HASHTEXTEXTENDED(CAST(ROW("f"."a", "f"."b") AS TEXT), 0))',
            'SUM(HASHTEXTEXTENDED(CAST("f"."xmin" AS TEXT), 0))',
        ),
        ("bigquery", "", ""),
    ],
)
def test_how_a_mark_is_said(dialect: str, by_values: str, by_versions: str) -> None:
    """Empty where the warehouse does not hash, or its rows do not know who wrote them."""
    source = described_sources(dialect, sales="a integer, b varchar")["sales"]
    mark = 'SELECT CAST(COUNT(*) AS TEXT), CAST({} AS TEXT){} FROM "sales" AS "f"'
    least = ', MIN(CAST("f"."xmin" AS TEXT))'

    assert value_mark_sql(source, ["a", "b"]) == (mark.format(by_values, "") if by_values else "")
    assert version_mark_sql(source) == (mark.format(by_versions, least) if by_versions else "")


def test_a_table_in_files_is_marked_by_its_files() -> None:
    """No column of the table is read, and a file is hashed once."""
    source = described_sources("spark", sales="a integer, b varchar")["sales"]
    parts = [f"`f`.`_metadata`.`{name}`" for name in ("file_path", "file_size", "file_modification_time")]
    names = ["`p0`", "`p1`", "`p2`", "`n`"]
    hashed = ", ".join([*names, *(f"{name} IS NULL" for name in names)])
    files = ", ".join(f"{part} AS {name}" for part, name in zip(parts, names, strict=False))

    assert version_mark_sql(source) == (
        f"SELECT CAST(SUM(`n`) AS STRING), CAST(SUM(CAST(XXHASH64({hashed}) AS DECIMAL(38, 0))) AS STRING), "
        f"MIN(CAST(`p2` AS STRING)) FROM (SELECT {files}, COUNT(*) AS `n` FROM `sales` AS `f` "
        f"GROUP BY {', '.join(parts)}) AS `files`"
    )


def test_a_file_of_parquet_is_marked_by_its_first_row() -> None:
    """Delta may have deleted that row, without writing the file anew."""
    for name, is_numbered in {"parquet": True, "delta": False, "": False}.items():
        table = TableColumns({"a": "int"}, ("", "", "sales"))
        table.format = name
        source = Sources(
            {"sales": table_dataset("sales", ["a"])}, {(None, None, "sales"): table}, find_dialect("spark")
        )["sales"]
        sql = version_mark_sql(source)

        assert ("FROM `sales` AS `f` WHERE `f`.`_metadata`.`row_index` = 0 GROUP BY" in sql) is is_numbered
        assert is_file_mark(sql, find_dialect("spark"))
        assert table_of_first_rows(sql, find_dialect("spark")) == ((None, None, "sales") if is_numbered else None)
        together = file_marks_together([sql, sql], find_dialect("spark")) or ""
        assert together.count("`row_index` = 0") == 2 * is_numbered
    assert not find_dialect("databricks").numbered_formats
    assert table_of_first_rows("SELECT COUNT(*) FROM `sales`", find_dialect("spark")) is None


def test_the_rows_of_a_query_do_not_know_who_wrote_them() -> None:
    query = Dataset(name="q", columns={}, variants=(SqlVariant(dialect=None, sql="SELECT a FROM sales"),))
    source = described_sources("postgres", query)["q"]

    assert version_mark_sql(source) == ""
    assert 'ROW("f"."a")' in value_mark_sql(source, ["a"])


@pytest.mark.parametrize(
    ("mark", "expected"), [("5/-17/812", True), ("5/0/0", False), ("0//0", False), ("0//10", True)]
)
def test_rows_of_version_zero_do_not_know_who_wrote_them(mark: str, expected: bool) -> None:
    assert has_versions(mark) is expected
