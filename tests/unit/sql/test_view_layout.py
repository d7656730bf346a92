"""Stable views keep the columns that they had while what they show changes."""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.view_catalog import POSTGRES
from airflow_atscale_aggs.engine.sql.view_layout import (
    ViewLayout,
    compatible_layout,
    create_statement,
    drop_statement,
    natural_layout,
    probe_statement,
    render_name,
    view_query,
)
from tests.support.stars.small_star import DUCKDB

Columns = list[tuple[str, str]]
_CITY, _SUM, _ROWS = ("city", "text"), ("sum_amount", "numeric"), ("row_count", "bigint")


@pytest.mark.parametrize(
    ("old", "new", "order", "is_alike"),
    [
        ([_CITY, _SUM], [_CITY, _SUM], ("city", "sum_amount"), True),
        ([_CITY, _SUM], [_SUM, _CITY], ("city", "sum_amount"), True),
        ([_CITY], [_SUM, _CITY, _ROWS], ("city", "sum_amount", "row_count"), True),
        ([_CITY, _SUM], [_CITY, _ROWS], ("city", "row_count"), False),
        ([_SUM], [("sum_amount", "bigint")], ("sum_amount",), False),
        ([], [_CITY], ("city",), True),
    ],
    ids=["the same", "another order", "new ones", "one is gone", "another type", "no view yet"],
)
def test_columns_of_before_come_first_and_new_ones_last(
    old: Columns, new: Columns, order: tuple[str, ...], is_alike: bool
) -> None:
    assert natural_layout(old, new) == ViewLayout(order, {}, {}, is_alike)


@pytest.mark.parametrize(
    ("old", "new", "read", "expected"),
    [
        ([_CITY, _SUM], [_SUM, _ROWS, _CITY], (), ViewLayout(("city", "sum_amount", "row_count"), {}, {}, True)),
        ([_CITY, _SUM], [_SUM], (), ViewLayout(("city", "sum_amount"), {}, {"city": "text"}, True)),
        (
            [_CITY, ("n", "bigint")],
            [_CITY, ("n", "integer")],
            ("n",),
            ViewLayout(("city", "n"), {"n": "bigint"}, {}, True),
        ),
        (
            [("n", "text")],
            [("n", "character varying(20)")],
            (),
            ViewLayout(("n",), {"n": "text"}, {}, True),
        ),
    ],
    ids=["the same", "gone, and read by nobody", "narrower", "shorter"],
)
def test_a_view_that_something_depends_on_keeps_its_columns_and_types(
    old: Columns, new: Columns, read: tuple[str, ...], expected: ViewLayout
) -> None:
    assert compatible_layout(old, new, read, POSTGRES) == (expected, ())


@pytest.mark.parametrize(
    ("old", "new", "read", "reasons"),
    [
        ([_CITY, _SUM], [_SUM], ("city",), ("column `city` is not stored any more",)),
        ([("n", "integer")], [("n", "bigint")], (), ("column `n` is bigint now, it was integer",)),
        ([("n", "numeric(9,2)")], [("n", "integer")], (), ("column `n` is integer now, it was numeric(9,2)",)),
        (
            [_CITY, ("n", "integer")],
            [("n", "text")],
            ("city", "n"),
            ("column `city` is not stored any more", "column `n` is text now, it was integer"),
        ),
    ],
    ids=["gone, but read", "wider", "a length is not known to suffice", "several reasons"],
)
def test_why_a_view_cannot_keep_its_columns(
    old: Columns, new: Columns, read: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    assert compatible_layout(old, new, read, POSTGRES) == (None, reasons)


_QUERY = 'SELECT "b", "a" FROM "t"'


@pytest.mark.parametrize(
    ("layout", "columns"),
    [
        (None, ""),
        (ViewLayout(("b", "a"), {}, {}, is_alike=True), ""),
        (ViewLayout(("a", "b"), {}, {}, is_alike=True), '"shown"."a", "shown"."b"'),
        (
            ViewLayout(("a", "gone", "b"), {"b": "BIGINT"}, {"gone": "DATE"}, is_alike=True),
            '"shown"."a", CAST(NULL AS DATE) AS "gone", CAST("shown"."b" AS BIGINT) AS "b"',
        ),
    ],
    ids=["no layout", "as it is", "another order", "casts and empty columns"],
)
@pytest.mark.parametrize("replace", [True, False])
def test_a_view_is_made_with_the_columns_of_a_layout(layout: ViewLayout | None, columns: str, replace: bool) -> None:
    expected = f'SELECT {columns} FROM ({_QUERY}) AS "shown"' if columns else _QUERY

    text = create_statement(
        "v", "aggs", view_query(f'CREATE VIEW "old" AS {_QUERY}', DUCKDB), DUCKDB, layout=layout, replace=replace
    )

    assert text == f'CREATE {"OR REPLACE " if replace else ""}VIEW "aggs"."v" AS {expected}'
    assert view_query(text, DUCKDB).sql("duckdb") == expected


def test_a_view_shows_what_its_layout_says() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT CAST(7 AS INTEGER) AS b, 'x' AS a, TRUE AS c")
    query = view_query("CREATE VIEW v AS SELECT b, a, c FROM t", DUCKDB)
    layout, reasons = compatible_layout(
        [("a", "VARCHAR"), ("gone", "DATE")], [("b", "INTEGER"), ("a", "VARCHAR"), ("c", "BOOLEAN")], (), POSTGRES
    )

    connection.execute(create_statement("v", "", query, DUCKDB, layout=layout))

    assert reasons == ()
    rows = connection.execute("SELECT * FROM v")
    assert [column[0] for column in rows.description or ()] == ["a", "gone", "b", "c"]
    assert rows.fetchall() == [("x", None, 7, True)]


@pytest.mark.parametrize(
    ("name", "dialect", "probe"),
    [
        ("aggs.v", "duckdb", 'SELECT * FROM "aggs"."v" LIMIT 0'),
        ("aggs.v", "tsql", "SELECT TOP 0 * FROM [aggs].[v]"),
        ("aggs.a.b", "duckdb", 'SELECT * FROM "aggs"."a.b" LIMIT 0'),
    ],
)
def test_a_view_is_probed_without_reading_a_row(name: str, dialect: str, probe: str) -> None:
    assert probe_statement(name, find_dialect(dialect)) == probe


def test_a_probe_fails_where_a_view_does_not_fit_what_it_reads_any_more() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (a INTEGER)").execute("CREATE VIEW v AS SELECT a FROM t")
    probe = probe_statement("main.v", DUCKDB)
    assert connection.execute(probe).fetchall() == []

    connection.execute("ALTER TABLE t RENAME COLUMN a TO b")

    with pytest.raises(duckdb.BinderException):
        connection.execute(probe)


def test_names_and_drops_are_quoted() -> None:
    assert render_name("v 1", "aggs", DUCKDB) == '"aggs"."v 1"'
    assert render_name("v 1", "", DUCKDB) == '"v 1"'
    assert drop_statement("v 1", "aggs", DUCKDB) == 'DROP VIEW IF EXISTS "aggs"."v 1"'
